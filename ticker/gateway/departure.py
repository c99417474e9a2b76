"""How a gateway worker lets its clients go: all at once at the end, or one share after the other
when a successor takes its place."""

from __future__ import annotations

import asyncio

from ticker.gateway.protocol.codes import Close
from ticker.gateway.sockets.connection import ConnectionTable
from ticker.gateway.sockets.deadlines import Deadlines
from ticker.gateway.sockets.reception import Reception

DRAIN_SECONDS = 2.0
STEP = 0.1  # s between two shares of clients that are let go


class Departure:
    """Belongs to one worker, which ends when `stopped` is set. `spread`: s over which clients are
    let go."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        reception: Reception,
        connections: ConnectionTable,
        deadlines: Deadlines,
    ) -> None:
        self.loop = loop
        self.reception = reception
        self.connections = connections
        self.deadlines = deadlines
        self.stopped = asyncio.Event()
        self.spread = 0.0
        self._retiring: asyncio.Task[None] | None = None

    def retire(self) -> None:
        """Close the clients, spread over time: a successor now accepts from our socket."""
        if self._retiring is None and not self.stopped.is_set():
            self._retiring = self.loop.create_task(self._retire())

    async def _retire(self) -> None:
        self.reception.stop_listening()
        steps = max(1, round(self.spread / STEP))
        for left in range(steps, 0, -1):
            for number in self.connections.some_open(-(-self.connections.open_connections // left)):
                self.deadlines.dismiss(number, Close.RESTART, "restart")
            self.reception.reap()
            await asyncio.sleep(self.spread / steps)
        while self.connections.awaits_heads():  # accepted before: they have a deadline
            await asyncio.sleep(STEP)
        self.stopped.set()

    async def drain(self) -> None:
        """Stop accepting, say goodbye to all clients, and wait a moment for them to close."""
        self.reception.stop_listening()
        why = (Close.RESTART, "restart") if self._retiring else (Close.SHUTDOWN, "shutdown")
        self.deadlines.close_all(*why)
        self.reception.reap()
        end = self.loop.time() + DRAIN_SECONDS
        while self.connections.used_places and self.loop.time() < end:
            await asyncio.sleep(0.01)

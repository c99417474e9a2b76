"""How a gateway worker lets its clients go: all at once at the end, or one share after the other
when a successor takes its place, or when an operator drains the server."""

from __future__ import annotations

import asyncio

import structlog

from ticker.gateway.access.access import Access
from ticker.gateway.protocol.codes import Close
from ticker.gateway.sockets.connection import ConnectionTable
from ticker.gateway.sockets.deadlines import Deadlines
from ticker.gateway.sockets.reception import Reception
from ticker.shm.counters import Counters
from ticker.shm.private.draining import Drain

DRAIN_SECONDS = 2.0
STEP = 0.1  # s between two shares of clients that are let go
NOTICED, CLOSED = 1, 2
"""Of the gauge `draining`: the server is not ready; and it takes no new clients."""


class Departure:
    """Belongs to one worker, which ends when `stopped` is set. `spread`: s over which clients are
    let go."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        access: Access,
        reception: Reception,
        connections: ConnectionTable,
        deadlines: Deadlines,
        counters: Counters,
    ) -> None:
        self.loop = loop
        self.access = access
        self.counters = counters
        self.reception = reception
        self.connections = connections
        self.deadlines = deadlines
        self.stopped = asyncio.Event()
        self.spread = 0.0
        self._retiring: asyncio.Task[None] | None = None
        self._drain: Drain | None = None
        self._draining: asyncio.Task[None] | None = None
        counters.put("draining", 0)  # a predecessor's, which was killed

    def retire(self) -> None:
        """Close the clients, spread over time: a successor now accepts from our socket."""
        if self._retiring is None and not self.stopped.is_set():
            self._retiring = self.loop.create_task(self._retire())

    async def _retire(self) -> None:
        self.reception.stop_listening()
        await self._dismiss_all(self.spread)
        while self.connections.awaits_heads():  # accepted before: they have a deadline
            await asyncio.sleep(STEP)
        self.stopped.set()

    async def _dismiss_all(self, spread: float) -> None:
        """Say goodbye to all clients: equal shares of them over `spread` seconds."""
        steps = max(1, round(spread / STEP))
        for left in range(steps, 0, -1):
            for number in self.connections.some_open(-(-self.connections.open_connections // left)):
                self.deadlines.dismiss(number, Close.RESTART, "restart")
            self.reception.reap()
            await asyncio.sleep(spread / steps)

    def look(self, drain: Drain | None, now: int) -> None:
        """Follow the wish of `ticker drain`, or its end. The caller has just counted the open
        connections."""
        if drain != self._drain:
            structlog.get_logger().info("drains" if drain is not None else "takes clients again")
            if self._draining is not None:
                self._draining.cancel()
            self._drain, self._draining = drain, None
        closed = drain is not None and not drain.left(now)[0]
        if drain is not None and closed and self._draining is None:
            self._draining = self.loop.create_task(self._dismiss_all(drain.left(now)[1]))
        self.access.drains = closed
        self.counters.put("draining", 0 if drain is None else CLOSED if closed else NOTICED)

    async def drain(self) -> None:
        """Stop accepting, say goodbye to all clients, and wait a moment for them to close."""
        self.reception.stop_listening()
        why = (Close.RESTART, "restart") if self._retiring else (Close.SHUTDOWN, "shutdown")
        self.deadlines.close_all(*why)
        self.reception.reap()
        end = self.loop.time() + DRAIN_SECONDS
        while self.connections.used_places and self.loop.time() < end:
            await asyncio.sleep(0.01)

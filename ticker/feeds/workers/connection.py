"""One TCP connection of a session that speaks too: its bytes both ways, its deadlines, its end."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, Generic, Protocol, TypeVar, cast

from ticker.clock import Clock
from ticker.feeds.session import DEADLINE_NEVER

SECOND = 1_000_000_000


class Speaking(Protocol):
    """What a session has to be that a connection serves (times in ns)."""

    @property
    def should_close(self) -> bool: ...
    def connected(self, now_ns: int) -> None: ...
    def disconnected(self) -> None: ...
    def logout(self, now_ns: int) -> None: ...
    def receive_data(self, data: bytes, line: int = 0, receive_time: int = 0) -> None: ...
    def data_to_send(self, now_ns: int) -> list[bytes]: ...
    def next_deadline(self, now_ns: int) -> int: ...


Session = TypeVar("Session", bound=Speaking)


class SessionConnection(asyncio.Protocol, Generic[Session]):
    """A subclass says what becomes of what was received, and what is done before sending."""

    def __init__(self, session: Session, clock: Clock) -> None:
        self.session = session
        self.clock = clock
        self.loop = asyncio.get_running_loop()
        self.closed: asyncio.Future[None] = self.loop.create_future()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def received(self, now: int) -> None:
        """The session has taken what came."""

    def about_to_send(self) -> None:
        """The session has made what is sent next, if anything is."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are asyncio's in all but their bases.
        self._transport = cast(asyncio.Transport, transport)
        self.session.connected(self.clock())
        self.run()

    def data_received(self, data: bytes) -> None:
        now = self.clock()
        self.session.receive_data(data, 0, now)
        self.received(now)
        self.run()

    def connection_lost(self, _: Exception | None) -> None:
        self._transport = None
        self.session.disconnected()
        self.run()
        if not self.closed.done():
            self.closed.set_result(None)

    def run(self) -> None:
        """Send what is due, and come back at the next deadline."""
        now = self.clock()
        frames = self.session.data_to_send(now)
        self.about_to_send()
        if self._transport is not None:
            self._transport.writelines(frames)
            if self.session.should_close:
                self._transport.close()
        self._arm(now)

    def logout(self) -> None:
        """Say good-bye; `closed` follows."""
        self.session.logout(self.clock())
        self.run()

    async def until_closed(self, stop: asyncio.Event) -> None:
        """The connection's end, which is asked for when it is time to stop."""
        stopped: asyncio.Future[bool] = asyncio.ensure_future(stop.wait())
        ends: set[asyncio.Future[Any]] = {stopped, self.closed}
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if not self.closed.done():
            self.logout()
            await self.closed
        stopped.cancel()

    def _arm(self, now: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = self.session.next_deadline(now)
        if deadline != DEADLINE_NEVER and self._transport is not None:
            self._timer = self.loop.call_later(max(deadline - now, 0) / SECOND, self.run)


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait so long, or until it is time to stop."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()

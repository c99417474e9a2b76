"""The connections of a two-way session (FIX, SoupBinTCP): bytes both ways, deadlines, the end; then
the next connection, to the other line."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import structlog

from ticker.clock import Clock
from ticker.feeds.session import DEADLINE_NEVER
from ticker.feeds.transports import reconnect
from ticker.feeds.transports.tls import ADVICE, refusal

log = structlog.get_logger()

SECOND = 1_000_000_000
CONNECT_TIMEOUT = 10.0
REFUSED_WAIT = 30.0
"""s to wait after the server refused our credentials."""
STEP = 2.0
"""A jump of the wall clock by so many s means that it was set."""
REFUSED = "credentials_refused"
THEIR_WORDS = frozenset({"logged_out", "login_rejected", "end_of_session", REFUSED})
LAST_WORDS = frozenset({"closed", "silent", "garbled"}) | THEIR_WORDS
"""Events that give the reason of a connection's end."""


class Event(Protocol):
    """An event of a session for the operator."""

    @property
    def kind(self) -> str: ...
    @property
    def text(self) -> str: ...


class Speaking(Protocol):
    """The contract of a session that a connection serves (times in ns). An event of the kind
    `credentials_refused` means that the server refuses our credentials."""

    @property
    def should_close(self) -> bool: ...
    def connected(self, now_ns: int) -> None: ...
    def disconnected(self) -> None: ...
    def logout(self, now_ns: int) -> None: ...
    def receive_data(self, data: bytes, line: int = 0, receive_time: int = 0) -> None: ...
    def data_to_send(self, now_ns: int) -> list[bytes]: ...
    def next_deadline(self, now_ns: int) -> int: ...
    def take_events(self) -> Sequence[Event]: ...


class SessionConnection(asyncio.Protocol):
    """One connection.

    Args:
        name: of the session's protocol, as the log calls it.
        received: called with the time, after the session has taken received bytes.
        about_to_send: called before bytes of the session are sent.
        told: called with each event of the session.
    """

    def __init__(
        self,
        session: Speaking,
        clock: Clock,
        name: str = "session",
        *,
        received: Callable[[int], None] = lambda _: None,
        about_to_send: Callable[[], None] = lambda: None,
        told: Callable[[Event], None] = lambda _: None,
    ) -> None:
        self.session = session
        self.clock = clock
        self.name = name
        self.received = received
        self.about_to_send = about_to_send
        self.told = told
        self.refused = False
        self._last_words = ""
        self._ours = False
        self._theirs = False
        self.loop = asyncio.get_running_loop()
        self._apart = clock() / SECOND - self.loop.time()
        self.closed: asyncio.Future[None] = self.loop.create_future()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports behave like asyncio's, but do not inherit from them.
        self._transport = cast(asyncio.Transport, transport)
        self.session.connected(self.clock())
        self.run()

    def data_received(self, data: bytes) -> None:
        now = self.clock()
        self.session.receive_data(data, 0, now)
        self.received(now)
        self.run()

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self.session.disconnected()
        self.run()
        by = "us" if self._ours and not self._theirs else "network" if error else "server"
        log.info(f"{self.name} disconnected", by=by, reason=str(error or self._last_words))
        if not self.closed.done():
            self.closed.set_result(None)

    def run(self) -> None:
        """Send what is due, and come back at the next deadline."""
        now = self.clock()
        frames = self.session.data_to_send(now)
        self.about_to_send()
        for event in self.session.take_events():
            self.refused |= event.kind == REFUSED
            log.info(f"{self.name} {event.kind.replace('_', ' ')}", text=event.text)
            if event.kind in LAST_WORDS:
                if not self._theirs:
                    self._last_words = event.text or event.kind.replace("_", " ")
                self._theirs |= event.kind in THEIR_WORDS
            self.told(event)
        if self._transport is not None:
            self._transport.writelines(frames)
            if self.session.should_close or self._clock_was_set(now):
                self._ours = True
                self._transport.close()
        self._arm(now)

    def _clock_was_set(self, now: int) -> bool:
        """Whether the wall clock was set. A session's deadlines use it, so they would come too
        late, or all at once; a new connection begins with new deadlines."""
        step = now / SECOND - self.loop.time() - self._apart
        if abs(step) < STEP:
            return False
        self._last_words = f"this machine's clock was set by {step:+.1f} s"
        return True

    def logout(self) -> None:
        """Log out; `closed` follows."""
        self.session.logout(self.clock())
        self.run()

    async def until_closed(self, stop: asyncio.Event) -> None:
        """Wait until the connection is closed; log out when it is time to stop."""
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


@dataclass(frozen=True)
class Tls:
    """The verification of a server; without a `name` its host is verified."""

    context: ssl.SSLContext
    name: str | None = None
    advice: str = ADVICE


async def stay_connected(
    lines: Sequence[tuple[str, int]],
    connect: Callable[[], SessionConnection],
    stop: asyncio.Event,
    *,
    progress: Callable[[], int],
    tls: Tls | None = None,
) -> None:
    """Make one connection after another, to the lines in turn, until `stop`; then log out.

    `progress` grows with received messages. `reconnect.Backoff.after` has the waits between
    connections.
    """
    backoff = reconnect.Backoff()
    attempt = 0
    while not stop.is_set():
        before, started = progress(), time.monotonic()
        refused = await _connection(lines[attempt % len(lines)], connect, stop, tls)
        wait = backoff.after(time.monotonic() - started, useful=progress() > before)
        await pause(stop, max(wait, REFUSED_WAIT) if refused else wait)
        attempt += 1


async def _connection(
    address: tuple[str, int],
    connect: Callable[[], SessionConnection],
    stop: asyncio.Event,
    tls: Tls | None,
) -> bool:
    """One connection until its end; returns whether the server refused our credentials."""
    host, port = address
    connection = connect()
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT):
            await asyncio.get_running_loop().create_connection(
                lambda: connection,
                host,
                port,
                ssl=tls.context if tls else None,
                server_hostname=(tls.name or host) if tls else None,
            )
    except (OSError, TimeoutError) as error:
        reason = refusal(error, tls.advice if tls else ADVICE)
        log.warning(
            f"{connection.name} cannot connect", address=f"{host}:{port}", reason=reason
        )  # fmt: skip
        return False
    await connection.until_closed(stop)
    return connection.refused


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait for so many s, or until it is time to stop."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()

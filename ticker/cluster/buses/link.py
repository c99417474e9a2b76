"""One connection to a nats-server: bytes in, messages out, and how long its answers take."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections import deque
from collections.abc import Callable
from typing import Protocol, cast

import structlog

from ticker.cluster import natswire
from ticker.cluster.natswire import Kind, NatsReader
from ticker.errors import DecodeError

log = structlog.get_logger()

MOST_WAITING = 8 << 20
"""Bytes that a server has not taken yet; then nothing more is published."""


Event = tuple[Kind, int, bytes, bytes, bytes]
"""natswire.pyx: Kind says what of it there is."""
Control = Callable[[Kind, bytes], None]


class Taker(Protocol):
    """Whose connection it is."""

    def take(self, events: list[Event], control: Control) -> None:
        """What the server said: messages, and others for `control`."""

    def took(self) -> None:
        """That was a whole chunk."""

    def ponged(self) -> None:
        """A ping was answered."""


class Link(asyncio.Protocol):
    """One TCP connection; `bus` takes what comes by it.

    Attributes:
        greeted: done when the server has said its INFO.
        answered: done when it has answered the first ping after CONNECT.
        closed: done when the connection is over.
        heard: chunks that came.
        pings: when those were sent that wait for their answers, which come behind all messages that
            the server had before.
    """

    def __init__(self, bus: Taker) -> None:
        self.bus = bus
        self.reader = NatsReader()
        self.info: dict[str, object] = {}
        loop = asyncio.get_running_loop()
        self.greeted: asyncio.Future[None] = loop.create_future()
        self.answered: asyncio.Future[None] = loop.create_future()
        self.closed: asyncio.Future[None] = loop.create_future()
        self.heard = 0
        self.silent = 0.0
        self.pings: deque[float] = deque()
        self.reason = ""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=2 * MOST_WAITING)

    async def start_tls(self, context: ssl.SSLContext, host: str) -> None:
        """Raises OSError: the server's certificate is refused, or it speaks no TLS."""
        assert self._transport is not None
        transport = await asyncio.get_running_loop().start_tls(
            self._transport, self, context, server_hostname=host
        )
        if transport is None:
            raise OSError("the connection was lost before TLS")
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self.heard += 1
        try:
            self.bus.take(self.reader.receive_data(data), self._control)
        except DecodeError as error:
            self.leave(str(error))
        self.bus.took()

    def _control(self, kind: Kind, text: bytes) -> None:
        if kind is Kind.PING:
            self.write(natswire.PONG)
        elif kind is Kind.PONG:
            self.bus.ponged()
            if not self.answered.done():
                self.answered.set_result(None)
            elif self.pings:
                self.pings.popleft()
        elif kind is Kind.INFO:
            self._greet(text)
        elif kind is Kind.ERROR:
            said = text.decode(errors="replace")
            if said.startswith("Permissions Violation"):  # of one subject: the others go on
                log.error("the bus refuses a subject", reason=said)
            else:
                self.leave(said)

    def _greet(self, text: bytes) -> None:
        try:
            info = json.loads(text)
        except ValueError:
            info = None
        if not isinstance(info, dict):
            raise DecodeError("NATS: an INFO that is no JSON object")
        self.info = info
        if not self.greeted.done():
            self.greeted.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        self.reason = self.reason or str(error or "closed by the server")
        for waiter in (self.greeted, self.answered):
            if not waiter.done():
                waiter.set_exception(OSError(self.reason))
                waiter.exception()  # nobody may be waiting
        if not self.closed.done():
            self.closed.set_result(None)

    def write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def ping(self, now: float) -> None:
        self.pings.append(now)
        self.write(natswire.PING)

    def behind(self, now: float) -> float:
        """s that the oldest ping waits for its answer."""
        return now - self.pings[0] if self.pings else 0.0

    def excuse(self, asleep: float) -> None:
        """This process got no turn for so many seconds: that is nobody's fault."""
        self.pings = deque(when + asleep for when in self.pings)

    def waiting(self) -> int:
        """Bytes that the server has not taken yet."""
        return self._transport.get_write_buffer_size() if self._transport is not None else 0

    def leave(self, reason: str) -> None:
        self.reason = self.reason or reason
        if self._transport is not None:
            self._transport.abort()

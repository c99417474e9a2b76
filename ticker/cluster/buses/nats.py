"""NATS as the bus: one connection, which comes back whatever happens to servers.

In: subscriptions and messages to publish. Out: calls of handlers, from the event loop.

Law: a connection is believed only as long as bytes come. A server that does not answer a ping
within ANSWER is left for the next one. What is published without a connection, or faster than the
server takes it, is refused at once (`publish` says so), and never queued without a bound.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import urlsplit

import structlog

from ticker import __version__
from ticker.cluster import natswire
from ticker.cluster.buses.login import Login
from ticker.cluster.natswire import Kind, NatsReader
from ticker.errors import DecodeError

log = structlog.get_logger()

PORT = 4222
CONNECT = 2.0
"""s for a server to answer at a new connection."""
PING = 0.1
"""s between two pings."""
ANSWER = 1.0
"""s after which a server that says nothing is left."""
PAUSE = (0.02, 0.5)
"""s between two tries to connect: the first time, and at most."""
MOST_WAITING = 8 << 20
"""Bytes that a server has not taken yet; then nothing more is published."""

STOPPED = "stopped"

Handler = Callable[[bytes, bytes], None]
"""Takes the subject and the payload of a message."""
AnswerHandler = Callable[[bytes, bytes, bytes], None]
"""Takes the subject, the payload, and the subject for an answer; empty: none is wanted."""
Message = tuple[bytes, bytes] | tuple[bytes, bytes, bytes]
"""The subject, the payload, and maybe the subject that an answer is to come by."""


@dataclass
class Said:
    """What the connection has counted."""

    connects: int = 0
    messages: int = 0
    errors: int = 0
    last: str = ""


@dataclass
class Subscription:
    subject: bytes
    handler: Handler | None
    answering: AnswerHandler | None = None
    sid: int = field(default_factory=itertools.count(1).__next__)


class NatsBus:
    """A client of the servers, which are tried one after another.

    Args:
        servers: like nats://127.0.0.1:4222.
        name: how servers call this client.
        up, down: called when a connection is there, and when it is lost.
        after: called after each chunk of messages.
        quiet: nothing is logged; `said` has it.

    Attributes:
        connected: whether a server has answered, and has not been lost since.
        pongs: answers to pings; one more says that what was sent before it has arrived.
    """

    def __init__(
        self,
        servers: Sequence[str],
        name: str,
        login: Login | None = None,
        *,
        up: Callable[[], None] = lambda: None,
        down: Callable[[], None] = lambda: None,
        after: Callable[[], None] = lambda: None,
        quiet: bool = False,
    ) -> None:
        self.servers = tuple(servers)
        self.name = name
        self.login = login or Login()
        self.up, self.down, self.after = up, down, after
        self.quiet = quiet
        self.said = Said()
        self.connected = False
        self.pongs = 0
        self._subscriptions: dict[int, Subscription] = {}
        self._link: _Link | None = None

    def subscribe(self, subject: str, handler: Handler) -> Subscription:
        """Call `handler` with each message, now and after each new connection."""
        return self._subscribe(Subscription(subject.encode(), handler))

    def subscribe_to_answer(self, subject: str, handler: AnswerHandler) -> Subscription:
        """The same, with the subject that an answer to the message is to go to."""
        return self._subscribe(Subscription(subject.encode(), None, handler))

    def _subscribe(self, made: Subscription) -> Subscription:
        self._subscriptions[made.sid] = made
        if self._link is not None and self.connected:
            self._link.write(natswire.subscribe(made.subject, made.sid))
        return made

    def unsubscribe(self, made: Subscription) -> None:
        """Call its handler no more."""
        if self._subscriptions.pop(made.sid, None) is None:
            return
        if self._link is not None and self.connected:
            self._link.write(natswire.unsubscribe(made.sid))

    def publish(self, messages: Sequence[Message]) -> bool:
        """Send these in one go; False: none of them, as no server takes them now."""
        link = self._link
        if link is None or not self.connected or link.waiting() > MOST_WAITING:
            return False
        link.write(b"".join([natswire.publish(*message) for message in messages]))
        return True

    @property
    def ready(self) -> bool:
        """Whether `publish` would take something now."""
        return self.connected and self._link is not None and self._link.waiting() <= MOST_WAITING

    def reconnect(self) -> None:
        """Leave this server, for the next one."""
        if self._link is not None:
            self._link.leave("told to")

    async def run(self) -> None:
        """Stay connected until cancelled."""
        pause = PAUSE[0]
        for server in itertools.cycle(self.servers):
            if await self._visit(server):
                pause = PAUSE[0]
            await asyncio.sleep(pause)
            pause = min(2 * pause, PAUSE[1])

    async def _visit(self, server: str) -> bool:
        """Be connected to a server until that ends; whether it was there at all."""
        parts = urlsplit(server)
        loop = asyncio.get_running_loop()
        link = _Link(self)
        try:
            async with asyncio.timeout(CONNECT):
                await loop.create_connection(lambda: link, parts.hostname or "", parts.port or PORT)
                await link.greeted
                await self._login(link, parts.hostname or "")
        except (OSError, TimeoutError, DecodeError) as error:
            self._note(server, str(error) or type(error).__name__)
            link.leave("no greeting")
            return False
        except asyncio.CancelledError:
            link.leave(STOPPED)
            raise
        try:
            await self._stay(server, link)
        finally:
            self._left(server, link)
        return True

    async def _login(self, link: _Link, host: str) -> None:
        """TLS, CONNECT, and the first pong. Raises DecodeError: the server refuses us."""
        info = link.info
        if self.login.tls is not None or info.get("tls_required"):
            await link.start_tls(self.login.tls or ssl.create_default_context(), host)
        options: dict[str, object] = {
            "verbose": False,
            "pedantic": False,
            "echo": True,
            "headers": True,
            "no_responders": True,  # a question that nobody hears has an empty answer
            "lang": "python",
            "version": __version__,
            "protocol": 1,
            "name": self.name,
        }
        options |= self.login.answer(str(info.get("nonce", "")))
        link.write(natswire.connect(json.dumps(options).encode()) + natswire.PING)
        await link.answered

    async def _stay(self, server: str, link: _Link) -> None:
        self._link, self.connected = link, True
        self.said.connects += 1
        if not self.quiet:
            log.info("connected to the bus", server=server)
        link.write(
            b"".join(natswire.subscribe(s.subject, s.sid) for s in self._subscriptions.values())
        )
        self.up()
        while not link.closed.done():
            link.write(natswire.PING)
            heard = link.heard
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PING):
                    await asyncio.shield(link.closed)
            link.silent = 0.0 if link.heard != heard else link.silent + PING
            if link.silent >= ANSWER:
                link.leave("it does not answer")

    def _left(self, server: str, link: _Link) -> None:
        link.leave(STOPPED)
        self._link, self.connected = None, False
        if not (self.quiet or link.reason == STOPPED):
            log.warning("lost the bus", server=server, reason=link.reason)
        self.down()

    def _note(self, server: str, reason: str) -> None:
        """A try that failed: in the log if it is another reason than the last time."""
        self.said.errors += 1
        said = f"{server}: {reason}"
        if said != self.said.last:
            self.said.last = said
            if not self.quiet:
                log.warning("no bus", server=server, reason=reason)

    def take(self, sid: int, subject: bytes, payload: bytes, reply: bytes) -> None:
        """A message of the server."""
        self.said.messages += 1
        found = self._subscriptions.get(sid)
        if found is None:
            return
        if found.handler is not None:
            found.handler(subject, payload)
        elif found.answering is not None:
            found.answering(subject, payload, reply)


class _Link(asyncio.Protocol):
    """One TCP connection.

    Attributes:
        greeted: done when the server has said its INFO.
        answered: done when it has answered the first ping after CONNECT.
        closed: done when the connection is over.
        heard: chunks that came.
    """

    def __init__(self, bus: NatsBus) -> None:
        self.bus = bus
        self.reader = NatsReader()
        self.info: dict[str, object] = {}
        loop = asyncio.get_running_loop()
        self.greeted: asyncio.Future[None] = loop.create_future()
        self.answered: asyncio.Future[None] = loop.create_future()
        self.closed: asyncio.Future[None] = loop.create_future()
        self.heard = 0
        self.silent = 0.0
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
            for kind, sid, text, payload, reply in self.reader.receive_data(data):
                if kind is Kind.MESSAGE:
                    self.bus.take(sid, text, payload, reply)
                else:
                    self._control(kind, text)
        except DecodeError as error:
            self.leave(str(error))
        self.bus.after()

    def _control(self, kind: Kind, text: bytes) -> None:
        if kind is Kind.PING:
            self.write(natswire.PONG)
        elif kind is Kind.PONG:
            self.bus.pongs += 1
            if not self.answered.done():
                self.answered.set_result(None)
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

    def waiting(self) -> int:
        """Bytes that the server has not taken yet."""
        return self._transport.get_write_buffer_size() if self._transport is not None else 0

    def leave(self, reason: str) -> None:
        self.reason = self.reason or reason
        if self._transport is not None:
            self._transport.abort()

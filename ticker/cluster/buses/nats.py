"""NATS as the bus: one connection, which comes back whatever happens to servers.

In: subscriptions and messages to publish. Out: calls of handlers, from the event loop.

Law: a connection is believed only as long as bytes come. A server that does not answer a ping
within ANSWER is left for the next one. A server that does not answer a new connection within BESIDE
is not waited for: the next one is tried beside it, and the first to answer is taken. So a link that
comes back is used at once, whatever TCP still waits for. What is published without a connection, or
faster than the server takes it, is refused at once (`publish` says so), and never queued without a
bound.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import structlog

from ticker import __version__
from ticker.cluster import natswire
from ticker.cluster.buses.link import MOST_WAITING, Control, Event, Link
from ticker.cluster.buses.login import Login
from ticker.errors import DecodeError

log = structlog.get_logger()

MESSAGE = natswire.Kind.MESSAGE
PORT = 4222
CONNECT = 2.0
"""s for a server to answer at a new connection."""
BESIDE = 0.2
"""s after which another server is tried beside one that has not answered yet."""
PING = 0.1
"""s between two pings."""
ANSWER = 0.5
"""s after which a server that says nothing is left. Behind a pause of the link TCP sends again only
after as long as the pause was; a new connection is faster."""
PAUSE = (0.02, 0.2)
"""s before all servers are tried again that have refused: the first time, and at most."""
SHORT = 1.0
"""s: a connection that lasts less is no reason to hurry to the next one."""
STOPPED = "stopped"

Handler = Callable[[bytes, bytes], None]
"""Takes the subject and the payload of a message."""
AnswerHandler = Callable[[bytes, bytes, bytes], None]
"""Takes the subject, the payload, and the subject for an answer; empty: none is wanted."""
ManyHandler = Callable[[list[tuple[bytes, bytes]]], None]
"""Takes subjects and payloads of messages that came one behind the other."""
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
    many: ManyHandler | None = None
    sid: int = field(default_factory=itertools.count(1).__next__)


class NatsBus:
    """A client of the servers, which are tried one after another.

    Args:
        servers: like nats://127.0.0.1:4222.
        name: how servers call this client.
        up, down: called when a connection is there, and when it is lost.
        after: called after each chunk of messages.
        late: s that a connection may be behind; then it is left, and what waits on it with it. 0:
            it is never left for that.
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
        late: float = 0.0,
        quiet: bool = False,
    ) -> None:
        self.servers = tuple(servers)
        self.name = name
        self.login = login or Login()
        self.up, self.down, self.after = up, down, after
        self.late = late
        self.quiet = quiet
        self.said = Said()
        self.connected = False
        self.pongs = 0
        self._subscriptions: dict[int, Subscription] = {}
        self._link: Link | None = None
        self._servers = itertools.cycle(self.servers)
        self._reasons: dict[str, str] = {}
        """Why a server was not reached, since the last connection."""

    def subscribe(
        self, subject: str, handler: Handler, many: ManyHandler | None = None
    ) -> Subscription:
        """Call `handler` with each message, now and after each new connection; or `many`, with
        those that came together."""
        return self._subscribe(Subscription(subject.encode(), handler, many=many))

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
        return self.ready and self.send(natswire.publish_all(messages))

    def send(self, commands: bytes) -> bool:
        """Send whole commands that are made already; False: as `publish`."""
        if self._link is None or not self.ready:
            return False
        self._link.write(commands)
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
        loop = asyncio.get_running_loop()
        while True:
            server, link = await self._reach()
            came = loop.time()
            try:
                await self._stay(server, link)
            finally:
                self._left(server, link)
            if loop.time() - came < SHORT:
                await asyncio.sleep(PAUSE[0])

    async def _reach(self) -> tuple[str, Link]:
        """The first server that answers."""
        pause, refused = PAUSE[0], 0
        tries: set[asyncio.Task[tuple[str, Link] | None]] = set()
        try:
            while True:
                tries.add(asyncio.ensure_future(self._visit(next(self._servers))))
                done, _ = await asyncio.wait(
                    tries, timeout=BESIDE, return_when=asyncio.FIRST_COMPLETED
                )
                for each in done:
                    tries.discard(each)
                    if (found := each.result()) is not None:
                        return found
                refused += len(done)
                if refused >= len(self.servers):
                    await asyncio.sleep(pause)
                    pause, refused = min(2 * pause, PAUSE[1]), 0
        finally:
            for each in tries:
                each.cancel()
            for late in await asyncio.gather(*tries, return_exceptions=True):
                if isinstance(late, tuple):
                    late[1].leave(STOPPED)

    async def _visit(self, server: str) -> tuple[str, Link] | None:
        """A connection to this server; None: it refuses, or does not answer."""
        parts = urlsplit(server)
        loop = asyncio.get_running_loop()
        link = Link(self)
        try:
            async with asyncio.timeout(CONNECT):
                await loop.create_connection(lambda: link, parts.hostname or "", parts.port or PORT)
                await link.greeted
                await self._login(link, parts.hostname or "")
        except (OSError, TimeoutError, DecodeError) as error:
            self._note(server, str(error) or type(error).__name__)
            link.leave("no greeting")
            return None
        except asyncio.CancelledError:
            link.leave(STOPPED)
            raise
        return server, link

    async def _login(self, link: Link, host: str) -> None:
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

    async def _stay(self, server: str, link: Link) -> None:
        self._link, self.connected = link, True
        self.said.connects += 1
        self._reasons.clear()
        if not self.quiet:
            log.info("connected to the bus", server=server)
        link.write(
            b"".join(natswire.subscribe(s.subject, s.sid) for s in self._subscriptions.values())
        )
        self.up()
        clock = asyncio.get_running_loop().time
        while not link.closed.done():
            now, heard = clock(), link.heard
            link.ping(now)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PING):
                    await asyncio.shield(link.closed)
            link.silent = 0.0 if link.heard != heard else link.silent + PING
            if (asleep := clock() - now - PING) > PING:
                link.excuse(asleep)
            if link.silent >= ANSWER:
                link.leave("it does not answer")
            elif 0 < self.late < link.behind(clock()):
                link.leave(f"more comes than can be taken: {self.late} s behind")

    def _left(self, server: str, link: Link) -> None:
        link.leave(STOPPED)
        self._link, self.connected = None, False
        if not (self.quiet or link.reason == STOPPED):
            log.warning("lost the bus", server=server, reason=link.reason)
        self.down()

    def _note(self, server: str, reason: str) -> None:
        """A try that failed: in the log if it is another reason than the last time."""
        self.said.errors += 1
        self.said.last = f"{server}: {reason}"
        if self._reasons.get(server) != reason:
            self._reasons[server] = reason
            if not self.quiet:
                log.warning("no bus", server=server, reason=reason)

    def took(self) -> None:
        """A chunk of messages is at its end."""
        self.after()

    def ponged(self) -> None:
        """A ping was answered."""
        self.pongs += 1

    def take(self, events: list[Event], control: Control) -> None:
        """What a server said. Frames come by the 10,000 a second, so there is one loop for them."""
        subscriptions, messages = self._subscriptions, 0
        together: list[tuple[bytes, bytes]] = []
        of: ManyHandler | None = None
        for kind, sid, subject, payload, reply in events:
            found = subscriptions.get(sid) if kind is MESSAGE else None
            many = found.many if found is not None else None
            if of is not None and many is not of:
                of(together)
                together, of = [], None
            if kind is not MESSAGE:
                control(kind, subject)
                continue
            messages += 1
            if found is None:
                continue
            if many is not None:
                of = many
                together.append((subject, payload))
            elif found.handler is not None:
                found.handler(subject, payload)
            elif found.answering is not None:
                found.answering(subject, payload, reply)
        if of is not None:
            of(together)
        self.said.messages += messages

"""The front: reads every new connection's request head, and routes the connection.

`/stream` and the paths of vendors' dialects are answered here, and their connections stay bare
sockets, for frames or events. All others go to the aiohttp application, with the bytes read so far.
PROXY headers and TLS are removed before.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http import HTTPMethod

import structlog
from aiohttp import web

from ticker.clock import Clock
from ticker.gateway.access.access import Access, offered_token
from ticker.gateway.access.extensions import Deflate, negotiate
from ticker.gateway.access.handshake import STREAM_PATH, Head, offered, parse_head, upgrade
from ticker.gateway.access.notes import Notes
from ticker.gateway.access.problems import (
    BAD_REQUEST,
    FAULT,
    INTERNAL,
    METHOD_NOT_ALLOWED,
    Refusal,
)
from ticker.gateway.access.proxy import ProxyError, parse_header
from ticker.gateway.dialects.speaker import Speaker
from ticker.gateway.events import EventStreams, Wanted, wants_events
from ticker.gateway.protocol.codec import select
from ticker.gateway.protocol.dialect import Dialect
from ticker.gateway.rest.serving.runner import ProblemProtocol
from ticker.gateway.rest.serving.tls_http import TlsHttp
from ticker.gateway.sockets.connection import ConnectionTable, Encoding
from ticker.gateway.sockets.tls import TlsSession
from ticker.shm.counters import Counters

# The methods that aiohttp reads. It answers others as broken requests, and CONNECT as one with a
# body of any length.
HTTP_METHODS = frozenset(HTTPMethod) - {HTTPMethod.CONNECT}


class Front:
    """The handler of the worker's Reception, and of its Deadlines' last words."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        http: Callable[[], ProblemProtocol],
        connections: ConnectionTable,
        dialect: Dialect,
        counters: Counters,
        clock: Clock,
        steady: Clock,
        access: Access,
        tls: ssl.SSLContext | None = None,
        notes: Notes | None = None,
        speaker: Speaker | None = None,
    ) -> None:
        self.loop = loop
        self.http = http
        self.connections = connections
        self.dialect = dialect
        self.counters = counters
        self.clock = clock
        self.steady = steady
        self.access = access
        self.tls = tls
        self.notes = notes or Notes()
        self.events = EventStreams(connections, dialect, access)
        self.speaker = speaker
        self.compresses = False
        self.handing_over: set[asyncio.Task[None]] = set()

    def on_accept(self, number: int) -> bool:
        """A new connection, before its first byte. False: it is refused, or a PROXY header comes
        first and TLS begins after it."""
        try:
            self.access.accepted(number, self.connections.peer(number), self.steady())
        except Refusal as refusal:
            self._refuse(number, refusal)
            return False
        return number not in self.access.unheaded

    def on_head(self, number: int, data: bytes) -> bytes | None:
        """Bytes of a request head; routes the connection once the head is complete. Returned bytes,
        those after a PROXY header, are handled as newly received."""
        try:
            if number in self.access.unheaded:
                return self._introduced(number, data)
            head = parse_head(data)
            if head is None:
                return None
            if self._is_stream(head):
                self._stream(number, head)
            elif head.method not in HTTP_METHODS:
                raise Refusal(
                    METHOD_NOT_ALLOWED,
                    f"{head.method[:20]} is not allowed here; use GET.",
                    headers={"Allow": "GET, HEAD"},
                )
            else:
                self._hand_over(number, data)
        except Refusal as refusal:
            self._refuse(number, refusal)
        return None

    def on_message(self, number: int, is_text: bool, payload: bytes) -> None:
        """A whole message of an open stream."""
        with self._faults(number, is_open=True):
            if self.speaker is not None and self.connections.encoding(number) >= Encoding.ENCODINGS:
                self.speaker.message(number, is_text, payload, self.clock())
            else:
                self.dialect.message(number, is_text, payload, self.clock())

    def on_closed(self, number: int) -> None:
        """Forget a connection that is about to be freed."""
        self.access.closed(number)
        self.dialect.forget(number)
        if self.speaker is not None:
            self.speaker.forget(number)

    def last_word(self, number: int, code: int) -> bytes:
        """The frame that goes before a close frame."""
        return self.dialect.last_word(number, code)

    def heartbeat(self, encoding: int) -> bytes:
        """A heartbeat in an encoding."""
        return self.dialect.heartbeat(encoding, self.clock())

    def _refuse(self, number: int, refusal: Refusal) -> None:
        self.counters.add("handshakes_refused")
        self.notes.refused(refusal, self.steady())
        self.connections.refuse(number, refusal.raw_response())

    def _introduced(self, number: int, data: bytes) -> bytes | None:
        """Read a proxy's PROXY header; returns the bytes after it."""
        try:
            header = parse_header(data)
        except ProxyError as error:
            raise Refusal(BAD_REQUEST, f"{error}; set it up to send one.") from None
        if header is None:
            return None
        end, client = header
        self.access.introduced(number, client, self.steady())
        if self.tls is not None:
            self.connections.set_tls(number, TlsSession(self.tls))
        return data[end:]

    @contextmanager
    def _faults(self, number: int, *, is_open: bool) -> Iterator[None]:
        """Log a fault of this server, and tell its client: the others are served as before. Raises
        Refusal, if the stream was not open before and is not now."""
        before = self.connections.open_connections
        try:
            yield
        except Refusal:
            raise
        except Exception:
            structlog.get_logger().exception("a fault of this server; please report it")
            if not is_open and self.connections.open_connections == before:
                raise Refusal(INTERNAL, FAULT) from None
            self.dialect.fail(number)

    def _stream(self, number: int, head: Head) -> None:
        with self._faults(number, is_open=False):
            peer = self.connections.peer(number)
            encrypted = self.connections.tls_of(number) is not None
            answer = self._answer(head, peer, encrypted=encrypted)
            self.access.opening(number, head, peer, self.steady())
            self._open(number, head, answer)

    def _answer(self, head: Head, peer: str, *, encrypted: bool) -> bytes | Wanted:
        """The answer that opens the stream, or the events that are wanted. The page's origin is
        checked first, so that a refused page gets the refusal by any request: browsers hide the
        answer of a handshake."""
        if head.version == "1.1" and not head.values("host"):  # RFC 9112, section 3.2
            raise Refusal(BAD_REQUEST, "There is no Host header; send one.")
        self.access.check_page(head.values, peer, encrypted=encrypted, authority=head.authority)
        self.access.check_open()
        if self._vendor(head) is not None:
            return self._upgrade(head)
        if wants_events(head):
            return self.events.read(head)
        return self._upgrade(head, select(offered(head)).subprotocol)

    def _upgrade(self, head: Head, subprotocol: str = "") -> bytes:
        deflate = self._deflate(head)
        return upgrade(head, subprotocol, deflate.answer if deflate is not None else "")

    def _deflate(self, head: Head) -> Deflate | None:
        """The compression that is agreed on. Raises Refusal."""
        return negotiate(head) if self.compresses else None

    def _vendor(self, head: Head) -> int | None:
        """The encoding of a request that is for the dialect of a vendor."""
        return None if self.speaker is None else self.speaker.encoding_of(head)

    def _is_stream(self, head: Head) -> bool:
        stays = head.path == STREAM_PATH or self._vendor(head) is not None
        return stays and head.method != "OPTIONS"

    def _open(self, number: int, head: Head, answer: bytes | Wanted) -> None:
        if isinstance(answer, Wanted):
            self.events.open(number, head, answer, self.clock(), self.steady())
            return
        deflate = self._deflate(head)
        bits = deflate.bits if deflate is not None else 0
        vendor = self._vendor(head)
        if self.speaker is not None and vendor is not None:
            self.connections.open(number, answer + self.speaker.greeting(vendor), vendor, bits)
            self.access.opened(number, self.steady())
            self.dialect.admitted(number)
            self.speaker.opened(number, vendor, head, self.clock())
            return
        codec = select(offered(head))
        token = offered_token(head)
        if token is None or self.access.authenticator is None:
            greeting = answer + self.dialect.greeting(codec, number)
            self.connections.open(number, greeting, codec.number, bits)
            self.access.opened(number, self.steady())
            self.dialect.admitted(number)
            return
        self.connections.open(number, answer, codec.number, bits)
        hello = self.dialect.enter(number, token, self.clock())
        if hello:
            self.connections.send(number, hello)

    async def stream_after_http(self, request: web.Request) -> web.Response:
        """Take a connection's socket back from aiohttp, for a handshake after earlier HTTP
        requests."""
        headers = tuple((name.lower(), value) for name, value in request.headers.items())
        version = f"{request.version.major}.{request.version.minor}"
        transport = request.transport
        head = Head(request.method, request.path_qs, version, headers, b"")
        tls = transport.get_extra_info("tls") if transport is not None else None
        answer = self._answer(head, request.remote or "", encrypted=tls is not None)
        if transport is not None:
            address = getattr(request.protocol, "address", None)
            fd = os.dup(transport.get_extra_info("socket").fileno())
            transport.abort()  # closes aiohttp's descriptor, not the connection
            number = self.connections.adopt(fd, self.steady(), tls)
            if number < 0:
                os.close(fd)
            else:
                self._adopted(number, head, answer, address)
        return web.Response()  # not sent: the transport is gone

    def _adopted(
        self, number: int, head: Head, answer: bytes | Wanted, address: str | None
    ) -> None:
        now = self.steady()
        try:
            with self._faults(number, is_open=False):
                self.access.returned(number, address, now)
                self.access.opening(number, head, self.connections.peer(number), now)
                self._open(number, head, answer)
        except Refusal as refusal:
            self._refuse(number, refusal)

    def _hand_over(self, number: int, data: bytes) -> None:
        tls = self.connections.tls_of(number)
        address = self.access.moved(number)
        sock = socket.socket(fileno=self.connections.hand_over(number))
        task = self.loop.create_task(self._serve_http(sock, data, tls, address))
        self.handing_over.add(task)
        task.add_done_callback(self.handing_over.discard)

    async def _serve_http(
        self, sock: socket.socket, data: bytes, tls: TlsSession | None, address: str | None
    ) -> None:
        http = self.http()
        http.address = address
        http.lost = partial(self._http_lost, address)
        receive: asyncio.Protocol = http if tls is None else TlsHttp(http, tls)
        try:
            await self.loop.connect_accepted_socket(lambda: receive, sock)
        except OSError:
            sock.close()  # gone already
            self._http_lost(address)
            return
        http.data_received(data)

    def _http_lost(self, address: str | None) -> None:
        """Release the address of a closed HTTP connection."""
        self.connections.given_back()
        if address is not None:
            self.access.limits.release(address)

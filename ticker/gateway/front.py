"""The front: every new connection's request head, and where it goes.

`/stream` is answered here and stays with us as a bare socket; everything else is handed to the
aiohttp application with the bytes that have come already.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable

from aiohttp import web

from ticker.clock import Clock
from ticker.gateway.handshake import STREAM_PATH, Head, parse_head, upgrade
from ticker.gateway.problems import Refusal
from ticker.gateway.reception import Connections
from ticker.shm.counters import Counters

MessageHandler = Callable[[int, bool, bytes, int], None]


class Front:
    """Handler of the worker's Connections. Set `connections`, `message` and `forget` first."""

    connections: Connections
    message: MessageHandler
    forget: Callable[[int], None]

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        http: Callable[[], asyncio.BaseProtocol],
        counters: Counters,
        clock: Clock,
    ) -> None:
        self.loop = loop
        self.http = http
        self.counters = counters
        self.clock = clock
        self.handing_over: set[asyncio.Task[None]] = set()

    def on_head(self, number: int, data: bytes) -> None:
        """Bytes of a request head: decide once it is whole."""
        try:
            head = parse_head(data)
            if head is None:
                return
            if head.path == STREAM_PATH:
                self._stream(number, head)
            else:
                self._hand_over(number, data)
        except Refusal as refusal:
            self.counters.add("handshakes_refused")
            self.connections.refuse(number, refusal.raw_response())

    def on_message(self, number: int, is_text: bool, payload: bytes) -> None:
        """A whole message of an open stream."""
        self.message(number, is_text, payload, self.clock())

    def on_closed(self, number: int) -> None:
        """The connection is about to be freed."""
        self.forget(number)

    def _stream(self, number: int, head: Head) -> None:
        self.connections.open(number, upgrade(head))

    async def stream_after_http(self, request: web.Request) -> web.Response:
        """A handshake on a connection that has carried HTTP requests before: take its socket
        back from aiohttp."""
        headers = tuple((name.lower(), value) for name, value in request.headers.items())
        version = f"{request.version.major}.{request.version.minor}"
        transport = request.transport
        answer = upgrade(Head(request.method, request.path_qs, version, headers, b""))
        if transport is not None:
            fd = os.dup(transport.get_extra_info("socket").fileno())
            transport.abort()  # closes aiohttp's descriptor, not the connection
            number = self.connections.adopt(fd, self.clock())
            if number < 0:
                os.close(fd)
            else:
                self.connections.open(number, answer)
        return web.Response()  # to nobody: the transport is gone

    def _hand_over(self, number: int, data: bytes) -> None:
        sock = socket.socket(fileno=self.connections.hand_over(number))
        task = self.loop.create_task(self._serve_http(sock, data))
        self.handing_over.add(task)
        task.add_done_callback(self.handing_over.discard)

    async def _serve_http(self, sock: socket.socket, data: bytes) -> None:
        try:
            _, protocol = await self.loop.connect_accepted_socket(self.http, sock)
        except OSError:
            sock.close()  # gone already
            return
        assert isinstance(protocol, asyncio.Protocol)
        protocol.data_received(data)

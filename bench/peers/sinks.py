"""The ways to publish to each peer: over a connection to 127.0.0.1, a batch of ticks at a time."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from http.client import HTTPConnection
from typing import Protocol

from ticker.errors import BenchError

Tick = tuple[bytes, bytes]  # symbol, message
ANSWER_TIMEOUT = 10.0


class Sink(Protocol):
    """Takes ticks to a peer."""

    def send(self, ticks: list[Tick]) -> None:
        """Publish all; may wait for the peer to read."""


class Lines:
    """`SYMBOL message` by line: the servers of our own making."""

    def __init__(self, port: int) -> None:
        self._socket = _connect(port)

    def send(self, ticks: list[Tick]) -> None:
        self._socket.sendall(b"".join(b"%b %b\n" % tick for tick in ticks))


class WebSocket:
    """The same lines, each batch a message on /ticks (masked with zeros, RFC 6455, 5.3)."""

    def __init__(self, port: int) -> None:
        self._socket = _connect(port)
        self._socket.sendall(
            b"GET /ticks HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            b"Sec-WebSocket-Version: 13\r\n\r\n"
        )
        answer = self._socket.recv(4096)
        if not answer.startswith(b"HTTP/1.1 101"):
            raise BenchError(f"/ticks was not upgraded: {answer[:200]!r}")

    def send(self, ticks: list[Tick]) -> None:
        data = b"\n".join(b"%b %b" % tick for tick in ticks)
        self._socket.sendall(b"\x82\xff%b\0\0\0\0%b" % (len(data).to_bytes(8, "big"), data))


class Nats:
    """PUB operations; the server's PING is answered between batches."""

    def __init__(self, port: int) -> None:
        self._socket = _connect(port)
        self._socket.sendall(b'CONNECT {"verbose":false,"pedantic":false}\r\nPING\r\n')
        said = b""
        while b"PONG\r\n" not in said:
            said += self._socket.recv(65536)
        self._socket.settimeout(None)  # with a timeout, recv waits in spite of MSG_DONTWAIT

    def send(self, ticks: list[Tick]) -> None:
        pubs = (b"PUB %b %d\r\n%b\r\n" % (name, len(text), text) for name, text in ticks)
        self._socket.sendall(b"".join(pubs))
        try:
            said = self._socket.recv(65536, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        if b"PING\r\n" in said:
            self._socket.sendall(b"PONG\r\n")
        if b"-ERR" in said or not said:
            raise BenchError(f"nats-server: {said!r}")


class Redis:
    """PUBLISH commands in one pipeline; all answers are read."""

    def __init__(self, port: int) -> None:
        self._socket = _connect(port)

    def send(self, ticks: list[Tick]) -> None:
        self._socket.sendall(
            b"".join(
                b"*3\r\n$7\r\nPUBLISH\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n"
                % (len(name), name, len(text), text)
                for name, text in ticks
            )
        )
        answers = 0
        while answers < len(ticks):
            said = self._socket.recv(65536)
            if not said or b"-" in said:
                raise BenchError(f"redis-server: {said!r}")
            answers += said.count(b"\n")


class Centrifugo:
    """The HTTP API's batch command."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=ANSWER_TIMEOUT)

    def send(self, ticks: list[Tick]) -> None:
        commands = ",".join(
            f'{{"publish":{{"channel":"{name.decode()}","data":{text.decode()}}}}}'
            for name, text in ticks
        )
        self._connection.request(
            "POST",
            "/api/batch",
            f'{{"commands":[{commands}]}}',
            {"Content-Type": "application/json"},
        )
        answer = json.loads(self._connection.getresponse().read())
        if "error" in answer or any("error" in reply for reply in answer["replies"]):
            raise BenchError(f"Centrifugo: {answer}")

    def close(self) -> None:
        self._connection.close()


def _connect(port: int) -> socket.socket:
    made = socket.create_connection(("127.0.0.1", port), ANSWER_TIMEOUT)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


SINKS: dict[str, Callable[[int], Sink]] = {
    "lines": Lines,
    "websocket": WebSocket,
    "nats": Nats,
    "redis": Redis,
    "centrifugo": Centrifugo,
}

"""Many clients of one gateway in a process of their own, which read and forget."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

UPGRADE = (
    b"GET /stream HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Protocol: ticker.v1.json\r\n\r\n"
)


def frame(message: object) -> bytes:
    """A masked text frame; the mask is zero."""
    payload = msgspec.json.encode(message)
    size = len(payload)
    head = bytes([0x81, 0x80 | size]) if size < 126 else b"\x81\xfe" + size.to_bytes(2, "big")
    return head + bytes(4) + payload


def say(port: int, messages: Sequence[Sequence[object]]) -> list[socket.socket]:
    """A connection for each list of messages, which it has sent without waiting for answers."""
    found = []
    for number in range(len(messages)):
        client = socket.socket()
        client.bind((f"127.0.0.{2 + number // 20_000}", 0))
        client.connect(("127.0.0.1", port))
        client.sendall(UPGRADE)
        found.append(client)
    for client, each in zip(found, messages, strict=True):
        assert client.recv(4096).startswith(b"HTTP/1.1 101")
        client.sendall(b"".join(frame(message) for message in each))
        client.setblocking(False)
    return found


def read_and_forget(clients: list[socket.socket]) -> None:
    poll = select.epoll()
    for client in clients:
        poll.register(client.fileno(), select.EPOLLIN)
    while True:
        for number, _ in poll.poll():
            with contextlib.suppress(BlockingIOError):
                if not os.read(number, 1 << 17):
                    poll.unregister(number)


@contextlib.contextmanager
def crowd(port: int, messages: Sequence[Sequence[object]]) -> Iterator[int]:
    """The clients, until the end of the block."""
    pid = os.fork()
    if not pid:
        try:
            read_and_forget(say(port, messages))
        finally:
            os._exit(1)
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def cpu_seconds(pid: int) -> float:
    """What a process has used so far."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def until(condition: Callable[[], object], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)

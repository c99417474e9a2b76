"""Many watchers read by one thread, and how old new trades are when they arrive."""

from __future__ import annotations

import json
import select
import socket
import struct
import threading
import time
from datetime import datetime
from functools import partial

from tests.load.server import until
from tests.load.watcher import frame, next_frame

# SO_TIMESTAMPNS: the kernel notes each arrival, so the reading thread adds no latency.
TIME_OF_ARRIVAL = 35


class Watchers:
    """Clients on sockets of their own, of which every tenth notes how old new trades are when they
    arrive. A thread reads all of them, whatever the test does meanwhile."""

    def __init__(self, where: str, count: int, symbols: tuple[str, ...]) -> None:
        self.symbols = symbols
        host, _, port = where.removeprefix("http://").rstrip("/").partition(":")
        self.sockets = {
            each.fileno(): each for each in (self._open((host, int(port))) for _ in range(count))
        }
        self.buffers = {fd: bytearray() for fd in self.sockets}
        self.updates = dict.fromkeys(self.buffers, 0)
        self.sampled = set(list(self.buffers)[::10])
        self.ages: list[float] = []
        self.newest: dict[tuple[int, str], float] = {}
        self.cut = 0
        self.poll = select.epoll()
        for each in self.sockets.values():
            each.setblocking(False)
            self.poll.register(each, select.EPOLLIN)
        self.closed = threading.Event()
        self.thread = threading.Thread(target=self._read_all)
        self.thread.start()

    def _open(self, address: tuple[str, int]) -> socket.socket:
        client = socket.create_connection(address, 30)
        client.sendall(
            b"GET /stream HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
            b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += client.recv(1)
        assert head.startswith(b"HTTP/1.1 101"), head
        client.setsockopt(socket.SOL_SOCKET, TIME_OF_ARRIVAL, 1)
        command = {"action": "subscribe", "symbols": self.symbols}
        client.sendall(frame(json.dumps(command).encode(), 1))
        return client

    def _read_all(self) -> None:
        while not self.closed.is_set():
            for fd, _ in self.poll.poll(0.02):
                self._read(fd)

    def _read(self, fd: int) -> None:
        try:
            data, told, _, _ = self.sockets[fd].recvmsg(1 << 16, 64)
        except ConnectionResetError:
            data, told = b"", []
        if not data:
            self.cut += 1
            self.poll.unregister(fd)
            return
        buffer = self.buffers[fd]
        buffer += data
        at = 0
        while (found := next_frame(buffer, at)) is not None:
            opcode, start, at = found
            if opcode == 8:
                self.cut += 1
            elif opcode == 9:
                self.sockets[fd].send(frame(bytes(buffer[start:at]), 10))
            elif opcode == 1:
                self._message(fd, bytes(buffer[start:at]), told)
        del buffer[:at]

    def _message(self, fd: int, text: bytes, told: list[tuple[int, int, bytes]]) -> None:
        self.updates[fd] += 1
        if fd in self.sampled:
            message = json.loads(text)
            if message["type"] == "update":
                sent = datetime.fromisoformat(message["timestamp"]).timestamp()
                # The same time again is a price of another venue, after one has gone: no new trade.
                if sent > self.newest.get((fd, message["symbol"]), 0.0):
                    self.newest[fd, message["symbol"]] = sent
                    self.ages.append(arrival(told) - sent)

    def all_had_more(self, than: dict[int, int], by: int) -> bool:
        return all(self.updates[fd] >= before + by for fd, before in than.items())

    def close(self) -> None:
        self.closed.set()
        self.thread.join()
        self.poll.close()
        for each in self.sockets.values():
            each.close()


def arrival(told: list[tuple[int, int, bytes]]) -> float:
    """When the kernel had the bytes, s since the epoch; it does not always say, then it is now."""
    if not told:
        return time.time()
    seconds, nanoseconds = struct.unpack("qq", told[0][2])
    return float(seconds + nanoseconds / 1e9)


def had_more(watchers: Watchers, updates: int) -> None:
    """Wait until each has had so many."""
    until(partial(watchers.all_had_more, dict(watchers.updates), updates), 120)

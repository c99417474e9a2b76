"""A simulated exchange as its listeners have it: lines that were joined, and what came on them."""

from __future__ import annotations

import contextlib
import random
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from ticker.simulate.exchange import Exchange, Settings

LOOPBACK = "127.0.0.1"
END_OF_SESSION = 0xFFFF
LENGTHS = dict(zip(b"SRHYLVWKJhAFECXDUPQBIN", [12, 39, 25, 20, 26, 35, 12, 28, 35, 21, 36, 40, 31,
               36, 23, 19, 35, 44, 40, 19, 50, 20], strict=True)) | {ord("O"): 48}  # fmt: skip


def join() -> socket.socket:
    """A receiver of a multicast group and port that nobody else here uses."""
    group = f"239.192.{random.randrange(16, 250)}.{random.randrange(1, 250)}"
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    receiver.bind((group, 0))
    receiver.setsockopt(
        socket.IPPROTO_IP,
        socket.IP_ADD_MEMBERSHIP,
        socket.inet_aton(group) + socket.inet_aton(LOOPBACK),
    )
    receiver.setblocking(False)
    return receiver


class Line:
    """What came in on one line (or as answers to requests): messages by sequence."""

    def __init__(self, receiver: socket.socket) -> None:
        self.socket = receiver
        self.messages: dict[int, bytes] = {}
        self.sequences: list[int] = []
        self.heartbeats: list[int] = []
        self.ends: list[int] = []
        self.session: bytes | None = None
        self.others: list[bytes] = []  # packets of another session

    def read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                self.take(self.socket.recv(2048))

    def take(self, packet: bytes) -> None:
        session, sequence, count = struct.unpack_from(">10sQH", packet)
        if self.session not in (None, session):
            self.others.append(packet)
            return
        self.session = session
        if count in (0, END_OF_SESSION):
            assert len(packet) == 20
            (self.ends if count else self.heartbeats).append(sequence)
            return
        assert len(packet) <= 20 + 1400
        self.sequences.append(sequence)
        at = 20
        for offset in range(count):
            size = packet[at] << 8 | packet[at + 1]
            message = packet[at + 2 : at + 2 + size]
            assert LENGTHS[message[0]] == len(message)
            self.messages[sequence + offset] = message
            at += 2 + size
        assert at == len(packet)


def wait_for(lines: list[Line], condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Read the lines until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        select.select([line.socket for line in lines], [], [], 0.05)
        for line in lines:
            line.read()


class Running:
    """An exchange that runs in a thread of its own, and who listens to it."""

    def __init__(self, lines: int = 2, linger: float = 0.0, **settings: Any) -> None:
        self.lines = [Line(join()) for _ in range(lines)]
        self.answers = Line(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self.answers.socket.setblocking(False)
        values: dict[str, Any] = {"symbols": 20, "rate": 20_000.0, "history": 4 << 20} | settings
        addresses = tuple(line.socket.getsockname() for line in self.lines)
        self.exchange = Exchange(Settings(lines=addresses, rerequest=(LOOPBACK, 0), **values))
        self.stop = threading.Event()
        self.thread = threading.Thread(
            target=lambda: self.exchange.run(self.stop.is_set, linger=linger)
        )

    def __enter__(self) -> Running:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.finish()
        self.exchange.close()
        for line in [*self.lines, self.answers]:
            line.socket.close()

    def finish(self) -> None:
        self.stop.set()
        while self.thread.is_alive():
            self.thread.join(0.02)
            for line in self.lines:
                line.read()
        for line in self.lines:
            line.read()

    def request(self, sequence: int, count: int, session: bytes | None = None) -> None:
        packet = struct.pack(">10sQH", session or self.exchange.session, sequence, count)
        assert self.exchange.rerequest is not None
        self.answers.socket.sendto(packet, self.exchange.rerequest)


def gaps(messages: dict[int, bytes], last: int) -> Iterator[tuple[int, int]]:
    """(first, count) of each run of missing sequences up to `last`."""
    expected = 1
    for sequence in [*sorted(found for found in messages if found <= last), last + 1]:
        if sequence > expected:
            yield expected, sequence - expected
        expected = sequence + 1

"""Clients of vendors' dialects, on bare sockets."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from tests.gateway.conftest import Client, Rig

E9 = 10**9
TRADE, QUOTE, CANCELLED, CORRECTED = 1, 3, 6, 7
EXTENDED, SETS_LAST = 128, 1
Speak = Callable[..., "Spoken"]


class Spoken(Client):
    """A client at a vendor's path; `receive` gives one message of the arrays that come."""

    def __init__(self, port: int, path: str, *headers: str) -> None:
        request = Client.request(*headers).replace(b"GET /stream ", f"GET {path} ".encode())
        packed = any("msgpack" in header for header in headers)
        super().__init__(port, handshake=False, first=request)
        self.protocol = "msgpack" if packed else ""
        self.head = self.read_until(b"\r\n\r\n")
        self.waiting: list[Any] = []

    def receive(self) -> Any:
        while not self.waiting:
            self.waiting = super().receive()
        return self.waiting.pop(0)

    def pack(self, message: object) -> None:
        self.socket.sendall(self.frame(msgspec.msgpack.encode(message), 2))

    def sees(self, **expected: object) -> Any:
        """The next message, which has these members."""
        found = self.receive()
        assert {name: found.get(name) for name in expected} == expected, found
        return found

    def code(self) -> int:
        found = self.receive()
        assert found["T"] == "error", found
        return int(found["code"])


@pytest.fixture
def speak(rig: Rig) -> Iterator[Speak]:
    """speak(path, *headers) -> Spoken at the rig's gateway; all are closed at the end."""
    clients: list[Spoken] = []

    def make(path: str, *headers: str) -> Spoken:
        clients.append(Spoken(rig.port, path, *headers))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


def sell(rig: Rig, row: int, price: int, time_ns: int, *, match: int = 0, flags: int = 1) -> None:
    """One trade with all that a record can say, as a feed worker publishes it."""
    seq = rig.seq[row] = rig.seq.get(row, 0) + 1
    rig.table.put(row, price=price, size=100, exchange_time=time_ns, publish_time=time_ns, seq=seq)
    ring = rig.rings[row % len(rig.rings)]
    ring.put(row, TRADE, price, 100, time_ns, match, time_ns, seq, flags)
    rig.ringer.ring_from_python()


def change(rig: Rig, row: int, kind: int, match: int, price: int, size: int, new: int = 0) -> int:
    """A cancel or a correction of a print; its time."""
    now = time.time_ns()
    ring = rig.rings[row % len(rig.rings)]
    ring.put(row, kind, price, size, now, match, now, new or match, SETS_LAST)
    rig.ringer.ring_from_python()
    return now

"""What the tests of feeds share: ITCH messages made by struct, and a market to feed them to."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import pytest

from ticker.feeds.market import Market
from ticker.feeds.protocols.itch50 import Itch50
from ticker.shm.counters import Counters
from ticker.shm.header import Mapping
from ticker.shm.ring import RingReader
from ticker.shm.segment import Geometry, private_feed
from ticker.shm.table import PriceTable

E5 = 100_000
"""1e-9 units in one of ITCH's 1e-4."""


class Itch:
    """Messages of ITCH 5.0, field by field as section 1 of the specification lists them."""

    def head(self, kind: str, locate: int, time: int) -> bytes:
        return struct.pack(">cHH", kind.encode(), locate, 0) + time.to_bytes(6, "big")

    def system(self, code: str, time: int = 0) -> bytes:
        return self.head("S", 0, time) + code.encode()

    def directory(self, locate: int, symbol: str, test: bool = False, time: int = 0) -> bytes:
        rest = struct.pack(
            ">8sccIcc2scccccIc",
            symbol.ljust(8).encode(),
            b"Q",
            b"N",
            100,
            b"N",
            b"C",
            b"Z ",
            b"T" if test else b"P",
            b"N",
            b"N",
            b"1",
            b"N",
            0,
            b"N",
        )
        return self.head("R", locate, time) + rest

    def action(self, locate: int, symbol: str, state: str, time: int = 0) -> bytes:
        return self.head("H", locate, time) + f"{symbol:8}{state} T1  ".encode()[:14]

    def halt(self, locate: int, symbol: str, market: str, action: str, time: int = 0) -> bytes:
        return self.head("h", locate, time) + f"{symbol:8}{market}{action}".encode()

    def add(
        self,
        locate: int,
        ref: int,
        side: str,
        size: int,
        price: int,
        symbol: str = "AAPL",
        time: int = 0,
        mpid: str = "",
    ) -> bytes:
        rest = struct.pack(">QcI8sI", ref, side.encode(), size, symbol.ljust(8).encode(), price)
        return self.head("F" if mpid else "A", locate, time) + rest + mpid.encode()

    def execute(self, locate: int, ref: int, size: int, match: int, time: int = 0) -> bytes:
        return self.head("E", locate, time) + struct.pack(">QIQ", ref, size, match)

    def execute_at(
        self,
        locate: int,
        ref: int,
        size: int,
        match: int,
        price: int,
        printable: bool = True,
        time: int = 0,
    ) -> bytes:
        rest = struct.pack(">QIQcI", ref, size, match, b"Y" if printable else b"N", price)
        return self.head("C", locate, time) + rest

    def cancel(self, locate: int, ref: int, size: int, time: int = 0) -> bytes:
        return self.head("X", locate, time) + struct.pack(">QI", ref, size)

    def delete(self, locate: int, ref: int, time: int = 0) -> bytes:
        return self.head("D", locate, time) + struct.pack(">Q", ref)

    def replace(
        self, locate: int, ref: int, new: int, size: int, price: int, time: int = 0
    ) -> bytes:
        return self.head("U", locate, time) + struct.pack(">QQII", ref, new, size, price)

    def trade(
        self, locate: int, size: int, price: int, match: int, symbol: str = "AAPL", time: int = 0
    ) -> bytes:
        rest = struct.pack(">QcI8sIQ", 0, b"B", size, symbol.ljust(8).encode(), price, match)
        return self.head("P", locate, time) + rest

    def cross(
        self,
        locate: int,
        size: int,
        price: int,
        match: int,
        symbol: str = "AAPL",
        time: int = 0,
        kind: str = "O",
    ) -> bytes:
        rest = struct.pack(">Q8sIQc", size, symbol.ljust(8).encode(), price, match, kind.encode())
        return self.head("Q", locate, time) + rest

    def broken(self, locate: int, match: int, time: int = 0) -> bytes:
        return self.head("B", locate, time) + struct.pack(">Q", match)


class Feed:
    """A market in private memory with its decoder: messages in, rows and records out."""

    def __init__(self, mapping: Mapping | None = None, **options: Any) -> None:
        geometry = options.pop("geometry", Geometry(rows=64, rings=2, ring_capacity=16_384))
        self.mapping = mapping or private_feed(geometry, 1, 1)
        self.market = Market(self.mapping, **{"venue": "XNAS", **options})
        self.decoder = Itch50(self.market)
        self.table = PriceTable(self.mapping)
        self.readers = [RingReader(self.mapping, index) for index in range(self.mapping.ring_count)]
        self.now = 0

    def send(self, *messages: bytes, flush: bool = True) -> None:
        for message in messages:
            self.decoder.decode(message, self.now)
        if flush:
            self.now += 1
            self.market.publish(self.now)

    def row(self, symbol: str = "AAPL") -> dict[str, int]:
        for row in range(len(self.table)):
            if self.table.symbol(row) == symbol:
                values = self.table.values(row)
                assert values is not None
                return values
        raise KeyError(symbol)

    def counter(self, name: str) -> int:
        return Counters(self.mapping)[name]

    def records(self) -> list[dict[str, int]]:
        """What all rings got since the last call, ring by ring."""
        return [record for reader in self.readers for record in reader.take(1 << 20)]


@pytest.fixture(scope="session")
def itch() -> Itch:
    return Itch()


@pytest.fixture(scope="session")
def make_feed() -> Callable[..., Feed]:
    """`make_feed(**options of Market)`."""
    return Feed

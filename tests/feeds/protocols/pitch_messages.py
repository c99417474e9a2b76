"""Messages of Cboe PITCH, made by struct, and a market to feed them to."""

from __future__ import annotations

import struct
from typing import Any

from tests.feeds.tables import row_of
from ticker.feeds.market.market import Market
from ticker.feeds.protocols.pitch import Pitch
from ticker.shm.counters import Counters
from ticker.shm.ring import RingReader
from ticker.shm.segment import Geometry, private_feed
from ticker.shm.table import PriceTable

E9 = 1_000_000_000
CENT = 10_000_000
TRADING = 1


def message(kind: int, layout: str, *fields: int | bytes) -> bytes:
    """`layout` is of what follows length and type."""
    body = struct.pack("<" + layout, *fields)
    return bytes([2 + len(body), kind]) + body


def name(symbol: str, size: int) -> bytes:
    return symbol.encode().ljust(size)


class Speak:
    """Messages of PITCH 2.41, field by field."""

    def time(self, seconds: int) -> bytes:
        return message(0x20, "I", seconds)

    def add(self, order: int, side: str, size: int, cents: int, symbol: str = "AAPL") -> bytes:
        return message(0x22, "IQcH6sHB", 5, order, side.encode(), size, name(symbol, 6), cents, 1)

    def add_long(self, order: int, side: str, size: int, price: int, symbol: str) -> bytes:
        return message(0x21, "IQcI6sQB", 5, order, side.encode(), size, name(symbol, 6), price, 1)

    def add_expanded(self, order: int, side: str, size: int, price: int, symbol: str) -> bytes:
        return message(
            0x2F, "IQcI8sQB4sB", 5, order, side.encode(), size, name(symbol, 8), price, 1,
            b"MPID", 32,
        )  # fmt: skip

    def execute(self, order: int, size: int, execution: int, offset: int = 5) -> bytes:
        return message(0x23, "IQIQ", offset, order, size, execution)

    def execute_at(self, order: int, size: int, left: int, execution: int, price: int) -> bytes:
        return message(0x24, "IQIIQQ", 5, order, size, left, execution, price)

    def reduce_long(self, order: int, size: int) -> bytes:
        return message(0x25, "IQI", 5, order, size)

    def reduce(self, order: int, size: int) -> bytes:
        return message(0x26, "IQH", 5, order, size)

    def modify_long(self, order: int, size: int, price: int) -> bytes:
        return message(0x27, "IQIQB", 5, order, size, price, 1)

    def modify(self, order: int, size: int, cents: int) -> bytes:
        return message(0x28, "IQHHB", 5, order, size, cents, 1)

    def delete(self, order: int) -> bytes:
        return message(0x29, "IQ", 5, order)

    def trade_long(self, size: int, price: int, execution: int, symbol: str = "AAPL") -> bytes:
        return message(0x2A, "IQcI6sQQ", 5, 0, b"B", size, name(symbol, 6), price, execution)

    def trade(self, size: int, cents: int, execution: int, symbol: str = "AAPL") -> bytes:
        return message(0x2B, "IQcH6sHQ", 5, 0, b"B", size, name(symbol, 6), cents, execution)

    def trade_expanded(self, size: int, price: int, execution: int, symbol: str) -> bytes:
        return message(0x30, "IQcI8sQQ", 5, 0, b"B", size, name(symbol, 8), price, execution)

    def broken(self, execution: int) -> bytes:
        return message(0x2C, "IQ", 5, execution)

    def end(self) -> bytes:
        return message(0x2D, "I", 5)

    def status(self, symbol: str, state: str) -> bytes:
        return message(0x31, "I8sc1s2s", 5, name(symbol, 8), state.encode(), b"0", b"  ")

    def auction_update(self, symbol: str) -> bytes:
        return message(0x95, "I8scQIIQQ", 5, name(symbol, 8), b"O", 1, 2, 3, 4, 5)

    def auction_summary(self, symbol: str, price: int, size: int, kind: str = "O") -> bytes:
        return message(0x96, "I8scQI", 5, name(symbol, 8), kind.encode(), price, size)

    def unit_clear(self) -> bytes:
        return message(0x97, "I", 5)

    def retail(self, symbol: str) -> bytes:
        return message(0x98, "I8sc", 5, name(symbol, 8), b"B")


say = Speak()


class Feed:
    """A market in private memory with its decoder: messages in, rows and records out."""

    def __init__(self, **options: Any) -> None:
        self.mapping = private_feed(Geometry(64, 1, 4096), 1, 1)
        self.market = Market(self.mapping, venue="BATS", **options)
        self.decoder = Pitch(self.market)
        self.decoder.unit = 1
        self.table = PriceTable(self.mapping)
        self.reader = RingReader(self.mapping, 0)
        self.now = 1_000 * E9

    def send(self, *messages: bytes, unit: int = 1) -> None:
        self.decoder.unit = unit
        for each in messages:
            self.decoder.decode(each, self.now)
        self.now += 1
        self.market.publish(self.now)

    def row(self, symbol: str = "AAPL") -> dict[str, int]:
        return row_of(self.table, symbol)

    def __getitem__(self, counter: str) -> int:
        return Counters(self.mapping)[counter]

    def bids(self, symbol: str = "AAPL") -> list[tuple[int, int]]:
        return self.market.depth(symbol, 0)

    def asks(self, symbol: str = "AAPL") -> list[tuple[int, int]]:
        return self.market.depth(symbol, 1)

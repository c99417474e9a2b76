"""A feed of the tests' own making: rows and rings as a publisher writes them, without a market."""

from __future__ import annotations

from typing import Any

from ticker.shm.counters import Counters, Heartbeat
from ticker.shm.header import Mapping
from ticker.shm.layout import RecordKind, RowFlag
from ticker.shm.ring import RingWriter
from ticker.shm.segment import Geometry, private_feed
from ticker.shm.table import PriceTable, TableWriter

START = 1_800_000_000_000_000_000
US = 1_000
GEOMETRY = Geometry(rows=64, rings=2, ring_capacity=4096)
LAST = RowFlag.ROW_HAS_LAST | RowFlag.ROW_HAS_HIGH_LOW
QUOTED = RowFlag.ROW_HAS_BID | RowFlag.ROW_HAS_ASK


class Source:
    """One writer of a feed's segment. Rows go to the ring that their number says."""

    def __init__(self, boot: int = 7, geometry: Geometry = GEOMETRY) -> None:
        self.mapping = private_feed(geometry, boot, START)
        self.table = TableWriter(self.mapping)
        self.rings = [RingWriter(self.mapping, ring) for ring in range(geometry.rings)]
        self.heartbeat = Heartbeat(self.mapping)
        self.heartbeat.take_over(1, START)
        self.now = START

    def add(self, symbol: str, venue: str = "XNAS", **more: Any) -> int:
        return self.table.add(symbol, venue, **more)

    def values(self, row: int) -> dict[str, int]:
        found = self.table.values(row)
        assert found is not None
        return found

    def trade(
        self, row: int, price: int, size: int = 100, *, told: bool = True, match: int = 0
    ) -> None:
        """A last sale; `told`: with its record. `match`: the venue's number of it."""
        self.now += 50 * US
        before = self.values(row)
        seq = before["seq"] + 1
        self.table.put(
            row,
            price=price,
            size=size,
            volume=before["volume"] + size,
            trades=before["trades"] + 1,
            seq=seq,
            high=max(before["high"], price),
            low=min(before["low"] or price, price),
            exchange_time=self.now,
            receive_time=self.now + 1,
            publish_time=self.now + 2,
            flags=before["flags"] | LAST,
        )
        if told:
            self.record_trade(row, price, seq=seq, size=size, match=match)

    def record_trade(
        self, row: int, price: int, *, seq: int, size: int = 100, match: int = 0
    ) -> None:
        """Only the record of a last sale that the row has."""
        self._record(
            row, RecordKind.RECORD_TRADE, price=price, size=size, match=match or seq, seq=seq,
            conditions=31,
        )  # fmt: skip

    def quote(self, row: int, bid: int, ask: int) -> None:
        self.now += 50 * US
        before = self.values(row)
        self.table.put(
            row,
            bid=bid,
            ask=ask,
            bid_size=before["quotes"] + 1,
            ask_size=7,
            quotes=before["quotes"] + 1,
            quote_time=self.now,
            publish_time=self.now + 2,
            flags=before["flags"] | QUOTED,
        )
        self._record(
            row, RecordKind.RECORD_QUOTE, price=bid, size=before["quotes"] + 1, match=ask, seq=7,
            conditions=3,
        )  # fmt: skip

    def correct(self, row: int, price: int) -> None:
        """A break: the last sale becomes another one, which is older."""
        self.now += 50 * US
        before = self.values(row)
        if before["volume"] < 100 or not before["trades"]:
            return
        self.table.put(
            row,
            price=price,
            volume=before["volume"] - 100,
            trades=before["trades"] - 1,
            exchange_time=before["exchange_time"] - 10,
            corrections=before["corrections"] + 1,
            correction_time=self.now,
            publish_time=self.now + 2,
            flags=before["flags"],
        )
        self._record(row, RecordKind.RECORD_CANCELLED, match=before["seq"], seq=before["seq"])
        self._record(row, RecordKind.RECORD_CORRECTION, seq=before["seq"])

    def _record(self, row: int, kind: int, **more: int) -> None:
        ring = self.rings[row % len(self.rings)]
        ring.put(row, kind, exchange_time=self.now, publish_time=self.now + 2, **more)


def rows_of(mapping: Mapping) -> dict[tuple[str, str], tuple[Any, ...]]:
    """All of a segment's rows by symbol and venue: scales, and every word."""
    table = PriceTable(mapping)
    return {
        (table.symbol(row), table.venue(row)): (
            table.currency(row),
            table.size_exponent(row),
            table.instrument_key(row),
            table.values(row),
        )
        for row in range(len(table))
    }


def count(mapping: Mapping, name: str) -> int:
    return Counters(mapping)[name]

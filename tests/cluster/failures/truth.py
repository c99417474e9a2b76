"""What an exchange has traded, read from the rings of a box that no fault touches; and whether what
clients were told is of it.

A trade that is broken takes totals back, and gives a seq the price of a trade before. So both are
right for a symbol that had a break, and for no other; and every price is one that was traded.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from tests.cluster.servers import Box
from tests.load.witness import Ledger, Told
from ticker.shm.layout import RecordKind
from ticker.shm.ring import RingReader
from ticker.shm.table import PriceTable

UNIT = 1e9
PATIENCE = 3.0
"""s until the box of the truth has heard what all have heard."""
TRADES = (RecordKind.RECORD_TRADE, RecordKind.RECORD_PRINT)
BREAKS = (RecordKind.RECORD_CANCELLED, RecordKind.RECORD_CORRECTED)


class Truth:
    """From the beginning of the box's rings on.

    Attributes:
        traded: prices, by symbol.
        broken: symbols of which a trade was taken back or corrected.
    """

    def __init__(self, box: Box, feed: str) -> None:
        mapping = box.feed(feed)
        self.table = PriceTable(mapping)
        self.readers = [RingReader(mapping, ring) for ring in range(mapping.ring_count)]
        self.traded: dict[str, set[float]] = {}
        self.broken: set[str] = set()
        for row in range(len(self.table)):
            values = self.table.values(row)
            if values is not None:
                self._trade(row, values["price"])

    def read(self) -> None:
        """All that there is by now."""
        for reader in self.readers:
            while records := reader.take(10_000):
                for record in records:
                    if record["kind"] in TRADES:
                        self._trade(record["row"], record["price"])
                    elif record["kind"] in BREAKS:
                        self.broken.add(self.table.symbol(record["row"]))
            assert reader.laps == 0, "this process was too slow to know what was traded"

    def _trade(self, row: int, price: int) -> None:
        self.traded.setdefault(self.table.symbol(row), set()).add(price / UNIT)


@dataclass
class Claims(Ledger):
    """What is right only if the truth says so, at once or soon: the box of the truth may hear of a
    trade later than clients. `doubted`: (since when, symbol, price that is to be traded or None,
    what was seen)."""

    doubted: list[tuple[float, str, float | None, str]] = field(default_factory=list)

    def take(self, told: Told) -> str:
        if told.price is not None:
            what = f"never traded: {told}"
            self.doubted.append((time.monotonic(), told.symbol, told.price, what))
        if wrong := super().take(told):
            self.doubt(told.symbol, wrong)
        return ""

    def doubt(self, symbol: str, what: str) -> None:
        """It is right only after a break."""
        self.doubted.append((time.monotonic(), symbol, None, what))

    def settle(self, truth: Truth) -> None:
        truth.read()
        doubted, self.doubted, now = self.doubted, [], time.monotonic()
        for doubt in doubted:
            since, symbol, price, what = doubt
            if symbol in truth.broken if price is None else price in truth.traded[symbol]:
                continue
            if now - since < PATIENCE:
                self.doubted.append(doubt)
            else:
                self.violations.append(what)

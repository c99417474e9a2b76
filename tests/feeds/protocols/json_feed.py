"""A market behind a mapping: texts in, rows out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ticker import units
from ticker.config.filter import FilterConfig
from ticker.feeds.json.mapping import Mapping
from ticker.feeds.market.filter import PLAIN
from ticker.feeds.market.market import Market
from ticker.feeds.protocols.json import Json
from ticker.feeds.workers.mappings import load_mapping
from ticker.shm.counters import Counters
from ticker.shm.segment import Geometry, private_feed
from ticker.shm.table import PriceTable

E6 = 10**6
"""What one share is in rows of Polygon, whose sizes have six decimals."""
E8 = 10**8


class JsonFeed:
    """A market behind a mapping: texts in, rows out."""

    def __init__(
        self, mapping: str | Mapping, *, raw: bool = False, rules: FilterConfig = PLAIN
    ) -> None:
        loaded = load_mapping(mapping) if isinstance(mapping, str) else mapping
        self.segment = private_feed(Geometry(rows=64, rings=1, ring_capacity=1 << 14), 1, 1)
        self.market = Market(self.segment, raw=raw, size_exponent=loaded.size_decimals, rules=rules)
        self.protocol = Json(self.market, mapping=loaded)
        self.table = PriceTable(self.segment)
        self.now = 1_700_000_000_000_000_000

    def send(self, *texts: bytes | str | Any) -> None:
        for text in texts:
            if not isinstance(text, (bytes, str)):
                text = json.dumps(text)
            self.protocol.decode(text if isinstance(text, bytes) else text.encode(), self.now)
        self.market.publish(self.now)

    def row(self, symbol: str) -> dict[str, int]:
        return dict(self.rows())[symbol]

    def rows(self) -> Iterator[tuple[str, dict[str, int]]]:
        for row in range(len(self.table)):
            values = self.table.values(row)
            assert values is not None
            yield self.table.symbol(row), values

    def counter(self, name: str) -> int:
        return Counters(self.segment)[name]

    def reasons(self) -> dict[tuple[str, str], int]:
        return {(skip.rule, skip.reason): skip.times for skip in self.protocol.skipped()}


def price(text: str) -> int:
    return units.parse_price(text)


def ns(text: str) -> int:
    return units.parse_timestamp(text)

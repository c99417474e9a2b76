"""A market in private memory with the FIX decoder, for tests that write messages with `|`."""

from __future__ import annotations

from tests.feeds.tables import row_of
from ticker.config.filter import FilterConfig
from ticker.feeds.fix.values import timestamp
from ticker.feeds.market.filter import PLAIN
from ticker.feeds.market.market import Market
from ticker.feeds.protocols.fix import FixMarketData
from ticker.shm.counters import Counters
from ticker.shm.segment import Geometry, private_feed
from ticker.shm.table import PriceTable

UNIT = 1_000_000_000
SENT = b"20260102-14:30:00.250"
HEAD = "34=2|49=V|52=20260102-14:30:00.250|56=T|"


class Feed:
    """A market with its decoder."""

    def __init__(
        self,
        size_exponent: int = 0,
        depth: int = 0,
        price_decimals: int | None = None,
        symbology: str = "none",
        rows: int = 16,
        midnight: int = 0,
        rules: FilterConfig = PLAIN,
    ) -> None:
        self.mapping = private_feed(Geometry(rows=rows, rings=1, ring_capacity=1024), 1, 1)
        self.market = Market(
            self.mapping,
            venue="XXXX",
            size_exponent=size_exponent,
            symbology=symbology,
            rules=rules,
        )
        self.decoder = FixMarketData(
            self.market, depth=depth, price_decimals=price_decimals, midnight_ns=midnight
        )
        self.table = PriceTable(self.mapping)

    def send(self, text: str, head: str = HEAD) -> None:
        kind, _, rest = text.partition("|")
        self.decode(f"35={kind}|{head}{rest}|".replace("|", "\x01").encode())

    def decode(self, body: bytes) -> None:
        self.decoder.decode(body, timestamp(SENT))
        self.market.publish(timestamp(SENT))

    def row(self, symbol: str = "S") -> dict[str, int]:
        return row_of(self.table, symbol)

    @property
    def symbols(self) -> list[str]:
        return [self.table.symbol(row) for row in range(len(self.table))]

    def top(self, symbol: str = "S") -> tuple[int, int, int, int]:
        row = self.row(symbol)
        return row["bid"], row["bid_size"], row["ask"], row["ask_size"]

    def bids(self, symbol: str = "S") -> list[tuple[float, int]]:
        return [(price / UNIT, size) for price, size in self.market.depth(symbol, 0)]

    def asks(self, symbol: str = "S") -> list[tuple[float, int]]:
        return [(price / UNIT, size) for price, size in self.market.depth(symbol, 1)]

    def counter(self, name: str) -> int:
        return Counters(self.mapping)[name]

    def doubted(self) -> bool:
        """Whether a snapshot is wanted; asking ends it."""
        doubtful = self.decoder.group.doubtful
        self.decoder.group.doubtful = False
        return doubtful

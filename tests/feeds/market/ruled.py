"""A market with a filter's rules, and one instrument to sell."""

from __future__ import annotations

from typing import Any

from ticker.feeds import calls
from ticker.feeds.calls import Calls
from ticker.shm.layout import RowFlag
from ticker.shm.rejects import RejectReader

SECOND = 1_000_000_000
NANO_DOLLAR = 1_000_000_000
REGULAR = calls.TRADE_REGULAR
NOON = 43_200 * SECOND
HOUR = 3_600


class Ruled:
    """A market with rules and one instrument: sales in dollars at seconds past noon."""

    def __init__(self, feed: Any) -> None:
        self.feed = feed
        self.calls = Calls(feed.market)
        self.instrument = self.calls.define(1, "A")
        self.number = 0

    def sale(
        self, price: float, at: float = 0, *, flags: int = REGULAR, late: float = 0, size: int = 10
    ) -> int:
        time = NOON + round(at * SECOND)
        self.number += 1
        self.calls.trade(
            self.instrument, round(price * NANO_DOLLAR), size, self.number, flags, time,
            time + round(late * SECOND),
        )  # fmt: skip
        return self.number

    def sales(self) -> tuple[float, int]:
        """The last price in dollars, and how many trades count."""
        self.feed.market.publish(0)
        row = self.feed.row("A")
        return row["price"] / NANO_DOLLAR, row["trades"]

    def quote(self, bid: float, ask: float) -> None:
        """The best bid and ask in dollars, 0: none; shown at once."""
        self.calls.set_quote(
            self.instrument, round(bid * NANO_DOLLAR), 100 if bid else 0,
            round(ask * NANO_DOLLAR), 100 if ask else 0, NOON,
        )  # fmt: skip
        self.feed.market.publish(0)

    def waiting(self) -> list[float]:
        """The prices in dollars that are held now, as another process sees them."""
        self.feed.market.publish(0)
        held = [each.price / NANO_DOLLAR for each in RejectReader(self.feed.mapping).held()]
        flags = self.feed.row("A")["flags"]
        assert (flags & RowFlag.ROW_HELD) // RowFlag.ROW_HELD_ONE == len(held)
        return held

    def rejects(self) -> list[tuple[str, str]]:
        return [(each.rule, each.detail) for each in self.feed.market.rejects()]

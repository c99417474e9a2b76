"""The books of a connection: each delta applied to the book that it goes on from."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from .messages import Delta, Depth, Level

Key = tuple[str, str]


@dataclass
class Sides:
    """A book as it is, sizes by price."""

    whole: Depth
    bids: dict[Decimal, Decimal]
    asks: dict[Decimal, Decimal]


class Books:
    """By venue and symbol."""

    def __init__(self) -> None:
        self.books: dict[Key, Sides | None] = {}

    def put(self, message: Depth) -> Depth:
        """A whole book, which replaces what there is."""
        self.books[_key(message)] = Sides(message, _sizes(message.bids), _sizes(message.asks))
        return message

    def apply(self, delta: Delta) -> Depth | None:
        """The whole book with a delta in it; None: it goes on from another one, and the book is
        no longer known."""
        found = self.books.get(_key(delta))
        if found is None or found.whole.seq != delta.previous_seq:
            self.books[_key(delta)] = None
            return None
        for side, levels in ((found.bids, delta.bids), (found.asks, delta.asks)):
            for price, size in ((level.price, level.size) for level in levels):
                side.pop(price, None)
                if size:
                    side[price] = size
        found.whole = Depth(
            symbol=delta.symbol,
            timestamp=delta.timestamp,
            seq=delta.seq,
            levels=found.whole.levels,
            venue=delta.venue,
            bids=[Level(price, found.bids[price]) for price in sorted(found.bids, reverse=True)],
            asks=[Level(price, found.asks[price]) for price in sorted(found.asks)],
        )
        return found.whole

    def waits(self, delta: Delta) -> bool:
        """Whether the book was asked for again."""
        return self.books.get(_key(delta), delta) is None

    def forget(self, venue: str, symbol: str) -> None:
        """Nobody watches it any more."""
        self.books.pop((venue, symbol), None)

    def clear(self) -> None:
        """The connection is a new one."""
        self.books.clear()


def _key(message: Depth | Delta) -> Key:
    return message.venue or "", message.symbol


def _sizes(levels: list[Level]) -> dict[Decimal, Decimal]:
    return {level.price: level.size for level in levels}

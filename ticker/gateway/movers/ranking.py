"""The symbols of a board that gain, lose or trade most.

Law: the board is ranked about once a second for all who ask, whatever they may see. No clock: the
time is passed in.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import NamedTuple

from ticker.gateway.prices.board import Board
from ticker.gateway.prices.movers import ranked
from ticker.gateway.prices.view import PriceView

INTERVAL_NS = 900_000_000
"""Between two rankings of the board, at least."""
MOST_MISFITS = 16
"""Symbols in a row that have turned since the ranking, or that never moved so."""
See = Callable[[str], bool]


class Ranked(NamedTuple):
    """A symbol in a list; prices in 1e-9 units. `base` is the price that its change is counted
    from, the previous close, else the day's open; None: there is neither."""

    view: PriceView
    price: int
    base: int | None


class Lists(NamedTuple):
    """The three lists, the first of each first."""

    gainers: list[Ranked]
    losers: list[Ranked]
    most_active: list[Ranked]


class Ranking:
    """The rankings of a board."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self.changes = array("I")
        self.volumes = array("I")
        self.ranked_at: int | None = None

    def is_due(self, now_ns: int) -> bool:
        """Whether the ranking is old: until then figures may be newer than the order."""
        return self.ranked_at is None or abs(now_ns - self.ranked_at) >= INTERVAL_NS

    def lists(self, limit: int, sees: See, now_ns: int) -> Lists:
        """Up to `limit` movers of each kind, of the symbols that a client sees."""
        if self.is_due(now_ns):
            self.changes, self.volumes = ranked(self.board)
            self.ranked_at = now_ns
        return Lists(
            self._of(self.changes, limit, sees, 1),
            self._of(reversed(self.changes), limit, sees, -1),
            self._of(self.volumes, limit, sees, 0),
        )

    def _of(self, numbers: Iterable[int], limit: int, sees: See, sign: int) -> list[Ranked]:
        """The first of these that a client sees; with a sign, only those that moved so."""
        found: list[Ranked] = []
        misfits = 0
        for number in numbers:
            if len(found) == limit or misfits == MOST_MISFITS:
                break
            symbol = self.board.name(number)
            view = self.board.price(symbol) if sees(symbol) else None
            if view is None or view.price is None:
                continue
            base = base_of(view)
            if sign and (base is None or (view.price - base) * sign <= 0):
                misfits += 1  # since the ranking; the others moved less, or the other way
                continue
            found.append(Ranked(view, view.price, base))
        return found


def base_of(view: PriceView) -> int | None:
    """The price that a change is counted from: the previous close, else the day's open."""
    base = view.open if view.previous_close is None else view.previous_close
    return base if base is not None and base > 0 else None


def percent(change: int, base: int) -> str:
    """A change in percent of `base`, above 0, with up to four decimals, half up."""
    rounded = Decimal((2 * change * 10**6 + base) // (2 * base)).scaleb(-4)
    return format(rounded.normalize(), "f")

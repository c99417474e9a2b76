"""Bars and days in the files of a store, written as the store worker writes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ticker.store.rows import Hole, Place
from ticker.store.sqlite import History

SECOND = 1_000_000_000
BEGUN = 1_790_000_000


def kept_bar(
    symbol: str, minute: int, *prices: int, venue: str = "XNAS", size: int = 100, exponent: int = 0
) -> Any:
    """The bar of the trades at these prices, a second after each other, `size` each."""
    first = minute * SECOND
    last = first + (len(prices) - 1) * SECOND
    volume = size * len(prices)
    return (
        symbol, venue, minute, prices[0], max(prices), min(prices), prices[-1], first, last,
        volume, size * sum(prices), len(prices), exponent, 0, True, False,
    )  # fmt: skip


def keep(
    folder: Path, bars: Iterable[Any], days: Sequence[Any] = (), holes: Sequence[Hole] = ()
) -> None:
    """Write them, and close the files."""
    history = History(folder)
    history.write("f", bars, days, holes, Place(1, BEGUN * SECOND, [0]))
    history.close()

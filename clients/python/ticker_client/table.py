"""Tables that are kept up to date: the newest quote of each symbol, or bars."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from .errors import TickerError
from .messages import Bar, Book, Depth, Lagged, LiveBar, Snapshot
from .watch import Watch


class Table:
    """Rows by symbol. `close()` ends it; so does the end of its client."""

    def __init__(self, watch: Watch[Snapshot]) -> None:
        self.rows: dict[str, Snapshot] = {}
        self._watch = watch
        self._changed = asyncio.Event()
        self._task = asyncio.ensure_future(self._follow())

    async def _follow(self) -> None:
        with suppress(TickerError):
            async for message in self._watch:
                self.rows[message.symbol] = message
                self._changed.set()

    async def changed(self) -> None:
        """Return once a row has changed since the last call."""
        await self._changed.wait()
        self._changed.clear()

    def df(self, kind: str = "pandas") -> Any:
        """A DataFrame of now, a row for each symbol; `kind` is "pandas" or "polars"."""
        return to_df(self.rows.values(), kind)

    def close(self) -> None:
        """Follow no longer."""
        self._watch.close()


class BarTable:
    """Bars by symbol and start, oldest first: those of the past, and each that has come since, as
    it is now. `close()` ends it; so does the end of its client."""

    def __init__(self, watch: Watch[LiveBar | Lagged]) -> None:
        self.rows: dict[tuple[str, datetime], Bar | LiveBar] = {}
        self.skipped = 0
        self._watch = watch
        self._changed = asyncio.Event()
        self._task = asyncio.ensure_future(self._follow())

    def begin(self, symbol: str, bars: Iterable[Bar]) -> None:
        """Put bars of the past in front; one that came live meanwhile stays."""
        for bar in bars:
            start = datetime.fromisoformat(bar.start)
            self.rows.setdefault((symbol, start.replace(tzinfo=start.tzinfo or UTC)), bar)
        self._changed.set()

    async def _follow(self) -> None:
        with suppress(TickerError):
            async for message in self._watch:
                if isinstance(message, Lagged):
                    self.skipped += message.skipped
                else:
                    self.rows[message.symbol, _start_of(message)] = message
                    self._changed.set()

    async def changed(self) -> None:
        """Return once a bar has changed since the last call."""
        await self._changed.wait()
        self._changed.clear()

    def df(self, kind: str = "pandas") -> Any:
        """A DataFrame of now, a row for each bar, by symbol and time; `kind` is "pandas" or
        "polars"."""
        rows = (
            {"symbol": symbol, "start": start, **_row(self.rows[symbol, start], FIGURES)}
            for symbol, start in sorted(self.rows)
        )
        return _frame(list(rows), kind)

    def close(self) -> None:
        """Follow no longer."""
        self._watch.close()


def _start_of(bar: LiveBar) -> datetime:
    """The start of a bar; of a day its date, as `bars()` has it: the one that has its noon."""
    if bar.interval != "1d":
        return bar.start
    noon = bar.start + timedelta(hours=12)
    return datetime(noon.year, noon.month, noon.day, tzinfo=UTC)


FIGURES = ("open", "high", "low", "close", "volume", "trades", "vwap", "revision", "complete")


def to_df(rows: Iterable[msgspec.Struct], kind: str = "pandas") -> Any:
    """A DataFrame of messages, bars or prices, a column for each field that any of them has. A book
    has a row for each of its levels, best first.

    Prices and sizes become floats; the rows themselves have them exact.

    Raises:
        ImportError: pandas, or polars, is not installed; the message says how.
    """
    listed: list[dict[str, Any]] = []
    for row in rows:
        listed += _levels(row) if isinstance(row, Depth | Book) else [_row(row)]
    return _frame(listed, kind)


def _frame(listed: list[dict[str, Any]], kind: str) -> Any:
    try:
        if kind == "polars":
            import polars

            return polars.DataFrame(listed, infer_schema_length=None)
        import pandas
    except ImportError:
        raise ImportError(f"{kind} is missing: pip install 'ticker-client[{kind}]'") from None
    return pandas.DataFrame(listed)


def _levels(book: Depth | Book) -> list[dict[str, Any]]:
    return [
        {
            "symbol": book.symbol,
            "side": side,
            "level": number,
            "price": float(level.price),
            "size": float(level.size),
        }
        for side, levels in (("bid", book.bids), ("ask", book.asks))
        for number, level in enumerate(levels, 1)
    ]


def _row(row: msgspec.Struct, names: Iterable[str] = ()) -> dict[str, Any]:
    found = {}
    for name in names or row.__struct_fields__:
        value = getattr(row, name)
        if value is not msgspec.UNSET:
            found[name] = float(value) if isinstance(value, Decimal) else value
    return found

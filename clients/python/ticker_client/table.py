"""A table that is kept up to date: the newest quote of each symbol, as rows or as a DataFrame."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from decimal import Decimal
from typing import Any

import msgspec

from ticker_client.errors import TickerError
from ticker_client.messages import Snapshot
from ticker_client.watch import Watch


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


def to_df(rows: Iterable[msgspec.Struct], kind: str = "pandas") -> Any:
    """A DataFrame of messages, bars or prices, a column for each field that any of them has.

    Prices and sizes become floats; the rows themselves have them exact.

    Raises:
        ImportError: pandas, or polars, is not installed; the message says how.
    """
    listed = [_row(row) for row in rows]
    try:
        if kind == "polars":
            import polars

            return polars.DataFrame(listed, infer_schema_length=None)
        import pandas
    except ImportError:
        raise ImportError(f"{kind} is missing: pip install 'ticker-client[{kind}]'") from None
    return pandas.DataFrame(listed)


def _row(row: msgspec.Struct) -> dict[str, Any]:
    found = {}
    for name in row.__struct_fields__:
        value = getattr(row, name)
        if value is not msgspec.UNSET:
            found[name] = float(value) if isinstance(value, Decimal) else value
    return found

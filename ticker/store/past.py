"""Days and minute bars read back, with the bars of several venues merged.

In: a Reader, which has the rows of an engine (sqlite.py, postgres.py), and a symbol. Out: rows as
dictionaries (rows.py). Owned by the caller, in any process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from ticker.config.store import StoreConfig, database_url
from ticker.errors import ConfigError
from ticker.store.reader import HistoryReader
from ticker.store.rows import (
    SECOND,
    Hole,
    Row,
    day_of_all,
    day_text,
    spanned,
    together,
)

Minutes = Callable[[str, str | None], Iterator[Row]]
"""The bars of a symbol, of one venue or of all."""


class Reader(Protocol):
    """The rows that an engine keeps. Each call blocks, and raises StoreError if it cannot read."""

    def minutes(self, begin: int | None, end: int) -> AbstractContextManager[Minutes]:
        """Bars that start in begin <= s < end, oldest first; all before `end`, the newest first,
        where `begin` is None. They are read as they are taken."""

    def days(self, symbol: str, first: str, last: str, venue: str | None) -> list[Row]:
        """The days of a symbol from `first` to `last`, oldest first."""

    def holes(self, begin: int, end: int) -> list[Hole]:
        """The times between begin and end, ns, in which bars may lack trades."""


def reader_of(store: StoreConfig, folder: Path) -> Reader:
    """The reader of what a store keeps.

    Raises:
        ConfigError: the environment lacks the url, or the package that reads it is not installed.
        StoreError: the url cannot be read.
    """
    if store.url is None:
        return HistoryReader(folder)
    try:
        from ticker.store.postgres import DatabaseReader
    except ImportError:
        raise ConfigError(
            "store.url: a database needs psycopg: pip install 'ticker[postgres]'"
        ) from None
    return DatabaseReader(database_url(store.url), folder)


def read_minutes(
    reader: Reader, symbol: str, begin: int, end: int, venue: str | None = None
) -> list[Row]:
    """The bars of a symbol that start in begin <= s < end, by minute; of all venues together
    unless one is named. Each has what the table has, `volume` and `notional` as int.

    Raises:
        StoreError: they cannot be read.
    """
    with reader.minutes(begin, end) as minutes:
        return list(together(minutes(symbol, venue), "minute"))


def read_days(reader: Reader, symbol: str, days: int, venue: str | None = None) -> list[Row]:
    """The newest `days` days of a symbol, oldest first, a row for each venue that had it.

    Raises:
        StoreError: they cannot be read.
    """
    found = reader.days(symbol, "", "9999-12-31", venue)
    newest = sorted({str(row["day"]) for row in found})[-days:]
    return [row for row in found if row["day"] in newest]


class Past:
    """The history of one instance for REST; it implements the gateway's BarSource."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    def bars(
        self,
        symbols: list[str],
        span: int,
        begin: int | None,
        end: int,
        count: int,
        venue: str | None = None,
    ) -> dict[str, tuple[list[Row], int | None]]:
        """Of each symbol up to `count` bars of `span` s that start in begin <= s < end: the first,
        or the newest where `begin` is None; oldest first. Beside them the start of the next one,
        None: there is none, or the newest were asked for. Each has all of its minutes.

        A row has BAR, with the start of the bar as `minute`, and `complete`.

        Raises:
            StoreError: they cannot be read.
        """
        begin, end = begin and -(-begin // span) * span, -(-end // span) * span
        with self.reader.minutes(begin, end) as minutes:
            found = {symbol: spanned(minutes(symbol, venue), span, count) for symbol in symbols}
        shown = [row for rows, _ in found.values() for row in rows]
        if shown:
            first = min(row["minute"] for row in shown) * SECOND
            holes = self.reader.holes(first, end * SECOND)
            for row in shown:
                start = row["minute"] * SECOND
                stop = start + span * SECOND
                row["complete"] = not any(hole.touches(start, stop) for hole in holes)
        if begin is None:
            return {symbol: (rows[::-1], None) for symbol, (rows, _) in found.items()}
        return found

    def days(
        self, symbol: str, begin: int | None, end: int, count: int, venue: str | None = None
    ) -> tuple[list[Row], str | None]:
        """Up to `count` days of a symbol, oldest first: the first from `begin` on, or the newest
        where it is None, before `end`, both s since the epoch; and the day after them, if there is
        one. The venues of a day are together, with the prices of the one that has official ones,
        else of the one with the greatest volume.

        Raises:
            StoreError: they cannot be read.
        """
        first, last = ("" if begin is None else day_text(begin)), day_text(end - 1)
        groups: dict[str, list[Row]] = {}
        for row in self.reader.days(symbol, first, last, venue):
            groups.setdefault(row["day"], []).append(row)
        found = [day_of_all(group) for _, group in sorted(groups.items())]
        if begin is None:
            return found[-count:], None
        return found[:count], found[count]["day"] if len(found) > count else None

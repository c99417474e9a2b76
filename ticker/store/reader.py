"""Days and minute bars in SQLite files, to read; sqlite.py writes them.

In: the files of one instance, and those of the bars that still change (beside.py). Out: rows as
dictionaries (rows.py). Owned by the caller, in any process.
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from ticker.errors import StoreError
from ticker.store.beside import FormingReader, woven
from ticker.store.disk.damage import faults
from ticker.store.disk.generations import months_in
from ticker.store.disk.schema import FILE_FORMAT, HOUR
from ticker.store.rows import Hole, Place, Row, month_of

FOLDER = "history"
OF_SYMBOL = "SELECT * FROM bars WHERE symbol = ? AND minute"


def format_of(file: sqlite3.Connection, path: Path) -> int:
    """The format of a file; 0: it is new. Raises StoreError: this version cannot read it."""
    version: int = file.execute("PRAGMA user_version").fetchone()[0]
    if version > FILE_FORMAT:
        raise StoreError(
            f"{path}: a newer version of ticker wrote it; move it away, or start that version",
            errno.EPROTONOSUPPORT,
        )
    return version


def marks(count: int) -> str:
    """Places for so many values in a statement."""
    return ", ".join("?" * count)


def places_in(file: sqlite3.Connection) -> dict[str, Place]:
    """By feed."""
    return {
        feed: Place(int(boot_id), time, [int(each) for each in positions.split()], *more)
        for feed, boot_id, time, positions, *more in file.execute("SELECT * FROM places")
    }


class HistoryReader:
    """The files of one instance, to read; past.py says what each call gives."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / FOLDER
        self.forming = FormingReader(self.folder)

    @contextmanager
    def minutes(
        self, begin: int | None, end: int
    ) -> Iterator[Callable[[str, str | None], Iterator[Row]]]:
        first, last = "" if begin is None else month_of(begin), month_of(end)
        newest = months_in(self.folder)[-2:]
        """They have the places with which the forming bars go."""
        with ExitStack() as stack:
            months = []
            places: dict[str, Place] = {}
            for path, file in self._opened(min([first, *newest]), max([last, *newest])):
                stack.enter_context(closing(file))
                if not (first <= path.stem <= last or path.stem in newest):
                    continue
                with faults(path):
                    file.execute("BEGIN")  # all that is read is of one commit
                    places |= places_in(file)
                if first <= path.stem <= last:
                    months.append((path, file))
            if begin is None:
                months.reverse()
            forming = self.forming.of(places)

            def of_symbol(symbol: str, venue: str | None) -> Iterator[Row]:
                found = (
                    row
                    for path, file in months
                    for row in _bars(path, file, symbol, venue, begin, end)
                )
                return woven(found, forming(symbol, venue, begin or 0, end), begin is None)

            yield of_symbol

    def days(self, symbol: str, first: str, last: str, venue: str | None) -> list[Row]:
        found: list[Row] = []
        query = f"SELECT * FROM days WHERE symbol = ? AND day IN ({marks(31)})"
        for path, file in self._opened(first[:7], last[:7]):
            names = (f"{path.stem}-{number:02}" for number in range(1, 32))
            wanted = [name if first <= name <= last else "" for name in names]
            with closing(file):
                found += _rows(path, file, query, (symbol, *wanted), venue, "day, venue")
        return found

    def holes(self, begin: int, end: int) -> list[Hole]:
        query = "SELECT * FROM holes WHERE end >= ? AND begin < ?"
        found: list[Row] = []
        for path, file in self._opened("", "9999-12"):
            with closing(file):
                found += _rows(path, file, query, (begin, end), None, "begin")
        return [Hole(**row) for row in found]

    def _opened(self, first: str, last: str) -> Iterator[tuple[Path, sqlite3.Connection]]:
        """The files from one month to another, oldest first; one that is being made is left out."""
        for month in months_in(self.folder):
            if not first <= month <= last:
                continue
            path = self.folder / f"{month}.sqlite"
            with faults(path):
                file = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
                file.row_factory = sqlite3.Row
                try:
                    made = format_of(file, path)
                except BaseException:
                    file.close()
                    raise
            if made:
                yield path, file
            else:
                file.close()


def _bars(
    path: Path,
    file: sqlite3.Connection,
    symbol: str,
    venue: str | None,
    begin: int | None,
    end: int,
) -> Iterator[Row]:
    """The bars of a symbol in one file; the newest first where `begin` is None."""
    down = " DESC" if begin is None else ""
    first = begin or 0
    with faults(path):
        if file.execute("PRAGMA user_version").fetchone()[0] == 1:
            query = f"{OF_SYMBOL} >= ? AND minute < ?"
            yield from _rows(path, file, query, (symbol, first, end), venue, f"minute{down}, venue")
            return
        query = "SELECT hour FROM traded WHERE symbol = ? AND hour > ? AND hour < ? ORDER BY hour"
        for (hour,) in file.execute(query + down, (symbol, first - HOUR, end)):
            minutes = range(hour, hour + HOUR, 60)
            wanted = [minute if first <= minute < end else -1 for minute in minutes]
            each = f"{OF_SYMBOL} IN ({marks(len(minutes))})"
            yield from _rows(path, file, each, (symbol, *wanted), venue, f"minute{down}, venue")


def _rows(
    path: Path,
    file: sqlite3.Connection,
    query: str,
    arguments: tuple[object, ...],
    venue: str | None,
    order: str,
) -> Iterator[Row]:
    if venue is not None:
        query, arguments = f"{query} AND venue = ?", (*arguments, venue)
    with faults(path):
        for found in file.execute(f"{query} ORDER BY {order}", arguments):
            row = dict(found)
            for name in ("volume", "notional"):
                if name in row:
                    row[name] = int(row[name])
            yield row

"""Days and minute bars on the disk: SQLite files, one for each month.

In: bars (bars.pyx) and days (days.pyx) that have changed. Out: `<folder>/history/2026-11.sqlite`.
Owned by the store worker; other programs open the files read-only, as HistoryReader does.

Prices are integers of 1e-9 currency units. Volumes are integers of 10^-size_exponent shares, and
`notional` is the sum of price times size of a bar, in the product of both units. A number beyond 63
bits is stored as its digits. One commit has the bars, the days and the places in the rings up to
which they go, so that a worker that is killed goes on with no trade lost and none counted twice.

Rows are in the order of their time, so the bars of a minute go to the end of their table. `traded`
has the hours in which a symbol has bars: its bars are looked up minute by minute, in those alone.
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from operator import itemgetter
from pathlib import Path
from typing import Any

from ticker.errors import StoreError
from ticker.store import bars, days
from ticker.store.beside import FormingFiles, FormingReader, woven
from ticker.store.generations import make_folder, months_in, require_own, which_file
from ticker.store.rows import (
    BAR,
    DAY,
    SECOND,
    Hole,
    Key,
    Place,
    Row,
    bar_rows,
    day_row,
    month_of,
    stored,
)
from ticker.store.schema import FILE, FILE_FORMAT, FILE_FROM_1, HOUR

OF_SYMBOL = "SELECT * FROM bars WHERE symbol = ? AND minute"
FOLDER = "history"
DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
MOVE_AWAY = "move the file away, and a new one is begun"
KINDS = {
    **dict.fromkeys(DAMAGED, errno.EUCLEAN),
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_READONLY: errno.EROFS,
    sqlite3.SQLITE_BUSY: errno.EBUSY,
    sqlite3.SQLITE_IOERR: errno.EIO,
    sqlite3.SQLITE_PERM: errno.EACCES,
    sqlite3.SQLITE_CANTOPEN: errno.EACCES,
}
"""SQLite's kinds of faults as errno."""
MOST_KNOWN = 1_000_000  # pairs of a symbol and an hour that are known to be in `traded`
VOLUME = DAY.index("volume")


class History:
    """The files of one instance, to write.

    Raises:
        StoreError: the folder cannot be made or is another user's.
    """

    remote = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder / FOLDER
        make_folder(self.folder)
        self._open: dict[str, sqlite3.Connection] = {}
        self._files: dict[str, tuple[int, int] | None] = {}
        self._known: set[tuple[str, int]] = set()

    def forming(self, feed: str) -> FormingFiles:
        """Where the bars of a feed are kept that still change."""
        return FormingFiles(self.folder, feed)

    def write(
        self,
        feed: str,
        changed_bars: Iterable[bars.Figures],
        changed_days: Iterable[days.Figures],
        holes: Iterable[Hole],
        place: Place,
    ) -> None:
        """Write all changes in one commit, or none.

        Changes of two months are a commit in each file, the older month first.

        Raises:
            OSError, StoreError: the disk did not take it, or the file is of a newer version.
        """
        months: dict[str, tuple[list[bars.Figures], list[tuple[object, ...]]]] = {}
        new: set[tuple[str, int]] = set()
        for bar in changed_bars:
            months.setdefault(month_of(bar[2]), ([], []))[0].append(bar)
            new.add((bar[0], bar[2] // HOUR * HOUR))
        for figures in changed_days:
            row = day_row(figures)
            row = (*row[:VOLUME], stored(row[VOLUME]), *row[VOLUME + 1 :])
            months.setdefault(row[2][:7], ([], []))[1].append(row)
        new -= self._known
        months.setdefault(month_of(place.time // SECOND), ([], []))
        for month, (of_bars, of_days) in sorted(months.items()):
            with self._transaction(month) as file:
                _write_bars(file, of_bars)
                hours = (each for each in new if month_of(each[1]) == month)
                file.executemany("INSERT OR IGNORE INTO traded VALUES (?, ?)", hours)
                of_days.sort(key=itemgetter(2, 0, 1))
                file.executemany(f"REPLACE INTO days VALUES ({_marks(len(DAY))})", of_days)
                if month == max(months):
                    _write_holes(file, holes)
                    _write_place(file, feed, place)
        if len(self._known) > MOST_KNOWN:
            self._known.clear()
        self._known |= new

    def place(self, feed: str) -> Place | None:
        """The positions that the bars of a feed cover; None without bars."""
        found = None
        for month in self.months():
            with self._reading(month) as file:
                place = _places(file).get(feed)
            if place is not None and (found is None or place.time >= found.time):
                found = place
        return found

    def months(self) -> list[str]:
        """The months that have a file, oldest first."""
        return months_in(self.folder)

    def prune(self, today: date, *, history_days: int, bars_days: int) -> None:
        """Delete bars and days older than so many days, and the files of empty months."""
        oldest_day = (today - timedelta(days=history_days)).isoformat()
        oldest = today - timedelta(days=bars_days)
        minute = int(datetime(oldest.year, oldest.month, oldest.day, tzinfo=UTC).timestamp())
        for month in self.months():
            if month > max(oldest_day[:7], oldest.isoformat()[:7]):
                continue
            with self._transaction(month) as file:
                file.execute("DELETE FROM bars WHERE minute < ?", (minute,))
                file.execute("DELETE FROM traded WHERE hour <= ?", (minute - HOUR,))
                file.execute("DELETE FROM days WHERE day < ?", (oldest_day,))
                file.execute("DELETE FROM holes WHERE end < ?", (minute * SECOND,))
                left = file.execute(
                    "SELECT EXISTS (SELECT 1 FROM bars) OR EXISTS (SELECT 1 FROM days)"
                ).fetchone()[0]
            if not left and month != today.isoformat()[:7]:
                self._open.pop(month).close()
                for path in self.folder.glob(f"{month}.sqlite*"):
                    path.unlink()

    def size(self) -> int:
        """Bytes of the files."""
        return sum(path.stat().st_size for path in self.folder.iterdir())

    def close(self) -> None:
        """Close the files."""
        for file in self._open.values():
            file.close()
        self._open = {}

    @contextmanager
    def _transaction(self, month: str) -> Iterator[sqlite3.Connection]:
        """A transaction; its faults are errors that name the file."""
        for other in sorted(self._open)[:-2]:
            if other != month:
                self._open.pop(other).close()
        file = self._file(month)
        with faults(self.folder / f"{month}.sqlite"):
            try:
                file.execute("BEGIN IMMEDIATE")
                yield file
                file.execute("COMMIT")
            except BaseException:
                # Opened anew the next time: an operator may have moved the file away.
                self._open.pop(month).close()
                self._known.clear()
                raise

    @contextmanager
    def _reading(self, month: str) -> Iterator[sqlite3.Connection]:
        """A file; its faults are errors that name it, and it is opened anew after them."""
        file = self._file(month)
        try:
            with faults(self.folder / f"{month}.sqlite"):
                yield file
        except StoreError:
            self._open.pop(month).close()
            raise

    def _file(self, month: str) -> sqlite3.Connection:
        path = self.folder / f"{month}.sqlite"
        if month in self._open and self._files[month] != which_file(path):
            self._open.pop(month).close()  # somebody has moved it away
            self._known.clear()
        if month not in self._open:
            with faults(path):
                self._open[month] = _prepared(path)
            self._files[month] = which_file(path)
        return self._open[month]


def _prepared(path: Path) -> sqlite3.Connection:
    try:
        path.touch(mode=0o600)
        require_own(path, path.stat())
    except OSError as error:
        reason = f"{path}: cannot be written ({error.strerror})"
        raise StoreError(reason, error.errno or 0) from None
    file = sqlite3.connect(path, isolation_level=None, timeout=1.0)
    try:
        version = file.execute("PRAGMA user_version").fetchone()[0]
        if version > FILE_FORMAT:
            raise StoreError(
                f"{path}: a newer version of ticker wrote it; move it away, or start that version",
                errno.EPROTONOSUPPORT,
            )
        file.execute("PRAGMA journal_mode = WAL")
        file.execute("PRAGMA synchronous = FULL")
        more = FILE_FROM_1 if version == 1 else ""
        file.executescript(f"BEGIN; {FILE} {more} PRAGMA user_version = {FILE_FORMAT}; COMMIT;")
    except BaseException:
        file.close()
        raise
    return file


def _marks(count: int) -> str:
    return ", ".join("?" * count)


def _write_bars(file: sqlite3.Connection, changed: list[bars.Figures]) -> None:
    query = "SELECT * FROM bars WHERE symbol = ? AND venue = ? AND minute = ?"
    kept: dict[Key, tuple[Any, ...]] = {}
    for *figures, adds in changed:
        row = file.execute(query, figures[:3]).fetchone() if adds else None
        if row is not None:
            kept[row[:3]] = (*row[:9], int(row[9]), int(row[10]), *row[11:])
    rows = (
        (*row[:9], stored(row[9]), stored(row[10]), *row[11:]) for row in bar_rows(changed, kept)
    )
    in_order = sorted(rows, key=itemgetter(2, 0, 1))
    file.executemany(f"REPLACE INTO bars VALUES ({_marks(len(BAR))})", in_order)


def _write_holes(file: sqlite3.Connection, holes: Iterable[Hole]) -> None:
    rows = [(hole.feed, hole.begin, hole.end, hole.reason, hole.records) for hole in holes]
    file.executemany(f"INSERT INTO holes VALUES ({_marks(5)})", rows)


def _write_place(file: sqlite3.Connection, feed: str, place: Place) -> None:
    positions = " ".join(map(str, place.positions))
    row = (feed, str(place.boot_id), place.time, positions, place.forming)
    file.execute(f"REPLACE INTO places VALUES ({_marks(5)})", row)


def _places(file: sqlite3.Connection) -> dict[str, Place]:
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
                    places |= _places(file)
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
        query = f"SELECT * FROM days WHERE symbol = ? AND day IN ({_marks(31)})"
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
                    made = file.execute("PRAGMA user_version").fetchone()[0]
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
            each = f"{OF_SYMBOL} IN ({_marks(len(minutes))})"
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


@contextmanager
def faults(path: Path) -> Iterator[None]:
    """Turns SQLite's errors into a StoreError that names the file."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        advice = f"; {MOVE_AWAY}" if code in DAMAGED else ""
        raise StoreError(f"{path}: {error}{advice}", KINDS.get(code, 0)) from error

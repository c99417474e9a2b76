"""Days and minute bars on the disk: SQLite files, one for each month.

In: bars (bars.pyx) and days (days.pyx) that have changed. Out: `<folder>/history/2026-11.sqlite`.
Owned by the store worker; other programs open the files read-only, as HistoryReader does.

Prices are integers of 1e-9 currency units. Volumes are integers of 10^-size_exponent shares, and
`notional` is the sum of price times size of a bar, in the product of both units. A number beyond 63
bits is stored as its digits. One commit has the bars, the days and the places in the rings up to
which they go, so that a worker that is killed goes on with no trade lost and none counted twice.
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from ticker.errors import StoreError
from ticker.store import bars, days
from ticker.store.generations import make_folder, require_own
from ticker.store.rows import BAR, DAY, SECOND, Hole, Key, Place, Row, bar_rows, day_row, day_text

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
FORMAT = 1
MOST = 1 << 63
SCHEMA = """
CREATE TABLE IF NOT EXISTS bars (
    symbol TEXT NOT NULL, venue TEXT NOT NULL,
    minute INTEGER NOT NULL,                 -- its start, s since the epoch
    open INTEGER, high INTEGER, low INTEGER, close INTEGER,
    open_time INTEGER, close_time INTEGER,   -- ns since the epoch
    volume BLOB NOT NULL, notional BLOB NOT NULL, trades INTEGER NOT NULL,
    size_exponent INTEGER NOT NULL,
    revision INTEGER NOT NULL,               -- changes after the minute was over
    exact INTEGER NOT NULL,                  -- 0: a trade was taken back, and prices may be its
    PRIMARY KEY (symbol, venue, minute)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS days (
    symbol TEXT NOT NULL, venue TEXT NOT NULL,
    day TEXT NOT NULL,                       -- of the venue, YYYY-MM-DD
    open INTEGER, high INTEGER, low INTEGER, close INTEGER,
    official_open INTEGER, official_close INTEGER, previous_close INTEGER,
    volume BLOB NOT NULL, trades INTEGER NOT NULL, size_exponent INTEGER NOT NULL,
    corrections INTEGER NOT NULL,
    PRIMARY KEY (symbol, venue, day)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS holes (           -- when bars may lack trades
    feed TEXT NOT NULL, begin INTEGER NOT NULL, end INTEGER NOT NULL,  -- ns since the epoch
    reason TEXT NOT NULL, records INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS places (          -- in the rings, up to which the bars go
    feed TEXT PRIMARY KEY, boot_id TEXT NOT NULL, time INTEGER NOT NULL, positions TEXT NOT NULL
);
"""
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
        for bar in changed_bars:
            months.setdefault(month_of(bar[2]), ([], []))[0].append(bar)
        for figures in changed_days:
            row = day_row(figures)
            row = (*row[:VOLUME], stored(row[VOLUME]), *row[VOLUME + 1 :])
            months.setdefault(row[2][:7], ([], []))[1].append(row)
        months.setdefault(month_of(place.time // SECOND), ([], []))
        for month, (of_bars, of_days) in sorted(months.items()):
            with self._transaction(month) as file:
                _write_bars(file, of_bars)
                file.executemany(f"REPLACE INTO days VALUES ({_marks(len(DAY))})", of_days)
                if month == max(months):
                    _write_holes(file, holes)
                    _write_place(file, feed, place)

    def place(self, feed: str) -> Place | None:
        """The positions that the bars of a feed cover; None without bars."""
        found = None
        for month in self.months():
            query = "SELECT boot_id, time, positions FROM places WHERE feed = ?"
            with self._reading(month) as file:
                row = file.execute(query, (feed,)).fetchone()
            if row is not None and (found is None or row[1] >= found.time):
                found = Place(int(row[0]), row[1], [int(each) for each in row[2].split()])
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
        if month not in self._open:
            path = self.folder / f"{month}.sqlite"
            with faults(path):
                self._open[month] = _prepared(path)
        return self._open[month]


def month_of(seconds: int) -> str:
    """Like "2026-11", UTC."""
    return day_text(seconds)[: len("2026-11")]


def stored(number: int) -> int | str:
    """A number in a form that SQLite stores without loss."""
    return number if -MOST <= number < MOST else str(number)


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
        if version > FORMAT:
            raise StoreError(
                f"{path}: a newer version of ticker wrote it; move it away, or start that version",
                errno.EPROTONOSUPPORT,
            )
        file.execute("PRAGMA journal_mode = WAL")
        file.execute("PRAGMA synchronous = FULL")
        file.executescript(f"BEGIN; {SCHEMA} PRAGMA user_version = {FORMAT}; COMMIT;")
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
    file.executemany(f"REPLACE INTO bars VALUES ({_marks(len(BAR))})", rows)


def _write_holes(file: sqlite3.Connection, holes: Iterable[Hole]) -> None:
    rows = [(hole.feed, hole.begin, hole.end, hole.reason, hole.records) for hole in holes]
    file.executemany(f"INSERT INTO holes VALUES ({_marks(5)})", rows)


def _write_place(file: sqlite3.Connection, feed: str, place: Place) -> None:
    positions = " ".join(map(str, place.positions))
    row = (feed, str(place.boot_id), place.time, positions)
    file.execute(f"REPLACE INTO places VALUES ({_marks(4)})", row)


class HistoryReader:
    """The files of one instance, to read; past.py says what each call gives."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / FOLDER

    @contextmanager
    def minutes(
        self, begin: int | None, end: int
    ) -> Iterator[Callable[[str, str | None], Iterator[Row]]]:
        first = "" if begin is None else month_of(begin)
        with ExitStack() as stack:
            months = [
                (path, stack.enter_context(closing(file)))
                for path, file in self._opened(first, month_of(end))
            ]
            if begin is None:
                months.reverse()

            def of_symbol(symbol: str, venue: str | None) -> Iterator[Row]:
                query = "SELECT * FROM bars WHERE symbol = ? AND minute >= ? AND minute < ?"
                order = "minute DESC, venue" if begin is None else "minute, venue"
                for path, file in months:
                    yield from _rows(path, file, query, (symbol, begin or 0, end), venue, order)

            yield of_symbol

    def days(self, symbol: str, first: str, last: str, venue: str | None) -> list[Row]:
        query = "SELECT * FROM days WHERE symbol = ? AND day >= ? AND day <= ?"
        return self._all(query, (symbol, first, last), venue, "day, venue")

    def holes(self, begin: int, end: int) -> list[Hole]:
        query = "SELECT * FROM holes WHERE end >= ? AND begin < ?"
        return [Hole(**row) for row in self._all(query, (begin, end), None, "begin")]

    def _all(
        self, query: str, arguments: tuple[object, ...], venue: str | None, order: str
    ) -> list[Row]:
        found: list[Row] = []
        for path, file in self._opened("", "9999-12"):
            with closing(file):
                found += _rows(path, file, query, arguments, venue, order)
        return found

    def _opened(self, first: str, last: str) -> Iterator[tuple[Path, sqlite3.Connection]]:
        """The files from one month to another, oldest first; one that is being made is left out."""
        for month in months_in(self.folder):
            if not first <= month <= last:
                continue
            path = self.folder / f"{month}.sqlite"
            with faults(path):
                file = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
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


def months_in(folder: Path) -> list[str]:
    """The months that have a file in the folder, oldest first, like "2026-11"."""
    return sorted(path.name.removesuffix(".sqlite") for path in folder.glob("????-??.sqlite"))


@contextmanager
def faults(path: Path) -> Iterator[None]:
    """Turns SQLite's errors into a StoreError that names the file."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        advice = f"; {MOVE_AWAY}" if code in DAMAGED else ""
        raise StoreError(f"{path}: {error}{advice}", KINDS.get(code, 0)) from error

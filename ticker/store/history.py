"""Days and minute bars on the disk: SQLite files, one for each month.

In: bars (bars.pyx) and days (days.pyx) that have changed. Out: `<folder>/history/2026-11.sqlite`.
Owned by the store worker; other programs open the files read-only, as past.py does.

Prices are integers of 1e-9 currency units. Volumes are integers of 10^-size_exponent shares, and
`notional` is the sum of price times size of a bar, in the product of both units. A number beyond 63
bits is stored as its digits. One commit has the bars, the days and the places in the rings up to
which they go, so that a worker that is killed goes on with no trade lost and none counted twice.
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from ticker.errors import StoreError
from ticker.store import bars, days
from ticker.store.generations import make_folder, require_own
from ticker.store.past import BAR, FOLDER, Hole, faults, months_in, together

FORMAT = 1
SECOND = 1_000_000_000
HALF_DAY = 12 * 3600 * SECOND
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
DAY = 14


@dataclass(frozen=True)
class Place:
    """The positions in a feed's rings that its bars cover."""

    boot_id: int
    time: int
    positions: list[int]


class History:
    """The files of one instance, to write.

    Raises:
        StoreError: the folder cannot be made or is another user's.
    """

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
            day = day_of(figures[2])
            row = (*figures[:2], day, *figures[3:10], stored(figures[10]), *figures[11:])
            months.setdefault(day[:7], ([], []))[1].append(row)
        months.setdefault(month_of(place.time // SECOND), ([], []))
        for month, (of_bars, of_days) in sorted(months.items()):
            with self._transaction(month) as file:
                _write_bars(file, of_bars)
                file.executemany(f"REPLACE INTO days VALUES ({_marks(DAY)})", of_days)
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
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m")


def day_of(midnight: int) -> str:
    """The day that begins at a midnight, ns since the epoch, in its own time zone."""
    return datetime.fromtimestamp((midnight + HALF_DAY) // SECOND, UTC).date().isoformat()


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
    rows = []
    for *figures, exact, adds in changed:
        row: tuple[Any, ...] = (*figures, exact)
        if adds:
            row = _added(file, figures, exact=exact)
        rows.append((*row[:9], stored(row[9]), stored(row[10]), *row[11:]))
    file.executemany(f"REPLACE INTO bars VALUES ({_marks(len(BAR))})", rows)


def _added(file: sqlite3.Connection, figures: list[Any], *, exact: bool) -> tuple[Any, ...]:
    """A bar's figures merged with those on the disk."""
    query = "SELECT * FROM bars WHERE symbol = ? AND venue = ? AND minute = ?"
    before = file.execute(query, figures[:3]).fetchone()
    fresh = dict(zip(BAR, (*figures, exact), strict=True))
    if before is None:
        return tuple({**fresh, "revision": 0}.values())
    kept = dict(zip(BAR, before, strict=True))
    kept.update(volume=int(kept["volume"]), notional=int(kept["notional"]))
    (found,) = together([kept, fresh], "minute")
    found["revision"] = kept["revision"] + fresh["revision"]
    return tuple(found[name] for name in BAR)


def _write_holes(file: sqlite3.Connection, holes: Iterable[Hole]) -> None:
    rows = [(hole.feed, hole.begin, hole.end, hole.reason, hole.records) for hole in holes]
    file.executemany(f"INSERT INTO holes VALUES ({_marks(5)})", rows)


def _write_place(file: sqlite3.Connection, feed: str, place: Place) -> None:
    positions = " ".join(map(str, place.positions))
    row = (feed, str(place.boot_id), place.time, positions)
    file.execute(f"REPLACE INTO places VALUES ({_marks(4)})", row)

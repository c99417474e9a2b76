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
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from operator import itemgetter
from pathlib import Path
from typing import Any

from ticker.errors import StoreError
from ticker.store import bars, days
from ticker.store.beside import FormingFiles
from ticker.store.disk.damage import Mark, damage_of, faults, mark_of, set_aside
from ticker.store.disk.generations import make_folder, months_in, require_own, which_file
from ticker.store.disk.schema import FILE, FILE_FORMAT, FILE_FROM_1, HOUR
from ticker.store.reader import FOLDER, format_of, marks, places_in
from ticker.store.rows import (
    BAR,
    DAY,
    MOST_STORED,
    SECOND,
    Hole,
    Key,
    Place,
    bar_rows,
    day_row,
    first_second,
    month_of,
    stored,
)

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
        self._as_left: dict[str, Mark] = {}
        """Of each open file, as this writer left it."""
        self._until: dict[str, int] = {}
        """By feed the time of the newest commit, ns."""
        self._anew: dict[str, set[str]] = {}
        """The months that were damaged and begun anew, and the feeds whose hole is written."""

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
        lost = self._lost(feed, place)
        for month, (of_bars, of_days) in sorted(months.items()):
            with self._transaction(month) as file:
                _write_bars(file, of_bars)
                hours = (each for each in new if month_of(each[1]) == month)
                file.executemany("INSERT OR IGNORE INTO traded VALUES (?, ?)", hours)
                of_days.sort(key=itemgetter(2, 0, 1))
                file.executemany(f"REPLACE INTO days VALUES ({marks(len(DAY))})", of_days)
                if month == max(months):
                    _write_holes(file, [*holes, *lost])
                    _write_place(file, feed, place)
        for told in self._anew.values():
            told.add(feed)
        self._until[feed] = place.time
        if len(self._known) > MOST_KNOWN:
            self._known.clear()
        self._known |= new

    def _lost(self, feed: str, place: Place) -> list[Hole]:
        """The holes of a feed in files that were begun anew: they lack what was in those before."""
        return [
            Hole(feed, first_second(month) * SECOND, self._until.get(feed, place.time), "damaged")
            for month, told in self._anew.items()
            if feed not in told
        ]

    def look(self) -> None:
        """See whether another program wrote over an open file.

        Raises:
            StoreError: it is damaged. It has another name now, and a new one is begun.
        """
        for month in tuple(self._as_left):
            self._look_at(month)

    def _look_at(self, month: str) -> None:
        path = self.folder / f"{month}.sqlite"
        mark = mark_of(path)
        if month not in self._open or self._as_left[month] == mark or not path.exists():
            return
        found = damage_of(path)
        if found is not None:
            self._drop(month)
            raise self._set_aside(month, found)
        self._as_left[month] = mark

    def place(self, feed: str) -> Place | None:
        """The positions that the bars of a feed cover; None without bars."""
        found = None
        for month in self.months():
            with self._opened(month) as file:
                place = places_in(file).get(feed)
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
                self._drop(month)
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
        self._look_at(month)  # before the file is left in another state by this one
        with self._opened(month) as file:
            file.execute("BEGIN IMMEDIATE")
            yield file
            file.execute("COMMIT")
        self._as_left[month] = mark_of(self.folder / f"{month}.sqlite")

    @contextmanager
    def _opened(self, month: str) -> Iterator[sqlite3.Connection]:
        """A file; its faults are errors that name it. It is opened anew after them, for an operator
        may have moved it away. A damaged one is set aside."""
        try:
            with faults(self.folder / f"{month}.sqlite"):
                yield self._file(month)
        except BaseException as error:
            self._drop(month)
            if getattr(error, "errno", 0) == errno.EUCLEAN:
                raise self._set_aside(month, str(error.__cause__)) from error
            raise

    def _set_aside(self, month: str, reason: str) -> StoreError:
        """A damaged file makes room for a new one; what to say of it."""
        path = self.folder / f"{month}.sqlite"
        aside = set_aside(path)
        self._anew[month] = set()
        advice = f"it is {aside.name} now, and a new one is begun"
        return StoreError(f"{path}: {reason}; {advice}", errno.EUCLEAN)

    def _drop(self, month: str) -> None:
        """Close a file, and forget what was known of it."""
        self._as_left.pop(month, None)
        self._known.clear()
        if month in self._open:
            self._open.pop(month).close()

    def _file(self, month: str) -> sqlite3.Connection:
        path = self.folder / f"{month}.sqlite"
        if month in self._open and self._files[month] != which_file(path):
            self._drop(month)  # somebody has moved it away
        if month not in self._open:
            self._open[month] = _prepared(path)
            self._files[month] = which_file(path)
            self._as_left[month] = mark_of(path)
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
        version = format_of(file, path)
        file.execute("PRAGMA journal_mode = WAL")
        file.execute("PRAGMA synchronous = FULL")
        more = FILE_FROM_1 if version == 1 else ""
        file.executescript(f"BEGIN; {FILE} {more} PRAGMA user_version = {FILE_FORMAT}; COMMIT;")
    except BaseException:
        file.close()
        raise
    return file


def _write_bars(file: sqlite3.Connection, changed: list[bars.Figures]) -> None:
    query = "SELECT * FROM bars WHERE symbol = ? AND venue = ? AND minute = ?"
    kept: dict[Key, tuple[Any, ...]] = {}
    for figures in changed:
        row = file.execute(query, figures[:3]).fetchone() if figures[-1] else None
        if row is not None:
            kept[row[:3]] = (*row[:9], int(row[9]), int(row[10]), *row[11:])
    rows = [
        row
        if 0 <= row[9] < MOST_STORED and 0 <= row[10] < MOST_STORED
        else (*row[:9], stored(row[9]), stored(row[10]), *row[11:])
        for row in bar_rows(changed, kept)
    ]
    # By minute, then by symbol and venue: so faster than by a key of all three.
    rows.sort()
    rows.sort(key=itemgetter(2))
    file.executemany(f"REPLACE INTO bars VALUES ({marks(len(BAR))})", rows)


def _write_holes(file: sqlite3.Connection, holes: Iterable[Hole]) -> None:
    rows = [(hole.feed, hole.begin, hole.end, hole.reason, hole.records) for hole in holes]
    file.executemany(f"INSERT INTO holes VALUES ({marks(5)})", rows)


def _write_place(file: sqlite3.Connection, feed: str, place: Place) -> None:
    positions = " ".join(map(str, place.positions))
    row = (feed, str(place.boot_id), place.time, positions, place.forming)
    file.execute(f"REPLACE INTO places VALUES ({marks(5)})", row)

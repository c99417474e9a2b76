"""The days and minute bars of one feed, from its segment to where they are kept.

In: the rings and rows of a feed, read-only. Out: the changed bars and days, to a Writer (sqlite.py,
    postgres.py), and the bars that still change, to a file beside it (beside.py). Owned by the
    store worker: `read` follows the rings and is called often; `write` and `keep` go to the disk or
    the database and may take long. They run in different threads.
"""

from __future__ import annotations

import errno
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Protocol

import structlog

from ticker.errors import StoreError
from ticker.shm.counters import Heartbeat
from ticker.shm.header import Mapping
from ticker.store import bars, days
from ticker.store.bars import EVER, Bars
from ticker.store.beside import FormingFiles
from ticker.store.days import Days
from ticker.store.live.forming import BAR_BYTES, bars_in
from ticker.store.rows import Hole, Key, Place, added
from ticker.store.snapshot import Image

log = structlog.get_logger()

MINUTE = 60_000_000_000
MOST_UNWRITTEN = 2_000_000
"""Bars and days that wait while they cannot be written; then they are dropped and reported."""
AT_ONCE = 20_000
"""Records of a ring that are read before other threads run."""
BARS_AT_ONCE = 4096
"""Bars that are taken before the rings are read again: a full ring has a quarter of a second."""
MANY_DAYS = 10_000
"""Changed days from which on they are not written in each minute: a restart makes those of today
again from the last prices."""
DAYS_MINUTES = 5
"""Minutes between two writes of so many days."""
NEVER = (1 << 63) // MINUTE
"""A minute after all others."""


class Writer(Protocol):
    """Keeps bars and days. A call may take long, and raises StoreError or OSError if it fails.

    Attributes:
        remote: it is behind a network, and no other work must wait for it.
    """

    remote: bool

    def write(
        self,
        feed: str,
        changed_bars: Iterable[bars.Figures],
        changed_days: Iterable[days.Figures],
        holes: Iterable[Hole],
        place: Place,
    ) -> None:
        """Write all changes, or none. No bar and no day is in them twice."""

    def place(self, feed: str) -> Place | None:
        """The positions that the bars of a feed cover; None without bars."""

    def forming(self, feed: str) -> FormingFiles:
        """Where the bars of a feed are kept that still change."""

    def prune(self, today: date, *, history_days: int, bars_days: int) -> None:
        """Delete bars and days older than so many days."""

    def size(self) -> int:
        """Bytes of all that it keeps."""

    def close(self) -> None:
        """Close its files or connections."""


@dataclass
class Changes:
    """The changes that wait: of each bar and day the newest figures."""

    by_minute: dict[Key, bars.Figures] = field(default_factory=dict)
    by_day: dict[Key, days.Figures] = field(default_factory=dict)
    holes: list[Hole] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.by_minute) + len(self.by_day)

    def take_in(self, changed_bars: list[bars.Figures], changed_days: list[days.Figures]) -> None:
        """Bars and days that have changed since."""
        for bar in changed_bars:
            key = bar[:3]
            before = self.by_minute.get(key)
            self.by_minute[key] = bar if before is None else combined(before, bar)
        self.by_day.update((day[:3], day) for day in changed_days)


def combined(before: bars.Figures, bar: bars.Figures) -> bars.Figures:
    """A bar that waits, and its change. One that adds to what is kept (the last word) adds to what
    waits, too; any other takes its place."""
    *more, adds = bar
    if not adds:
        return bar
    *first, first_adds = before
    found: Any = (*added(tuple(first), tuple(more)), first_adds)
    return found  # type: ignore[no-any-return]


class Chronicle:
    """The chronicle of one feed. The times of holes are those of the server's clock.

    `days`: of the feed's rows; without them it has its own.

    `first`: no worker of this run of the server was before this one. Then it need not know the
    place in the rings to begin, and a Writer that fails, or is remote, is asked for it later; until
    then each bar is added to what is kept of its minute.

    Raises:
        StoreError: the last position in the rings cannot be read.
    """

    def __init__(
        self,
        mapping: Mapping,
        feed: str,
        history: Writer,
        boot_id: int,
        now_ns: int,
        kept: int,
        *,
        first: bool = False,
        days: Days | None = None,
    ) -> None:
        self.feed = feed
        self.history = history
        self.boot_id = boot_id
        self.heartbeat = Heartbeat(mapping)
        self.days = days or Days(Image(mapping, feed))
        self.holes: list[Hole] = []
        self.dropped = 0
        self._lock = threading.Lock()
        self._unwritten = Changes()
        self._tried: tuple[Place, Changes] | None = None
        """A commit that failed: the writer may have it all the same."""
        self._beside = history.forming(feed)
        self._base: Place | None = None
        """Of the newest commit to the writer."""
        self._minute = 0
        """In which that was; minutes before it are written."""
        self._minute_of_days = 0
        self._began = self._written = self._looked = now_ns
        self._place: list[int] = []
        self._kept: list[int] = []
        self._placed = False
        self._skipped = 0
        self._epoch = self.heartbeat.epoch
        try:
            place = None if first and history.remote else history.place(feed)
            self._placed = not (first and history.remote)
        except (OSError, StoreError) as error:
            if not first or error.errno == errno.EUCLEAN:  # set aside now, which is to be said
                raise
            place = None
        if self._placed:
            place = self._reached(place)
        same_life = place is not None and place.boot_id == boot_id
        minute = (place.time // MINUTE if place is not None else 0) if self._placed else NEVER
        positions = place.positions if place is not None and same_life else None
        self.bars = Bars(mapping, minute, positions, kept)
        if place is not None:
            self._follow_on(place)

    def _reached(self, place: Place | None) -> Place | None:
        """The place up to which there are bars: that of the writer, or of the bars beside it. Those
        are written with the next commit."""
        self._base = place
        found, faults = self._beside.resume(place)
        for fault in faults:
            log.error(
                "bars of the last minutes are damaged",
                feed=self.feed,
                reason=fault,
                advice="older ones are used, or those trades are missing from their bars",
            )
        if found is not None:
            later, self._unwritten = self._unwritten, Changes(holes=self._unwritten.holes)
            self._unwritten.take_in(bars_in(found.bars), [])
            self._unwritten.take_in([*later.by_minute.values()], [*later.by_day.values()])
            return found.place
        if place is not None and place.forming:
            begin = place.time // MINUTE * MINUTE - MINUTE
            self._unwritten.holes.append(Hole(self.feed, begin, place.time, "store restarted"))
        return place

    def _follow_on(self, place: Place) -> None:
        """Go on from the place of an earlier worker, or name the hole since then."""
        if place.boot_id == self.boot_id:
            self._looked = place.time
        else:
            hole = Hole(self.feed, place.time, self._began, "store restarted")
            self._unwritten.holes.append(hole)

    def _find_place(self, now_ns: int) -> None:
        """What the writer was not asked at the beginning."""
        place = self._reached(self.history.place(self.feed))
        if place is not None:
            self._follow_on(place)
        with self._lock:
            newest = max(now_ns, self.bars.newest_ns, place.time if place is not None else 0)
            self.bars.settle(newest // MINUTE)
        self._placed = True

    @property
    def waiting(self) -> int:
        """Bars and days that are not written yet."""
        if self._tried is None:
            return len(self._unwritten)
        one, other = self._unwritten, self._tried[1]
        return len(one.by_minute.keys() | other.by_minute) + len(one.by_day.keys() | other.by_day)

    def read(self, now_ns: int) -> int:
        """Take in the new records of the rings; returns their number."""
        with self._lock:
            found = self.bars.read(AT_ONCE)
            if (skipped := self.bars.skipped) != self._skipped:
                records = skipped - self._skipped
                self.holes.append(Hole(self.feed, self._looked, now_ns, "lapped", records))
                self._skipped = skipped
            if (epoch := self.heartbeat.epoch) != self._epoch:
                if self._epoch:
                    self.holes.append(Hole(self.feed, self._looked, now_ns, "feed restarted"))
                self._epoch = epoch
            self._looked = now_ns
            return found

    def commit(self, now_ns: int, *, last: bool = False) -> int:
        """Write the changes once a minute, and meanwhile keep the bars; returns the number of bars
        and days that were written. At the `last` call all are written.

        Raises:
            OSError, StoreError: they were not taken. The next call tries again.
        """
        minute = max(now_ns, self.bars.newest_ns - 1) // MINUTE
        waits = self._tried or len(self._unwritten) or self._unwritten.holes or self.holes
        waits = waits or self.days.ended
        if not last and not waits and minute == self._minute and self._base is not None:
            self.keep(now_ns)
            return 0
        written = self.write(now_ns, EVER if last else minute)
        self._minute = minute
        return written

    def write(self, now_ns: int, before: int = EVER) -> int:
        """Write the days that have changed, and the bars of minutes before `before`, and keep the
        other bars; returns the number of those written.

        Raises:
            OSError, StoreError: they were not taken. The next call tries again.
        """
        if self._takes_days(before):
            self._unwritten.take_in([], self.days.take())
        image, place = self._take_bars(before, now_ns)
        if self.waiting > MOST_UNWRITTEN:
            self.dropped += self.waiting
            self._tried = None
            self._unwritten = Changes(holes=[Hole(self.feed, self._written, now_ns, "disk")])
        if not self._placed:
            self._find_place(now_ns)
        self._settle()
        left = self._unwritten
        if not (len(left) or left.holes) and place.positions == self._place:
            return 0
        if image:
            place = self._put_beside(place, image)
        self._tried, self._unwritten = (place, left), Changes()
        self.history.write(
            self.feed, left.by_minute.values(), left.by_day.values(), left.holes, place
        )
        self._accept(place)
        self._written = now_ns
        return len(left)

    def _take_bars(self, before: int, now_ns: int) -> tuple[bytes, Place]:
        """Let the bars of minutes before `before` wait for the writer, some at a time; the others,
        and the place up to which both go."""
        while True:
            with self._lock:
                some = self.bars.take(before, BARS_AT_ONCE)
                if len(some) < BARS_AT_ONCE:
                    self._unwritten.take_in(some, [])
                    self._unwritten.holes += self.holes
                    self.holes = []
                    image = self.bars.image()
                    return image, self._here(now_ns, len(image) // BAR_BYTES)
            self._unwritten.take_in(some, [])

    def _takes_days(self, before: int) -> bool:
        """Whether days are written with the bars before a minute."""
        due = before - self._minute_of_days >= DAYS_MINUTES
        if not due and not self.days.ended and self.days.changed() > MANY_DAYS:
            return False
        self._minute_of_days = before
        return True

    def _put_beside(self, place: Place, image: bytes) -> Place:
        """The bars that still change, before the commit that they go with; its place. Where another
        machine has the others, a fault of this one's disk stops none: all bars go there then."""
        try:
            self._beside.write(place, place, image)
        except OSError:
            if not self.history.remote:
                raise
            with self._lock:
                self._unwritten.take_in(self.bars.take(), [])
                return self._here(place.time, 0)
        return place

    def _settle(self) -> None:
        """A commit that failed was taken all the same, or is tried again with what came since."""
        if self._tried is None:
            return
        place, changes = self._tried
        if self.history.place(self.feed) == place:
            self._accept(place)
            return
        later = self._unwritten
        changes.take_in([*later.by_minute.values()], [*later.by_day.values()])
        changes.holes += later.holes
        self._tried, self._unwritten = None, changes

    def _accept(self, place: Place) -> None:
        """The writer has a commit."""
        if place.forming:
            self._beside.accept()
        self._tried = None
        self._base = place
        self._place = self._kept = place.positions

    def keep(self, now_ns: int) -> None:
        """Put the bars that have changed since the last `write` beside those that are written.

        Raises:
            OSError: the disk did not take them. The next call tries again.
        """
        assert self._base is not None
        with self._lock:
            if self.bars.positions == self._kept:
                return
            image = self.bars.image()
            place = self._here(now_ns, len(image) // BAR_BYTES)
        self._beside.write(self._base, place, image)
        self._beside.accept()
        self._kept = place.positions

    def _here(self, now_ns: int, forming: int) -> Place:
        """What has been taken in."""
        time = max(now_ns, self.bars.newest_ns)
        return Place(self.boot_id, time, self.bars.positions, forming)

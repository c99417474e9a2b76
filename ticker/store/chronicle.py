"""The days and minute bars of one feed, from its segment to the disk.

In: the rings and rows of a feed, read-only. Out: the changed bars and days, to the History. Owned
    by the store worker: `read` follows the rings and is called often; `write` goes to the disk and
    may take long. They run in different threads.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from ticker.shm.counters import Heartbeat
from ticker.shm.header import Mapping
from ticker.store import bars, days
from ticker.store.bars import Bars
from ticker.store.days import Days
from ticker.store.history import History, Place
from ticker.store.past import Hole

MINUTE = 60_000_000_000
MOST_UNWRITTEN = 2_000_000
"""Bars and days that wait while the disk fails; further ones are dropped and reported."""
AT_ONCE = 20_000
"""Records of a ring that are read before other threads run."""


@dataclass
class Changes:
    """The changes that wait for the disk."""

    bars: list[bars.Figures] = field(default_factory=list)
    days: list[days.Figures] = field(default_factory=list)
    holes: list[Hole] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        return not (self.bars or self.days or self.holes)


class Chronicle:
    """The chronicle of one feed. The times of holes are those of the server's clock.

    Raises:
        StoreError: the last position in the rings cannot be read.
    """

    def __init__(
        self, mapping: Mapping, feed: str, history: History, boot_id: int, now_ns: int, kept: int
    ) -> None:
        self.feed = feed
        self.history = history
        self.boot_id = boot_id
        self.heartbeat = Heartbeat(mapping)
        self.days = Days(mapping)
        self.holes: list[Hole] = []
        self._lock = threading.Lock()
        self._unwritten = Changes()
        self._written = now_ns
        self._place: list[int] = []
        place = history.place(feed)
        same_life = place is not None and place.boot_id == boot_id
        self.bars = Bars(
            mapping,
            place.time // MINUTE if place is not None else 0,
            place.positions if place is not None and same_life else None,
            kept,
        )
        if place is not None and not same_life:
            self.holes.append(Hole(feed, place.time, now_ns, "store restarted"))
        self._looked = place.time if place is not None and same_life else now_ns
        self._skipped = 0
        self._epoch = self.heartbeat.epoch

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

    def look(self) -> None:
        """Look at the rows, for the days: once a second is often enough."""
        with self._lock:
            self.days.look()

    def write(self, now_ns: int) -> int:
        """Write the changes to the disk; returns the number of bars and days.

        Raises:
            OSError, StoreError: the disk did not take it. The next call tries again.
        """
        with self._lock:
            self._unwritten.bars += self.bars.take()
            self._unwritten.days += self.days.take()
            self._unwritten.holes += self.holes
            self.holes = []
            place = Place(self.boot_id, max(now_ns, self.bars.newest_ns), self.bars.positions)
        left = self._unwritten
        if len(left.bars) + len(left.days) > MOST_UNWRITTEN:
            self._unwritten = Changes(holes=[Hole(self.feed, self._written, now_ns, "disk")])
            left = self._unwritten
        if left.empty and place.positions == self._place:
            return 0
        self.history.write(self.feed, left.bars, left.days, left.holes, place)
        self._unwritten = Changes()
        self._place = place.positions
        self._written = now_ns
        return len(left.bars) + len(left.days)

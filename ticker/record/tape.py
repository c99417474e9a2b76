"""The recording of one feed: the events of its segment, hour by hour, into files.

In: the feed's segment, read as a gateway reads it. Out: files (files.py). Owned by a recorder.
`gather` follows the rings, which wait for no reader; `write` waits for the disk. They run in
different threads where a server is recorded, and after each other where a capture is.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import ticker
from ticker.record.columns import Taken
from ticker.record.files import PARQUET, HourFile
from ticker.record.gather import DONE, NEXT_HOUR, Gather
from ticker.record.lost import Losses
from ticker.record.schema import FORMAT, SCHEMA, Names, batch_of
from ticker.record.states import EventKind
from ticker.shm.counters import Heartbeat
from ticker.shm.header import Mapping
from ticker.shm.layout import FEED_STATES
from ticker.shm.table import PriceTable

BATCH = 131_072
"""Events that are written at once."""
MOST_WAITING = 16
"""Batches that wait for a disk that takes nothing; then the oldest is dropped, and said to be."""
FEW = 2
NOTES = 3
"""Events of the feed that one look can bring, with one gap."""


@dataclass(frozen=True)
class Batch:
    """Events of one hour, which counts from the epoch; `told`: records that these events say were
    lost before."""

    hour: int
    taken: Taken
    told: int

    @property
    def events(self) -> int:
        return self.taken[0]


class Tape:
    """The feed of a segment, recorded from now on.

    Args:
        timezone: of the feed; who reads the files may want to know it.
        batch: events that are written at once, at most.
        most_waiting: batches that wait for the disk, at most.

    Attributes:
        events: on the disk.
        dropped: events that waited for the disk for too long.
        written_bytes: all that went to the disk.
    """

    suffix = PARQUET

    def __init__(
        self,
        mapping: Mapping,
        feed: str,
        folder: Path,
        timezone: str,
        *,
        batch: int = BATCH,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self.feed = feed
        self.folder = folder
        self.gatherer = Gather(mapping, batch)
        self.names = Names(PriceTable(mapping))
        self.heartbeat = Heartbeat(mapping)
        described = {
            "format": FORMAT,
            "feed": feed,
            "timezone": timezone,
            "rings": mapping.ring_count,
            "rows": mapping.row_capacity,
            "version": ticker.__version__,
        }
        self.schema = SCHEMA.with_metadata({"ticker": json.dumps(described)})
        self.file: HourFile | None = None
        self.waiting: deque[Batch] = deque()
        self.most_waiting = most_waiting
        self.events = self.dropped = self.written_bytes = 0
        self._lock = threading.Lock()
        self._lapped = self._untold = self._told = 0
        self._losses = Losses(mapping)
        self._state = ""
        self._epoch = 0

    # -- the thread that follows the rings -------------------------------------------------

    @property
    def lapped(self) -> int:
        """Records that were overwritten before they were read."""
        return self.gatherer.lapped

    def gather(self, *, whole: bool = False) -> int:
        """Take in the new records of the rings; returns their number. `whole`: nobody is publishing
        now, so all of them are complete."""
        found = self.gatherer.sweep()
        while True:
            state = self.gatherer.emit(whole=whole)
            if state == DONE:
                break
            if self.gatherer.columns.used:
                self._take()
            if state == NEXT_HOUR:
                self.gatherer.begin_hour()
        self._note()
        return found

    def look(self) -> None:
        """Look at all rows: once a second is often enough."""
        self.gatherer.look()

    def take(self, *, last: bool = False) -> None:
        """Queue the gathered events for writing. While the disk fails, they wait until they are a
        whole batch, or the `last` one."""
        if self.gatherer.columns.used and (last or len(self.waiting) < FEW):
            self._take()

    def _take(self) -> None:
        batch = Batch(self.gatherer.hour, self.gatherer.columns.take(), self._told)
        self._told = 0
        with self._lock:
            self.waiting.append(batch)
            if len(self.waiting) <= self.most_waiting:
                return
            oldest = self.waiting.popleft()
            self.dropped += oldest.events
            self._untold += oldest.events + oldest.told
        self.gatherer.begin_hour()  # what was dropped may have had images of rows

    def _note(self) -> None:
        """Events of the feed, of no row."""
        columns = self.gatherer.columns
        if self.gatherer.hour < 0 or columns.capacity - columns.used < NOTES:
            return
        lapped = self.gatherer.lapped
        if lapped != self._lapped or self._untold:
            lost = lapped - self._lapped + self._untold
            self._tell(EventKind.EVENT_LAPPED, lost)
            self._told += lost
            self._lapped, self._untold = lapped, 0
            self.gatherer.look()
        for lost, gap in self._losses.new(columns.capacity - columns.used - 1):
            words = None if gap is None else gap.as_json()
            columns.note(int(EventKind.EVENT_GAP), self.gatherer.time, lost, words=words)
        state, epoch = self.heartbeat.state, self.heartbeat.epoch
        if (state, epoch) != (self._state, self._epoch):
            self._tell(EventKind.EVENT_FEED, epoch, FEED_STATES.index(state))
            self._state, self._epoch = state, epoch

    def _tell(self, kind: EventKind, count: int, state: int = 0) -> None:
        self.gatherer.columns.note(int(kind), self.gatherer.time, count, state)

    # -- the thread that waits for the disk ------------------------------------------------

    def write(self) -> int:
        """Write the waiting events; returns their number.

        Raises:
            OSError: the disk did not take it. The next call tries again.
        """
        events = 0
        while self.waiting:
            batch = self.waiting[0]
            if self.file is None or self.file.hour != batch.hour:
                if self.file is not None:
                    self._close()
                self.file = HourFile(self.folder, self.feed, batch.hour, self.schema)
            self.file.write(batch_of(batch.taken, self.names))
            events += batch.events
            self.events += batch.events
            with self._lock:
                if self.waiting and self.waiting[0] is batch:
                    self.waiting.popleft()
        return events

    def commit(self) -> None:
        """Commit: the written events are readable from now on, even if this process dies.

        Raises:
            OSError: the disk did not take it.
        """
        if self.file is not None:
            self.written_bytes += self.file.commit()

    def _close(self) -> None:
        self.commit()
        self.file = None

    def close(self) -> None:
        """Write the waiting events, and close the file. Raises OSError."""
        self.write()
        self._close()

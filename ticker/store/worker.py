"""The store worker: a process that writes prices to the disk, and makes bars.

In: the feeds' segments. Out: snapshots of last prices (last.py), days and bars (chronicle.py), bars
in motion (live/motion.py). One thread follows the rings, which do not wait for a reader; another
waits for the disk. A third waits for the database, where there is one.

`run` is called by the supervisor in a forked child and returns when the worker was told to stop.
It reads segments like a gateway. No feed and no gateway ever waits for it, and no fault of the
disk or the database ends it: a fault is a state, a counter and a line in the log, and the next turn
tries again.
"""

from __future__ import annotations

import errno
import gc
import os
import signal
import threading
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

import structlog

from ticker.clock import Clock, now_ns, steady_ns
from ticker.config import Config
from ticker.config.store import database_url
from ticker.shm.counters import Counters, Heartbeat
from ticker.shm.header import KIND_FEED, KIND_STORE
from ticker.shm.segment import attach
from ticker.store.chronicle import AT_ONCE, Chronicle, Writer
from ticker.store.context import StoreContext
from ticker.store.days import Days
from ticker.store.disk.generations import disk_bytes
from ticker.store.disk.steps import Steps
from ticker.store.last import FeedSnapshots, read_snapshots
from ticker.store.live.motion import Motion
from ticker.store.snapshot import Image
from ticker.store.sqlite import History

log = structlog.get_logger()

BEAT = 0.25
"""s between two signs of life, at the end."""
FEEDS_LEAVE = 3.0
"""s for the feeds to end, at the end."""
STEP = 0.02
POLL = 0.05
"""s between two reads of the rings; they hold more records than come in that time."""
GARBAGE = 50_000
"""New objects between two searches for cycles: a commit makes many, and none of them is in one."""
COMMIT_TURNS = 10
"""Snapshots per commit of days and bars."""


def run(config: Config, context: StoreContext) -> None:
    """Write to the disk until SIGTERM or SIGINT, then once more.

    Raises:
        SegmentError: a segment is missing or not the expected one.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    StoreWorker(config, context).serve(stop)


class StoreWorker:
    """Takes a snapshot of each feed at each interval, and counts how that went."""

    def __init__(self, config: Config, context: StoreContext, clock: Clock = now_ns) -> None:
        self.config = config.store
        self.interval = config.store.interval
        self.kept = 1 << (config.store.kept_trades - 1).bit_length()
        self.context = context
        self.clock = clock
        self.segment = attach(context.segment, KIND_STORE, boot_id=context.boot_id, writable=True)
        self.heartbeat = Heartbeat(self.segment)
        self.counters = Counters(self.segment)
        self.steps = Steps(self.counters)
        self.feeds = {
            name: attach(segment, KIND_FEED, boot_id=context.boot_id)
            for name, segment in context.feeds
        }
        self.images = {name: Image(mapping, name) for name, mapping in self.feeds.items()}
        self.days: dict[str, Days] = {}
        """Of what the images copy: one walk over the rows serves both."""
        if self.keeps_history:
            self.days = {name: Days(image) for name, image in self.images.items()}
        self.snapshots: dict[str, FeedSnapshots] = {}
        self.history: Writer | None = None
        self.chronicles: dict[str, Chronicle] = {}
        self.motion: Motion | None = None
        if context.bars is not None:
            self.motion = Motion(
                context.bars,
                context.boot_id,
                self.feeds,
                context.gateways,
                self.kept,
                context.timezones,
            )
        self.turns = 0
        self.pruned: date | None = None
        self._done = threading.Event()
        self._fault: BaseException | None = None
        """Of a thread beside the main one."""

    @property
    def keeps_history(self) -> bool:
        return bool(self.config.history_days or self.config.bars_days)

    def serve(self, stop: threading.Event) -> None:
        """Work until `stop` is set, and write the last changes before returning."""
        self.heartbeat.take_over(os.getpid(), self.clock())
        gc.set_threshold(GARBAGE)
        beside = [self._beside(self._follow, stop)]
        if self.config.url is not None:
            beside.append(self._beside(self._commit, stop))
        due = time.monotonic()
        while not stop.is_set():
            now = time.monotonic()
            if now >= due:
                self.turn()
                due = max(due + self.interval, now)
            stop.wait(max(0.0, due - time.monotonic()))
        whole = self._await_feeds()
        self.turn(last=True)
        if whole and not any(self.steps.fails(_snapshot_of(feed)) for feed in self.feeds):
            self.heartbeat.leave()  # only now are the feeds' segments of no more use (instance.py)
        for thread in beside[1:]:
            thread.join()
        self._done.set()
        beside[0].join()
        if self.history is not None:
            self.history.close()

    def _beside(
        self, work: Callable[[threading.Event], None], stop: threading.Event
    ) -> threading.Thread:
        """A thread; `turn` raises its fault."""

        def run() -> None:
            try:
                work(stop)
            except BaseException as error:
                self._fault = error
                raise

        thread = threading.Thread(target=run, name=work.__name__, daemon=True)
        thread.start()
        return thread

    def _await_feeds(self) -> bool:
        """A supervisor that drains ends feeds first. One that was killed ends all at once, and
        what a feed still shows belongs into the last snapshot. Whether all have ended."""
        end = time.monotonic() + FEEDS_LEAVE
        while any(is_running(Heartbeat(each).pid) for each in self.feeds.values()):
            if time.monotonic() >= end:
                return False
            time.sleep(STEP)
        return True

    def turn(self, *, last: bool = False) -> None:
        """Write each feed's snapshot if a row has changed, and look at its days. Days and bars go
        to the disk every few turns, and in the `last` turn; to a database by `_commit`.

        Raises:
            RuntimeError: a thread has failed.
        """
        if self._fault is not None:
            raise RuntimeError("a thread of the store has failed") from self._fault
        local = self.config.url is None
        if local:
            self.commit(write=False)
        self._look()
        if local and any(days.ended for days in self.days.values()):
            self.commit()  # the snapshot is the only other place that has those days
        for feed in self.feeds:
            self.steps.take(_snapshot_of(feed), partial(self._snapshot, feed))
        if local and (last or self.turns % COMMIT_TURNS == COMMIT_TURNS - 1):
            self.commit(last=last)
        self.turns += 1
        self.counters.put("cpu_ns", time.process_time_ns())

    def _look(self) -> None:
        """At all rows; before the first look, at those of an earlier worker's snapshots."""
        for feed, image in self.images.items():
            days = self.days.get(feed)
            if days is None:
                image.look()
                continue
            if not self.turns:
                days.recall(read_snapshots(self.context.folder, feed)[0])
            days.look()

    def commit(self, *, write: bool = True, last: bool = False) -> None:
        """Begin the chronicles that were not begun; then `write` days and bars, all of them if it
        is the `last` time."""
        if not self.keeps_history:
            return
        slow = errno.ETIMEDOUT if self.config.url is None else errno.ETIME
        for feed in self.feeds:
            if write or feed not in self.chronicles:
                work = partial(self._chronicle, feed, write=write, last=last)
                self.steps.take(f"days and bars of {feed}", work, writes=write, slow=slow)
        if write:
            self.steps.take("old days and bars", self._tidy, slow=slow)
            self.steps.take("files of days and bars", self._look_at_files)

    def _snapshot(self, feed: str) -> None:
        if feed not in self.snapshots:
            self.snapshots[feed] = FeedSnapshots(
                self.feeds[feed], self.context.folder, feed, self.images[feed]
            )
        written = self.snapshots[feed].write(self.clock())
        if written:
            self.counters.add("snapshots")
            self.counters.add("snapshot_bytes", written)
        self.counters.put("snapshot_time_ns", self.clock())

    def _chronicle(self, feed: str, *, write: bool, last: bool) -> None:
        now = self.clock()
        if feed not in self.chronicles:
            if self.history is None:
                self.history = self._opened()
            first = self.heartbeat.epoch == 1
            self.chronicles[feed] = Chronicle(
                self.feeds[feed],
                feed,
                self.history,
                self.context.boot_id,
                now,
                self.kept,
                first=first,
                days=self.days[feed],
            )
        if not write:
            return
        chronicle = self.chronicles[feed]
        chronicle.read(now)
        try:
            self.counters.add("bars", chronicle.commit(now, last=last))
        finally:
            each = self.chronicles.values()
            self.counters.put("waiting", sum(one.waiting for one in each))
            self.counters.put("dropped", sum(one.dropped for one in each))

    def _opened(self) -> Writer:
        if self.config.url is None:
            return History(self.context.folder)
        from ticker.store.postgres import Database

        return Database(database_url(self.config.url), self.context.instance, self.context.folder)

    def _tidy(self) -> None:
        """After a commit: update the counters and the size, and delete old bars and days."""
        each = self.chronicles.values()
        self.counters.put("records_missed", sum(one.bars.skipped for one in each))
        self.counters.put("breaks_unmatched", sum(one.bars.unmatched for one in each))
        today = datetime.fromtimestamp(self.clock() / 1e9, UTC).date()
        if self.history is not None and self.pruned != today:
            days, bars = self.config.history_days, self.config.bars_days
            self.history.prune(today, history_days=days, bars_days=bars)
            self.pruned = today
        self.counters.put("disk_bytes", disk_bytes(self.context.folder))
        if self.history is not None and self.history.remote:
            self.counters.put("database_bytes", self.history.size())

    def _look_at_files(self) -> None:
        """What another program did to them is noticed here, not at the next start."""
        if isinstance(self.history, History):
            self.history.look()

    def _follow(self, stop: threading.Event) -> None:
        """Read the rings until `stop` is set. This thread does not wait for the disk, so its signs
        of life are the worker's, until all is written."""
        while not stop.wait(POLL):
            self.heartbeat.beat(self.clock())
            self.steps.watch()
            if self.motion is not None:
                self.motion.turn(self.clock(), steady_ns(), self._read)
            self._read()
        while not self._done.wait(BEAT):
            self.heartbeat.beat(self.clock())

    def _read(self) -> None:
        """Take in what the rings have, for days and bars."""
        for chronicle in tuple(self.chronicles.values()):
            while chronicle.read(self.clock()) >= AT_ONCE:
                self.heartbeat.beat(self.clock())
                time.sleep(0)  # the other thread's turn

    def _commit(self, stop: threading.Event) -> None:
        """Write days and bars to the database until `stop` is set, and once more."""
        self.commit(write=False)
        while not stop.wait(self.interval * COMMIT_TURNS):
            self.commit()
        self._await_feeds()
        self.commit(last=True)


def _snapshot_of(feed: str) -> str:
    """The name of a step."""
    return f"last prices of {feed}"


def is_running(pid: int) -> bool:
    """Whether there is such a process, and it has not ended."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return pid > 0 and state not in ("Z", "X")

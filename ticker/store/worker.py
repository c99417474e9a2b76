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
from ticker.errors import StoreError
from ticker.shm.counters import Counters, Heartbeat
from ticker.shm.header import KIND_FEED, KIND_STORE
from ticker.shm.segment import attach
from ticker.store.chronicle import AT_ONCE, Chronicle, Writer
from ticker.store.context import StoreContext
from ticker.store.days import Days
from ticker.store.generations import disk_bytes
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
COMMIT_TURNS = 10
"""Snapshots per commit of days and bars."""
SLOW = 5.0
"""s after which a write that does not come back is a fault of the disk."""
SAY_AGAIN = 60.0
"""s between two lines about the same fault."""
ADVICE = {
    errno.ENOSPC: "make room on the disk of [store] folder, or name another folder",
    errno.EDQUOT: "raise the quota of this user, or name another folder in [store]",
    errno.EROFS: "mount the disk of [store] folder writable, or name another folder",
    errno.EACCES: "give this user the folder of [store]",
    errno.ETIMEDOUT: "look at the disk of [store] folder, or name another folder",
    errno.ECONNREFUSED: "start the database server of [store] url, or correct its address",
    errno.EKEYREJECTED: "correct the user and password of [store] url, or the server's pg_hba.conf",
    errno.ENODEV: "create the database of [store] url, or name another",
    errno.EPERM: "grant the user of [store] url the right that the reason names",
    errno.EALREADY: "give each server a database or schema of its own, as the store's page says",
    errno.ETIME: "look at the load, locks and disk of the database server",
    errno.EUCLEAN: "move the file that the reason names away; a new one is begun",
    errno.EPROTONOSUPPORT: "move the files away, or start the newer version of ticker",
}


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

    def _follow(self, stop: threading.Event) -> None:
        """Read the rings until `stop` is set. This thread does not wait for the disk, so its signs
        of life are the worker's, until all is written."""
        while not stop.wait(POLL):
            self.heartbeat.beat(self.clock())
            self.steps.watch()
            if self.motion is not None:
                self.motion.turn(self.clock(), steady_ns())
            for chronicle in tuple(self.chronicles.values()):
                while chronicle.read(self.clock()) >= AT_ONCE:
                    self.heartbeat.beat(self.clock())
                    time.sleep(0)  # the other thread's turn
        while not self._done.wait(BEAT):
            self.heartbeat.beat(self.clock())

    def _commit(self, stop: threading.Event) -> None:
        """Write days and bars to the database until `stop` is set, and once more."""
        self.commit(write=False)
        while not stop.wait(self.interval * COMMIT_TURNS):
            self.commit()
        self._await_feeds()
        self.commit(last=True)


class Steps:
    """The calls that wait for the disk or the database, from any thread: a fault is a state, a
    counter and a line in the log."""

    def __init__(self, counters: Counters) -> None:
        self.counters = counters
        self._lock = threading.RLock()
        self._at: dict[int, tuple[str, float, int]] = {}
        """By thread the step that waits now, since when, and the fault of one that is slow."""
        self._said: dict[str, float] = {}
        self._failing: dict[str, int] = {}

    def take(
        self,
        what: str,
        work: Callable[[], None],
        *,
        writes: bool = True,
        slow: int = errno.ETIMEDOUT,
    ) -> None:
        """Call a step. A fault is counted and logged once a minute; the next turn tries again.
        Only a step that `writes` shows that a fault is over."""
        thread = threading.get_ident()
        self._at[thread] = what, time.monotonic(), slow
        try:
            work()
        except (OSError, StoreError) as error:
            self._fail(what, error.errno or 0, str(error))
        else:
            if writes:
                self._succeed(what)
        finally:
            del self._at[thread]
            self._succeed(f"{what}, in {SLOW:g} s")

    def fails(self, what: str) -> bool:
        """Whether a step failed at its last try."""
        return what in self._failing

    def watch(self) -> None:
        """A write that does not come back for SLOW seconds is a fault, too. Another thread than
        those that write calls this."""
        for step, since, slow in tuple(self._at.values()):
            what = f"{step}, in {SLOW:g} s"
            if time.monotonic() - since >= SLOW and what not in self._failing:
                self._fail(what, slow, "a write does not come back")

    def _fail(self, what: str, code: int, reason: str) -> None:
        with self._lock:
            self.counters.add("faults")
            now = time.monotonic()
            if what not in self._failing or now - self._said.get(what, 0.0) >= SAY_AGAIN:
                self._said[what] = now
                log.error(
                    "cannot be written",
                    what=what,
                    reason=reason,
                    advice=ADVICE.get(code, "see the reason; prices are served meanwhile"),
                )
            self._failing.pop(what, None)
            self._failing[what] = code
            self._show()

    def _succeed(self, what: str) -> None:
        with self._lock:
            if self._failing.pop(what, None) is not None:
                log.info("is written again", what=what)
                self._show()

    def _show(self) -> None:
        """The number of steps that fail, and the newest fault of those."""
        for code in self._failing.values():
            self.counters.put("fault", code)
        self.counters.put("failing", len(self._failing))


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

"""The store worker: a process that writes prices to the disk.

In: the feeds' segments. Out: snapshots of last prices (last.py), days and bars (chronicle.py). One
thread follows the rings, which do not wait for a reader; the other waits for the disk.

`run` is called by the supervisor in a forked child and returns when the worker was told to stop.
It reads segments like a gateway. No feed and no gateway ever waits for it, and no fault of the
disk ends it: a fault is a state, a counter and a line in the log, and the next turn tries again.
"""

from __future__ import annotations

import contextlib
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

from ticker.clock import Clock, now_ns
from ticker.config import Config
from ticker.errors import StoreError
from ticker.shm.counters import Counters, Heartbeat
from ticker.shm.header import KIND_FEED, KIND_STORE
from ticker.shm.segment import attach
from ticker.store.chronicle import AT_ONCE, Chronicle
from ticker.store.context import StoreContext
from ticker.store.history import History
from ticker.store.last import FeedSnapshots

log = structlog.get_logger()

BEAT = 0.25
"""s between two signs of life."""
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
        self.feeds = {
            name: attach(segment, KIND_FEED, boot_id=context.boot_id)
            for name, segment in context.feeds
        }
        self.snapshots: dict[str, FeedSnapshots] = {}
        self.history: History | None = None
        self.chronicles: dict[str, Chronicle] = {}
        self.turns = 0
        self.pruned: date | None = None
        self._reader_fault: BaseException | None = None
        self._at: tuple[str, float] | None = None
        """The step that goes to the disk now, and since when."""
        self._said: dict[str, float] = {}
        self._failing: set[str] = set()

    def serve(self, stop: threading.Event) -> None:
        """Work until `stop` is set, and write the last changes before returning."""
        self.heartbeat.take_over(os.getpid(), self.clock())
        reader = threading.Thread(target=self._follow, args=(stop,), daemon=True)
        reader.start()
        due = time.monotonic()
        while not stop.is_set():
            self.heartbeat.beat(self.clock())
            now = time.monotonic()
            if now >= due:
                self.turn()
                due = max(due + self.interval, now)
            stop.wait(min(BEAT, max(0.0, due - time.monotonic())))
        reader.join()
        self._await_feeds()
        self.turn(last=True)
        if self.history is not None:
            self.history.close()
        self.heartbeat.leave()

    def _await_feeds(self) -> None:
        """A supervisor that drains ends feeds first. One that was killed ends all at once, and
        what a feed still shows belongs into the last snapshot."""
        end = time.monotonic() + FEEDS_LEAVE
        while time.monotonic() < end and any(
            is_running(Heartbeat(each).pid) for each in self.feeds.values()
        ):
            time.sleep(STEP)

    def turn(self, *, last: bool = False) -> None:
        """Write each feed's snapshot if a row has changed. Days and bars are written every few
        turns, and in the `last` turn.

        Raises:
            RuntimeError: the reader of the rings has failed.
        """
        if self._reader_fault is not None:
            raise RuntimeError("the reader of the rings has failed") from self._reader_fault
        for feed in self.feeds:
            self._try(f"last prices of {feed}", partial(self._snapshot, feed))
        due = last or self.turns % COMMIT_TURNS == COMMIT_TURNS - 1
        if self.config.history_days or self.config.bars_days:
            for feed in self.feeds:
                work = partial(self._chronicle, feed, due=due)
                self._try(f"days and bars of {feed}", work, writes=due)
            if due:
                self._try("old days and bars", self._tidy)
        self.turns += 1
        self.counters.put("failing", len(self._failing))
        self.counters.put("cpu_ns", time.process_time_ns())

    def _snapshot(self, feed: str) -> None:
        if feed not in self.snapshots:
            self.snapshots[feed] = FeedSnapshots(self.feeds[feed], self.context.folder, feed)
        written = self.snapshots[feed].take(self.clock())
        if written:
            self.counters.add("snapshots")
            self.counters.add("snapshot_bytes", written)
        self.counters.put("snapshot_time_ns", self.clock())

    def _chronicle(self, feed: str, *, due: bool) -> None:
        """Look at the days, and if it is `due` commit them and the bars."""
        now = self.clock()
        if feed not in self.chronicles:
            if self.history is None:
                self.history = History(self.context.folder)
            self.chronicles[feed] = Chronicle(
                self.feeds[feed], feed, self.history, self.context.boot_id, now, self.kept
            )
        chronicle = self.chronicles[feed]
        chronicle.look()
        if due:
            chronicle.read(now)
            self.counters.add("bars", chronicle.write(now))

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

    def _follow(self, stop: threading.Event) -> None:
        """Read the rings until `stop` is set. `turn` raises a fault of this thread."""
        try:
            while not stop.wait(POLL):
                self.watch_disk()
                for chronicle in tuple(self.chronicles.values()):
                    while chronicle.read(self.clock()) >= AT_ONCE:
                        time.sleep(0)  # the other thread's turn
        except BaseException as error:
            self._reader_fault = error
            raise

    def watch_disk(self) -> None:
        """A write that does not come back for SLOW seconds is a fault, too. Another thread than
        the one that writes calls this."""
        at = self._at
        if at is None or time.monotonic() - at[1] < SLOW:
            return
        what = f"{at[0]}, in {SLOW:g} s"
        if what not in self._failing:
            self._fail(what, errno.ETIMEDOUT, "the disk is slow: a write does not come back")
            self.counters.put("failing", len(self._failing))

    def _try(self, what: str, work: Callable[[], None], *, writes: bool = True) -> None:
        """Call a step. A fault of the disk is counted and logged once a minute; the next turn tries
        again. Only a step that `writes` shows that a fault is over."""
        self._at = what, time.monotonic()
        try:
            work()
        except (OSError, StoreError) as error:
            self._fail(what, error.errno or 0, str(error))
        else:
            if writes:
                self._succeed(what)
        finally:
            self._at = None
            self._succeed(f"{what}, in {SLOW:g} s")

    def _fail(self, what: str, code: int, reason: str) -> None:
        self.counters.add("faults")
        self.counters.put("fault", code)
        now = time.monotonic()
        if what not in self._failing or now - self._said.get(what, 0.0) >= SAY_AGAIN:
            self._said[what] = now
            log.error(
                "cannot be written",
                what=what,
                reason=reason,
                advice=ADVICE.get(code, "see the reason; prices are served meanwhile"),
            )
        self._failing.add(what)

    def _succeed(self, what: str) -> None:
        if what in self._failing:
            self._failing.discard(what)
            log.info("is written again", what=what)


def disk_bytes(folder: Path) -> int:
    """Bytes of all files of the store. A file that disappears meanwhile counts 0."""
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            total += path.stat().st_size if path.is_file() else 0
    return total


def is_running(pid: int) -> bool:
    """Whether there is such a process, and it has not ended."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return pid > 0 and state not in ("Z", "X")

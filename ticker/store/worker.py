"""The process entry of the store worker: what must outlive the server goes to the disk.

`run` is called by the supervisor in a forked child and returns when the worker was told to stop.
It reads segments like a gateway. No feed and no gateway ever waits for it, and no fault of the
disk ends it: a fault is a state, a counter and a line in the log, and the next turn tries again.
"""

from __future__ import annotations

import errno
import os
import signal
import threading
import time
from collections.abc import Callable
from functools import partial

import structlog

from ticker.clock import Clock, now_ns
from ticker.config import Config
from ticker.errors import StoreError
from ticker.shm.counters import Counters, Heartbeat
from ticker.shm.header import KIND_FEED, KIND_STORE
from ticker.shm.segment import attach
from ticker.store.context import StoreContext
from ticker.store.last import FeedSnapshots

log = structlog.get_logger()

BEAT = 0.25
"""s between two signs of life."""
SAY_AGAIN = 60.0
"""s between two lines about the same fault."""
ADVICE = {
    errno.ENOSPC: "make room on the disk of [store] folder, or name another folder",
    errno.EDQUOT: "raise the quota of this user, or name another folder in [store]",
    errno.EROFS: "mount the disk of [store] folder writable, or name another folder",
    errno.EACCES: "give this user the folder of [store]",
}


def run(config: Config, context: StoreContext) -> None:
    """Write to the disk until SIGTERM or SIGINT; then once more, and return.

    Raises:
        SegmentError: a segment is not there or not the expected one.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    StoreWorker(config, context).serve(stop)


class StoreWorker:
    """Takes a snapshot of each feed at each interval, and counts how that went."""

    def __init__(self, config: Config, context: StoreContext, clock: Clock = now_ns) -> None:
        self.interval = config.store.interval
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
        self._said: dict[str, float] = {}
        self._failing: set[str] = set()

    def serve(self, stop: threading.Event) -> None:
        """Until `stop` is set; what moved since the last turn is written before it returns."""
        self.heartbeat.take_over(os.getpid(), self.clock())
        due = time.monotonic()
        while not stop.is_set():
            self.heartbeat.beat(self.clock())
            now = time.monotonic()
            if now >= due:
                self.turn()
                due = max(due + self.interval, now)
            stop.wait(min(BEAT, max(0.0, due - time.monotonic())))
        self.turn()
        self.heartbeat.leave()

    def turn(self) -> None:
        """Each feed's snapshot, where a row of it has moved."""
        begun = time.thread_time_ns()
        for feed in self.feeds:
            self._try(f"last prices of {feed}", partial(self._snapshot, feed))
        self.counters.put("failing", len(self._failing))
        self.counters.add("cpu_ns", time.thread_time_ns() - begun)

    def _snapshot(self, feed: str) -> None:
        if feed not in self.snapshots:
            self.snapshots[feed] = FeedSnapshots(self.feeds[feed], self.context.folder, feed)
        written = self.snapshots[feed].take(self.clock())
        if written:
            self.counters.add("snapshots")
            self.counters.add("snapshot_bytes", written)
        self.counters.put("snapshot_time_ns", self.clock())

    def _try(self, what: str, work: Callable[[], None]) -> None:
        """Do it; a fault of the disk is counted, said once a minute, and tried again next turn."""
        try:
            work()
        except (OSError, StoreError) as error:
            self.counters.add("faults")
            code = getattr(error, "errno", None) or 0
            self.counters.put("fault", code)
            now = time.monotonic()
            if what not in self._failing or now - self._said.get(what, 0.0) >= SAY_AGAIN:
                self._said[what] = now
                log.error(
                    "cannot be written",
                    what=what,
                    reason=str(error),
                    advice=ADVICE.get(code, "see the reason; prices are served meanwhile"),
                )
            self._failing.add(what)
        else:
            if what in self._failing:
                self._failing.discard(what)
                log.info("is written again", what=what)

"""The process of a feed that is a recording: its events at their pace, into the feed's segment.

The supervisor calls `run` in a forked child; it returns when the feed was told to stop. The
successor of a dead worker skips the events that its predecessor has published.
"""

from __future__ import annotations

import math
import signal
import threading
import time
from array import array
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from ticker.clock import now_ns, steady_ns
from ticker.config import FeedConfig
from ticker.feeds.workers.presence import Context, Presence
from ticker.record.events import Events
from ticker.record.playback.faults import Faults, Line
from ticker.record.playback.library import Recording
from ticker.record.player import Player
from ticker.shm import counters
from ticker.shm.counters import Counters
from ticker.shm.table import PriceTable

SECOND = 1_000_000_000
BEAT = 0.1
"""s between two signs of life."""
STEP = 2048
"""Events that are played at once, at most."""
READ = 0.06
"""s in which every reader has looked into the rings: the slowest one does each 50 ms."""
NAP = 0.002


@dataclass(frozen=True)
class Play:
    """The settings of a played recording.

    Attributes:
        since: publish time from which on events come at their pace; earlier ones come at once. ns.
        started: the moment at which `since` is played, by the steady clock. ns.
        speed: seconds of the recording in one second; infinite: as fast as readers can follow.
        shift: ns by which all times are moved.
    """

    recording: Recording
    since: int
    started: int
    speed: float = 1.0
    shift: int = 0
    faults: Faults | None = None
    seed: int = 0


def run(play: Play, config: FeedConfig, context: Context) -> None:
    """Play until SIGTERM or SIGINT; at the end of the recording the feed has ended, and its last
    prices stay.

    Raises:
        SegmentError: the segment is not there or not the expected one.
        StoreError: the recording cannot be read.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    PlayingWorker(play, config, context).serve(stop)


class PlayingWorker:
    """Plays into the segment of `context`."""

    def __init__(self, play: Play, config: FeedConfig, context: Context) -> None:
        self.play = play
        segment = context.attach()
        self.presence = Presence(config, segment, now_ns)
        self.presence.set_patience(config, 0)
        self.counters = Counters(segment)
        self.shown = newest(PriceTable(segment))
        self.player = Player(
            segment, context.ringer(), shift=play.shift, faulty=play.faults is not None
        )
        self.line = Line(play.faults, play.recording.timezone, play.seed) if play.faults else None
        self.most = segment.ring_capacity // 2
        self.paused_at = 0
        self.next_beat = 0.0

    def serve(self, stop: threading.Event) -> None:
        """Until `stop` is set. Raises StoreError."""
        self.presence.started(0, speed=self.play.speed, shift=self.play.shift)
        self.beat()
        self.player.silent = self.shown > 0
        for events in self.play.recording.events(self.play.since):
            if stop.is_set():
                break
            self._play(events, stop)
        self.player.flush()
        self.player.speak()
        if not stop.is_set():
            self.presence.show(counters.ENDED)
        while not stop.wait(BEAT):
            self.beat()
        self.presence.stopped()

    def beat(self) -> None:
        """A sign of life, if it is time."""
        now = time.monotonic()
        if now < self.next_beat:
            return
        self.next_beat = now + BEAT
        self.presence.heartbeat.beat(now_ns())
        if self.presence.state != counters.ENDED:
            self.presence.show(counters.LIVE)
            self.presence.heartbeat.heard(now_ns())

    def _play(self, events: Events, stop: threading.Event) -> None:
        """A batch, each event when it is time."""
        order: array[int] | None = None
        times: Sequence[int] = events.times
        if self.line is not None:
            order, times = self._arrivals(events, self.line)
        at = 0
        while at < len(times) and not stop.is_set():
            self.beat()
            due = self._due()
            if self.player.silent:
                shown = self.shown - self.play.shift
                if times[at] > shown:
                    self.player.speak()
                else:
                    due = shown
            end = min(bisect_right(times, due, at), at + STEP)
            if end == at:
                self.player.flush()
                stop.wait(NAP)
                continue
            if order is None:
                self.player.play(events, at, end)
            else:
                self.player.play(events, 0, events.count, order[at:end])
            at = end
            if self.player.written - self.paused_at >= self.most:
                self._let_them_read(stop)

    def _due(self) -> float:
        """The publish time up to which events are due."""
        play = self.play
        passed = steady_ns() - play.started
        if passed <= 0:
            return play.since - 1
        return math.inf if math.isinf(play.speed) else play.since + passed * play.speed

    def _let_them_read(self, stop: threading.Event) -> None:
        """Rings wait for nobody, so a fast player does."""
        self.player.flush()
        stop.wait(READ)
        self.paused_at = self.player.written

    def _arrivals(self, events: Events, line: Line) -> tuple[array[int], list[int]]:
        """The events that come by a line with faults, and when. One that comes twice is known by
        its place in its ring, and counted."""
        lost, doubled = line.lost, line.doubled
        order = line.order(events.times, events.images)
        if line.lost > lost:
            self.counters.add("lost_messages", line.lost - lost)
            self.counters.add("gap_messages", line.lost - lost)
            self.counters.add("gaps")
        if line.doubled > doubled:
            self.counters.add("duplicate_messages", line.doubled - doubled)
        latest = 0
        times = []
        for place in order:
            latest = max(latest, events.time(place))
            times.append(latest)
        return order, times


def newest(table: PriceTable) -> int:
    """The newest publish time of a table's rows, ns; 0: there are none."""
    rows = (table.values(row) for row in range(len(table)))
    return max((values["publish_time"] for values in rows if values is not None), default=0)

"""Bars in motion, kept up by the store worker: it follows the rings, and rings the gateways.

In: the feeds' segments, and the gateways', which say whether a client watches bars. Out: the
segment of bars. One thread calls `turn` often, and nobody waits for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from collections.abc import Mapping as Names
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from ticker.shm.bars.published import BarsWriter
from ticker.shm.counters import Heartbeat
from ticker.shm.doorbell import DoorbellRinger
from ticker.shm.header import KIND_BARS, KIND_GATEWAY, Mapping
from ticker.shm.segment import attach
from ticker.shm.shards.watchers import WatchedBars
from ticker.store.live.bars import LiveBars, day_later

SECOND = 1_000_000_000
AT_ONCE = 20_000
"""Records of a ring that are read before other threads run."""
MOST_UNCOUNTED = 3 / 8
"""Share of the trades that are kept, from which on they are counted sooner."""
SYMBOLS_AT_ONCE = 5_000
"""Symbols whose trades are counted before the rings are read again: a few ms of a core."""
UNWATCHED_NS = 10_000_000_000
"""How old the newest bars become while nobody watches any."""


class Motion:
    """The bars in motion of the feeds in `feeds`, by name. `segment` is that of bars, `gateways`
    are (segment name, eventfd) of each gateway slot, `kept` trades can be taken back. `timezones`:
    of feeds by name; the days of others have 24 hours.

    Raises:
        SegmentError: a segment is missing or not the expected one.
    """

    def __init__(
        self,
        segment: str,
        boot_id: int,
        feeds: Names[str, Mapping],
        gateways: Sequence[tuple[str, int]],
        kept: int,
        timezones: Names[str, str] | None = None,
    ) -> None:
        mapping = attach(segment, KIND_BARS, boot_id=boot_id, writable=True)
        zones = timezones or {}
        ends = [day_ends(zones[name]) if name in zones else day_later for name in feeds]
        self.live = LiveBars(list(feeds.items()), BarsWriter(mapping), kept, ends)
        self.heartbeats = [Heartbeat(each) for each in feeds.values()]
        self.epochs = [heartbeat.epoch for heartbeat in self.heartbeats]
        doors = [(attach(name, KIND_GATEWAY, boot_id=boot_id), fd) for name, fd in gateways]
        self.ringer = DoorbellRinger(doors)
        self.watchers = WatchedBars([gateway for gateway, _ in doors])
        self.watched = True
        self.caught_up = False
        self._due = 0
        """When the bars are made new though nobody watches them, by the steady clock."""

    def turn(
        self, now_ns: int, steady_ns: int, meanwhile: Callable[[], None] = lambda: None
    ) -> int:
        """Take in what has come. Then publish what has changed, if somebody watches, or for some
        seconds nobody did; how many bars. What came before the first turn is known to the gateways,
        but for the bars that still form. `meanwhile` is called while many trades are counted, for
        no ring waits for that."""
        self._look_for_restarts()
        self._take_in(steady_ns)
        watched = self.watchers.any()
        quiet = not (watched and self.watched)
        self.watched = watched
        if not watched and steady_ns < self._due and self.live.uncounted < MOST_UNCOUNTED:
            return 0
        self._due = steady_ns + UNWATCHED_NS
        while not self.live.count(sparse=not watched, symbols=SYMBOLS_AT_ONCE):
            self._take_in(steady_ns)
            meanwhile()
        self.live.close(steady_ns)
        published = self.live.publish(now_ns, only_forming=not self.caught_up, quiet=quiet)
        self.caught_up = True
        if watched and quiet:
            self.live.look_again()
        if watched and (published or quiet):
            self.ringer.ring_from_python()
        return published

    def _take_in(self, steady_ns: int) -> None:
        while self.live.take_in(steady_ns, AT_ONCE) >= AT_ONCE:
            time.sleep(0)  # the other thread's turn

    def _look_for_restarts(self) -> None:
        """While a feed's worker is replaced, trades may be missed."""
        for number, heartbeat in enumerate(self.heartbeats):
            if heartbeat.epoch != self.epochs[number]:
                if self.epochs[number]:
                    self.live.miss(number)
                self.epochs[number] = heartbeat.epoch


def day_ends(timezone: str) -> Callable[[int], int]:
    """The function that says when a day of this time zone ends, by its midnight: ns since the
    epoch. Twice a year that is after 23 or 25 hours."""
    zone = ZoneInfo(timezone)

    def end_of(midnight: int) -> int:
        day = datetime.fromtimestamp(midnight // SECOND, UTC).astimezone(zone)
        after = datetime.combine(day.date() + timedelta(days=1), day.time(), zone)
        return int(after.timestamp()) * SECOND

    return end_of

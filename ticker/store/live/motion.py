"""Bars in motion, kept up by the store worker: it follows the rings, and rings the gateways.

In: the feeds' segments. Out: the segment of bars. One thread calls `turn` often, and nobody waits
for it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping as Names
from collections.abc import Sequence

from ticker.shm.bars.published import BarsWriter
from ticker.shm.counters import Heartbeat
from ticker.shm.doorbell import DoorbellRinger
from ticker.shm.header import KIND_BARS, KIND_GATEWAY, Mapping
from ticker.shm.segment import attach
from ticker.store.live.bars import LiveBars

AT_ONCE = 20_000
"""Records of a ring that are read before other threads run."""


class Motion:
    """The bars in motion of the feeds in `feeds`, by name. `segment` is that of bars, `gateways`
    are (segment name, eventfd) of each gateway slot, `kept` trades can be taken back.

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
    ) -> None:
        mapping = attach(segment, KIND_BARS, boot_id=boot_id, writable=True)
        self.live = LiveBars(list(feeds.items()), BarsWriter(mapping), kept)
        self.heartbeats = [Heartbeat(each) for each in feeds.values()]
        self.epochs = [heartbeat.epoch for heartbeat in self.heartbeats]
        self.ringer = DoorbellRinger(
            [(attach(name, KIND_GATEWAY, boot_id=boot_id), fd) for name, fd in gateways]
        )
        self.caught_up = False

    def turn(self, now_ns: int, steady_ns: int) -> int:
        """Take in what has come, and publish what has changed; how many bars. What came before
        the first turn is known to the gateways, but for the bars that still form."""
        self._look_for_restarts()
        while self.live.read(steady_ns, AT_ONCE) >= AT_ONCE:
            time.sleep(0)  # the other thread's turn
        self.live.close(steady_ns)
        published = self.live.publish(now_ns, only_forming=not self.caught_up)
        self.caught_up = True
        if published:
            self.ringer.ring_from_python()
        return published

    def _look_for_restarts(self) -> None:
        """While a feed's worker is replaced, trades may be missed."""
        for number, heartbeat in enumerate(self.heartbeats):
            if heartbeat.epoch != self.epochs[number]:
                if self.epochs[number]:
                    self.live.miss(number)
                self.epochs[number] = heartbeat.epoch

"""How often clients are flushed, by the load of the worker: the control law of `pace = "adaptive"`.

In: what a worker used and left undone over a while. Out: the interval between two flushes of a
client, and the gap between two bursts of sends. No clock and no I/O: the caller measures.

Law: both follow from one number, the smoothed load, and only grow with it. So the worker comes to
rest where an interval asks for just the load that it stands for, and comes to the same place from
above and from below. docs/decisions/pace.md has the reasons for the constants.
"""

from __future__ import annotations

import math
from typing import NamedTuple

# Loads, as shares of one core.
COMFORT = 0.5  # up to here clients are flushed as often as the floor allows
FULL = 0.85  # here the interval is the configured one
GATHER = 0.25  # from here on sends wait for each other

# s of the past that the load is a mean of; longer with the interval, since a longer interval shows
# its effect later.
MEMORY = 0.25
MEMORY_INTERVALS = 5.0

LEAST_GAP = 200_000  # ns
COMFORTABLE_GAPS = 16  # gaps in an interval at COMFORT: the wait for a burst stays below 1 ms
FULL_GAPS = 4  # from FULL on: two turns of the wheel (wheel.pxd)
MANY = 5_000.0  # flushes per second from which gathering is worth all of its wait


class Sample(NamedTuple):
    """What happened in `elapsed` ns: CPU time of the worker's loop, the time in which clients
    waited for another turn since one had no time left for them, both in ns, and the flushes of
    clients."""

    elapsed: int
    cpu: int
    backlog: int
    flushes: int


class Law:
    """Times in ns. `interval` is between `floor` and `ceiling`, and at most `configured` below the
    load FULL. A floor above `configured`, or a ceiling below it, counts as `configured`. Where all
    three are the same, the pace is fixed: only the load changes."""

    def __init__(self, floor: int, configured: int, ceiling: int) -> None:
        self.floor = min(floor, configured)
        self.configured = configured
        self.ceiling = max(ceiling, configured)
        self.load = 0.0
        self.flush_rate = 0.0  # per second
        self.interval = self.floor
        self.gap = LEAST_GAP

    def observe(self, sample: Sample) -> None:
        """Take the measurements since the last call into the load, the interval and the gap."""
        if sample.elapsed <= 0:
            return
        # A worker that shares its core uses less of it than it needs: then clients wait.
        share = min(max(sample.cpu, sample.backlog) / sample.elapsed, 1.0)
        seconds = sample.elapsed / 1e9
        memory = max(MEMORY, MEMORY_INTERVALS * self.interval / 1e9)
        weight = 1.0 - math.exp(-seconds / memory)
        self.load += weight * (max(share, 0.0) - self.load)
        self.flush_rate += weight * (sample.flushes / seconds - self.flush_rate)
        self.interval = self.interval_at(self.load)
        self.gap = self.gap_at(self.load, self.flush_rate)

    def interval_at(self, load: float) -> int:
        """The interval that goes with a load."""
        if load <= COMFORT:
            return self.floor
        if load <= FULL:
            return round(_between(self.floor, self.configured, (load - COMFORT) / (FULL - COMFORT)))
        return round(_between(self.configured, self.ceiling, (load - FULL) / (1.0 - FULL)))

    def gap_at(self, load: float, flush_rate: float) -> int:
        """The gap between two bursts that goes with a load and with so many flushes per second."""
        interval = self.interval_at(load)
        if self.floor == self.ceiling:
            return LEAST_GAP
        if load <= COMFORT:
            full = _between(
                LEAST_GAP, interval / COMFORTABLE_GAPS, max(load - GATHER, 0.0) / (COMFORT - GATHER)
            )
        else:
            along = min((load - COMFORT) / (FULL - COMFORT), 1.0)
            full = interval / _between(COMFORTABLE_GAPS, FULL_GAPS, along)
        return round(_between(LEAST_GAP, max(full, LEAST_GAP), min(flush_rate / MANY, 1.0)))

    @property
    def gathers(self) -> bool:
        """Whether clients that wait for their turn wait for each other, too."""
        return self.load > COMFORT


def _between(first: float, last: float, along: float) -> float:
    """From `first` to `last` by equal factors: at 0 the one, at 1 the other."""
    return float(first * (last / first) ** along)

"""Rates that clients ask for, as turns of the wheel.

In: updates per second and a pace. Out: turns between two flushes of a client, and the rate that
they come to.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ticker.gateway.pacing.law import LEAST_GAP

NS = 1_000_000_000
TURNS = 4
"""Turns of the wheel in a flush interval (wheel.pxd)."""
MOST_TURNS = 60_000
PACES = ("steady", "immediate", "saver")
"""Paces that a client may ask for, by their numbers; see messages.py."""
STEADY, IMMEDIATE, SAVER = range(len(PACES))
SAVER_RATE = 1.0
"""Flushes per second of a client that saves its battery."""
NEARLY = 1e-6
"""A rate that is a whole number of intervals but for rounding is that number."""


@dataclass(frozen=True)
class Rates:
    """`interval`: the configured one. `floor`: between two flushes of a client at least; at a fixed
    pace the same. Both in ns. `paced`: the interval follows the load."""

    interval: int
    floor: int
    paced: bool

    def turns_of(self, rate: float) -> int:
        """Turns of a quarter of the configured interval, for at most so many flushes per second; 0:
        as often as the server flushes. An interval longer than the configured one is a whole number
        of it, so that clients come to share turns, and frames with them."""
        own = NS / rate
        if own <= self.floor * (1 + NEARLY):
            return 0
        if own <= self.interval * (1 + NEARLY):
            return min(math.ceil(own * TURNS / self.interval - NEARLY), TURNS)
        return min(TURNS * math.ceil(own / self.interval - NEARLY), MOST_TURNS)

    def settle(self, rate: float, pace: int) -> tuple[int, bool]:
        """(turns, whether each change goes out as it comes) of a client with a pace that has asked
        for at most so many flushes per second, 0: it has not. A rate bounds every pace."""
        turns = self.turns_of(rate) if rate else 0
        if pace == SAVER:
            turns = max(turns, self.turns_of(SAVER_RATE))
        return turns, pace == IMMEDIATE and not rate

    def rate_of(self, turns: int, at_once: bool = False) -> float:
        """Flushes per second at most, with so many turns between two; `at_once`: as often as there
        are bursts of sends."""
        if at_once:
            return NS / LEAST_GAP
        return TURNS * NS / (self.interval * turns) if turns else NS / self.floor

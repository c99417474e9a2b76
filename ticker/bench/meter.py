"""Was the generator good enough? How busy it was, and whether its trades came when they were due.

Law: a run in which the generator was the bottleneck says so, and is void.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ticker.bench import machine
from ticker.bench.part import Part

if TYPE_CHECKING:
    from ticker.bench.rig import Cores

BOTTLENECK = 0.95  # of a core: what the generator may take, or one of its processes
PUNCTUAL = 0.97  # of the trades that were due


@dataclass(frozen=True)
class Pace:
    """Trades that were due since start_ticks and those that were made; the most that one was
    late, which no client's latency has in it: a trade's time is that of its publication."""

    due: int
    traded: int
    late_ns: int

    @property
    def failed(self) -> str | None:
        """Why the load was not what was asked for, None when it was."""
        if self.traded >= PUNCTUAL * self.due:
            return None
        return f"{self.traded} trades were made where {self.due} were due"

    def as_dict(self) -> dict[str, float]:
        """For a report."""
        return {
            "due": self.due,
            "traded": self.traded,
            "late_max_ms": round(self.late_ns / 1e6, 3),
        }


class Meter:
    """How busy the generator and its cores are over a stretch of time."""

    def __init__(self, cores: Cores, parts: list[Part]) -> None:
        self._cores = cores
        self._parts = parts
        self._begin = self._now()

    def _now(self) -> tuple[float, list[int], dict[int, int]]:
        busy = {core: machine.busy_ticks(core) for core in self._cores.others}
        return time.monotonic(), [part.cpu_ns for part in self._parts], busy

    def read(self) -> dict[str, float]:
        """Shares of 1: `generator` of one core, `busiest_process` of it, and `busiest_core` of the
        generator's cores, whoever used it."""
        begin, cpu, busy = self._begin
        now, cpu_now, busy_now = self._now()
        seconds = now - begin
        tick = os.sysconf("SC_CLK_TCK")
        each = [
            (after - before) / 1e9 / seconds for before, after in zip(cpu, cpu_now, strict=True)
        ]
        return {
            "generator": sum(each),
            "busiest_process": max(each, default=0.0),
            "busiest_core": max((busy_now[core] - busy[core]) / tick / seconds for core in busy),
        }

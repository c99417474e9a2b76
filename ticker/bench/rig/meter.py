"""Was the generator good enough? How busy it was, and whether its trades came when they were due.

Law: a run in which the generator was the bottleneck says so, and is void.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

from ticker.bench.report import machine
from ticker.bench.rig.load import Cores
from ticker.bench.rig.part import Part

BOTTLENECK = 0.95  # of a core: what the generator may take, or one of its processes
PUNCTUAL = 0.97  # of the trades that were due


@dataclass(frozen=True)
class Pace:
    """Trades that were due since start_ticks and those that were made; the most that one was
    late, which no client's latency has in it: a trade's time is that of its publication."""

    due: int = 0
    traded: int = 0
    late_ns: int = 0

    @property
    def kept(self) -> float:
        """The share of the trades that were due that were made."""
        return self.traded / self.due if self.due else 1.0

    def __add__(self, other: Pace) -> Pace:
        late = max(self.late_ns, other.late_ns)
        return Pace(self.due + other.due, self.traded + other.traded, late)

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
        generator's cores, by all processes; `idlest_core` where the server shares them all."""
        begin, cpu, busy = self._begin
        now, cpu_now, busy_now = self._now()
        seconds = now - begin
        tick = os.sysconf("SC_CLK_TCK")
        each = [
            (after - before) / 1e9 / seconds for before, after in zip(cpu, cpu_now, strict=True)
        ]
        cores = [(busy_now[core] - busy[core]) / tick / seconds for core in busy]
        shared = {"idlest_core": min(cores)} if self._cores.tested in busy else {}
        return {
            "generator": sum(each),
            "busiest_process": max(each, default=0.0),
            "busiest_core": max(cores),
            **shared,
        }


def void_reason(busy: dict[str, float], pace: Pace, lost: int) -> str | None:
    """The reason why a run is void, or None: by the figures of `Meter.read`, late trades, or
    disconnected clients. A core shared with the server may be full because of the server; then the
    run is void only if no core has time left."""
    own = f"(the generator itself took {busy['generator']:.0%})"
    core = busy.get("idlest_core", busy["busiest_core"])
    if busy.get("busiest_process", 0.0) > BOTTLENECK:
        return f"a process of the generator took {busy['busiest_process']:.0%} of a core"
    if core > BOTTLENECK:
        every = "every core" if "idlest_core" in busy else "a core"
        return f"{every} of the generator was {core:.0%} busy {own}"
    if pace.kept < PUNCTUAL:
        return f"{pace.traded} trades were made where {pace.due} were due"
    return f"{lost} clients were disconnected" if lost else None

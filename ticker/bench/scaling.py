"""Scaling: the cost of a delivery along one axis, with everything else constant.

Each point is a fan-out bench (fanout.run) with workers and clients of its own, and the C send loop
at the same number of sockets, in turns. A point in which the generator was the bottleneck is void,
and left out of the spread and the plot.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from ticker.bench import fanout
from ticker.bench.report import progress
from ticker.bench.rig.rig import Load

SEGMENT_SECONDS = 0.5
FEW_CLIENTS = 1000
SEGMENT_FLUSHES = 4
MOST_FLUSHES = 75_000  # of all clients of one worker, per second
RATIO = "cpu_ratio_to_send_loop"

Row = dict[str, Any]


@dataclass(frozen=True)
class Axis:
    """An axis with its `points`: it varies the field `name` of Load, or the load that `change`
    makes of a value; the rest is `load`."""

    name: str
    what: str
    points: tuple[int, ...]
    load: Load
    change: Callable[[Load, int], Load] | None = None

    def at(self, load: Load, value: int) -> Load:
        """The load of a point."""
        field: dict[str, Any] = {self.name: value}
        return self.change(load, value) if self.change else replace(load, **field)


def _worker_counts() -> tuple[int, ...]:
    return tuple(range(1, len(os.sched_getaffinity(0)) + 1))


def _crowded(load: Load, clients: int) -> Load:
    """A flush interval in which one worker can serve so many, and they can read it."""
    interval = max(load.flush_interval, clients / MOST_FLUSHES)
    return replace(load, clients=clients, flush_interval=interval)


def _hot(load: Load, subscribers: int) -> Load:
    return replace(load, popularity=f"hot:{subscribers}")


BASE = Load(clients=2000, symbols=1000, per_client=5)
AXES: dict[str, Axis] = {
    "clients": Axis(
        "clients", "clients per worker", (100, 500, 2000, 5000, 15_000), BASE, _crowded
    ),
    "symbols": Axis("symbols", "symbols", (10, 1000, 10_000, 50_000), BASE),
    "hot": Axis(
        "subscribers",
        "subscribers of one symbol",
        (1, 1500, 15_000),
        _crowded(BASE, 15_000),
        _hot,
    ),
    "per-client": Axis(
        "per_client", "symbols per client", (1, 5, 50, 200), replace(BASE, clients=200)
    ),
    "ticks": Axis(
        "ticks",
        "trades per symbol and flush interval",
        (1, 3, 10),
        replace(BASE, clients=200, symbols=10_000),
    ),
    "workers": Axis("gateways", "gateway workers", _worker_counts(), BASE),
}


def run(
    over: str, points: Iterable[int] = (), duration: float = 2.0, **changes: Any
) -> dict[str, Any]:
    """The points of one axis, its own unless others are given; `changes` to the fields of its
    load; `duration` is each side's measured time at each point, in seconds."""
    axis = AXES[over]
    base = replace(axis.load, **changes)
    rows = []
    for value in tuple(points) or axis.points:
        with progress.within(f"{value:,} {axis.what}"):
            rows.append({axis.name: value, **point(axis.at(base, value), duration)})
    return results(axis, rows)


def point(load: Load, duration: float) -> Row:
    """One point's load and figures, and under `run` all that its bench found. A turn of few
    clients is a few ms of CPU time, which takes more turns to be told from what comes between."""
    if load.clients < FEW_CLIENTS:
        duration *= 3
    segment = max(SEGMENT_SECONDS, SEGMENT_FLUSHES * load.flush_interval)
    found = fanout.run(load, duration, segment)
    counters = found["gateway_counters"]
    updates = max(1, counters["updates_sent"])
    per_flush = max(0.001, found["updates_per_client_flush"])
    return {
        "clients": load.clients,
        "symbols": load.symbols,
        "per_client": load.per_client,
        "flush_interval": load.flush_interval,
        "ticks": load.ticks,
        "gateways": load.gateways,
        RATIO: found[RATIO],
        "cpu_us_per_delivery": round(found["cpu_us_per_client_flush"] / per_flush, 3),
        "cpu_us_per_client_flush": found["cpu_us_per_client_flush"],
        "send_loop_us_per_send": found["send_loop_us_per_send"],
        "updates_per_client_flush": found["updates_per_client_flush"],
        "bytes_per_delivery": round(counters["bytes_sent"] / updates, 1),
        "deliveries_per_second": round(updates / found["seconds"]),
        "ticks_per_second": round(load.symbols * load.ticks / load.flush_interval),
        "encodes_per_delivery": round(counters["encoded"] / updates, 4),
        "generator_busiest_core": found["generator"]["busiest_core"],
        "void": found["void"],
        "run": found,
    }


def results(axis: Axis, rows: list[Row]) -> dict[str, Any]:
    """All points, how far their ratios lie apart, and which of them are void."""
    kept = [row for row in rows if not row["void"]]
    void = "; ".join(f"{axis.name} {row[axis.name]}: {row['void']}" for row in rows if row["void"])
    return {
        "over": axis.name,
        "what": axis.what,
        "points": rows,
        "cpu_ratio_spread": spread([row[RATIO] for row in kept]),
        "cpu_us_per_delivery_spread": spread([row["cpu_us_per_delivery"] for row in kept]),
        "void": void or None,
    }


def spread(figures: list[float]) -> float:
    """Largest to smallest, less one; 0 without figures."""
    return round(max(figures) / min(figures) - 1, 3) if figures else 0.0

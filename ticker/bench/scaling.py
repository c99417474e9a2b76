"""Scaling: what a delivery costs when one thing grows and the rest stays as it is.

Each point is a fan-out bench of its own (fanout.run), with workers and clients of its own and the
C send loop at the same number of sockets, in turns. A point in which the generator was the
bottleneck says so, and counts for neither the spread nor the plot.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from ticker.bench import fanout
from ticker.bench.rig import Load

SEGMENT_SECONDS = 0.5
RATIO = "cpu_ratio_to_send_loop"

Row = dict[str, Any]


@dataclass(frozen=True)
class Axis:
    """What grows: a field of Load, from the first to the last of `points`; the rest is `load`."""

    field: str
    what: str
    points: tuple[int, ...]
    load: Load


def _worker_counts() -> tuple[int, ...]:
    return tuple(range(1, len(os.sched_getaffinity(0)) + 1))


BASE = Load(clients=2000, symbols=1000, per_client=5)
AXES: dict[str, Axis] = {
    "clients": Axis("clients", "clients per worker", (100, 500, 2000, 5000, 15_000), BASE),
    "symbols": Axis("symbols", "symbols", (10, 100, 1000, 10_000, 50_000), BASE),
    "per-client": Axis(
        "per_client", "symbols per client", (1, 5, 20, 50, 200), replace(BASE, clients=200)
    ),
    "ticks": Axis(
        "ticks", "trades per symbol and flush interval", (1, 10, 100), replace(BASE, clients=1000)
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
    rows = [point(_with(base, axis, each), duration) for each in tuple(points) or axis.points]
    return results(axis, rows)


def _with(load: Load, axis: Axis, value: int) -> Load:
    changed: dict[str, Any] = {axis.field: value}
    return replace(load, **changed)


def point(load: Load, duration: float) -> Row:
    """One point's load and figures, and under `run` all that its bench found."""
    found = fanout.run(load, duration, SEGMENT_SECONDS)
    counters = found["gateway_counters"]
    updates = max(1, counters["updates_sent"])
    per_flush = max(0.001, found["updates_per_client_flush"])
    return {
        "clients": load.clients,
        "symbols": load.symbols,
        "per_client": load.per_client,
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
    void = "; ".join(
        f"{axis.field} {row[axis.field]}: {row['void']}" for row in rows if row["void"]
    )
    return {
        "over": axis.field,
        "what": axis.what,
        "points": rows,
        "cpu_ratio_spread": spread([row[RATIO] for row in kept]),
        "cpu_us_per_delivery_spread": spread([row["cpu_us_per_delivery"] for row in kept]),
        "void": void or None,
    }


def spread(figures: list[float]) -> float:
    """Largest to smallest, less one; 0 without figures."""
    return round(max(figures) / min(figures) - 1, 3) if figures else 0.0

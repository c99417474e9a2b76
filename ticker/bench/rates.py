"""Different `max_rate`s next to one: CPU per client flush for the same deliveries.

The same clients use in turn one rate for all, or different rates with the same mean, so both sides
get as many flushes. CPU is that of the whole
gateway process; the ratio is that of the medians.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

from ticker.bench.fanout import Measured, gateway_segment
from ticker.bench.latency import checks
from ticker.bench.rig.rig import Load, Rig

SEGMENT_SECONDS = 2.0
# (flush intervals between two updates, clients of 21): 70 flushes in 10 intervals
MIX = ((1, 3), (2, 2), (3, 3), (4, 2), (5, 5), (10, 4), (20, 2))
ONE = 3
SETTLE = 22  # flush intervals


def rates_of(interval: float) -> list[float]:
    """Updates per second of 21 clients; the slow ones stand among the fast ones."""
    every = [intervals for intervals, count in MIX for _ in range(count)]
    return [1 / (interval * every[place * 8 % len(every)]) for place in range(len(every))]


def run(load: Load, duration: float) -> dict[str, Any]:
    """CPU ratio of different rates to one; `duration` is each side's measured time in seconds."""
    sides = {"one": Measured(), "different": Measured()}
    told = {"one": [1 / (load.flush_interval * ONE)], "different": rates_of(load.flush_interval)}
    with Rig(load) as rig:
        clients = rig.swarm()
        gateway_segment(rig, clients, Measured(), load.warm_up)
        clients.ask("reset")
        for _ in range(max(2, round(duration / SEGMENT_SECONDS))):
            for name, measured in sides.items():
                clients.ask("configure", rates=told[name])
                time.sleep(SETTLE * load.flush_interval / 2)
                gateway_segment(rig, clients, measured, SEGMENT_SECONDS, SETTLE)
        return results(load, sides, clients.results())


def results(load: Load, sides: dict[str, Measured], seen: Any) -> dict[str, Any]:
    """The report's figures."""
    costs = {name: statistics.median(each.gateway) for name, each in sides.items()}
    found: dict[str, Any] = {"cpu_ratio_to_one_rate": round(costs["different"] / costs["one"], 3)}
    for name, each in sides.items():
        deltas, flushes = each.deltas, max(1, each.deltas["client_flushes"])
        found |= {
            f"{name}_cpu_us_per_client_flush": round(costs[name] / 1e3, 3),
            f"{name}_client_flushes_per_second": round(flushes / each.seconds),
            f"{name}_updates_per_client_flush": round(deltas["updates_sent"] / flushes, 3),
            f"{name}_segments_ns": [round(cost) for cost in each.gateway],
        }
    busy = {
        name: max(statistics.median(one[name] for one in each.loads[0]) for each in sides.values())
        for name in sides["one"].loads[0][0]
    }
    behind = sum(each.behind for each in sides.values())
    return {**found, **checks(load, seen, behind, busy, sides["different"].pace)}

"""Short runs of ingest, fan-out, latency, connections and capacity, in one report.

Law: each part is the bench of its name with less time, and has its whole report under that name. A
part that cannot run gives its reason, and the others go on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ticker.bench import capacity, connections, fanout, ingest, latency
from ticker.bench.report import progress
from ticker.bench.rig.rig import MOST_PER_PROCESS, Load
from ticker.errors import TickerError

MESSAGES = 2_000_000  # of the day that ingest replays
TURNS = 2
CONFIRM_SECONDS = 3.0
IDLE_CLIENTS = 5000  # at least: fewer tell little of what one takes

Part = Callable[[], dict[str, Any]]


def parts(load: Load, duration: float, bound_us: float) -> dict[str, Part]:
    """The parts, in their order."""
    idle = replace(load, clients=min(max(load.clients, IDLE_CLIENTS), MOST_PER_PROCESS))
    return {
        "ingest": lambda: ingest.replay("itch50", 5000, MESSAGES, 1, TURNS),
        "fanout": lambda: fanout.run(load, duration),
        "latency": lambda: latency.run(load, duration),
        "connections": lambda: connections.run(idle),
        "capacity": lambda: capacity.run(
            load, "clients", bound_us, confirm_seconds=min(duration, CONFIRM_SECONDS)
        ),
    }


def run(load: Load, duration: float, bound_us: float) -> dict[str, Any]:
    """The report of each part by its name; `duration` is that of each, in seconds, where it has
    one. `void` says which parts tell nothing."""
    found = {}
    for name, part in parts(load, duration, bound_us).items():
        with progress.within(name):
            progress.say("begins")
            try:
                found[name] = part()
            except TickerError as error:
                found[name] = {"void": f"it did not run: {error}"}
    void = "; ".join(f"{name}: {each['void']}" for name, each in found.items() if each["void"])
    return {**found, "void": void or None}

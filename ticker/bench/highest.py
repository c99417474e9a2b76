"""The highest rate of messages that the box handles together with its clients.

Short runs double the rate until one fails, and then halve the interval. A run of the whole duration
confirms the result; if it fails, a slightly lower rate is tried.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ticker.bench import box as bench
from ticker.bench.box import BOUND_MS, BoxLoad

GROWTH = 1.5
RESOLUTION = 0.1
"""Precision of the search, as a share of the rate."""
BACK = 0.95
CONFIRMATIONS = 3
LEAST = 1000.0
ONE_THREAD = ("simulator", "feed")
FULL = 0.85
"""Share of a core: a thread that needs more has no room for its bursts."""
STATED = ("messages_per_second", "trades_per_second", "updates_per_second", "update_p99_us")

Attempt = Callable[[float, float], dict[str, Any]]


def search(
    box: BoxLoad, step: float, duration: float, bound_ms: float = BOUND_MS
) -> dict[str, Any]:
    """The figures at the highest rate that passes a run of `duration` seconds, with `steps` of
    `step` seconds, and the long runs."""

    def attempt(rate: float, seconds: float) -> dict[str, Any]:
        return bench.run(replace(box, rate=rate), seconds, bound_ms)

    steps: list[dict[str, Any]] = []
    rate = bisect(box.rate, step, attempt, steps)
    for _ in range(CONFIRMATIONS):
        found = attempt(rate, duration)
        steps.append(stated(rate, duration, found))
        if not failed(found):
            break
        rate *= BACK
    return {"rate": round(rate), "limited_by": limit(steps), **found, "steps": steps}


def bisect(rate: float, seconds: float, attempt: Attempt, steps: list[dict[str, Any]]) -> float:
    """The highest rate that passed, to RESOLUTION; LEAST if none above it did."""
    low, high = 0.0, 0.0
    while not high or high - low > RESOLUTION * high:
        found = attempt(rate, seconds)
        steps.append(stated(rate, seconds, found))
        if failed(found):
            high = rate
        else:
            low = rate
        if high <= LEAST and high:
            break
        rate = (low + high) / 2 if high else low * GROWTH
    return max(low, LEAST)


def limit(steps: list[dict[str, Any]]) -> str | None:
    """The bottleneck at the lowest rate that failed; None if none failed."""
    failing = [each for each in steps if not each["holds"]]
    if not failing:
        return None
    lowest = min(failing, key=lambda each: float(each["rate"]))
    name = max(ONE_THREAD, key=lambda each: float(lowest[f"{each}_cpu"]))
    cpu = lowest[f"{name}_cpu"]
    if cpu >= FULL:
        return f"{name}: {cpu:.2f} of a core, and it has one thread"
    return f"no process alone, {lowest['cores_used']:.2f} cores together: {lowest['missed']}"


def failed(found: dict[str, Any]) -> bool:
    """Whether a step failed or is void."""
    return bool(found["missed"] or found["void"])


def stated(rate: float, seconds: float, found: dict[str, Any]) -> dict[str, Any]:
    """A line of the table of steps."""
    return {
        "rate": round(rate),
        "seconds": seconds,
        "holds": not failed(found),
        **{name: found[name] for name in STATED},
        "messages_lost": found["messages_lost"],
        "cores_used": found["cores_used"],
        **{f"{name}_cpu": value for name, value in found["cpu"].items()},
        "missed": found["missed"],
    }

"""The highest rate of messages that the box carries together with its clients.

Short runs double in on it from the first rate; what they find is then held for the whole
duration, at a little less each time that it does not hold.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ticker.bench import box as bench
from ticker.bench.box import BOUND_MS, BoxLoad

GROWTH = 1.5
RESOLUTION = 0.1
"""Of the rate: how close the search comes."""
BACK = 0.95
CONFIRMATIONS = 3
LEAST = 1000.0
ONE_THREAD = ("simulator", "feed")
FULL = 0.85
"""Of a core: a thread that needs more has no room left for its bursts."""
STATED = ("messages_per_second", "trades_per_second", "updates_per_second", "update_p99_us")

Attempt = Callable[[float, float], dict[str, Any]]


def search(
    box: BoxLoad, step: float, duration: float, bound_ms: float = BOUND_MS
) -> dict[str, Any]:
    """The figures at the highest rate that holds for `duration` seconds; `steps` of `step`
    seconds on the way there, and the attempts at holding it."""

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
    """The highest rate that held, to RESOLUTION; LEAST, when none above it did."""
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
    """What was full at the lowest rate that did not hold; None when all held."""
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
    """It did not hold, or it measured others."""
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

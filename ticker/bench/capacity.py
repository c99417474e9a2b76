"""The highest load at which p99 stays under a bound and nothing is lost, by bisection.

Law: open loop. A step in which the generator was the bottleneck says nothing about the server: it
ends the search, and the result is then "at least", never the server's limit. A longer run confirms
the result before it is reported.
"""

from __future__ import annotations

import resource
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from ticker.bench import latency
from ticker.bench.report import progress
from ticker.bench.report.figures import SHORT
from ticker.bench.rig.rig import Load

STEPS = 8
STEP_SECONDS = 1.5
CONFIRM_SECONDS = 5.0
CONFIRMATIONS = 3
RESOLUTION = 0.07  # precision of the search, as a share of the load
BACK = 0.93  # the next share, when a load fails in the longer run
AIM = 0.92  # of the core that is nearest to full
FASTEST = 6.0  # times the load before, at most
RESERVE = 500  # descriptors of a gateway worker that are no client's
MOST_TICKS = 100_000.0
OK, GENERATOR, DESCRIPTORS = "holds", "generator", "descriptors"
LOSSES = ("lagged", "laps", "slow_closed")  # counters of the gateway that must not move

STATED = (
    "deliveries_per_second",
    "trades_per_delivery",
    "cpu_seconds_per_million_deliveries",
    "gateway_cpu",
)

Row = dict[str, Any]
Attempt = Callable[[float, float], Row]


@dataclass(frozen=True)
class Variable:
    """The variable load: a field of Load, its least and most, and whether it is a whole number."""

    field: str
    what: str
    least: float
    most: float
    whole: bool

    def of(self, load: Load, value: float) -> Load:
        """The load at that value."""
        changed: dict[str, Any] = {self.field: self.fit(value)}
        return replace(load, **changed)

    def fit(self, value: float) -> float:
        """The nearest value that it can have."""
        value = min(max(value, self.least), self.most)
        return round(value) if self.whole else round(value, 3)


def variable(vary: str) -> Variable:
    """`clients`, up to what a gateway worker has descriptors for, or `rate`: the trades per symbol
    and flush interval."""
    if vary == "rate":
        return Variable("ticks", "trades per symbol and flush interval", 0.01, MOST_TICKS, False)
    _, descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)
    return Variable("clients", "clients", 10, max(descriptors - RESERVE, 10), True)


@dataclass
class Search:
    """The steps so far: `low` is the highest good value, `high` the lowest bad one, and
    `bounded_by` its reason."""

    vary: Variable
    steps: list[Row] = field(default_factory=list)
    low: float = 0.0
    high: float = 0.0
    bounded_by: str = ""

    @property
    def near(self) -> bool:
        """Whether the search is precise enough."""
        if self.low >= self.vary.most or 0 < self.high <= self.vary.least:
            return True
        return self.high > 0 and self.high - self.low <= RESOLUTION * self.high

    def note(self, value: float, row: Row) -> None:
        """Take the result of a step at this value."""
        self.steps.append(row)
        if row["verdict"] == OK:
            self.low = max(self.low, value)
        elif not self.high or value < self.high:
            self.high, self.bounded_by = value, row["verdict"]

    def next(self, value: float, row: Row) -> float:
        """The middle between the good and the bad value. Before there are both, an estimate by the
        busiest core."""
        if self.high:
            return (self.low + self.high) / 2
        busy: float = max(row["gateway_cpu"], row["generator_busiest_core"], AIM / FASTEST)
        return value * max(AIM / busy, 1 + 2 * RESOLUTION)

    def run(self, start: float, seconds: float, attempt: Attempt) -> None:
        """Make steps until the search is precise enough, or their number is used up."""
        value = self.vary.fit(start)
        for number in range(1, STEPS + 1):
            with progress.within(f"step {number} of {STEPS} at most"):
                row = attempt(value, seconds)
            self.note(value, row)
            if self.near:
                return
            value = self.vary.fit(self.next(value, row))

    def confirm(self, seconds: float, attempt: Attempt) -> Row | None:
        """The longer run at the highest load that passes it; None if none does."""
        value = self.low
        for _ in range(CONFIRMATIONS if value else 0):
            with progress.within("confirming"):
                row = attempt(value, seconds)
            self.note(value, row)
            if row["verdict"] == OK:
                self.low = value
                return row
            value = self.vary.fit(value * BACK)
        return None


def run(
    load: Load,
    vary: str,
    bound_us: float,
    seconds: float = STEP_SECONDS,
    confirm_seconds: float = CONFIRM_SECONDS,
) -> dict[str, Any]:
    """The highest load with its cost, its bound, and all steps. The search begins at `load`; the
    headroom is relative to it."""
    varied = variable(vary)

    def attempt(value: float, seconds: float) -> Row:
        found = latency.run(varied.of(load, value), seconds)
        return step(varied.of(load, value), seconds, bound_us, found)

    search = Search(varied)
    search.run(getattr(load, varied.field), seconds, attempt)
    confirmed = search.confirm(confirm_seconds, attempt)
    return results(load, varied, bound_us, search, confirmed)


def step(load: Load, seconds: float, bound_us: float, found: dict[str, Any]) -> Row:
    """A line of the table of steps, and under `run` all that was measured."""
    sent = found["gateway_counters"]["updates_sent"]
    return {
        "clients": load.clients,
        "ticks": load.ticks,
        "seconds": seconds,
        "verdict": verdict(found, bound_us),
        **{f"update_{short}_us": found[f"update_{short}_us"] for short in SHORT},
        "update_count": found["update_count"],
        "deliveries_per_second": round(sent / seconds),
        "trades_per_delivery": trades_per_delivery(load, seconds, found),
        "gateway_cpu": found["gateway_cpu"],
        "cpu_seconds_per_million_deliveries": round(
            found["gateway_cpu"] * seconds * 1e6 / max(sent, 1), 3
        ),
        "generator_busiest_core": found["generator"]["busiest_core"],
        "run": found,
    }


def trades_per_delivery(load: Load, seconds: float, found: dict[str, Any]) -> float:
    """Above 1 where trades were conflated: by the sequence numbers that clients saw, and in the
    plain dialect, which has none, by the subscribed symbols' trades."""
    if load.encoding != "plain":
        seen: dict[str, int] = found["seen"]
        return round(1 + seen["merged"] / max(seen["updates"], 1), 3)
    sent: int = found["gateway_counters"]["updates_sent"]
    return round(load.clients * load.per_client * load.rate * seconds / max(sent, 1), 3)


def verdict(found: dict[str, Any], bound_us: float) -> str:
    """The verdict on a load: `holds`, or the reason why not. Updates that break the protocol are
    the server's fault, however busy the generator was; late or missing updates are not."""
    if found["violations"]:
        return "violations"
    if found["void"] and not found["clients_lost"]:
        return GENERATOR
    if found["clients_lost"]:
        return "clients lost"
    counters = {**found["gateway_counters"], "told": found["seen"]["lagged"]}
    if any(counters.get(name) for name in (*LOSSES, "told")):
        return "lagged"
    if found["prices_not_newest_at_end"]:
        return "not newest"
    if not found["update_count"]:
        return "no updates"
    return OK if found["update_p99_us"] < bound_us else "p99"


def results(
    load: Load, varied: Variable, bound_us: float, search: Search, confirmed: Row | None
) -> dict[str, Any]:
    """What goes into the report."""
    given = getattr(load, varied.field)
    reason = bounded_by(search)
    found: dict[str, Any] = {
        "vary": varied.what,
        "bound_us": bound_us,
        "bounded_by": reason,
        "steps": search.steps,
    }
    if confirmed is None:
        void = "no load held: the generator was the bottleneck" if reason == GENERATOR else None
        return {"capacity": f"none: no load held ({reason})", **found, "clients": 0, "void": void}
    reached = search.low
    at_least = "at least " if reason in (GENERATOR, DESCRIPTORS, "steps") else ""
    whole = confirmed["run"]
    held = varied.of(load, reached)
    return {
        "capacity": f"{at_least}{reached:,g} {varied.what}",
        **found,
        "clients": held.clients,
        "ticks": held.ticks,
        "trades_per_second": round(held.symbols * held.ticks / held.flush_interval),
        **{name: confirmed[name] for name in STATED},
        "headroom_of_core": round(1 - confirmed["gateway_cpu"], 3),
        "headroom_over_given": round(reached / given, 3),
        **{name: each for name, each in whole.items() if name.startswith("update_")},
        "violations": whole["violations"],
        "prices_not_newest_at_end": whole["prices_not_newest_at_end"],
        "clients_lost": whole["clients_lost"],
        "generator": whole["generator"],
        "void": None,
    }


def bounded_by(search: Search) -> str:
    """The bound that kept the search from a higher load."""
    if search.low >= search.vary.most:
        return DESCRIPTORS if search.vary.whole else "steps"
    return search.bounded_by if search.near or not search.low else "steps"

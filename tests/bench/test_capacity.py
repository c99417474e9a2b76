"""The search: good loads, its bounds, and a small real one."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from ticker.bench import capacity
from ticker.bench.capacity import GENERATOR, OK, RESOLUTION, STEPS, Search, Variable, verdict
from ticker.bench.latency import prefixed
from ticker.bench.report.figures import SHORT
from ticker.bench.rig.rig import Load

Require = Callable[[object, str], None]
CLIENTS = Variable("clients", "clients", 10, 20_000, True)
FINE = {
    "violations": {},
    "void": None,
    "clients_lost": 0,
    "seen": {"lagged": 0, "updates": 100, "merged": 50},
    "gateway_counters": {"updates_sent": 100, "laps": 0, "lagged": 0, "slow_closed": 0},
    "prices_not_newest_at_end": 0,
    "generator": {"busiest_core": 0.5},
    "gateway_cpu": 0.5,
    **prefixed("update", {"count": 100, **{f"{short}_us": 50_000.0 for short in SHORT}}),
}


def server(most: float, reason: str = "p99", per_client: float = 1e-4) -> capacity.Attempt:
    """One that holds up to `most`, and whose core fills as its clients grow."""

    def attempt(value: float, seconds: float) -> dict[str, Any]:
        return {
            "verdict": OK if value <= most else reason,
            "gateway_cpu": min(value * per_client, 1.0),
            "generator_busiest_core": 0.1,
            "seconds": seconds,
            "value": value,
        }

    return attempt


@pytest.mark.parametrize("most", [15, 700, 2000, 2001, 9500, 15_000])
@pytest.mark.parametrize("start", [10, 500, 2000, 20_000])
def test_the_search_comes_near_from_anywhere(most: float, start: float) -> None:
    search = Search(CLIENTS)
    search.run(start, 1.5, server(most))
    assert len(search.steps) <= STEPS
    assert search.low <= most
    if search.near:
        assert most < search.high
        assert search.high - search.low <= RESOLUTION * search.high
    assert capacity.bounded_by(search) in ("p99", "steps")


def test_a_generator_that_is_full_bounds_from_its_own_side() -> None:
    search = Search(CLIENTS)
    search.run(2000, 1.5, server(7000, GENERATOR))
    assert search.bounded_by == GENERATOR
    assert search.low <= 7000 < search.high


def test_the_descriptors_are_the_end() -> None:
    search = Search(CLIENTS)
    search.run(15_000, 1.5, server(1e9, per_client=1e-6))
    assert search.low == CLIENTS.most
    assert capacity.bounded_by(search) == "descriptors"
    assert len(search.steps) <= 2


def test_what_holds_in_a_step_and_not_for_longer_is_taken_back() -> None:
    def attempt(value: float, seconds: float) -> dict[str, Any]:
        return server(5000 if seconds < 3 else 4700)(value, seconds)

    search = Search(CLIENTS)
    search.run(5000, 1.5, attempt)
    held = search.confirm(5, attempt)
    assert held is not None
    assert held["seconds"] == 5
    assert search.low == held["value"] <= 4700
    assert search.bounded_by == "p99"


def test_nothing_holds() -> None:
    search = Search(CLIENTS)
    search.run(2000, 1.5, server(0))
    assert search.confirm(5, server(0)) is None
    found = capacity.results(Load(2000, 100, 5), CLIENTS, 250_000.0, search, None)
    assert found["capacity"] == "none: no load held (p99)"
    assert found["clients"] == 0
    assert found["void"] is None


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, OK),
        ({"update_p99_us": 250_000.0}, "p99"),
        ({"void": "a core of the generator was 99% busy"}, GENERATOR),
        ({"void": "a core was busy", "update_p99_us": 1e6}, GENERATOR),
        ({"void": "3 clients were disconnected", "clients_lost": 3}, "clients lost"),
        ({"void": "a core was busy", "violations": {"gaps": 1}}, "violations"),
        ({"seen": {"lagged": 1}}, "lagged"),
        ({"gateway_counters": {"laps": 1}}, "lagged"),
        ({"prices_not_newest_at_end": 1}, "not newest"),
        ({"update_count": 0}, "no updates"),
    ],
)
def test_what_a_step_says(changed: dict[str, Any], said: str) -> None:
    assert verdict({**FINE, **changed}, 250_000.0) == said


@pytest.mark.parametrize(("reason", "said"), [("p99", ""), (GENERATOR, "at least ")])
def test_a_limit_that_is_not_the_servers_is_at_least(reason: str, said: str) -> None:
    load = Load(clients=2000, symbols=100, per_client=5)
    search = Search(CLIENTS, low=4000, high=4200, bounded_by=reason)
    row = capacity.step(load, 2.0, 250_000.0, FINE)
    found = capacity.results(load, CLIENTS, 250_000.0, search, row)
    assert found["capacity"] == f"{said}4,000 clients"
    assert found["bounded_by"] == reason
    assert found["headroom_over_given"] == 2.0
    assert found["headroom_of_core"] == 0.5
    assert found["cpu_seconds_per_million_deliveries"] == 10_000.0
    assert found["trades_per_delivery"] == 2000 * 5 * 10 * 2 / 100
    assert found["update_p99_us"] == 50_000.0


def test_what_was_conflated_is_told_by_sequence_numbers_where_there_are_any() -> None:
    load = Load(clients=20, symbols=100, per_client=5, encoding="json")
    assert capacity.step(load, 2.0, 1e6, FINE)["trades_per_delivery"] == 1.5


def test_the_rate_is_varied_by_trades_per_symbol() -> None:
    rate = capacity.variable("rate")
    assert rate.of(Load(10, 100, 5), 12.34567).ticks == 12.346
    assert capacity.variable("clients").of(Load(10, 100, 5), 12.6).clients == 13


@pytest.mark.slow
@pytest.mark.parametrize("vary", ["clients", pytest.param("rate", marks=pytest.mark.stress)])
def test_a_real_search(vary: str, require: Require, monkeypatch: pytest.MonkeyPatch) -> None:
    require(len(os.sched_getaffinity(0)) > 1, "a bench needs two cores")
    monkeypatch.setattr(capacity, "STEPS", 2)
    load = Load(clients=10, symbols=20, per_client=2, flush_interval=0.02)
    found = capacity.run(load, vary, 2e6, seconds=0.3, confirm_seconds=0.4)
    assert 1 <= len(found["steps"]) <= 2 + capacity.CONFIRMATIONS
    assert {row["verdict"] for row in found["steps"]} <= {OK, GENERATOR, "p99"}, found["steps"]
    if found["void"] is None:  # others on this machine may fill the generator's core
        assert found["deliveries_per_second"] > 0
        assert found["clients"] >= 10
        assert found["cpu_seconds_per_million_deliveries"] > 0

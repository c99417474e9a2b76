"""The control law of the pace: its curve, and a simulated worker under it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.gateway.pacing.simulated import NS, Worker, demand
from ticker.gateway.pacing.law import COMFORT, FULL, LEAST_GAP, MANY, Law, Sample

MS = 1_000_000
FLOOR, CONFIGURED, CEILING = 10 * MS, 100 * MS, 400 * MS
SETTLED = 5.0  # s
RIPPLE = 1.25  # clients come in bursts, which the measured load has, too

times = st.integers(1 * MS, 60_000 * MS)
loads = st.floats(0, 1)
rates = st.floats(0, 1e6)


def law() -> Law:
    return Law(FLOOR, CONFIGURED, CEILING)


# The curve


@given(times, times, times, loads, loads, rates)
def test_interval_and_gap_only_grow_with_the_load(
    floor: int, configured: int, ceiling: int, one: float, other: float, rate: float
) -> None:
    made = Law(floor, configured, ceiling)
    low, high = sorted((one, other))
    assert made.interval_at(low) <= made.interval_at(high)
    assert made.gap_at(low, rate) <= made.gap_at(high, rate) + 1


@given(times, times, times, loads, rates)
def test_every_load_has_an_interval_within_the_bounds(
    floor: int, configured: int, ceiling: int, load: float, rate: float
) -> None:
    made = Law(floor, configured, ceiling)
    interval = made.interval_at(load)
    assert min(floor, configured) <= interval <= max(ceiling, configured)
    if load <= COMFORT:
        assert interval == min(floor, configured)
    if load <= FULL:
        assert interval <= configured, "the configured interval is the longest below saturation"
    gap = made.gap_at(load, rate)
    assert LEAST_GAP <= gap <= max(LEAST_GAP, interval // 4 + 1), "a burst is within a turn"


@given(loads, rates)
def test_the_curve_has_no_step(load: float, rate: float) -> None:
    near = min(load + 1e-4, 1.0)
    assert law().interval_at(near) <= 1.01 * law().interval_at(load)
    assert law().gap_at(near, rate) <= 1.01 * law().gap_at(load, rate) + 1


def test_the_ends_of_the_curve() -> None:
    made = law()
    assert [made.interval_at(load) for load in (0.0, COMFORT, FULL, 1.0)] == [
        FLOOR, FLOOR, CONFIGURED, CEILING,
    ]  # fmt: skip
    assert made.gap_at(0.1, MANY) == LEAST_GAP
    assert made.gap_at(COMFORT, MANY) == FLOOR // 16
    assert made.gap_at(FULL, MANY) == CONFIGURED // 4
    assert made.gap_at(FULL, 0.0) == LEAST_GAP, "few sends have nothing to wait for"


@given(loads, rates)
def test_a_fixed_pace_stands_still(load: float, rate: float) -> None:
    fixed = Law(CONFIGURED, CONFIGURED, CONFIGURED)
    fixed.observe(Sample(20 * MS, round(load * 20 * MS), 0, round(rate / 50)))
    assert (fixed.interval, fixed.gap) == (CONFIGURED, LEAST_GAP)


@given(
    st.lists(
        st.tuples(
            st.integers(-MS, 60_000 * MS), st.integers(0, 1 << 40), st.integers(0, 1 << 40),
            st.integers(0, 1 << 30),
        ),
        max_size=20,
    )
)  # fmt: skip
def test_any_measurements_leave_it_within_its_bounds(samples: list[tuple[int, ...]]) -> None:
    made = law()
    for sample in samples:
        made.observe(Sample(*sample))
        assert 0 <= made.load <= 1
        assert FLOOR <= made.interval <= CEILING
        assert LEAST_GAP <= made.gap <= CEILING // 4 + 1


def test_who_waits_counts_as_load_where_the_core_is_shared() -> None:
    made = law()
    for _ in range(200):
        made.observe(Sample(20 * MS, 6 * MS, 20 * MS, 1000))
    assert made.load > 0.95, "30% of a core is all that it gets"


# A worker under the law

# Of a client: updates per second; the clients follow from the load that they are wanted to make.
workers = st.tuples(st.floats(1.0, 200.0), st.floats(0.05, 3.0), st.floats(0.3, 1.0))


def steady(worker: Worker, rate: float, seconds: float) -> list[float]:
    """The intervals of the last seconds of a long time under one rate."""
    worker.run(SETTLED + seconds, rate)
    return [interval for when, interval in worker.intervals if when > worker.now - seconds]


def ripple(intervals: list[float]) -> float:
    """The longest by the shortest."""
    return max(intervals) / min(intervals)


def clients_for(load: float, rate: float, interval: float = CONFIGURED / NS) -> float:
    """As many as make this load, in cores, where all are flushed once in `interval` s."""
    one = Worker(law(), clients=1.0)
    return load / demand(one, rate, interval)


@settings(max_examples=12, deadline=None)
@given(workers)
def test_a_steady_load_has_a_steady_interval(case: tuple[float, float, float]) -> None:
    rate, load, core = case
    worker = Worker(law(), clients_for(load, rate), core=core)
    assert ripple(steady(worker, rate, 2.0)) <= RIPPLE, "no oscillation"


@settings(max_examples=12, deadline=None)
@given(workers)
def test_nobody_starves(case: tuple[float, float, float]) -> None:
    rate, load, core = case
    worker = Worker(law(), clients_for(load, rate), core=core)
    worker.run(SETTLED + 1.0, rate)
    # what it takes to serve all clients one after the other, each with all that came meanwhile
    round_trip = worker.clients * (worker.cost + worker.more * rate) / core
    longest = max(wait for when, wait in worker.waits if when > SETTLED)
    assert longest <= 2 * max(worker.interval, round_trip) + 0.05


def test_below_half_a_core_the_floor_holds() -> None:
    rate = 9.35
    worker = Worker(law(), clients_for(0.45, rate, FLOOR / NS))
    assert set(steady(worker, rate, 3.0)) == {FLOOR / NS}


def test_below_saturation_the_configured_interval_is_the_longest() -> None:
    rate = 50.0
    worker = Worker(law(), clients_for(0.8, rate))
    last = steady(worker, rate, 2.0)
    assert 0.5 * CONFIGURED / NS < max(last) <= CONFIGURED / NS


def test_above_it_the_interval_grows_until_the_worker_keeps_up() -> None:
    rate = 50.0
    worker = Worker(law(), clients_for(2.0, rate))
    last = steady(worker, rate, 2.0)
    assert 1.9 * CONFIGURED / NS < min(last) <= CEILING / NS
    recent = [load for when, load in worker.loads if when > worker.now - 1]
    assert max(recent) < 0.99, "it is busy, but not behind"
    recent = [wait for when, wait in worker.waits if when > worker.now - 1]
    assert max(recent) <= 1.5 * worker.interval


@pytest.mark.parametrize("rate", [20.0, 50.0, 150.0])
def test_a_jump_of_the_load_settles_in_time_and_back(rate: float) -> None:
    clients = clients_for(2.0, rate)
    quiet = 0.05 / (clients * 4e-6)  # updates per second of a client, for 5 % of a core
    worker = Worker(law(), clients)
    assert steady(worker, quiet, 1.0)[-1] == FLOOR / NS
    jump = worker.now
    after = steady(worker, rate, 3.0)
    assert ripple(after) <= RIPPLE, "settled 5 s after the jump"
    assert min(after) > 1.9 * CONFIGURED / NS
    waits = sorted(wait for when, wait in worker.waits if when > jump)
    assert waits[len(waits) * 99 // 100] <= 2 * CEILING / NS
    back = worker.now
    worker.run(SETTLED, quiet)
    assert worker.interval == FLOOR / NS, "and back"
    assert worker.now - back < SETTLED + 0.1

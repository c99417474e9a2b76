"""The wheel: each client at its turn, while the width of a turn changes."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from ticker.gateway.pacing.wheel import Wheel

MS = 1_000_000
TURNS = 4
FLOOR = 10 * MS
PLACES = 40

widths = st.lists(st.integers(FLOOR // TURNS, 100 * MS), min_size=1, max_size=12)
steps = st.lists(st.integers(MS // 2, 30 * MS), min_size=30, max_size=80)


def always_due(
    wheel: Wheel, widths: list[int], steps: list[int], clients: int
) -> tuple[list[list[int]], int]:
    """Serve clients that always have something due, whenever their turn comes, through these
    moments and widths; when each was served, and when it ended."""
    served: list[list[int]] = [[] for _ in range(clients)]
    now = 0
    for number in range(clients):
        wheel.wait(number, TURNS)
    for index, step in enumerate(steps):
        now += step
        for number in wheel.due(now):
            served[number].append(now)
            wheel.wait_again(number, TURNS)
        if index % 5 == 0:
            wheel.resize(widths[index // 5 % len(widths)], now)
    return served, now


@settings(max_examples=30)
@given(widths, steps)
def test_no_client_comes_before_the_floor_nor_starves(widths: list[int], steps: list[int]) -> None:
    wheel = Wheel(PLACES, widths[0], 0, few=0)
    served, end = always_due(wheel, widths, steps, PLACES)
    late = max(steps)  # a turn is taken at the first look after it
    longest = (TURNS + 1) * max(widths) + 2 * late
    for times in served:
        for one, other in pairwise([*times, end]):
            assert other - one <= longest
        for one, other in pairwise(times):
            assert other - one >= FLOOR - late - FLOOR // TURNS


@settings(max_examples=30)
@given(widths, steps)
def test_clients_that_want_the_same_get_the_same(widths: list[int], steps: list[int]) -> None:
    served, _ = always_due(Wheel(PLACES, widths[0], 0, few=0), widths, steps, PLACES)
    counts = [len(times) for times in served]
    assert max(counts) - min(counts) <= 1


@given(st.lists(st.tuples(st.integers(0, PLACES - 1), st.integers(1, 300)), max_size=60))
@settings(max_examples=60)
def test_each_who_waits_comes_once_and_not_before_its_turn(waits: list[tuple[int, int]]) -> None:
    wheel = Wheel(PLACES, MS, 0, few=0)
    wanted: dict[int, int] = {}
    for number, turns in waits:
        if wheel.wait(number, turns):
            wanted[number] = turns
    found = {number: now for now in range(320) for number in wheel.due(now * MS)}
    assert found == wanted
    assert wheel.wake_time == -1


def test_a_client_keeps_a_place_that_is_not_much_later() -> None:
    wheel = Wheel(4, MS, 0)
    assert wheel.wait(1, 8)
    assert not wheel.wait(1, 4), "4 turns later is near enough"
    assert wheel.wait(1, 3), "it wants to be told sooner"
    assert wheel.due(3 * MS) == [1]


def test_few_join_the_next_bucket_if_somebody_is_there() -> None:
    wheel = Wheel(8, MS, 0, few=2)
    for number, turns in ((0, 1), (1, 2), (2, 2)):
        wheel.wait(number, turns)
    assert wheel.due(MS) == [0]
    wheel.wait_again(0, TURNS)
    assert wheel.due(2 * MS) == [1, 2]
    assert wheel.due(5 * MS) == []
    assert wheel.due(6 * MS) == [0], "with those of the next bucket from now on"


def test_who_waits_is_moved_with_the_width() -> None:
    wheel = Wheel(4, 10 * MS, 0, few=0)
    wheel.wait(1, 3)
    assert wheel.wake_time == 30 * MS
    assert wheel.due(5 * MS) == []  # turn 0 is taken, turn 1 is half away
    wheel.resize(2 * MS, 5 * MS)
    assert wheel.wake_time == (5 + 1 + 4) * MS
    assert wheel.due(10 * MS) == [1]


def test_a_long_sleep_is_no_burden() -> None:
    wheel = Wheel(4, MS, 0)
    wheel.wait(3, 200)
    assert wheel.due(10**6 * MS) == [], "it went round, and stands in a bucket that has gone by"
    assert wheel.due((10**6 + 64) * MS) == [3]


@settings(max_examples=30)
@given(st.integers(0, FLOOR), st.sampled_from([4, 8]))
def test_who_comes_in_the_middle_of_a_turn_waits_for_one_more_at_most(at: int, turns: int) -> None:
    """So a wheel of more turns an interval holds a change back for less."""
    wheel = Wheel(PLACES, FLOOR // turns, 0, few=0, per_interval=turns)
    assert wheel.due(at) == []
    wheel.wait(3, turns)
    assert FLOOR <= wheel.wake_time - at <= FLOOR + FLOOR // turns
    assert wheel.due(wheel.wake_time - 1) == []
    assert wheel.due(wheel.wake_time) == [3]

"""How often something may be had."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ticker.gateway.access.pace import FEW, NS, Pace


def test_a_burst_then_the_rate() -> None:
    pace = Pace()
    assert [pace.take(["a"], 2, 2, 0) for _ in range(3)] == [0, 0, 0.5]
    assert pace.take(["b"], 2, 2, 0) == 0, "another key has its own"
    assert pace.take(["a"], 2, 2, NS // 2) == 0
    assert pace.take(["a"], 2, 2, NS // 2) > 0


def test_all_of_them_or_none() -> None:
    pace = Pace()
    assert pace.take(["a"], 1, 1, 0) == 0
    assert pace.take(["a", "b"], 1, 1, 0) == 1
    assert pace.take(["b"], 1, 1, 0) == 0, "the refused call took nothing"
    assert pace.take([], 1, 1, 0) == 0


def test_a_clock_that_goes_back_gives_nothing() -> None:
    pace = Pace()
    assert pace.take(["a"], 1, 1, 100 * NS) == 0
    assert pace.take(["a"], 1, 1, 0) == 1


def test_memory_is_for_those_who_asked_lately() -> None:
    pace = Pace()
    pace.take(["slow"], 0.001, 1, 0)
    for n in range(20 * FEW):
        pace.take([n], 10, 1, n * NS // 100)
    assert len(pace.buckets) <= FEW + 1
    assert pace.take(["slow"], 0.001, 1, 200 * NS) > 0, "and not forgotten before its time"


@given(st.lists(st.integers(0, 3 * NS), min_size=1, max_size=60), st.integers(1, 5))
def test_never_more_than_burst_and_rate(moments: list[int], rate: int) -> None:
    pace = Pace()
    taken = [at for at in sorted(moments) if pace.take(["a"], rate, rate, at) == 0]
    for first, begin in enumerate(taken):
        for last in range(first, len(taken)):
            most = rate + (taken[last] - begin) * rate / NS
            assert last - first + 1 <= most + 1e-6

"""Rates of clients' own, as turns of the wheel."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ticker.gateway.pacing.rates import TURNS, Rates

MS = 1_000_000
FIXED = Rates(100 * MS, 100 * MS, paced=False)
PACED = Rates(100 * MS, 10 * MS, paced=True)

wanted = st.floats(0.01, 1000)


@given(wanted, st.sampled_from([FIXED, PACED]))
def test_a_rate_is_rounded_down(rate: float, rates: Rates) -> None:
    assert rates.rate_of(rates.turns_of(rate)) <= rate * 1.00001


@given(wanted)
def test_above_an_interval_it_is_a_whole_number_of_them(rate: float) -> None:
    turns = PACED.turns_of(rate)
    assert turns % TURNS == 0 or turns < TURNS
    if rate < 10:
        assert turns == FIXED.turns_of(rate)


def test_a_fixed_pace_knows_no_shorter_interval() -> None:
    assert [FIXED.turns_of(rate) for rate in (1000, 10, 9.9, 3, 0.01)] == [0, 0, 8, 16, 4000]
    assert FIXED.rate_of(0) == 10

"""Faults on purpose: each is what it says, and the same seed gives the same run."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticker.errors import StoreError
from ticker.record.playback.faults import (
    Faults,
    Line,
    Silence,
    at_time_of_day,
    parse_faults,
    time_of_day,
)

SECOND = 1_000_000_000
ZONE = "America/New_York"


def ns(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND


def test_faults_are_read() -> None:
    assert parse_faults("loss=1%,reorder=32,duplicate=0.1%,gap=2s@10:00") == Faults(
        loss=0.01, duplicate=0.001, reorder=32, silences=(Silence(36_000 * SECOND, 2 * SECOND),)
    )
    assert parse_faults("gap=0.5s@09:30:01.25, gap=1s@0:00").silences == (
        Silence(34_201_250_000_000, SECOND // 2),
        Silence(0, SECOND),
    )


@pytest.mark.parametrize(
    "text",
    ["", "loss", "loss=x", "loss=100%", "loss=-1%", "reorder=-1", "reorder=1.5", "gap=2@10:00",
     "gap=2s@25:00", "gap=2s", "jitter=1", "loss=1%,,reorder=2"],
)  # fmt: skip
def test_what_is_no_fault_is_refused(text: str) -> None:
    with pytest.raises(StoreError):
        parse_faults(text)


def test_a_time_of_day_is_that_of_the_zone() -> None:
    at = time_of_day("09:30")
    assert at_time_of_day(ns("2026-03-06T20:00"), at, ZONE) == ns("2026-03-06T14:30")
    assert at_time_of_day(ns("2026-03-09T20:00"), at, ZONE) == ns("2026-03-09T13:30")


FAULTS = st.builds(
    Faults,
    loss=st.sampled_from([0.0, 0.1, 0.5]),
    duplicate=st.sampled_from([0.0, 0.1, 0.5]),
    reorder=st.integers(0, 40),
)


@given(FAULTS, st.integers(0, 5), st.lists(st.integers(0, 300), max_size=4))
def test_the_same_seed_gives_the_same_run(faults: Faults, seed: int, sizes: list[int]) -> None:
    lines = [Line(faults, ZONE, seed) for _ in range(2)]
    for size in sizes:
        kept = [place for place in range(size) if place % 7 == 0]
        first, second = (line.arrivals(range(size), kept) for line in lines)
        assert first == second
        assert set(kept) <= set(first)
        for at, place in enumerate(dict.fromkeys(first)):
            assert faults.reorder or at <= place
    total = sum(sizes)
    assert lines[0].lost <= total
    if not faults.loss:
        assert lines[0].lost == 0


def test_each_fault_is_of_its_measure() -> None:
    line = Line(Faults(loss=0.1, duplicate=0.05, reorder=16), ZONE, 3)
    found = line.arrivals(range(20_000))
    assert 0.08 < line.lost / 20_000 < 0.12
    assert 0.03 < line.doubled / 20_000 < 0.07
    assert len(found) == 20_000 - line.lost + line.doubled
    latest, behind = 0, 0
    for place in found:
        behind = max(behind, latest - place)
        latest = max(latest, place)
    assert 8 < behind <= 32
    assert Line(Faults(loss=0.1), ZONE, 4).arrivals(range(100)) != Line(
        Faults(loss=0.1), ZONE, 3
    ).arrivals(range(100))


def test_a_silence_is_at_its_time() -> None:
    begin = ns("2026-03-09T13:59:58")
    times = [begin + second * SECOND for second in range(6)]
    line = Line(parse_faults("gap=2s@10:00"), ZONE, 1)
    assert line.arrivals(times) == [0, 1, 4, 5]
    assert line.lost == 2

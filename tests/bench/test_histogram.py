"""Percentiles of the log-linear histogram, against a sorted list."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticker.bench.histogram import PERCENTILES, Histogram

durations = st.lists(st.integers(0, 2**62), min_size=1, max_size=200)


def filled(values: list[int]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    return histogram


@given(durations, st.floats(0, 1))
def test_percentile_is_within_a_128th_of_the_nearest_rank(
    values: list[int], fraction: float
) -> None:
    exact = sorted(values)[max(1, math.ceil(fraction * len(values))) - 1]
    found = filled(values).percentile(fraction)
    assert exact <= found <= exact + exact // 128 + 1


@given(durations)
def test_the_last_percentile_is_the_exact_maximum(values: list[int]) -> None:
    assert filled(values).percentile(1.0) == max(values) == filled(values).maximum


@given(durations, durations)
def test_merging_is_like_recording_all(left: list[int], right: list[int]) -> None:
    merged = filled(left)
    merged.merge(filled(right))
    assert merged.dump() == filled(left + right).dump()
    assert merged.total == len(left) + len(right)


@given(durations)
def test_a_dump_survives_json(values: list[int]) -> None:
    histogram = filled(values)
    loaded = Histogram.load(json.loads(json.dumps(histogram.dump())))
    assert loaded.summary() == histogram.summary()


def test_negative_durations_count_as_zero() -> None:
    assert filled([-5]).percentile(0.5) == 0


def test_an_empty_one_has_zeros() -> None:
    assert set(Histogram().summary().values()) == {0}


def test_clear_forgets() -> None:
    histogram = filled([1, 2, 3])
    histogram.clear()
    assert histogram.total == histogram.maximum == 0
    assert histogram.percentile(1.0) == 0


def test_summary_names_its_percentiles_in_microseconds() -> None:
    summary = filled([2000]).summary()
    assert summary == {
        "count": 1,
        "p50_us": 2.0,
        "p90_us": 2.0,
        "p99_us": 2.0,
        "p99.9_us": 2.0,
        "p99.99_us": 2.0,
        "max_us": 2.0,
    }
    assert len(PERCENTILES) == len(summary) - 2


@pytest.mark.parametrize("fraction", [-0.1, 1.1])
def test_a_fraction_is_from_0_to_1(fraction: float) -> None:
    with pytest.raises(ValueError, match="from 0 to 1"):
        Histogram().percentile(fraction)


def test_a_dump_with_a_wrong_bucket_is_refused() -> None:
    with pytest.raises(ValueError, match="bucket"):
        Histogram.load({"maximum": 1, "counts": [[10**6, 1]]})

"""The Cython half counts the same as HdrHistogram, and its percentiles are near a sorted list's."""

from __future__ import annotations

import json

import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given
from hypothesis import strategies as st

from ticker.bench.report.latencies import PERCENTILES, Latencies
from ticker.bench.swarm.histogram import DIGITS, HIGHEST, LOWEST, Histogram

durations = st.lists(st.integers(0, HIGHEST), min_size=1, max_size=200)


def filled(values: list[int]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    return histogram


def latencies(values: list[int]) -> Latencies:
    return Latencies.load(json.loads(json.dumps(filled(values).dump())))


@given(durations)
def test_counts_are_those_of_hdrhistogram(values: list[int]) -> None:
    theirs = HdrHistogram(LOWEST, HIGHEST, DIGITS)
    for value in values:
        assert theirs.record_value(value)
    ours = filled(values).hdr()
    assert bytes(ours.counts) == bytes(theirs.counts)
    assert ours.get_total_count() == theirs.get_total_count()
    assert ours.get_max_value() == theirs.get_max_value()
    assert ours.get_min_value() == theirs.get_min_value()


@given(durations)
def test_the_encoded_form_is_hdrhistograms(values: list[int]) -> None:
    theirs = HdrHistogram.decode(latencies(values).encoded())
    for value in values:
        assert theirs.get_count_at_value(value) > 0
    assert theirs.get_total_count() == len(values)
    assert theirs.significant_figures == 3


@given(durations, st.floats(0, 100))
def test_percentile_is_within_a_thousandth_of_the_rank(values: list[int], percent: float) -> None:
    rank = max(1, int(percent * len(values) / 100 + 0.5))
    exact = max(values) if percent == 100 else sorted(values)[rank - 1]
    found = latencies(values).percentile(percent)
    assert exact - exact // 1000 <= found <= exact + exact // 1000 + 1


@given(durations)
def test_the_last_percentile_is_the_exact_maximum(values: list[int]) -> None:
    assert latencies(values).percentile(100) == max(values) == filled(values).maximum


@pytest.mark.slow
@given(durations, durations)
def test_merging_is_like_recording_all(left: list[int], right: list[int]) -> None:
    merged = latencies(left)
    merged.merge(latencies(right))
    assert merged.summary() == latencies(left + right).summary()
    assert merged.total == len(left) + len(right)


def test_merging_nothing_changes_nothing() -> None:
    one, before = latencies([5000]), latencies([5000]).summary()
    one.merge(Latencies())
    assert one.summary() == before
    none = Latencies()
    none.merge(one)
    assert none.summary() == before


def test_negative_durations_count_as_zero() -> None:
    assert latencies([-5]).percentile(50) == 0
    assert latencies([-5]).total == 1


def test_what_takes_more_than_an_hour_counts_as_an_hour() -> None:
    assert latencies([2**62, 5]).total == 2
    assert latencies([2**62]).percentile(50) == pytest.approx(HIGHEST, rel=0.001)
    assert latencies([2**62]).maximum == 2**62


def test_an_empty_one_has_zeros() -> None:
    summary = latencies([]).summary()
    assert HdrHistogram.decode(summary.pop("histogram")).get_total_count() == 0
    assert set(summary.values()) == {0}


def test_clear_forgets() -> None:
    histogram = filled([1, 2, 3])
    histogram.clear()
    assert histogram.total == histogram.maximum == 0
    assert Latencies.load(histogram.dump()).percentile(100) == 0


def test_summary_names_its_percentiles_in_microseconds() -> None:
    summary = latencies([2000]).summary()
    assert summary.pop("histogram").startswith("HISTF")
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


@pytest.mark.parametrize("percent", [-0.1, 100.1])
def test_a_percentile_is_from_0_to_100(percent: float) -> None:
    with pytest.raises(ValueError, match="from 0 to 100"):
        Latencies().percentile(percent)


@pytest.mark.parametrize("counts", ["", "HISTF", "AAAAAAAAAAAAAAAA"])
def test_counts_that_nobody_encoded_are_refused(counts: str) -> None:
    with pytest.raises(ValueError, match="no encoded HdrHistogram"):
        Latencies.load({"maximum": 1, "counts": counts})

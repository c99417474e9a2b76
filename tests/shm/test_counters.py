"""Counters, heartbeat and histograms: names against numbers, owners against readers."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticker.errors import SegmentError
from ticker.shm import counters, segment
from ticker.shm.counters import Counters, Heartbeat, bucket_bounds, histogram, percentile, record
from ticker.shm.header import KIND_FEED, KIND_GATEWAY, Mapping


@pytest.mark.parametrize(
    ("prefix", "names"),
    [
        ("FEED_", counters.FEED_COUNTERS),
        ("GATEWAY_", counters.GATEWAY_COUNTERS),
        ("FEED_HISTOGRAM_", counters.FEED_HISTOGRAMS),
        ("GATEWAY_HISTOGRAM_", counters.GATEWAY_HISTOGRAMS),
    ],
)
def test_names_are_in_the_order_of_their_numbers(
    root: Path, prefix: str, names: tuple[str, ...]
) -> None:
    text = (root / "ticker/shm/counters.pxd").read_text()
    kind = "Histogram" if "HISTOGRAM" in prefix else "Counter"
    enum = re.search(
        rf"^cpdef enum {prefix.split('_')[0].title()}{kind}:\n((?:    .*\n)+)", text, re.MULTILINE
    )
    assert enum is not None
    numbered = re.findall(rf"^    {prefix}(\w+)(?: = 0)?(?: *#.*)?$", enum[1], re.MULTILINE)
    assert tuple(name.lower() for name in numbered) == names


def test_counters_by_name(name: str, feed: Mapping, gateway_name: str, gateway: Mapping) -> None:
    mine = Counters(feed)
    mine.add("packets")
    mine.add("bytes", 2**64 - 1)
    mine.add("bytes", 2)
    reading = Counters(segment.attach(name, KIND_FEED))
    assert reading["packets"] == 1
    assert reading["bytes"] == 1  # they wrap, and never raise
    assert reading.as_dict() == {
        **dict.fromkeys(counters.FEED_COUNTERS, 0),
        "packets": 1,
        "bytes": 1,
    }
    Counters(gateway).put("connections_open", 5)
    theirs = Counters(segment.attach(gateway_name, KIND_GATEWAY))
    assert theirs["connections_open"] == 5
    assert set(theirs.as_dict()) == {*counters.GATEWAY_COUNTERS, *counters.GATEWAY_GAUGES}


def test_an_unknown_counter(feed: Mapping) -> None:
    mine = Counters(feed)
    for call in (lambda: mine["nope"], lambda: mine.add("nope"), lambda: mine.put("nope", 1)):
        with pytest.raises(KeyError, match="nope"):
            call()


@pytest.mark.usefixtures("feed")
def test_a_reader_writes_nothing(name: str) -> None:
    """An error, and not the fault that the kernel would make of it."""
    mapping = segment.attach(name, KIND_FEED)
    theirs, life = Counters(mapping), Heartbeat(mapping)
    for call in (
        lambda: theirs.add("packets"),
        lambda: theirs.put("packets", 1),
        lambda: life.take_over(1, 1),
        lambda: life.beat(1),
        lambda: life.set_state(counters.LIVE),
        lambda: record(mapping, 0, 1),
    ):
        with pytest.raises(SegmentError, match="read-only"):
            call()


def test_heartbeat(name: str, feed: Mapping) -> None:
    mine, seen = Heartbeat(feed), Heartbeat(segment.attach(name, KIND_FEED))
    assert (seen.epoch, seen.pid, seen.time_ns, seen.state) == (0, 0, 0, "starting")
    assert mine.take_over(42, 1000) == 1
    assert (seen.epoch, seen.pid, seen.time_ns) == (1, 42, 1000)
    assert Heartbeat(feed).take_over(43, 2000) == 2
    mine.beat(3000)
    assert (seen.epoch, seen.pid, seen.time_ns) == (2, 43, 3000)
    for state, text in enumerate(counters.FEED_STATES):
        mine.set_state(state)
        assert seen.state == text
    with pytest.raises(ValueError, match="no feed state 9"):
        mine.set_state(9)
    assert seen.last_message_ns == 0


def test_a_gateway_has_a_heartbeat_and_no_feed_state(gateway: Mapping) -> None:
    life = Heartbeat(gateway)
    life.take_over(7, 8)
    assert (life.epoch, life.pid, life.time_ns) == (1, 7, 8)
    for call in (lambda: life.state, lambda: life.set_state(1), lambda: life.last_message_ns):
        with pytest.raises(SegmentError, match="not a feed's segment"):
            call()


def test_buckets_join_without_a_gap() -> None:
    edges = [bucket_bounds(index) for index in range(488)]
    assert edges[0][0] == 0
    assert all(low[1] == high[0] for low, high in itertools.pairwise(edges))
    assert edges[-1][1] == 2**63
    assert all(high - low <= max(1, low / 8) for low, high in edges)


@pytest.mark.slow
@given(st.one_of(st.integers(0, 2**63 - 1), st.integers(0, 62).map(lambda bit: 1 << bit)))
def test_a_duration_falls_in_its_bucket(ns: int) -> None:
    mapping = segment.private_feed(segment.Geometry(1, 1, 2), 1, 1)
    record(mapping, 7, ns)
    counts = histogram(mapping, 7)
    assert sum(counts) == 1
    low, high = bucket_bounds(len(counts) - 1)
    assert low <= ns < high
    assert percentile(counts, 0.5) == high - 1


def test_a_negative_duration_counts_as_none(feed: Mapping) -> None:
    record(feed, 0, -5)
    assert histogram(feed, 0) == [1]
    assert histogram(feed, 1) == []


@pytest.mark.parametrize("index", [-1, 8, 2**40])
def test_a_histogram_that_is_not_there(feed: Mapping, index: int) -> None:
    with pytest.raises(IndexError, match="a segment has 8"):
        histogram(feed, index)
    with pytest.raises(IndexError, match="a segment has 8"):
        record(feed, index, 1)


def test_percentiles(feed: Mapping) -> None:
    assert percentile(histogram(feed, 0), 0.99) == 0
    for ns in range(1, 101):
        record(feed, 0, ns * 1000)
    counts = histogram(feed, 0)
    for fraction in (0.01, 0.5, 0.99, 1.0):
        exact = fraction * 100_000
        assert exact <= percentile(counts, fraction) <= exact * 1.126
    assert percentile(counts, 0.0) == percentile(counts, 0.01)

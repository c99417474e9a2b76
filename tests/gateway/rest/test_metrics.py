"""The metrics of the box, from real counters in real segments."""

import math
import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families as parse

from ticker.gateway.rest.metrics import BOUNDS_NS, Metrics, merged
from ticker.gateway.rest.status import Status
from ticker.shm import segment
from ticker.shm.counters import LIVE, Counters, Heartbeat, histogram, record
from ticker.shm.header import KIND_GATEWAY, Mapping
from ticker.shm.table import TableWriter

NOW = 1_774_881_002_000_000_000
GEOMETRY = segment.Geometry(rows=16, rings=1, ring_capacity=8)


@pytest.fixture
def gateway() -> Iterator[Mapping]:
    name = segment.gateway_name(f"test-metrics-{os.getpid()}", 0)
    yield segment.create_worker(name, KIND_GATEWAY, 7, NOW)
    segment.remove(name)


@pytest.fixture
def feed() -> Mapping:
    return segment.private_feed(GEOMETRY, 7, NOW)


def samples(metrics: Metrics) -> dict[tuple[Any, ...], float]:
    """{(name, sorted labels): value} of a scrape."""
    body, content_type = metrics.render()
    assert content_type.startswith("text/plain")
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in parse(body.decode())
        for sample in family.samples
    }


def test_counters_of_all_segments_under_their_names(feed: Mapping, gateway: Mapping) -> None:
    Counters(feed).add("trades", 5)
    Counters(feed).add("rejected_bad_price", 2)
    Counters(gateway).add("bytes_sent", 12345)
    Counters(gateway).put("connections_open", 3)
    TableWriter(feed).add("AAPL", "XNAS")
    heartbeat = Heartbeat(feed)
    heartbeat.take_over(os.getpid(), NOW - 1_500_000_000)
    heartbeat.set_state(LIVE)
    status = Status([("sim", feed)], [("gateway0", gateway)], version="1.2.3", epoch=7)
    found = samples(Metrics(status, lambda: NOW))
    sim, worker = ("feed", "sim"), ("gateway", "gateway0")
    assert found["ticker_feed_trades_total", sim] == 5
    assert found["ticker_feed_rejected_total", sim, ("reason", "bad_price")] == 2
    assert found["ticker_feed_rejected_total", sim, ("reason", "older")] == 0
    assert found["ticker_gateway_bytes_sent_total", worker] == 12345
    assert found["ticker_gateway_connections_open", worker] == 3
    assert found["ticker_feed_symbols", sim] == 1
    assert found["ticker_feed_heartbeat_age_seconds", sim] == 1.5
    assert found["ticker_feed_state", sim, ("state", "live")] == 1
    assert found["ticker_feed_state", sim, ("state", "stale")] == 0
    assert found["ticker_build_info", ("version", "1.2.3")] == 1
    assert ("ticker_gateway_heartbeat_age_seconds", worker) not in found, "it never started"
    assert not {"symbol", "client"} & {label[0] for key in found for label in key[1:]}


def test_histograms_are_cumulative_and_in_seconds(feed: Mapping) -> None:
    for ns in (5_000, 800_000, 800_000, 3_000_000_000, 60_000_000_000):
        record(feed, 0, ns)
    found = samples(Metrics(Status([("sim", feed)], version="1", epoch=7)))
    name, sim = "ticker_feed_exchange_to_receive_seconds", ("feed", "sim")

    def bucket(le: str) -> float:
        return found[f"{name}_bucket", sim, ("le", le)]

    assert (bucket("0.00001"), bucket("0.0005"), bucket("0.001")) == (1, 1, 3)
    assert (bucket("10"), bucket("+Inf"), found[f"{name}_count", sim]) == (4, 5, 5)
    assert found[f"{name}_sum", sim] == pytest.approx(63.0016, rel=1 / 16)


@given(st.lists(st.integers(min_value=0, max_value=1 << 40), max_size=50))
def test_no_bucket_promises_more_than_was_measured(durations: list[int]) -> None:
    mapping = segment.private_feed(GEOMETRY, 7, NOW)
    for ns in durations:
        record(mapping, 1, ns)
    buckets, total = merged(histogram(mapping, 1))
    counts = [count for _, count in buckets]
    assert counts == sorted(counts)
    assert dict(buckets)["+Inf"] == counts[-1] == len(durations)
    for (label, count), bound in zip(buckets, (*BOUNDS_NS, math.inf), strict=True):
        assert count <= sum(ns <= bound for ns in durations)
        assert count >= sum(ns <= bound * 8 / 9 for ns in durations) or label == "+Inf"
    assert total == pytest.approx(sum(durations) / 1e9, rel=1 / 16, abs=1e-9 * len(durations))


def test_nothing_process_wide_is_registered(feed: Mapping) -> None:
    before = len(list(REGISTRY.collect()))
    status = Status([("sim", feed)], version="1", epoch=7)
    Metrics(status)
    Metrics(status)
    assert len(list(REGISTRY.collect())) == before


def test_open_metrics_for_who_asks_for_it(feed: Mapping) -> None:
    metrics = Metrics(Status([("sim", feed)], version="1", epoch=7))
    body, content_type = metrics.render("application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")

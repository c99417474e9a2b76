"""Prometheus metrics of the whole box, read from the shared segments at scrape time.

The counters and histograms are those that the workers keep in shared memory. No metric has a label
per symbol or per client.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from ticker.clock import Clock, now_ns
from ticker.gateway.rest.processes import process_metrics
from ticker.gateway.rest.status import HUNG, NS, OWN_REASONS, Status, age, is_hung
from ticker.shm.counters import (
    FEED_COUNTERS,
    FEED_HISTOGRAMS,
    FEED_STATES,
    GATEWAY_COUNTERS,
    GATEWAY_GAUGES,
    GATEWAY_HISTOGRAMS,
    MIRROR_COUNTERS,
    RECORDER_COUNTERS,
    RELAY_COUNTERS,
    STORE_COUNTERS,
    Counters,
    Heartbeat,
    bucket_bounds,
    histogram,
)
from ticker.shm.header import Mapping
from ticker.shm.layout import STALE_REASONS
from ticker.shm.table import PriceTable

# Upper bounds in ns, 10 us to 10 s: for a tick's time in the server, and its time to it.
BOUNDS_NS = (
    *(steps * 10**power for power in range(3, 9) for steps in (10, 25, 50)),
    10**10,
)
LABELS = tuple(f"{bound / NS:.6f}".rstrip("0").rstrip(".") for bound in BOUNDS_NS)
GAUGES = frozenset(
    {"connections_open", "subscriptions", "snapshot_time_ns", "written_time_ns", "fault", "failing",
     "disk_bytes", "database_bytes", "waiting", "connected", "speaking", "keys", "log_stored",
     "log_failing", *GATEWAY_GAUGES}
)  # fmt: skip
REJECTED = "rejected_"


class BoxCollector(Collector):
    """All segments as metric families; reads, never writes."""

    def __init__(self, status: Status, clock: Clock) -> None:
        self.status = status
        self.clock = clock

    def collect(self) -> Iterator[Metric]:
        status = self.status
        info = InfoMetricFamily("ticker_build", "Version of the server.")
        info.add_metric([], {"version": status.version})
        yield info
        yield from self._feeds()
        yield from _counters("gateway", GATEWAY_COUNTERS + GATEWAY_GAUGES, status.gateways)
        yield from _histograms("gateway", GATEWAY_HISTOGRAMS, status.gateways)
        yield self._heartbeats("gateway", status.gateways)
        if status.store is not None:
            yield from _counters("store", STORE_COUNTERS, [("store", status.store)])
        if status.recorder is not None:
            recorder = [("recorder", status.recorder)]
            yield from _counters("recorder", RECORDER_COUNTERS, recorder)
        if status.relay is not None:
            yield from _counters("relay", RELAY_COUNTERS, [("relay", status.relay)])
        if status.mirror is not None:
            yield from _counters("mirror", MIRROR_COUNTERS, [("mirror", status.mirror)])
        yield from process_metrics(self._processes())

    def _processes(self) -> dict[str, int]:
        """pid by worker, and the supervisor's, which is the parent of all."""
        status = self.status
        kinds = [("feed", status.feeds), ("gateway", status.gateways)]
        found = {
            f"{kind} {name}": Heartbeat(mapping).pid
            for kind, segments in kinds
            for name, mapping in segments
        }
        found |= {
            name: Heartbeat(mapping).pid
            for name, mapping in (
                ("store", status.store),
                ("recorder", status.recorder),
                ("relay", status.relay),
                ("mirror", status.mirror),
            )
            if mapping is not None
        }
        supervisor = {"supervisor": os.getppid()}
        return {name: pid for name, pid in (found | supervisor).items() if pid > 0}

    def _feeds(self) -> Iterator[Metric]:
        feeds = self.status.feeds
        plain = tuple(name for name in FEED_COUNTERS if not name.startswith(REJECTED))
        yield from _counters("feed", plain, feeds)
        yield _rejections(feeds)
        yield from _histograms("feed", FEED_HISTOGRAMS, feeds)
        yield self._heartbeats("feed", feeds)
        yield from self._feed_states(feeds)

    def _feed_states(self, feeds: Sequence[tuple[str, Mapping]]) -> Iterator[Metric]:
        now = self.clock()
        states = GaugeMetricFamily(
            "ticker_feed_state", "1 for the state that the feed is in.", labels=("feed", "state")
        )
        silence = GaugeMetricFamily(
            "ticker_feed_last_message_age_seconds",
            "Time since the last usable message; absent before the first one.",
            labels=("feed",),
        )
        symbols = GaugeMetricFamily(
            "ticker_feed_symbols", "Rows of the feed's price table.", labels=("feed",)
        )
        stale = GaugeMetricFamily(
            "ticker_feed_stale",
            "1 for the reason why the feed is stale, closed markets left out.",
            labels=("feed", "reason"),
        )
        whys = {report.name: report.why for report in self.status.feed_reports(now)}
        for feed, mapping in feeds:
            for reason in (*STALE_REASONS[1:], *OWN_REASONS):
                stale.add_metric((feed, reason), float(reason == whys[feed]))
            heartbeat = Heartbeat(mapping)
            current = HUNG if is_hung(heartbeat, now) else heartbeat.state
            for state in (*FEED_STATES, HUNG):
                states.add_metric((feed, state), float(state == current))
            seconds = age(heartbeat.last_message_ns, now)
            if seconds is not None:
                silence.add_metric((feed,), seconds)
            symbols.add_metric((feed,), len(PriceTable(mapping)))
        yield states
        yield stale
        yield silence
        yield symbols

    def _heartbeats(self, kind: str, segments: Sequence[tuple[str, Mapping]]) -> Metric:
        now = self.clock()
        family = GaugeMetricFamily(
            f"ticker_{kind}_heartbeat_age_seconds",
            "Time since the worker was last seen alive; absent without a worker.",
            labels=(kind,),
        )
        for name, mapping in segments:
            heartbeat = Heartbeat(mapping)
            seconds = age(heartbeat.time_ns, now)
            if seconds is not None and heartbeat.pid:
                family.add_metric((name,), seconds)
        return family


def _counters(
    kind: str, names: Sequence[str], segments: Sequence[tuple[str, Mapping]]
) -> Iterator[Metric]:
    values = [(name, Counters(mapping).as_dict()) for name, mapping in segments]
    for counter in names:
        text = f"{counter.replace('_', ' ').capitalize()} of the {kind}."
        family_type = GaugeMetricFamily if counter in GAUGES else CounterMetricFamily
        family = family_type(f"ticker_{kind}_{counter}", text, labels=(kind,))
        for name, counts in values:
            family.add_metric((name,), counts[counter])
        yield family


def _rejections(feeds: Sequence[tuple[str, Mapping]]) -> Metric:
    family = CounterMetricFamily(
        "ticker_feed_rejected",
        "Ticks that the filter refused, by reason.",
        labels=("feed", "reason"),
    )
    for feed, mapping in feeds:
        for name, value in Counters(mapping).as_dict().items():
            if name.startswith(REJECTED):
                family.add_metric((feed, name.removeprefix(REJECTED)), value)
    return family


def _histograms(
    kind: str, names: Sequence[str], segments: Sequence[tuple[str, Mapping]]
) -> Iterator[Metric]:
    for index, name in enumerate(names):
        family = HistogramMetricFamily(
            f"ticker_{kind}_{name}_seconds",
            f"{name.replace('_', ' ').capitalize()} time; the sum is within 1/16 of the true one.",
            labels=(kind,),
        )
        for segment, mapping in segments:
            buckets, total = merged(histogram(mapping, index))
            family.add_metric((segment,), buckets, total)
        yield family


def merged(counts: Sequence[int]) -> tuple[list[tuple[str, float]], float]:
    """Log-linear counts of ns as cumulative Prometheus buckets in s, and their sum in s.

    A narrow bucket that straddles a bound counts above it, so no bucket promises more than
    was measured; it is at most 1/8 of its value wide. The sum takes each count at the middle
    of its bucket.
    """
    wide = [0] * (len(BOUNDS_NS) + 1)
    total = 0.0
    for bucket, count in enumerate(counts):
        if count:
            low, high = bucket_bounds(bucket)
            wide[bisect_left(BOUNDS_NS, high - 1)] += count
            total += count * (low + high - 1) / 2
    reached = 0
    buckets: list[tuple[str, float]] = []
    for label, count in zip((*LABELS, "+Inf"), wide, strict=True):
        reached += count
        buckets.append((label, reached))
    return buckets, total / NS


class Metrics:
    """A registry of its own, so that nothing process-wide is touched."""

    def __init__(self, status: Status, clock: Clock = now_ns) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(BoxCollector(status, clock))

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """The exposition that the `Accept` header asks for, and its content type."""
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type

"""The state of the whole server from the shared segments: feeds, gateways, readiness.

Every gateway maps every segment read-only, so any worker can answer for all.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from ticker.shm.counters import (
    FEED_HISTOGRAMS,
    Counters,
    Heartbeat,
    histogram,
    percentile,
)
from ticker.shm.header import Mapping
from ticker.shm.layout import STALE_REASONS, StaleReason
from ticker.shm.liveness import WORKER_TIMEOUT_NS, Conditions, market_words
from ticker.shm.rejects import RejectReader
from ticker.shm.table import PriceTable
from ticker.shm.timetable import Timetable
from ticker.units import format_price, format_timestamp

NS = 1_000_000_000
SHOWN_REJECTS = 10
HUNG = "hung"
NO_WORKER = "no_worker"
SILENT = STALE_REASONS[StaleReason.WHY_SILENT]
LATE_NS = 500_000_000
"""ns after which a worker's next sign of life is late: it has left several out."""
OWN_REASONS = (HUNG, NO_WORKER, "starting", "recovering")
"""Reasons why a feed is stale, beside those of its worker."""


@dataclass(frozen=True)
class FeedReport:
    """One feed at one moment; ages and lags are in seconds, None before the first event.

    `lag` is the median time from the exchange's timestamp to the receiver, since the start. `state`
    is the state that the worker reports, or `hung` without a sign of life. `status` is live,
    halted, stale or closed; `why` has the reason if it is stale. `market` is the venue's last
    message about its state. `rejects` are the refused trades by rule: the count, and the newest
    SHOWN_REJECTS; `ticker rejects` shows more.
    """

    name: str
    required: bool
    ready: bool
    state: str
    status: str
    why: str | None
    epoch: int
    pid: int
    symbols: int
    heartbeat_age: float | None
    last_message_age: float | None
    lag: float | None
    lag_p99: float | None
    last_message_timestamp: str | None
    market: dict[str, Any]
    rejects: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class MarketSession:
    """A market of the timetable at one moment: closed, pre, open, break or post; unknown beyond the
    computed days. `next_open` and `next_close` are those of regular hours."""

    market: str
    feeds: tuple[str, ...]
    phase: str
    next_open: str | None
    next_close: str | None


@dataclass(frozen=True)
class GatewayReport:
    """One gateway worker at one moment: `live` or `hung`; its heartbeat's age is in seconds.

    `load` is the share of a core that it needs, over the last moments. `flush_interval` is the time
    between two flushes of a client, which follows the load unless the pace is fixed, and
    `burst_gap` that between two bursts of sends, both in seconds.
    `sender` is how it sends to its clients: `io_uring` or `send`.
    """

    name: str
    state: str
    epoch: int
    pid: int
    heartbeat_age: float | None
    connections: int
    subscriptions: int
    load: float
    flush_interval: float
    burst_gap: float
    sender: str


class Status:
    """Reads the segments of all feeds and gateways.

    `feeds` and `gateways` are (name, mapping) pairs; `required` names the feeds that must be
    live before the box calls itself ready; `timetable` answers for the feeds in the same order;
    `capacity` is how many connections a gateway takes, 0: not said; `epoch` names this life of the
    server; `steady` is a clock that only runs, by which feeds age.
    """

    def __init__(
        self,
        feeds: Sequence[tuple[str, Mapping]],
        gateways: Sequence[tuple[str, Mapping]] = (),
        *,
        required: Collection[str] = (),
        version: str,
        epoch: int,
        timetable: Timetable | None = None,
        store: Mapping | None = None,
        recorder: Mapping | None = None,
        relay: Mapping | None = None,
        mirror: Mapping | None = None,
        steady: Callable[[], int] | None = None,
        capacity: int = 0,
    ) -> None:
        self.capacity = capacity
        self.gateways = tuple(gateways)
        self.version = version
        self.epoch = epoch
        self.store = store
        self.recorder = recorder
        self.relay = relay
        self.mirror = mirror
        self.steady = steady
        self.timetable = timetable or Timetable([name for name, _ in feeds])
        self.follow(feeds, required)

    def follow(self, feeds: Sequence[tuple[str, Mapping]], required: Collection[str]) -> None:
        """Report of these feeds from now on. The timetable is the caller's to follow them."""
        self.feeds = tuple(feeds)
        self.required = frozenset(required)
        self.conditions = Conditions([mapping for _, mapping in self.feeds])

    def feed_reports(self, now_ns: int) -> list[FeedReport]:
        steady = self.steady() if self.steady is not None else None
        self.conditions.look(now_ns, self.timetable.sessions(now_ns), steady)
        return [self._feed(index, now_ns) for index in range(len(self.feeds))]

    def market_sessions(self, now_ns: int) -> list[MarketSession]:
        return [
            MarketSession(
                report.market,
                report.feeds,
                report.phase,
                _timestamp(report.next_open),
                _timestamp(report.next_close),
            )
            for report in self.timetable.markets(now_ns)
        ]

    def gateway_reports(self, now_ns: int) -> list[GatewayReport]:
        """The gateways with a worker; one slot is vacant except in a rolling restart."""
        reports = [_gateway(name, mapping, now_ns) for name, mapping in self.gateways]
        return [report for report in reports if report.pid]

    def draining(self) -> bool:
        """Whether an operator wants no new clients here."""
        return any(
            Heartbeat(mapping).pid and Counters(mapping)["draining"] for _, mapping in self.gateways
        )

    def load(self) -> float:
        """That of the busiest worker: the share of its core, or of its connections, 0 to 1."""
        return max(
            (self._load(each) for _, each in self.gateways if Heartbeat(each).pid), default=0.0
        )

    def _load(self, gateway: Mapping) -> float:
        counters = Counters(gateway)
        taken = counters["connections_open"] / self.capacity if self.capacity else 0.0
        return min(1.0, max(counters["load_permille"] / 1000, taken))

    def waiting_for(self) -> list[tuple[str, str]]:
        """(name, state) of each required feed that keeps the server from being ready."""
        return [
            (name, Heartbeat(mapping).state)
            for name, mapping in self.feeds
            if name in self.required and not feed_ready(mapping)
        ]

    def restored(self) -> bool:
        """Whether a required feed still has only the prices of the previous run."""
        return any(
            name in self.required
            and Heartbeat(mapping).restored_ns > 0
            and Heartbeat(mapping).state in ("starting", "recovering")
            for name, mapping in self.feeds
        )

    def _feed(self, index: int, now_ns: int) -> FeedReport:
        name, mapping = self.feeds[index]
        heartbeat = Heartbeat(mapping)
        last_message = heartbeat.last_message_ns
        delays = histogram(mapping, FEED_HISTOGRAMS.index("exchange_to_receive"))
        return FeedReport(
            name=name,
            required=name in self.required,
            ready=feed_ready(mapping),
            state=HUNG if is_hung(heartbeat, now_ns) else heartbeat.state,
            status=self.conditions.state(index),
            why=why_stale(mapping, now_ns) if self.conditions.state(index) == "stale" else None,
            epoch=heartbeat.epoch,
            pid=heartbeat.pid,
            symbols=len(PriceTable(mapping)),
            heartbeat_age=age(heartbeat.time_ns, now_ns),
            last_message_age=age(last_message, now_ns),
            lag=percentile(delays, 0.5) / NS if delays else None,
            lag_p99=percentile(delays, 0.99) / NS if delays else None,
            last_message_timestamp=_timestamp(last_message),
            market=_market(mapping),
            rejects=_rejects(mapping),
        )


def feed_ready(mapping: Mapping) -> bool:
    """Whether the feed is live, or has restored prices, which are served marked stale."""
    heartbeat = Heartbeat(mapping)
    if heartbeat.state == "live":
        return True
    carried_over = (
        heartbeat.state in ("stale", "ended") or heartbeat.epoch > 1 or heartbeat.restored_ns > 0
    )
    return carried_over and len(PriceTable(mapping)) > 0


def why_stale(mapping: Mapping, now_ns: int) -> str:
    """The reason why a feed's prices are stale now: its worker's (StaleReason), or the state of the
    worker itself. A worker that calls its feed live, and whose prices are stale all the same, has
    not looked at them for a while."""
    heartbeat = Heartbeat(mapping)
    if is_hung(heartbeat, now_ns):
        return HUNG
    if heartbeat.why != "none":
        return heartbeat.why
    state = heartbeat.state
    if state in ("live", "recovering") and heartbeat.pid:
        if now_ns - heartbeat.time_ns >= LATE_NS:
            return HUNG
        return SILENT if state == "live" else state
    return state if state in ("starting", "recovering") else NO_WORKER


def is_hung(heartbeat: Heartbeat, now_ns: int) -> bool:
    """Whether there is a worker without a sign of life; the supervisor will replace it."""
    return heartbeat.pid > 0 and now_ns - heartbeat.time_ns >= WORKER_TIMEOUT_NS


def age(then_ns: int, now_ns: int) -> float | None:
    """Seconds since `then_ns`, never negative; None for 0, which means never."""
    return max(0, now_ns - then_ns) / NS if then_ns else None


def _market(mapping: Mapping) -> dict[str, Any]:
    words = market_words(mapping)
    return {
        "phase": words.phase,
        "since": _timestamp(words.phase_time),
        "breaker": words.breaker or None,
        "breaker_since": _timestamp(words.breaker_time),
        "decline_levels": [format_price(level) for level in words.decline_levels if level],
    }


def _rejects(mapping: Mapping) -> dict[str, dict[str, Any]]:
    """The rules that refused trades, each with its count and its newest rejects, oldest first."""
    reader = RejectReader(mapping)
    return {
        rule: {
            "count": count,
            "last": [reject.as_json() for reject in reader.last(rule, SHOWN_REJECTS)],
        }
        for rule, count in reader.counts().items()
        if count
    }


def _timestamp(ns: int) -> str | None:
    return format_timestamp(ns) if ns else None


def _gateway(name: str, mapping: Mapping, now_ns: int) -> GatewayReport:
    heartbeat = Heartbeat(mapping)
    counters = Counters(mapping)
    return GatewayReport(
        name=name,
        state=HUNG if is_hung(heartbeat, now_ns) else "live",
        epoch=heartbeat.epoch,
        pid=heartbeat.pid,
        heartbeat_age=age(heartbeat.time_ns, now_ns),
        connections=counters["connections_open"],
        subscriptions=counters["subscriptions"],
        load=counters["load_permille"] / 1000,
        flush_interval=counters["flush_interval_ns"] / NS,
        burst_gap=counters["burst_gap_ns"] / NS,
        sender="io_uring" if counters["io_uring"] else "send",
    )

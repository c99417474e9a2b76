"""The figures of `ticker top`, from a server's /status and /metrics at two moments.

Law: rates and percentiles are of the time between the two readings, never since the start.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console, Group, RenderableType
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from ticker.client.server import Server

Labels = frozenset[tuple[str, str]]
STAGES = (
    ("exchange to receive", "ticker_feed_exchange_to_receive_seconds"),
    ("receive to publish", "ticker_feed_receive_to_publish_seconds"),
    ("publish to send", "ticker_gateway_publish_to_send_seconds"),
    ("exchange to send", "ticker_gateway_exchange_to_send_seconds"),
    ("one flush", "ticker_gateway_flush_seconds"),
)
UNKNOWN = "–"
WIDE = 1000  # columns; of a file or a pipe, which take a line as it is
BAD = {"hung": "red", "stale": "red", "ended": "red", "recovering": "yellow", "starting": "yellow"}


@dataclass
class Vitals:
    """One reading; `samples` by metric name and labels."""

    status: dict[str, Any]
    moment: float
    samples: dict[str, dict[Labels, float]] = field(default_factory=dict)

    def value(self, name: str, **labels: str) -> float:
        """The sum over all samples with this name and these labels; nan if the server has no such
        metric."""
        if name not in self.samples:
            return math.nan
        wanted = labels.items()
        return sum(value for have, value in self.samples[name].items() if wanted <= set(have))


async def read(server: Server) -> Vitals:
    """A reading now. Raises ClientError."""
    async with server.rest() as rest:
        status, text = await rest.status(), await rest.metrics()
    vitals = Vitals(status, _seconds(status["timestamp"]))
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            by_labels = vitals.samples.setdefault(sample.name, {})
            by_labels[frozenset(sample.labels.items())] = sample.value
    return vitals


def render(before: Vitals, now: Vitals) -> RenderableType:
    """The whole screen."""
    state = "ready" if now.status["ready"] else "not ready"
    head = Text(
        f"ticker {now.status['version']}  {now.status['timestamp']}  {state}  "
        f"{now.status['symbols']} symbols"
    )
    return Group(
        head, "", _feeds(before, now), "", _gateways(before, now), "", _stages(before, now)
    )


def columns_needed(console: Console, screen: RenderableType) -> int:
    """The width at which no number of the screen is cut off: a cut number would be wrong."""
    wide = console.options.update(max_width=WIDE)
    return Measurement.get(console, wide, screen).minimum


def _feeds(before: Vitals, now: Vitals) -> Table:
    columns = ["messages/s", "trades/s", "gaps", "lost", "rejected", "symbols"]
    table = _table("feed", "state", *columns)
    for feed in now.status["feeds"]:
        name = feed["name"]
        table.add_row(
            name,
            _state(feed),
            _rate(before, now, "ticker_feed_messages_total", feed=name),
            _rate(before, now, "ticker_feed_trades_total", feed=name),
            _count(now.value("ticker_feed_gaps_total", feed=name)),
            _count(now.value("ticker_feed_lost_messages_total", feed=name)),
            _count(now.value("ticker_feed_rejected_total", feed=name)),
            _count(feed["symbols"]),
        )
    return table


def _state(feed: dict[str, Any]) -> Text:
    """The state of a worker, with the reason why its prices are stale, if there is one."""
    state, why = feed["state"], feed.get("why")
    said = f"{state}: {why.replace('_', ' ')}" if why and why != state else state
    return Text(said, "red" if why else BAD.get(state, "green"))


def _gateways(before: Vitals, now: Vitals) -> Table:
    columns = ["pid", "clients", "subscriptions", "updates/s", "MB/s", "slow"]
    table = _table("gateway", *columns)
    for gateway in now.status["gateways"]:
        name = gateway["name"]
        sent = _per_second(before, now, "ticker_gateway_bytes_sent_total", gateway=name)
        table.add_row(
            name,
            str(gateway["pid"]),
            _count(gateway["connections"]),
            _count(gateway["subscriptions"]),
            _rate(before, now, "ticker_gateway_updates_sent_total", gateway=name),
            UNKNOWN if math.isnan(sent) else f"{sent / 1e6:.2f}",
            _count(now.value("ticker_gateway_slow_closed_total", gateway=name)),
        )
    return table


def _stages(before: Vitals, now: Vitals) -> Table:
    table = _table("latency", "p50", "p99", "p99.9")
    for title, name in STAGES:
        counts = _between(before, now, name)
        table.add_row(title, *(_duration(percentile(counts, q)) for q in (0.5, 0.99, 0.999)))
    return table


def percentile(counts: list[tuple[float, float]], fraction: float) -> float:
    """The upper bound in s of the bucket that holds the fraction; nan without counts.

    `counts` are (upper bound, cumulative count), the last one with the bound inf.
    """
    total = counts[-1][1] if counts else 0.0
    if total <= 0:
        return math.nan
    return next(bound for bound, reached in counts if reached >= fraction * total)


def _between(before: Vitals, now: Vitals, name: str) -> list[tuple[float, float]]:
    bounds: dict[float, float] = {}
    for vitals, sign in ((now, 1.0), (before, -1.0)):
        for labels, value in vitals.samples.get(f"{name}_bucket", {}).items():
            bound = float(dict(labels)["le"])
            bounds[bound] = bounds.get(bound, 0.0) + sign * value
    return sorted(bounds.items())


def _per_second(before: Vitals, now: Vitals, name: str, **labels: str) -> float:
    passed = max(now.moment - before.moment, 1e-3)
    more = now.value(name, **labels) - before.value(name, **labels)
    return more / passed if math.isnan(more) else max(more, 0.0) / passed


def _rate(before: Vitals, now: Vitals, name: str, **labels: str) -> str:
    return _count(_per_second(before, now, name, **labels))


def _count(number: float) -> str:
    return UNKNOWN if math.isnan(number) else f"{number:,.0f}"


def _duration(seconds: float) -> str:
    if math.isnan(seconds):
        return UNKNOWN
    if math.isinf(seconds):
        return "> 10 s"
    if seconds < 1e-3:
        return f"{seconds * 1e6:.0f} µs"
    return f"{seconds * 1e3:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, header_style="dim")
    table.add_column(first, overflow="fold")
    for name in others:
        table.add_column(name, justify="left" if name == "state" else "right", no_wrap=True)
    return table


def _seconds(timestamp: str) -> float:
    return datetime.fromisoformat(timestamp).timestamp()

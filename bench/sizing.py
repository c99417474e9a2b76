"""The size of a fleet, computed from the reports of `make bench`.

Law: no figure comes from anywhere but the reports, the fleet and the box (both stated on the page),
and the frame sizes of IEEE 802.3, RFC 791 and RFC 9293.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ticker.bench.fleet.plan import on_the_wire
from ticker.errors import BenchError

Reports = dict[str, dict[str, Any]]

NEEDED = (
    "ingest-udp",
    "fanout-json",
    "scaling-clients",
    "scaling-per-client",
    "scaling-ticks",
    "connections",
)


@dataclass(frozen=True)
class Fleet:
    """The load of all boxes together; rates per second."""

    ticks: float = 1e6
    clients: int = 5_000_000
    deliveries: float = 1e8
    symbols: int = 10_000


@dataclass(frozen=True)
class Box:
    """One machine. `kernel_cores` are left to network interrupts and the system; of what remains,
    of its memory and of its network, `share` is used at the stated load."""

    cores: int = 32
    kernel_cores: int = 8
    memory_gb: float = 128
    gbit: float = 50
    share: float = 0.6


@dataclass(frozen=True)
class Measured:
    """The measured figures of the reports; µs are of CPU."""

    feed_messages_per_core: float
    """Per CPU second of a feed worker, both lines heard."""
    feed_bytes: float
    """Of one message on one line."""
    tick_us: float
    """Of a gateway worker, for each tick that it reads, whether a client subscribed or not."""
    flush_us: float
    """Of one flush of `flush_updates` updates, at `clients_per_worker`."""
    flush_updates: float
    update_us: float
    """Of one more update in a flush; 0 where it is less than the noise."""
    clients_per_worker: int
    delivery_bytes: float
    user_kb: float
    kernel_kb: float
    worker_mb: float

    def flush_cost(self, updates: float) -> float:
        """CPU µs of a flush of so many updates, between one and many."""
        return max(0.0, self.flush_us + (updates - self.flush_updates) * self.update_us)


@dataclass(frozen=True)
class Plan:
    """The resources of a fleet at one flush interval."""

    interval: float
    flushes: float
    """Of one client, per second."""
    updates: float
    """In each of them."""
    clients_per_worker: int
    bound: str
    workers: int
    feed_cores: int
    """Of each box."""
    gbit: float
    memory_gb: float
    boxes_by: dict[str, float]

    @property
    def boxes(self) -> int:
        return math.ceil(max(self.boxes_by.values()))


def measured(reports: Reports) -> Measured:
    """The figures that a fleet is computed from.

    Raises:
        BenchError: a report is missing, or has no point that is not void.
    """
    missing = [name for name in NEEDED if name not in reports]
    if missing:
        raise BenchError(f"sizing needs {', '.join(missing)}: `make bench ARGS=...`")
    feed, json = reports["ingest-udp"], reports["fanout-json"]
    ticks = points(reports, "scaling-ticks")
    largest = max(points(reports, "scaling-clients"), key=lambda row: int(row["clients"]))
    memory = reports["connections"]
    return Measured(
        feed_messages_per_core=feed["feed_messages_per_cpu_second"],
        feed_bytes=feed["feed_counters"]["bytes"] / (2 * feed["messages_received"]),
        tick_us=slope([(row["ticks_per_second"], busy_us(row)) for row in ticks]),
        flush_us=largest["cpu_us_per_client_flush"],
        flush_updates=largest["updates_per_client_flush"],
        update_us=max(0.0, slope(flush_costs(reports))),
        clients_per_worker=largest["clients"],
        delivery_bytes=json["bytes_per_client_flush"] / json["updates_per_client_flush"],
        user_kb=memory["kb_per_client_after_traffic"]["rss"],
        kernel_kb=memory["kernel_kb_per_socket"]["after_traffic"],
        worker_mb=memory["gateway_kb_without_clients"]["rss"] / 1024,
    )


def points(reports: Reports, name: str) -> list[dict[str, Any]]:
    """The points of a scaling run that are not void, two at least."""
    kept = [row for row in reports[name]["points"] if not row["void"]]
    if len(kept) < 2:
        raise BenchError(f"sizing needs two points of {name} that are not void")
    return kept


def flush_costs(reports: Reports) -> list[tuple[float, float]]:
    """(updates in a flush, its CPU µs), for clients with several symbols. Flushes of a single
    update are left out: they go out at once, and a busy worker has none."""
    rows = points(reports, "scaling-per-client")
    pairs = [(row["updates_per_client_flush"], row["cpu_us_per_client_flush"]) for row in rows]
    return [pair for pair in pairs if pair[0] >= 2]


def busy_us(row: dict[str, Any]) -> float:
    """CPU µs of the gateway in each second of a point."""
    found: float = row["cpu_us_per_delivery"] * row["deliveries_per_second"]
    return found


def slope(pairs: list[tuple[float, float]]) -> float:
    """Of the straight line with the least squares through all (x, y).

    Raises:
        BenchError: they are fewer than two.
    """
    if len(pairs) < 2:
        raise BenchError(f"{len(pairs)} points are too few for a slope")
    x, y = (sum(each) / len(pairs) for each in zip(*pairs, strict=True))
    rise = sum((one - x) * (two - y) for one, two in pairs)
    return float(rise / sum((one - x) ** 2 for one, _ in pairs))


def plan(fleet: Fleet, box: Box, found: Measured, interval: float) -> Plan:
    """The resources of the fleet at a flush interval of `interval` seconds.

    Raises:
        BenchError: a worker has not enough time even to read the ticks.
    """
    rate = fleet.deliveries / fleet.clients
    flushes = min(1 / interval, rate)
    updates = rate / flushes
    left = box.share - fleet.ticks * found.tick_us / 1e6
    if left <= 0:
        raise BenchError(f"{fleet.ticks:,.0f} ticks/s leave a gateway worker no time for clients")
    by_cpu = int(left * 1e6 / (flushes * found.flush_cost(updates)))
    per_worker = min(by_cpu, found.clients_per_worker)
    workers = math.ceil(fleet.clients / per_worker)
    feed_cores = math.ceil(fleet.ticks / (found.feed_messages_per_core * box.share))
    payload = updates * found.delivery_bytes
    gbit = fleet.clients * flushes * on_the_wire(payload) * 8 / 1e9
    memory = (
        fleet.clients * (found.user_kb + found.kernel_kb) / 1e6 + workers * found.worker_mb / 1e3
    )
    return Plan(
        interval,
        flushes,
        updates,
        per_worker,
        "CPU" if by_cpu < found.clients_per_worker else "connections",
        workers,
        feed_cores,
        gbit,
        memory,
        {
            "cores": workers / (box.cores - box.kernel_cores - feed_cores),
            "network": gbit / (box.gbit * box.share),
            "memory": memory / (box.memory_gb * box.share),
        },
    )

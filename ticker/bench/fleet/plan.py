"""A fleet's boxes, cores, network and log, computed from costs.

Law: no figure comes from anywhere but the costs, the fleet and the box, and the frame sizes of IEEE
802.3, RFC 791 and RFC 9293. Each gateway box takes all ticks from the bus (`interest = "all"`), and
each of its gateway workers reads them all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ticker.errors import BenchError

# On the wire beside the payload: preamble, header, check sequence and gap of Ethernet (8 + 14 + 4 +
# 12), IPv4 (20), TCP with timestamps (20 + 12, RFC 7323).
PACKET_BYTES = 90
SEGMENT_BYTES = 1448  # of 1,500, less the headers of IPv4 and TCP with timestamps
SERVERS = 3
"""nats-servers, at least: one may be lost."""
INGEST = 2
"""Ingest boxes for each share of the ticks: one speaks, one waits."""


@dataclass(frozen=True)
class Costs:
    """Costs on the measured machine; µs are of CPU."""

    feed_us: float
    """Of a feed worker, for each message of the exchange."""
    relay_us: float
    bridge_us: float
    """Of a relay and a bridge, for each tick."""
    server_us: float
    """Of a nats-server, for each tick that it takes and gives to one box."""
    box_us: float
    """Of a nats-server, for each tick that it gives to one more box."""
    bus_bytes: float
    """Of a tick on the bus."""
    tick_us: float
    """Of a gateway worker, for each tick that it reads."""
    flush_us: float
    """Of a gateway worker, for each flush of a client."""
    flush_bytes: float
    """Of the payload of a flush."""
    client_kb: float
    """Memory of a client, with its socket in the kernel."""
    worker_mb: float
    """Memory of a gateway worker without clients."""


@dataclass(frozen=True)
class Fleet:
    """The load of all boxes together. `ticks`: trades a second. `per_client`: symbols that a client
    watches. `interval`: s between two flushes of a client. `spare`: share of gateway boxes that may
    be away. `days`: of the log, with trading in `hours` of each."""

    clients: int = 5_000_000
    ticks: float = 1e6
    symbols: int = 10_000
    per_client: int = 5
    interval: float = 0.1
    spare: float = 0.1
    days: float = 7.0
    hours: float = 16.0

    @property
    def flushes(self) -> float:
        """Of one client, per second: the first change after an interval is flushed at once."""
        return 1 / (self.interval + self.symbols / (self.ticks * self.per_client))


@dataclass(frozen=True)
class Box:
    """One machine. Of its cores and its network `share` is used at the stated load, and of its
    memory, too."""

    cores: int = 32
    memory_gb: float = 128.0
    gbit: float = 25.0
    share: float = 0.6


def on_the_wire(payload: float) -> float:
    """Bytes of a message with the headers of its packets."""
    return payload + math.ceil(payload / SEGMENT_BYTES) * PACKET_BYTES


def plan(fleet: Fleet, box: Box, costs: Costs) -> dict[str, Any]:
    """The resources of the fleet; rows of `boxes` are of one role each.

    Raises:
        BenchError: a gateway worker has not enough time even to read the ticks, or a box has no
            core or no network for clients.
    """
    clients_per_box, bound, workers = _gateway_box(fleet, box, costs)
    gateways = math.ceil(fleet.clients / clients_per_box)
    spare = math.ceil(gateways * fleet.spare)
    ingest = _ingest(fleet, box, costs)
    listeners = gateways + spare + ingest["boxes"]
    servers = _servers(fleet, box, costs, listeners)
    taken = fleet.clients / gateways
    log_tb = fleet.ticks * costs.bus_bytes * 3600 * fleet.hours * fleet.days / 1e12
    return {
        "clients_per_box": clients_per_box,
        "bound_by": bound,
        "client_flushes_per_second": round(fleet.clients * fleet.flushes),
        "bus_bytes_per_second": round(fleet.ticks * costs.bus_bytes),
        "log_terabytes": round(log_tb, 2),
        "total_boxes": gateways + spare + ingest["boxes"] + servers["boxes"],
        "total_cores": (gateways + spare + ingest["boxes"] + servers["boxes"]) * box.cores,
        "boxes": [
            {
                "role": "gateway",
                "boxes": gateways + spare,
                "spare": spare,
                "busy_cores": round(_gateway_cores(fleet, costs, taken, workers), 2),
                "gbit_in": round(_bus_gbit(fleet, costs), 3),
                "gbit_out": round(taken * _client_gbit(fleet, costs), 3),
                "memory_gb": round(_memory_gb(costs, taken, workers), 2),
            },
            ingest,
            servers,
        ],
    }


def _gateway_box(fleet: Fleet, box: Box, costs: Costs) -> tuple[int, str, int]:
    """The clients that a box can take, what bounds them, and its gateway workers."""
    bridge = math.ceil(fleet.ticks * costs.bridge_us / 1e6 / box.share)
    workers = box.cores - bridge
    left = box.share - fleet.ticks * costs.tick_us / 1e6
    network = box.gbit * box.share - _bus_gbit(fleet, costs)
    if left <= 0 or workers <= 0:
        raise BenchError(
            f"{fleet.ticks:,.0f} ticks/s leave a gateway worker no time for clients: "
            'spread the feeds over several clusters, or take lane = "rows"'
        )
    if network <= 0:
        raise BenchError(f"{fleet.ticks:,.0f} ticks/s fill a network of {box.gbit:g} Gbit/s")
    free_gb = box.memory_gb * box.share - workers * costs.worker_mb / 1e3
    bounds = {
        "cores": workers * left * 1e6 / (fleet.flushes * costs.flush_us),
        "network": network / _client_gbit(fleet, costs),
        "memory": free_gb * 1e6 / costs.client_kb,
    }
    bound = min(bounds, key=lambda name: bounds[name])
    if bounds[bound] < 1:
        raise BenchError(f"a box of {box.cores} cores and {box.memory_gb:g} GB has no {bound}")
    return int(bounds[bound]), bound, workers


def _gateway_cores(fleet: Fleet, costs: Costs, clients: float, workers: int) -> float:
    reading = fleet.ticks * (costs.bridge_us + workers * costs.tick_us)
    return (reading + clients * fleet.flushes * costs.flush_us) / 1e6


def _client_gbit(fleet: Fleet, costs: Costs) -> float:
    return fleet.flushes * on_the_wire(costs.flush_bytes) * 8 / 1e9


def _bus_gbit(fleet: Fleet, costs: Costs) -> float:
    """One copy of all ticks; frames fill their packets."""
    return fleet.ticks * costs.bus_bytes * (1 + PACKET_BYTES / SEGMENT_BYTES) * 8 / 1e9


def _memory_gb(costs: Costs, clients: float, workers: int) -> float:
    return clients * costs.client_kb / 1e6 + workers * costs.worker_mb / 1e3


def _ingest(fleet: Fleet, box: Box, costs: Costs) -> dict[str, Any]:
    cores = fleet.ticks * (costs.feed_us + costs.relay_us) / 1e6
    needed = math.ceil(cores / (box.cores * box.share))
    return {
        "role": "ingest",
        "boxes": INGEST * needed,
        "spare": needed,
        "busy_cores": round(cores / needed, 2),
        "gbit_in": round(_bus_gbit(fleet, costs) / needed, 3),  # of the box that waits
        "gbit_out": round(_bus_gbit(fleet, costs) / needed, 3),
        "memory_gb": 1.0,
    }


def _servers(fleet: Fleet, box: Box, costs: Costs, listeners: int) -> dict[str, Any]:
    """The nats-servers: each takes all ticks from the one that has the speaker, and gives them to
    its part of the boxes. With one of them away, the busiest gives so many copies."""
    one = _bus_gbit(fleet, costs)
    room = box.gbit * box.share
    count = SERVERS
    while True:
        routes = count - 2
        copies = max(math.ceil((listeners + routes) / (count - 1)), routes)
        cores = fleet.ticks * (costs.server_us + (copies - 1) * costs.box_us) / 1e6
        if copies * one <= room and cores <= box.cores * box.share:
            break
        count += 1
        if count > listeners + SERVERS:
            raise BenchError(
                f"no number of nats-servers with {box.gbit:g} Gbit/s and {box.cores} cores gives "
                f"{fleet.ticks:,.0f} ticks/s to {listeners} boxes: take a larger --gbit"
            )
    return {
        "role": "nats-server",
        "boxes": count,
        "spare": 1,
        "busy_cores": round(cores, 2),
        "gbit_in": round(one, 3),
        "gbit_out": round(copies * one, 3),
        "memory_gb": 1.0,
    }

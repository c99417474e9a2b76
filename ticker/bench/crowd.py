"""A crowd: as many clients as one box can hold, at several gateway workers on one port.

Everything runs on all cores, so the figures are those of a box that carries its own generators.
All connect and subscribe, then prices flow for a while; then silence, until every client has the
newest price of each of its symbols. A client that was disconnected is dropped, and counts.
"""

from __future__ import annotations

import time
from typing import Any

from ticker.bench import machine, progress
from ticker.bench.latency import prefixed
from ticker.bench.part import Part
from ticker.bench.rig import Clients, Load, Rig

CONNECT_SECONDS = 300.0
DRAIN_SECONDS = 10.0
STATED = (
    "client_flushes",
    "updates_sent",
    "encoded",
    "conflated",
    "lagged",
    "laps",
    "send_blocked",
    "slow_closed",
    "connections_closed",
)


def run(load: Load, duration: float) -> dict[str, Any]:
    """Dropped, delivered, lagged, memory and CPU, over `duration` seconds of prices."""
    with Rig(load) as rig:
        pids = [part.pid for part in rig.gateways]
        memory = _memory(pids)
        progress.say(f"{load.clients:,} clients connect")
        begin = time.monotonic()
        clients = rig.swarm(timeout=CONNECT_SECONDS)
        seconds = time.monotonic() - begin
        idle = _memory(pids)
        connections = [each["connections_accepted"] for each in rig.counters.each]
        clients.ask("reset")
        flow = _flow(rig, clients, duration)
        seen = clients.results()
        lost = load.clients - seen.open
        return {
            "dropped": lost,
            "delivered": seen.counts["updates"],
            "delivered_per_second": round(seen.counts["updates"] / duration),
            "lagged": seen.counts["lagged"],
            "merged": seen.counts["merged"],
            "connections_per_gateway": connections,
            "connected_and_subscribed_per_second": round(load.clients / seconds),
            **prefixed("update", seen.latency.summary()),
            "gateway_kb_per_idle_client": round((idle - memory) / load.clients, 3),
            "gateway_kb_per_client_after": round((_memory(pids) - memory) / load.clients, 3),
            "generator_kb_per_client": round(
                _memory([part.pid for part in clients.parts]) / load.clients, 3
            ),
            "generator_processes": len(clients.parts),
            **flow,
            "seen": seen.counts,
            "violations": seen.violations,
            "clients_lost": lost,
            "void": None,
        }


def _flow(rig: Rig, clients: Clients, duration: float) -> dict[str, Any]:
    """Prices for a while, then silence until all is read: CPU, counters, who is behind."""
    before, published = rig.counters.as_dict(), rig.start_ticks()
    parts = {"gateways": rig.gateways, "generator": [rig.publisher, *clients.parts]}
    cpu = {name: _cpu(each) for name, each in parts.items()}
    progress.wait(duration, f"prices for {rig.load.clients:,} clients")
    busy = {
        f"{name}_cpu": round((_cpu(each) - cpu[name]) / 1e9 / duration, 3)
        for name, each in parts.items()
    }
    last = rig.stop_ticks()
    clients.ask("drain", quiet=0.2, timeout=DRAIN_SECONDS)
    after = rig.counters.as_dict()
    return {
        "ticks_per_second": round((rig.published - published) / duration),
        **busy,
        "prices_not_newest_at_end": sum(clients.ask("behind", times=last)),
        "gateway_counters": {name: after[name] - before[name] for name in STATED},
    }


def _memory(pids: list[int]) -> int:
    """Private and shared kB that lie in memory, over all of them."""
    return sum(machine.memory_kb(pid)["rss"] for pid in pids)


def _cpu(parts: list[Part]) -> int:
    return sum(part.cpu_ns for part in parts)

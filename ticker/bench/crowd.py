"""A crowd: as many clients as one box can hold, at several gateway workers on one port.

Everything runs on all cores, so the figures are those of a box that carries its own generators.
All connect and subscribe, then prices flow for a while; then silence, until every client has the
newest price of each of its symbols. A client that was disconnected is dropped, and counts. The
run is void when a process of the generator was full, or when no core had anything left.
"""

from __future__ import annotations

import time
from typing import Any

from ticker.bench.latency import prefixed
from ticker.bench.report import machine, progress
from ticker.bench.rig.meter import Meter, void_reason
from ticker.bench.rig.rig import Clients, Load, Rig

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
        flow = _flow(rig, clients, duration)
        seen = clients.results()
        lost = load.clients - seen.open
        return {
            "dropped": lost,
            "delivered": seen.counts["updates"],
            "delivered_per_second": round(seen.updates_per_second),
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
            "trades": rig.pace.as_dict(),
            "void": void_reason(flow["generator"], rig.pace, lost),
        }


def _flow(rig: Rig, clients: Clients, duration: float) -> dict[str, Any]:
    """Prices for a while, then silence until all is read: CPU, counters, who is behind."""
    rig.start_ticks()
    progress.wait(rig.load.warm_up, "warming up")
    clients.ask("reset")
    before, cpu = rig.counters.as_dict(), rig.cpu_ns
    meter = Meter(rig.cores, [rig.publisher, *clients.parts])
    progress.wait(duration, f"prices for {rig.load.clients:,} clients")
    busy, cpu = meter.read(), rig.cpu_ns - cpu
    last = rig.stop_ticks()
    clients.ask("drain", quiet=0.2, timeout=DRAIN_SECONDS)
    after = rig.counters.as_dict()
    return {
        "ticks_per_second": round(rig.load.symbols * rig.load.rate * rig.pace.kept),
        "gateways_cpu": round(cpu / 1e9 / duration, 3),
        "generator": {name: round(share, 3) for name, share in busy.items()},
        "prices_not_newest_at_end": sum(clients.ask("behind", times=last)),
        "gateway_counters": {name: after[name] - before[name] for name in STATED},
    }


def _memory(pids: list[int]) -> int:
    """Private and shared kB that lie in memory, over all of them."""
    return sum(machine.memory_kb(pid)["rss"] for pid in pids)

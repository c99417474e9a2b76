"""Memory of a gateway worker per connected client.

The worker is a fresh interpreter, so no page of it is shared with a parent. First one client
comes and goes, so that what is set up once is there; then all connect, subscribe and stay idle
(the publisher is silent); then they are sent updates for a while, which shows what that leaves
behind. Kernel socket memory is not the process's and not in these figures.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import Any

from ticker.bench import machine
from ticker.bench.latency import checks
from ticker.bench.rig import Load, Meter, Rig, swarm

TRAFFIC_SECONDS = 2.0


def run(load: Load) -> dict[str, Any]:
    """kB of gateway memory per client, idle and after traffic."""
    with Rig(load) as rig:
        _warm_up(rig)
        before = machine.memory_kb(rig.gateway.pid)
        meter = Meter(rig.cores, [rig.publisher])
        begin = time.monotonic()
        clients = rig.swarm()
        seconds = time.monotonic() - begin
        idle = machine.memory_kb(rig.gateway.pid)
        busy = meter.read()
        rig.start_ticks()
        time.sleep(TRAFFIC_SECONDS)
        times = rig.stop_ticks()
        clients.ask("drain", quiet=0.05, timeout=10)
        behind = sum(clients.ask("behind", times=times))
        after = machine.memory_kb(rig.gateway.pid)
        growth = {name: round((idle[name] - before[name]) / load.clients, 3) for name in idle}
        return {
            "kb_per_idle_client": max(growth["rss"], growth["private"]),
            "idle_kb_per_client": growth,
            "kb_per_client_after_traffic": {
                name: round((after[name] - before[name]) / load.clients, 3) for name in after
            },
            "gateway_kb_without_clients": before,
            "gateway_kb_with_idle_clients": idle,
            "connected_and_subscribed_per_second": round(load.clients / seconds),
            **checks(load, clients.results(), behind, {**busy, "busiest_core": 0.0}),
        }


def _warm_up(rig: Rig) -> None:
    """Every symbol is asked for once, and ticks once, before memory is looked at."""
    with ExitStack() as stack:
        few = Load(clients=1, symbols=rig.load.symbols, per_client=rig.load.symbols)
        clients = swarm(stack, rig.cores, rig.port, few)
        clients.ask("connect", timeout=10)
        clients.ask("subscribe", timeout=10)
        rig.start_ticks()
        time.sleep(3 * rig.load.flush_interval)
        rig.stop_ticks()

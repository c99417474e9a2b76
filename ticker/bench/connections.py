"""Memory of a gateway worker per connected client.

The worker is a fresh interpreter, so it shares no page with a parent. First one client connects and
leaves, so that one-time allocations are made. Then all clients connect, subscribe and stay idle
(the publisher is silent), in two halves. The first half may fit into free memory, so the worse of
the second half and the whole counts. Then the clients get updates for a while, to measure the
memory after traffic. The kernel's memory is the growth of the whole system's slabs and TCP
buffers, for each of the two sockets that a connection has on one machine.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import Any

from ticker.bench.latency import checks
from ticker.bench.report import machine, progress
from ticker.bench.rig.meter import BOTTLENECK, Meter
from ticker.bench.rig.rig import Clients, Load, Rig, swarm

TRAFFIC_SECONDS = 2.0


def run(load: Load) -> dict[str, Any]:
    """kB of gateway memory per client, idle and after traffic."""
    half = load.clients // 2
    with Rig(load) as rig:
        _warm_up(rig)
        pid = rig.gateway.pid
        memory = [machine.memory_kb(pid)]
        kernel = [machine.kernel_kb()]
        meter = Meter(rig.cores, [rig.publisher])
        progress.say(f"{load.clients:,} clients connect")
        begin = time.monotonic()
        clients = rig.swarm(0, half)
        memory.append(machine.memory_kb(pid))
        later = rig.swarm(half, load.clients)
        seconds = time.monotonic() - begin
        memory.append(machine.memory_kb(pid))
        kernel.append(machine.kernel_kb())
        busy = meter.read()
        clients.parts += later.parts
        clients.watchers += later.watchers
        behind = _traffic(rig, clients)
        memory.append(machine.memory_kb(pid))
        kernel.append(machine.kernel_kb())
        return {
            **_results(load.clients, memory),
            "kernel_kb_per_socket": _per_socket(kernel, load.clients),
            "connected_and_subscribed_per_second": round(load.clients / seconds),
            # A full core sets the pace of connecting; memory, which is measured, stays true.
            "connecting_bounded_by": "generator" if _full(busy) else "server",
            **checks(load, clients.results(), behind, {**busy, "busiest_core": 0.0}, rig.pace),
        }


def _full(busy: dict[str, float]) -> bool:
    return busy["busiest_core"] > BOTTLENECK


def _results(clients: int, memory: list[dict[str, int]]) -> dict[str, Any]:
    """Of the worker: without clients, with half of them, with all, and after traffic."""
    half = clients // 2
    whole = per_client(memory[0], memory[2], clients)
    second = per_client(memory[1], memory[2], clients - half)
    return {
        "kb_per_idle_client": max(whole["rss"], whole["private"], second["rss"], second["private"]),
        "kb_per_client_over_all": whole,
        "kb_per_client_over_second_half": second,
        "kb_per_client_after_traffic": per_client(memory[0], memory[3], clients),
        "memory": [
            {"clients": count, **{f"gateway_{kind}_kb": each for kind, each in found.items()}}
            for count, found in zip((0, half, clients), memory, strict=False)
        ],
        "gateway_kb_without_clients": memory[0],
        "gateway_kb_with_idle_clients": memory[2],
    }


def per_client(before: dict[str, int], after: dict[str, int], clients: int) -> dict[str, float]:
    """Growth of each kind of memory over so many clients, in kB."""
    return {name: round((after[name] - before[name]) / clients, 3) for name in after}


def _per_socket(kernel: list[int], clients: int) -> dict[str, float]:
    """Growth of the kernel's memory, in kB for each of a connection's two ends."""
    idle, after = ((kb - kernel[0]) / (2 * clients) for kb in kernel[1:])
    return {"idle": round(idle, 3), "after_traffic": round(after, 3)}


def _traffic(rig: Rig, clients: Clients) -> int:
    """Updates for a while; how many prices are not the newest after it."""
    rig.start_ticks()
    progress.wait(TRAFFIC_SECONDS, "some traffic")
    times = rig.stop_ticks()
    clients.ask("drain", quiet=0.05, timeout=10)
    return sum(clients.ask("behind", times=times))


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

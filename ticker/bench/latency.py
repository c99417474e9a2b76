"""Latency as a client sees it: from a trade's own time to its update's receipt, and from a
subscribe's send to its snapshot's receipt, both with the feed running. One clock, one machine.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from ticker.bench.report import progress
from ticker.bench.rig.meter import Meter, Pace, void_reason
from ticker.bench.rig.rig import Clients, Load, Rig, SwarmResults

CALIBRATION = 2.0
NO_TRADES = Pace()


def run(load: Load, duration: float) -> dict[str, Any]:
    """Updates: exchange timestamp to receipt, over `duration` seconds of open-loop ticks."""
    with Rig(load) as rig:
        clients = rig.swarm()
        rig.start_ticks()
        progress.wait(load.warm_up, "warming up")
        clients.ask("reset")
        before = rig.counters.as_dict()
        meter = Meter(rig.cores, [rig.publisher, *clients.parts])
        begin, cpu = time.monotonic(), rig.cpu_ns
        progress.wait(duration, f"measuring {load.clients:,} clients")
        busy = meter.read()
        cpu = rig.cpu_ns - cpu
        after = rig.counters.as_dict()
        seconds = time.monotonic() - begin
        behind = _stop(rig, clients)
        seen = clients.results()
        return {
            **prefixed("update", seen.latency.summary()),
            "updates_per_second": round(seen.updates_per_second),
            "client_flushes_per_second": round(
                (after["client_flushes"] - before["client_flushes"]) / seconds
            ),
            "gateway_cpu": round(cpu / 1e9 / seconds, 3),
            "gateway_counters": {name: after[name] - before[name] for name in after},
            **checks(load, seen, behind, busy, rig.pace),
        }


def at(load: Load, duration: float, share: float) -> dict[str, Any]:
    """Updates at a share of capacity (see `capacity_of`). The pace of the trades and the
    subscriptions stay; the number of clients follows from the share."""
    return _at(load, duration, share, *capacity_of(load))


def sweep(load: Load, duration: float, shares: list[float]) -> dict[str, Any]:
    """The same at several shares of one capacity, each a run with clients of its own."""
    capacity = capacity_of(load)
    rows = []
    for share in shares:
        with progress.within(f"{share:.0%} of capacity"):
            rows.append(_at(load, duration, share, *capacity))
    void = "; ".join(
        f"{row['share_of_capacity']:.0%}: {row['void']}" for row in rows if row["void"]
    )
    return {"sweep": rows, "void": void or None}


def capacity_of(load: Load) -> tuple[float, float]:
    """(client flushes per second that one core of the gateway could deliver if each cost what it
    costs `load.clients`, client flushes per second and client)."""
    with Rig(load) as rig:
        rig.swarm()
        rig.start_ticks()
        progress.wait(load.warm_up, "warming up")
        begin, cpu, flushes = time.monotonic(), rig.cpu_ns, rig.counters["client_flushes"]
        progress.wait(CALIBRATION, f"what {load.clients:,} clients cost")
        cpu = rig.cpu_ns - cpu
        flushes = rig.counters["client_flushes"] - flushes
        seconds = time.monotonic() - begin
    return flushes / cpu * 1e9, flushes / seconds / load.clients


def _at(
    load: Load, duration: float, share: float, capacity: float, per_client: float
) -> dict[str, Any]:
    clients = max(1, round(share * capacity / per_client))
    found = run(replace(load, clients=clients), duration)
    return {
        "capacity_client_flushes_per_second": round(capacity),
        "share_of_capacity": share,
        "clients": clients,
        **found,
    }


def snapshots(load: Load, duration: float, rate: float) -> dict[str, Any]:
    """Snapshots: `load.probes` more clients subscribe, `rate` times per second in all, while
    `load.clients` others are subscribed and sent updates. A probe takes what it subscribed to
    back before its next turn. The wait counts for each symbol of a subscribe."""
    with Rig(load) as rig:
        clients = rig.swarm()
        rig.start_ticks()
        progress.wait(load.warm_up, "warming up")
        clients.ask("reset")
        meter = Meter(rig.cores, [rig.publisher, *clients.parts])
        progress.say(f"{load.probes} probes ask for {duration:g} s")
        # Probes have the highest numbers, so the last process has only probes.
        clients.parts[-1].ask(
            "probe", duration + 60, watchers=clients.watchers[-1], rate=rate, seconds=duration
        )
        busy = meter.read()
        behind = _stop(rig, clients)
        seen = clients.results()
        return {
            **prefixed("snapshot", seen.first_answer.summary()),
            **checks(load, seen, behind, busy, rig.pace),
        }


def _stop(rig: Rig, clients: Clients) -> int:
    """Silence; how many of the watchers' prices are not the newest after it."""
    times = rig.stop_ticks()
    clients.ask("drain", quiet=0.05, timeout=10)
    return sum(clients.ask("behind", times=times))


def prefixed(prefix: str, summary: dict[str, Any]) -> dict[str, Any]:
    """A histogram's summary as figures of their own."""
    return {f"{prefix}_{name}": value for name, value in summary.items()}


def checks(
    load: Load, seen: SwarmResults, behind: int, busy: dict[str, float], pace: Pace = NO_TRADES
) -> dict[str, Any]:
    """The last figures of every report about clients."""
    lost = load.clients + load.probes - seen.open
    return {
        "seen": seen.counts,
        "violations": seen.violations,
        "prices_not_newest_at_end": behind,
        "clients_lost": lost,
        "trades": pace.as_dict(),
        "generator": {name: round(value, 3) for name, value in busy.items()},
        "void": void_reason(busy, pace, lost),
    }

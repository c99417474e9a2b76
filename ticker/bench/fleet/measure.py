"""The costs of a fleet on this machine, measured in some seconds, and the fleet computed from them.

The feed worker takes datagrams over loopback; the gateway worker serves two crowds of different
size, whose difference is the cost of clients, while the smaller one shows that of reading ticks; a
relay, a nats-server and a bridge carry trades, then the same with more boxes that take all of them.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ticker.bench import bus, ingest
from ticker.bench.fleet.plan import Box, Costs, Fleet, plan
from ticker.bench.report import machine, progress
from ticker.bench.rig.rig import Load, Rig
from ticker.errors import BenchError

FEW, MANY = 20, 1000
SYMBOLS = 500
MOST_TICKS = 50_000
"""Trades per second of the gateway's runs: what the generator can do beside it."""
SECONDS = 2.0
FEED_RATE = 200_000
BUS_RATE = 200_000
MORE = 2
"""Boxes beside the first one."""
SEED = 13


@dataclass(frozen=True)
class Crowd:
    """A gateway worker's run; CPU in µs over all of it."""

    cpu_us: float
    ticks: int
    flushes: int
    bytes: int
    client_kb: float
    worker_mb: float


def run(fleet: Fleet, box: Box, report: Path | None = None) -> dict[str, Any]:
    """The fleet's plan, with the costs that it stands on: measured now, or those of a report of
    this bench.

    Raises:
        BenchError: a run failed, or the report is none of this bench.
    """
    costs, void = (costs_of(report), None) if report is not None else measured(fleet)
    return {"void": void, **plan(fleet, box, costs), "costs": asdict(costs)}


def costs_of(report: Path) -> Costs:
    """Those in a report of this bench. Raises BenchError: it is none."""
    try:
        return Costs(**json.loads(report.read_text(encoding="utf-8"))["costs"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BenchError(
            f"{report}: no report of `ticker bench fleet --json FILE` ({error})"
        ) from None


def measured(fleet: Fleet) -> tuple[Costs, str | None]:
    """The costs on this machine, and why they are not to be believed; None: they are.

    Raises:
        BenchError: a run failed.
    """
    progress.say("a feed worker")
    feed = ingest.udp(SYMBOLS, FEED_RATE, SECONDS, SEED)
    few, many = crowd(fleet, FEW), crowd(fleet, MANY)
    # two equations: cpu = ticks * tick_us + flushes * flush_us
    determinant = few.ticks * many.flushes - many.ticks * few.flushes
    if determinant <= 0:
        raise BenchError("the gateway sent nothing more to more clients; is the machine busy?")
    tick_us = (few.cpu_us * many.flushes - many.cpu_us * few.flushes) / determinant
    flush_us = (few.ticks * many.cpu_us - many.ticks * few.cpu_us) / determinant
    progress.say("the bus")
    alone = bus.run(BUS_RATE, SYMBOLS, SECONDS, log=False)
    shared = bus.run(BUS_RATE, SYMBOLS, SECONDS, log=False, boxes=1 + MORE)
    further = shared["nats_server_ns_per_event"] - alone["nats_server_ns_per_event"]
    void = "; ".join(each["void"] for each in (feed, alone, shared) if each["void"]) or None
    costs = Costs(
        feed_us=1e6 / feed["feed_messages_per_cpu_second"],
        relay_us=alone["relay_ns_per_event"] / 1000,
        bridge_us=alone["bridge_ns_per_event"] / 1000,
        server_us=alone["nats_server_ns_per_event"] / 1000,
        box_us=max(0.0, further / MORE / 1000),
        bus_bytes=alone["bytes_per_second"] / alone["events_per_second"],
        tick_us=max(0.0, tick_us),
        flush_us=flush_us,
        flush_bytes=many.bytes / many.flushes,
        client_kb=max(many.client_kb, 0.1),
        worker_mb=few.worker_mb,
    )
    return costs, void


def crowd(fleet: Fleet, clients: int) -> Crowd:
    """A gateway worker with so many clients of the fleet; each symbol trades as in the fleet."""
    rate = min(fleet.ticks / fleet.symbols, MOST_TICKS / SYMBOLS)
    load = Load(
        clients=clients, symbols=SYMBOLS, per_client=min(fleet.per_client, SYMBOLS),
        flush_interval=fleet.interval, ticks=rate * fleet.interval,
    )  # fmt: skip
    with Rig(load) as rig:
        pid = rig.gateway.pid
        before, kernel = machine.memory_kb(pid)["rss"], machine.kernel_kb()
        watching = rig.swarm()
        rig.start_ticks()
        progress.wait(load.warm_up, f"{clients:,} clients")
        cpu, counted, begin = rig.cpu_ns, rig.counters.as_dict(), time.monotonic()
        progress.wait(SECONDS, f"what {clients:,} clients cost")
        cpu = rig.cpu_ns - cpu
        after, seconds = rig.counters.as_dict(), time.monotonic() - begin
        used = machine.memory_kb(pid)["rss"] - before
        sockets = max(machine.kernel_kb() - kernel, 0)
        rig.stop_ticks()
        watching.results()
        grown = {name: after[name] - counted[name] for name in after}
        if not grown["client_flushes"]:
            raise BenchError(f"a gateway with {clients} clients sent nothing in {seconds:.1f} s")
        return Crowd(
            cpu_us=cpu / 1000,
            ticks=grown["records_read"],
            flushes=grown["client_flushes"],
            bytes=grown["bytes_sent"],
            # of the two sockets of a connection one is the client's
            client_kb=(used + sockets / 2) / clients,
            worker_mb=before / 1024,
        )

"""A load on a running ticker server, on this machine or another.

Law: the report claims only known facts. The server has its own feeds, so the bench cannot check
prices against times, and does not know the newest price. It checks subscribed symbols, snapshots
first, time and `seq` in order, gaps on `trades`, and kept connections. Latency is from the
exchange's timestamp to the receipt here, and only as exact as the clocks agree.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import ExitStack
from typing import Any

from ticker.bench.latency import prefixed
from ticker.bench.report import progress
from ticker.bench.rig.clients import CLIENTS_PER_PROCESS, Clients, SwarmResults, swarm
from ticker.bench.rig.load import Cores, Load
from ticker.bench.rig.meter import Meter, Pace, void_reason
from ticker.bench.rig.target import Target
from ticker.client.vitals import Vitals, read
from ticker.errors import ClientError

CONNECT_SECONDS, CONNECTED_PER_SECOND = 20.0, 500  # a server may take so long, or so few
ABSURD_US = 60_000_000  # a median latency of a minute is a replay, or another clock
STATED = (
    "ticker_gateway_client_flushes_total",
    "ticker_gateway_updates_sent_total",
    "ticker_gateway_bytes_sent_total",
    "ticker_gateway_conflated_total",
    "ticker_gateway_lagged_total",
    "ticker_gateway_laps_total",
    "ticker_gateway_send_blocked_total",
    "ticker_gateway_slow_closed_total",
    "ticker_gateway_connections_closed_total",
    "ticker_feed_trades_total",
    "ticker_feed_gaps_total",
    "ticker_feed_lost_messages_total",
)


def run(load: Load, duration: float, target: Target) -> dict[str, Any]:
    """Connect, subscribe, warm up, then count for `duration` seconds what is delivered.

    `load.symbols` is how many of the server's symbols clients choose from, at most.

    Raises:
        ClientError: no server there, or it refuses what it is asked.
        BenchError: too few symbols have a price, or not all clients were let in.
    """
    target.choose(load.symbols, load.per_client)
    cores = Cores.shared()
    with ExitStack() as stack:
        per_process = -(-load.clients // len(cores.others))
        per_process = min(CLIENTS_PER_PROCESS, max(1000, per_process))
        clients = swarm(stack, cores, target.place(), load, per_process=per_process)
        progress.say(f"{load.clients:,} clients connect to {target.authority}")
        patience = CONNECT_SECONDS + load.clients / CONNECTED_PER_SECOND
        begin = time.monotonic()
        for do in ("connect", "subscribe"):
            clients.ask(do, wait=patience, timeout=patience)
        connecting = time.monotonic() - begin
        waits = clients.results().first_answer.summary()
        flow, seen = _flow(cores, clients, load, duration, target)
    lost = load.clients - seen.open
    return {
        **prefixed("update", seen.latency.summary()),
        "clock": clock(seen, target.local),
        "deliveries_per_second": round(seen.updates_per_second),
        "lagged": seen.counts["lagged"],
        "merged": seen.counts["merged"],
        **prefixed("snapshot", waits),
        "connected_and_subscribed_per_second": round(load.clients / connecting),
        "server": target.described(),
        **{name: value for name, value in flow.items() if name != "generator"},
        "seen": seen.counts,
        "violations": seen.violations,
        "clients_lost": lost,
        "generator": {name: round(share, 3) for name, share in flow["generator"].items()},
        "void": void_reason(flow["generator"], Pace(), lost),
    }


def _flow(
    cores: Cores, clients: Clients, load: Load, duration: float, target: Target
) -> tuple[dict[str, Any], SwarmResults]:
    """The counters of the server and the generator while deliveries were counted, and the clients'
    results."""
    progress.wait(load.warm_up, "warming up")
    before = vitals(target)
    clients.ask("reset")
    meter = Meter(cores, clients.parts)
    progress.wait(duration, f"measuring {load.clients:,} clients")
    busy = meter.read()
    seen = clients.results()
    return {"server_counters": between(before, vitals(target)), "generator": busy}, seen


def vitals(target: Target) -> Vitals | str:
    """The server's /status and /metrics now, or why they cannot be read."""
    try:
        return asyncio.run(read(target.server))
    except ClientError as error:
        return str(error)


def between(before: Vitals | str, after: Vitals | str) -> dict[str, Any]:
    """The server's own counts in this time, over all its gateways and feeds."""
    for each in (before, after):
        if isinstance(each, str):
            return {"not reachable": each}
    assert isinstance(before, Vitals) and isinstance(after, Vitals)
    return {
        name.removeprefix("ticker_").removesuffix("_total"): round(
            after.value(name) - before.value(name)
        )
        for name in STATED
    }


def clock(seen: SwarmResults, local: bool) -> str:
    """An assessment of the clocks, from the latencies themselves."""
    updates, ahead = seen.counts["updates"], seen.counts["ahead"]
    if not updates:
        return "no update came, so there is no latency"
    if ahead:
        return (
            f"{ahead} of {updates} updates have a timestamp later than their receipt (counted as "
            "0): the clocks of the exchange and of this machine do not agree; latency says nothing"
        )
    median = seen.latency.percentile(50) / 1000
    if median > ABSURD_US:
        return (
            f"updates are {median / 1e6:.0f} s old at the median: a replay, an exchange's delayed "
            "feed, or another clock; latency says nothing"
        )
    if local:
        return "one clock, if the exchange is on this machine too"
    return "across machines: as true as the clocks of the exchange and of this machine agree"

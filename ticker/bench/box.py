"""The whole box: ingest and delivery at the same time, on all cores.

`ticker simulate itch` sends on two lines to a real `ticker serve`; the clients are a swarm on its
public port. No process is pinned to a core: the scheduler distributes the server and the
generators.

A tick is one ITCH message. Latency counts from the moment at which a trade was due by the
simulator's rate to the receipt of its update, on one clock. A late simulator therefore makes
latencies longer.
"""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ticker.bench.latency import prefixed
from ticker.bench.report import machine, progress
from ticker.bench.rig.clients import Place
from ticker.bench.rig.rig import AllCounters, Clients, Cores, Load, SwarmResults, swarm
from ticker.bench.rig.server import Server, Simulator, free_lines, settle
from ticker.errors import BenchError
from ticker.shm.counters import FEED_HISTOGRAMS, Counters, histogram, percentile
from ticker.shm.header import Mapping
from ticker.shm.table import PriceTable

OPEN_TIMEOUT = 60.0
CONNECT_SECONDS = 60.0
DRAIN_SECONDS = 10.0
WARM_UP = 2.0
FULL_RATE = 0.98
"""The least share of its rate that the simulator must send."""
BOUND_MS = 250.0
OTHERS = 0.2
"""Cores that other programs may use; with more the run is void."""
CLEAN_FEED = (
    "gaps", "lost_messages", "socket_drops", "bad_packets", "unknown_orders", "bad_orders",
    "unknown_symbols", "table_full", "short_messages", "memory_failures",
)  # fmt: skip
"""Counters of a feed that stay 0 if nothing is lost."""
CLEAN_GATEWAY = ("lagged", "laps", "send_blocked", "slow_closed")
"""Counters of a gateway that stay 0 if no client and no ring reader falls behind."""
STATED = (
    "client_flushes", "updates_sent", "encoded", "conflated", "flushes", "records_read", "wakeups",
    "bytes_sent", *CLEAN_GATEWAY,
)  # fmt: skip


@dataclass(frozen=True)
class BoxLoad:
    """The load of the box: clients as in `load`, and `rate` messages per second."""

    load: Load
    rate: float = 1_000_000.0
    seed: int = 1
    loss: float = 0.0
    """Share of packets that each line loses, by itself."""


@dataclass
class Box:
    """The parts, up and running; `names` are the symbols that trade, in the table's order."""

    server: Server
    simulator: Simulator
    clients: Clients
    names: list[str]
    rows: list[int] = field(default_factory=list)

    def pids(self) -> dict[str, list[int]]:
        """Of each kind of process."""
        generators = [part.pid for part in self.clients.parts]
        return {
            **self.server.pids(),
            "simulator": [self.simulator.pid],
            "clients": generators,
        }


def run(box: BoxLoad, duration: float, bound_ms: float = BOUND_MS) -> dict[str, Any]:
    """Run both for `duration` seconds; `missed` in the result lists all failures."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        parts = start(stack, folder, box)
        progress.wait(WARM_UP, "warm-up")
        parts.clients.ask("reset")
        meter = Meter(parts)
        progress.wait(duration, f"{box.rate:,.0f} messages/s")
        measured = meter.read()
        said = parts.simulator.statistics()
        settle(parts.server.feed)
        parts.clients.ask("drain", quiet=0.3, timeout=DRAIN_SECONDS)
        times, prices = newest(parts)
        behind = sum(parts.clients.ask("behind", times=times, prices=prices))
        seen = parts.clients.results()
        found = figures(parts, said, measured, seen)
        found["prices_not_newest_at_end"] = behind
        found["clients_lost"] = box.load.clients - seen.open
        found["clients_lagged_or_lost"] = found["clients_lost"] + seen.counts["lagged"]
        found["missed"] = missed(box, found, bound_ms)
        return found


def start(stack: ExitStack, folder: Path, box: BoxLoad) -> Box:
    """Server, exchange and clients, in this order; the clients come while the exchange sends."""
    lines = free_lines()
    server = stack.enter_context(Server(folder, lines, gateways=box.load.gateways))
    simulator = stack.enter_context(
        Simulator(lines, box.load.symbols, box.rate, box.seed, box.loss)
    )
    rows = traded_rows(server.feed, simulator, box.load.symbols)
    table = PriceTable(server.feed)
    names = [table.symbol(row) for row in rows]
    place = Place(server.port, symbols=tuple(names))
    clients = swarm(stack, Cores.shared(), place, box.load)
    for do in ("connect", "subscribe"):
        clients.ask(do, wait=CONNECT_SECONDS, timeout=CONNECT_SECONDS)
    return Box(server, simulator, clients, names, rows)


def traded_rows(feed: Mapping, simulator: Simulator, symbols: int) -> list[int]:
    """Rows that have a price, once the exchange has opened: its last symbol has traded."""
    table = PriceTable(feed)
    counters = Counters(feed)
    end = time.monotonic() + OPEN_TIMEOUT
    while len(table) < symbols or counters["trades"] < 2 * symbols:
        simulator.check_alive()
        if time.monotonic() > end:
            raise BenchError(
                f"after {OPEN_TIMEOUT:g} s the feed has {len(table)} of {symbols} symbols and "
                f"{counters['trades']} trades; give fewer --symbols or more --rate"
            )
        time.sleep(0.05)
    return [row for row in range(len(table)) if (table.values(row) or {}).get("price")]


def newest(box: Box) -> tuple[list[int], list[int]]:
    """Times and prices of each symbol's last sale, as the feed's table has it."""
    table = PriceTable(box.server.feed)
    found = [table.values(row) or {"exchange_time": 0, "price": 0} for row in box.rows]
    return [each["exchange_time"] for each in found], [each["price"] for each in found]


class Meter:
    """CPU of every process and core, and all counters, over a stretch of time."""

    def __init__(self, box: Box) -> None:
        self._pids = box.pids()
        self._feed = Counters(box.server.feed)
        self._gateways = AllCounters([Counters(each) for each in box.server.gateways])
        self._begin = self._now()

    def _now(self) -> dict[str, Any]:
        return {
            "time": time.monotonic(),
            "cpu": {name: sum(map(machine.cpu_ns, pids)) for name, pids in self._pids.items()},
            "all": machine.all_cpu_seconds(),
            "switches": {name: sum(map(switches, pids)) for name, pids in self._pids.items()},
            "feed": self._feed.as_dict(),
            "gateway": self._gateways.as_dict(),
        }

    def read(self) -> dict[str, Any]:
        """Seconds; `cpu` in cores by process, `others` being all that are not of the bench;
        `switches` per second by process; `feed` and `gateway` counters, as differences."""
        begin, now = self._begin, self._now()
        seconds = now["time"] - begin["time"]

        def gone(name: str) -> dict[str, int]:
            return {key: value - begin[name][key] for key, value in now[name].items()}

        cpu = {name: value / 1e9 / seconds for name, value in gone("cpu").items()}
        others = (now["all"] - begin["all"]) / seconds - sum(cpu.values())
        return {
            "seconds": seconds,
            "cpu": {name: round(each, 3) for name, each in {**cpu, "others": others}.items()},
            "switches": {name: round(n / seconds) for name, n in gone("switches").items()},
            "feed": gone("feed"),
            "gateway": gone("gateway"),
        }


def switches(pid: int) -> int:
    """The context switches of a process, voluntary or not."""
    found = 0
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.endswith("ctxt_switches"):
            found += int(value)
    return found


def figures(
    box: Box, said: dict[str, Any], measured: dict[str, Any], seen: SwarmResults
) -> dict[str, Any]:
    """What was sent, received, delivered and spent."""
    feed, gateway = measured["feed"], measured["gateway"]
    seconds = measured["seconds"]
    total = Counters(box.server.feed).as_dict()
    rejected = {
        name.removeprefix("rejected_"): number
        for name, number in total.items()
        if name.startswith("rejected_") and number
    }
    waits = {name: histogram(box.server.feed, n) for n, name in enumerate(FEED_HISTOGRAMS)}
    return {
        "messages_sent": said["messages"],
        "messages_received": total["messages"],
        "messages_lost": said["messages"] - total["messages"],
        "messages_per_second": round(feed["messages"] / seconds),
        "trades_per_second": round(feed["trades"] / seconds),
        "quotes_per_second": round(feed["quotes"] / seconds),
        "rejected": sum(rejected.values()),
        "rejected_by_rule": rejected,
        "feed_not_clean": {name: total[name] for name in CLEAN_FEED if total[name]},
        "symbols_traded": len(box.names),
        "updates_per_second": round(seen.updates_per_second),
        "client_flushes_per_second": round(gateway["client_flushes"] / seconds),
        **prefixed("update", seen.latency.summary()),
        "violations": seen.violations,
        "gateway_not_clean": {name: gateway[name] for name in CLEAN_GATEWAY if gateway[name]},
        "cpu": measured["cpu"],
        "cores_used": round(sum(measured["cpu"].values()), 3),
        "switches_per_second": measured["switches"],
        "cpu_ns_per_message": {
            name: round(measured["cpu"][name] * 1e9 * seconds / max(feed["messages"], 1), 1)
            for name in ("simulator", "feed")
        },
        "cpu_us_per_client_flush": {
            name: round(
                measured["cpu"][name] * 1e6 * seconds / max(gateway["client_flushes"], 1), 2
            )
            for name in ("gateways", "clients")
        },
        **{f"{name}_p99_us": percentile(counted, 0.99) / 1000 for name, counted in waits.items()},
        "gateway_counters": {name: gateway[name] for name in STATED},
        "seen": seen.counts,
        "simulator": said,
        "void": void(measured["cpu"]["others"]),
    }


def void(others: float) -> str | None:
    """The reason why the run is void, if it is."""
    if others > OTHERS:
        return f"processes that are not of the bench took {others:.2f} cores"
    return None


def missed(box: BoxLoad, found: dict[str, Any], bound_ms: float) -> list[str]:
    """The failures, each with its figure; none if all is well."""
    p99 = found["update_p99_us"] / 1000
    simulator = found["simulator"]
    checks = {
        f"{found['messages_lost']} messages lost": found["messages_lost"],
        f"trades rejected: {found['rejected_by_rule']}": found["rejected"],
        f"feed: {found['feed_not_clean']}": found["feed_not_clean"],
        f"gateway: {found['gateway_not_clean']}": found["gateway_not_clean"],
        f"{found['clients_lost']} clients lost": found["clients_lost"],
        f"clients got {found['seen']['lagged']} messages `lagged`": (found["seen"]["lagged"]),
        f"violations: {found['violations']}": found["violations"],
        f"{found['seen']['ahead']} updates came before their time": found["seen"]["ahead"],
        f"{found['prices_not_newest_at_end']} prices are not the newest": (
            found["prices_not_newest_at_end"]
        ),
        f"p99 {p99:.1f} ms, not below {bound_ms:g} ms": p99 >= bound_ms,
        "no updates": not found["seen"]["updates"],
        f"the simulator sent {found['messages_per_second']} messages/s, not {box.rate:.0f}": (
            found["messages_per_second"] < FULL_RATE * box.rate
        ),
        f"the simulator put {simulator['postponed']} messages off": simulator["postponed"],
    }
    return [says for says, holds_not in checks.items() if holds_not]

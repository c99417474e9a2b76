"""What a gateway bench is made of: one gateway worker alone on a core, and around it, on the
other cores, a synthetic publisher and a swarm of clients. Several gateway workers share one port
and all cores with everything else.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import time
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ticker.bench.checks import VIOLATIONS
from ticker.bench.latencies import Latencies
from ticker.bench.meter import BOTTLENECK as BOTTLENECK
from ticker.bench.meter import Meter as Meter
from ticker.bench.meter import Pace as Pace
from ticker.bench.part import ANSWER_TIMEOUT, Part, python_part
from ticker.errors import BenchError
from ticker.shm import segment
from ticker.shm.counters import Counters, Heartbeat
from ticker.shm.header import Mapping

CLIENTS_PER_PROCESS = 8000
MOST_PER_PROCESS = 15_000  # of 20,000 descriptors
START_TIMEOUT = 60.0


@dataclass(frozen=True)
class Load:
    """What is asked of the gateway; times in seconds."""

    clients: int
    symbols: int
    per_client: int
    flush_interval: float = 0.1
    ticks: float = 1.0  # per symbol and flush interval
    probes: int = 0  # clients that do not watch, see Swarm.probe
    encoding: str = "plain"  # commands.ENCODINGS
    channel: str = "price"
    gateways: int = 1
    popularity: str = "uniform"  # which symbols clients ask for: popularity.py
    trades_by: str = "even"  # every symbol trades alike, or by "popularity": ticks is the mean
    warm_up: float = 1.0  # of trades before anything is measured
    nap_us: int = 0  # how often clients look, see Swarm; 0: they are woken by what comes

    @property
    def rate(self) -> float:
        """Trades per second of a symbol, the mean over all."""
        return self.ticks / self.flush_interval


@dataclass(frozen=True)
class Cores:
    """The core of the part under test, and those of everything else."""

    tested: int
    others: tuple[int, ...]

    @staticmethod
    def choose() -> Cores:
        """Raises BenchError on a machine with a single core: the generator needs its own."""
        usable = sorted(os.sched_getaffinity(0))
        if len(usable) < 2:
            raise BenchError("a bench needs two cores: one for the server, one for its clients")
        return Cores(usable[0], tuple(usable[1:]))

    @staticmethod
    def shared() -> Cores:
        """All cores for everybody."""
        usable = tuple(sorted(os.sched_getaffinity(0)))
        return Cores(usable[0], usable)


@dataclass
class Clients:
    """A swarm over as many processes as its descriptors need."""

    parts: list[Part] = field(default_factory=list)
    watchers: list[int] = field(default_factory=list)

    def ask(self, do: str, wait: float = ANSWER_TIMEOUT, **arguments: Any) -> list[Any]:
        """One command to all processes at once; their answers, within `wait` s and some."""
        for part, watchers in zip(self.parts, self.watchers, strict=True):
            own = {"watchers": watchers} if do in ("subscribe", "behind", "probe") else {}
            part.tell(json.dumps({"do": do, **own, **arguments}))
        return [part.answer(wait + 10)["value"] for part in self.parts]

    def results(self) -> SwarmResults:
        """What all of them saw since the last reset."""
        total = SwarmResults()
        for found in self.ask("results"):
            for name, number in found["counts"].items():
                total.counts[name] = total.counts.get(name, 0) + number
            total.open += found["open"]
            total.seconds = max(total.seconds, found["seconds"])
            total.latency.merge(Latencies.load(found["latency"]))
            total.first_answer.merge(Latencies.load(found["first_answer"]))
        return total


@dataclass
class SwarmResults:
    """Counts (checks.COUNTS) and latencies of a whole swarm; `seconds` are from the last reset to
    the receipt of its last update."""

    counts: dict[str, int] = field(default_factory=dict)
    open: int = 0
    seconds: float = 0.0
    latency: Latencies = field(default_factory=Latencies)
    first_answer: Latencies = field(default_factory=Latencies)

    @property
    def violations(self) -> dict[str, int]:
        """What a client may never see, by kind, where it was seen."""
        return {name: self.counts[name] for name in VIOLATIONS if self.counts.get(name)}

    @property
    def updates_per_second(self) -> float:
        """Updates received, over the time until the last of them was: drained, not cut off."""
        return self.counts.get("updates", 0) / self.seconds if self.seconds else 0.0


def swarm(
    stack: ExitStack,
    cores: Cores,
    port: int,
    load: Load,
    *,
    first: int = 0,
    raw: bool = False,
    dialect: str = "plain",
    listed: Path | None = None,
) -> Clients:
    """Processes with the clients of a load, from number `first` on, for a port of 127.0.0.1.

    `listed` is a file with the symbols, one a line, of a server whose prices are not those of
    the synthetic publisher.

    Probes have a process of their own that goes before the others, where the system lets it:
    what they measure is the server, not the swarm that they share a core with.
    """
    clients = Clients()
    per_process = CLIENTS_PER_PROCESS if load.gateways == 1 else MOST_PER_PROCESS
    number = first
    while number < load.clients + load.probes:
        probing = number >= load.clients
        end = load.clients + load.probes if probing else load.clients
        size = min(per_process, end - number)
        settings = {
            "cores": cores.others,
            "host": "127.0.0.1",
            "port": port,
            "symbols": load.symbols,
            "clients": size,
            "per_client": load.per_client,
            "first_client": number,
            "raw": raw,
            "verify": not raw and listed is None,
            "listed": None if listed is None else str(listed),
            "dialect": dialect,
            "urgent": probing,
            "encoding": load.encoding,
            "channel": load.channel,
            "popularity": load.popularity,
            "nap_us": load.nap_us,
        }
        part = python_part(f"{'raw ' if raw else ''}swarm {number}", "swarm", settings)
        stack.callback(part.close)
        clients.parts.append(part)
        clients.watchers.append(0 if probing else size)
        number += size
    return clients


class AllCounters:
    """The counters of all gateways, as sums."""

    def __init__(self, each: list[Counters]) -> None:
        self.each = each

    def __getitem__(self, name: str) -> int:
        return sum(one[name] for one in self.each)

    def as_dict(self) -> dict[str, int]:
        """All by name."""
        found = [one.as_dict() for one in self.each]
        return {name: sum(one[name] for one in found) for name in found[0]}


class Rig:
    """Use as a context manager; everything that it started and made is gone after it."""

    def __init__(self, load: Load, cores: Cores | None = None) -> None:
        self.load = load
        self.cores = cores or (Cores.choose() if load.gateways == 1 else Cores.shared())
        self._stack = ExitStack()

    def __enter__(self) -> Rig:
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _start(self) -> None:
        instance = f"bench-{os.getpid()}"
        boot_id = secrets.randbits(63)
        now = time.time_ns()
        rows = max(16, self.load.symbols)
        geometry = segment.Geometry(rows=rows, rings=4, ring_capacity=65_536)
        feed = segment.feed_name(instance, "bench")
        names = [segment.gateway_name(instance, i) for i in range(self.load.gateways)]
        self.feed = self._made(segment.create_feed(feed, geometry, boot_id, now), feed)
        self.segments = [
            self._made(segment.create_gateway(name, boot_id, now), name) for name in names
        ]
        self.counters = AllCounters([Counters(each) for each in self.segments])
        doorbells = [self._doorbell() for _ in names]
        listeners = self._listeners()
        shared = {
            "instance": instance,
            "boot_id": boot_id,
            "feed_segment": feed,
            "gateways": names,
            "doorbells": doorbells,
            "symbols": self.load.symbols,
            "popularity": self.load.popularity if self.load.trades_by == "popularity" else None,
        }
        self.publisher = self._part("publisher", shared, self.cores.others, tuple(doorbells))
        self.publisher.answer()
        self.gateways = [
            self._gateway(index, shared, doorbells[index], listeners[index].fileno())
            for index in range(self.load.gateways)
        ]
        self.gateway = self.gateways[0]
        self._await_gateways()

    def _doorbell(self) -> int:
        doorbell = os.eventfd(0, os.EFD_NONBLOCK)
        self._stack.callback(os.close, doorbell)
        return doorbell

    def _listeners(self) -> list[socket.socket]:
        """One of 127.0.0.1 for each gateway, all on one port."""
        self.port = 0
        listeners = []
        for _ in range(self.load.gateways):
            listener = socket.create_server(("127.0.0.1", self.port), backlog=4096, reuse_port=True)
            self._stack.callback(listener.close)
            self.port = listener.getsockname()[1]
            listeners.append(listener)
        return listeners

    def _gateway(self, index: int, shared: dict[str, Any], doorbell: int, listener: int) -> Part:
        own = {
            "index": index,
            "doorbell_fd": doorbell,
            "listener_fd": listener,
            "gateway": self._grants(),
        }
        cores = (self.cores.tested,) if self.load.gateways == 1 else self.cores.others
        return self._part("gateway", {**shared, **own}, cores, (doorbell, listener))

    def core_of(self, index: int) -> int:
        """Where what stands beside gateway worker `index` runs; several workers may run on any
        core."""
        others = self.cores.others
        return self.cores.tested if self.load.gateways == 1 else others[index % len(others)]

    def _made(self, mapping: Mapping, name: str) -> Mapping:
        self._stack.callback(segment.remove, name)
        return mapping

    def _part(
        self, role: str, settings: dict[str, Any], cores: tuple[int, ...], fds: tuple[int, ...]
    ) -> Part:
        part = python_part(role, role, {**settings, "cores": cores}, fds, server=role == "gateway")
        self._stack.callback(part.close)
        return part

    def _grants(self) -> dict[str, Any]:
        total = self.load.clients + self.load.probes
        return {
            "flush_interval": self.load.flush_interval,
            "max_connections": max(18_000, total // self.load.gateways + 100),
            "max_symbols": max(1024, self.load.symbols),
        }

    def _await_gateways(self) -> None:
        end = time.monotonic() + START_TIMEOUT
        for each, part in zip(self.segments, self.gateways, strict=True):
            heartbeat = Heartbeat(each)
            while not heartbeat.time_ns:
                part.check_alive()
                if time.monotonic() > end:
                    raise BenchError(f"a gateway gave no sign of life in {START_TIMEOUT:g} s")
                time.sleep(0.01)

    def swarm(
        self, first: int = 0, end: int | None = None, timeout: float = START_TIMEOUT
    ) -> Clients:
        """The clients of the load, or those from `first` to before `end`, connected and
        subscribed."""
        load = self.load if end is None else replace(self.load, clients=end, probes=0)
        clients = swarm(self._stack, self.cores, self.port, load, first=first)
        clients.ask("connect", wait=timeout, timeout=timeout)
        clients.ask("subscribe", wait=timeout, timeout=timeout)
        return clients

    def own(self, part: Part) -> Part:
        """Close this part too in the end."""
        self._stack.callback(part.close)
        return part

    def raw_swarm(self, port: int, clients: int) -> Clients:
        """So many clients, which only read, on another server's port."""
        load = replace(self.load, clients=clients, probes=0)
        return swarm(self._stack, self.cores, port, load, raw=True)

    def start_ticks(self) -> int:
        """Every symbol trades from now on, `ticks` times per flush interval; how many trades
        there were before."""
        found: int = self.publisher.ask(
            "run", interval=self.load.flush_interval, ticks=self.load.ticks
        )["published"]
        return found

    def stop_ticks(self, quiet_intervals: float = 3) -> list[int]:
        """Silence, the last flush sent (nothing more for so many intervals); the newest exchange
        time of each symbol."""
        answer = self.publisher.ask("idle")
        times: list[int] = answer["times"]
        self.published: int = answer["published"]
        self.pace = Pace(answer["due"], answer["traded"], answer["late_ns"])
        quiet = quiet_intervals * self.load.flush_interval
        end = time.monotonic() + 10 + 3 * quiet
        flushes, since = -1, time.monotonic()
        while time.monotonic() - since < quiet:
            for part in self.gateways:
                part.check_alive()
            if self.counters["client_flushes"] != flushes:
                flushes, since = self.counters["client_flushes"], time.monotonic()
            if time.monotonic() > end:
                raise BenchError("the gateway still flushes long after the last tick")
            time.sleep(self.load.flush_interval / 10)
        return times

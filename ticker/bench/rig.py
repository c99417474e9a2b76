"""What a gateway bench is made of: one gateway worker alone on a core, and around it, on the
other cores, a synthetic publisher and a swarm of clients.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import time
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

from ticker.bench import machine
from ticker.bench.histogram import Histogram
from ticker.bench.part import Part, python_part
from ticker.bench.swarm import VIOLATIONS
from ticker.errors import BenchError
from ticker.shm import segment
from ticker.shm.counters import Counters, Heartbeat
from ticker.shm.header import Mapping

CLIENTS_PER_PROCESS = 8000
START_TIMEOUT = 60.0
BOTTLENECK = 0.95


@dataclass(frozen=True)
class Load:
    """What is asked of the gateway; times in seconds."""

    clients: int
    symbols: int
    per_client: int
    flush_interval: float = 0.1
    ticks: float = 1.0  # per symbol and flush interval
    probes: int = 0  # clients that do not watch, see Swarm.probe


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


@dataclass
class Clients:
    """A swarm over as many processes as its descriptors need."""

    parts: list[Part] = field(default_factory=list)
    watchers: list[int] = field(default_factory=list)

    def ask(self, do: str, **arguments: Any) -> list[Any]:
        """One command to all processes at once; their answers."""
        for part, watchers in zip(self.parts, self.watchers, strict=True):
            own = {"watchers": watchers} if do in ("subscribe", "behind", "probe") else {}
            part.tell(json.dumps({"do": do, **own, **arguments}))
        return [part.answer()["value"] for part in self.parts]

    def results(self) -> SwarmResults:
        """What all of them saw since the last reset."""
        total = SwarmResults()
        for found in self.ask("results"):
            for name, number in found["counts"].items():
                total.counts[name] = total.counts.get(name, 0) + number
            total.open += found["open"]
            total.latency.merge(Histogram.load(found["latency"]))
            total.first_answer.merge(Histogram.load(found["first_answer"]))
        return total


@dataclass
class SwarmResults:
    """Counts (swarm.COUNTS) and latencies of a whole swarm."""

    counts: dict[str, int] = field(default_factory=dict)
    open: int = 0
    latency: Histogram = field(default_factory=Histogram)
    first_answer: Histogram = field(default_factory=Histogram)

    @property
    def violations(self) -> dict[str, int]:
        """What a client may never see, by kind, where it was seen."""
        return {name: self.counts[name] for name in VIOLATIONS if self.counts.get(name)}


def swarm(
    stack: ExitStack,
    cores: Cores,
    port: int,
    load: Load,
    *,
    first: int = 0,
    raw: bool = False,
    dialect: str = "plain",
) -> Clients:
    """Processes with the clients of a load, from number `first` on, for a port of 127.0.0.1.

    Probes have a process of their own that goes before the others, where the system lets it:
    what they measure is the server, not the swarm that they share a core with.
    """
    clients = Clients()
    number = first
    while number < load.clients + load.probes:
        probing = number >= load.clients
        end = load.clients + load.probes if probing else load.clients
        size = min(CLIENTS_PER_PROCESS, end - number)
        settings = {
            "cores": cores.others,
            "host": "127.0.0.1",
            "port": port,
            "symbols": load.symbols,
            "clients": size,
            "per_client": load.per_client,
            "first_client": number,
            "raw": raw,
            "verify": not raw,
            "dialect": dialect,
            "urgent": probing,
        }
        part = python_part(f"{'raw ' if raw else ''}swarm {number}", "swarm", settings)
        stack.callback(part.close)
        clients.parts.append(part)
        clients.watchers.append(0 if probing else size)
        number += size
    return clients


class Rig:
    """Use as a context manager; everything that it started and made is gone after it."""

    def __init__(self, load: Load, cores: Cores | None = None) -> None:
        self.load = load
        self.cores = cores or Cores.choose()
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
        names = segment.feed_name(instance, "bench"), segment.gateway_name(instance, 0)
        self.feed = self._made(segment.create_feed(names[0], geometry, boot_id, now), names[0])
        self.segment = self._made(segment.create_gateway(names[1], boot_id, now), names[1])
        self.counters = Counters(self.segment)
        doorbell = os.eventfd(0, os.EFD_NONBLOCK)
        self._stack.callback(os.close, doorbell)
        listener = socket.create_server(("127.0.0.1", 0), backlog=4096, reuse_port=True)
        self._stack.callback(listener.close)
        self.port: int = listener.getsockname()[1]
        shared = {
            "instance": instance,
            "boot_id": boot_id,
            "feed_segment": names[0],
            "gateway_segment": names[1],
            "doorbell_fd": doorbell,
            "symbols": self.load.symbols,
        }
        self.publisher = self._part("publisher", shared, self.cores.others, (doorbell,))
        self.publisher.answer()
        self.gateway = self._part(
            "gateway",
            {**shared, "listener_fd": listener.fileno(), "gateway": self._grants()},
            (self.cores.tested,),
            (doorbell, listener.fileno()),
        )
        self._await_gateway()

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
            "max_connections": max(18_000, total + 100),
            "max_symbols": max(1024, self.load.symbols),
        }

    def _await_gateway(self) -> None:
        heartbeat = Heartbeat(self.segment)
        end = time.monotonic() + START_TIMEOUT
        while not heartbeat.time_ns:
            self.gateway.check_alive()
            if time.monotonic() > end:
                raise BenchError(f"the gateway gave no sign of life in {START_TIMEOUT:g} s")
            time.sleep(0.01)

    def swarm(self, first: int = 0, end: int | None = None) -> Clients:
        """The clients of the load, or those from `first` to before `end`, connected and
        subscribed."""
        load = self.load if end is None else replace(self.load, clients=end, probes=0)
        clients = swarm(self._stack, self.cores, self.port, load, first=first)
        clients.ask("connect", timeout=START_TIMEOUT)
        clients.ask("subscribe", timeout=START_TIMEOUT)
        return clients

    def own(self, part: Part) -> Part:
        """Close this part too in the end."""
        self._stack.callback(part.close)
        return part

    def raw_swarm(self, port: int) -> Clients:
        """As many clients as the load has, which only read, on another server's port."""
        return swarm(self._stack, self.cores, port, self.load, raw=True)

    def start_ticks(self) -> None:
        """Every symbol trades from now on, `ticks` times per flush interval."""
        self.publisher.ask("run", interval=self.load.flush_interval, ticks=self.load.ticks)

    def stop_ticks(self) -> list[int]:
        """Silence, the last flush sent; the newest exchange time of each symbol."""
        times: list[int] = self.publisher.ask("idle")["times"]
        quiet = 3 * self.load.flush_interval
        end = time.monotonic() + 10
        flushes, since = -1, time.monotonic()
        while time.monotonic() - since < quiet:
            self.gateway.check_alive()
            if self.counters["client_flushes"] != flushes:
                flushes, since = self.counters["client_flushes"], time.monotonic()
            if time.monotonic() > end:
                raise BenchError("the gateway still flushes 10 s after the last tick")
            time.sleep(self.load.flush_interval / 10)
        return times


class Meter:
    """How busy the generator and its cores are over a stretch of time."""

    def __init__(self, cores: Cores, parts: list[Part]) -> None:
        self._cores = cores
        self._parts = parts
        self._begin = self._now()

    def _now(self) -> tuple[float, int, dict[int, int]]:
        busy = {core: machine.busy_ticks(core) for core in self._cores.others}
        return time.monotonic(), sum(part.cpu_ns for part in self._parts), busy

    def read(self) -> dict[str, float]:
        """Shares of 1: `generator` of one core, `busiest_core` of the generator's cores."""
        begin, cpu, busy = self._begin
        now, cpu_now, busy_now = self._now()
        seconds = now - begin
        tick = os.sysconf("SC_CLK_TCK")
        return {
            "generator": (cpu_now - cpu) / 1e9 / seconds,
            "busiest_core": max((busy_now[core] - busy[core]) / tick / seconds for core in busy),
        }

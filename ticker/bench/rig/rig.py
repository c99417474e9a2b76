"""The parts of a gateway bench: one gateway worker alone on a core, and, on the other cores, a
synthetic publisher and a swarm of clients. Several gateway workers share one port
and all cores with everything else.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, Self

from ticker.bench.rig.clients import MOST_PER_PROCESS, Clients, SwarmResults, swarm
from ticker.bench.rig.load import Cores, Load
from ticker.bench.rig.meter import BOTTLENECK, Meter, Pace
from ticker.bench.rig.part import Part, python_part
from ticker.errors import BenchError
from ticker.shm import segment
from ticker.shm.counters import Counters, Heartbeat
from ticker.shm.header import KIND_GATEWAY, Mapping

__all__ = [
    "BOTTLENECK",
    "MOST_PER_PROCESS",
    "START_TIMEOUT",
    "AllCounters",
    "Clients",
    "Cores",
    "Load",
    "Meter",
    "Pace",
    "Rig",
    "SwarmResults",
    "swarm",
]
START_TIMEOUT = 60.0


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
        self.pace = Pace()
        self.cores = cores or (Cores.choose() if load.gateways == 1 else Cores.shared())
        self._stack = ExitStack()

    def __enter__(self) -> Self:
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
        books = self.load.symbols if self.load.channel == "depth" else 0
        geometry = segment.Geometry(rows, 4, 65_536, depth_rows=books)
        feed = segment.feed_name(instance, "bench")
        names = [segment.gateway_name(instance, i) for i in range(self.load.gateways)]
        self.feed = self._made(segment.create_feed(feed, geometry, boot_id, now), feed)
        self.segments = [
            self._made(segment.create_worker(name, KIND_GATEWAY, boot_id, now), name)
            for name in names
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
            "books": books > 0,
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

    @property
    def cpu_ns(self) -> int:
        """CPU time that all gateways have used so far."""
        return sum(part.cpu_ns for part in self.gateways)

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
            "pace": self.load.pace,
            "immediate": self.load.client_pace == "immediate",
            "flush_interval": self.load.flush_interval,
            "max_connections": max(18_000, total // self.load.gateways + 100),
            "max_symbols": max(1024, self.load.symbols),
            "sender": self.load.sender,
            "compression": self.load.compress,
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
        self.pace += Pace(answer["due"], answer["traded"], answer["late_ns"])
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

"""The two sides of a comparison: our gateway worker and a peer, each on the tested core, each
with its own publisher and its own clients on the other cores."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.peers.catalogue import Peer, Ports
from ticker.bench.report import machine
from ticker.bench.rig.part import Part
from ticker.bench.rig.ports import free_ports
from ticker.bench.rig.rig import START_TIMEOUT, Clients, Cores, Load, Meter, Rig, swarm
from ticker.errors import BenchError

DRAIN_QUIET = 0.3  # seconds, or two of our flush intervals
DRAIN_TIMEOUT = 15.0


@dataclass(frozen=True)
class Schedule:
    """Every symbol trades once per `interval` s for `seconds`; before that for `lead_in` seconds
    once per `lead_interval`, in which buffers are warm and our flushes find their places."""

    interval: float
    seconds: float
    lead_in: float
    lead_interval: float


@dataclass
class Segment:
    """The result of one turn of a side. `published`, `delivered`, `expected`, `violations` and
    `latency` are of all of it; `due` and `on_time` (ticks), `counted` (deliveries), CPU and the
    generator are of the time after the lead-in. `system` is the kernel's share of the CPU time,
    `foreign` what other programs took of all cores."""

    published: int
    delivered: int
    expected: int
    due: float
    on_time: int
    counted: int
    cpu_ns: int
    system: float
    foreign: float
    latency: dict[str, Any]
    violations: dict[str, int]
    lost: int
    drained: bool
    generator: dict[str, float]

    @property
    def whole(self) -> bool:
        """Every update was delivered to every subscriber, in order and right."""
        return self.delivered == self.expected and not self.violations and not self.lost


class Side:
    """A running server with its publisher and its clients, which `admit` connects."""

    def __init__(
        self, load: Load, cores: Cores, servers: list[Part], publisher: Part, clients: Clients
    ) -> None:
        self.load = load
        self.cores = cores
        self.servers = servers
        self.publisher = publisher
        self.clients = clients

    def admit(self) -> dict[str, Any]:
        """Connect and subscribe; memory for each client in kB, and how long a subscriber waited
        for its first answer (a snapshot where there is one)."""
        before = self.memory_kb()
        self.clients.ask("connect", timeout=START_TIMEOUT)
        if self.load.client_pace:
            self.clients.ask("configure", pace=self.load.client_pace)
        self.clients.ask("subscribe", timeout=START_TIMEOUT)
        grown = self.memory_kb() - before
        waits = self.clients.results().first_answer.summary()
        self.clients.ask("reset")
        return {
            "kb_per_client": round(grown / self.load.clients, 2),
            "first_answer_p50_us": waits["p50_us"],
            "first_answer_p99_us": waits["p99_us"],
        }

    def memory_kb(self) -> int:
        return sum(machine.memory_kb(part.pid)["rss"] for part in self.servers)

    def cpu_ns(self) -> int:
        """Of all processes of the server, utime and stime."""
        return sum(part.cpu_ns for part in self.servers)

    def busy_seconds(self) -> float:
        """CPU time of all cores that is none of this side's."""
        cores = (self.cores.tested, *self.cores.others)
        busy = sum(machine.busy_ticks(core) for core in cores) / os.sysconf("SC_CLK_TCK")
        own = (*self.servers, self.publisher, *self.clients.parts)
        return busy - sum(part.cpu_ns for part in own) / 1e9

    def cpu_ticks(self) -> tuple[int, int]:
        """User and system time in clock ticks: coarse, good for their shares."""
        stats = [Path(f"/proc/{part.pid}/stat").read_text().rpartition(")")[2].split()
                 for part in self.servers]  # fmt: skip
        return sum(int(stat[11]) for stat in stats), sum(int(stat[12]) for stat in stats)

    def segment(self, schedule: Schedule) -> Segment:
        """Ticks as scheduled; then silence until all is delivered."""
        first = self._run(schedule.lead_interval)
        time.sleep(schedule.lead_in)
        window = Window(self)
        started = self._run(schedule.interval)
        begin = time.monotonic()
        time.sleep(schedule.seconds)
        ended = self.publisher.ask("idle")["published"]
        due = (time.monotonic() - begin) / schedule.interval * self.load.symbols
        busy, foreign = window.generator()
        quiet = max(DRAIN_QUIET, 2 * self.load.flush_interval)
        drained = all(self.clients.ask("drain", quiet=quiet, timeout=DRAIN_TIMEOUT))
        seen = self.clients.results()
        self.clients.ask("reset")
        cpu_ns, system = window.cpu()
        per_tick = self.load.clients * self.load.per_client // self.load.symbols
        return Segment(
            published=ended - first,
            delivered=seen.counts["updates"],
            expected=(ended - first) * per_tick,
            due=due,
            on_time=ended - started,
            counted=seen.counts["updates"] - window.delivered,
            cpu_ns=cpu_ns,
            system=system,
            foreign=foreign,
            latency=seen.latency.summary(),
            violations=seen.violations,
            lost=self.load.clients - seen.open,
            drained=drained,
            generator=busy,
        )

    def _run(self, interval: float) -> int:
        """Tick at this pace from now on; how many ticks there were before."""
        found: int = self.publisher.ask("run", interval=interval, ticks=1)["published"]
        return found


class Window:
    """The CPU of a side and of its generator from now on."""

    def __init__(self, side: Side) -> None:
        self._side = side
        self.delivered: int = side.clients.results().counts["updates"]
        self._cpu, self._ticks = side.cpu_ns(), side.cpu_ticks()
        self._busy = side.busy_seconds()
        self._meter = Meter(side.cores, [side.publisher, *side.clients.parts])
        self._begin = time.monotonic()

    def generator(self) -> tuple[dict[str, float], float]:
        """Its load so far (Meter), and the share of other programs on all cores."""
        busy = self._meter.read()
        elapsed = (time.monotonic() - self._begin) * (1 + len(self._side.cores.others))
        return busy, max(0.0, (self._side.busy_seconds() - self._busy) / elapsed)

    def cpu(self) -> tuple[int, float]:
        """CPU time of the server in ns, and the kernel's share of it."""
        user, system = (
            after - before
            for before, after in zip(self._ticks, self._side.cpu_ticks(), strict=True)
        )
        return self._side.cpu_ns() - self._cpu, system / max(1, user + system)


def our_side(stack: ExitStack, load: Load, cores: Cores) -> Side:
    """A gateway worker at the load's flush interval, without clients yet."""
    rig = stack.enter_context(Rig(load, cores))
    first_in_line(rig.publisher)
    return Side(load, cores, [rig.gateway], rig.publisher, swarm(stack, cores, rig.port, load))


def their_side(stack: ExitStack, peer: Peer, load: Load, cores: Cores) -> Side:
    """A peer's processes and their publisher, its clients not connected yet."""
    ports = ports_of(peer)
    servers: list[Part] = []
    for argv in peer.commands(ports):
        launch = [sys.executable, "-m", "bench.peers.pinned", str(cores.tested), *argv]
        servers.append(Part(peer.name, launch, server=True))
        stack.callback(servers[-1].close)
        if len(servers) == 1:
            _await_port(servers[0], ports.ticks)
    _await_port(servers[-1], ports.clients)
    publisher = _publisher(peer, load, cores, ports)
    stack.callback(publisher.close)
    publisher.answer()
    first_in_line(publisher)
    clients = swarm(stack, cores, ports.clients, load, dialect=peer.dialect)
    return Side(load, cores, servers, publisher, clients)


def _publisher(peer: Peer, load: Load, cores: Cores, ports: Ports) -> Part:
    settings = {
        "cores": cores.others,
        "sink": peer.sink,
        "port": ports.ticks,
        "symbols": load.symbols,
    }
    argv = [sys.executable, "-m", "bench.peers.publisher", json.dumps(settings)]
    return Part(f"publisher for {peer.name}", argv)


def first_in_line(publisher: Part) -> None:
    """Give the publisher priority over the clients on the same core, if the system allows it, so
    that ticks keep their pace."""
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, publisher.pid, -20)
        if os.sched_getscheduler(publisher.pid) == os.SCHED_RR:
            own = os.sched_getparam(publisher.pid).sched_priority
            os.sched_setscheduler(publisher.pid, os.SCHED_RR, os.sched_param(own + 1))


def ports_of(peer: Peer) -> Ports:
    """Two free ports of 127.0.0.1, or one for both."""
    one, other = free_ports(2)
    return Ports(one, one if peer.one_port else other)


def _await_port(part: Part, port: int) -> None:
    end = time.monotonic() + START_TIMEOUT
    while True:
        part.check_alive()
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise BenchError(f"{part.name}: nothing on port {port} yet") from None
            time.sleep(0.02)

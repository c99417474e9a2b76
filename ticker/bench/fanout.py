"""Fan-out: CPU per client flush of a gateway worker, next to a bare C loop of send(2).

Gateway and loop are pinned to the same core and take turns on it, a segment each: the gateway
sleeps while the publisher is silent, the loop while it has no command. The loop sends as many
bytes, on as many connections, to the same kind of reader; `paced` does one round per flush
interval, `tight` does rounds without a pause. The ratio is the median of those of the turns,
gateway to the paced loop right after it, since a machine's pace changes from one turn to the next.
CPU of the gateway is that of its whole process, with reading of rings and encoding. Several gateway
workers have as many loops, each with its share of the connections. They share their cores with the
generator, so only their CPU is meaningful, not their throughput.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, field
from typing import Any

from ticker.bench.latency import NO_TRADES, checks
from ticker.bench.report import progress
from ticker.bench.rig.meter import Meter, Pace
from ticker.bench.rig.part import Part, limit_part
from ticker.bench.rig.payload import payload
from ticker.bench.rig.rig import Clients, Load, Rig, SwarmResults

SEGMENT_SECONDS = 1.0
TIGHT_SECONDS = 0.3
LEAD_IN = 4  # flush intervals
DELTAS = (
    "client_flushes",
    "bytes_sent",
    "updates_sent",
    "flushes",
    "encoded",
    "conflated",
    "laps",
    "send_blocked",
    "records_read",
    "deflated",
    "deflated_shared",
)


@dataclass
class Measured:
    """The results of the segments; CPU in ns per client flush and per send."""

    gateway: list[float] = field(default_factory=list)
    paced: list[float] = field(default_factory=list)
    tight: list[float] = field(default_factory=list)
    blocked: int = 0
    deltas: dict[str, int] = field(default_factory=lambda: dict.fromkeys(DELTAS, 0))
    seconds: float = 0.0
    behind: int = 0
    pace: Pace = NO_TRADES
    # the generator's load in the gateway's turns and in the paced loop's
    loads: tuple[list[dict[str, float]], list[dict[str, float]]] = field(
        default_factory=lambda: ([], [])
    )


class SendLoops:
    """As many bare loops as there are gateway workers, each with its own readers."""

    def __init__(self, rig: Rig) -> None:
        load = rig.load
        cores = [str(rig.core_of(index)) for index in range(load.gateways)]
        self.parts = [rig.own(limit_part("send_loop", core)) for core in cores]
        self.readers = Clients()
        taken = 0
        for index, loop in enumerate(self.parts):
            share = (load.clients - taken) // (load.gateways - index)
            self._connect(loop, rig.raw_swarm(loop.answer()["port"], share), share)
            taken += share

    def _connect(self, loop: Part, readers: Clients, count: int) -> None:
        for part in readers.parts:
            part.tell('{"do": "connect", "timeout": 60}')
        loop.tell(f"accept {count}")
        loop.answer()
        for part in readers.parts:
            part.answer()
        self.readers.parts += readers.parts
        self.readers.watchers += readers.watchers

    def ask(self, line: str) -> dict[str, int]:
        """Send one command to all loops; returns the sums of their answers."""
        for loop in self.parts:
            loop.tell(line)
        answers = [loop.answer() for loop in self.parts]
        return {name: sum(each[name] for each in answers) for name in answers[0]}


def run(load: Load, duration: float, segment: float = 0.0) -> dict[str, Any]:
    """The results of one fan-out bench; `duration` is each side's measured time, `segment` that
    of one turn, both in seconds."""
    segment = segment or SEGMENT_SECONDS
    with Rig(load) as rig:
        clients = rig.swarm()
        loops = SendLoops(rig)
        measured = Measured()
        gateway_segment(rig, clients, Measured(), load.warm_up)
        clients.ask("reset")
        size = taken = 0
        for _ in range(max(1, round(duration / segment))):
            gateway_segment(rig, clients, measured, segment)
            deltas = measured.deltas
            if round(deltas["bytes_sent"] / deltas["client_flushes"]) != size:
                size = round(deltas["bytes_sent"] / deltas["client_flushes"])
                made = payload(size, load)
                loops.ask(f"payload {made.hex()}")
                taken = len(made)
            loop_segment(rig, loops, measured, segment)
        return results(load, measured, clients.results(), taken)


def gateway_segment(
    rig: Rig, clients: Clients, measured: Measured, seconds: float, quiet_intervals: float = 3
) -> None:
    """Ticks until the flushes go in step, then some measured seconds, then silence until all is
    sent and read."""
    rig.start_ticks()
    time.sleep(LEAD_IN * rig.load.flush_interval)
    meter = Meter(rig.cores, [rig.publisher, *clients.parts])
    begin = time.monotonic()
    cpu, before = between_turns(rig)
    progress.wait(seconds, f"gateway, {rig.load.clients:,} clients")
    cpu_after, after = between_turns(rig)
    measured.seconds += time.monotonic() - begin
    measured.loads[0].append(meter.read())
    times = rig.stop_ticks(quiet_intervals)
    measured.pace = rig.pace
    clients.ask("drain", quiet=0.05, timeout=10)
    measured.behind += sum(clients.ask("behind", times=times))
    for name in DELTAS:
        measured.deltas[name] += after[name] - before[name]
    flushes = max(1, after["client_flushes"] - before["client_flushes"])
    measured.gateway.append((cpu_after - cpu) / flushes)


def between_turns(rig: Rig) -> tuple[int, dict[str, int]]:
    """CPU and counters of the gateway at one moment, in a pause between two turns if there is
    one soon: then neither has a part of a turn that the other has not."""
    for _ in range(50):
        before = rig.counters.as_dict()
        time.sleep(0.002)
        cpu = rig.cpu_ns
        after = rig.counters.as_dict()
        if before["client_flushes"] == after["client_flushes"]:
            break
    return cpu, after


def loop_segment(rig: Rig, loops: SendLoops, measured: Measured, seconds: float) -> None:
    """The loops' turn: paced, then tight."""
    for command, into in (
        (f"paced {seconds} {rig.load.flush_interval}", measured.paced),
        (f"tight {min(TIGHT_SECONDS, seconds / 2)}", measured.tight),
    ):
        meter = Meter(rig.cores, loops.readers.parts)
        answer = loops.ask(command)
        if into is measured.paced:
            measured.loads[1].append(meter.read())
            measured.blocked += answer["blocked"]
        into.append(answer["cpu_ns"] / max(1, answer["sends"]))
        loops.readers.ask("drain", quiet=0.05, timeout=10)


def results(load: Load, measured: Measured, seen: SwarmResults, taken: int) -> dict[str, Any]:
    """The report's figures."""
    gateway, paced, tight = (
        statistics.median(each) for each in (measured.gateway, measured.paced, measured.tight)
    )
    deltas = measured.deltas
    flushes = max(1, deltas["client_flushes"])
    found = {
        "cpu_ratio_to_send_loop": ratio(measured.gateway, measured.paced),
        "cpu_ratio_to_tight_send_loop": ratio(measured.gateway, measured.tight),
        "cpu_us_per_client_flush": round(gateway / 1e3, 3),
        "send_loop_us_per_send": round(paced / 1e3, 3),
        "tight_send_loop_us_per_send": round(tight / 1e3, 3),
        "bytes_per_client_flush": round(deltas["bytes_sent"] / flushes, 1),
        "bytes_per_send": taken,
        "updates_per_client_flush": round(deltas["updates_sent"] / flushes, 3),
        "client_flushes_per_second": round(flushes / measured.seconds),
        "encodes_per_client_flush": round(deltas["encoded"] / flushes, 3),
        "segments": {
            "gateway_ns": [round(each) for each in measured.gateway],
            "paced_ns": [round(each) for each in measured.paced],
            "tight_ns": [round(each) for each in measured.tight],
        },
        "seconds": round(measured.seconds, 3),
        "gateway_counters": deltas,
        "send_loop_blocked": measured.blocked,
        "latency": seen.latency.summary(),
        **checks(
            load,
            seen,
            measured.behind,
            {
                name: max(statistics.median(each[name] for each in side) for side in measured.loads)
                for name in measured.loads[0][0]
            },
            measured.pace,
        ),
    }
    if measured.blocked and not found["void"]:
        found["void"] = f"the send loop met {measured.blocked} full sockets"
    return found


def ratio(ours: list[float], theirs: list[float]) -> float:
    """The median of the ratios of turns that follow each other."""
    return round(statistics.median(a / b for a, b in zip(ours, theirs, strict=True)), 3)

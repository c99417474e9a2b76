"""Fan-out: CPU per client flush of a gateway worker, next to a bare C loop of send(2).

Gateway and loop are pinned to the same core and take turns on it, a segment each: the gateway
sleeps while the publisher is silent, the loop while it has no command. The loop sends as many
bytes, on as many connections, to the same kind of reader; `paced` does one round per flush
interval, `tight` does rounds without a pause. The ratio is that of the medians, gateway to
paced loop. CPU of the gateway is that of its whole process, reading rings, encoding and all.
"""

from __future__ import annotations

import statistics
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from ticker.bench.latency import checks
from ticker.bench.part import Part, c_part
from ticker.bench.payload import payload
from ticker.bench.rig import Clients, Load, Meter, Rig, SwarmResults

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
)


@dataclass
class Measured:
    """What the segments gave; CPU in ns per client flush and per send."""

    gateway: list[float] = field(default_factory=list)
    paced: list[float] = field(default_factory=list)
    tight: list[float] = field(default_factory=list)
    blocked: int = 0
    deltas: dict[str, int] = field(default_factory=lambda: dict.fromkeys(DELTAS, 0))
    seconds: float = 0.0
    behind: int = 0
    # what the generator did in the gateway's turns and in the paced loop's
    loads: tuple[list[dict[str, float]], list[dict[str, float]]] = field(
        default_factory=lambda: ([], [])
    )


def run(load: Load, duration: float) -> dict[str, Any]:
    """The results of one fan-out bench; `duration` is each side's measured time in seconds."""
    with ExitStack() as stack:
        rig = stack.enter_context(Rig(load))
        clients = rig.swarm()
        loop = rig.own(c_part("send_loop", str(rig.cores.tested)))
        readers = rig.raw_swarm(loop.answer()["port"])
        for part in readers.parts:
            part.tell('{"do": "connect", "timeout": 60}')
        _say(loop, f"accept {load.clients}")
        for part in readers.parts:
            part.answer()
        measured = Measured()
        gateway_segment(rig, clients, Measured(), SEGMENT_SECONDS)
        clients.ask("reset")
        size = taken = 0
        for _ in range(max(1, round(duration / SEGMENT_SECONDS))):
            gateway_segment(rig, clients, measured, SEGMENT_SECONDS)
            deltas = measured.deltas
            if round(deltas["bytes_sent"] / deltas["client_flushes"]) != size:
                size = round(deltas["bytes_sent"] / deltas["client_flushes"])
                taken = _say(loop, f"payload {payload(size, load).hex()}")["payload"]
            loop_segment(rig, loop, readers, measured)
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
    time.sleep(seconds)
    cpu_after, after = between_turns(rig)
    measured.seconds += time.monotonic() - begin
    measured.loads[0].append(meter.read())
    times = rig.stop_ticks(quiet_intervals)
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
        cpu = rig.gateway.cpu_ns
        after = rig.counters.as_dict()
        if before["client_flushes"] == after["client_flushes"]:
            break
    return cpu, after


def loop_segment(rig: Rig, loop: Part, readers: Clients, measured: Measured) -> None:
    """The loop's turn: paced, then tight."""
    for command, into in (
        (f"paced {SEGMENT_SECONDS} {rig.load.flush_interval}", measured.paced),
        (f"tight {TIGHT_SECONDS}", measured.tight),
    ):
        meter = Meter(rig.cores, readers.parts)
        answer = _say(loop, command)
        if into is measured.paced:
            measured.loads[1].append(meter.read())
            measured.blocked += answer["blocked"]
        into.append(answer["cpu_ns"] / max(1, answer["sends"]))
        readers.ask("drain", quiet=0.05, timeout=10)


def results(load: Load, measured: Measured, seen: SwarmResults, taken: int) -> dict[str, Any]:
    """What goes into the report."""
    gateway, paced, tight = (
        statistics.median(each) for each in (measured.gateway, measured.paced, measured.tight)
    )
    deltas = measured.deltas
    flushes = max(1, deltas["client_flushes"])
    found = {
        "cpu_ratio_to_send_loop": round(gateway / paced, 3),
        "cpu_ratio_to_tight_send_loop": round(gateway / tight, 3),
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
        "gateway_counters": deltas,
        "send_loop_blocked": measured.blocked,
        "latency": seen.latency.summary(),
        **checks(
            load,
            seen,
            measured.behind,
            {
                name: max(statistics.median(each[name] for each in side) for side in measured.loads)
                for name in ("generator", "busiest_core")
            },
        ),
    }
    if measured.blocked and not found["void"]:
        found["void"] = f"the send loop met {measured.blocked} full sockets"
    return found


def sweep(load: Load, counts: list[int], duration: float) -> dict[str, Any]:
    """One fan-out bench for each number of clients, and how far the ratios lie apart."""
    runs = []
    for clients in counts:
        one = Load(**{**vars(load), "clients": clients})
        runs.append({"clients": clients, **run(one, duration)})
    ratios = [each["cpu_ratio_to_send_loop"] for each in runs]
    return {
        "sweep": runs,
        "cpu_ratio_spread": round(max(ratios) / min(ratios) - 1, 3),
        "void": next((each["void"] for each in runs if each["void"]), None),
    }


def _say(loop: Part, line: str) -> dict[str, Any]:
    loop.tell(line)
    return loop.answer()

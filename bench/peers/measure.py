"""One comparison: our gateway and a peer take turns on one core, the same ticks, the same
clients. A round in which not every update reached every subscriber, on either side, is void and
is made again; a comparison with too many void rounds is void itself."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from bench.peers.catalogue import Peer
from bench.peers.sides import Schedule, Segment, Side, our_side, their_side
from ticker.bench.rig.rig import BOTTLENECK, Cores, Load
from ticker.errors import BenchError

# Seconds between two ticks of a symbol. Our flush interval is the default, 100 ms; what is above
# that is there for the jitter of both, since what is conflated away makes a round void.
INTERVAL = 0.107
LEAD_INTERVAL = 0.15
LEAD_IN_SECONDS = 1.5
WARM_UP = Schedule(LEAD_INTERVAL, 0.3, 0.1, LEAD_INTERVAL)
PUNCTUAL = 0.97  # of the ticks that were due
FOREIGN = 0.15  # of the machine: what other programs may take
VOID_MOST = 2  # void rounds for each that is wanted


@dataclass(frozen=True)
class Setting:
    """A load on one core; `goal` is the place of its goals in Peer.goals, `heavy`: only servers
    that are said to carry it are compared under it (Peer.heavy)."""

    load: Load
    goal: int
    heavy: bool = False


# Each symbol has 50 subscribers in all of them.
NAP_US = 250
LOADS = {
    "5": Setting(Load(clients=2000, symbols=200, per_client=5, nap_us=NAP_US), 0),
    "5, woken": Setting(Load(clients=2000, symbols=200, per_client=5), 0),
    "50": Setting(Load(clients=2000, symbols=2000, per_client=50, nap_us=NAP_US), 1, heavy=True),
    "50 of few": Setting(Load(clients=200, symbols=200, per_client=50, nap_us=NAP_US), 1),
}


def compare(peer: Peer, load: Load, rounds_wanted: int, seconds: float) -> dict[str, Any]:
    """CPU per delivery of both, alternating."""
    cores = Cores.choose()
    schedule = Schedule(INTERVAL, seconds, LEAD_IN_SECONDS, LEAD_INTERVAL)
    with ExitStack() as stack:
        sides = {
            "ours": our_side(stack, load, cores),
            "theirs": their_side(stack, peer, load, cores),
        }
        found: dict[str, dict[str, Any]] = {name: side.admit() for name, side in sides.items()}
        for side in sides.values():
            side.segment(WARM_UP)
        rounds, void = _rounds(list(sides.values()), schedule, rounds_wanted)
    if not rounds:
        raise BenchError(f"no round in which both sides delivered all: {void[-1]}")
    for name, turns in zip(sides, zip(*rounds, strict=True), strict=True):
        found[name].update(figures(turns))
    ratios = [per_cpu_second(ours) / per_cpu_second(theirs) for ours, theirs in rounds]
    return {
        **found,
        "ratio": round(statistics.median(ratios), 2),
        "ratios": [round(each, 2) for each in ratios],
        "void_rounds": void,
        "void": void[-1] if len(rounds) < rounds_wanted else None,
    }


def _rounds(
    sides: list[Side], schedule: Schedule, wanted: int
) -> tuple[list[list[Segment]], list[str]]:
    """The whole rounds, and the reasons why others are void."""
    rounds: list[list[Segment]] = []
    void: list[str] = []
    while len(rounds) < wanted and len(void) <= VOID_MOST * wanted:
        turns = [side.segment(schedule) for side in sides]
        why = reason(turns)
        if why is None:
            rounds.append(turns)
        else:
            void.append(why)
    return rounds, void


def per_cpu_second(turn: Segment) -> float:
    """Deliveries per second of the server's CPU."""
    return turn.counted / (turn.cpu_ns / 1e9)


def figures(turns: Sequence[Segment]) -> dict[str, Any]:
    """The figures of a side over all its turns."""
    return {
        "deliveries_per_cpu_second": round(statistics.median(map(per_cpu_second, turns))),
        "cpu_us_per_delivery": round(
            statistics.median(each.cpu_ns / each.counted / 1e3 for each in turns), 3
        ),
        "system": round(statistics.fmean(each.system for each in turns), 2),
        "foreign": round(max(each.foreign for each in turns), 2),
        "published": sum(each.published for each in turns),
        "delivered": sum(each.delivered for each in turns),
        "expected": sum(each.expected for each in turns),
        "p50_us": statistics.median(each.latency["p50_us"] for each in turns),
        "p99_us": statistics.median(each.latency["p99_us"] for each in turns),
        "generator": round(max(each.generator["generator"] for each in turns), 2),
    }


def reason(turns: Sequence[Segment]) -> str | None:
    """The reason why a round is void."""
    for each in turns:
        if why := disturbed(each):
            return why
        if not each.whole:
            return f"{each.delivered} updates were delivered where {each.expected} were due"
    return None


def disturbed(turn: Segment, foreign: float = FOREIGN) -> str | None:
    """The reason why a turn says nothing of its server; `foreign`: the most that other programs may
    take of the machine."""
    if turn.violations or turn.lost:
        return f"violations {turn.violations}, {turn.lost} clients lost"
    if turn.generator["generator"] > BOTTLENECK:
        return f"the generator's core was {turn.generator['generator']:.0%} busy"
    if turn.foreign > foreign:
        return f"other programs took {turn.foreign:.0%} of the machine"
    if turn.on_time < PUNCTUAL * turn.due:
        return f"{turn.on_time} ticks were published where {turn.due:.0f} were due"
    return None

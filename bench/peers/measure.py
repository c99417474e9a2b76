"""One comparison: our gateway and a peer take turns on one core, the same ticks, the same
clients. A round in which not every update reached every subscriber, on either side, is void and
is made again; a comparison with as many void rounds as good ones is void itself."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from bench.peers.catalogue import Peer
from bench.peers.sides import Segment, Side, at_rate, our_side, their_side
from ticker.bench.rig import Cores, Load
from ticker.errors import BenchError

INTERVAL = 0.15  # seconds between two ticks of a symbol
# One core's clients of 5 symbols, and of 50; each symbol has 50 subscribers in both.
LOADS = {
    "5": Load(clients=2000, symbols=200, per_client=5),
    "50": Load(clients=200, symbols=200, per_client=50),
}
LEAD_IN_SECONDS = 0.4
SEARCH_SECONDS = 1.5
SEARCH_STEPS = 6
SEARCH_FIRST = 2.0
SEARCH_FACTOR = 4.0
COMPLETE = 0.97  # of the updates; what was conflated away or dropped does not count
FOREIGN = 0.15  # of the machine: what other programs may take during a search
CLOSE = 1.3  # where a search ends
# Our flush interval, as a share of that between two ticks of a symbol: 100 ms, the default.
FLUSH = 2 / 3
BOUND_US = 250_000
FULL = 0.9  # of a core: what the publisher and the swarm take together
PUNCTUAL = 0.97  # of the ticks that were due


def compare(peer: Peer, load: Load, rounds_wanted: int, seconds: float) -> dict[str, Any]:
    """CPU per delivery of both, alternating; then how far the peer goes."""
    cores = Cores.choose()
    load = at_rate(load, INTERVAL, FLUSH)
    with ExitStack() as stack:
        sides = {
            "ours": our_side(stack, load, cores),
            "theirs": their_side(stack, peer, load, cores),
        }
        found: dict[str, dict[str, Any]] = {name: side.admit() for name, side in sides.items()}
        for side in sides.values():
            side.segment(INTERVAL, LEAD_IN_SECONDS)
        rounds: list[list[Segment]] = []
        void: list[str] = []
        while len(rounds) < rounds_wanted and len(void) <= rounds_wanted:
            turns = [side.segment(INTERVAL, seconds) for side in sides.values()]
            why = reason(turns)
            if why is None:
                rounds.append(turns)
            else:
                void.append(why)
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


def per_cpu_second(turn: Segment) -> float:
    """Deliveries per second of the server's CPU."""
    return turn.delivered / (turn.cpu_ns / 1e9)


def figures(turns: Sequence[Segment]) -> dict[str, Any]:
    """What the turns of a side say together."""
    return {
        "deliveries_per_cpu_second": round(statistics.median(map(per_cpu_second, turns))),
        "cpu_us_per_delivery": round(
            statistics.median(each.cpu_ns / each.delivered / 1e3 for each in turns), 3
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
    """Why a round is void."""
    for each in turns:
        if each.violations or each.lost:
            return f"violations {each.violations}, {each.lost} clients lost"
        if not each.whole:
            return f"{each.delivered} updates were delivered where {each.expected} were due"
        if each.published < PUNCTUAL * each.due:
            return f"{each.published} ticks were published where {each.due:.0f} were due"
    return None


class Bench:
    """One side for several steps of a search, started again after a step that failed, and for
    every rate where it is ours: our flush interval follows the rate."""

    def __init__(self, peer: Peer | None, load: Load) -> None:
        self._peer = peer
        self._load = load
        self._stack = ExitStack()
        self._side: Side | None = None

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End the side's processes."""
        self._stack.close()
        self._side = None

    def attempt(self, interval: float) -> tuple[int, str | None, float]:
        """Deliveries per second, what failed (None when the step held), and the share of the
        machine that other programs took."""
        try:
            side = self._side or self._start(interval)
            side.segment(interval, LEAD_IN_SECONDS)
            turn = side.segment(interval, SEARCH_SECONDS)
        except BenchError as error:
            self.stop()
            return 0, str(error).splitlines()[0][:120], 0.0
        limit = failed(turn)
        if limit or self._peer is None:
            self.stop()
        return round(turn.delivered / SEARCH_SECONDS), limit, turn.foreign

    def _start(self, interval: float) -> Side:
        cores = Cores.choose()
        load = at_rate(self._load, interval, FLUSH)
        if self._peer:
            self._side = their_side(self._stack, self._peer, load, cores)
        else:
            self._side = our_side(self._stack, load, cores)
        self._side.admit()
        return self._side


def failed(turn: Segment) -> str | None:
    """What a step of the search failed by."""
    unpunctual = turn.published < PUNCTUAL * turn.due
    late = turn.latency["p99_us"] >= BOUND_US
    short = turn.delivered < COMPLETE * turn.expected or turn.violations or turn.lost
    if not (unpunctual or late or short):
        return None
    if turn.generator["generator"] > FULL:
        return "the generator's core"
    if late:
        return "p99"
    return "publications not taken in time" if unpunctual else "updates not delivered"


def capacity(peer: Peer | None, load: Load) -> dict[str, Any]:
    """The most deliveries per second at which they arrive (COMPLETE) and p99 is below 250 ms;
    without a peer, ours. The rate is raised, or halved, until it is between one that held and
    one that failed, then their geometric mean is tried. None when other programs took part of
    the machine: what is late then is not the server's doing."""
    held, broke = 0.0, float("inf")
    best = 0
    bound = None
    rate = SEARCH_FIRST
    steps = []
    with Bench(peer, load) as bench:
        while len(steps) < SEARCH_STEPS and broke > CLOSE * held:
            delivered, limit, foreign = bench.attempt(INTERVAL / rate)
            step = {"rate": rate, "deliveries_per_second": delivered, "limit": limit}
            steps.append({**step, "foreign": round(foreign, 2)})
            if limit is None:
                held, best = rate, delivered
            else:
                broke, bound = rate, limit
            between = (held * broke) ** 0.5 or broke / 2
            rate = held * SEARCH_FACTOR if broke == float("inf") else between
    taken = max(each["foreign"] for each in steps)
    return {
        "deliveries_per_second": None if taken > FOREIGN else best,
        "bound_by": f"void: other programs took {taken:.0%}" if taken > FOREIGN else bound,
        "steps": steps,
    }

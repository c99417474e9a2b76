"""The highest rate of deliveries that a server on one core makes in time."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from bench.peers.catalogue import Peer
from bench.peers.measure import FOREIGN, PUNCTUAL
from bench.peers.sides import Schedule, Segment, Side, our_side, their_side
from ticker.bench.rig.rig import Cores, Load
from ticker.errors import BenchError

FIRST_INTERVAL = 0.075  # seconds between two ticks of a symbol, at first
SECONDS = 1.5
LEAD_IN_SECONDS = 0.5
STEPS = 6
FACTOR = 4.0
COMPLETE = 0.97  # of the updates; what was conflated away or dropped does not count
CLOSE = 1.3  # where a search ends
FLUSH = 2 / 3  # our flush interval, as a share of that between two ticks of a symbol
BOUND_US = 250_000
FULL = 0.9  # of a core: what the publisher and the swarm take together


class Bench:
    """One side for several steps of a search, started again after a step that failed, and for
    every rate where it is our `price` channel: our flush interval follows the rate, so that
    nothing is conflated away. `trades` conflates nothing at any rate."""

    def __init__(self, peer: Peer | None, load: Load) -> None:
        self._peer = peer
        self._load = load
        self._follows = peer is None and load.channel == "price"
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
            turn = side.segment(Schedule(interval, SECONDS, LEAD_IN_SECONDS, interval))
        except BenchError as error:
            self.stop()
            return 0, str(error).splitlines()[0][:120], 0.0
        limit = failed(turn)
        if limit or self._follows:
            self.stop()
        return round(turn.delivered / (SECONDS + LEAD_IN_SECONDS)), limit, turn.foreign

    def _start(self, interval: float) -> Side:
        cores = Cores.choose()
        load = self._load
        if self._follows:
            load = replace(load, flush_interval=FLUSH * interval)
        if self._peer:
            self._side = their_side(self._stack, self._peer, load, cores)
        else:
            self._side = our_side(self._stack, load, cores)
        self._side.admit()
        return self._side


def failed(turn: Segment) -> str | None:
    """The reason why a step of the search failed."""
    unpunctual = turn.on_time < PUNCTUAL * turn.due
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
    rate = 1.0
    steps: list[dict[str, Any]] = []
    with Bench(peer, load) as bench:
        while len(steps) < STEPS and broke > CLOSE * held:
            delivered, limit, foreign = bench.attempt(FIRST_INTERVAL / rate)
            step = {"rate": rate, "deliveries_per_second": delivered, "limit": limit}
            steps.append({**step, "foreign": round(foreign, 2)})
            if limit is None:
                held, best = rate, delivered
            else:
                broke, bound = rate, limit
            between = (held * broke) ** 0.5 or broke / 2
            rate = held * FACTOR if broke == float("inf") else between
    taken = max(each["foreign"] for each in steps)
    return {
        "deliveries_per_second": None if taken > FOREIGN else best,
        "bound_by": f"void: other programs took {taken:.0%}" if taken > FOREIGN else bound,
        "steps": steps,
    }

"""What a bridge can take, and how long an image of all rows needs: the same code as in a relay and
a bridge, in one process and without a bus. Frames are as at a flush of 10 ms."""

from __future__ import annotations

import time
from typing import Any

from ticker.bench.swarm.publisher import SyntheticPublisher
from ticker.bench.swarm.symbols import symbol_names
from ticker.clock import now_ns
from ticker.cluster.frame import identity
from ticker.cluster.incoming import Incoming, Verdict
from ticker.cluster.outgoing import Outgoing
from ticker.errors import BenchError
from ticker.shm.segment import Geometry, private_feed

SHARDS = 256
EPOCH = 1 << 8 | 1
IMAGE_ROWS = 50_000
FLUSH = 10_000_000
"""ns"""
TURNS = 50
"""Flushes whose frames are taken one after another."""
Frames = list[tuple[int, int, bytes]]


class Pair:
    """A publisher of `symbols` symbols, a relay's frames of it, and a bridge's segment."""

    def __init__(self, symbols: int) -> None:
        geometry = Geometry(rows=max(symbols, 16), ring_capacity=1 << 17)
        feed = identity("bench", "parts")
        source = private_feed(geometry, 1, now_ns())
        self.publisher = SyntheticPublisher(source, symbol_names(symbols), [])
        self.outgoing = Outgoing(source, feed, SHARDS, FLUSH)
        self.incoming = Incoming(private_feed(geometry, 2, now_ns()), feed, SHARDS)
        self.outgoing.begin(EPOCH)
        self.symbols, self.time, self.row = symbols, now_ns(), 0

    def take(self, frames: Frames) -> float:
        """Seconds of a core until the bridge has them all.

        Raises:
            BenchError: it does not take one.
        """
        take, began = self.incoming.take, time.thread_time()
        verdicts = {take(frame, self.time, shard) for _, shard, frame in frames}
        took = time.thread_time() - began
        if verdicts - {int(Verdict.VERDICT_TAKEN), int(Verdict.VERDICT_HELD)}:
            raise BenchError(f"a bridge refuses frames: {sorted(verdicts)}")
        return took

    def image(self) -> float:
        """Seconds of a core for an image of all shards, from the relay's rows into the bridge's."""
        self.outgoing.gather()
        began = time.thread_time()
        frames = self.outgoing.images(list(range(SHARDS)), self.time)
        made = time.thread_time() - began
        return made + self.take(frames)

    def flush(self, trades: int) -> Frames:
        """The frames of so many trades, over all symbols in turn."""
        for _ in range(trades):
            self.publisher.tick(self.row)
            self.row = (self.row + 1) % self.symbols
        self.outgoing.gather()
        self.time += FLUSH
        return self.outgoing.flush(self.time)


def run(events: int, symbols: int) -> dict[str, Any]:
    """`events` a second over `symbols` symbols are in the frames that a bridge takes flat out."""
    pair = Pair(symbols)
    pair.image()
    trades = max(events * FLUSH // 1_000_000_000, 1)
    seconds = sum(pair.take(pair.flush(trades)) for _ in range(TURNS))
    if pair.incoming.wanting():
        raise BenchError("a bridge lacks frames that it was given")
    return {
        "bridge_flat_out_per_second": round(TURNS * trades / seconds),
        "image_rows": IMAGE_ROWS,
        "image_ms": round(1e3 * Pair(IMAGE_ROWS).image(), 1),
    }

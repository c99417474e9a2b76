"""Books without a feed: the depth of every symbol changes at an even pace.

Each change of a book is of CHANGES of its levels: sizes, and now and then the best price.
Open-loop, as trades are (publisher.pyx): late changes are made up at once, and their lateness is
kept. Seeded, so two runs have the same books.
"""

from __future__ import annotations

import random
import select
import time
from collections.abc import Sequence

from ticker.bench.swarm.publisher import SyntheticPublisher, price_at
from ticker.shm.counters import Heartbeat
from ticker.shm.depth.rows import DepthWriter
from ticker.shm.doorbell import DoorbellRinger
from ticker.shm.header import Mapping

LEVELS = 10
CHANGES = 4
CENT = 10_000_000
STEP = 0.001
BEAT = 0.1
SEED = 20260329
Side = list[tuple[int, int]]


class SyntheticBooks:
    """The one writer of the depth of `feed`, whose rows and prices are the publisher's."""

    def __init__(
        self,
        publisher: SyntheticPublisher,
        feed: Mapping,
        symbols: int,
        doors: Sequence[tuple[Mapping, int]],
    ) -> None:
        self.publisher = publisher
        self.writer = DepthWriter(feed)
        self.ringer = DoorbellRinger(list(doors))
        self.heartbeat = Heartbeat(feed)
        self.random = random.Random(SEED)
        self.times = [0] * symbols
        self.turn = 0
        self.published = self.due = self.traded = self.late_ns = 0
        middle = price_at(time.time_ns()) // CENT * CENT
        self.books: list[tuple[Side, Side]] = [
            (
                [(middle - level * CENT, 100 * level) for level in range(1, LEVELS + 1)],
                [(middle + level * CENT, 100 * level) for level in range(1, LEVELS + 1)],
            )
            for _ in range(symbols)
        ]
        for row in range(symbols):
            self._publish(row, time.time_ns())

    def run(self, interval: float, ticks: float, control_fd: int) -> None:
        """Change each book `ticks` times in `interval` seconds until `control_fd` is readable."""
        pause = int(interval * 1e9 / (ticks * len(self.books)))
        start = time.time_ns()
        done = beat = self.late_ns = 0
        while not _readable(control_fd, STEP):
            now = time.time_ns()
            due = (now - start) // pause
            if due > done:
                self.late_ns = max(self.late_ns, now - start - (done + 1) * pause)
            for _ in range(due - done):
                self._change(self.turn, now)
                self.turn = (self.turn + 1) % len(self.books)
            if due > done:
                self.ringer.ring_from_python()
            done = due
            if now - beat > BEAT * 1e9:
                self.heartbeat.beat(now)
                beat = now
        self.traded, self.due = done, (time.time_ns() - start) // pause

    def idle(self, control_fd: int) -> None:
        """Only beat the heart until `control_fd` is readable."""
        self.publisher.idle(control_fd)

    def last_times(self) -> list[int]:
        """The exchange time of each symbol's newest book."""
        return self.times

    def _change(self, row: int, now: int) -> None:
        bids, asks = self.books[row]
        if self.random.random() < 0.2:
            up = self.random.random() < 0.5
            _shift(bids, CENT if up else -CENT, -CENT)
            _shift(asks, CENT if up else -CENT, CENT)
        for _ in range(CHANGES):
            side = bids if self.random.random() < 0.5 else asks
            at = int(LEVELS * self.random.random() ** 2)  # mostly near the top
            side[at] = (side[at][0], self.random.randrange(1, 100) * 100)
        self._publish(row, now)

    def _publish(self, row: int, now: int) -> None:
        moment = max(now // 1000 * 1000, self.times[row] + 1000)
        self.writer.put(row, LEVELS, *self.books[row], moment)
        self.times[row] = moment
        self.published += 1


def _shift(side: Side, by: int, away: int) -> None:
    """Move the best price of a side by a cent; `away`: from one level to the next."""
    if by == away:
        side.append((side[-1][0] + away, 100))
        del side[0]
    else:
        side.insert(0, (side[0][0] - away, 100))
        del side[-1]


def _readable(descriptor: int, seconds: float) -> bool:
    return bool(select.select([descriptor], [], [], seconds)[0])

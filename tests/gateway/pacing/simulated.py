"""A worker with many clients, simulated as streams of clients without a clock of its own: the plant
that the law of the pace controls.

All clients are alike. Each is idle, waits for its turn, or stands in one of two queues, in cohorts
of those that were served in the same step. A core serves them first come, first served.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

from ticker.gateway.pacing.law import Law, Sample

STEP = 0.0025  # s
SAMPLE = 0.02  # s
TURNS = 8
NS = 1e9


@dataclass
class Cohort:
    """Clients that are served one after the other. `since`: when they were flushed last, or, where
    they are ready, when the change came; the mean over them."""

    count: float
    since: float
    turn: int = 0  # that they had

    def add(self, count: float, since: float) -> None:
        self.since += (since - self.since) * count / (self.count + count)
        self.count += count


@dataclass
class Worker:
    """`cost`: CPU s of a flush; `more`: of each update in it beyond the first. `core`: its share of
    a core; the rest belongs to other programs."""

    law: Law
    clients: float
    cost: float = 4e-6
    more: float = 1e-7
    core: float = 1.0
    now: float = 0.0
    turn: float = 0.0  # of the wheel, with the part of it that has passed
    waiting: dict[int, Cohort] = field(default_factory=dict)  # by the turn
    ready: deque[Cohort] = field(default_factory=deque)
    due: deque[Cohort] = field(default_factory=deque)
    intervals: list[tuple[float, float]] = field(default_factory=list)
    loads: list[tuple[float, float]] = field(default_factory=list)
    waits: list[tuple[float, float]] = field(default_factory=list)  # the longest of each step

    def __post_init__(self) -> None:
        self.idle = self.clients
        self._cpu = self._backlog = self._flushes = 0.0
        self._sampled = self.now

    @property
    def interval(self) -> float:
        return self.law.interval / NS

    def run(self, seconds: float, rate: float) -> None:
        """`rate`: updates per second of a client."""
        end = self.now + seconds
        while self.now < end:
            self._step(rate)
            self.now += STEP
            if self.now - self._sampled >= SAMPLE:
                self._sample()

    def _step(self, rate: float) -> None:
        woken = self.idle * -math.expm1(-rate * STEP)
        if woken > 0:
            self.idle -= woken
            self.ready.append(Cohort(woken, self.now))
        self.turn += STEP / (self.interval / TURNS)
        for turn in sorted(turn for turn in self.waiting if turn <= self.turn):
            self.due.append(self.waiting.pop(turn))
        budget = STEP * self.core
        longest = 0.0
        while budget > 1e-12 and (self.ready or self.due):
            queue, first = (self.ready, True) if self.ready else (self.due, False)
            cohort = queue[0]
            waited = self.now - cohort.since
            changed = 1.0 if first else -math.expm1(-rate * waited)
            updates = max(rate * waited, changed)
            cost = self.cost * changed + self.more * (updates - changed)
            served = min(cohort.count, budget / cost if cost > 0 else cohort.count)
            budget -= served * cost
            self._cpu += served * cost
            self._flushes += served * changed
            longest = max(longest, waited)
            self._put_back(cohort.turn, served * changed, first)
            self.idle += served - served * changed
            cohort.count -= served
            if cohort.count <= 1e-6 * self.clients:
                self.idle += cohort.count
                queue.popleft()
        if self.ready or self.due:
            self._backlog += STEP
        self.waits.append((self.now, longest))

    def _put_back(self, had: int, flushed: float, first: bool) -> None:
        reached = int(self.turn) + 1
        turn = reached + TURNS if first else max(had + TURNS, reached)
        if turn in self.waiting:
            self.waiting[turn].add(flushed, self.now)
        elif flushed > 0:
            self.waiting[turn] = Cohort(flushed, self.now, turn)

    def _sample(self) -> None:
        elapsed = self.now - self._sampled
        elapsed_ns, cpu, backlog = (
            round(each * NS) for each in (elapsed, self._cpu, self._backlog)
        )
        self.law.observe(Sample(elapsed_ns, cpu, backlog, round(self._flushes)))
        self.intervals.append((self.now, self.interval))
        self.loads.append((self.now, self.law.load))
        self._cpu = self._backlog = self._flushes = 0.0
        self._sampled = self.now


def demand(worker: Worker, rate: float, interval: float) -> float:
    """CPU, in cores, that flushing all clients once in `interval` s takes at most."""
    if rate * interval <= 1:
        return worker.clients * rate * worker.cost
    return worker.clients / interval * (worker.cost + worker.more * (rate * interval - 1))

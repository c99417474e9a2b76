"""Everything goes wrong at once, and what clients are told stays true.

Two feeds, two gateways, 600 clients; each process killed, stopped and aborted, and all of them at
once; exchanges that start again, configurations right and wrong, a log that nobody reads or whose
disk is full, no descriptors, forged datagrams.
"""

from __future__ import annotations

import heapq
import itertools
import os
import random
import signal
import time
from collections import Counter, deque
from pathlib import Path

import pytest

from tests.load.chaos import Disturbed
from tests.load.crowd import Crowd, Line, State
from tests.load.faults import FAULTS, Fault, Make
from tests.load.server import until
from tests.load.witness import Ledger, Witness, witnesses

CLIENTS = 600
WELL = 30.0
"""s after the last fault in which the server is whole again: its longest wait between two
connections to a vendor, at most."""
LATE_COUNTS = 4.0
"""For each s that the looks of this process are late the server gets so many more."""
HEARTBEATS = 3.0
"""s: three heartbeats, of a feed as of a gateway."""
REPLACED = 5.0
"""s within which a worker that hangs is replaced, and its clients know it."""
SLACK = 1.0
"""s that this process itself may be late, and a gateway's look at a feed."""
LOOKS = 0.1
"""s between two looks for silences. The machine's other work makes them later, and keeps
the server's processes from their core as well: twice that is added to SLACK."""


class Chaos:
    """One run: its schedule of faults, and what it holds against the server."""

    def __init__(self, server: Disturbed, crowd: Crowd, ledger: Ledger, seed: int) -> None:
        self.server, self.crowd, self.ledger = server, crowd, ledger
        self.chance = random.Random(seed)
        self.done: Counter[str] = Counter()
        self.violations: list[str] = []
        self._due: list[tuple[float, int, Fault]] = []
        self._order = itertools.count()
        self._deck: list[Make] = []
        self._next = 0.0
        self._looked = time.monotonic()
        self._late = 0.0  # s, of all looks so far
        self._looks: deque[tuple[float, float]] = deque()  # when, and how late
        self._blamed: set[tuple[int, str, float]] = set()
        self._noted = 0

    def step(self, *, more: bool = True) -> bool:
        """Begin a fault if it is time for one, go on with the others; whether all are over."""
        now = time.monotonic()
        if more and now >= self._next:
            if not self._deck:
                self._deck = self.chance.sample(FAULTS, len(FAULTS))
            make = self._deck.pop()
            self.server.prices_known.update(self._told())
            self.done[make.__name__] += 1
            self.server.note(make.__name__)
            self._push(now, make(self.server, self.chance))
            self._next = now + self.chance.uniform(0.3, 1.5)
        while self._due and self._due[0][0] <= time.monotonic():
            _, _, fault = heapq.heappop(self._due)
            if (wait := next(fault, None)) is not None:
                self._push(time.monotonic() + wait, fault)
        self._look(time.monotonic())
        return not self._due

    def recovers(self, crowd: Crowd) -> bool:
        """Whether the server is well again within WELL s after the last fault. A machine that is
        late gets more: a start alone takes some seconds of a core."""
        end, late = time.monotonic() + WELL, self._late
        while not self.over():
            if time.monotonic() > end + LATE_COUNTS * (self._late - late):
                return False
            crowd.pump(0.02)
        return True

    def over(self) -> bool:
        """All faults are, and the server is well."""
        return self.step(more=False) and self.crowd.all_open() and self.server.live()

    def _push(self, when: float, fault: Fault) -> None:
        heapq.heappush(self._due, (when, next(self._order), fault))

    def _told(self) -> dict[str, float]:
        """A price that was told lately, by symbol."""
        found = {}
        for line in self.crowd.lines[:60]:
            assert isinstance(line.watcher, Witness)
            found.update({name: told.price for name, told in line.watcher.newest.items()})
        return {name: price for name, price in found.items() if price is not None}

    def _look(self, now: float) -> None:
        if now - self._looked > SLACK:  # this process was away: it may not have read what was said
            for line in self.crowd.lines:
                assert isinstance(line.watcher, Witness)
                line.watcher.spoken = now
        if now - self._looked < LOOKS:
            return
        self._looks.append((now, now - self._looked - LOOKS))
        self._late += self._looks[-1][1]
        while now - self._looks[0][0] > HEARTBEATS + SLACK:
            self._looks.popleft()
        self._looked = now
        self._note_violations()
        allowed = SLACK + 2 * max(late for _, late in self._looks)
        for line in self.crowd.lines:
            witness = line.watcher
            assert isinstance(witness, Witness)
            if line.state is State.OPEN:
                self._look_at(witness, now, allowed)

    def _note_violations(self) -> None:
        found = len(self.crowd.violations) + len(self.violations)
        if found != self._noted:
            self.server.note(f"{found} violations")
            self._noted = found

    def before_violations(self, most: int = 40) -> list[str]:
        """What was done before the first one was seen."""
        notes = self.server.notes
        first = next((at for at, note in enumerate(notes) if note.endswith("violations")), None)
        return [] if first is None else notes[max(0, first - most) : first + 1]

    def _look_at(self, witness: Witness, now: float, allowed: float) -> None:
        """Silence of the connection, and of each feed over all connections."""
        silent = now - witness.spoken
        unwatched = sum(each.within(witness.spoken, now) for each in self.server.unwatched)
        if silent > REPLACED + allowed + unwatched:
            self._blame(witness, "connection", witness.spoken, f"silent for {silent:.1f} s")
        if silent > HEARTBEATS or not witness.since:
            return
        for feed, since, fault in witness.silences(now, HEARTBEATS + allowed):
            self._blame(witness, feed, since, fault)

    def _blame(self, witness: Witness, whom: str, when: float, what: str) -> None:
        if (key := (witness.number, whom, when)) not in self._blamed:
            self._blamed.add(key)
            self.violations.append(f"client {witness.number}: {what}")


def run(folder: Path, seconds: float, seed: int) -> None:
    with Disturbed(folder) as server:
        ledger = Ledger({name: feed for feed, names in server.own.items() for name in names})
        people = witnesses(CLIENTS, server.symbols, ledger)
        with Crowd(server.address, people, dict) as crowd:
            chaos = Chaos(server, crowd, ledger, seed)
            until(server.has_all, 60)
            crowd.come(crowd.lines)
            assert crowd.pump(60, crowd.all_open), f"it did not begin: {server.log()[-3000:]}"
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                crowd.pump(0.02)
                chaos.step()
            assert crowd.pump(60, lambda: chaos.step(more=False)), "a fault is not over"
            assert chaos.recovers(crowd), f"not well again: {server.log()[-3000:]}"
            print(
                f"seed {seed}: {dict(chaos.done)}, {server.starts} starts, "
                f"{sum(crowd.closed.values())} connections ended, "
                f"{crowd.count('update')} updates"
            )
            found = crowd.violations + chaos.violations
            told = [f"{len(found)} violations", *found[:20], *chaos.before_violations()]
            assert not found, "\n".join(told)
            assert server.starts > 1
            last_fault(server, crowd, chaos)


def last_fault(server: Disturbed, crowd: Crowd, chaos: Chaos) -> None:
    """A gateway and a feed die, and 3 s later everybody has what REST says."""
    pids = server.pids()
    for name in (chaos.chance.choice("01"), chaos.chance.choice(("itch", "vendor"))):
        os.kill(pids[name], signal.SIGKILL)
    end = time.monotonic() + 3.0
    crowd.pump(2.0)
    prices = server.prices(server.symbols)
    assert len(prices) == len(server.symbols)

    def behind() -> dict[int, list[str]]:
        found = {line.watcher.number: _lacks(line, prices) for line in crowd.lines}
        return {number: symbols for number, symbols in found.items() if symbols}

    crowd.pump(end - time.monotonic(), lambda: not behind())
    assert not behind(), behind()


def _lacks(line: Line, prices: dict[str, dict[str, object]]) -> list[str]:
    assert isinstance(line.watcher, Witness)
    return line.watcher.lacks(prices)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_chaos(tmp_path: Path) -> None:
    run(tmp_path, seconds=40, seed=1)


@pytest.mark.stress
def test_chaos_of_10_minutes(tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    run(tmp_path, seconds=600, seed=seed)

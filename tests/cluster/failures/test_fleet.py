"""A whole fleet under random faults, and what 3,000 clients see of it.

Three nats-servers, two ingest boxes that hear one exchange, and three gateway boxes, each on a
machine of its own. TICKER_FLEET_SECONDS and TICKER_FLEET_SEED choose the length and the faults of
a run.
"""

from __future__ import annotations

import heapq
import itertools
import json
import os
import random
import time
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.failures.clients import FEED, Client, Clients, told
from tests.cluster.failures.clustered import Three
from tests.cluster.failures.faults import FAULTS, Fault, Fleet
from tests.cluster.failures.network import Network
from tests.cluster.servers import Box, gateway, ingest, running, wait_for, within
from tests.cluster.source import rows_of
from tests.cluster.watching import same_values, stop_exchange
from tests.load.crowd import State

SECONDS = float(os.environ.get("TICKER_FLEET_SECONDS", "600"))
SEED = int(os.environ.get("TICKER_FLEET_SEED", "0")) or random.SystemRandom().randrange(1 << 32)
CLIENTS = 3000
SILENT = 1.0
"""s without a price of a feed until its clients are told that it is stale."""
LOOKS = 0.1
SLACK = 0.5
"""s that this process may be late beside what it sees itself."""


class Run:
    """The schedule of faults, and the silences that nobody was told of."""

    def __init__(self, fleet: Fleet, clients: Clients, seed: int) -> None:
        self.fleet, self.clients = fleet, clients
        self.chance = random.Random(seed)
        self.done: Counter[str] = Counter()
        self.notes: list[str] = []
        self.violations: list[str] = []
        self._due: list[tuple[float, int, Fault]] = []
        self._order = itertools.count()
        self._next = self._looked = time.monotonic()
        self._late = 0.0

    def step(self, *, more: bool = True) -> bool:
        """Begin a fault if it is time for one, go on with the others; whether all are over."""
        now = time.monotonic()
        if more and now >= self._next:
            make = self.chance.choice(FAULTS)
            self.done[make.__name__] += 1
            self.note(make.__name__)
            heapq.heappush(self._due, (now, next(self._order), make(self.fleet, self.chance)))
            self._next = now + self.chance.uniform(0.5, 3.0)
        while self._due and self._due[0][0] <= time.monotonic():
            _, _, fault = heapq.heappop(self._due)
            if (wait := next(fault, None)) is not None:
                heapq.heappush(self._due, (time.monotonic() + wait, next(self._order), fault))
        self._look(time.monotonic())
        return not self._due

    def note(self, what: str) -> None:
        self.notes.append(f"{time.strftime('%H:%M:%S')} {what}")

    def _look(self, now: float) -> None:
        if (passed := now - self._looked) < LOOKS:
            return
        self._looked = now
        self._late = max(passed - LOOKS, 0.8 * self._late)
        before = len(self.violations)
        for box in self.fleet.gateways:
            self._look_at(box, now, SILENT + SLACK + 2 * self._late)
        if len(self.violations) > before:
            self.note(self.violations[-1])

    def _look_at(self, box: Box, now: float, allowed: float) -> None:
        """Whether somebody at the box is silent, or hears no prices and does not know why."""
        lines = [line for line in self.clients.lines_at(box) if line.state is State.OPEN]
        there = [line.watcher for line in lines if isinstance(line.watcher, Client)]
        heard = max((each.updated for each in there), default=0.0)
        for each in there:
            since = max(heard, each.since, each.revived.get(FEED, 0.0))
            if each.since and FEED not in each.stale and now - since > allowed:
                self.violations.append(
                    f"client {each.number}: no price for {now - since:.2f} s, and it is not stale"
                )
                return


def fleet_of(network: Network, folder: Path) -> Fleet:
    three = Three(folder, machines=tuple(network.machine() for _ in range(3)))
    on = network.machine()
    exchange = ingest(folder, three.urls(), network=83, rank=0, where=on)
    ingests = [
        ingest(folder, three.urls(rank), network=83, rank=rank, simulated=False,
               where=network.machine(), exchange=on.lines)
        for rank in (1, 2)
    ]  # fmt: skip
    gateways = [gateway(folder, three.urls(at), where=network.machine()) for at in range(3)]
    return Fleet(three.servers, exchange, ingests, gateways)


def prices(box: Box, symbols: list[str]) -> dict[str, dict[str, Any]]:
    """By REST."""
    url = f"{box.url}/prices?symbols={','.join(symbols)}"
    with within(box.where), urllib.request.urlopen(url, timeout=10) as answer:
        return {each["symbol"]: each for each in json.load(answer)["prices"]}


def play(network: Network, folder: Path, seconds: float, seed: int, count: int) -> None:
    fleet = fleet_of(network, folder)
    boxes = (fleet.exchange, *fleet.ingests, *fleet.gateways)
    with running(*fleet.servers, *boxes):
        wait_for(lambda: fleet.well() and len(rows_of(fleet.exchange.feed(FEED))) >= 50)
        names = sorted(name for name, _ in rows_of(fleet.exchange.feed(FEED)))
        with Clients.of_exchange(fleet.gateways, fleet.exchange, count, 1.0) as clients:
            clients.come(clients.lines)
            clients.wait(clients.all_open, 60.0)
            run = Run(fleet, clients, seed)
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                clients.pump(0.02)
                run.step()
            assert clients.pump(60, lambda: run.step(more=False)), "a fault is not over"
            clients.wait(lambda: run.step(more=False) and clients.all_open() and fleet.well(), 30.0)
            print(
                f"seed {seed}: {dict(run.done)}, {sum(clients.closed.values())} connections ended, "
                f"{clients.count('update')} updates"
            )
            found = told(clients) + run.violations[:20]
            assert not found, "\n".join([f"seed {seed}", *found, *run.notes[-60:]])
            stop_exchange(fleet.exchange)
            clients.wait(lambda: all(same_values(fleet.exchange, box) for box in fleet.gateways))
            clients.wait(lambda: not behind(fleet, clients, names))
            assert not told(clients), told(clients)


def behind(fleet: Fleet, clients: Clients, names: list[str]) -> list[str]:
    """Who has not what his box answers by REST."""
    return [
        lack
        for box in fleet.gateways
        for right in [prices(box, names)]
        for each in clients.people(box)
        if isinstance(each, Client)
        for lack in each.lacks(right)
    ]


@pytest.mark.stress
def test_a_fleet_under_random_faults(network: Network, tmp_path: Path) -> None:
    play(network, tmp_path, SECONDS, SEED, CLIENTS)

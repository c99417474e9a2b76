"""Watchers of books and bars while their gateway is killed and stopped: the Python client, the
TypeScript client in Node, and server-sent events.

What they are told is held against all that the market ever showed: a book that a delta made out of
another version would be none of these. In the end everybody has the newest book and bar.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.clients.package import Program
from tests.clients.watchers import LEVELS, NODE, Bar, Sides, Watchers, asked, top
from tests.gateway.books.exchange import E9, Exchange
from tests.gateway.conftest import Rig
from ticker.config import Config, GatewayConfig
from ticker.feeds.calls import ASK, BID
from ticker.shm.bars.published import BarFlag, BarState
from ticker.shm.segment import Geometry

SYMBOLS = ("AAPL", "MSFT", "NVDA", "TSLA")
MINUTE = 60 * E9
START = 1_774_960_200 * E9
MIDDLE = 10_000
WHOLE = BarFlag.BAR_HAS_PRICE | BarFlag.BAR_HAS_RANGE | BarFlag.BAR_HAS_VWAP
MOST_SILENCE = 10.0
"""s: two times what a stopped gateway and a client's longest pause take."""
SETTLED = 15.0


class Market(threading.Thread):
    """Books and bars that change until it is stopped, and all books that there ever were."""

    def __init__(self, rig: Rig, seed: int) -> None:
        super().__init__()
        self.rig, self.chance = rig, random.Random(seed)
        self.exchange = Exchange(rig)
        self.history: dict[str, set[Sides]] = {symbol: set() for symbol in SYMBOLS}
        self.bars: dict[str, Bar] = {}
        self.over = threading.Event()
        self.turns = 0
        with self.exchange.packet() as calls:
            self.rows = [calls.define(key, symbol) for key, symbol in enumerate(SYMBOLS)]
        self.orders = [self.exchange.fill(row, LEVELS + 5, MIDDLE) for row in self.rows]
        self.numbers = [rig.bar_writer.add(symbol) for symbol in SYMBOLS]
        self.turn()

    def run(self) -> None:
        while not self.over.wait(0.01):
            self.turn()

    def turn(self) -> None:
        self.turns += 1
        for place, row in enumerate(self.rows):
            orders = self.orders[place]
            with self.exchange.packet() as calls:
                for _ in range(self.chance.randrange(1, 5)):
                    side = self.chance.choice((BID, ASK))
                    away = self.chance.randrange(1, LEVELS + 5)
                    cents = MIDDLE + away if side == ASK else MIDDLE - away
                    size = self.chance.randrange(1, 500)
                    orders.append(self.exchange.add(calls, row, side, size, cents))
                    if len(orders) > 60:
                        gone = orders.pop(self.chance.randrange(len(orders)))
                        calls.delete_order(gone, time.time_ns())
            self.history[SYMBOLS[place]].add(top(self.exchange.sides(SYMBOLS[place])))
            self._bar(place)

    def _bar(self, place: int) -> None:
        minute, second = divmod(self.turns, 60)
        start, close = START + minute * MINUTE, (185 + self.turns % 7) * E9
        self.rig.bar(
            self.numbers[place], 1, state=BarState.BAR_FINAL if second == 59 else 0, start=start,
            time=start + second * E9, open=185 * E9, high=192 * E9, low=180 * E9, close=close,
            vwap=186 * E9, volume=1500, trades=second + 1, flags=WHOLE,
        )  # fmt: skip
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(start // E9))
        self.bars[SYMBOLS[place]] = (moment, Decimal(close) / E9, second + 1, Decimal(1500))

    def stop(self) -> None:
        """The last turn; the exchange goes on showing the books that are asked for."""
        self.over.set()
        self.join()

    def newest(self) -> dict[str, Sides]:
        return {symbol: top(self.exchange.sides(symbol)) for symbol in SYMBOLS}


@pytest.fixture
def rig() -> Iterator[Rig]:
    config = Config(gateway=GatewayConfig(max_connections=64, heartbeat=0.5, retry_after=0.2))
    made = Rig(f"watchers{os.getpid()}", config, Geometry(64, 2, 1024, depth_rows=64))
    yield made
    made.close()


def disturb(rig: Rig, chance: random.Random, seconds: float) -> int:
    """Kills and stops of the gateway; how many."""
    end, faults = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        time.sleep(chance.uniform(0.5, 2.0))
        faults += 1
        if chance.random() < 0.5:
            rig.restart()
            continue
        os.kill(rig.pid, signal.SIGSTOP)
        time.sleep(chance.uniform(0.2, 1.5))
        os.kill(rig.pid, signal.SIGCONT)
    return faults


@pytest.mark.stress
@pytest.mark.timeout(3600)
def test_watchers_are_told_the_truth(rig: Rig, project: Path) -> None:
    """TICKER_CHAOS_SECONDS makes it longer, TICKER_CHAOS_SEED another run."""
    seconds = float(os.environ.get("TICKER_CHAOS_SECONDS", "20"))
    seed = int(os.environ.get("TICKER_CHAOS_SEED", "14"))
    market = Market(rig, seed)
    url = f"http://127.0.0.1:{rig.port}"
    watchers = Watchers(url, SYMBOLS)
    with Program(project, NODE % LEVELS, url, *SYMBOLS) as node:
        assert node.line() == "ready"
        watchers.start()
        market.start()
        faults = disturb(rig, random.Random(seed), seconds)
        market.stop()
        books, bars = market.newest(), market.bars
        here = watchers.clients + watchers.streams

        def settled() -> bool:
            return all(each.books == books and each.bars == bars for each in (*here, asked(node)))

        end = time.monotonic() + SETTLED
        while not settled() and time.monotonic() < end:
            time.sleep(0.2)
        everybody = [*here, asked(node)]
        watchers.stop()
        market.exchange.close()
    assert not watchers.failed
    for number, seen in enumerate(everybody):
        wrong = [state for state in seen.told if state[1] not in market.history[state[0]]]
        assert not wrong, (number, len(wrong), wrong[0])
        assert seen.books == books, number
        assert seen.bars == bars, number
        assert seen.silence < MOST_SILENCE, (number, seen.silence)
    told = sum(len(seen.told) for seen in everybody)
    print(f"seed {seed}: {faults} faults, {market.turns} turns, {told} books told")
    assert told > 50 * len(everybody)

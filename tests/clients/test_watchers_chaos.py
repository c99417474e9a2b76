"""Watchers of books and bars while their gateway is killed and stopped: the Python client, the
TypeScript client in Node, and server-sent events.

What they are told is held against all that the market ever showed: a book that a delta made out of
another version would be none of these. In the end everybody has the newest book and bar.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.clients.package import Program
from tests.gateway.books.exchange import E9, ClientBook, Exchange
from tests.gateway.conftest import Rig
from ticker.config import Config, GatewayConfig
from ticker.feeds.calls import ASK, BID
from ticker.shm.bars.published import BarFlag, BarState
from ticker.shm.segment import Geometry
from ticker_client import Client, LiveBar

SYMBOLS = ("AAPL", "MSFT", "NVDA", "TSLA")
LEVELS = 10
MINUTE = 60 * E9
START = 1_774_960_200 * E9
MIDDLE = 10_000
WHOLE = BarFlag.BAR_HAS_PRICE | BarFlag.BAR_HAS_RANGE | BarFlag.BAR_HAS_VWAP
MOST_SILENCE = 10.0
"""s: two times what a stopped gateway and a client's longest pause take."""
SETTLED = 15.0
Sides = tuple[tuple[tuple[Decimal, Decimal], ...], ...]
Bar = tuple[str, Decimal, int]

NODE = """
import { connect } from "@ticker/client";
const [url, ...symbols] = process.argv.slice(1);
const client = await connect(url);
const told = new Set(), newest = {}, bars = {};
let heard = performance.now(), silence = 0;
const hear = () => {
  silence = Math.max(silence, performance.now() - heard);
  heard = performance.now();
};
(async () => {
  for await (const { symbol, bids, asks } of client.depth(symbols, { levels: %d })) {
    hear();
    told.add(newest[symbol] = JSON.stringify([symbol, bids, asks]));
  }
})();
(async () => {
  for await (const bar of client.liveBars(symbols)) {
    if (bar.type === "bar" && !(bars[bar.symbol]?.[0] > bar.start)) {
      bars[bar.symbol] = [bar.start, bar.close, bar.trades];
    }
  }
})();
process.stdin.on("data", () => {
  console.log(JSON.stringify({ told: [...told], newest, bars, silence: silence / 1000 }));
});
console.log(JSON.stringify("ready"));
"""


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
        self.bars[SYMBOLS[place]] = (moment, Decimal(close) / E9, second + 1)

    def stop(self) -> None:
        """The last turn; the exchange goes on showing the books that are asked for."""
        self.over.set()
        self.join()

    def newest(self) -> dict[str, Sides]:
        return {symbol: top(self.exchange.sides(symbol)) for symbol in SYMBOLS}


def top(sides: Any) -> Sides:
    """The first levels of each side."""
    return tuple(
        tuple((Decimal(str(price)), Decimal(str(size))) for price, size in side[:LEVELS])
        for side in sides
    )


class Seen:
    """What a watcher was told."""

    def __init__(self) -> None:
        self.told: set[tuple[str, Sides]] = set()
        self.books: dict[str, Sides] = {}
        self.bars: dict[str, Bar] = {}
        self.heard, self.silence = time.monotonic(), 0.0

    def book(self, symbol: str, bids: Any, asks: Any) -> None:
        now = time.monotonic()
        self.silence, self.heard = max(self.silence, now - self.heard), now
        self.books[symbol] = top((bids, asks))
        self.told.add((symbol, self.books[symbol]))

    def bar(self, symbol: str, start: str, close: Any, trades: int) -> None:
        bar = (start[:19], Decimal(str(close)), trades)
        if symbol not in self.bars or bar[0] >= self.bars[symbol][0]:
            self.bars[symbol] = bar


async def by_client(url: str, seen: Seen) -> None:
    async with Client(url) as client:

        async def books() -> None:
            async for book in client.depth(*SYMBOLS, levels=LEVELS):
                sides = [
                    [(each.price, each.size) for each in side] for side in (book.bids, book.asks)
                ]
                seen.book(book.symbol, *sides)

        async def bars() -> None:
            async for bar in client.live_bars(*SYMBOLS):
                if isinstance(bar, LiveBar):
                    seen.bar(bar.symbol, bar.start.isoformat(), bar.close, bar.trades)

        await asyncio.gather(books(), bars())


async def by_events(url: str, seen: Seen, channel: str) -> None:
    """One stream after the other, as a browser opens them."""
    wanted = f"levels={LEVELS}" if channel == "depth" else "interval=1m"
    path = f"{url}/stream?symbols={','.join(SYMBOLS)}&channel={channel}&{wanted}"
    headers = {"Accept": "text/event-stream"}
    async with aiohttp.ClientSession(headers=headers) as session:
        while True:
            books = {symbol: ClientBook() for symbol in SYMBOLS}
            with suppress(aiohttp.ClientError, TimeoutError):
                async with session.get(path, timeout=aiohttp.ClientTimeout(sock_read=3)) as answer:
                    async for line in answer.content:
                        if line.startswith(b"data:"):
                            message = json.loads(line[5:], parse_float=Decimal)
                            take_event(message, books, seen)
            await asyncio.sleep(0.2)


def take_event(message: dict[str, Any], books: dict[str, ClientBook], seen: Seen) -> None:
    if message["type"] in ("depth", "delta"):
        book = books[message["symbol"]]
        book.take(message)  # it goes on from the version before it
        seen.book(message["symbol"], book.bids, book.asks)
    elif message["type"] == "bar":
        seen.bar(message["symbol"], message["start"], message["close"], message["trades"])


class Watchers(threading.Thread):
    """All of this process, in a loop of their own."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.url = url
        self.clients = [Seen() for _ in range(8)]
        self.streams = [Seen() for _ in range(4)]
        self.loop = asyncio.new_event_loop()
        self.failed: list[BaseException] = []

    def run(self) -> None:
        work = [by_client(self.url, seen) for seen in self.clients]
        work += [
            by_events(self.url, seen, channel)
            for seen in self.streams
            for channel in ("depth", "bars")
        ]
        self.loop.run_until_complete(self._all(work))

    async def _all(self, work: list[Any]) -> None:
        self.tasks = [asyncio.ensure_future(each) for each in work]
        for done in await asyncio.gather(*self.tasks, return_exceptions=True):
            if isinstance(done, Exception):
                self.failed.append(done)

    def stop(self) -> None:
        for task in self.tasks:
            self.loop.call_soon_threadsafe(task.cancel)
        self.join()


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


def states_of(answer: dict[str, Any]) -> Seen:
    """What Node says that it was told."""
    seen = Seen()
    for text in answer["told"]:
        seen.book(*json.loads(text))
    for text in answer["newest"].values():
        seen.book(*json.loads(text))
    for symbol, bar in answer["bars"].items():
        seen.bar(symbol, *bar)
    seen.silence = answer["silence"]
    return seen


@pytest.mark.stress
@pytest.mark.timeout(3600)
def test_watchers_are_told_the_truth(rig: Rig, project: Path) -> None:
    """TICKER_CHAOS_SECONDS makes it longer, TICKER_CHAOS_SEED another run."""
    seconds = float(os.environ.get("TICKER_CHAOS_SECONDS", "20"))
    seed = int(os.environ.get("TICKER_CHAOS_SEED", "14"))
    market = Market(rig, seed)
    url = f"http://127.0.0.1:{rig.port}"
    watchers = Watchers(url)
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


def asked(node: Program) -> Seen:
    assert node.process.stdin is not None
    node.process.stdin.write("end\n")
    node.process.stdin.flush()
    return states_of(node.line())

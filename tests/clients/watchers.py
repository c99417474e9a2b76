"""Watchers of books and bars, what they were told and how long nothing came: the Python client, the
TypeScript client in Node, and server-sent events."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any

import aiohttp
from msgspec import UNSET

from tests.clients.package import Program
from tests.gateway.books.exchange import ClientBook
from ticker_client import Client, LiveBar

LEVELS = 10
Sides = tuple[tuple[tuple[Decimal, Decimal], ...], ...]
Bar = tuple[str, Decimal | None, int, Decimal]
"""Start, close, trades, volume."""

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
      bars[bar.symbol] = [bar.start, bar.close ?? null, bar.trades, bar.volume];
    }
  }
})();
process.stdin.on("data", () => {
  console.log(JSON.stringify({ told: [...told], newest, bars, silence: silence / 1000 }));
});
console.log(JSON.stringify("ready"));
"""


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

    def bar(self, symbol: str, start: str, close: Any, trades: int, volume: Any) -> None:
        shut = Decimal(str(close)) if close is not None else None
        bar = (start[:19], shut, trades, Decimal(str(volume)))
        if symbol not in self.bars or bar[0] >= self.bars[symbol][0]:
            self.bars[symbol] = bar


async def by_client(url: str, symbols: Sequence[str], seen: Seen) -> None:
    async with Client(url) as client:

        async def books() -> None:
            async for book in client.depth(*symbols, levels=LEVELS):
                sides = [
                    [(each.price, each.size) for each in side] for side in (book.bids, book.asks)
                ]
                seen.book(book.symbol, *sides)

        async def bars() -> None:
            async for bar in client.live_bars(*symbols):
                if isinstance(bar, LiveBar):
                    close = None if bar.close is UNSET else bar.close
                    seen.bar(bar.symbol, bar.start.isoformat(), close, bar.trades, bar.volume)

        await asyncio.gather(books(), bars())


async def by_events(url: str, symbols: Sequence[str], seen: Seen, channel: str) -> None:
    """One stream after the other, as a browser opens them."""
    wanted = f"levels={LEVELS}" if channel == "depth" else "interval=1m"
    path = f"{url}/stream?symbols={','.join(symbols)}&channel={channel}&{wanted}"
    headers = {"Accept": "text/event-stream"}
    async with aiohttp.ClientSession(headers=headers) as session:
        while True:
            books = {symbol: ClientBook() for symbol in symbols}
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
        symbol, start, close = message["symbol"], message["start"], message.get("close")
        seen.bar(symbol, start, close, message["trades"], message["volume"])


class Watchers(threading.Thread):
    """All of this process, in a loop of their own."""

    def __init__(
        self, url: str, symbols: Sequence[str], clients: int = 8, streams: int = 4
    ) -> None:
        super().__init__(daemon=True)
        self.clients = [Seen() for _ in range(clients)]
        self.streams = [Seen() for _ in range(streams)]
        self.loop = asyncio.new_event_loop()
        self.failed: list[BaseException] = []
        self.work = [by_client(url, symbols, seen) for seen in self.clients]
        self.work += [
            by_events(url, symbols, seen, channel)
            for seen in self.streams
            for channel in ("depth", "bars")
        ]

    def run(self) -> None:
        self.loop.run_until_complete(self._all(self.work))
        self.loop.close()

    async def _all(self, work: list[Any]) -> None:
        self.tasks = [asyncio.ensure_future(each) for each in work]
        for done in await asyncio.gather(*self.tasks, return_exceptions=True):
            if isinstance(done, Exception):
                self.failed.append(done)

    def stop(self) -> None:
        for task in self.tasks:
            self.loop.call_soon_threadsafe(task.cancel)
        self.join()


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


def asked(node: Program) -> Seen:
    assert node.process.stdin is not None
    node.process.stdin.write("end\n")
    node.process.stdin.flush()
    return states_of(node.line())

"""A real market in the test's process behind a rig's gateway, and a book as a client keeps it."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from ticker.feeds.calls import ASK, BID, Calls
from ticker.feeds.market.market import Market

E9 = 1_000_000_000
CENT = 10_000_000
Side = list[tuple[Decimal, Decimal]]


class Exchange:
    """The feed worker of a rig: a market that beats, as a worker does, until it is closed."""

    def __init__(self, rig: Any, rebuild: bool | None = None) -> None:
        self.rig = rig
        self.lock = threading.Lock()
        self.market = Market(rig.feed, venue="XNAS", ringer=rig.ringer)
        if rebuild is not None:
            self.market.adopt_rows(rebuild=rebuild)
            self.market.set_publishing(not rebuild)
        self.calls = Calls(self.market)
        self.reference = 0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._beat, daemon=True)
        self.thread.start()

    def _beat(self) -> None:
        while not self.over.wait(0.01):
            with self.lock:
                self.rig.heartbeat.beat(time.time_ns())
                self.market.pass_time(time.time_ns())

    @contextmanager
    def packet(self) -> Iterator[Calls]:
        """The messages of a packet; what they changed is published at its end."""
        with self.lock:
            yield self.calls
            self.market.publish(time.time_ns())

    def add(self, calls: Calls, row: int, side: int, size: int, cents: int) -> int:
        """An order; its reference."""
        self.reference += 1
        calls.add_order(row, self.reference, side, size, cents * CENT, time.time_ns())
        return self.reference

    def fill(self, row: int, levels: int, middle: int = 10_000) -> list[int]:
        """Orders at so many prices of each side; their references."""
        with self.packet() as calls:
            return [
                self.add(calls, row, side, 100 + level, middle + (level if side else -level))
                for level in range(1, levels + 1)
                for side in (BID, ASK)
            ]

    def sides(self, symbol: str) -> tuple[Side, Side]:
        """The first 50 levels of the market's own book."""
        with self.lock:
            bids, asks = (self.market.depth(symbol, side)[:50] for side in (BID, ASK))
        scale = Decimal(E9)
        return (
            [(price / scale, Decimal(size)) for price, size in bids],
            [(price / scale, Decimal(size)) for price, size in asks],
        )

    def close(self) -> None:
        self.over.set()
        self.thread.join()


class ClientBook:
    """A symbol's book from `depth` and `delta`, checked as a careful client does."""

    def __init__(self) -> None:
        self.seq = -1
        self.levels = 0
        self.sides: dict[str, dict[Decimal, Decimal]] = {"bids": {}, "asks": {}}
        self.wholes = self.deltas = 0

    def take(self, message: dict[str, Any]) -> None:
        if message["type"] == "depth":
            self.levels = message["levels"]
            self.sides = {side: self.pairs(message[side]) for side in self.sides}
            self.wholes += 1
        else:
            assert message["type"] == "delta", message
            assert message["previous_seq"] == self.seq, "a delta goes on from the book before it"
            assert message["seq"] > self.seq
            for side, levels in self.sides.items():
                for price, size in self.pairs(message[side]).items():
                    if size:
                        levels[price] = size
                    else:
                        del levels[price]
            self.deltas += 1
        self.seq = message["seq"]
        assert max(map(len, self.sides.values())) <= self.levels

    @staticmethod
    def pairs(levels: list[list[Any]]) -> dict[Decimal, Decimal]:
        found = {Decimal(str(price)): Decimal(str(size)) for price, size in levels}
        assert len(found) == len(levels)
        return found

    @property
    def bids(self) -> Side:
        return sorted(self.sides["bids"].items(), reverse=True)

    @property
    def asks(self) -> Side:
        return sorted(self.sides["asks"].items())


def get(port: int, path: str, token: str = "") -> tuple[int, Any]:
    """An answer by REST: its status, and its content with exact numbers."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.loads(answer.read(), parse_float=Decimal, parse_int=Decimal)
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def answered(port: int, symbol: str, levels: int, venue: str = "") -> tuple[Side, Side]:
    """The sides of GET /depth."""
    path = f"/depth/{symbol}?levels={levels}" + (f"&venue={venue}" if venue else "")
    status, book = get(port, path)
    assert status == 200, book
    return [tuple(each) for each in book["bids"]], [tuple(each) for each in book["asks"]]


def take_until(client: Any, book: ClientBook, done: Callable[[], bool]) -> None:
    """Give the messages of a client to its book until `done`."""
    while not done():
        message = client.receive()
        if message["type"] in ("depth", "delta"):
            book.take(message)


def define(exchange: Exchange, symbol: str = "AAPL", venue: str | None = None) -> int:
    """A symbol of the exchange, in its row."""
    with exchange.packet() as calls:
        return calls.define(1 + exchange.reference, symbol, venue)

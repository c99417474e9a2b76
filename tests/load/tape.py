"""What two venues said while a server was disturbed, and the books and bars that follow from it.

ITCH is read from its packets by the readers of tests/proof. The trades of the vendor, which says
nothing twice, are those that its feed took in, and each of them must be one that it said.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from tests.clients.watchers import Bar, Sides, top
from tests.proof.book import Venue
from tests.proof.rig import ITCH, Recorder
from tests.proof.spoken import Vendor
from tests.proof.wire import ItchReader
from tests.store.live.test_live_bars import CANCELLED, CORRECTED, TRADE, Print, of
from ticker.feeds.calls import TRADE_REGULAR
from ticker.feeds.day import midnight_ns, session_day
from ticker.shm.header import KIND_FEED
from ticker.shm.ring import RingReader
from ticker.shm.segment import attach, feed_name
from ticker.shm.table import PriceTable

E9 = 1_000_000_000
MINUTE = 60 * E9
PRINT = 2
NUMBERS = 1 << 46
"""The key of a vendor's trade has its number in so many (docs/decisions/trade-ids.md)."""


class Shown(Venue):
    """A venue that keeps each book that a message made."""

    def __init__(self, mic: str) -> None:
        super().__init__(mic)
        self.books: dict[str, set[Sides]] = defaultdict(lambda: {((), ())})
        self.newest: dict[str, Sides] = {}

    def end_of_message(self) -> set[str]:
        touched = super().end_of_message()
        for symbol in touched:
            bids, asks = self.symbols[symbol].levels
            sides = (sorted(bids.items(), reverse=True), sorted(asks.items()))
            book = top([[(Decimal(price) / E9, size) for price, size in side] for side in sides])
            self.newest[symbol] = book
            self.books[symbol].add(book)
        return touched


@dataclass(frozen=True)
class Said:
    """A trade of the vendor as it is now."""

    symbol: str
    number: int
    cents: int
    size: int
    when: float


class Talk(threading.Thread):
    """A vendor's trades; some are broken or corrected at once, some when their minute is over."""

    def __init__(self, symbols: list[str], seed: int) -> None:
        super().__init__(daemon=True)
        self.vendor, self.symbols = Vendor(), symbols
        self.chance = random.Random(seed)
        self.speaks = threading.Event()
        self.numbers = 0
        self.alive: list[Said] = []
        self.said: dict[int, tuple[str, int, int]] = {}
        """Symbol, cents and size of every trade and correction, by its number."""
        self.late = 0
        """Breaks and corrections of a trade of a minute before."""
        self.over = threading.Event()

    def run(self) -> None:
        asyncio.run(self._speak())

    async def _speak(self) -> None:
        """To whoever comes; trades only when `speaks` is set."""
        await self.vendor.start()
        while not self.over.is_set():
            if self.speaks.is_set():
                self._say()
            await asyncio.sleep(0.01)
        await self.vendor.stop()

    def _say(self) -> None:
        what = self.chance.random()
        if what < 0.9 or len(self.alive) < 20:
            made = self._new(self.chance.choice(self.symbols), time.time())
            self.vendor.trade(made.symbol, made.number, made.cents, made.size)
            return
        gone = self.alive.pop(self.chance.choice((-1, -5, len(self.alive) // 2, 0)))
        self.late += gone.when // 60 < time.time() // 60
        if what < 0.95:
            self.vendor.cancel(gone.symbol, gone.number)
        else:
            made = self._new(gone.symbol, gone.when)
            self.vendor.correct(gone.symbol, gone.number, made.number, made.cents, made.size)

    def _new(self, symbol: str, when: float) -> Said:
        self.numbers += 1
        cents, size = self.chance.randrange(9950, 10050), self.chance.randrange(100, 900)
        made = Said(symbol, self.numbers, cents, size, when)
        self.alive.append(made)
        self.said[made.number] = (symbol, cents, size)
        return made

    def stop(self) -> None:
        self.over.set()
        self.join()


class TakenIn(threading.Thread):
    """The trades of one feed's rings from now on, as later records of the rings left them."""

    def __init__(self, instance: str, feed: str, mic: str) -> None:
        super().__init__(daemon=True)
        mapping = attach(feed_name(instance, feed), KIND_FEED)
        self.table, self.mic = PriceTable(mapping), mic
        self.rings = [RingReader(mapping, index) for index in range(mapping.ring_count)]
        self.prints: dict[int, Print] = {}
        self.taken_back = self.corrected = 0
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.02):
            self.look()
        self.look()

    def look(self) -> None:
        for ring in self.rings:
            for words in ring.take(1 << 16):
                self._take(words)
            assert not ring.laps, "the rings are too short for this run"

    def _take(self, words: dict[str, int]) -> None:
        kind, number = words["kind"], words["match"]
        if kind in (TRADE, PRINT):
            symbol, order = self.table.symbol(words["row"]), len(self.prints)
            self.prints[number] = Print(
                symbol, self.mic, words["exchange_time"], words["price"], words["size"],
                words["conditions"], number, order,
            )  # fmt: skip
        elif kind == CANCELLED:
            self.taken_back += 1
            del self.prints[number]
        elif kind == CORRECTED:
            self.corrected += 1
            before = self.prints.pop(number)
            self.prints[words["seq"]] = replace(
                before, price=words["price"], size=words["size"], flags=words["conditions"],
                match=words["seq"],
            )  # fmt: skip

    def stop(self) -> None:
        self.over.set()
        self.join()


class Truth:
    """Of both venues when all has been said."""

    def __init__(self, recorder: Recorder, vendor: TakenIn, talk: Talk) -> None:
        self.itch = Shown("XNAS")
        now = time.time_ns()
        reader = ItchReader(self.itch, midnight_ns(session_day(now)))
        for packet in recorder.packets:
            if packet.feed == ITCH:
                reader.packet(packet.data, packet.received)
        self.prints: dict[str, list[Print]] = defaultdict(list)
        for symbol, traded in self.itch.symbols.items():
            for order, one in enumerate(traded.tape):
                assert isinstance(one.match, int)
                rest = (one.price, one.size, TRADE_REGULAR, one.match, order)
                self.prints[symbol].append(Print(symbol, "XNAS", one.time, *rest))
        for number, made in vendor.prints.items():
            right = (made.symbol, made.price * 100 // E9, made.size)
            assert talk.said[number % NUMBERS] == right, (number % NUMBERS, right)
            self.prints[made.symbol].append(made)

    @property
    def broken(self) -> int:
        """Trades that the exchange broke."""
        return sum(len(traded.taken_back) for traded in self.itch.symbols.values())

    def minutes(self, symbol: str) -> dict[int, dict[str, Any]]:
        """The bar of each minute that has a trade, by its start in ns."""
        own = self.prints[symbol]
        starts = sorted({one.time // MINUTE * MINUTE for one in own})
        return {start: of(own, start, MINUTE) for start in starts}

    def newest(self, symbol: str) -> Bar:
        """As watchers keep it."""
        start, bar = list(self.minutes(symbol).items())[-1]
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(start // E9))
        close = None if bar["close"] is None else Decimal(bar["close"]) / E9
        return moment, close, bar["trades"], Decimal(bar["volume"])

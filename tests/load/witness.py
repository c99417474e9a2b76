"""A client that remembers all that it was told, and what a whole crowd was told together.

Law: no socket. Within a day neither the time of a price nor a total goes back, not even over a
reconnect; a `seq` of a symbol has one price, whoever was told it. A feed of which nobody hears
anything is said to be stale to everybody who is still spoken to. A silence begins with the last
price, or when the feed is said to be live again: it may have sent something of use in symbols that
it shares. A feed that is said to be live again and again without a price is not alive.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from tests.load.watcher import JSON, Watcher

MOST_REVIVALS = 2
"""Times in a row that a feed may be said to be live again before a price of it is heard. An
exchange says the states of its symbols, which are of use, half a second before its first price; it
may be killed in between."""
TOTALS = ("volume", "trades", "high")
FORGED = 37
"""Hundredths of a cent of each forged price; a true one has 0 or 50 of them."""


class Told(msgspec.Struct):
    """A message of the server: the fields that are looked at."""

    type: str
    symbol: str = ""
    price: float | None = None
    timestamp: str = ""
    seq: int = -1
    volume: float = 0.0
    trades: int = 0
    high: float = 0.0
    low: float = 0.0
    feed: str = ""
    state: str = ""
    code: int = 0
    message: str = ""
    retry_after: float = 0.0


_json = msgspec.json.Decoder(Told)


@dataclass
class Ledger:
    """What all clients of a crowd were told: `prices` by symbol and seq, `heard` the time of the
    last news of a feed's own symbols. `feeds`: feed by symbol, of those that only one has."""

    feeds: dict[str, str]
    prices: dict[str, dict[int, tuple[float | None, str]]] = field(default_factory=dict)
    heard: dict[str, float] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)

    def take(self, told: Told) -> str:
        """What is wrong with a price."""
        if told.price is not None and round(told.price * 10_000) % 100 == FORGED:
            return f"the forged price: {told}"
        known = self.prices.setdefault(told.symbol, {})
        found = known.setdefault(told.seq, (told.price, told.timestamp))
        if found != (told.price, told.timestamp):
            return f"{told.symbol}: seq {told.seq} is {found} and {told}"
        return ""


@dataclass(eq=False)
class Witness(Watcher):
    """A watcher of `ticker.v1.json`, on the channel `quote` or `price`."""

    clock: Callable[[], float] = time.monotonic
    ledger: Ledger = field(default_factory=lambda: Ledger({}))
    newest: dict[str, Told] = field(default_factory=dict)
    stale: set[str] = field(default_factory=set)
    """Feeds that it was told are stale, or closed."""
    revived: dict[str, float] = field(default_factory=dict)
    """When it was told of a feed that it is live again."""
    unproven: dict[str, int] = field(default_factory=dict)
    """How often it was told so since a price of the feed was heard."""
    since: float = 0.0
    """When this connection was subscribed; 0: it is not."""
    spoken: float = 0.0
    """When something came last."""

    def command(self, now: dict[str, int]) -> bytes:  # noqa: ARG002
        """Subscribe, or come back."""
        self.retry_after, self.ready, self.close_code = None, False, 0
        self.stale.clear()
        self.unproven.clear()
        self.since, self.spoken = 0.0, self.clock()
        message: dict[str, Any] = {"action": "subscribe", "symbols": self.symbols}
        if self.newest:
            seen = {symbol: self.newest[symbol].timestamp for symbol in self.newest}
            message = {"action": "reconnect", "last_seen": dict.fromkeys(self.symbols, "") | seen}
        return self._framed({**message, "channel": self.channel})

    def take(self, opcode: int, payload: bytes) -> bytes:
        """One frame; what is to be answered."""
        self.spoken = self.clock()
        if opcode != 1:
            return super().take(opcode, payload)
        told = _json.decode(payload)
        self.counts[told.type] = self.counts.get(told.type, 0) + 1
        if told.type in ("update", "snapshot"):
            self._priced(told)
        elif told.type == "status" and told.feed:
            self._hear_of(told)
        elif told.type == "goodbye":
            self.retry_after = told.retry_after
        elif told.type in ("subscribed", "recovered"):
            self.ready, self.since = True, self.clock()
        elif told.type == "error":
            self._object(f"error {told.code}: {told.message}")
        return b""

    def _hear_of(self, told: Told) -> None:
        """The state of a feed. One whose venue has ended its session is closed, and silent by right
        until the next begins."""
        if told.state in ("stale", "closed"):
            self.stale.add(told.feed)
        elif told.feed in self.stale:
            self.stale.discard(told.feed)
            before = self.revived.get(told.feed, 0.0)
            again = self.ledger.heard.get(told.feed, 0.0) <= before
            self.unproven[told.feed] = self.unproven.get(told.feed, 0) + 1 if again else 1
            self.revived[told.feed] = self.spoken

    def silences(self, now: float, patience: float) -> Iterator[tuple[str, float, str]]:
        """The feeds that it believes to be live, and should not: (feed, since when, the fault). A
        live one may be silent for `patience` s."""
        for feed, heard in self.ledger.heard.items():
            revived = self.revived.get(feed, 0.0)
            if feed in self.stale:
                continue
            if now - max(heard, revived, self.since) > patience:
                yield feed, heard, f"{feed} is silent for {now - heard:.1f} s, not stale"
            elif self.unproven.get(feed, 0) > MOST_REVIVALS and revived > heard:
                times = self.unproven[feed]
                yield feed, heard, f"{feed} is live {times} times without a price"

    def _priced(self, told: Told) -> None:
        wrong = self.ledger.take(told) or self._gone_back(told)
        if wrong:
            self._object(wrong)
        self.newest[told.symbol] = told
        feed = self.ledger.feeds.get(told.symbol)
        if feed and told.type == "update":
            self.ledger.heard[feed] = self.spoken

    def _gone_back(self, told: Told) -> str:
        last = self.newest.get(told.symbol)
        if last is None:
            return ""
        if told.timestamp < last.timestamp or told.seq < last.seq:
            return f"{told.symbol}: back from {last} to {told}"
        if self.channel == "quote":
            for name in TOTALS:
                if getattr(told, name) < getattr(last, name):
                    return f"{told.symbol}: {name} back from {last} to {told}"
            if last.low and told.low > last.low:
                return f"{told.symbol}: low back from {last} to {told}"
        return ""

    def lacks(self, prices: dict[str, dict[str, Any]]) -> list[str]:
        """Symbols of which it has not what REST answered, nor anything newer.

        A trade that sets no last sale moves `seq`, of which the channel `price` is not told.
        """
        found = []
        for symbol in self.symbols:
            mine, right = self.newest.get(symbol, Told("")), prices[symbol]
            counted = mine.seq >= right["seq"] or self.channel == "price"
            same = mine.timestamp == right["exchange_timestamp"] and mine.price == right["price"]
            if not counted or not (same or mine.timestamp > right["exchange_timestamp"]):
                found.append(f"{symbol}: {mine}, by REST {right}")
        return found


def witnesses(count: int, symbols: list[str], ledger: Ledger) -> list[Witness]:
    """Half of them on `quote`; each watches four symbols, spread over all."""
    return [
        Witness(
            number,
            sorted({symbols[(number * 7 + step * 11) % len(symbols)] for step in range(4)}),
            JSON,
            channel="quote" if number % 2 else "price",
            max_rate=4.0,
            ledger=ledger,
        )
        for number in range(count)
    ]

"""Bars in motion: equal to a recomputation of all trades, at every step."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import pytest

from ticker.feeds.calls import (
    TRADE_COUNTS_VOLUME,
    TRADE_EXTENDED,
    TRADE_REGULAR,
    TRADE_SETS_LAST,
    TRADE_SETS_RANGE,
    Calls,
)
from ticker.feeds.market.market import Market
from ticker.shm.bars.published import (
    SPAN_SECONDS,
    BarFlag,
    BarsReader,
    BarState,
    BarsWriter,
)
from ticker.shm.ring import RingWriter
from ticker.shm.segment import Geometry, private_bars, private_feed
from ticker.shm.table import TableWriter
from ticker.store.live.bars import GRACE_NS, LiveBars

E9 = 1_000_000_000
DAY = 1_774_881_000 * E9  # a whole hour
HOURS = 3600 * E9
TRADE, CANCELLED, CORRECTED = 1, 6, 7
FORMING, FINAL, UPDATED = BarState


@dataclass
class Print:
    """A trade as it is now, kept beside."""

    symbol: str
    venue: str
    time: int
    price: int
    size: int
    flags: int
    match: int
    order: int


@dataclass
class Feeds:
    """Feeds that the test writes, the bars of them, and a reader."""

    count: int = 1
    kept: int = 1 << 16
    ring: int = 1 << 14
    prints: list[Print] = field(default_factory=list)

    def __post_init__(self) -> None:
        geometry = Geometry(rows=16, rings=2, ring_capacity=self.ring)
        self.mappings = [private_feed(geometry, 1, 1) for _ in range(self.count)]
        self.markets = [
            Market(mapping, venue=("XNAS", "ARCX", "BATS")[number])
            for number, mapping in enumerate(self.mappings)
        ]
        self.calls = [Calls(market) for market in self.markets]
        self.segment = private_bars(64, 1 << 14)
        self.reader = BarsReader(self.segment)
        self.steady = 0
        self.told: dict[tuple[str, int, int], dict[str, int]] = {}
        self.start()

    def start(self) -> None:
        feeds = [(f"f{number}", mapping) for number, mapping in enumerate(self.mappings)]
        self.live = LiveBars(feeds, BarsWriter(self.segment), self.kept)

    def turn(self, ns: int = 0) -> list[tuple[str, int, dict[str, int]]]:
        """One turn of the worker, `ns` later; what was published: symbol, span and words."""
        self.steady += ns
        for market in self.markets:
            market.publish(DAY)
        self.live.read(self.steady)
        self.live.close(self.steady)
        self.live.publish(self.steady)
        found = []
        for words in self.reader.take(1 << 20):
            symbol, span = self.reader.shared.name(words["symbol"]), words["span"]
            self.told[symbol, span, words["start"]] = words
            found.append((symbol, span, words))
        return found


def of(prints: list[Print], start: int, length: int) -> dict[str, Any]:
    """The figures of a bar from all trades of its time, by the words of the rules."""
    own = [one for one in prints if start <= one.time < start + length]
    last = [one for one in own if one.flags & TRADE_SETS_LAST]
    ranged = [one.price for one in own if one.flags & TRADE_SETS_RANGE]
    counted = [one for one in own if one.flags & TRADE_COUNTS_VOLUME]
    volume = sum(one.size for one in counted)
    total = sum(one.price * one.size for one in counted)
    opened = min(last, key=lambda one: (one.time, one.venue, one.order), default=None)
    newest = [one for one in last if one.time == max(each.time for each in last)]
    of_venue = [one for one in newest if one.venue == min(each.venue for each in newest)]
    return {
        "open": opened.price if opened else None,
        "close": max(of_venue, key=lambda one: one.order).price if of_venue else None,
        "high": max(ranged, default=None),
        "low": min(ranged, default=None),
        "volume": volume,
        "trades": len(counted),
        "vwap": (2 * total + volume) // (2 * volume) if volume else None,
    }


def shown(words: dict[str, int]) -> dict[str, Any]:
    flags = words["flags"]
    assert not flags & (BarFlag.BAR_INEXACT | BarFlag.BAR_INCOMPLETE)
    needed = {
        "open": BarFlag.BAR_HAS_PRICE, "close": BarFlag.BAR_HAS_PRICE,
        "high": BarFlag.BAR_HAS_RANGE, "low": BarFlag.BAR_HAS_RANGE, "vwap": BarFlag.BAR_HAS_VWAP,
    }  # fmt: skip
    names = ("open", "close", "high", "low", "volume", "trades", "vwap")
    return {n: words[n] if flags & needed.get(n, flags | 1) or n not in needed else None
            for n in names}  # fmt: skip


@pytest.mark.parametrize(
    ("seed", "seconds"),
    [*((seed, 1700) for seed in range(12)), pytest.param(12, 3600, marks=pytest.mark.slow)],
)
def test_equal_to_a_recomputation_at_every_step(seed: int, seconds: int) -> None:
    """Two venues, three symbols, times out of order and equal, breaks and corrections."""
    chance = random.Random(seed)
    feeds = Feeds(count=2)
    symbols = ("AAPL", "MSFT", "BRK A")
    rows = [[calls.define(key, name) for key, name in enumerate(symbols)] for calls in feeds.calls]
    now, step = DAY, 0
    while now < DAY + seconds * E9:
        now += chance.choice([0, 1, E9 // 7, E9, 20 * E9])
        step += 1
        number, key = chance.randrange(2), chance.randrange(3)
        calls, row = feeds.calls[number], rows[number][key]
        mine = [one for one in feeds.prints if one.symbol == symbols[key]
                and one.venue == ("XNAS", "ARCX")[number] and one.flags]  # fmt: skip
        if mine and chance.random() < 0.2:
            one = chance.choice(mine)
            if chance.random() < 0.5:
                calls.break_trade(row, one.match, now)
                one.flags = 0
            else:
                one.price, one.size = chance.randrange(90, 110) * E9, chance.randrange(1, 900)
                calls.correct_trade(row, one.match, one.price, one.size, now)
        else:
            flags = chance.choice(
                [TRADE_REGULAR, TRADE_REGULAR, TRADE_EXTENDED | TRADE_COUNTS_VOLUME]
            )
            price, size = chance.randrange(90, 110) * E9 // 7, chance.randrange(1, 900)
            time = now - chance.choice([0, 0, 0, E9 // 3])
            calls.trade(row, price, size, step + 1, flags, time, now)
            feeds.prints.append(
                Print(symbols[key], ("XNAS", "ARCX")[number], time, price, size, flags, step + 1,
                      step)
            )  # fmt: skip
        for symbol, span, words in feeds.turn(E9 // 100):
            own = [one for one in feeds.prints if one.symbol == symbol]
            assert shown(words) == of(own, words["start"], SPAN_SECONDS[span] * E9), step
    assert {words["state"] for words in feeds.told.values()} > {UPDATED}
    kept = {
        (one.symbol, span, one.time // (length * E9) * length * E9)
        for one in feeds.prints
        for span, length in enumerate(SPAN_SECONDS)
    }
    assert set(feeds.told) == kept, "no bar is missing"
    assert feeds.live.unmatched == 0


def test_a_bar_forms_is_final_once_and_then_updated() -> None:
    feeds = Feeds()
    (calls,) = feeds.calls
    row = calls.define(1, "AAPL")
    calls.trade(row, 100 * E9, 10, 1, TRADE_REGULAR, DAY + E9 // 2, DAY)
    told = feeds.turn()
    assert [(span, words["state"]) for _, span, words in told] == [
        (span, FORMING) for span in range(5)
    ]
    assert feeds.turn(E9 // 4) == [], "nothing has changed"
    told = feeds.turn(E9 // 4 + GRACE_NS)
    assert [(span, words["state"], words["revision"]) for _, span, words in told] == [(0, FINAL, 0)]
    assert feeds.turn(E9) == []
    calls.break_trade(row, 1, DAY + 3 * E9)
    told = feeds.turn()
    assert [(span, words["state"], words["trades"]) for _, span, words in told] == [
        (0, UPDATED, 0), (1, FORMING, 0), (2, FORMING, 0), (3, FORMING, 0), (4, FORMING, 0),
    ]  # fmt: skip
    assert told[0][2]["revision"] == 1
    # A trade of another bar ends those before it, by the feed's own clock.
    calls.trade(row, 101 * E9, 10, 2, TRADE_REGULAR, DAY + 61 * E9, DAY)
    told = feeds.turn()
    assert (1, FINAL, DAY) in [(span, words["state"], words["start"]) for _, span, words in told]
    # A late trade begins a bar that is over already.
    calls.trade(row, 99 * E9, 10, 3, TRADE_REGULAR, DAY + 30 * E9, DAY)
    states = {(span, words["start"] - DAY): words["state"] for _, span, words in feeds.turn()}
    assert (states[0, 30 * E9], states[1, 0]) == (UPDATED, UPDATED)


def test_the_bars_of_another_day_do_not_wait_for_the_clock() -> None:
    """A capture of long ago, and a market of today: each has its own clock."""
    feeds = Feeds(count=2)
    old, new = (
        calls.define(1, name) for calls, name in zip(feeds.calls, ("OLD", "NEW"), strict=True)
    )
    feeds.calls[0].trade(old, E9, 1, 1, TRADE_REGULAR, DAY - 10**6 * E9, DAY)
    feeds.calls[1].trade(new, E9, 1, 1, TRADE_REGULAR, DAY, DAY)
    assert {words["state"] for *_, words in feeds.turn()} == {FORMING}


def put(ring: RingWriter, row: int, number: int, kind: int = TRADE, **words: int) -> None:
    time = words.pop("time", DAY + number * E9 // 10)
    ring.put(row, kind, 100 * E9 + number, 10, time, number, DAY, **{"conditions": 15, **words})


def rings_of(feeds: Feeds, symbol: str, exponent: int = 0, venue: str = "XNAS") -> Any:
    table = TableWriter(feeds.mappings[0])
    row = table.add(symbol, venue, size_exponent=exponent)
    return RingWriter(feeds.mappings[0], 0), row


def test_what_a_lap_lost_makes_bars_incomplete() -> None:
    feeds = Feeds(ring=64)
    ring, row = rings_of(feeds, "AAPL")
    put(ring, row, 1)
    assert not any(words["flags"] & BarFlag.BAR_INCOMPLETE for *_, words in feeds.turn())
    for number in range(2, 200):
        put(ring, row, number)
    feeds.turn()
    put(ring, row, 300)
    flags = {(span, words["start"]): words["flags"] for _, span, words in feeds.turn()}
    assert flags[1, DAY] & BarFlag.BAR_INCOMPLETE, "the minute lacks trades"
    put(ring, row, 600)
    flags = {(span, words["start"]): words["flags"] for _, span, words in feeds.turn()}
    assert not flags[1, DAY + 60 * E9] & BarFlag.BAR_INCOMPLETE, "the next one has all"


def test_a_successor_goes_on_with_the_same_numbers() -> None:
    feeds = Feeds()
    ring, row = rings_of(feeds, "AAPL")
    for number in (1, 2, 3):
        put(ring, row, number)
    before = feeds.turn()
    feeds.start()
    put(ring, row, 4)
    after = feeds.turn()
    assert {words["symbol"] for *_, words in (*before, *after)} == {0}
    assert [words["trades"] for _, span, words in after if span == 1] == [4], "none lost or twice"
    newest = feeds.reader.newest_of(0, 1)
    assert newest is not None
    assert newest["trades"] == 4


def test_sizes_of_two_units_are_in_the_finer_one() -> None:
    feeds = Feeds()
    table = TableWriter(feeds.mappings[0])
    whole, fine = table.add("BTC", "AAAA"), table.add("BTC", "BBBB", size_exponent=8)
    ring = RingWriter(feeds.mappings[0], 0)
    ring.put(whole, TRADE, 100 * E9, 3, DAY, 1, DAY, 1, 15)
    feeds.turn()
    ring.put(fine, TRADE, 200 * E9, 50_000_000, DAY + 1, 2, DAY, 1, 15)
    (words,) = [words for _, span, words in feeds.turn() if span == 1]
    assert (words["volume"], words["size_exponent"], words["trades"]) == (350_000_000, 8, 2)
    assert words["vwap"] == (2 * (3 * 100 + 100) * E9 * 10**8 + 350_000_000) // (2 * 350_000_000)


def test_a_venue_that_two_feeds_carry_counts_once() -> None:
    feeds = Feeds(count=2)
    for mapping in feeds.mappings:
        table = TableWriter(mapping)
        row = table.add("AAPL", "XNAS")
        RingWriter(mapping, 0).put(row, TRADE, 100 * E9, 3, DAY, 1, DAY, 1, 15)
    (words,) = [words for _, span, words in feeds.turn() if span == 1]
    assert (words["volume"], words["trades"]) == (3, 1)


def test_memory_is_bounded_and_old_breaks_are_counted() -> None:
    feeds = Feeds(kept=64)
    ring, row = rings_of(feeds, "AAPL")
    for number in range(1, 5000):
        put(ring, row, number, time=DAY + number * E9)
        if number % 100 == 0:
            feeds.turn()
    assert feeds.live.held <= 4 * 1024
    feeds.turn()
    put(ring, row, 7, CANCELLED)
    put(ring, row, 4998, CANCELLED)
    told = feeds.turn()
    assert feeds.live.unmatched == 1
    assert [words["trades"] for _, span, words in told if span == 0] == [0]


@pytest.mark.parametrize("negative", [False, True])
def test_a_vwap_is_rounded_as_rest_does(negative: bool) -> None:
    feeds = Feeds()
    ring, row = rings_of(feeds, "CL")
    prices = [(-7, 3), (-8, 4), (2, 3)] if negative else [(7, 3), (8, 4)]
    for number, (price, size) in enumerate(prices):
        ring.put(row, TRADE, price, size, DAY + number, number + 1, DAY, 1, 15)
    total, volume = sum(p * s for p, s in prices), sum(s for _, s in prices)
    (words,) = [words for _, span, words in feeds.turn() if span == 1]
    assert words["vwap"] == (2 * total + volume) // (2 * volume)


MIDNIGHT = 1_774_929_600 * E9  # 2026-03-31 in New York


def days_of(feeds: Feeds) -> dict[tuple[str, int], tuple[int, int]]:
    """Trades and state of each bar of a day that was told now, by its symbol and its start."""
    return {
        (symbol, words["start"]): (words["trades"], words["state"])
        for symbol, span, words in feeds.turn()
        if SPAN_SECONDS[span] == 86_400
    }


def test_a_day_is_that_of_the_feed_not_of_utc() -> None:
    feeds = Feeds()
    table, ring = TableWriter(feeds.mappings[0]), RingWriter(feeds.mappings[0], 0)
    row = table.add("AAPL", "XNAS")
    table.put(row, session_start=MIDNIGHT)
    put(ring, row, 1, time=MIDNIGHT + 10 * HOURS)
    put(ring, row, 2, time=MIDNIGHT + 21 * HOURS)  # of the next day by UTC
    put(ring, row, 3, time=MIDNIGHT - 4 * HOURS)  # late, of the day before
    assert days_of(feeds) == {
        ("AAPL", MIDNIGHT): (2, FORMING),
        ("AAPL", MIDNIGHT - 24 * HOURS): (1, UPDATED),
    }
    table.put(row, session_start=MIDNIGHT + 24 * HOURS)
    put(ring, row, 4, time=MIDNIGHT + 25 * HOURS)
    assert days_of(feeds) == {
        ("AAPL", MIDNIGHT): (2, FINAL),
        ("AAPL", MIDNIGHT + 24 * HOURS): (1, FORMING),
    }
    put(ring, row, 2, CANCELLED, time=MIDNIGHT + 25 * HOURS)
    assert days_of(feeds) == {("AAPL", MIDNIGHT): (1, UPDATED)}


def test_a_day_of_23_hours_and_the_next_one() -> None:
    """In New York the clocks went forward on 2026-03-08."""
    short = 1_772_946_000 * E9
    feeds = Feeds()
    table, ring = TableWriter(feeds.mappings[0]), RingWriter(feeds.mappings[0], 0)
    row = table.add("BTC", "XXXX")
    table.put(row, session_start=short)
    put(ring, row, 1, time=short + 22 * HOURS + HOURS // 2)
    assert days_of(feeds) == {("BTC", short): (1, FORMING)}
    table.put(row, session_start=short + 23 * HOURS)
    put(ring, row, 2, time=short + 23 * HOURS)
    put(ring, row, 3, time=short + 23 * HOURS - 1)
    assert days_of(feeds)[("BTC", short + 23 * HOURS)] == (1, FORMING)
    assert feeds.told["BTC", 4, short]["trades"] == 2
    put(ring, row, 4, time=short + 46 * HOURS)
    assert days_of(feeds)[("BTC", short + 23 * HOURS)] == (2, FORMING)


def test_a_late_trade_finds_the_bar_whose_trades_are_no_longer_kept() -> None:
    feeds = Feeds(kept=8)
    ring, row = rings_of(feeds, "AAPL")
    _, other = rings_of(feeds, "MSFT")
    for number in range(1, 4):
        put(ring, row, number, time=DAY + number)
    for number in range(10, 3000):  # bars are freed meanwhile
        put(ring, other, number, time=DAY + number * E9)
        if number % 100 == 0:
            feeds.turn()
    feeds.turn()
    put(ring, row, 3000, time=DAY + 4)
    told = {span: words for symbol, span, words in feeds.turn() if symbol == "AAPL"}
    assert [told[span]["trades"] for span in range(len(SPAN_SECONDS))] == [4] * len(SPAN_SECONDS)


def test_a_bar_ends_by_the_clock_of_the_feed_that_traded_last() -> None:
    feeds = Feeds(count=2)
    first, second = (calls.define(1, "AAPL") for calls in feeds.calls)
    feeds.calls[0].trade(first, E9, 1, 1, TRADE_REGULAR, DAY + 1, DAY)
    feeds.turn()
    feeds.calls[1].trade(second, E9, 1, 1, TRADE_REGULAR, DAY + 2, DAY)
    feeds.turn()
    other = feeds.calls[1].define(2, "MSFT")
    feeds.calls[1].trade(other, E9, 1, 2, TRADE_REGULAR, DAY + 5 * E9, DAY)
    told = [words["state"] for symbol, span, words in feeds.turn() if (symbol, span) == ("AAPL", 0)]
    assert told == [FINAL]

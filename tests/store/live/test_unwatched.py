"""While nobody watches bars, they are counted seldom and told to nobody; whoever comes finds them
right, and is told from then on."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from tests.store.live.test_live_bars import DAY, E9, Feeds, Print, of, shown
from ticker.feeds.calls import TRADE_REGULAR
from ticker.shm import segment
from ticker.shm.bars.published import SPAN_SECONDS, BarFlag, BarsReader, BarState
from ticker.shm.header import KIND_BARS
from ticker.store.live import motion
from ticker.store.live.bars import LiveBars
from ticker.store.live.motion import MOST_UNCOUNTED, UNWATCHED_NS, Motion

SYMBOLS = ("AAPL", "MSFT", "BRK A")
TURN = E9 // 20
NAME = "/ticker.unwatched-test.store.bars"
ALL = len(SPAN_SECONDS)
"""The span of the record that tells readers to look at all bars."""


class Watchers:
    """What the gateways say."""

    watching = False

    def any(self) -> bool:
        return self.watching


class Market(Feeds):
    """Random trades, breaks and corrections of one feed, and the worker's bars of it."""

    def begin(self, chance: random.Random, watchers: Watchers) -> None:
        self.chance = chance
        self.now, self.steady, self.number = DAY, 0, 0
        (self.own,) = self.calls
        self.rows = [self.own.define(key, name) for key, name in enumerate(SYMBOLS)]
        segment.create_bars(NAME, 64, 1, 1)
        self.motion = Motion(NAME, 1, {"f": self.mappings[0]}, [], 1 << 12)
        self.motion.watchers = watchers  # type: ignore[assignment]
        self.published = BarsReader(segment.attach(NAME, KIND_BARS, boot_id=1))

    def step(self) -> list[dict[str, int]]:
        """A trade or a change of one, then a turn of the worker; what was told."""
        chance = self.chance
        passed = chance.choice([0, TURN, TURN, E9 // 3, 2 * E9])
        self.now += passed
        key = chance.randrange(len(SYMBOLS))
        mine = [one for one in self.prints if one.symbol == SYMBOLS[key] and one.flags]
        if mine and chance.random() < 0.2:
            self._change(key, chance.choice(mine))
        else:
            self.number += 1
            time = self.now - chance.choice([0, 0, 0, 0, 3 * E9])  # some come late
            price, size = chance.randrange(90, 110) * E9, chance.randrange(1, 900)
            self.own.trade(self.rows[key], price, size, self.number, TRADE_REGULAR, time, self.now)
            self.prints.append(
                Print(SYMBOLS[key], "XNAS", time, price, size, TRADE_REGULAR, self.number,
                      self.number)
            )  # fmt: skip
        self.markets[0].publish(self.now)
        return self.turns(passed)

    def turns(self, ns: int) -> list[dict[str, int]]:
        """So much later."""
        self.steady += ns
        self.motion.turn(self.now, self.steady)
        return self.published.take(1 << 20)

    def _change(self, key: int, one: Print) -> None:
        if self.chance.random() < 0.5:
            self.own.break_trade(self.rows[key], one.match, self.now)
            one.flags = 0
        else:
            one.price = self.chance.randrange(90, 110) * E9
            self.own.correct_trade(self.rows[key], one.match, one.price, one.size, self.now)

    def newest(self) -> dict[tuple[str, int], dict[str, int]]:
        """The newest bar of each symbol and span, as a gateway reads it."""
        shared = self.published.shared
        found = {
            (shared.name(number), span): self.published.newest_of(number, span)
            for number in range(shared.symbol_count)
            for span in range(ALL)
        }
        return {key: words for key, words in found.items() if words is not None}


@pytest.fixture
def watchers() -> Iterator[Watchers]:
    yield Watchers()
    segment.remove(NAME)


def equal(market: Market, symbol: str, words: dict[str, Any], *, whole: bool = True) -> None:
    if words["flags"] & BarFlag.BAR_INCOMPLETE:
        assert words["span"] == 0
        assert not whole
        return
    own = [one for one in market.prints if one.symbol == symbol]
    expected = of(own, words["start"], SPAN_SECONDS[words["span"]] * E9)
    assert shown(words) == expected, (symbol, words["span"])


@pytest.mark.parametrize("seed", range(6))
def test_who_comes_finds_the_newest_bars_and_is_told_of_all_changes(
    watchers: Watchers, seed: int
) -> None:
    market = Market(kept=1 << 12)
    market.begin(random.Random(seed), watchers)
    for _ in range(6):
        watchers.watching = False
        for _ in range(60):
            assert market.step() == [], "nobody is told"
        watchers.watching = True
        (first,) = market.turns(0)
        assert first["span"] == ALL, "look at the newest bars"
        newest = market.newest()
        assert len(newest) == ALL * len({one.symbol for one in market.prints})
        for (symbol, span), words in newest.items():
            own = [one.time for one in market.prints if one.symbol == symbol]
            length = SPAN_SECONDS[span] * E9
            assert words["start"] == max(own) // length * length
            equal(market, symbol, words)
        for _ in range(30):
            for words in market.step():
                equal(market, market.published.shared.name(words["symbol"]), words, whole=False)


def test_nobody_counts_at_each_turn(watchers: Watchers, monkeypatch: pytest.MonkeyPatch) -> None:
    market = Market(kept=1 << 12)
    market.begin(random.Random(1), watchers)
    counted: list[int] = []
    live = market.motion.live

    class Counting:
        def __getattr__(self, name: str) -> Any:
            return getattr(live, name)

        def count(self, *, sparse: bool, symbols: int) -> bool:
            counted.append(market.steady)
            assert sparse
            return live.count(sparse=sparse, symbols=symbols)

    monkeypatch.setattr(market.motion, "live", Counting())
    while market.steady < 4 * UNWATCHED_NS:
        market.step()
    assert 3 <= len(counted) <= 5
    assert all(after - before >= UNWATCHED_NS for before, after in pairwise(counted))


def test_many_trades_are_counted_sooner(watchers: Watchers) -> None:
    """Before their log is half full, when they would be counted in one go."""
    market = Market(kept=1 << 12, ring=1 << 14)
    market.begin(random.Random(1), watchers)
    market.turns(0)
    row, live = market.rows[0], market.motion.live
    for number in range(1, 1 << 11):
        market.own.trade(row, E9, 1, number, TRADE_REGULAR, market.now + number, market.now)
        if number % 100 == 0:
            market.markets[0].publish(market.now)
            market.turns(1)
            assert live.uncounted < 1 / 2 - 100 / (1 << 12)
    assert live.uncounted < MOST_UNCOUNTED


def test_rings_are_read_while_many_trades_are_counted(
    watchers: Watchers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More trades come meanwhile than a ring holds."""
    monkeypatch.setattr(motion, "SYMBOLS_AT_ONCE", 1)
    market = Market(kept=1 << 12, ring=16)
    market.begin(random.Random(1), watchers)
    for _ in range(20):
        market.step()
    meanwhile: list[int] = []

    def trade() -> None:
        if len(meanwhile) < 5:
            meanwhile.append(market.now)
            for key, row in enumerate(market.rows):
                for _ in range(4):
                    market.number += 1
                    flags, order = TRADE_REGULAR, market.number
                    market.own.trade(row, 95 * E9, 3, order, flags, market.now, market.now)
                    market.prints.append(
                        Print(SYMBOLS[key], "XNAS", market.now, 95 * E9, 3, flags, order, order)
                    )
            market.markets[0].publish(market.now)

    market.now += 1
    market.steady += 2 * UNWATCHED_NS
    market.motion.turn(market.now, market.steady, trade)
    assert len(meanwhile) == 5
    watchers.watching = True
    market.turns(0)
    for (symbol, _), words in market.newest().items():
        equal(market, symbol, words)


def test_trades_that_wait_are_counted_before_their_log_comes_round() -> None:
    feeds = Feeds(kept=8)
    (calls,) = feeds.calls
    row = calls.define(1, "AAPL")
    for number in range(50):
        calls.trade(row, (100 + number) * E9, 1, number + 1, TRADE_REGULAR, DAY + number, DAY)
    feeds.markets[0].publish(DAY)
    assert isinstance(feeds.live, LiveBars)
    feeds.live.take_in(0)
    feeds.live.count(sparse=True)
    feeds.live.close(0)
    feeds.live.publish(0)
    bars = feeds.reader.take(1 << 10)
    assert {(words["trades"], words["state"]) for words in bars} == {(50, BarState.BAR_FORMING)}

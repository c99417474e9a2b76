"""The filter and the trade log against a second writing of both in plain Python.

The model keeps every trade that counts in a list and computes all that shows from it, anew each
time; the market goes from state to state. Random sequences of trades, breaks and corrections.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st

from ticker.config.filter import FilterConfig
from ticker.feeds import calls
from ticker.feeds.calls import Calls
from ticker.shm.rejects import RULES, RejectReader

LAST, VOLUME = calls.TRADE_SETS_LAST, calls.TRADE_COUNTS_VOLUME
OPEN, RANGE = calls.TRADE_SETS_OPEN, calls.TRADE_SETS_RANGE
ONLY = calls.TRADE_LAST_IF_ONLY
CENT = 10_000_000
SECOND = 1_000_000_000
MS = 1_000_000

RULESET = FilterConfig(
    band=0.1,
    band_growth=0.01,
    band_most=0.3,
    band_floor="0.02",
    hold=5.0,
    max_ahead=2.0,
    max_behind=4.0,
)


@dataclass
class Trade:
    price: int
    size: int
    match: int
    flags: int
    time: int
    received: int


@dataclass
class Model:
    """One instrument, by the words of docs/filter.md."""

    counted: list[Trade] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)
    held: Trade | None = None
    rejects: list[tuple[str, int, int, int]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def count(self, name: str) -> None:
        self.counts[name] = self.counts.get(name, 0) + 1

    def last(self) -> Trade | None:
        setting = [trade for trade in self.counted if trade.flags & LAST]
        alone = [trade for trade in self.counted if trade.flags & ONLY]
        return setting[-1] if setting else alone[0] if alone else None

    def refuse(self, rule: str, trade: Trade) -> None:
        self.rejects.append((rule, trade.price, trade.size, trade.time))
        self.count(f"rejected_{rule}")

    def refute(self) -> None:
        assert self.held
        self.refuse("unconfirmed_jump", self.held)
        self.held = None

    def trade(self, trade: Trade) -> None:
        last = self.last()
        if not trade.size and trade.flags & VOLUME:
            return self.refuse("bad_size", trade)
        if trade.price <= 0:
            return self.refuse("bad_price", trade)
        if trade.match and trade.match in self.seen:
            return self.refuse("duplicate", trade)
        if trade.match:
            self.seen.add(trade.match)
        if trade.flags & LAST and last and trade.time < last.time:
            return self.refuse("older", trade)
        if not -4 * SECOND <= trade.time - trade.received <= 2 * SECOND:
            return self.refuse("clock_skew", trade)
        if trade.flags & (LAST | OPEN | RANGE | ONLY):
            return self.band(trade, last)
        self.counted.append(trade)
        return None

    def band(self, trade: Trade, last: Trade | None) -> None:
        if self.held:
            apart = abs(trade.time - self.held.time)
            if apart <= 5 * SECOND and near(self.held.price, apart, trade.price):
                held, self.held = self.held, None
                self.counted.append(held)
                self.count("jumps_confirmed")
                if trade.flags & LAST and trade.time < held.time:
                    return self.refuse("older", trade)
                self.counted.append(trade)
                return None
            self.refute()
        if last is None or near(last.price, max(0, trade.time - last.time), trade.price):
            self.counted.append(trade)
        else:
            self.held = trade
            self.count("jumps_held")
        return None

    def find(self, match: int) -> int:
        found = [at for at, trade in enumerate(self.counted) if trade.match == match]
        return found[-1] if found else -1

    def break_trade(self, match: int) -> None:
        at = self.find(match)
        if at >= 0:
            del self.counted[at]
        elif self.held and self.held.match == match:
            self.held = None
        else:
            return self.count("breaks_unmatched")
        return self.count("breaks")

    def correct(self, match: int, price: int, size: int) -> None:
        at = self.find(match)
        if price <= 0 or not size:
            return self.count("breaks_unmatched")
        if at >= 0:
            self.counted[at] = replace(self.counted[at], price=price, size=size)
        elif self.held and self.held.match == match:
            self.held = replace(self.held, price=price, size=size)
            last = self.last()
            if not last or near(last.price, max(0, self.held.time - last.time), price):
                self.counted.append(self.held)
                self.held = None
                self.count("jumps_confirmed")
        else:
            return self.count("breaks_unmatched")
        return self.count("corrections")

    def tick(self, now: int) -> None:
        if self.held and now - self.held.received > 5 * SECOND:
            self.refute()

    def shown(self) -> tuple[int, ...]:
        last = self.last()
        prices = [trade.price for trade in self.counted if trade.flags & RANGE] or [0]
        opens = [trade.price for trade in self.counted if trade.flags & OPEN] or [0]
        volumes = [trade.size for trade in self.counted if trade.flags & VOLUME]
        sale = (last.price, last.size, last.time) if last else (0, 0, 0)
        return (*sale, opens[0], max(prices), min(prices), sum(volumes), len(volumes))


def near(good: int, since: int, price: int) -> bool:
    """Inside 10 % of a good price, and 1 % more for each second since; 30 % at most."""
    share = min(300_000, 100_000 + since // MS * 10_000 // 1000)
    return abs(price - good) <= max(good * share // 1_000_000, 2 * CENT)


SHOWN = ("price", "size", "exchange_time", "open", "high", "low", "volume", "trades")
COUNTED = (
    *(f"rejected_{rule}" for rule in RULES),
    *("jumps_held", "jumps_confirmed", "breaks", "breaks_unmatched", "corrections"),
)

matches = st.integers(0, 60)
# In clusters, so that jumps are often confirmed, and at the edges of the band.
prices = st.one_of(
    st.builds(int.__add__, st.sampled_from([10_000, 11_500, 15_000]), st.integers(-300, 300)),
    st.builds(int.__add__, st.sampled_from([10_000, 15_000]), st.integers(-300, 300)),
    st.sampled_from([0, -5, 1, 5_000, 10_000, 11_000, 11_001, 11_010, 11_011, 20_000]),
)
sizes = st.sampled_from([0, 1, 100, 7])
flags = st.sampled_from(
    [LAST | OPEN | RANGE | VOLUME] * 4
    + [VOLUME, RANGE | VOLUME, LAST | RANGE | VOLUME, LAST | RANGE, ONLY | RANGE | VOLUME]
    + [LAST, OPEN, OPEN | VOLUME]
)
# Which of the trades so far, from the newest; beyond the first: one that never was.
backwards = st.integers(1, 10)
actions = st.one_of(
    st.tuples(
        st.just("trade"),
        prices,
        sizes.filter(bool),
        matches,
        flags,
        st.sampled_from([0, 1, 1, 1, 40, 999, 2_000, 4_900, 5_100, -300, -3_000]),
        st.sampled_from([0, 0, 0, 0, 0, 1, 1_900, 2_100, -3_900, -4_100]),
    ),
    st.tuples(
        st.just("trade"), prices, sizes, matches, flags, st.sampled_from([1, 300]), st.just(0)
    ),
    st.tuples(st.just("break"), backwards),
    st.tuples(st.just("correct"), backwards, prices, sizes),
    st.tuples(st.just("tick"), st.sampled_from([0, 1_000, 5_000, 6_000])),
)


@settings(max_examples=200)
@given(st.lists(actions, min_size=10, max_size=100))
def test_the_market_shows_what_the_model_computes(
    make_feed: Callable[..., Any], sequence: list[tuple[Any, ...]]
) -> None:
    feed = make_feed(rules=RULESET)
    market = Calls(feed.market)
    instrument = market.define(1, "A")
    model = Model()
    now = 1_000_000 * SECOND
    numbers = [9_999]
    for action, *values in sequence:
        if action == "trade":
            price, size, match, flag, step, skew = values
            time = now + step * MS
            now = max(now, time)
            trade = Trade(price * CENT, size, match, flag, time, time - skew * MS)
            numbers.append(match)
            model.trade(trade)
            market.trade(instrument, trade.price, size, match, flag, time, trade.received)
        elif action == "break":
            match = numbers[max(0, len(numbers) - values[0])]
            model.break_trade(match)
            market.break_trade(instrument if match % 2 else -1, match, now)
        elif action == "correct":
            back, price, size = values
            match = numbers[max(0, len(numbers) - back)]
            model.correct(match, price * CENT, size)
            market.correct_trade(instrument, match, price * CENT, size, now)
        else:
            model.tick(now + values[0] * MS)
            feed.market.publish(now + values[0] * MS)
        # time ends no jump here: what is held was received a moment ago, or is not yet
        feed.market.publish(0)
        row = feed.row("A")
        assert tuple(row[name] for name in SHOWN) == model.shown(), (action, values)
    assert {name: feed.counter(name) for name in COUNTED} == {
        name: model.counts.get(name, 0) for name in COUNTED
    }
    reader = RejectReader(feed.mapping)
    kept = [
        (each.rule, each.price, each.size, each.exchange_time)
        for rule in RULES
        for each in reader.last(rule)
    ]
    assert sorted(kept) == sorted(model.rejects)
    event(f"jumps held {min(3, model.counts.get('jumps_held', 0))}")
    event(f"jumps confirmed {min(3, model.counts.get('jumps_confirmed', 0))}")
    event(f"corrections {min(3, model.counts.get('corrections', 0))}")

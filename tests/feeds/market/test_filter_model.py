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
from ticker.shm.layout import RowFlag
from ticker.shm.rejects import RULES, RejectReader

LAST, VOLUME = calls.TRADE_SETS_LAST, calls.TRADE_COUNTS_VOLUME
OPEN, RANGE = calls.TRADE_SETS_OPEN, calls.TRADE_SETS_RANGE
ONLY = calls.TRADE_LAST_IF_ONLY
CENT = 10_000_000
SECOND = 1_000_000_000
ROW_HELD, ROW_HELD_ONE = int(RowFlag.ROW_HELD), int(RowFlag.ROW_HELD_ONE)
MS = 1_000_000

RULES_OF_BOTH: dict[str, Any] = {
    "band": 0.1,
    "band_growth": 0.01,
    "band_most": 0.3,
    "band_floor": "0.02",
    "max_ahead": 2.0,
    "max_behind": 4.0,
}
BAND, MOST, FLOOR = 100_000, 300_000, 2 * CENT


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
    hold: int = 0
    late: bool = False  # the trade that is judged is older than the last sale
    held: list[Trade] = field(default_factory=list)
    bid: int = 0
    ask: int = 0
    close: int = 0
    rejects: list[tuple[str, int, int, int]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def count(self, name: str) -> None:
        self.counts[name] = self.counts.get(name, 0) + 1

    def last(self) -> Trade | None:
        """The newest of those that set it, the later one of a time; without any, the first that
        may set it alone."""
        setting = [trade for trade in self.counted if trade.flags & LAST]
        alone = [trade for trade in self.counted if trade.flags & ONLY]
        if setting:
            return max(reversed(setting), key=lambda each: each.time)
        return alone[0] if alone else None

    def refuse(self, rule: str, trade: Trade) -> None:
        self.rejects.append((rule, trade.price, trade.size, trade.time))
        self.count(f"rejected_{rule}")

    def settle(self, which: list[Trade], trade: Trade, *, again: bool) -> None:
        """The trade counts with these held ones, in the order of their times."""
        for held in self.held:
            if held not in which:
                self.refuse("unconfirmed_jump", held)
        self.held = []
        if not which and self.late:
            # It is no last sale, unless the later ones are taken back.
            trade = replace(trade, flags=trade.flags | LAST)
        for _ in (*which, *([trade] if again else [])):
            self.count("jumps_confirmed")
        self.counted += sorted([*which, trade], key=lambda each: each.time)

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
        if not -4 * SECOND <= trade.time - trade.received <= 2 * SECOND:
            return self.refuse("clock_skew", trade)
        if trade.flags & LAST and last and last.flags & LAST and trade.time < last.time:
            self.refuse("older", trade)
            if trade.flags == LAST:
                return None
            self.late = True
            if trade.flags & (OPEN | RANGE | ONLY):
                self.band(replace(trade, flags=trade.flags & ~LAST))
            else:
                self.counted.append(trade)
            self.late = False
            return None
        if trade.flags & (LAST | OPEN | RANGE | ONLY):
            return self.band(trade)
        self.counted.append(trade)
        return None

    def reference(self, trade: Trade) -> tuple[int, int] | None:
        """The price that the band is around, and how wide it is."""
        last = self.last()
        if last:
            return last.price, share(trade.time - last.time)
        if self.close:
            return self.close, MOST
        if self.bid and self.ask and near(self.bid, MOST, self.ask):
            return (self.bid + self.ask) // 2, MOST
        return None

    def quoted(self, price: int) -> bool:
        sides = [side for side in (self.bid, self.ask) if side]
        between = len(sides) == 2 and self.bid <= price <= self.ask
        return between or any(near(side, BAND, price) for side in sides)

    def leading(self, trade: Trade) -> list[Trade]:
        found: list[Trade] = []
        for held in reversed(self.held):
            if near(held.price, MOST, (found[0] if found else trade).price):
                found.insert(0, held)
        return found

    def band(self, trade: Trade, *, again: bool = False) -> None:
        agreeing = [
            held
            for held in self.held
            if near(held.price, share(abs(trade.time - held.time)), trade.price)
        ]
        around = self.reference(trade)
        if agreeing:
            self.settle(agreeing, trade, again=again)
        elif not around or near(*around, trade.price):
            if trade.flags & LAST and self.held and trade.time >= self.held[-1].time:
                self.settle([], trade, again=again)
            else:
                kept, self.held = self.held, []
                self.settle([], trade, again=again)
                self.held = kept
        elif self.quoted(trade.price) and not self.quoted(around[0]):
            self.settle(self.leading(trade), trade, again=again)
        else:
            self.jump(trade, again=again)

    def jump(self, trade: Trade, *, again: bool) -> None:
        """A trade that nothing speaks for."""
        if len(self.held) == 2:
            if not trade.flags & (LAST | ONLY):
                return self.refuse("unconfirmed_jump", trade)
            lesser = [held for held in self.held if not held.flags & (LAST | ONLY)]
            if not lesser:
                return self.settle(self.leading(trade), trade, again=again)
            self.refuse("unconfirmed_jump", lesser[0])
            self.held.remove(lesser[0])
        self.held.append(trade)
        if not again:
            self.count("jumps_held")
        return None

    def reconsider(self) -> None:
        """What is held is judged again when anything has changed."""
        again, self.held = self.held, []
        for trade in again:
            self.band(trade, again=True)

    def find(self, match: int) -> int:
        found = [at for at, trade in enumerate(self.counted) if trade.match == match]
        return found[-1] if found else -1

    def break_trade(self, match: int) -> None:
        at = self.find(match)
        if at >= 0:
            del self.counted[at]
        elif held := self.find_held(match):
            self.held.remove(held)
        else:
            return self.count("breaks_unmatched")
        return self.count("breaks")

    def correct(self, match: int, price: int, size: int) -> None:
        at = self.find(match)
        if price <= 0 or not size:
            return self.count("breaks_unmatched")
        if at >= 0:
            self.counted[at] = replace(self.counted[at], price=price, size=size)
        elif held := self.find_held(match):
            self.held.remove(held)
            self.band(replace(held, price=price, size=size), again=True)
        else:
            return self.count("breaks_unmatched")
        return self.count("corrections")

    def find_held(self, match: int) -> Trade | None:
        return next((held for held in self.held if held.match == match), None)

    def tick(self, now: int) -> None:
        for held in list(reversed(self.held)):
            if self.hold and now - held.received > self.hold:
                self.refuse("unconfirmed_jump", held)
                self.held.remove(held)

    def shown(self) -> tuple[int, ...]:
        last = self.last()
        prices = [trade.price for trade in self.counted if trade.flags & RANGE] or [0]
        opens = [trade.price for trade in self.counted if trade.flags & OPEN]
        opens = opens or [trade.price for trade in self.counted if trade.flags & ONLY] or [0]
        volumes = [trade.size for trade in self.counted if trade.flags & VOLUME]
        sale = (last.price, last.size, last.time) if last else (0, 0, 0)
        return (*sale, opens[0], max(prices), min(prices), sum(volumes), len(volumes))


def share(since: int) -> int:
    """10 %, and 1 % more for each second; 30 % at most. In parts per million."""
    return min(MOST, BAND + max(0, since) // MS * 10_000 // 1000)


def near(good: int, width: int, price: int) -> bool:
    return abs(price - good) <= max(good * width // 1_000_000, FLOOR)


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
    # One after the other, each outside the band around the one before it.
    st.tuples(
        st.just("trade"),
        st.sampled_from([7_000, 10_000, 12_500, 15_500, 20_000, 26_000, 60_000]),
        st.just(1),
        st.just(0),
        st.sampled_from([LAST | RANGE | VOLUME] * 3 + [RANGE | VOLUME]),
        st.just(1),
        st.just(0),
    ),
    st.tuples(st.just("break"), backwards),
    st.tuples(st.just("correct"), backwards, prices, sizes),
    st.tuples(st.just("tick"), st.sampled_from([0, 1_000, 5_000, 6_000])),
    st.tuples(
        st.just("quote"),
        prices.map(lambda price: max(0, price)),
        sizes,
        sizes,
        st.sampled_from([50, 50, 2_500, 5_000]),
    ),
    st.tuples(st.just("close"), prices.filter(lambda price: price > 0)),
)


@settings(max_examples=200)
@given(st.lists(actions, min_size=10, max_size=100), st.sampled_from([0, 5]))
def test_the_market_shows_what_the_model_computes(
    make_feed: Callable[..., Any], sequence: list[tuple[Any, ...]], hold: int
) -> None:
    feed = make_feed(rules=FilterConfig(**RULES_OF_BOTH, hold=hold))
    market = Calls(feed.market)
    instrument = market.define(1, "A")
    model = Model(hold=hold * SECOND)
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
        elif action == "quote":
            price, bid_size, ask_size, spread = values
            model.bid = price * CENT if bid_size else 0
            model.ask = (price + spread) * CENT if ask_size else 0
            market.set_quote(instrument, model.bid, bid_size, model.ask, ask_size, now)
        elif action == "close":
            model.close = values[0] * CENT
            market.set_previous_close(instrument, model.close)
        else:
            model.tick(now + values[0] * MS)
            feed.market.publish(now + values[0] * MS)
        # time ends no jump here: what is held was received a moment ago, or is not yet
        feed.market.publish(0)
        model.reconsider()
        row = feed.row("A")
        assert row["flags"] & ROW_HELD == len(model.held) * ROW_HELD_ONE, (action, values)
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

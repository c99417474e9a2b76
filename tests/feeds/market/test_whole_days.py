"""Whole days against a second writing of the rules in plain Python.

Prints with random sale conditions, times, sizes and delays come through the mapping of a vendor;
some are sent again, busted or corrected, and the days end. The model keeps all prints of a day in a
list and computes every figure from it anew, by the words of docs/filter.md; the market goes from
state to state. Both must agree after each message. The jump rule has its own model
(test_filter_model.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from tests.feeds.protocols.json_feed import JsonFeed
from ticker.feeds.day import DayWatch, midnight_ns
from ticker.shm.layout import RowFlag

SECOND = 1_000_000_000
CENT = 10_000_000
OPENING, CLOSING = 34_200 * SECOND, 57_600 * SECOND
"""The regular session, ns elapsed since midnight."""
FIRST_DAY = date(2026, 3, 6)
"""A Friday; the clocks change on the Sunday after it. Round lots go by the price on that day."""

NO, ONLY, YES, IN_TIME = range(4)
# Of each letter: last, open, high and low, volume, official price, what it marks.
LETTERS: dict[str, tuple[int, int, int, int, str, str]] = {
    "@": (YES, YES, YES, YES, "", ""),
    "F": (YES, YES, YES, YES, "", ""),
    "I": (YES, YES, YES, YES, "", "odd lot"),
    "T": (YES, YES, YES, YES, "", "extended"),
    "U": (ONLY, ONLY, YES, YES, "", "extended"),
    "Z": (ONLY, ONLY, YES, YES, "", ""),
    "4": (ONLY, ONLY, YES, YES, "", ""),
    "P": (ONLY, ONLY, YES, YES, "", ""),
    "C": (NO, NO, NO, YES, "", ""),
    "7": (NO, NO, NO, YES, "", ""),
    "V": (NO, NO, NO, YES, "", ""),
    "5": (YES, YES, YES, YES, "", ""),
    "O": (YES, YES, YES, YES, "open", ""),
    "6": (YES, YES, YES, YES, "close", ""),
    "9": (YES, YES, YES, NO, "close", ""),
    "Q": (NO, NO, NO, NO, "open", ""),
    "M": (NO, NO, NO, NO, "close", ""),
}
TAPES: dict[str, dict[str, tuple[int, int, int, int, str, str]]] = {
    # On tape A a "sold last" of the only venue sets the last price.
    "A": {**LETTERS, "B": (NO, NO, NO, YES, "", ""), "L": (YES, YES, YES, YES, "", "")},
    "C": {
        **LETTERS,
        "W": (NO, NO, NO, YES, "", ""),
        "G": (ONLY, ONLY, YES, YES, "", ""),
        "L": (IN_TIME, YES, YES, YES, "", ""),
    },
}


@dataclass
class Print:
    price: int
    size: int
    letters: str
    tape: str
    number: int
    time: int
    received: int


@dataclass
class Effect:
    """What a print of the day may set."""

    last: int = YES
    open: int = YES
    range: bool = True
    volume: bool = True
    official: str = ""
    extended: bool = False


@dataclass
class Model:
    """One symbol on one venue."""

    unmarked: bool
    midnight: int
    prints: list[Print] = field(default_factory=list)
    """Of the day at hand that count, in the order in which they came."""
    seen: set[int] = field(default_factory=set)
    before: tuple[int, int] | None = None
    """Price and time of the last sale when the day began."""
    previous_close: int | None = None

    def effect(self, sold: Print) -> Effect:
        found = Effect()
        marks = set()
        for letter in sold.letters:
            last, open_, range_, volume, official, mark = TAPES[sold.tape][letter]
            if last == IN_TIME:
                last = YES if sold.received - self.midnight < CLOSING + 10 * SECOND else NO
            found.last = min(found.last, last)
            found.open = min(found.open, open_)
            found.range &= range_ == YES
            found.volume &= volume == YES
            found.official = official or found.official
            marks.add(mark)
        # A message of the tape that says the price, and is no trade.
        told = not (found.volume or found.range)
        if self.unmarked:
            marks.update(self._found(sold, found))
        if "extended" in marks and found.last == YES and "odd lot" not in marks:
            found.extended = True
        if marks & {"extended", "odd lot"}:
            found.last = found.open = NO
            found.range = False
        if "odd lot" in marks and not told:
            found.official = ""
        if sold.time < self.midnight:
            # A late print of a day that is over may only be the last sale.
            return Effect(found.last if found.last == YES else NO, NO, False, False)
        return found

    def _found(self, sold: Print, effect: Effect) -> Iterator[str]:
        """What hours and round lots say of a print on a feed without marks."""
        if not effect.official and not OPENING <= sold.time - self.midnight < CLOSING:
            yield "extended"
        if effect.volume and sold.size < 100:
            yield "odd lot"

    def take(self, sold: Print) -> None:
        if sold.number in self.seen:
            return
        self.seen.add(sold.number)
        last, setting = self._last(), self._setting()
        alone = setting is not None and self.effect(setting).last == ONLY
        if sold.time < self.midnight and last and sold.time < last[1] and not alone:
            return  # no last sale, and nothing else of it is of this day
        self.prints.append(sold)

    def roll(self, midnight: int) -> None:
        figures = self.figures()
        regular = self._regular()
        if figures["official_close"] is not None:
            self.previous_close = figures["official_close"]
        elif regular is not None:
            self.previous_close = regular
        self.before = self._last()
        self.prints.clear()
        self.seen.clear()
        self.midnight = midnight

    def _setting(self) -> Print | None:
        """The print of this day that made the last sale."""
        effects = [(each, self.effect(each)) for each in self.prints]
        setting = [each for each, effect in effects if effect.last == YES]
        since = self.before[1] if self.before else 0
        newest = max(reversed(setting), key=lambda each: each.time, default=None)
        if newest is not None and newest.time >= self.midnight:
            return newest
        alone = [each for each, effect in effects if effect.last == ONLY]
        if alone:
            return alone[0]
        return newest if newest is not None and newest.time >= since else None

    def _last(self) -> tuple[int, int] | None:
        sold = self._setting()
        return (sold.price, sold.time) if sold else self.before

    def _regular(self) -> int | None:
        sold = self._setting()
        return sold.price if sold else None

    def figures(self) -> dict[str, int | None]:
        effects = [(each, self.effect(each)) for each in self.prints]
        last = self._last()
        opens = [each.price for each, effect in effects if effect.official == "open"]
        closes = [each.price for each, effect in effects if effect.official == "close"]
        first = [each.price for each, effect in effects if effect.open == YES]
        alone = [each.price for each, effect in effects if effect.open == ONLY]
        ranged = [each.price for each, effect in effects if effect.range]
        counted = [each.size for each, effect in effects if effect.volume]
        outside = [each for each, effect in effects if effect.extended]
        newest = max(reversed(outside), key=lambda each: each.time, default=None)
        return {
            "price": last[0] if last else None,
            "exchange_time": last[1] if last else None,
            "open": next(iter(opens[-1:] or first[:1] or alone[:1]), None),
            "high": max(ranged, default=None),
            "low": min(ranged, default=None),
            "volume": sum(counted),
            "trades": len(counted),
            "official_open": opens[-1] if opens else None,
            "official_close": closes[-1] if closes else None,
            "previous_close": self.previous_close,
            "extended_price": newest.price if newest else None,
            "extended_time": newest.time if newest else None,
        }


SHOWN = {
    "price": RowFlag.ROW_HAS_LAST,
    "exchange_time": RowFlag.ROW_HAS_LAST,
    "open": RowFlag.ROW_HAS_OPEN,
    "high": RowFlag.ROW_HAS_HIGH_LOW,
    "low": RowFlag.ROW_HAS_HIGH_LOW,
    "official_open": RowFlag.ROW_HAS_OFFICIAL_OPEN,
    "official_close": RowFlag.ROW_HAS_OFFICIAL_CLOSE,
    "previous_close": RowFlag.ROW_HAS_PREVIOUS_CLOSE,
    "extended_price": RowFlag.ROW_HAS_EXTENDED,
    "extended_time": RowFlag.ROW_HAS_EXTENDED,
}


class Vendor:
    """Speaks to a market by the mapping of Alpaca; keeps what the model must know."""

    def __init__(self, unmarked: bool) -> None:
        self.feed = JsonFeed("alpaca")
        self.day = FIRST_DAY
        self.midnight = midnight_ns(self.day)
        self.model = Model(unmarked, self.midnight)
        self.feed.market.follow(
            DayWatch(self.feed.protocol, self.midnight, "America/New_York"), by_receive_time=False
        )
        # A day has ended before this one, so that late prints of it are known as such.
        self.feed.protocol.begin_day(midnight_ns(self.day - timedelta(days=1)))
        self.feed.protocol.begin_day(self.midnight)
        self.feed.market.follow_tape(
            lambda _: (OPENING, CLOSING), unmarked=unmarked, round_lots=True
        )
        self.now = self.midnight + 30_000 * SECOND
        self.numbers = 0
        self.sold: list[Print] = []
        """All, also of days that are over, whose numbers mean nothing any more."""

    def number(self) -> int:
        self.numbers += 1
        return self.numbers

    def text(self, kind: str, **fields: Any) -> None:
        self.feed.now = self.now
        self.feed.send([{"T": kind, "S": "ACME", "x": "V", **fields}])

    def tell(self, sold: Print) -> None:
        self.text(
            "t", i=sold.number, p=sold.price / 1e9, s=sold.size, c=list(sold.letters),
            z=sold.tape, t=stamp(sold.time),
        )  # fmt: skip
        if sold.time >= self.midnight + 86_400 * SECOND:
            raise AssertionError("the day must roll before its prints")

    def print(self, price: int, size: int, letters: str, tape: str, wait: int, late: int) -> None:
        self.pass_time(wait)
        sold = Print(price, size, letters, tape, self.number(), self.now - late * SECOND, self.now)
        self.sold.append(sold)
        self.tell(sold)
        self.model.take(sold)

    def again(self, which: int) -> None:
        if self.model.prints:
            self.tell(self.model.prints[which % len(self.model.prints)])

    def bust(self, which: int) -> None:
        """Any print that there ever was: those of earlier days, and busted ones, match nothing."""
        self.pass_time(1)
        if not self.sold:
            return
        number = self.sold[which % len(self.sold)].number
        self.text("x", i=number, t=stamp(self.now))
        self.model.prints = [each for each in self.model.prints if each.number != number]

    def correct(self, which: int, price: int, size: int, letters: str) -> None:
        self.pass_time(1)
        if not self.model.prints:
            return
        place = which % len(self.model.prints)
        old = self.model.prints[place]
        fresh = replace(old, price=price, size=size, letters=letters, number=self.number())
        self.text(
            "c", oi=old.number, ci=fresh.number, cp=price / 1e9, cs=size, cc=list(letters),
            z=old.tape, t=stamp(self.now),
        )  # fmt: skip
        self.model.prints[place] = fresh
        self.model.seen.add(fresh.number)
        self.sold.append(fresh)

    def next_day(self) -> None:
        """The first print of another day ends the one at hand."""
        self.day += timedelta(days=3 if self.day.weekday() == 4 else 1)
        self.midnight = midnight_ns(self.day)
        self.now = self.midnight + 14_400 * SECOND
        self.model.roll(self.midnight)
        self.print(1000 * CENT, 7, "IT", "A", 0, 0)

    def pass_time(self, seconds: int) -> None:
        self.now = min(self.now + seconds * SECOND, self.midnight + 86_300 * SECOND)

    def shown(self) -> dict[str, int | None]:
        row = self.feed.row("ACME")
        found: dict[str, int | None] = {"volume": row["volume"], "trades": row["trades"]}
        for name, flag in SHOWN.items():
            found[name] = row[name] if row["flags"] & flag else None
        return found


def stamp(time: int) -> str:
    seconds, rest = divmod(time, SECOND)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


prices = st.integers(990, 1010).map(lambda cents: cents * CENT)
sizes = st.sampled_from((5, 99, 100, 300))
# At most one of those that say the order in which prints came, as the tapes have it.
letters = st.builds(
    lambda first, second: first + second,
    st.sampled_from(("@", "@F", "", "C", "7", "V", "5", "O", "6", "9", "Q", "M", "4", "I")),
    st.sampled_from(("", "", "", "I", "T", "U", "Z", "L", "P")),
)
waits = st.sampled_from((0, 1, 7, 600, 4_000, 9_000))
delays = st.sampled_from((0, 0, 0, 0, 3, 2_000, 20_000, 60_000))
which = st.integers(0, 30)
steps: st.SearchStrategy[Callable[[Vendor], None]] = st.one_of(
    st.builds(
        lambda *args: lambda vendor: vendor.print(*args),
        prices, sizes, letters, st.sampled_from("AC"), waits, delays,
    ),
    st.builds(
        lambda *args: lambda vendor: vendor.print(*args),
        prices, sizes, st.just("@"), st.sampled_from("AC"), waits, delays,
    ),
    st.builds(lambda at: lambda vendor: vendor.bust(at), which),
    st.builds(
        lambda *args: lambda vendor: vendor.correct(*args), which, prices, sizes, letters
    ),
    st.builds(lambda at: lambda vendor: vendor.again(at), which),
    st.just(Vendor.next_day),
)  # fmt: skip


@pytest.mark.slow
@settings(max_examples=300, deadline=None, derandomize=True)
@given(unmarked=st.booleans(), course=st.lists(steps, min_size=3, max_size=40))
def test_whole_days(unmarked: bool, course: list[Callable[[Vendor], None]]) -> None:
    vendor = Vendor(unmarked)
    vendor.print(1000 * CENT, 100, "@", "A", 5_000, 0)
    assert vendor.shown() == vendor.model.figures()
    for step in course:
        step(vendor)
        assert vendor.shown() == vendor.model.figures()
    event(f"days: {(vendor.day - FIRST_DAY).days}")

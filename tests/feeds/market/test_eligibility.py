"""Odd lots, extended hours, official prices and late reports: the prices that they set."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.feeds.market.ruled import HOUR, NANO_DOLLAR, NOON, SECOND, Ruled
from ticker.config.filter import FilterConfig
from ticker.feeds import calls
from ticker.feeds.calls import Calls
from ticker.feeds.market.conditions import trade_flags

OPEN, CLOSE = 9.5 * HOUR * SECOND, 16 * HOUR * SECOND
REGULAR_HOURS = (int(OPEN), int(CLOSE))
MORNING, EVENING = -4 * HOUR, 5 * HOUR
"""Seconds past noon, before the open and after the close."""
DAY = 24 * HOUR * SECOND
PRICES = ("price", "open", "high", "low", "extended_price", "official_close", "previous_close")


class Taped(Ruled):
    """One of a feed that marks neither hours nor lots, and keeps the hours of the day."""

    def __init__(self, feed: Any, *, round_lots: bool = True) -> None:
        super().__init__(feed)
        feed.market.follow_tape(lambda _: REGULAR_HOURS, unmarked=True, round_lots=round_lots)

    def figures(self, *names: str) -> list[float]:
        self.feed.market.publish(0)
        row = self.feed.row("A")
        return [row[name] / NANO_DOLLAR for name in names or PRICES]

    def volume(self) -> int:
        self.feed.market.publish(0)
        volume: int = self.feed.row("A")["volume"]
        return volume


@pytest.fixture
def taped(make_feed: Callable[..., Any]) -> Taped:
    return Taped(make_feed())


def test_extended_hours_are_beside_the_price(taped: Taped) -> None:
    taped.sale(9, MORNING, size=100)
    assert taped.figures() == [0, 0, 0, 0, 9, 0, 0]
    taped.sale(10, 0, size=100)
    taped.sale(12, EVENING, size=100)
    taped.sale(13, EVENING, size=5)
    taped.sale(11, EVENING - 1, size=100)  # late: an older one
    assert taped.figures() == [10, 10, 10, 10, 12, 0, 0]
    assert taped.volume() == 405


def test_hours_are_from_the_open_until_the_close(taped: Taped) -> None:
    taped.sale(9, OPEN / SECOND - 12 * HOUR - 1e-9, size=100)
    assert taped.figures()[0] == 0
    taped.sale(10, OPEN / SECOND - 12 * HOUR, size=100)
    assert taped.figures()[0] == 10
    taped.sale(11, CLOSE / SECOND - 12 * HOUR - 1e-9, size=100)
    taped.sale(12, CLOSE / SECOND - 12 * HOUR, size=100)
    assert taped.figures() == [11, 10, 11, 10, 12, 0, 0]


def test_crosses_are_of_regular_hours_and_official(taped: Taped) -> None:
    cross = calls.TRADE_REGULAR | calls.TRADE_CROSS
    taped.sale(9.9, -2.4 * HOUR, size=100)
    taped.sale(10, -2.4 * HOUR, size=500, flags=cross | calls.TRADE_OFFICIAL_OPEN)
    taped.sale(10.1, 4 * HOUR + 1, size=500, flags=cross | calls.TRADE_OFFICIAL_CLOSE)
    taped.sale(15, EVENING, size=100)
    assert taped.figures() == [10.1, 10, 10.1, 9.9, 15, 10.1, 0]


def test_the_previous_close_is_never_of_extended_hours(taped: Taped) -> None:
    taped.sale(10, 1, size=100)
    taped.sale(15, EVENING, size=100)
    taped.calls.start_session(DAY)
    assert taped.figures("previous_close", "price", "extended_price") == [10, 10, 0]
    assert taped.volume() == 0
    taped.sale(11, 24 * HOUR, size=100)
    flags = calls.TRADE_REGULAR | calls.TRADE_CROSS | calls.TRADE_OFFICIAL_CLOSE
    taped.sale(11.5, 28 * HOUR + 1, size=100, flags=flags)
    taped.calls.start_session(2 * DAY)
    assert taped.figures("previous_close", "official_close") == [11.5, 0]


def test_a_day_of_which_there_is_no_last_sale_ends_too(taped: Taped) -> None:
    taped.sale(9, MORNING, size=300)
    taped.calls.start_session(DAY)
    assert (taped.volume(), taped.figures("extended_price")) == (0, [0])
    # The same session once more takes nothing away.
    taped.sale(9, 24 * HOUR + MORNING, size=300)
    taped.calls.start_session(DAY)
    assert taped.volume() == 300


@pytest.mark.parametrize(
    ("price", "lot"), [(250, 100), (250.01, 40), (1000, 40), (1000.01, 10), (10_000.01, 1)]
)
def test_a_round_lot_goes_by_the_price(
    make_feed: Callable[..., Any], price: float, lot: int
) -> None:
    taped = Taped(make_feed())
    since = 1_762_146_000 - NOON // SECOND  # 2025-11-03 in New York
    taped.calls.start_session((since + 12 * HOUR) * SECOND)
    taped.sale(price, since + 13 * HOUR, size=lot - 1 or 1)
    taped.sale(price + 1, since + 13 * HOUR, size=lot)
    assert taped.figures("price", "low") == [price + 1, price + 1 if lot > 1 else price]


def test_before_the_tiers_a_round_lot_was_a_hundred(taped: Taped) -> None:
    taped.sale(500, 1, size=99)
    assert taped.figures("price") == [0]
    taped.sale(15_000, 1, size=1)
    assert taped.figures("price") == [15_000]


def test_the_directory_knows_the_round_lot_best(taped: Taped) -> None:
    taped.calls.set_round_lot(taped.instrument, 10)
    taped.sale(20, 1, size=9)
    assert taped.figures("price") == [0]
    taped.sale(20, 1, size=10)
    assert taped.figures("price") == [20]


def test_the_close_of_the_day_before_says_the_tier(taped: Taped) -> None:
    """A wrong price does not make its own lot."""
    taped.calls.set_previous_close(taped.instrument, 20 * NANO_DOLLAR)
    taped.sale(20_000, 1, size=1)
    assert taped.figures("price") == [0]


def test_without_round_lots_one_share_sets_the_price(make_feed: Callable[..., Any]) -> None:
    taped = Taped(make_feed(), round_lots=False)
    taped.sale(20, 1, size=1)
    taped.sale(21, EVENING, size=1)
    assert taped.figures("price", "extended_price") == [20, 21]


def test_what_the_configuration_counts(make_feed: Callable[..., Any]) -> None:
    rules = FilterConfig(max_ahead=0, band=0, odd_lots="count", extended_hours="count")
    taped = Taped(make_feed(rules=rules))
    taped.sale(9, MORNING, size=1)
    taped.sale(10, 0, size=1)
    taped.sale(12, EVENING, size=1)
    assert taped.figures() == [12, 9, 12, 9, 12, 0, 0]
    taped.calls.start_session(DAY)
    assert taped.figures("previous_close") == [10]


def test_hours_that_are_not_known_make_nothing_extended(make_feed: Callable[..., Any]) -> None:
    known: list[tuple[int, int]] = []
    taped = Taped(make_feed())
    taped.feed.market.follow_tape(
        lambda _: known[0] if known else None, unmarked=True, round_lots=True
    )
    taped.sale(9, MORNING, size=100)
    assert taped.figures("price", "extended_price") == [9, 0]
    known.append(REGULAR_HOURS)
    taped.feed.market.pass_time(NOON)  # a beat of the worker looks for them
    taped.sale(9.5, MORNING + 1, size=100)
    assert taped.figures("price", "extended_price") == [9, 9.5]


def test_a_break_of_each_of_them(taped: Taped) -> None:
    """Extended and official prices become those of the trades that are left."""
    cross = calls.TRADE_REGULAR | calls.TRADE_CROSS
    first = taped.sale(9, MORNING, size=100)
    opening = taped.sale(10, -2 * HOUR, size=500, flags=cross | calls.TRADE_OFFICIAL_OPEN)
    taped.sale(10.2, 0, size=100)
    closing = taped.sale(10.1, 4 * HOUR, size=500, flags=cross | calls.TRADE_OFFICIAL_CLOSE)
    after = taped.sale(12, EVENING, size=100)
    taped.calls.break_trade(taped.instrument, after, NOON)
    assert taped.figures() == [10.1, 10, 10.2, 10, 9, 10.1, 0]
    taped.calls.break_trade(taped.instrument, closing, NOON)
    assert taped.figures() == [10.2, 10, 10.2, 10, 9, 0, 0]
    taped.calls.break_trade(taped.instrument, opening, NOON)
    assert taped.figures() == [10.2, 10.2, 10.2, 10.2, 9, 0, 0]
    taped.calls.break_trade(taped.instrument, first, NOON)
    assert taped.figures() == [10.2, 10.2, 10.2, 10.2, 0, 0, 0]


def test_the_break_of_the_only_trade_brings_yesterdays_last_back(taped: Taped) -> None:
    taped.sale(10, 1, size=100)
    taped.calls.start_session(DAY)
    taped.feed.market.publish(0)
    before = taped.feed.row("A")
    only = taped.sale(12, 24 * HOUR, size=100)
    assert taped.figures()[:2] == [12, 12]
    taped.calls.break_trade(taped.instrument, only, DAY + NOON + 1)
    assert taped.figures("price", "open", "high", "previous_close") == [10, 0, 0, 10]
    row = taped.feed.row("A")
    grown = {"seq", "corrections", "correction_time", "publish_time"}
    assert {name for name in row if row[name] != before[name]} <= grown
    assert row["seq"] == before["seq"] + 1


class Venues:
    """A symbol on three venues of one feed, as a whole tape has it."""

    def __init__(self, feed: Any) -> None:
        self.feed = feed
        self.calls = Calls(feed.market)
        self.rows = {
            mic: self.calls.define(number, "A", mic)
            for number, mic in enumerate(("XNAS", "XNYS", "BATS"), 1)
        }

    def sale(self, mic: str, price: float, at: float, codes: str, late: float = 0) -> None:
        time = NOON + round(at * SECOND)
        self.calls.trade(
            self.rows[mic], round(price * NANO_DOLLAR), 100, 0, trade_flags("cta", codes), time,
            time + round(late * SECOND),
        )  # fmt: skip

    def lasts(self) -> list[float]:
        self.feed.market.publish(0)
        values = (self.feed.table.values(row) for row in self.rows.values())
        return [value["price"] / NANO_DOLLAR for value in values if value]


def test_sold_last_follows_its_own_venue_only(make_feed: Callable[..., Any]) -> None:
    """CTA note 3: by the venue of the last sale, or the first of the day."""
    tape = Venues(make_feed())
    tape.sale("XNAS", 10, 1, "L")
    assert tape.lasts() == [10, 0, 0]
    tape.sale("XNAS", 11, 2, "@")
    tape.sale("XNYS", 12, 3, "L")  # another venue made the last sale
    assert tape.lasts() == [11, 0, 0]
    tape.sale("XNAS", 13, 4, "L")
    assert tape.lasts() == [13, 0, 0]


def test_sold_last_of_tape_c_must_come_in_time(taped: Taped) -> None:
    flags = trade_flags("utp", "L")
    close = CLOSE / SECOND - 12 * HOUR
    taped.feed.market.follow_tape(lambda _: REGULAR_HOURS, unmarked=False, round_lots=True)
    taped.sale(10, close - 5, flags=flags, late=14.9)
    assert taped.figures("price") == [10]
    taped.sale(11, close - 4, flags=flags, late=14)
    assert taped.figures("price", "high") == [10, 11]

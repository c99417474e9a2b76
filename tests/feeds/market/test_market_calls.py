"""The market's calls for feeds other than ITCH: levels, quotes, absolute sizes, corrections."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ticker.feeds.calls import (
    ASK,
    BID,
    TRADE_COUNTS_VOLUME,
    TRADE_PRINTED,
    TRADE_REGULAR,
    TRADE_SETS_RANGE,
    Calls,
)
from ticker.shm.layout import RecordKind
from ticker.shm.table import volume_of

E9 = 1_000_000_000
DOLLAR = E9


class Fed:
    """A market with one instrument, its calls, and what shows."""

    def __init__(self, feed: Any) -> None:
        self.feed = feed
        self.calls = Calls(feed.market)
        self.instrument = self.calls.define(1, "AAPL")

    def trade(
        self, price: int, size: int, match: int, flags: int = TRADE_REGULAR, time: int = 5
    ) -> None:
        self.calls.trade(self.instrument, price * DOLLAR, size, match, flags, time, time)

    def row(self) -> dict[str, int]:
        self.feed.send()
        found: dict[str, int] = self.feed.row()
        return found

    def top(self) -> tuple[float, int, float, int]:
        row = self.row()
        return row["bid"] / DOLLAR, row["bid_size"], row["ask"] / DOLLAR, row["ask_size"]

    def sale(self) -> tuple[int, ...]:
        row = self.row()
        dollars = (row[name] // DOLLAR for name in ("price", "open", "high", "low"))
        return (*dollars, row["volume"], row["trades"])


@pytest.fixture
def fed(make_feed: Callable[..., Any]) -> Fed:
    return Fed(make_feed())


def test_a_quote_is_the_whole_top_of_the_book(fed: Fed) -> None:
    fed.calls.set_quote(fed.instrument, 10 * DOLLAR, 100, 11 * DOLLAR, 200, 7)
    assert fed.top() == (10, 100, 11, 200)
    assert fed.row()["quote_time"] == 7
    fed.calls.set_quote(fed.instrument, 9 * DOLLAR, 50, 0, 0, 8)
    assert fed.top() == (9, 50, 0, 0)
    quotes = fed.row()["quotes"]
    fed.calls.set_quote(fed.instrument, 9 * DOLLAR, 50, 0, 0, 9)
    assert (fed.row()["quotes"], fed.row()["quote_time"]) == (quotes, 8)
    fed.calls.set_quote(fed.instrument, -1, 50, 12 * DOLLAR, 1, 10)
    assert fed.top() == (9, 50, 0, 0)
    assert fed.feed.counter("bad_orders") == 1


def test_a_quote_becomes_a_book_and_a_quote_again(fed: Fed) -> None:
    """A top has one place for its level; levels that come after it need room of their own."""
    fed.calls.set_quote(fed.instrument, 10 * DOLLAR, 100, 11 * DOLLAR, 200, 7)
    other = fed.calls.define(2, "MSFT")
    fed.calls.set_quote(other, 20 * DOLLAR, 1, 21 * DOLLAR, 2, 7)
    for i in range(1, 40):
        fed.calls.set_level(fed.instrument, BID, 10 * DOLLAR - i, i, 8)
        fed.calls.set_level(fed.instrument, ASK, 11 * DOLLAR + i, i, 8)
    fed.calls.set_level(fed.instrument, BID, 10 * DOLLAR, 0, 9)
    assert fed.top() == (10 - 1 / DOLLAR, 1, 11, 200)
    fed.calls.set_quote(fed.instrument, 9 * DOLLAR, 50, 12 * DOLLAR, 60, 10)
    assert fed.top() == (9, 50, 12, 60)
    fed.calls.set_level(fed.instrument, ASK, 13 * DOLLAR, 5, 11)
    fed.calls.set_level(fed.instrument, ASK, 12 * DOLLAR, 0, 11)
    assert fed.top() == (9, 50, 13, 5)
    assert fed.feed.row("MSFT")["bid"] == 20 * DOLLAR


def test_a_quote_without_sizes_keeps_its_prices(fed: Fed) -> None:
    fed.calls.set_quote(fed.instrument, 10 * DOLLAR, 0, 11 * DOLLAR, 0, 7)
    assert fed.top() == (10, 0, 11, 0)


levels = st.lists(st.tuples(st.booleans(), st.integers(1, 30), st.integers(0, 5)), max_size=150)


@settings(max_examples=50)
@given(levels)
def test_levels_are_what_was_said_last_of_each(
    make_feed: Callable[..., Any], said: list[tuple[bool, int, int]]
) -> None:
    fed = Fed(make_feed())
    sides: tuple[dict[int, int], dict[int, int]] = ({}, {})
    for asks, price, size in said:
        fed.calls.set_level(fed.instrument, ASK if asks else BID, price, size, 1)
        sides[asks][price] = size
        if not size:
            del sides[asks][price]
    row = fed.row()
    for side, best in ((BID, "bid"), (ASK, "ask")):
        wanted = sorted(sides[side].items(), reverse=side == BID)
        assert fed.feed.market.depth("AAPL", side) == wanted
        assert (row[best], row[best + "_size"]) == (wanted[0] if wanted else (0, 0))


def test_one_side_has_a_bound_of_levels(fed: Fed) -> None:
    for price in range(1, (1 << 16) + 3):
        fed.calls.set_level(fed.instrument, BID, price, 1, 1)
    assert len(fed.feed.market.depth("AAPL", BID)) == 1 << 16
    assert fed.feed.counter("memory_failures") == 2


def test_clearing_one_instrument_leaves_the_others(fed: Fed) -> None:
    calls = fed.calls
    other = calls.define(2, "MSFT")
    for reference in range(1, 11):
        calls.add_order(reference % 2, reference, BID, 10, reference, 1)
    calls.clear_instrument(fed.instrument, 2)
    assert fed.feed.market.depth("AAPL", BID) == []
    assert len(fed.feed.market.depth("MSFT", BID)) == 5
    assert fed.top() == (0, 0, 0, 0)
    # An order of before is unknown, and its reference can be used again.
    calls.delete_order(2, 3)
    assert fed.feed.counter("unknown_orders") == 1
    calls.add_order(fed.instrument, 4, ASK, 7, 20, 3)
    calls.add_order(other, 6, ASK, 7, 21, 3)
    assert fed.feed.counter("bad_orders") == 0
    assert fed.feed.market.depth("AAPL", ASK) == [(20, 7)]
    calls.delete_order(4, 4)
    calls.delete_order(3, 4)
    assert fed.feed.market.depth("AAPL", ASK) == []
    assert len(fed.feed.market.depth("MSFT", BID)) == 4
    calls.clear_books()
    calls.add_order(fed.instrument, 8, BID, 1, 1, 5)
    calls.delete_order(8, 6)
    assert fed.feed.market.orders == 0


@pytest.mark.slow
def test_cleared_orders_leave_the_table_when_it_grows(fed: Fed) -> None:
    fed.calls.add_order(fed.instrument, 0, BID, 1, 1, 1)
    for reference in range(1, 400_000):
        fed.calls.add_order(fed.instrument, reference, BID, 1, 1, 1)
    fed.calls.clear_instrument(fed.instrument, 2)
    for reference in range(500_000, 800_000):
        fed.calls.add_order(fed.instrument, reference, BID, 1, 2, 1)
    assert fed.feed.market.orders == 300_000
    assert fed.feed.market.depth("AAPL", BID) == [(2, 300_000)]


def test_orders_modified_and_executed_to_absolute_sizes(fed: Fed) -> None:
    calls = fed.calls
    calls.add_order(fed.instrument, 1, BID, 100, 10 * DOLLAR, 1)
    calls.add_order(fed.instrument, 2, BID, 50, 10 * DOLLAR, 1)
    calls.modify_order(1, 80, 10 * DOLLAR, 2)
    assert fed.top() == (10, 130, 0, 0)
    calls.modify_order(1, 90, 11 * DOLLAR, 3)
    assert fed.top() == (11, 90, 0, 0)
    calls.modify_order(2, 70, 10 * DOLLAR, 3)
    assert fed.feed.market.depth("AAPL", BID)[1] == (10 * DOLLAR, 70)
    calls.execute_order_remaining(1, 20, 30, 12 * DOLLAR, 5, TRADE_REGULAR, 4, 4)
    assert fed.top() == (11, 30, 0, 0)
    assert fed.sale() == (12, 12, 12, 12, 20, 1)
    calls.execute_order_remaining(1, 30, 0, 11 * DOLLAR, 6, 0, 4, 4)
    assert fed.top() == (10, 70, 0, 0)
    assert fed.sale() == (12, 12, 12, 12, 20, 1)
    calls.modify_order(2, 0, 10 * DOLLAR, 5)
    assert fed.feed.market.orders == 0
    calls.modify_order(2, 5, 10 * DOLLAR, 5)
    calls.execute_order_remaining(2, 5, 5, DOLLAR, 7, TRADE_REGULAR, 5, 5)
    assert fed.feed.counter("unknown_orders") == 2
    calls.add_order(fed.instrument, 3, BID, 1, DOLLAR, 6)
    calls.modify_order(3, 1 << 37, DOLLAR, 6)
    assert fed.feed.counter("bad_orders") == 1


def test_orders_under_levels_that_were_set_do_no_harm(fed: Fed) -> None:
    fed.calls.add_order(fed.instrument, 1, BID, 100, 10, 1)
    fed.calls.add_order(fed.instrument, 2, BID, 100, 11, 1)
    fed.calls.set_quote(fed.instrument, 11, 30, 0, 0, 2)
    fed.calls.delete_order(1, 3)
    fed.calls.delete_order(2, 3)
    assert fed.top() == (0, 0, 0, 0)


def test_a_volume_beyond_64_bits_is_counted_and_taken_back_whole(fed: Fed) -> None:
    most = 2**64 - 1
    for match in range(1, 6):
        fed.trade(10, most, match)
    assert volume_of(fed.row()) == 5 * most
    fed.calls.break_trade(fed.instrument, 3, 9)
    fed.calls.correct_trade(fed.instrument, 1, 10 * DOLLAR, 7, 9)
    fed.feed.send()
    assert volume_of(fed.row()) == 3 * most + 7


def test_a_corrected_trade_counts_with_its_right_price_and_size(fed: Fed) -> None:
    fed.trade(10, 100, 1)
    fed.trade(20, 5, 2, time=6)
    assert fed.sale() == (20, 10, 20, 10, 105, 2)
    fed.feed.records()
    fed.calls.correct_trade(fed.instrument, 2, 12 * DOLLAR, 7, 8)
    assert fed.sale() == (12, 10, 12, 10, 107, 2)
    assert fed.row()["size"] == 7
    assert fed.row()["exchange_time"] == 6
    told = [
        (record["kind"], record["match"], record["price"], record["size"])
        for record in fed.feed.records()
    ]
    assert told == [
        (RecordKind.RECORD_CORRECTED, 2, 12 * DOLLAR, 7),
        (RecordKind.RECORD_CORRECTION, 0, 0, 0),
    ]
    fed.calls.correct_trade(-1, 1, 9 * DOLLAR, 100, 9)
    assert fed.sale() == (12, 9, 12, 9, 107, 2)
    # A correction can be corrected, and broken.
    fed.calls.correct_trade(fed.instrument, 2, 13 * DOLLAR, 8, 9)
    assert fed.sale() == (13, 9, 13, 9, 108, 2)
    fed.calls.break_trade(-1, 2, 9)
    assert fed.sale() == (9, 9, 9, 9, 100, 1)
    fed.calls.correct_trade(fed.instrument, 2, 13 * DOLLAR, 8, 9)
    fed.calls.correct_trade(fed.instrument, 1, 0, 8, 9)
    assert fed.sale() == (9, 9, 9, 9, 100, 1)
    assert (fed.feed.counter("corrections"), fed.feed.counter("breaks_unmatched")) == (3, 2)
    assert fed.row()["seq"] == 2


def test_a_trade_counts_for_what_its_flags_say(fed: Fed) -> None:
    fed.trade(10, 100, 1)
    fed.trade(30, 1, 2, TRADE_COUNTS_VOLUME)
    fed.trade(20, 1, 3, TRADE_COUNTS_VOLUME | TRADE_SETS_RANGE)
    assert fed.sale() == (10, 10, 20, 10, 102, 3)
    fed.trade(50, 1, 4, TRADE_PRINTED)
    fed.trade(60, 1, 5, 0)
    assert fed.sale() == (10, 10, 20, 10, 102, 3)
    assert fed.feed.counter("uncounted_prints") == 1


def test_raw_counts_every_print(make_feed: Callable[..., Any]) -> None:
    fed = Fed(make_feed(raw=True))
    fed.trade(30, 1, 2, TRADE_COUNTS_VOLUME)
    fed.trade(50, 1, 4, TRADE_PRINTED)
    fed.trade(60, 1, 5, 0)
    fed.calls.correct_trade(fed.instrument, 4, DOLLAR, 1, 9)
    assert fed.sale() == (50, 30, 50, 30, 2, 2)


def test_the_previous_close_that_a_feed_says(fed: Fed) -> None:
    fed.calls.set_previous_close(fed.instrument, 5 * DOLLAR)
    assert fed.row()["previous_close"] == 5 * DOLLAR
    fed.calls.set_previous_close(fed.instrument, 0)
    assert fed.row()["previous_close"] == 5 * DOLLAR


def test_what_c_callers_must_not_do_is_refused(fed: Fed) -> None:
    for wrong in (-1, 1, 1 << 40):
        with pytest.raises(IndexError):
            fed.calls.trade(wrong, 1, 1, 1, 7, 1, 1)
    with pytest.raises(OverflowError):
        fed.calls.delete_order(-1, 1)
    for symbol in ("", "X" * 24, "A\0B"):
        with pytest.raises(ValueError, match="1 to 23"):
            fed.calls.define(9, symbol)

"""Jumps: a price far from the last one waits, and a true one comes through."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.feeds.market.ruled import HOUR, NANO_DOLLAR, NOON, SECOND, Ruled
from ticker.config.filter import FilterConfig
from ticker.feeds import calls
from ticker.feeds.market.conditions import trade_flags
from ticker.shm.layout import RecordKind

RANGE_ONLY = calls.TRADE_SETS_RANGE | calls.TRADE_COUNTS_VOLUME
MINUTE = 60


def test_a_jump_counts_once_a_second_trade_confirms_it(ruled: Callable[..., Ruled]) -> None:
    a = ruled()
    a.sale(100)
    a.sale(111, 1)
    assert a.sales() == (100, 1)
    a.sale(112, 2)
    assert a.sales() == (112, 3)
    assert a.feed.row("A")["high"] == 112 * NANO_DOLLAR
    assert a.rejects() == []
    assert (a.feed.counter("jumps_held"), a.feed.counter("jumps_confirmed")) == (1, 1)
    # both became records, in order
    trades = [each for each in a.feed.records() if each["kind"] == RecordKind.RECORD_TRADE]
    assert [each["price"] // NANO_DOLLAR for each in trades] == [100, 111, 112]


def test_a_rebuild_judges_a_jump_by_the_times_of_its_trades(ruled: Callable[..., Ruled]) -> None:
    """However long the history takes to come: its trades were seconds apart."""
    a = ruled()
    a.feed.market.set_publishing(False)
    a.sale(100)
    a.sale(111, 1)
    a.feed.market.publish(NOON + 3600 * SECOND)
    a.sale(112, 2)
    a.feed.market.set_publishing(True)
    assert a.sales() == (112, 3)


def test_a_jump_is_refuted_by_a_return(ruled: Callable[..., Ruled]) -> None:
    a = ruled()
    a.sale(100)
    a.sale(300, 1)
    a.sale(101, 2)
    assert a.sales() == (101, 2)
    assert a.feed.row("A")["high"] == 101 * NANO_DOLLAR
    assert a.rejects() == [("unconfirmed_jump", "from 100, and the next was 101")]


def test_another_jump_waits_beside_the_first(ruled: Callable[..., Ruled]) -> None:
    a = ruled()
    a.sale(100)
    a.sale(300, 1)
    a.sale(30, 2)
    assert a.waiting() == [300, 30]
    a.sale(31, 3)
    assert a.sales() == (31, 3)
    assert a.rejects() == [("unconfirmed_jump", "from 100, and the next was 31")]


def test_a_held_jump_ends_with_its_time(ruled: Callable[..., Ruled]) -> None:
    a = ruled(hold=5)
    a.sale(100)
    a.sale(200, 1)
    a.feed.market.publish(NOON + 6 * SECOND)
    assert a.rejects() == []
    a.feed.market.publish(NOON + 6 * SECOND + 1)
    assert a.rejects() == [("unconfirmed_jump", "from 100, and nothing confirmed it in time")]
    # without such a time it ends with the session
    a = ruled()
    a.sale(100)
    a.sale(200, 1)
    a.feed.market.publish(NOON + 11 * HOUR * SECOND)
    assert a.waiting() == [200]
    a.calls.start_session(NOON + 12 * HOUR * SECOND)
    assert a.waiting() == []
    assert a.rejects() == [("unconfirmed_jump", "from 100, and nothing confirmed it in time")]


def test_the_band_widens_with_time_up_to_a_bound(ruled: Callable[..., Ruled]) -> None:
    for price, at, counts in (
        (110, 0, 2), (110.01, 0, 1), (90, 0, 2), (89.99, 0, 1),
        (112, 20, 2), (112.01, 20, 1),
        (150, 86_400, 2), (150.01, 86_400, 1), (50, 86_400, 2), (49.99, 86_400, 1),
    ):  # fmt: skip
        a = ruled()
        a.sale(100)
        a.sale(price, at)
        assert a.sales()[1] == counts, (price, at)


def test_a_cheap_stock_may_move_by_some_cents(ruled: Callable[..., Ruled]) -> None:
    a = ruled()
    a.sale(0.1)
    a.sale(0.15)
    assert a.sales() == (0.15, 2)
    a.sale(0.21)
    assert a.sales() == (0.15, 2)


def test_what_sets_no_price_is_not_measured(ruled: Callable[..., Ruled]) -> None:
    a = ruled()
    a.sale(100)
    a.sale(500, 1, flags=trade_flags("cta", "B"))
    a.sale(300, 1)
    a.sale(500, 1, flags=trade_flags("cta", "I"))
    assert a.sales() == (100, 3)
    a.sale(301, 2)
    assert a.sales() == (301, 5)


def test_a_confirmed_jump_counts_for_what_it_was(ruled: Callable[..., Ruled]) -> None:
    a = ruled()
    a.sale(100)
    a.sale(150, 1, flags=calls.TRADE_SETS_RANGE | calls.TRADE_COUNTS_VOLUME)
    a.sale(151, 2, flags=calls.TRADE_SETS_RANGE | calls.TRADE_COUNTS_VOLUME)
    assert a.sales() == (100, 3)
    assert a.feed.row("A")["high"] == 151 * NANO_DOLLAR


def test_the_confirming_trade_may_itself_be_older(ruled: Callable[..., Ruled]) -> None:
    a = ruled()
    a.sale(100)
    a.sale(200, 3)
    a.sale(201, 2)
    assert a.sales() == (200, 3)
    assert a.feed.row("A")["high"] == 201 * NANO_DOLLAR
    assert a.rejects() == []


def test_a_held_jump_can_be_broken_and_corrected(ruled: Callable[..., Ruled]) -> None:
    a = ruled()
    a.sale(100)
    jump = a.sale(200, 1)
    a.calls.break_trade(-1, jump, 2)
    a.sale(201, 2)
    assert a.sales() == (100, 1)
    assert (a.feed.counter("breaks"), a.feed.counter("breaks_unmatched")) == (1, 0)
    jump = a.number
    a.calls.correct_trade(a.instrument, jump, 300 * NANO_DOLLAR, 10, 3)
    assert a.sales() == (100, 1)
    a.calls.correct_trade(a.instrument, jump, 102 * NANO_DOLLAR, 10, 3)
    assert a.sales() == (102, 2)
    assert a.feed.counter("corrections") == 2
    assert a.rejects() == []


def test_a_new_session_confirms_nothing_of_the_old(ruled: Callable[..., Ruled]) -> None:
    a = ruled()
    a.sale(100)
    a.sale(200, 1)
    a.calls.start_session(0)
    a.sale(201, 2)
    assert a.sales() == (100, 1)
    assert a.feed.counter("rejected_unconfirmed_jump") == 1


@pytest.mark.parametrize("between", [1, MINUTE, HOUR, 5 * HOUR])
@pytest.mark.parametrize("to", [9, 65, 160, 1_000])
def test_a_real_jump_shows_with_its_second_trade(
    ruled: Callable[..., Ruled], between: int, to: int
) -> None:
    """Splits and news, however seldom the share trades: one print behind, and none is lost."""
    a = ruled()
    a.sale(100)
    a.sale(to, between)
    assert a.waiting() in ([], [to])
    a.sale(to + 0.25, 2 * between)
    assert a.sales() == (to + 0.25, 3)
    assert a.rejects() == []


@pytest.mark.parametrize("wild", [0.01, 55, 180, 100_000])
@pytest.mark.parametrize("between", [0.001, 1, MINUTE])
def test_a_single_wild_print_never_shows(
    ruled: Callable[..., Ruled], wild: float, between: float
) -> None:
    a = ruled()
    a.sale(100)
    a.sale(wild, between)
    assert a.sales() == (100, 1)
    a.sale(100.01, 2 * between)
    assert a.sales() == (100.01, 2)
    row = a.feed.row("A")
    assert (row["low"], row["high"]) == (100 * NANO_DOLLAR, 100_010_000_000)
    assert [rule for rule, _ in a.rejects()] == ["unconfirmed_jump"]


def test_a_wild_print_within_a_jump_never_shows(ruled: Callable[..., Ruled]) -> None:
    for order in ([160, 900, 161], [900, 160, 161]):
        a = ruled()
        for at, price in enumerate([100, *order]):
            a.sale(price, at)
        assert a.sales() == (161, 3)
        assert a.feed.row("A")["high"] == 161 * NANO_DOLLAR
        assert a.rejects() == [("unconfirmed_jump", "from 100, and the next was 161")]


def test_the_price_is_never_three_prints_behind(ruled: Callable[..., Ruled]) -> None:
    """With any input, of three prints in a row outside the band the third counts."""
    a = ruled()
    for at, price in enumerate([100, 900, 20, 5_000]):
        a.sale(price, at)
    assert a.sales() == (5_000, 2)
    assert a.feed.row("A")["low"] == 100 * NANO_DOLLAR
    assert len(a.rejects()) == 2


def test_a_run_away_counts_whole(ruled: Callable[..., Ruled]) -> None:
    """Each step within `band_most` of the next, though the first is far from the third."""
    a = ruled()
    for at, price in enumerate([100, 145, 215, 320]):
        a.sale(price, at)
    assert a.sales() == (320, 4)
    assert a.rejects() == []


def test_what_sets_no_last_price_is_no_strike(ruled: Callable[..., Ruled]) -> None:
    a = ruled()
    a.sale(100)
    a.sale(900, 1, flags=RANGE_ONLY)
    a.sale(20, 2, flags=RANGE_ONLY)
    a.sale(4_000, 3, flags=RANGE_ONLY)
    a.sale(300, 4)
    assert a.sales() == (100, 1)
    assert a.waiting() == [20, 300]
    a.sale(5_000, 5)
    assert a.sales() == (100, 1)
    assert a.waiting() == [300, 5_000]


def test_a_late_print_at_the_old_price_refutes_nothing(ruled: Callable[..., Ruled]) -> None:
    """It happened before the jump; and one that sets no last price says nothing of it."""
    a = ruled()
    a.sale(100)
    a.sale(160, 10)
    a.sale(100.5, 9)
    assert a.sales() == (100.5, 2)
    a.sale(100.2, 12, flags=RANGE_ONLY)
    assert a.waiting() == [160]
    a.sale(161, 20)
    assert a.sales() == (161, 5)
    assert a.rejects() == []


def test_what_was_held_counts_when_what_it_jumped_from_is_broken(
    ruled: Callable[..., Ruled],
) -> None:
    a = ruled()
    wrong = a.sale(1_000)
    a.sale(10, 1)
    assert a.waiting() == [10]
    a.calls.break_trade(a.instrument, wrong, NOON)
    assert a.sales() == (10, 1)
    assert a.waiting() == []
    b = ruled()
    wrong = b.sale(1_000)
    b.sale(10, 1)
    b.calls.correct_trade(b.instrument, wrong, round(10.5 * NANO_DOLLAR), 10, NOON)
    assert b.sales() == (10, 2)


def test_the_band_does_not_need_prices_above_zero(ruled: Callable[..., Ruled]) -> None:
    """A spread, or oil in April 2020: without `bad_prices` the jump rule goes on."""
    a = ruled(bad_prices=False)
    for at, price in enumerate((-37.63, -37.7, 50, -38)):
        a.sale(price, at)
    assert a.sales() == (-38, 3)
    assert a.rejects() == [("unconfirmed_jump", "from -37.7, and the next was -38")]


def test_the_status_is_said_when_it_changes_and_no_more(ruled: Callable[..., Ruled]) -> None:
    a = ruled()
    a.sale(100)
    a.feed.market.publish(0)
    a.feed.records()
    a.sale(200, 1)
    kinds = []
    for at in range(3):
        a.quote(99 + at / 100, 101)
        kinds += [record["kind"] for record in a.feed.records()]
    assert kinds.count(RecordKind.RECORD_STATUS) == 1
    a.sale(201, 2)
    a.feed.market.publish(0)
    assert [record["kind"] for record in a.feed.records()].count(RecordKind.RECORD_STATUS) == 1


def test_a_successor_holds_nothing(make_feed: Callable[..., Any]) -> None:
    a = Ruled(make_feed(rules=FilterConfig(max_ahead=0)))
    a.sale(100)
    a.sale(200, 1)
    assert a.waiting() == [200]
    successor = make_feed(mapping=a.feed.mapping, rules=FilterConfig(max_ahead=0))
    successor.market.adopt_rows(rebuild=False)
    a.feed = successor
    assert a.waiting() == []


def test_one_of_two_that_goes_leaves_the_other_to_be_seen(ruled: Callable[..., Ruled]) -> None:
    a = ruled()
    a.sale(100)
    a.sale(900, 1)
    second = a.sale(20, 2)
    assert a.waiting() == [900, 20]
    a.calls.break_trade(a.instrument, second, NOON)
    assert a.waiting() == [900]
    assert a.sales() == (100, 1)

"""Each rule of the filter by itself: jumps, clocks, hours, test issues."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.feeds.market.ruled import NANO_DOLLAR, NOON, REGULAR, SECOND, Ruled
from ticker.config.filter import FilterConfig
from ticker.feeds import calls
from ticker.feeds.market.conditions import trade_flags
from ticker.shm.rejects import RULES


@pytest.fixture
def ruled(make_feed: Callable[..., Any]) -> Callable[..., Ruled]:
    return lambda **rules: Ruled(make_feed(rules=FilterConfig(**{"max_ahead": 0, **rules})))


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
    assert [record["price"] // NANO_DOLLAR for record in a.feed.records()] == [100, 111, 112]


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


def test_another_jump_takes_the_slot(ruled: Callable[..., Ruled]) -> None:
    a = ruled()
    a.sale(100)
    a.sale(300, 1)
    a.sale(30, 2)
    a.sale(31, 3)
    assert a.sales() == (31, 3)
    assert a.rejects() == [("unconfirmed_jump", "from 100, and the next was 30")]


def test_a_held_jump_ends_with_its_time(ruled: Callable[..., Ruled]) -> None:
    a = ruled(hold=5)
    a.sale(100)
    a.sale(200, 1)
    a.feed.market.publish(NOON + 6 * SECOND)
    assert a.rejects() == []
    a.feed.market.publish(NOON + 6 * SECOND + 1)
    assert a.rejects() == [("unconfirmed_jump", "from 100, and none confirmed it in time")]
    # by the trades' own times too: a rebuild has no others
    a.sale(200, 10)
    a.sale(201, 15.1)
    assert a.sales() == (100, 1)
    a.sale(201, 16)
    assert a.sales() == (201, 3)
    assert [rule for rule, _ in a.rejects()] == ["unconfirmed_jump"] * 2


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
    assert a.sales() == (200, 2)
    assert a.rejects() == [("older", "the last sale was at 1970-01-01T12:00:03.000000Z")]


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


def test_no_price_is_dropped_because_of_a_halt(ruled: Callable[..., Ruled]) -> None:
    a = ruled()
    for status in range(6):
        a.calls.set_status(a.instrument, status, NOON)
        a.sale(100 + status, status)
        assert a.sales() == (100 + status, status + 1)
        assert a.feed.row("A")["status"] == status


@pytest.mark.parametrize(
    ("late", "rules", "counts"),
    [
        (-2, {"max_ahead": 2}, 1),
        (-2.001, {"max_ahead": 2}, 0),
        (-9000, {}, 1),
        (60, {"max_behind": 60}, 1),
        (60.001, {"max_behind": 60}, 0),
        (9000, {"max_ahead": 2}, 1),
    ],
)
def test_clocks(
    ruled: Callable[..., Ruled], late: float, rules: dict[str, float], counts: int
) -> None:
    a = ruled(**rules)
    a.sale(100, late=late)
    assert a.sales()[1] == counts
    if not counts:
        where = "ahead of" if late < 0 else "behind"
        assert a.rejects() == [("clock_skew", f"{abs(late):.3f} s {where} its receive time")]


def test_what_is_told_again_or_recovered_is_not_behind(ruled: Callable[..., Ruled]) -> None:
    a = ruled(max_behind=1)
    a.sale(100, late=3600, flags=REGULAR | calls.TRADE_TOLD)
    a.feed.market.set_publishing(False)
    a.sale(101, 1, late=3600)
    a.feed.market.set_publishing(True)
    a.sale(102, 2, late=3600)
    assert a.sales() == (101, 2)


def test_test_issues(ruled: Callable[..., Ruled]) -> None:
    for on in (True, False):
        a = ruled(test_symbols=on)
        a.calls.set_test(a.instrument, True)
        a.sale(100)
        assert a.sales()[1] == (0 if on else 1)
        assert a.rejects() == ([("test_symbol", "a test issue")] if on else [])


def test_the_session_has_hours(ruled: Callable[..., Ruled]) -> None:
    a = ruled(session_hours=("11:59:59", "12:00:01"))
    for at in (-1.001, -1, 0.999, 1):
        a.sale(100, at)
    assert a.sales()[1] == 2
    assert [rule for rule, _ in a.rejects()] == ["wrong_session"] * 2
    day = 86_400 * SECOND
    a.calls.start_session(day)
    a.sale(100, 86_400)
    a.sale(100, 0)
    assert a.sales()[1] == 1


def test_prices_have_hours_and_sizes(ruled: Callable[..., Ruled]) -> None:
    a = ruled(price_hours=("12:00", "13:00"), odd_lot_below=100)
    a.sale(100, -1, size=100)
    a.sale(101, 0, size=100)
    a.sale(102, 1, size=99)
    assert a.sales() == (101, 3)
    assert a.feed.row("A")["high"] == 101 * NANO_DOLLAR


def test_odd_lots_and_extended_hours_may_count(ruled: Callable[..., Ruled]) -> None:
    a = ruled(odd_lots="count")
    a.sale(100, flags=trade_flags("cta", "I"))
    a.sale(101, 1, flags=trade_flags("cta", "IT"))
    assert a.sales() == (100, 2)
    a = ruled(odd_lots="count", extended_hours="count")
    a.sale(101, 1, flags=trade_flags("cta", "IT"))
    a.sale(102, 2, flags=trade_flags("cta", "U"))
    assert a.sales() == (101, 2)


def test_every_rule_can_be_off(ruled: Callable[..., Ruled]) -> None:
    a = ruled(
        duplicates=False, bad_sizes=False, bad_prices=False, older=False, band=0,
        test_symbols=False, unknown_symbols=False,
    )  # fmt: skip
    a.calls.set_test(a.instrument, True)
    for price, at in ((100, 5), (900, 5), (1_000_000, 1), (-1, 9)):
        a.number = 0
        a.sale(price, at, size=0)
    assert a.sales()[1] == 4
    a.calls.refuse_unknown("NOSUCH", NANO_DOLLAR, 1, 1, 1, 1)
    assert a.rejects() == []


@given(st.binary(min_size=60, max_size=400))
def test_any_trades_have_one_verdict_each(make_feed: Callable[..., Any], noise: bytes) -> None:
    """Counted, refused, held, or counted for nothing; whatever the numbers."""
    a = Ruled(make_feed(rules=FilterConfig(max_behind=5, session_hours=("04:00", "20:00"))))
    offered = 0
    for at in range(0, len(noise) - 40, 40):
        price, size, match, time, received = struct.unpack_from("<qQQqq", noise, at)
        flags = noise[at + 20] & 0xFF
        a.calls.trade(a.instrument, price, size, match, flags, time, received)
        offered += bool(flags)
    a.feed.market.publish(0)
    refused = sum(a.feed.counter(f"rejected_{rule}") for rule in RULES)
    held = a.feed.counter("jumps_held") - a.feed.counter("jumps_confirmed")
    held -= a.feed.counter("rejected_unconfirmed_jump")
    counted = a.feed.counter("trades") + a.feed.counter("uncounted_prints")
    assert counted + refused + held == offered

"""Each rule of the filter by itself: clocks, hours, test issues; jumps have a file of their own."""

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
    """Counted, refused, held, or counted for nothing, with any numbers."""
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


DAY = 86_400.0


def test_a_last_sale_of_tomorrow_makes_nothing_older(ruled: Callable[..., Ruled]) -> None:
    """A clock was a day ahead, here and at the venue, and was set right."""
    a = ruled(max_ahead=10)
    a.sale(100, DAY)
    a.sale(101, 5)
    assert a.sales() == (101, 2)
    assert a.feed.row("A")["exchange_time"] == NOON + 5 * SECOND
    a.sale(102, 3)
    assert (a.sales(), a.rejects()[-1][0]) == ((101, 3), "older"), "and goes on as ever"


def test_a_break_brings_no_sale_of_tomorrow_back(ruled: Callable[..., Ruled]) -> None:
    a = ruled(max_ahead=10)
    first = a.sale(100, DAY)
    second = a.sale(101, 5)
    a.calls.break_trade(a.instrument, second, NOON + 6 * SECOND)
    a.sale(102, 7)
    assert a.sales() == (102, 2)
    a.calls.break_trade(a.instrument, first, NOON + 8 * SECOND)
    a.sale(103, 9)
    assert a.sales() == (103, 2)


def test_a_sale_that_is_little_ahead_is_the_last(ruled: Callable[..., Ruled]) -> None:
    """Within what the feed's clock may be ahead."""
    a = ruled(max_ahead=10)
    a.sale(100, 12, late=-7)
    a.sale(101, 5)
    assert a.sales() == (100, 2)
    assert a.rejects()[-1][0] == "older"

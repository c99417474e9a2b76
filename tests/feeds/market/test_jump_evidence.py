"""Quotes that confirm a jump, and the reference of a day's first price: quotes and closes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.feeds.market.ruled import HOUR, NANO_DOLLAR, NOON, SECOND, Ruled


@pytest.mark.parametrize(
    ("bid", "ask", "vouches"),
    [
        (159, 161, True),
        (150, 0, True),
        (0, 170, True),
        (130, 220, True),       # around it
        (99, 101, False),
        (99, 161, False),       # a wide quote, which the old price is in
        (0.01, 199_999, False),
        (0.01, 0, False),
        (0, 0, False),
        (0, 900, False),
    ],
)  # fmt: skip
def test_a_quote_that_agrees_confirms_a_jump(
    ruled: Callable[..., Ruled], bid: float, ask: float, vouches: bool
) -> None:
    """Whether it comes before the trade or after it."""
    for before in (True, False):
        a = ruled()
        a.sale(100)
        if before:
            a.quote(bid, ask)
        a.sale(160, 1)
        if not before:
            assert a.waiting() == [160]
            a.quote(bid, ask)
        assert a.sales() == ((160, 2) if vouches else (100, 1))
        assert a.waiting() == ([] if vouches else [160])


def test_the_first_print_after_a_split_is_near_the_adjusted_close(
    ruled: Callable[..., Ruled],
) -> None:
    a = ruled()
    a.sale(1_200)
    a.calls.start_session(NOON + 12 * HOUR * SECOND)
    a.calls.set_previous_close(a.instrument, 120 * NANO_DOLLAR)
    a.sale(121, 22 * HOUR)
    assert a.sales() == (121, 1)
    # and one that is near neither waits
    b = ruled()
    b.sale(1_200)
    b.calls.start_session(NOON + 12 * HOUR * SECOND)
    b.sale(120, 22 * HOUR)
    assert b.waiting() == [120]
    b.calls.set_previous_close(b.instrument, 121 * NANO_DOLLAR)
    assert b.sales() == (120, 1)


def test_a_first_print_is_held_against_the_close_or_the_quotes(
    ruled: Callable[..., Ruled],
) -> None:
    a = ruled()
    a.calls.set_previous_close(a.instrument, 10 * NANO_DOLLAR)
    a.sale(1_000)
    assert a.waiting() == [1_000]
    a.sale(10.01, 1)
    assert a.sales() == (10.01, 1)
    b = ruled()
    b.quote(9.9, 10.1)
    b.sale(1_000)
    b.sale(10.01, 1)
    assert b.sales() == (10.01, 1)
    c = ruled()
    c.sale(1_000)
    assert c.sales() == (1_000, 1)


def test_a_first_price_that_was_wrong_is_left_with_the_third(ruled: Callable[..., Ruled]) -> None:
    """Nothing spoke against it when it came. It stays in the day's range until it is broken."""
    a = ruled()
    wrong = a.sale(1_000)
    for at, price in enumerate((10, 10.01, 10.02)):
        a.sale(price, 1 + at)
    assert a.sales() == (10.02, 4)
    a.calls.break_trade(a.instrument, wrong, NOON)
    assert a.sales() == (10.02, 3)
    assert a.feed.row("A")["high"] == 10_020_000_000

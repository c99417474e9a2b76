"""`negative_prices = true`: 0 and below are prices like others; none is a flag, not a number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.feeds.fix.market_data import Feed as FixFeed
from tests.feeds.market.ruled import NANO_DOLLAR, NOON, SECOND, Ruled
from tests.feeds.protocols.json_feed import JsonFeed
from tests.mappings import rule
from ticker.config.filter import FilterConfig
from ticker.feeds import calls
from ticker.feeds.json.mapping import parse_mapping
from ticker.feeds.protocols.deep import Deep
from ticker.feeds.protocols.tops import Tops
from ticker.shm.table import HAS

REAL = FilterConfig(max_ahead=0, negative_prices=True, band=0)
MAPPING = (
    rule("trade", "t", symbol="s", price="p", size="z")
    + rule("quote", "q", symbol="s", bid="b", bid_size="bz", ask="a", ask_size="az")
    + rule("close", "c", symbol="s", price="p")
    + rule("level", "l", symbol="s", price="p", size="z")
    + 'side = { path = "d", bid = ["b"], ask = ["a"] }\n'
)


def shown(row: dict[str, int]) -> dict[str, float | None]:
    """Prices in dollars, None: there is none."""
    return {
        name: row[name] / NANO_DOLLAR if row["flags"] & HAS[name] else None
        for name in ("price", "open", "high", "low", "bid", "ask", "previous_close")
    }


def test_last_open_and_range_below_zero_and_at_zero(ruled: Callable[..., Ruled]) -> None:
    a = ruled(negative_prices=True, band=0)
    for at, price in enumerate((-0.25, 0, -1.5, 0.5, -0.75)):
        a.sale(price, at)
    assert a.sales() == (-0.75, 5)
    row = shown(a.feed.row("A"))
    assert (row["open"], row["high"], row["low"]) == (-0.25, 0.5, -1.5)
    b = ruled(negative_prices=True, band=0)
    b.sale(0)
    assert b.sales() == (0, 1)
    row = shown(b.feed.row("A"))
    assert (row["price"], row["open"], row["high"], row["low"]) == (0, 0, 0, 0)
    assert (row["bid"], row["ask"], row["previous_close"]) == (None, None, None)


def test_without_it_they_are_refused(ruled: Callable[..., Ruled]) -> None:
    a = ruled()
    a.sale(-1)
    a.sale(0, 1)
    a.quote(-2, -1)
    a.calls.set_level(a.instrument, calls.BID, -NANO_DOLLAR, 5, NOON)
    a.calls.set_previous_close(a.instrument, -NANO_DOLLAR)
    assert a.sales() == (0, 0)
    assert a.feed.counter("rejected_bad_price") == 2
    assert a.feed.counter("bad_orders") == 2
    assert set(shown(a.feed.row("A")).values()) == {None}


def test_quotes_at_zero_and_below_and_none(ruled: Callable[..., Ruled]) -> None:
    a = ruled(negative_prices=True)
    a.calls.set_quote(a.instrument, -2 * NANO_DOLLAR, 3, 0, 4, NOON)
    a.feed.market.publish(0)
    row = a.feed.row("A")
    assert (shown(row)["bid"], row["bid_size"]) == (-2, 3)
    assert (shown(row)["ask"], row["ask_size"]) == (0, 4)
    a.calls.set_quote(a.instrument, calls.NO_PRICE, 0, -NANO_DOLLAR, 4, NOON)
    a.feed.market.publish(0)
    assert (shown(a.feed.row("A"))["bid"], shown(a.feed.row("A"))["ask"]) == (None, -1)
    b = ruled()
    b.calls.set_quote(b.instrument, calls.NO_PRICE, 0, NANO_DOLLAR, 4, NOON)
    b.calls.set_quote(b.instrument, 0, 0, NANO_DOLLAR, 4, NOON)
    b.feed.market.publish(0)
    assert (shown(b.feed.row("A"))["bid"], shown(b.feed.row("A"))["ask"]) == (None, 1)


def test_the_best_of_levels_and_orders_below_zero(ruled: Callable[..., Ruled]) -> None:
    a = ruled(negative_prices=True)
    for price in (-3, -1, -2, 0):
        a.calls.set_level(a.instrument, calls.ASK, price * NANO_DOLLAR, 1, NOON)
        a.calls.set_level(a.instrument, calls.BID, (price - 5) * NANO_DOLLAR, 1, NOON)
    a.feed.market.publish(0)
    assert (shown(a.feed.row("A"))["bid"], shown(a.feed.row("A"))["ask"]) == (-5, -3)
    a.calls.set_level(a.instrument, calls.BID, -5 * NANO_DOLLAR, 0, NOON)
    a.feed.market.publish(0)
    assert shown(a.feed.row("A"))["bid"] == -6


def test_a_close_a_correction_and_a_break_below_zero(ruled: Callable[..., Ruled]) -> None:
    a = ruled(negative_prices=True, band=0)
    a.calls.set_previous_close(a.instrument, 0)
    first = a.sale(-1)
    second = a.sale(-2, 1)
    a.calls.correct_trade(a.instrument, second, -3 * NANO_DOLLAR, 10, NOON)
    assert a.sales() == (-3, 2)
    row = shown(a.feed.row("A"))
    assert (row["previous_close"], row["high"], row["low"]) == (0, -1, -3)
    a.calls.break_trade(a.instrument, second, NOON)
    a.calls.break_trade(a.instrument, first, NOON)
    a.feed.market.publish(0)
    row = shown(a.feed.row("A"))
    assert (row["price"], row["high"], row["low"]) == (None, None, None)


def test_what_no_price_of_the_protocol_can_be(make_feed: Callable[..., Any]) -> None:
    a = Ruled(make_feed(rules=REAL, max_price=100 * NANO_DOLLAR))
    a.sale(-100.5)
    a.sale(100.5, 1)
    a.calls.set_quote(a.instrument, round(-100.5 * NANO_DOLLAR), 1, calls.NO_PRICE, 0, NOON)
    assert a.sales() == (0, 0)
    assert (a.feed.counter("rejected_bad_price"), a.feed.counter("bad_orders")) == (2, 1)


def test_the_jump_rule_goes_on(ruled: Callable[..., Ruled]) -> None:
    a = ruled(negative_prices=True)
    for at, price in enumerate((-37.63, -37.7, 50, -38)):
        a.sale(price, at)
    assert a.sales() == (-38, 3)
    # The first trade of a day, with a close of 0: the band is its floor.
    b = ruled(negative_prices=True, bad_prices=False)
    b.calls.set_previous_close(b.instrument, 0)
    b.sale(2)
    assert (b.sales()[1], b.waiting()) == (0, [2])


@pytest.mark.parametrize("far", [2**63 - 1, -(2**63), -(2**63) + 1])
def test_the_jump_rule_goes_on_for_any_number(ruled: Callable[..., Ruled], far: int) -> None:
    """`bad_prices = false`: a distance of more than 63 bits is far too."""
    a = ruled(bad_prices=False)
    a.sale(-100)
    a.calls.trade(a.instrument, far, 1, 99, calls.TRADE_REGULAR, NOON + SECOND, NOON)
    assert a.sales() == (-100, 1)
    b = ruled(bad_prices=False)
    b.sale(100)
    b.calls.trade(b.instrument, far, 1, 99, calls.TRADE_REGULAR, NOON + SECOND, NOON)
    assert b.sales() == (100, 1)


def test_json_below_zero() -> None:
    feed = JsonFeed(parse_mapping(MAPPING), rules=REAL)
    feed.send({"k": "t", "s": "CL", "p": -37.63, "z": 1}, {"k": "c", "s": "CL", "p": -2.5})
    feed.send({"k": "q", "s": "CL", "b": -37.7, "bz": 1, "a": 0, "az": 2})
    row = shown(feed.row("CL"))
    assert row == {
        "price": -37.63, "open": -37.63, "high": -37.63, "low": -37.63, "bid": -37.7, "ask": 0,
        "previous_close": -2.5,
    }  # fmt: skip
    feed.send({"k": "q", "s": "CL", "b": -37.8, "bz": 1})
    assert (shown(feed.row("CL"))["bid"], shown(feed.row("CL"))["ask"]) == (-37.8, None)
    feed.send({"k": "l", "s": "SPR", "d": "b", "p": -0.05, "z": 3})
    feed.send({"k": "l", "s": "SPR", "d": "a", "p": 0, "z": 4})
    assert (shown(feed.row("SPR"))["bid"], shown(feed.row("SPR"))["ask"]) == (-0.05, 0)
    assert feed.counter("bad_records") == 0


def test_json_without_it_is_refused_and_raw_is_not() -> None:
    texts = [
        {"k": "q", "s": "CL", "b": -37.7, "bz": 1, "a": -37.5, "az": 2},
        {"k": "l", "s": "SPR", "d": "b", "p": -0.05, "z": 3},
    ]
    feed = JsonFeed(parse_mapping(MAPPING))
    feed.send(*texts)
    assert (feed.counter("bad_records"), list(feed.rows())) == (2, [])
    raw = JsonFeed(parse_mapping(MAPPING), raw=True)
    raw.send(*texts)
    assert (shown(raw.row("CL"))["bid"], shown(raw.row("CL"))["ask"]) == (-37.7, -37.5)
    assert shown(raw.row("SPR"))["bid"] == -0.05
    raw.send({"k": "q", "s": "CL", "b": 0, "bz": 0, "a": -37.5, "az": 2})
    assert shown(raw.row("CL"))["bid"] is None


def test_fix_below_zero() -> None:
    feed = FixFeed(rules=REAL)
    feed.send("W|55=S|268=3|269=0|270=-2.5|271=5|269=1|270=0|271=6|269=5|270=-1")
    feed.send("X|268=1|279=0|269=2|278=1|55=S|270=-2|271=5")
    row = shown(feed.row())
    assert (row["bid"], row["ask"], row["price"], row["previous_close"]) == (-2.5, 0, -2, -1)
    feed.send("X|268=2|279=0|269=0|278=a|55=T|270=-0.5|271=1|279=0|269=1|278=b|55=T|270=0|271=2")
    assert (shown(feed.row("T"))["bid"], shown(feed.row("T"))["ask"]) == (-0.5, 0)
    feed.send("X|268=1|279=1|269=1|278=b|55=T|270=-0.25|271=2")
    assert (shown(feed.row("T"))["ask"], feed.counter("bad_orders")) == (-0.25, 0)
    top = FixFeed(rules=REAL, depth=1)
    top.send("W|55=S|268=2|269=0|270=-1|271=5|269=1|270=0|271=6")
    assert (shown(top.row())["bid"], shown(top.row())["ask"]) == (-1, 0)
    top.send("X|268=1|279=2|269=0|55=S|270=-1")
    assert (shown(top.row())["bid"], shown(top.row())["ask"]) == (None, 0)


def test_fix_without_it_is_refused() -> None:
    feed = FixFeed()
    feed.send("X|268=2|279=0|269=0|278=a|55=T|270=-1|271=1|279=0|269=2|55=T|270=-1|271=2")
    assert (feed.counter("bad_orders"), feed.counter("rejected_bad_price")) == (1, 1)
    assert set(shown(feed.row("T")).values()) == {None}


def test_iex_below_zero(iex: Any, make_feed: Callable[..., Any]) -> None:
    dollar = 10_000
    tops = make_feed(protocol=Tops, rules=REAL)
    tops.send(iex.quote("S", 5, -2 * dollar, 0, 6), iex.trade("S", 7, -dollar, 1))
    row = shown(tops.row("S"))
    assert (row["bid"], row["ask"], row["price"]) == (-2, 0, -1)
    tops.send(iex.quote("S", 0, 0, -dollar, 6))
    assert (shown(tops.row("S"))["bid"], shown(tops.row("S"))["ask"]) == (None, -1)
    deep = make_feed(protocol=Deep, rules=REAL)
    deep.send(iex.level("B", "S", 5, -2 * dollar), iex.level("S", "S", 6, 0))
    assert (shown(deep.row("S"))["bid"], shown(deep.row("S"))["ask"]) == (-2, 0)
    plain = make_feed(protocol=Deep)
    plain.send(iex.level("B", "S", 5, -2 * dollar), iex.level("S", "S", 6, 0))
    assert plain.counter("bad_orders") == 2

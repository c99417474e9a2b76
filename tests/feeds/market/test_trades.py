"""The trade log: trades that a break finds, and those that it no longer does."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from ticker.feeds.market.trades import TradeLog

DOLLAR = 10_000
E9 = 1_000_000_000
SYMBOLS = {1: "AAPL", 2: "MSFT"}
"""By locate code."""


def test_a_capacity_that_is_no_power_of_two_is_refused() -> None:
    with pytest.raises(ValueError, match="power of two"):
        TradeLog(4, 100)


def test_a_trade_is_broken_once(itch: Any, make_feed: Callable[..., Any]) -> None:
    feed = make_feed()
    feed.send(itch.trade(1, 5, DOLLAR, 1), itch.broken(1, 1), itch.broken(1, 1))
    row = feed.row()
    assert (row["price"], row["exchange_time"], row["volume"], row["trades"]) == (0, 0, 0, 0)
    assert (row["open"], row["high"], row["low"], row["seq"]) == (0, 0, 0, 1)
    assert (feed.counter("breaks"), feed.counter("breaks_unmatched")) == (1, 1)


def test_a_break_without_a_known_instrument_searches_all(
    itch: Any, make_feed: Callable[..., Any]
) -> None:
    feed = make_feed(trade_log=4)
    feed.send(
        itch.trade(1, 5, DOLLAR, 1, symbol="AAPL"),
        itch.trade(2, 6, DOLLAR, 2, symbol="MSFT"),
        itch.broken(77, 1),
        itch.broken(77, 3),
    )
    assert (feed.row("AAPL")["volume"], feed.row("MSFT")["volume"]) == (0, 6)
    assert feed.counter("breaks_unmatched") == 1


def test_what_was_overwritten_cannot_be_broken_and_keeps_its_marks(
    itch: Any, make_feed: Callable[..., Any]
) -> None:
    feed = make_feed(trade_log=4)
    prices = [300, 500, 200, 310, 320, 330]
    feed.send(*(itch.trade(1, 1, p * DOLLAR, n + 1, time=n) for n, p in enumerate(prices)))
    feed.send(itch.broken(1, 1), itch.broken(1, 2))
    assert feed.counter("breaks_unmatched") == 2
    feed.send(itch.broken(1, 6))
    row = feed.row()
    assert (row["price"], row["exchange_time"], row["volume"]) == (320 * E9, 4, 5)
    feed.send(*(itch.broken(1, match) for match in (3, 4, 5)))
    row = feed.row()
    # Two trades are left that nobody can name: the prices are those that they made.
    assert (row["open"], row["high"], row["low"]) == (300 * E9, 500 * E9, 300 * E9)
    assert (row["price"], row["exchange_time"]) == (500 * E9, 1)
    assert (row["volume"], row["trades"]) == (2, 2)


def test_breaking_an_older_trade_leaves_the_last_sale(
    itch: Any, make_feed: Callable[..., Any]
) -> None:
    feed = make_feed()
    feed.send(*(itch.trade(1, n + 1, (10 - n) * DOLLAR, n + 1, time=5) for n in range(4)))
    feed.send(itch.broken(1, 2))
    row = feed.row()
    assert (row["price"], row["size"], row["high"], row["low"]) == (7 * E9, 4, 10 * E9, 7 * E9)
    feed.send(itch.broken(1, 1))
    assert (feed.row()["open"], feed.row()["high"]) == (8 * E9, 8 * E9)


@pytest.mark.parametrize("kept", [4_096, 128])
@pytest.mark.parametrize("seed", range(12))
def test_a_row_without_a_trade_is_the_row_that_never_had_it(
    itch: Any, make_feed: Callable[..., Any], seed: int, kept: int
) -> None:
    """Of hundreds of trades some are broken, new ones and old ones; a second market has only those
    that are left."""
    chance = random.Random(seed)
    feed = make_feed(trade_log=kept)
    left: dict[int, Any] = {}
    time = 0
    for match in range(1, 701):
        time += chance.choice((0, 0, 1, 1000, 1_000_000))
        price = (100 + chance.randrange(12)) * DOLLAR
        locate = chance.choice((1, 1, 1, 2))
        left[match] = itch.trade(
            locate, chance.randrange(1, 9), price, match, symbol=SYMBOLS[locate], time=time
        )
        feed.send(left[match])
        while chance.random() < 0.2:
            age = min(int(chance.expovariate(0.03)), match - 1)
            feed.send(itch.broken(77, match - age))
            if age < kept:
                left.pop(match - age, None)
        if match % 50 == 0:
            expected = make_feed(trade_log=4_096)
            expected.send(*left.values())
            for symbol in SYMBOLS.values():
                assert _prices(feed.row(symbol)) == _prices(expected.row(symbol)), (seed, match)


def _prices(row: dict[str, Any]) -> tuple[int, ...]:
    names = ("price", "size", "exchange_time", "open", "high", "low", "volume", "trades")
    return tuple(row[name] for name in names)

"""The order table and the ladders at their limits; test_market.py has what they add up to."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from ticker.feeds.market.book import Book

UNIT = 100_000


def test_random_orders_are_found_again_after_any_deletion(
    itch: Any, make_feed: Callable[..., Any]
) -> None:
    """Linear probing with backward shift: references that collide by design, a crowded run."""
    feed = make_feed()
    chance = random.Random(7)
    # The table's hash is reference * K >> 44: these all want one of 8 neighbouring slots.
    inverse = pow(0x9E3779B97F4A7C15, -1, 1 << 64)
    crowd = [((slot % 8 << 44) + slot) * inverse % (1 << 64) for slot in range(1, 400)]
    there: dict[int, int] = {}
    feed.send(itch.directory(1, "AAPL"))
    for _ in range(6000):
        ref = chance.choice(crowd)
        if ref in there:
            del there[ref]
            feed.send(itch.delete(1, ref), flush=False)
        else:
            there[ref] = chance.randrange(1, 100)
            feed.send(itch.add(1, ref, "B", there[ref], 1 + ref % 5), flush=False)
        assert feed.market.orders == len(there)
    assert feed.counter("unknown_orders") == feed.counter("bad_orders") == 0
    assert sum(size for _, size in feed.market.depth("AAPL", 0)) == sum(there.values())


@pytest.mark.slow
def test_the_table_grows(itch: Any, make_feed: Callable[..., Any]) -> None:
    feed = make_feed()
    many = (1 << 19) + 1000
    for ref in range(many):
        feed.decoder.decode(itch.add(1, ref, "S", 1, 1 + ref % 7))
    assert feed.market.orders == many
    for ref in range(0, many, 2):
        feed.decoder.decode(itch.delete(1, ref))
    assert feed.market.orders == many // 2
    assert feed.counter("unknown_orders") == 0
    assert sum(size for _, size in feed.market.depth("AAPL", 1)) == many // 2


def test_at_the_limit_orders_are_refused_and_counted(
    itch: Any, make_feed: Callable[..., Any]
) -> None:
    feed = make_feed(order_limit=10)
    feed.send(*(itch.add(1, ref, "B", 1, 100 + ref) for ref in range(12)))
    assert feed.market.orders == 10
    assert feed.counter("memory_failures") == 2
    assert feed.row()["bid"] == 109 * UNIT
    feed.send(itch.execute(1, 11, 1, 5))
    assert feed.counter("unknown_orders") == 1
    feed.send(itch.delete(1, 3), itch.add(1, 11, "B", 1, 111))
    assert feed.row()["bid"] == 111 * UNIT


def test_deep_ladders_stay_sorted(itch: Any, make_feed: Callable[..., Any]) -> None:
    feed = make_feed()
    prices = list(range(1, 2001))
    random.Random(3).shuffle(prices)
    for side in "BS":
        feed.send(*(itch.add(1, p + 10_000 * (side == "S"), side, p, p) for p in prices))
    assert feed.market.depth("AAPL", 0) == [(p * UNIT, p) for p in range(2000, 0, -1)]
    assert feed.market.depth("AAPL", 1) == [(p * UNIT, p) for p in range(1, 2001)]
    feed.send(*(itch.delete(1, p) for p in prices[:1900]))
    assert [size for _, size in feed.market.depth("AAPL", 0)] == sorted(prices[1900:], reverse=True)


def test_more_executed_than_was_there(itch: Any, make_feed: Callable[..., Any]) -> None:
    feed = make_feed()
    feed.send(itch.add(1, 1, "B", 10, 5), itch.add(1, 2, "B", 10, 5), itch.execute(1, 1, 99, 1))
    assert feed.row()["bid_size"] == 10
    assert feed.row()["volume"] == 99


def test_refuses_what_is_not_a_side() -> None:
    book = Book(2)
    assert book.depth(1, 1) == []
    for instrument, side in ((2, 0), (-1, 0), (0, 2)):
        with pytest.raises(IndexError):
            book.depth(instrument, side)

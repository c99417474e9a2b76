"""Each rule of the filter by itself, and how much it remembers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ticker.feeds.filter import REASONS

DOLLAR = 10_000


def rejected(feed: Any) -> dict[str, int]:
    return {reason: feed.counter(f"rejected_{reason}") for reason in REASONS}


def test_reasons_have_counters(make_feed: Callable[..., Any]) -> None:
    assert rejected(make_feed()) == dict.fromkeys(
        ("duplicate", "bad_price", "bad_size", "older"), 0
    )


def test_a_match_number_counts_once_per_instrument(
    itch: Any, make_feed: Callable[..., Any]
) -> None:
    feed = make_feed()
    feed.send(
        itch.trade(1, 5, DOLLAR, 7, symbol="AAPL"),
        itch.trade(2, 5, DOLLAR, 7, symbol="MSFT"),
        itch.trade(1, 5, DOLLAR, 7, symbol="AAPL"),
    )
    assert feed.row("AAPL")["trades"] == feed.row("MSFT")["trades"] == 1
    assert rejected(feed)["duplicate"] == 1


@pytest.mark.parametrize(("between", "seen"), [(14, 1), (15, 0)])
def test_remembers_fifteen_matches_per_instrument(
    itch: Any, make_feed: Callable[..., Any], between: int, seen: int
) -> None:
    feed = make_feed()
    feed.send(*(itch.trade(1, 5, DOLLAR, match) for match in range(1, 2 + between)))
    feed.send(itch.trade(1, 5, DOLLAR, 1))
    assert rejected(feed)["duplicate"] == seen


def test_no_match_number_is_never_a_duplicate(itch: Any, make_feed: Callable[..., Any]) -> None:
    feed = make_feed()
    feed.send(itch.trade(1, 5, DOLLAR, 0), itch.trade(1, 5, DOLLAR, 0))
    assert feed.row()["trades"] == 2


def test_a_trade_that_does_not_print_is_no_duplicate_of_its_cross(
    itch: Any, make_feed: Callable[..., Any]
) -> None:
    feed = make_feed()
    feed.send(
        itch.add(1, 1, "B", 10, DOLLAR),
        itch.execute_at(1, 1, 10, 7, DOLLAR, printable=False),
        itch.cross(1, 10, DOLLAR, 7),
    )
    assert feed.row()["trades"] == 1


def test_the_greatest_price_is_the_protocols_own(itch: Any, make_feed: Callable[..., Any]) -> None:
    feed = make_feed()
    feed.send(itch.trade(1, 1, 200_000 * DOLLAR, 1), itch.trade(1, 1, 200_000 * DOLLAR + 1, 2))
    assert feed.row()["trades"] == 1
    other = make_feed(max_price=10**9)
    other.send(itch.trade(1, 1, DOLLAR, 1), itch.trade(1, 1, DOLLAR + 1, 2))
    assert rejected(other)["bad_price"] == 1


def test_same_time_is_not_older(itch: Any, make_feed: Callable[..., Any]) -> None:
    feed = make_feed()
    feed.send(*(itch.trade(1, 1, DOLLAR, n + 1, time=t) for n, t in enumerate((5, 5, 4, 6))))
    assert rejected(feed)["older"] == 1
    assert feed.row()["trades"] == 3


def test_the_book_believes_an_execution_that_the_filter_does_not(
    itch: Any, make_feed: Callable[..., Any]
) -> None:
    feed = make_feed()
    feed.send(itch.trade(1, 1, DOLLAR, 1, time=9), itch.add(1, 1, "B", 10, DOLLAR, time=9))
    feed.send(itch.execute(1, 1, 4, 2, time=8))
    assert feed.row()["bid_size"] == 6
    assert feed.row()["trades"] == 1


def test_keeps_the_last_hundred_of_each_reason(itch: Any, make_feed: Callable[..., Any]) -> None:
    feed = make_feed()
    feed.send(*(itch.trade(1, 0, DOLLAR, 1, time=n) for n in range(250)))
    feed.send(itch.trade(1, 1, 0, 1, time=1))
    kept = feed.market.rejects()
    assert [reject.exchange_time for reject in kept if reject.reason == "bad_size"] == list(
        range(150, 250)
    )
    assert len(kept) == 101
    assert rejected(feed) == {"duplicate": 0, "bad_price": 1, "bad_size": 250, "older": 0}

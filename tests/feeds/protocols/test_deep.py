"""DEEP 1.0: price levels, and events that move several. The rest is tested in test_tops.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticker.feeds.protocols.deep import Deep

DOLLAR = 10_000
E9 = 1_000_000_000


@pytest.fixture
def feed(make_feed: Callable[..., Any]) -> Any:
    return make_feed(protocol=Deep)


def test_levels_are_set_and_removed(iex: Any, feed: Any) -> None:
    feed.send(
        iex.level("B", "AAPL", 100, 9 * DOLLAR),
        iex.level("B", "AAPL", 300, 8 * DOLLAR),
        iex.level("S", "AAPL", 200, 7 * DOLLAR, time=5),
    )
    row = feed.row()
    assert (row["bid"], row["bid_size"], row["ask"], row["ask_size"]) == (9 * E9, 100, 7 * E9, 200)
    assert row["quote_time"] == 5
    feed.send(iex.level("B", "AAPL", 0, 9 * DOLLAR), iex.level("S", "AAPL", 10, 7 * DOLLAR))
    row = feed.row()
    assert (row["bid"], row["bid_size"], row["ask_size"]) == (8 * E9, 300, 10)
    assert feed.market.depth("AAPL", 0) == [(8 * E9, 300)]


def test_the_top_shows_completed_events_only(iex: Any, feed: Any) -> None:
    feed.send(iex.level("B", "AAPL", 100, 9 * DOLLAR), iex.level("B", "AAPL", 50, 8 * DOLLAR))
    feed.records()
    feed.send(iex.level("B", "AAPL", 0, 9 * DOLLAR, complete=False))
    assert feed.row()["bid"] == 9 * E9
    assert feed.records() == []
    feed.send(iex.level("B", "AAPL", 70, 7 * DOLLAR, complete=False))
    feed.send(iex.level("B", "AAPL", 0, 8 * DOLLAR))
    assert (feed.row()["bid"], feed.row()["bid_size"]) == (7 * E9, 70)
    assert len(feed.records()) == 1


def test_events_of_symbols_are_apart(iex: Any, feed: Any) -> None:
    feed.send(iex.level("B", "AAPL", 1, 9 * DOLLAR, complete=False))
    feed.send(iex.level("B", "MSFT", 2, 5 * DOLLAR))
    assert feed.row("MSFT")["bid"] == 5 * E9
    assert feed.row("AAPL")["bid"] == 0
    assert feed.decoder.waiting == 1
    feed.send(iex.level("S", "AAPL", 3, 10 * DOLLAR))
    assert (feed.row("AAPL")["bid"], feed.row("AAPL")["ask"]) == (9 * E9, 10 * E9)
    assert feed.decoder.waiting == 0


def test_an_event_that_nothing_completes_ends_by_time(iex: Any, feed: Any) -> None:
    feed.send(iex.level("B", "AAPL", 1, 9 * DOLLAR, time=1, complete=False))
    feed.send(iex.level("B", "MSFT", 2, 5 * DOLLAR, time=E9))
    assert feed.decoder.waiting == 1
    feed.send(iex.level("B", "MSFT", 3, 5 * DOLLAR, time=E9 + 1))
    assert feed.decoder.waiting == 0
    assert feed.row("AAPL")["bid"] == 9 * E9


def test_what_waits_is_bounded(iex: Any, feed: Any) -> None:
    for price in range(1, 1026):
        feed.send(iex.level("B", "AAPL", 1, price, complete=False), flush=False)
    assert feed.decoder.waiting == 1
    assert len(feed.market.depth("AAPL", 0)) == 1024


def test_a_new_session_forgets_levels_and_events(iex: Any, feed: Any) -> None:
    feed.send(iex.level("B", "AAPL", 1, 9 * DOLLAR))
    feed.send(iex.level("B", "AAPL", 1, 8 * DOLLAR, complete=False), iex.system("O"))
    feed.send(iex.level("S", "AAPL", 1, 20 * DOLLAR))
    assert (feed.row()["bid"], feed.row()["ask"]) == (0, 20 * E9)


@pytest.mark.parametrize("price", [0, -1, -(2**63), 2**63 - 1])
def test_a_level_that_cannot_be_is_counted(iex: Any, feed: Any, price: int) -> None:
    feed.send(iex.level("B", "AAPL", 1, price), iex.level("B", "AAPL", 1, price, complete=False))
    assert feed.counter("bad_orders") == 2
    assert feed.decoder.waiting == 0


@given(
    st.lists(
        st.tuples(
            st.sampled_from("BS"),
            st.sampled_from(["AAPL", "MSFT"]),
            st.integers(0, 3),
            st.integers(1, 12),
            st.booleans(),
        ),
        max_size=80,
    )
)
def test_the_book_is_what_the_completed_events_say(
    iex: Any, make_feed: Callable[..., Any], updates: list[tuple[str, str, int, int, bool]]
) -> None:
    feed = make_feed(protocol=Deep)
    books: dict[tuple[str, str], dict[int, int]] = {}
    waiting: dict[str, list[tuple[str, int, int]]] = {"AAPL": [], "MSFT": []}
    for side, symbol, size, price, complete in updates:
        feed.send(iex.level(side, symbol, size, price * DOLLAR, complete=complete))
        waiting[symbol].append((side, size, price))
        if complete:
            for done_side, done_size, done_price in waiting[symbol]:
                books.setdefault((symbol, done_side), {})[done_price] = done_size
            waiting[symbol] = []
            bids, asks = (
                {p: s for p, s in books.get((symbol, one), {}).items() if s} for one in "BS"
            )
            row = feed.row(symbol)
            assert row["bid"] == max(bids, default=0) * E9
            assert row["ask"] == min(asks, default=0) * E9
            assert row["bid_size"] == (bids[max(bids)] if bids else 0)
            assert row["ask_size"] == (asks[min(asks)] if asks else 0)

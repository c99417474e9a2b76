"""Which books a market shows: those that gateways want, and no others."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ticker.feeds.calls import ASK, BID, Calls
from ticker.feeds.market.market import Market
from ticker.shm.counters import Counters
from ticker.shm.depth.interest import InterestWriter
from ticker.shm.depth.rows import DepthReader
from ticker.shm.doorbell import DoorbellRinger
from ticker.shm.segment import Geometry, private_feed, private_gateway
from ticker.shm.table import PriceTable


class Watched:
    """A market with a gateway beside it."""

    def __init__(self, places: int = 4) -> None:
        self.gateway, self.bell = private_gateway(1), os.eventfd(0, os.EFD_NONBLOCK)
        self.ringer = DoorbellRinger([(self.gateway, self.bell)])
        self.mapping = private_feed(Geometry(64, 1, 64, depth_rows=places), 1, 1)
        self.interest = InterestWriter(self.gateway)
        self.depth = DepthReader(self.mapping)
        self.now = 0
        self.start()

    def start(self, rebuild: bool | None = None) -> None:
        self.market = Market(self.mapping, venue="XNAS", ringer=self.ringer)
        if rebuild is not None:
            self.market.adopt_rows(rebuild=rebuild)
            self.market.set_publishing(not rebuild)
        self.calls = Calls(self.market)

    def flush(self) -> None:
        self.now += 1
        self.market.publish(self.now)

    def book(self, row: int) -> Any:
        return self.depth.book(row)

    def sides(self, row: int) -> Any:
        book = self.depth.book(row)
        return None if book is None else (book["bids"], book["asks"])


@pytest.fixture
def watched() -> Iterator[Watched]:
    made = Watched()
    yield made
    os.close(made.bell)


def test_only_what_is_wanted(watched: Watched) -> None:
    calls = watched.calls
    rows = [calls.define(number, symbol) for number, symbol in enumerate(("AAPL", "MSFT"))]
    for row in rows:
        calls.add_order(row, 10 + row, BID, 5, 100, 7)
    watched.flush()
    assert [watched.sides(row) for row in rows] == [None, None]
    watched.interest.want({"MSFT": 3})
    watched.flush()
    assert [watched.sides(row) for row in rows] == [None, ([(100, 5)], [])]
    watched.interest.want({"AAPL": 1})
    watched.flush()
    assert [watched.sides(row) for row in rows] == [([(100, 5)], []), None]


def test_a_beat_is_enough_where_nothing_comes(watched: Watched) -> None:
    row = watched.calls.define(1, "AAPL")
    watched.calls.add_order(row, 1, ASK, 5, 100, 7)
    watched.flush()
    watched.interest.want({"AAPL": 10})
    watched.market.pass_time(9)
    assert watched.sides(row) == ([], [(100, 5)])


def test_a_symbol_that_comes_later(watched: Watched) -> None:
    watched.interest.want({"AAPL": 10})
    watched.flush()
    row = watched.calls.define(1, "AAPL")
    watched.flush()
    assert watched.sides(row) is None, "nothing is known of it"
    watched.calls.add_order(row, 1, ASK, 5, 100, 7)
    watched.flush()
    assert watched.sides(row) == ([], [(100, 5)])


def test_every_venue_of_a_symbol(watched: Watched) -> None:
    rows = [watched.calls.define(key, "AAPL", venue) for key, venue in enumerate(("XNAS", "ARCX"))]
    watched.interest.want({"AAPL": 10})
    for row in rows:
        watched.calls.set_level(row, BID, 100 + row, 5, 7)
    watched.flush()
    assert [watched.sides(row) for row in rows] == [([(100, 5)], []), ([(101, 5)], [])]


def test_more_and_fewer_levels(watched: Watched) -> None:
    row = watched.calls.define(1, "AAPL")
    for price in range(100, 110):
        watched.calls.set_level(row, ASK, price, price, price)
    for levels in (2, 10, 3):
        watched.interest.want({"AAPL": levels})
        watched.flush()
        book = watched.book(row)
        assert (book["levels"], len(book["asks"])) == (levels, levels)
    seq = book["seq"]
    watched.calls.set_level(row, ASK, 103, 1, 120)
    watched.flush()
    assert watched.book(row)["seq"] == seq, "readers do not see the fourth level"
    watched.calls.set_level(row, ASK, 102, 1, 121)
    watched.flush()
    book = watched.book(row)
    assert (book["seq"], book["asks"][2], book["time"]) == (seq + 1, (102, 1), 121)


def test_a_change_behind_the_top_is_no_quote(watched: Watched) -> None:
    row = watched.calls.define(1, "AAPL")
    watched.interest.want({"AAPL": 10})
    watched.calls.set_level(row, ASK, 100, 1, 5)
    watched.flush()
    before = PriceTable(watched.mapping).values(row)
    watched.calls.set_level(row, ASK, 101, 1, 9)
    watched.flush()
    assert PriceTable(watched.mapping).values(row) == before
    assert watched.book(row)["time"] == 9


def test_a_top_is_no_book(watched: Watched) -> None:
    row = watched.calls.define(1, "AAPL")
    watched.interest.want({"AAPL": 10})
    watched.flush()
    watched.calls.set_quote(row, 99, 1, 101, 1, 5)
    watched.flush()
    assert watched.sides(row) is None


def test_places_are_given_up_and_counted(watched: Watched) -> None:
    names = [f"S{number}" for number in range(6)]
    rows = [watched.calls.define(number, name) for number, name in enumerate(names)]
    for row in rows:
        watched.calls.set_level(row, BID, 100, 1 + row, 5)
    watched.interest.want(dict.fromkeys(names, 5))
    watched.flush()
    shown = [row for row in rows if watched.sides(row) is not None]
    assert len(shown) == 4
    assert Counters(watched.mapping)["depth_refused"] == 2
    seqs = {row: watched.book(row)["seq"] for row in shown}
    watched.interest.want(dict.fromkeys([names[row] for row in rows if row not in shown], 5))
    watched.flush()
    assert [row for row in rows if watched.sides(row) is not None] == [
        row for row in rows if row not in shown
    ]
    watched.interest.want({names[row]: 5 for row in shown})
    watched.flush()
    for row in shown:
        assert watched.sides(row) == ([(100, 1 + row)], [])
        assert watched.book(row)["seq"] > seqs[row], "it never goes back"


@pytest.mark.parametrize("rebuild", [False, True])
def test_a_successor_takes_the_books_over(watched: Watched, rebuild: bool) -> None:
    row = watched.calls.define(1, "AAPL")
    watched.interest.want({"AAPL": 5})
    watched.calls.add_order(row, 1, BID, 5, 100, 7)
    watched.flush()
    seq = watched.book(row)["seq"]
    watched.start(rebuild)
    watched.calls.define(1, "AAPL")
    watched.calls.add_order(row, 1, BID, 4, 100, 7)
    if rebuild:
        watched.flush()
        assert watched.sides(row) == ([(100, 5)], []), "readers see what its predecessor showed"
        watched.market.set_publishing(True)
    watched.flush()
    assert watched.sides(row) == ([(100, 4)], [])
    assert watched.book(row)["seq"] > seq


def test_a_successor_without_the_session_shows_nothing(watched: Watched) -> None:
    row = watched.calls.define(1, "AAPL")
    watched.interest.want({"AAPL": 5})
    watched.calls.add_order(row, 1, BID, 5, 100, 7)
    watched.flush()
    watched.start(False)
    watched.flush()
    assert watched.sides(row) == ([], [])


def test_session_and_clear(watched: Watched) -> None:
    row = watched.calls.define(1, "AAPL")
    watched.interest.want({"AAPL": 5})
    acts: list[Callable[[], None]] = [
        lambda: watched.calls.clear_instrument(row, 9),
        watched.calls.clear_books,
        lambda: watched.calls.start_session(1),
    ]
    for act in acts:
        watched.calls.add_order(row, 1, BID, 5, 100, 7)
        watched.flush()
        assert watched.sides(row) == ([(100, 5)], [])
        act()
        watched.flush()
        assert watched.sides(row) == ([], [])

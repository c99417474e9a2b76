"""A board whose feeds come and go: rows, symbols and seq."""

from __future__ import annotations

import pytest

from tests.gateway.prices.test_board import Venues
from tests.gateway.prices.test_consolidate import E9
from ticker.shm import counters, segment
from ticker.shm.counters import Heartbeat
from ticker.shm.table import TableWriter


@pytest.fixture
def venues() -> Venues:
    """Two feeds: both have ACME, each has another symbol."""
    made = Venues(("XNAS", "USD", 0), ("BATS", "USD", 0))
    made.put(0, price=2 * E9, volume=5, seq=3, exchange_time=8)
    made.put(0, symbol="ONE", price=E9, seq=1, exchange_time=8)
    made.put(1, price=4 * E9, volume=7, seq=4, exchange_time=9)
    made.put(1, symbol="TWO", price=E9, seq=1, exchange_time=8)
    made.board.look(10 * E9)
    return made


def test_what_is_left_of_a_symbol_is_its_price(venues: Venues) -> None:
    board = venues.board
    assert (venues.price().price, venues.price().seq) == (4 * E9, 7)
    touched = board.remove_feed(1)
    assert [board.name(number) for number in touched] == ["ACME", "TWO"]
    found = venues.price()
    assert (found.price, found.venue, found.volume) == (2 * E9, "XNAS", 5)
    assert found.seq == 7, "it does not go back"
    assert venues.price("BATS") is None
    assert [name for name, _ in board.feeds()] == ["f0"]


def test_a_symbol_without_feeds_is_unknown_until_one_has_it_again(venues: Venues) -> None:
    board = venues.board
    number = board.index("TWO")
    changes = board.symbol_changes
    board.remove_feed(1)
    assert (board.index("TWO"), board.index_ever("TWO")) == (-1, number)
    assert board.price("TWO") is None
    assert "TWO" not in board.symbols()
    assert board.state(number) == "stale"
    assert board.symbol_changes > changes
    _add(venues, "TWO", seq=6)
    assert board.index("TWO") == number, "the same number"
    found = board.price("TWO")
    assert found is not None
    assert (found.price, found.seq) == (3 * E9, 7), "its seq goes on"


@pytest.mark.parametrize(("counted", "seq"), [(4, 7), (6, 9), (3, 7), (0, 7)])
def test_a_feed_that_comes_again_with_its_rows_is_not_counted_twice(
    venues: Venues, counted: int, seq: int
) -> None:
    """A gateway that starts now knows only the rows that there are, and 7 was told. With older
    rows, or none, it goes on from 7."""
    venues.board.remove_feed(1)
    _add(venues, "ACME", seq=counted, name="f1")
    assert venues.price().seq == seq


def test_a_removed_feed_is_not_learnt_again(venues: Venues) -> None:
    venues.board.remove_feed(1)
    venues.put(1, symbol="LATE", price=E9, seq=1)
    assert venues.board.refresh() == 0
    assert venues.board.index("LATE") == -1
    with pytest.raises(IndexError, match="feed 1 is not read"):
        venues.board.remove_feed(1)


def test_a_feed_that_comes_is_looked_at(venues: Venues) -> None:
    assert _add(venues, "NEW", seq=1) == 2
    venues.board.look(10 * E9)
    assert dict(venues.board.feeds())["late"] == "live"
    price = venues.board.price("NEW")
    assert price is not None
    assert not price.stale


def _add(venues: Venues, symbol: str, seq: int, name: str = "late") -> int:
    """The number of a new feed that has a symbol at a price of 3."""
    mapping = segment.private_feed(segment.Geometry(rows=8, rings=1, ring_capacity=8), 1, 1)
    beat = Heartbeat(mapping)
    beat.take_over(1, 10 * E9)
    beat.set_state(counters.LIVE)
    table = TableWriter(mapping)
    table.put(table.add(symbol, "EDGX", "USD", 0), price=3 * E9, seq=seq, exchange_time=9)
    return venues.board.add_feed(name, mapping)

"""Symbols in the market: the canonical form, a row per venue, test issues."""

import pytest

from ticker.errors import FeedError
from ticker.feeds.calls import Calls
from ticker.feeds.market.market import Market
from ticker.shm.liveness import market_words
from ticker.shm.segment import Geometry, private_feed
from ticker.shm.table import PriceTable

ROW_TEST = 2
PRICE = 5_000_000_000


class Rows:
    def __init__(self, symbology: str = "none", venue: str = "XNAS") -> None:
        self.mapping = private_feed(Geometry(8, 1, 64), 1, 1)
        self.market = Market(self.mapping, venue=venue, symbology=symbology)
        self.calls = Calls(self.market)
        self.table = PriceTable(self.mapping)

    def names(self) -> list[tuple[str, str]]:
        return [(self.table.symbol(row), self.table.venue(row)) for row in range(len(self.table))]


def test_rows_have_the_canonical_form() -> None:
    rows = Rows("nasdaq")
    assert rows.calls.define(1, "ABC-A") == 0
    assert rows.calls.define(2, "BRK.B") == 1
    assert rows.calls.find(1) == 0
    assert rows.names() == [("ABC.PRA", "XNAS"), ("BRK.B", "XNAS")]


def test_two_spellings_are_one_row() -> None:
    rows = Rows("cqs")
    assert rows.calls.define(1, "BRK/B") == rows.calls.define(2, "BRK.B") == 0
    assert (rows.calls.find(1), rows.calls.find(2)) == (0, 0)


def test_as_it_comes() -> None:
    rows = Rows()
    rows.calls.define(1, "ABC-A")
    assert rows.names() == [("ABC-A", "XNAS")]


def test_no_room_for_a_long_name() -> None:
    rows = Rows("cms")
    assert rows.calls.define(1, "A" * 23) == 0
    assert rows.calls.define(2, "ABCDEFGHIJ PRAWI") == 1


def test_a_row_for_each_venue() -> None:
    rows = Rows()
    first = rows.calls.define(1, "AAPL", "XNAS")
    second = rows.calls.define(2, "AAPL", "BATS")
    assert (first, second) == (0, 1)
    assert rows.calls.define(3, "AAPL", "BATS") == second
    assert rows.calls.define(4, "AAPL") == first, "the feed's own venue"
    assert rows.names() == [("AAPL", "XNAS"), ("AAPL", "BATS")]
    rows.calls.trade(second, PRICE, 100, 1, 7, 10, 11)
    rows.market.publish(12)
    values = [rows.table.values(row) for row in (first, second)]
    assert [each["price"] for each in values if each] == [0, PRICE]


def test_a_successor_finds_each_venues_row() -> None:
    rows = Rows()
    for key, venue in enumerate(["XNAS", "BATS", "IEXG"]):
        rows.calls.define(key, "AAPL", venue)
    successor = Market(rows.mapping, venue="XNAS")
    successor.adopt_rows(rebuild=False)
    calls = Calls(successor)
    assert [calls.define(9, "AAPL", venue) for venue in ("IEXG", "XNAS", "BATS")] == [2, 0, 1]
    assert len(rows.table) == 3


def test_test_issues_are_marked() -> None:
    rows = Rows("nasdaq")
    for key, symbol in enumerate(["ZVZZT", "ABC~", "AAPL"]):
        rows.calls.define(key, symbol)
    rows.market.publish(1)
    flags = [(rows.table.values(row) or {})["flags"] & ROW_TEST for row in range(3)]
    assert flags == [ROW_TEST, ROW_TEST, 0]


def test_no_such_symbology() -> None:
    with pytest.raises(FeedError, match="symbology 'isin': one of none"):
        Rows("isin")


def test_a_wrong_venue() -> None:
    with pytest.raises(ValueError, match="market identifier code"):
        Rows().calls.define(1, "AAPL", "NASDAQ")


def test_nothing_was_said_of_the_market() -> None:
    assert market_words(Rows().mapping) == ("unknown", 0, 0, 0, (0, 0, 0))

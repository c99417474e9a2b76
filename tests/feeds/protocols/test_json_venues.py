"""JSON by mapping: records that name their venue."""

from __future__ import annotations

from typing import Any

import pytest

from tests.feeds.protocols.json_feed import JsonFeed, price
from tests.mappings import rule
from ticker.feeds.json.mapping import Mapping, parse_mapping
from ticker.feeds.market.market import Market
from ticker.feeds.protocols.json import Json


def venues_mapping(more: str = "") -> Mapping:
    """Trades and quotes that may name their venue; `more`: keys of the trades."""
    return parse_mapping(
        rule("trade", "t", symbol="s", price="p", size="z", id="i", venue="v")
        + more
        + rule("quote", "q", symbol="s", bid="b", ask="a", venue="v")
        + rule("break", "b", symbol="s", id="i", venue="v")
    )


def by_venue(more: str = "") -> JsonFeed:
    return JsonFeed(venues_mapping(more))


def sale(venue: str | None, number: int, paid: float = 10, symbol: str = "AAPL") -> dict[str, Any]:
    record = {"k": "t", "s": symbol, "p": paid, "z": 100, "i": number}
    return record if venue is None else {**record, "v": venue}


def places(feed: JsonFeed) -> list[tuple[str, str, int]]:
    table = feed.table
    return [
        (table.symbol(row), table.venue(row), (table.values(row) or {})["volume"])
        for row in range(len(table))
    ]


def test_a_symbol_has_a_row_on_each_venue_that_is_named() -> None:
    feed = by_venue()
    feed.send(sale("XNAS", 1), sale("BATS", 1, 11), sale("BATS", 2, 12), sale(None, 1))
    assert places(feed) == [("AAPL", "XNAS", 100), ("AAPL", "BATS", 200), ("AAPL", "", 100)]
    feed.send({"k": "q", "s": "AAPL", "b": 9, "a": 10, "v": "BATS"})
    bids = [(feed.table.values(row) or {})["bid"] for row in range(3)]
    assert bids == [0, price("9"), 0]


def test_a_break_is_of_the_venue_that_it_names() -> None:
    feed = by_venue()
    feed.send(sale("XNAS", 1), sale("BATS", 1), {"k": "b", "s": "AAPL", "i": 1, "v": "BATS"})
    assert places(feed) == [("AAPL", "XNAS", 100), ("AAPL", "BATS", 0)]
    assert feed.counter("breaks") == 1


@pytest.mark.parametrize("code", ["4", "Q", "nasd", "XNASX", ""])
def test_a_vendors_own_code_is_no_venue(code: str) -> None:
    feed = by_venue()
    feed.send(sale(code, 1), sale(None, 2))
    assert places(feed) == [("AAPL", "", 200)]


def test_numbers_over_all_venues_keep_one_row() -> None:
    feed = by_venue('sequence = "n"\nsequence_gaps = true\n')
    feed.send({**sale("XNAS", 1), "n": 1}, {**sale("BATS", 2), "n": 2})
    assert places(feed) == [("AAPL", "", 200)]
    assert feed.counter("lost_messages") == 0


def test_a_successor_finds_the_rows_of_each_venue() -> None:
    feed = by_venue()
    feed.send(sale("XNAS", 1), sale("BATS", 2))
    successor = Market(feed.segment)
    successor.adopt_rows(rebuild=False)
    feed.market = successor
    feed.protocol = Json(successor, mapping=venues_mapping())
    feed.now += 1
    feed.send(sale("BATS", 3), sale("XNAS", 4))
    assert places(feed) == [("AAPL", "XNAS", 200), ("AAPL", "BATS", 200)]

"""The book over several venues, against the rules of docs/consolidation.md in plain Python."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticker.gateway.books.views import Views
from ticker.gateway.prices.board import Board
from ticker.shm import counters
from ticker.shm.counters import Heartbeat
from ticker.shm.depth.rows import DepthWriter
from ticker.shm.header import Mapping
from ticker.shm.segment import Geometry, private_feed, private_gateway
from ticker.shm.table import TableWriter

STALE = 1
NOW = 1_000_000_000_000
VENUES = ("XNAS", "ARCX", "BATS")
Side = dict[int, int]

sides = st.dictionaries(st.integers(1, 12), st.integers(1, 9), max_size=8)
venues = st.fixed_dictionaries(
    {
        "venue": st.sampled_from(VENUES),
        "stale": st.booleans(),
        "exponent": st.sampled_from([0, 2]),
        "currency": st.sampled_from(["USD", "USD", "USD", "CAD"]),
        "bids": sides,
        "asks": sides,
        "there": st.booleans(),
    }
)


def feed(told: dict[str, Any]) -> Mapping:
    """A segment with one row, and its book."""
    mapping = private_feed(Geometry(4, 1, 2, depth_rows=2), 1, 1)
    table = TableWriter(mapping)
    alive = Heartbeat(mapping)
    alive.take_over(1, NOW)
    alive.set_state(counters.LIVE)
    row = table.add("AAPL", told["venue"], told["currency"], told["exponent"])
    table.put(row, flags=STALE if told["stale"] else 0)
    if told["there"]:
        bids = sorted(told["bids"].items(), reverse=True)
        DepthWriter(mapping).put(row, 50, bids, sorted(told["asks"].items()), 1)
    return mapping


def expected(feeds: list[dict[str, Any]], levels: int) -> tuple[Any, Any] | None:
    """Of the first feed's currency; one feed for each venue, the first that is not stale; stale
    books only if all are."""
    part = [each for each in feeds if each["currency"] == feeds[0]["currency"]]
    speak = []
    for venue in {each["venue"] for each in part}:
        its = [each for each in part if each["venue"] == venue]
        speak.append(next((each for each in its if not each["stale"]), its[0]))
    speak = [each for each in speak if each["there"]]
    if not speak:
        return None
    live = [each for each in speak if not each["stale"]] or speak
    totals: dict[str, Counter[int]] = {"bids": Counter(), "asks": Counter()}
    for each in live:
        for side, total in totals.items():
            for price, size in each[side].items():
                total[price] += size * 10 ** (2 - each["exponent"])
    return (
        sorted(totals["bids"].items(), reverse=True)[:levels],
        sorted(totals["asks"].items())[:levels],
    )


@pytest.mark.slow
@given(feeds=st.lists(venues, min_size=1, max_size=4), levels=st.integers(1, 10))
def test_a_book_over_all_venues(feeds: list[dict[str, Any]], levels: int) -> None:
    mappings = [feed(each) for each in feeds]
    board = Board([(str(number), mapping) for number, mapping in enumerate(mappings)])
    board.look(NOW)
    views = Views(board, private_gateway(1))
    for mapping in mappings:
        views.levels.add_feed(mapping)
    book: Any = views.book(0, "", levels)
    wanted = expected(feeds, levels)
    if wanted is None:
        assert book is None
        return
    scale = 10 ** (2 - book["size_exponent"])
    for side, levels_wanted in zip(("bids", "asks"), wanted, strict=True):
        assert [(price, Decimal(size) * scale) for price, size in book[side]] == levels_wanted


def test_a_book_that_is_not_deep_enough_yet() -> None:
    mapping = private_feed(Geometry(4, 1, 2, depth_rows=2), 1, 1)
    row = TableWriter(mapping).add("AAPL", "XNAS")
    views = Views(Board([("f", mapping)]), private_gateway(1))
    views.levels.add_feed(mapping)
    writer = DepthWriter(mapping)
    writer.put(row, 2, [(2, 1), (1, 1)], [(3, 1)], 1)
    assert views.book(0, "", 3) is None
    assert views.book(0, "", 2) is not None
    writer.put(row, 2, [(2, 1)], [(3, 1)], 1)
    assert views.book(0, "", 3) is not None, "there are no more levels"
    assert views.levels.on_venue(0, "XNAS")
    assert not views.levels.on_venue(0, "BATS")

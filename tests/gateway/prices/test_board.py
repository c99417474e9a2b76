"""The board over real segments: the rules of docs/consolidation.md, case by case."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.gateway.prices.test_consolidate import (
    ASK,
    BID,
    E9,
    HIGH_LOW,
    LAST,
    LISTED,
    MOST,
    OFFICIAL_CLOSE,
    OFFICIAL_OPEN,
    OPEN,
    TRADING,
)
from ticker.gateway.prices.board import Board
from ticker.shm import counters, segment
from ticker.shm.counters import Heartbeat
from ticker.shm.header import Mapping
from ticker.shm.table import TableWriter


class Venues:
    """Feeds that the test publishes, in segments of its own, and a board over them."""

    def __init__(self, *venues: tuple[str, str, int]) -> None:
        geometry = segment.Geometry(rows=8, rings=1, ring_capacity=8)
        self.mappings: list[Mapping] = [segment.private_feed(geometry, 1, 1) for _ in venues]
        self.venues = venues
        self.tables = [TableWriter(mapping) for mapping in self.mappings]
        self.beats = [Heartbeat(mapping) for mapping in self.mappings]
        for beat in self.beats:
            beat.take_over(1, 10 * E9)
            beat.set_state(counters.LIVE)
        self.board = Board([(f"f{i}", mapping) for i, mapping in enumerate(self.mappings)])

    def put(self, feed: int, /, *, symbol: str = "ACME", **values: int) -> None:
        table = self.tables[feed]
        venue, currency, exponent = self.venues[feed]
        names = [table.symbol(row) for row in range(len(table))]
        row = (
            names.index(symbol) if symbol in names else table.add(symbol, venue, currency, exponent)
        )
        table.put(row, **values)

    def price(self, venue: str | None = None) -> Any:
        self.board.look(10 * E9)
        return self.board.price("ACME", venue)


def test_sizes_of_different_exponents_meet_in_the_finest() -> None:
    """100 shares here and 0.25 there are 100.25."""
    venues = Venues(("XNAS", "USD", 0), ("XCRY", "USD", 8))
    venues.put(0, price=E9, size=100, volume=100, bid=E9, bid_size=7, exchange_time=2)
    venues.put(1, price=E9, size=25_000_000, volume=25_000_000, bid=E9, bid_size=50_000_000)
    found = venues.price()
    assert found.size_exponent == 8
    assert (found.size, found.volume, found.bid_size) == (
        100_00000000, 100_25000000, 7_50000000,
    )  # fmt: skip
    assert (found.venue, found.bid_venue, found.ask_venue) == ("XNAS", "XNAS", "")
    assert venues.price("XNAS").size_exponent == 0
    assert venues.price("XNAS").volume == 100
    assert venues.price("XCRY").volume == 25_000_000


def test_a_dead_feed_sells_no_more_quotes_but_its_last_sale_stays() -> None:
    venues = Venues(("XNAS", "USD", 0), ("BATS", "USD", 0))
    venues.put(0, price=2 * E9, volume=5, exchange_time=9, bid=3 * E9, bid_size=1)
    venues.put(1, price=E9, volume=7, exchange_time=8, bid=E9, bid_size=2, ask=2 * E9, ask_size=3)
    assert (venues.price().bid, venues.price().bid_venue) == (3 * E9, "XNAS")
    venues.beats[0].set_state(counters.STALE)
    found = venues.price()
    assert (found.price, found.venue, found.volume, found.stale) == (2 * E9, "XNAS", 12, False)
    assert (found.bid, found.bid_size, found.bid_venue) == (E9, 2, "BATS")
    assert venues.price("XNAS").stale
    assert venues.price("XNAS").bid == 3 * E9
    venues.beats[1].set_state(counters.STALE)
    found = venues.price()
    assert found.stale
    assert (found.bid, found.bid_venue) == (3 * E9, "XNAS"), "nobody knows better"


def test_the_first_feed_says_the_currency() -> None:
    """Learnt in any order: a row in another currency is seen by its venue only."""
    venues = Venues(("XNAS", "USD", 0), ("XETR", "EUR", 0), ("BATS", "USD", 0))
    venues.put(1, price=7 * E9, exchange_time=99, volume=1000, seq=5)
    assert venues.price().currency == "EUR"
    venues.put(2, price=2 * E9, exchange_time=3, volume=10, seq=1)
    assert venues.price().currency == "EUR", "the first feed that has it"
    venues.put(0, price=E9, exchange_time=2, volume=20, seq=2)
    found = venues.price()
    assert (found.currency, found.price, found.venue) == ("USD", 2 * E9, "BATS")
    assert (found.volume, found.seq) == (30, 3)
    assert (venues.price("XETR").price, venues.price("XETR").currency) == (7 * E9, "EUR")
    assert venues.price("XLON") is None


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_order_of_learning_decides_nothing(order: tuple[int, ...]) -> None:
    """Equal times, equal prices: the feed named first is said to have it."""
    venues = Venues(*((name, "USD", 0) for name in ("XNAS", "BATS", "XNYS")))
    for feed in order:
        venues.put(feed, price=(feed + 1) * E9, exchange_time=4, receive_time=5, bid=E9, bid_size=6)
        venues.board.refresh()
    found = venues.price()
    assert (found.price, found.venue, found.bid_size, found.bid_venue) == (E9, "XNAS", 18, "XNAS")


def test_the_day_is_the_newest_session() -> None:
    """A feed that has been silent since yesterday adds nothing to today."""
    venues = Venues(("XNAS", "USD", 0), ("BATS", "USD", 0))
    day: dict[str, Any] = {"volume": 5, "trades": 1, "previous_close": 9 * E9}
    venues.put(0, price=E9, open=E9, high=9 * E9, low=E9, open_time=11, session_start=10, **day)
    venues.put(1, price=2 * E9, open=2 * E9, high=2 * E9, low=2 * E9, open_time=21,
               session_start=20, volume=3, trades=2, previous_close=E9)  # fmt: skip
    found = venues.price()
    assert (found.volume, found.trades) == (3, 2)
    assert (found.open, found.high, found.low) == (2 * E9,) * 3
    assert found.previous_close == E9


def test_the_listing_venue_says_the_close_and_the_state() -> None:
    venues = Venues(("BATS", "USD", 0), ("XNAS", "USD", 0))
    venues.put(0, price=E9, previous_close=3 * E9, status=TRADING)
    assert (venues.price().previous_close, venues.price().trading_status) == (3 * E9, "trading")
    venues.put(1, price=E9, previous_close=4 * E9, status=2, flags=LISTED)
    assert (venues.price().previous_close, venues.price().trading_status) == (4 * E9, "halted")
    venues.beats[1].set_state(counters.STALE)
    assert (venues.price().previous_close, venues.price().trading_status) == (4 * E9, "trading")


def test_two_feeds_of_one_venue_count_once() -> None:
    """The first that lives speaks for the venue; the newest sale is either's."""
    venues = Venues(("XNAS", "USD", 0), ("BATS", "USD", 0), ("XNAS", "USD", 0))
    venues.put(0, price=E9, exchange_time=2, volume=100, trades=3, bid=E9, bid_size=4, seq=3)
    venues.put(1, price=E9, exchange_time=1, volume=10, trades=1, bid=E9, bid_size=1, seq=1)
    venues.put(2, price=2 * E9, exchange_time=3, volume=70, trades=2, bid=E9, bid_size=9, seq=2)
    found = venues.price()
    assert (found.price, found.volume, found.trades, found.seq) == (2 * E9, 110, 4, 6)
    assert (found.bid, found.bid_size, found.bid_venue) == (E9, 5, "XNAS")
    venues.beats[0].set_state(counters.STALE)
    found = venues.price()
    assert (found.volume, found.bid_size, found.seq) == (80, 10, 6), "the other one takes over"
    assert venues.price("XNAS").volume == 70
    venues.beats[2].set_state(counters.STALE)
    found = venues.price()
    assert (found.volume, found.bid_size, found.bid_venue) == (110, 1, "BATS")


def test_prices_at_and_below_zero_are_prices() -> None:
    """A spread: the last is -37.63, the best bid the highest, and 0 is one of them."""
    venues = Venues(("XNYM", "USD", 0), ("XCME", "USD", 0))
    there = LAST | OPEN | HIGH_LOW | BID | ASK
    venues.put(0, price=-37_630_000_000, open=E9, high=E9, low=-40 * E9, bid=-38 * E9, ask=0,
               bid_size=1, ask_size=2, exchange_time=9, open_time=5, flags=there)  # fmt: skip
    venues.put(1, price=0, open=0, high=0, low=-E9, bid=-39 * E9, ask=-E9, bid_size=3, ask_size=4,
               exchange_time=8, open_time=4, flags=there)  # fmt: skip
    found = venues.price()
    assert (found.price, found.open, found.high, found.low) == (-37_630_000_000, 0, E9, -40 * E9)
    assert (found.bid, found.bid_venue, found.ask, found.ask_venue) == (
        -38 * E9, "XNYM", -E9, "XCME",
    )  # fmt: skip
    assert venues.price("XCME").price == 0
    assert venues.price("XNYM").ask == 0


def test_a_volume_beyond_64_bits_is_exact() -> None:
    """10^15 shares with nine decimals here and twice as many there."""
    venues = Venues(("XCRY", "USD", 9), ("XNAS", "USD", 0))
    shares = 10**24
    venues.put(0, price=E9, volume=shares & MOST, volume_high=shares >> 64, exchange_time=1)
    venues.put(1, price=E9, volume=2 * 10**15, exchange_time=2)
    assert (venues.price().volume, venues.price().size_exponent) == (3 * 10**24, 9)
    assert venues.price("XCRY").volume == shares


def test_the_listing_venue_says_the_official_prices() -> None:
    """Its opening auction is the open, though another venue traded before; so its close."""
    venues = Venues(("BATS", "USD", 0), ("XNAS", "USD", 0))
    venues.put(0, price=E9, open=2 * E9, open_time=3, official_close=3 * E9, exchange_time=1)
    assert (venues.price().open, venues.price().official_close) == (2 * E9, 3 * E9)
    venues.put(1, price=E9, open=5 * E9, open_time=4, exchange_time=1)
    assert venues.price().open == 2 * E9, "the first to trade"
    venues.put(1, official_open=5 * E9, official_close=6 * E9,
               flags=LISTED | LAST | OPEN | OFFICIAL_OPEN | OFFICIAL_CLOSE)  # fmt: skip
    assert (venues.price().open, venues.price().official_close) == (5 * E9, 6 * E9)
    assert venues.price("BATS").official_close == 3 * E9


def test_extended_hours_stand_beside_the_price() -> None:
    venues = Venues(("XNAS", "USD", 0), ("BATS", "USD", 0))
    venues.put(0, price=E9, exchange_time=5, extended_price=2 * E9, extended_time=8)
    venues.put(1, price=E9, exchange_time=4, extended_price=3 * E9, extended_time=9)
    found = venues.price()
    assert (found.price, found.extended_price, found.extended_time) == (E9, 3 * E9, 9)
    venues.put(0, session_start=20)
    assert venues.price().extended_price == 2 * E9, "of the newest session"


def test_after_all_trades_were_taken_back_there_is_no_price_and_a_time() -> None:
    venues = Venues(("XNAS", "USD", 0), ("BATS", "USD", 0))
    venues.put(0, bid=E9, bid_size=1, publish_time=5)
    assert not venues.price().traded
    venues.put(0, corrections=1, correction_time=7, publish_time=8)
    found = venues.price()
    assert (found.price, found.traded, found.price_time) == (None, True, 7)
    venues.put(0, correction_time=99)
    assert venues.price().price_time == 8, "no clock takes it beyond the moment of its coming"
    venues.put(1, price=E9, exchange_time=3)
    assert (venues.price().price, venues.price().price_time) == (E9, 3)

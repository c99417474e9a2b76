"""One price out of several venues' rows, against the rules of docs/consolidation.md written
once more in plain Python; and the board that applies them to real segments."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ticker.gateway.prices.board import Board
from ticker.gateway.prices.consolidate import consolidated
from ticker.shm import counters, segment
from ticker.shm.counters import Heartbeat
from ticker.shm.header import Mapping
from ticker.shm.table import FIELDS, TableWriter

STALE, TEST, SHARED, LISTED = 1, 2, 4, 8
UNKNOWN, TRADING = 0, 1
MOST = 2**64 - 1
E9 = 1_000_000_000

Row = dict[str, int]
Rows = list[tuple[Row, int, bool]]


def model(rows: Rows) -> dict[str, int | None]:
    """docs/consolidation.md, rule by rule; each looks at all rows at once."""
    exponent = max(each for _, each, _ in rows)
    venues = [
        {**row, **{name: min(row[name] * 10 ** (exponent - each), MOST) for name in SIZES}}
        for row, each, _ in rows
    ]
    exact = [
        {name: row[name] * 10 ** (exponent - each) for name in ("bid_size", "ask_size")}
        for row, each, _ in rows
    ]
    speaking = [i for i, (_, _, speaks) in enumerate(rows) if speaks]
    total: dict[str, int | None] = dict.fromkeys(FIELDS, 0)
    total.update(size_exponent=exponent, last_row=None, bid_row=None, ask_row=None, close_row=None)
    for name in ("seq", "quotes", "corrections"):
        total[name] = sum(venue[name] for venue in venues)
    total["publish_time"] = max(venue["publish_time"] for venue in venues)
    flags = 0
    sold = [i for i, venue in enumerate(venues) if venue["price"]]
    if sold:
        last = max(sold, key=lambda i: (venues[i]["exchange_time"], venues[i]["receive_time"], -i))
        total["last_row"] = last
        for name in ("price", "size", "exchange_time", "receive_time"):
            total[name] = venues[last][name]
        flags |= venues[last]["flags"] & SHARED
    flags |= day(venues, speaking, total) | state(venues, total, sold)
    quotes(venues, exact, speaking, total)
    total["flags"] = flags
    return total


def day(venues: list[Row], speaking: list[int], total: dict[str, int | None]) -> int:
    newest = max(venue["session_start"] for venue in venues)
    today = [i for i, venue in enumerate(venues) if venue["session_start"] == newest]
    total["session_start"] = newest
    total["volume"] = min(sum(venues[i]["volume"] for i in today if i in speaking), MOST)
    total["trades"] = sum(venues[i]["trades"] for i in today if i in speaking)
    total["high"] = max(venues[i]["high"] for i in today)
    total["low"] = min((venues[i]["low"] for i in today if venues[i]["low"]), default=0)
    opened = [i for i in today if venues[i]["open"]]
    if opened:
        first = min(opened, key=lambda i: (venues[i]["open_time"], i))
        total["open"], total["open_time"] = venues[first]["open"], venues[first]["open_time"]
    closed = [i for i in today if venues[i]["previous_close"]]
    if not closed:
        return 0
    close = min(closed, key=lambda i: (not venues[i]["flags"] & LISTED, i))
    total["close_row"], total["previous_close"] = close, venues[close]["previous_close"]
    return venues[close]["flags"] & LISTED


def quotes(
    venues: list[Row], exact: list[Row], speaking: list[int], total: dict[str, int | None]
) -> None:
    live = [i for i in speaking if not venues[i]["flags"] & STALE]
    counted = live or speaking
    total["quote_time"] = max((venues[i]["quote_time"] for i in counted), default=0)
    for side, best in (("bid", max), ("ask", min)):
        prices = [venues[i][side] for i in counted if venues[i][side]]
        if not prices:
            continue
        total[side] = best(prices)
        at = [i for i in counted if venues[i][side] == total[side]]
        size = f"{side}_size"
        total[size] = min(sum(venues[i][size] for i in at), MOST)
        total[f"{side}_row"] = max(at, key=lambda i: (exact[i][size], -i))


def state(venues: list[Row], total: dict[str, int | None], sold: list[int]) -> int:
    live = [i for i, venue in enumerate(venues) if not venue["flags"] & STALE]
    known = [venue for venue in venues if venue["status"] != UNKNOWN]
    official = [venue for venue in known if venue["flags"] & LISTED and not venue["flags"] & STALE]
    trading = [venue for venue in known if venue["status"] == TRADING]
    for venue in [*official, *trading, *known][:1]:
        total["status"] = venue["status"]
    fresh = [i for i in live if i in sold] if sold else live
    tests = TEST if any(venue["flags"] & TEST for venue in venues) else 0
    return tests | (0 if fresh else STALE)


SIZES = ("size", "volume", "bid_size", "ask_size")
few = st.integers(0, 3)
"""From so few values that ties are the rule."""
prices = st.sampled_from([0, 0, E9, 2 * E9, 3 * E9 + 1, 2**62])
sizes = st.one_of(st.integers(0, 300), st.sampled_from([2**63, MOST]))


@st.composite
def venue_rows(draw: st.DrawFn) -> tuple[Row, int, bool]:
    row = {name: draw(few) for name in FIELDS}
    for name in ("price", "open", "high", "low", "previous_close", "bid", "ask"):
        row[name] = draw(prices)
    for name in SIZES:
        row[name] = draw(sizes)
    row["status"] = draw(st.integers(0, 5))
    row["flags"] = draw(st.integers(0, 15))
    speaks = bool(draw(st.integers(0, 3)))
    return row, draw(st.sampled_from([0, 0, 0, 2, 8, 19])), speaks


def asking(size: int, exponent: int = 0) -> tuple[Row, int, bool]:
    """A venue that asks 1.00 for so much, or, for nothing, has no quote."""
    return dict.fromkeys(FIELDS, 0) | {"ask": E9 if size else 0, "ask_size": size}, exponent, True


@given(st.lists(venue_rows(), min_size=1, max_size=5))
@example([({name: MOST if name in SIZES else 0 for name in FIELDS}, 19, True)] * 2)
@example([asking(2**63), asking(MOST), asking(0, 2)])
@example([asking(2**63, 2), asking(MOST, 2), asking(0, 19)])
@example([asking(MOST, 2), asking(MOST)])
def test_the_rules(rows: Rows) -> None:
    assert consolidated(rows) == model(rows)


@given(venue_rows())
def test_one_venue_is_itself(row: tuple[Row, int, bool]) -> None:
    values, exponent, _ = row
    found = consolidated([(values, exponent, True)])
    same = set(FIELDS[: FIELDS.index("volume_high")])
    same -= {"flags", "size", "exchange_time", "receive_time", "open_time"}
    same -= {f"{side}_size" for side in ("bid", "ask") if not values[side]}
    assert {name: found[name] for name in same} == {name: values[name] for name in same}
    assert found["size_exponent"] == exponent
    assert found["exchange_time"] == (values["exchange_time"] if values["price"] else 0)


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

"""The market against a reference that is written differently: plain dictionaries, no shortcuts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.feeds.conftest import Itch

SYMBOLS = {1: "AAPL", 2: "MSFT", 3: "BRK.B"}
UNIT = 100_000
STALE, LISTED, E9 = 1, 8, 1_000_000_000
DOLLAR = 10_000


@dataclass
class Reference:
    """The meaning of a day's messages, by the book, in the slowest way that is obviously right."""

    orders: dict[int, tuple[int, str, int, int]] = field(default_factory=dict)
    trades: dict[int, list[tuple[int, int, int]]] = field(
        default_factory=lambda: {locate: [] for locate in SYMBOLS}
    )
    accepted: dict[int, int] = field(default_factory=lambda: dict.fromkeys(SYMBOLS, 0))

    def add(self, locate: int, ref: int, side: str, size: int, price: int) -> None:
        self.orders[ref] = (locate, side, size, price)

    def take(self, ref: int, size: int) -> None:
        locate, side, left, price = self.orders.pop(ref)
        if left > size:
            self.orders[ref] = (locate, side, left - size, price)

    def trade(self, locate: int, match: int, size: int, price: int) -> None:
        self.trades[locate].append((match, size, price))
        self.accepted[locate] += 1

    def broken(self, locate: int, match: int) -> None:
        self.trades[locate] = [trade for trade in self.trades[locate] if trade[0] != match]

    def depth(self, locate: int, side: str) -> list[tuple[int, int]]:
        levels: dict[int, int] = {}
        for where, order_side, size, price in self.orders.values():
            if (where, order_side) == (locate, side):
                levels[price] = levels.get(price, 0) + size
        return sorted(levels.items(), reverse=side == "B")

    def row(self, locate: int) -> dict[str, int]:
        trades = self.trades[locate]
        prices = [price for _, _, price in trades] or [0]
        bids, asks = self.depth(locate, "B") or [(0, 0)], self.depth(locate, "S") or [(0, 0)]
        return {
            "price": prices[-1] * UNIT,
            "size": trades[-1][1] if trades else 0,
            "volume": sum(size for _, size, _ in trades),
            "trades": len(trades),
            "seq": self.accepted[locate],
            "open": prices[0] * UNIT,
            "high": max(prices) * UNIT,
            "low": min(prices) * UNIT,
            "bid": bids[0][0] * UNIT,
            "bid_size": bids[0][1],
            "ask": asks[0][0] * UNIT,
            "ask_size": asks[0][1],
        }


kinds = st.sampled_from("AAAAAFECCXDDUPQBB")
steps = st.tuples(
    kinds,
    st.sampled_from(sorted(SYMBOLS)),
    st.integers(0, 40),
    st.integers(1, 300),
    st.integers(1, 60),
    st.booleans(),
    st.booleans(),
)


class Flow:
    """Turns random steps into messages that make sense, and into the same on the reference."""

    def __init__(self, itch: Itch, feed: Any) -> None:
        self.itch, self.feed, self.reference = itch, feed, Reference()
        self.refs = iter(range(1, 1 << 30))
        self.time = self.match = 0
        feed.send(*(itch.directory(locate, symbol) for locate, symbol in SYMBOLS.items()))

    def step(
        self, kind: str, locate: int, pick: int, size: int, price: int, buys: bool, flush: bool
    ) -> None:
        self.time += pick % 3
        message = self.message(kind, locate, pick, size, price, "B" if buys else "S")
        if message:
            self.feed.send(message, flush=flush)

    def message(
        self, kind: str, locate: int, pick: int, size: int, price: int, side: str
    ) -> bytes | None:
        itch, reference, time = self.itch, self.reference, self.time
        symbol = SYMBOLS[locate]
        if kind in "AF":
            ref = next(self.refs)
            reference.add(locate, ref, side, size, price)
            mpid = "MPID" if kind == "F" else ""
            return itch.add(locate, ref, side, size, price, symbol, time, mpid)
        if kind in "PQ":
            self.match += 1
            reference.trade(locate, self.match, size, price)
            if kind == "P":
                return itch.trade(locate, size, price, self.match, symbol, time)
            return itch.cross(locate, size, price, self.match, symbol, time, kind="H")
        if kind == "B":
            return self.broken(locate, pick)
        return self.on_an_order(kind, pick, size, price)

    def broken(self, locate: int, pick: int) -> bytes | None:
        trades = self.reference.trades[locate]
        if not trades:
            return None
        match = trades[-1 - pick % min(3, len(trades)) if pick % 2 else pick % len(trades)][0]
        self.reference.broken(locate, match)
        return self.itch.broken(locate, match, self.time)

    def on_an_order(self, kind: str, pick: int, size: int, price: int) -> bytes | None:
        itch, reference, time = self.itch, self.reference, self.time
        if not reference.orders:
            return None
        ref = list(reference.orders)[pick % len(reference.orders)]
        locate, side, left, at = reference.orders[ref]
        if kind == "D":
            reference.take(ref, left)
            return itch.delete(locate, ref, time)
        if kind == "U":
            new = next(self.refs)
            reference.take(ref, left)
            reference.add(locate, new, side, size, price)
            return itch.replace(locate, ref, new, size, price, time)
        part = min(left, size)
        reference.take(ref, part)
        if kind == "X":
            return itch.cancel(locate, ref, part, time)
        self.match += 1
        if kind == "E":
            reference.trade(locate, self.match, part, at)
            return itch.execute(locate, ref, part, self.match, time)
        printable = pick % 3 > 0
        if printable:
            reference.trade(locate, self.match, part, price)
        return itch.execute_at(locate, ref, part, self.match, price, printable, time)


@pytest.mark.slow
@given(st.lists(steps, max_size=120))
def test_agrees_with_the_reference(
    itch: Any, make_feed: Callable[..., Any], stream: list[tuple[Any, ...]]
) -> None:
    feed = make_feed()
    flow = Flow(itch, feed)
    for step in stream:
        flow.step(*step)
    feed.send()
    for locate, symbol in SYMBOLS.items():
        wanted = flow.reference.row(locate)
        found = feed.row(symbol)
        assert {name: found[name] for name in wanted} == wanted
        for side in (0, 1):
            depth = [(price // UNIT, size) for price, size in feed.market.depth(symbol, side)]
            assert depth == flow.reference.depth(locate, "BS"[side])
    assert feed.market.orders == len(flow.reference.orders)
    assert feed.counter("unknown_orders") == feed.counter("breaks_unmatched") == 0


@pytest.mark.slow
@settings(max_examples=30)
@given(st.lists(steps, max_size=80), st.integers(0, 80))
def test_a_rebuilt_market_ends_where_the_first_one_did(
    itch: Any, make_feed: Callable[..., Any], stream: list[tuple[Any, ...]], cut: int
) -> None:
    """A worker dies after `cut` messages; its successor replays the session from the start."""
    first = make_feed()
    flow = Flow(itch, first)
    sent: list[bytes] = []
    original = first.send

    def send(*messages: bytes, flush: bool = True) -> None:
        sent.extend(messages)
        original(*messages, flush=flush)

    first.send = send
    directory = [itch.directory(locate, symbol) for locate, symbol in SYMBOLS.items()]
    for step in stream[:cut]:
        flow.step(*step)
    first.send()
    before = {symbol: first.row(symbol) for symbol in SYMBOLS.values()}
    second = make_feed(first.mapping)
    second.now = first.now
    assert second.market.adopt_rows(rebuild=True) == len(SYMBOLS)
    second.market.set_publishing(False)
    second.send(*directory, *sent)
    assert {symbol: second.row(symbol) for symbol in SYMBOLS.values()} == before
    second.market.set_publishing(True)
    flow.feed = second
    second.send()
    for symbol in SYMBOLS.values():
        row = second.row(symbol)
        assert {k: v for k, v in row.items() if k in flow.reference.row(1)} == {
            k: v for k, v in before[symbol].items() if k in flow.reference.row(1)
        }
        assert row["quotes"] >= before[symbol]["quotes"]
        assert row["publish_time"] > before[symbol]["publish_time"]
    for step in stream[cut:]:
        flow.step(*step)
    second.send()
    for locate, symbol in SYMBOLS.items():
        wanted = flow.reference.row(locate)
        assert {name: second.row(symbol)[name] for name in wanted} == wanted


def test_a_row_changes_only_when_something_visible_did(
    itch: Any, make_feed: Callable[..., Any]
) -> None:
    feed = make_feed()
    feed.send(itch.directory(1, "AAPL"), itch.add(1, 1, "B", 100, 320 * DOLLAR))
    generation = feed.table.generation(0)
    feed.records()
    feed.send(itch.add(1, 2, "B", 100, 319 * DOLLAR), itch.delete(1, 2))
    feed.send(itch.add(1, 3, "B", 100, 321 * DOLLAR), itch.delete(1, 3))
    assert feed.table.generation(0) == generation
    assert feed.records() == []


def test_taking_over_without_a_rebuild_keeps_the_sale_and_drops_the_quote(
    itch: Any, make_feed: Callable[..., Any]
) -> None:
    first = make_feed()
    first.send(
        itch.directory(1, "AAPL"),
        itch.add(1, 1, "B", 100, 319 * DOLLAR),
        itch.trade(1, 100, 320 * DOLLAR, 1, time=5),
        itch.trade(1, 10, 310 * DOLLAR, 2, time=6),
    )
    second = make_feed(first.mapping)
    second.now = first.now
    assert second.market.adopt_rows(rebuild=False) == 1
    second.send()
    row = second.row()
    assert (row["price"], row["seq"], row["volume"], row["trades"]) == (310 * E9, 2, 110, 2)
    assert (row["bid"], row["bid_size"], row["flags"] & STALE) == (0, 0, 1)
    assert {record["kind"] for record in second.records()} == {3, 4, 5}
    # The locate is known from the row: no directory message will come again.
    second.send(itch.trade(1, 5, 305 * DOLLAR, 3, time=7))
    row = second.row()
    assert (row["seq"], row["volume"], row["flags"] & STALE) == (3, 115, 0)
    assert (row["open"], row["high"], row["low"]) == (320 * E9, 320 * E9, 305 * E9)
    # The trade that made the new low is broken: the low is what the predecessor left.
    second.send(itch.broken(1, 3, time=8), itch.broken(1, 1, time=8))
    assert second.row()["volume"] == 110
    assert (second.row()["low"], second.row()["price"]) == (310 * E9, 310 * E9)
    assert second.counter("breaks_unmatched") == 1


def test_a_new_day_makes_the_last_sale_the_close(itch: Any, make_feed: Callable[..., Any]) -> None:
    feed = make_feed()
    day = 86_400 * E9
    feed.decoder.midnight_ns = day
    feed.send(
        itch.system("O"),
        itch.directory(1, "AAPL"),
        itch.trade(1, 100, 320 * DOLLAR, 1, time=5),
        itch.add(1, 1, "B", 100, 320 * DOLLAR, time=6),
    )
    feed.send(itch.system("O", time=7))
    assert feed.row()["volume"] == 100, "the same day, said twice"
    feed.decoder.midnight_ns = 2 * day
    feed.send(itch.system("O"))
    row = feed.row()
    assert (row["previous_close"], row["price"], row["seq"]) == (320 * E9, 320 * E9, 1)
    assert (row["open"], row["high"], row["low"], row["volume"]) == (0, 0, 0, 0)
    assert (row["bid"], row["flags"] & STALE) == (0, 1)
    feed.send(itch.trade(1, 7, 321 * DOLLAR, 1, time=5))
    row = feed.row()
    assert (row["seq"], row["volume"], row["open"], row["flags"] & STALE) == (2, 7, 321 * E9, 0)
    assert feed.counter("rejected_duplicate") == 0


@pytest.mark.parametrize("rebuild", [True, False])
def test_a_close_survives_a_takeover(
    itch: Any, make_feed: Callable[..., Any], rebuild: bool
) -> None:
    day = 86_400 * E9
    first = make_feed()
    first.send(itch.trade(1, 100, 320 * DOLLAR, 1, time=5))
    second = make_feed(first.mapping)
    second.now = first.now
    second.decoder.midnight_ns = day
    second.market.adopt_rows(rebuild=rebuild)
    second.market.set_publishing(False)
    second.send(itch.system("O"), itch.directory(2, "AAPL"))
    second.send(itch.trade(2, 3, 321 * DOLLAR, 1, time=5))
    second.market.set_publishing(True)
    second.send()
    row = second.row()
    assert (row["previous_close"], row["price"], row["volume"]) == (320 * E9, 321 * E9, 3)
    assert row["seq"] >= 1
    assert len(second.table) == 1


def test_raw_counts_every_printable_trade(itch: Any, make_feed: Callable[..., Any]) -> None:
    feed = make_feed(raw=True)
    trade = itch.trade(1, 100, 320 * DOLLAR, 1, time=5)
    feed.send(
        trade,
        trade,
        itch.broken(1, 1),
        itch.trade(1, 1, 300 * DOLLAR, 2, time=1),
        itch.add(1, 1, "B", 10, 10 * DOLLAR),
        itch.execute_at(1, 1, 5, 3, 9 * DOLLAR, False),
    )
    row = feed.row()
    assert (row["trades"], row["volume"], row["price"]) == (3, 201, 300 * E9)
    assert feed.counter("breaks") == 0


def test_rejects_are_kept_by_reason(itch: Any, make_feed: Callable[..., Any]) -> None:
    feed = make_feed()
    feed.now = 40
    feed.send(itch.directory(1, "AAPL"), itch.trade(1, 0, 320 * DOLLAR, 1, time=5))
    feed.send(itch.trade(1, 7, 0, 2, time=6))
    assert [each[:6] for each in feed.market.rejects()] == [
        ("bad_price", "AAPL", 0, 7, 6, 41),
        ("bad_size", "AAPL", 320 * E9, 0, 5, 40),
    ]


def test_looking_into_a_book_that_is_not_there(make_feed: Callable[..., Any]) -> None:
    with pytest.raises(KeyError):
        make_feed().market.depth("AAPL", 0)


def test_the_open_knows_its_time_and_the_row_its_session(
    make_feed: Callable[..., Any], itch: Any
) -> None:
    """What consolidation needs to tell which venue opened first, and on which day."""
    feed = make_feed()
    feed.decoder.midnight_ns = 1000
    feed.send(itch.system("O"), itch.directory(1, "AAPL"))
    feed.send(itch.trade(1, 100, 5, 1, time=7), itch.trade(1, 100, 6, 2, time=9))
    assert (feed.row()["open"], feed.row()["open_time"]) == (5 * UNIT, 1007)
    assert feed.row()["session_start"] == 1000
    assert feed.row()["flags"] & LISTED
    feed.send(itch.broken(1, 1, time=10))
    assert (feed.row()["open"], feed.row()["open_time"]) == (6 * UNIT, 1009)
    feed.decoder.midnight_ns = 5000
    feed.send(itch.system("O"))
    assert (feed.row()["open"], feed.row()["open_time"]) == (0, 0)
    assert feed.row()["session_start"] == 5000

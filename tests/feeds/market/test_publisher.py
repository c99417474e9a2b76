"""Rows, then rings, then doorbells: the order in which a flush publishes."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from ticker.shm.counters import FEED_HISTOGRAMS, histogram
from ticker.shm.doorbell import Doorbell, DoorbellRinger
from ticker.shm.header import KIND_GATEWAY, Mapping, segment_size
from ticker.shm.layout import QuoteSide
from ticker.shm.ring import RingReader
from ticker.shm.segment import Geometry
from ticker.shm.table import TableWriter

DOLLAR = 10_000
E9 = 1_000_000_000
TRADE, PRINT, QUOTE, STATUS, CORRECTION, CANCELLED = range(1, 7)


def test_one_publication_per_flush_and_one_record_per_trade(
    itch: Any, make_feed: Callable[..., Any]
) -> None:
    feed = make_feed()
    feed.send(itch.directory(1, "AAPL"))
    generation = feed.table.generation(0)
    feed.records()
    feed.now = 70
    feed.send(
        itch.add(1, 1, "B", 10, 319 * DOLLAR, time=3),
        itch.trade(1, 5, 320 * DOLLAR, 1, time=4),
        itch.trade(1, 6, 321 * DOLLAR, 2, time=5),
        itch.add(1, 2, "S", 10, 322 * DOLLAR, time=6),
    )
    assert feed.table.generation(0) == generation + 2
    records = feed.records()
    assert [(r["kind"], r["seq"], r["price"], r["size"]) for r in records] == [
        (TRADE, 1, 320 * E9, 5),
        (TRADE, 2, 321 * E9, 6),
        (QUOTE, 10, 319 * E9, 10),  # seq and match: size and price of the ask
    ]
    assert [(r["exchange_time"], r["match"], r["publish_time"]) for r in records] == [
        (4, 1, 71),
        (5, 2, 71),
        (6, 322 * E9, 71),
    ]
    assert records[2]["conditions"] == QuoteSide.QUOTE_BID | QuoteSide.QUOTE_ASK
    row = feed.row()
    assert (row["publish_time"], row["receive_time"], row["quote_time"]) == (71, 70, 6)
    assert (row["quotes"], row["seq"]) == (1, 2)


def test_status_and_corrections_have_records(itch: Any, make_feed: Callable[..., Any]) -> None:
    feed = make_feed()
    feed.send(itch.trade(1, 5, 320 * DOLLAR, 1, time=4))
    feed.records()
    feed.send(itch.action(1, "AAPL", "H", time=9), itch.broken(1, 1, time=10))
    told = [(r["kind"], r["exchange_time"], r["match"], r["price"]) for r in feed.records()]
    assert told == [
        (CANCELLED, 10, 1, 320 * E9),
        (CORRECTION, 10, 0, 0),
        (STATUS, 10, 0, 0),
    ]
    row = feed.row()
    assert (row["correction_time"], row["corrections"], row["flags"]) == (10, 1, 0)
    feed.send(itch.action(1, "AAPL", "H", time=11))
    assert feed.records() == []


def test_a_symbol_stays_on_its_ring(itch: Any, make_feed: Callable[..., Any]) -> None:
    feed = make_feed()
    for locate in range(1, 40):
        feed.send(itch.trade(locate, 5, DOLLAR, locate, symbol=f"S{locate}"))
    rings = [{r["row"] for r in reader.take(1000)} for reader in feed.readers]
    assert all(rings)
    assert not rings[0] & rings[1]
    successor = make_feed(feed.mapping)
    successor.market.adopt_rows(rebuild=False)
    successor.now = feed.now
    for locate in range(1, 40):
        successor.send(itch.trade(locate, 5, DOLLAR, 1000 + locate, symbol=f"S{locate}"))
    again = [{r["row"] for r in reader.take(1000)} for reader in successor.readers]
    assert again == rings


@pytest.mark.parametrize("rebuild", [True, False])
def test_a_successor_tells_of_rows_that_its_predecessor_had_no_time_to_tell_of(
    itch: Any, make_feed: Callable[..., Any], rebuild: bool
) -> None:
    """Killed after the row and before its record: the row is right, and nobody knows."""
    first = make_feed()
    messages = [
        itch.trade(1, 5, 320 * DOLLAR, 1, time=4),
        itch.trade(1, 5, 330 * DOLLAR, 2, time=5),
    ]
    first.send(messages[0])
    told = make_feed(first.mapping).readers
    row = {"price": 330 * E9, "seq": 2, "volume": 10, "trades": 2, "exchange_time": 5}
    TableWriter(first.mapping).put(0, **row)
    successor = make_feed(first.mapping)
    successor.now = 1000
    successor.market.adopt_rows(rebuild=rebuild)
    successor.market.set_publishing(not rebuild)
    if rebuild:
        successor.send(*messages)
        successor.market.set_publishing(True)
    successor.send()
    records = [record for reader in told for record in reader.take(100)]
    assert (0, CORRECTION) in [(record["row"], record["kind"]) for record in records]
    assert successor.row()["price"] == 330 * E9


def test_more_trades_in_a_packet_than_are_kept_back(
    itch: Any, make_feed: Callable[..., Any]
) -> None:
    feed = make_feed(geometry=Geometry(rows=8, rings=1, ring_capacity=16_384))
    feed.send(itch.add(1, 1, "B", 1, DOLLAR))
    feed.send(*(itch.trade(1, 1, DOLLAR, n + 1) for n in range(10_000)))
    records = [r for r in feed.records() if r["kind"] == TRADE]
    assert [r["seq"] for r in records] == list(range(1, 10_001))
    assert feed.row()["volume"] == 10_000
    assert feed.row()["bid"] == E9


def test_publish_times_never_go_back(itch: Any, make_feed: Callable[..., Any]) -> None:
    feed = make_feed()
    feed.now = 1000
    feed.send(itch.trade(1, 1, DOLLAR, 1))
    feed.now = 10
    feed.send(itch.trade(1, 1, DOLLAR, 2))
    assert feed.row()["publish_time"] == 1001
    assert [r["publish_time"] for r in feed.records()] == [1001, 1001]


def test_nothing_shows_before_the_flush_nor_while_publishing_is_off(
    itch: Any, make_feed: Callable[..., Any]
) -> None:
    feed = make_feed()
    feed.send(itch.trade(1, 1, DOLLAR, 1), flush=False)
    assert feed.row()["seq"] == 0
    feed.market.set_publishing(False)
    feed.send(itch.trade(1, 1, DOLLAR, 2), itch.add(1, 1, "B", 1, DOLLAR))
    assert feed.row()["seq"] == 0
    feed.market.set_publishing(True)
    feed.send()
    assert (feed.row()["seq"], feed.row()["bid"]) == (2, E9)
    assert {QUOTE, CORRECTION} <= {r["kind"] for r in feed.records()}


def test_latencies_are_counted(itch: Any, make_feed: Callable[..., Any]) -> None:
    feed = make_feed()
    feed.now = 5
    feed.send(itch.trade(1, 1, DOLLAR, 1, time=3), itch.add(1, 1, "B", 1, DOLLAR, time=5))
    to_receive = histogram(feed.mapping, FEED_HISTOGRAMS.index("exchange_to_receive"))
    to_publish = histogram(feed.mapping, FEED_HISTOGRAMS.index("receive_to_publish"))
    assert to_receive == [0, 0, 1]
    assert to_publish == [0, 2]
    feed.now = 10**9
    feed.market.forget_orders()
    feed.send()
    assert feed.row()["bid"] == 0
    assert sum(histogram(feed.mapping, 1)) == 2, "no message brought this"


def test_the_doorbell_rings_after_the_record_is_there(
    itch: Any, make_feed: Callable[..., Any]
) -> None:
    gateway = Mapping(bytearray(segment_size(KIND_GATEWAY)), True)
    gateway.format(KIND_GATEWAY, 1, 1)
    fd = os.eventfd(0, os.EFD_NONBLOCK)
    try:
        doorbell = Doorbell(gateway, fd)
        feed = make_feed(ringer=DoorbellRinger([(gateway, fd)]))
        reader = RingReader(feed.mapping, 0)
        doorbell.arm_from_python()
        feed.send(itch.trade(1, 1, DOLLAR, 1))
        assert os.eventfd_read(fd) == 1
        assert feed.counter("doorbells") == 1
        assert reader.take(5) or feed.readers[1].take(5)
        feed.send(itch.trade(1, 1, DOLLAR, 2))
        assert feed.counter("doorbells") == 1, "it is awake"
    finally:
        os.close(fd)

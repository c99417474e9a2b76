"""The synthetic publisher writes a segment as a feed worker would."""

from __future__ import annotations

import os
import threading
import time
from array import array

import pytest

from ticker.bench.swarm.publisher import SyntheticPublisher, price_at
from ticker.bench.swarm.symbols import symbol_names
from ticker.shm.counters import Heartbeat
from ticker.shm.header import Mapping
from ticker.shm.ring import RingReader
from ticker.shm.segment import Geometry, private_feed
from ticker.shm.table import PriceTable

SYMBOLS = symbol_names(30)


def fresh() -> Mapping:
    return private_feed(Geometry(rows=32, rings=2, ring_capacity=1024), 1, time.time_ns())


def seq_of(mapping: Mapping, row: int) -> int:
    values = PriceTable(mapping).values(row)
    assert values is not None
    return values["seq"]


def test_every_symbol_has_a_price_at_once() -> None:
    mapping = fresh()
    publisher = SyntheticPublisher(mapping, SYMBOLS, [])
    table = PriceTable(mapping)
    assert [table.symbol(row) for row in range(len(table))] == SYMBOLS
    assert publisher.published == 30
    for row in range(30):
        values = table.values(row)
        assert values is not None
        assert values["price"] == price_at(values["exchange_time"]) > 0
        assert values["seq"] == values["trades"] == 1
    assert Heartbeat(mapping).state == "live"
    assert Heartbeat(mapping).pid == os.getpid()


def test_a_tick_is_in_row_and_ring() -> None:
    mapping = fresh()
    publisher = SyntheticPublisher(mapping, SYMBOLS, [])
    readers = [RingReader(mapping, index) for index in range(2)]
    when = publisher.tick(7)
    records = [record for reader in readers for record in reader.take(10)]
    values = PriceTable(mapping).values(7)
    assert values is not None
    assert [(record["row"], record["price"], record["seq"]) for record in records] == [
        (7, price_at(when), 2)
    ]
    assert values["exchange_time"] == when == publisher.last_times()[7]
    assert values["low"] <= values["price"] <= values["high"]


def test_ticks_keep_their_pace_and_stop_on_command() -> None:
    mapping = fresh()
    publisher = SyntheticPublisher(mapping, SYMBOLS, [])
    reader, writer = os.pipe()
    begin = time.monotonic()
    running = threading.Thread(
        target=publisher.run, kwargs={"interval": 0.01, "ticks": 2, "control_fd": reader}
    )
    running.start()
    while seq_of(mapping, 0) < 5:
        assert time.monotonic() - begin < 10
    os.write(writer, b"x")
    running.join(10)
    ticks = publisher.published - 30
    # Open loop: never more than the time that passed has room for.
    assert 3 * 30 < ticks <= (time.monotonic() - begin) / 0.01 * 2 * 30
    seqs = [seq_of(mapping, row) for row in range(30)]
    assert sum(seqs) == publisher.published
    assert max(seqs) - min(seqs) <= 1
    os.close(reader)
    os.close(writer)


def test_an_order_of_trades_is_followed() -> None:
    mapping = fresh()
    publisher = SyntheticPublisher(mapping, SYMBOLS, [])
    publisher.follow(array("I", [3, 3, 3, 7]))
    before = [seq_of(mapping, row) for row in range(30)]
    made = ran(publisher, trades=400)
    grown = {row: seq_of(mapping, row) - before[row] for row in range(30)}
    assert {row for row, trades in grown.items() if trades} == {3, 7}
    assert 2.9 < grown[3] / grown[7] < 3.1
    assert publisher.traded == sum(grown.values()) == made <= publisher.due
    assert publisher.traded > 0.9 * publisher.due
    assert publisher.late_ns >= 0
    for wrong in ([], [30], [-1]):
        with pytest.raises(IndexError, match="rows below 30"):
            publisher.follow(wrong)


def ran(publisher: SyntheticPublisher, trades: int) -> int:
    """Run until so many trades more are made, 30,000 a second; how many there were."""
    reader, writer = os.pipe()
    before = publisher.published
    running = threading.Thread(target=publisher.run, args=(0.001, 1, reader))
    running.start()
    begin = time.monotonic()
    while publisher.published - before < trades:
        assert time.monotonic() - begin < 10
    os.write(writer, b"x")
    running.join(10)
    os.close(reader)
    os.close(writer)
    return publisher.published - before


def test_idle_beats_the_heart() -> None:
    mapping = fresh()
    publisher = SyntheticPublisher(mapping, SYMBOLS, [])
    reader, writer = os.pipe()
    before = Heartbeat(mapping).time_ns
    running = threading.Thread(target=publisher.idle, args=(reader,))
    running.start()
    begin = time.monotonic()
    while Heartbeat(mapping).time_ns == before:
        assert time.monotonic() - begin < 10
    os.write(writer, b"x")
    running.join(10)
    assert publisher.published == 30
    os.close(reader)
    os.close(writer)


def test_a_row_out_of_range_is_refused() -> None:
    with pytest.raises(IndexError, match="there are 30"):
        SyntheticPublisher(fresh(), SYMBOLS, []).tick(30)


def test_symbols_are_different() -> None:
    assert len(set(symbol_names(20_000))) == 20_000
    assert symbol_names(28)[:1] + symbol_names(28)[-2:] == ["AAAA", "AABA", "AABB"]
    with pytest.raises(ValueError, match="from 1 to"):
        symbol_names(0)

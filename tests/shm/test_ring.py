"""Broadcast rings: order, laps, and a writer that stops between any two stores."""

from __future__ import annotations

import os
import signal

import pytest

from ticker.bench.shm import shm
from ticker.bench.shm.steps import pending
from ticker.bench.shm.stress import die_in_record
from ticker.errors import SegmentError
from ticker.shm import segment
from ticker.shm.header import KIND_FEED, Mapping
from ticker.shm.ring import RingReader, RingWriter


def prices(reader: RingReader, limit: int = 100) -> list[int]:
    return [record["price"] for record in reader.take(limit)]


def test_all_fields_come_back(feed: Mapping) -> None:
    reader, writer = RingReader(feed, 1), RingWriter(feed, 1)
    fields = {
        "row": 2**32 - 1, "kind": 255, "price": -(2**63), "size": 2**64 - 1,
        "exchange_time": -1, "match": 2**64 - 1, "publish_time": 7, "seq": 2**64 - 1,
        "conditions": 65535,
    }  # fmt: skip
    writer.put(**fields)
    assert reader.take(9) == [fields]
    assert reader.take(9) == []


def test_a_reader_starts_at_the_head_and_keeps_order(feed: Mapping) -> None:
    writer = RingWriter(feed, 0)
    writer.put(0, 1, 99)
    reader = RingReader(feed, 0)
    assert not pending(reader)
    for price in range(4):
        writer.put(0, 1, price)
    assert pending(reader)
    assert prices(reader, 3) == [0, 1, 2]
    assert prices(reader) == [3]
    assert not pending(reader)
    assert (reader.laps, reader.skipped, reader.position, writer.cursor) == (0, 0, 5, 5)


def test_rings_are_apart(feed: Mapping) -> None:
    readers = [RingReader(feed, index) for index in range(2)]
    RingWriter(feed, 0).put(0, 1, 10)
    RingWriter(feed, 1).put(0, 1, 11)
    assert [prices(reader) for reader in readers] == [[10], [11]]


@pytest.mark.parametrize("ahead", [5, 6, 8, 9, 4000])
def test_a_lapped_reader_counts_and_jumps_to_the_head(feed: Mapping, ahead: int) -> None:
    writer, reader = RingWriter(feed, 0), RingReader(feed, 0)
    for price in range(ahead):
        writer.put(0, 1, price)
    assert pending(reader)
    assert prices(reader) == []
    assert (reader.laps, reader.skipped, reader.position) == (1, ahead, ahead)
    assert not pending(reader)
    writer.put(0, 1, 7)
    assert prices(reader) == [7]


def test_a_full_ring_is_no_lap(feed: Mapping) -> None:
    writer, reader = RingWriter(feed, 0), RingReader(feed, 0)
    for price in range(4):
        writer.put(0, 1, price)
    assert prices(reader) == [0, 1, 2, 3]
    assert reader.laps == 0


def test_refusals(name: str, feed: Mapping, gateway: Mapping) -> None:
    with pytest.raises(IndexError, match="ring 2: the segment has 2"):
        RingReader(feed, 2)
    with pytest.raises(SegmentError, match="not a feed's segment"):
        RingReader(gateway, 0)
    with pytest.raises(SegmentError, match="read-only"):
        RingWriter(segment.attach(name, KIND_FEED), 0)


def die(name: str, words: int) -> None:
    """Another process writes `words` words of the next record, and is killed."""
    pid = os.fork()
    if pid == 0:
        die_in_record(RingWriter(segment.attach(name, KIND_FEED, writable=True), 0), words)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL


@pytest.mark.parametrize("words", [0, 3, 7])
def test_a_cut_record_was_never_given(name: str, feed: Mapping, words: int) -> None:
    writer, reader = RingWriter(feed, 0), RingReader(feed, 0)
    for price in range(3):
        writer.put(0, 1, price)
    die(name, words)
    assert prices(reader) == [0, 1, 2]
    assert not pending(reader)
    successor = RingWriter(feed, 0)
    assert successor.cursor == 3
    successor.put(0, 1, 33)
    assert prices(reader) == [33]
    assert reader.skipped == 0


def test_a_whole_record_stays_though_its_writer_never_counted_it(name: str, feed: Mapping) -> None:
    quick, late = RingReader(feed, 0), RingReader(feed, 0)
    die(name, 8)
    assert len(quick.take(9)) == 1  # ahead of the cursor now
    assert not pending(quick)
    successor = RingWriter(feed, 0)
    assert successor.cursor == 1
    successor.put(0, 1, 22)
    assert prices(quick) == [22]
    assert len(late.take(9)) == 2
    assert (quick.position, late.position) == (2, 2)


def test_a_cut_record_laps_who_waited_in_its_slot(name: str, feed: Mapping) -> None:
    """The marker alone makes the old record of the slot unreadable, and the lap is counted."""
    writer, reader = RingWriter(feed, 0), RingReader(feed, 0)
    for price in range(4):
        writer.put(0, 1, price)
    die(name, 0)
    assert prices(reader) == []
    assert (reader.laps, reader.skipped, reader.position) == (1, 4, 4)


def check(found: dict[str, int], laps: int) -> None:
    assert found["published"] == laps * found["capacity"]
    assert found["torn"] == 0
    assert found["uncounted"] == 0
    assert found["received"] > 0
    assert found["laps"] > 0


@pytest.mark.slow
def test_no_torn_record_and_every_lap_counted() -> None:
    check(shm.stress_ring(5_000), 5_000)


@pytest.mark.stress
@pytest.mark.timeout(900)
@pytest.mark.parametrize("capacity", [2, 64, 65_536])
def test_no_torn_record_in_many_laps(capacity: int) -> None:
    laps = max(2_000, 100_000_000 // capacity)
    check(shm.stress_ring(laps, capacity), laps)

"""Books in shared memory: places, seq, takeover."""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable

import pytest

from ticker.errors import SegmentError
from ticker.shm.depth.rows import DepthReader, DepthWriter
from ticker.shm.header import Mapping
from ticker.shm.segment import Geometry, private_feed
from ticker.shm.table import TableWriter

BIDS, ASKS = [(10, 1), (9, 2)], [(11, 3)]


def feed(rows: int = 4, places: int = 2) -> Mapping:
    mapping = private_feed(Geometry(8, 1, 2, depth_rows=places), 1, 1)
    table = TableWriter(mapping)
    for row in range(rows):
        table.add(f"S{row}")
    return mapping


def test_a_book_is_read_as_it_was_written() -> None:
    mapping = feed()
    writer, reader = DepthWriter(mapping), DepthReader(mapping)
    assert reader.book(0) is None
    writer.put(0, 2, BIDS, ASKS, 7)
    assert reader.book(0) == {
        "seq": 1, "time": 7, "publish_time": 7, "levels": 2, "bids": BIDS, "asks": ASKS,
    }  # fmt: skip
    assert reader.book(1) is None
    with pytest.raises(IndexError, match="row 8"):
        reader.book(8)


def test_seq_counts_changes() -> None:
    mapping = feed()
    writer, reader = DepthWriter(mapping), DepthReader(mapping)
    for time, bids in enumerate((BIDS, BIDS, BIDS[:1], BIDS)):
        writer.put(0, 2, bids, ASKS, time)
    book = reader.book(0)
    assert book is not None
    assert (book["seq"], book["time"]) == (3, 3)


@pytest.mark.parametrize("count", [1, 49, 50])
def test_all_levels_have_room(count: int) -> None:
    mapping = feed()
    bids = [(-level, 2**64 - 1 - level) for level in range(count)]
    asks = [(2**63 - 1 - level, level) for level in range(count)]
    DepthWriter(mapping).put(3, count, bids, asks, -1)
    book = DepthReader(mapping).book(3)
    assert book is not None
    assert (book["bids"], book["asks"]) == (bids, asks)


def test_there_is_no_place_for_a_third() -> None:
    mapping = feed()
    writer = DepthWriter(mapping)
    writer.put(0, 2, BIDS, ASKS, 1)
    writer.put(3, 2, BIDS, ASKS, 1)
    for row, levels in ((1, 2), (4, 2), (-1, 2), (0, 1), (0, 51)):
        with pytest.raises(SegmentError, match="no such book, or no place is free"):
            writer.put(row, levels, BIDS, ASKS, 1)


def test_only_the_owner_writes() -> None:
    buffer = mmap.mmap(-1, feed().size)
    Mapping(buffer, True).format(1, 1, 1, 8, 1, 2, 2)
    with pytest.raises(SegmentError, match="mapped read-only"):
        DepthWriter(Mapping(buffer, False))


def test_a_successor_goes_on(in_child: Callable[[Callable[[], object]], int]) -> None:
    mapping = feed()

    def predecessor() -> None:
        writer = DepthWriter(mapping)
        for time in range(5):
            writer.put(2, 2, BIDS[: time % 2 + 1], ASKS, time)
        os._exit(0)

    assert in_child(predecessor) == 0
    writer, reader = DepthWriter(mapping), DepthReader(mapping)
    assert (reader.book(2) or {})["seq"] == 5
    writer.put(0, 2, BIDS, ASKS, 1)  # the other place
    writer.put(2, 2, [], [], 9)
    assert (reader.book(2) or {})["seq"] == 6
    assert (reader.book(0) or {})["bids"] == BIDS

"""The segment of bars: one writer, readers with a position of their own, laps, successors."""

from __future__ import annotations

import pytest

from ticker.errors import SegmentError
from ticker.shm.bars.published import BarsReader, BarState, BarsWriter
from ticker.shm.segment import Geometry, private_bars, private_feed

FORMING, FINAL, UPDATED = BarState


def test_readers_get_each_change_and_find_the_newest() -> None:
    segment = private_bars(4, 16)
    writer, reader = BarsWriter(segment), BarsReader(segment)
    numbers = [writer.add(name) for name in ("AAPL", "MSFT")]
    assert numbers == [0, 1]
    assert [reader.shared.name(number) for number in numbers] == ["AAPL", "MSFT"]
    assert reader.newest_of(1, 2) is None
    for start in (60, 120):
        writer.put(1, 2, start=start, close=start, volume=1 << 70, state=FORMING)
    writer.put(1, 2, start=60, close=7, state=UPDATED)
    assert [(one["start"], one["close"], one["state"]) for one in reader.take(10)] == [
        (60, 60, FORMING), (120, 120, FORMING), (60, 7, UPDATED),
    ]  # fmt: skip
    newest = reader.newest_of(1, 2)
    assert newest is not None
    assert (newest["start"], newest["volume"]) == (120, 1 << 70), "an older bar is not the newest"


def test_a_reader_that_is_lapped_goes_on_at_the_head() -> None:
    segment = private_bars(4, 16)
    writer, reader = BarsWriter(segment), BarsReader(segment)
    writer.add("AAPL")
    for start in range(100):
        writer.put(0, 0, start=start)
    assert reader.take(1000) == []
    assert reader.laps == 1
    writer.put(0, 0, start=100)
    assert [one["start"] for one in reader.take(1000)] == [100]


def test_a_successor_goes_on_and_a_full_table_refuses() -> None:
    segment = private_bars(2, 16)
    first, reader = BarsWriter(segment), BarsReader(segment)
    first.add("A")
    first.put(0, 0, start=1)
    second = BarsWriter(segment)
    assert (second.add("B"), second.add("C"), second.add("X" * 24)) == (1, -1, -1)
    second.put(1, 0, start=2)
    assert [one["start"] for one in reader.take(10)] == [1, 2]


def test_another_segment_is_refused() -> None:
    with pytest.raises(SegmentError, match="not the segment of bars"):
        BarsReader(private_feed(Geometry(rows=2, rings=1, ring_capacity=8), 1, 1))

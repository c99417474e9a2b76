"""Rows that a server has left in shared memory: which start takes them, and that they are whole."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ticker.config import FeedConfig, parse
from ticker.shm import segment
from ticker.shm.counters import Heartbeat
from ticker.shm.header import Mapping
from ticker.shm.layout import BODY_OFFSET
from ticker.shm.table import PriceTable, TableWriter
from ticker.store.last import FOLDER, FeedSnapshots
from ticker.supervisor.feeds.left_behind import MARK, LeftBehind, feed_segments, mark_of
from ticker.supervisor.feeds.restored import restore_feed

INSTANCE = f"left{os.getpid()}"
NAME = segment.feed_name(INSTANCE, "f")
GEOMETRY = segment.Geometry(8, 1, 16)


@pytest.fixture
def killed(tmp_path: Path) -> Iterator[Mapping]:
    """The segment of a feed whose server was killed; its store kept its files in tmp_path."""
    mapping = segment.create_feed(NAME, GEOMETRY, 1, time.time_ns())
    segment.create_marker(segment.marker_name(INSTANCE, mark_of(tmp_path)[0]))
    table = TableWriter(mapping)
    Heartbeat(mapping).take_over(os.getpid(), time.time_ns())
    for number, symbol in enumerate(("AAPL", "MSFT")):
        table.add(symbol, "XNAS")
        publish(mapping, number, 100 + number, seq=1)
    yield mapping
    for name in segment.leftovers(INSTANCE):
        segment.remove(name)


def publish(mapping: Mapping, row: int, price: int, *, seq: int) -> None:
    now = time.time_ns()
    values = {"exchange_time": now, "publish_time": now, "session_start": now}
    TableWriter(mapping).put(row, price=price, seq=seq, **values)


def feed() -> FeedConfig:
    lines = ['name = "f"', 'protocol = "itch50"', 'session = "moldudp64"', 'venue = "XNAS"']
    return parse("[[feeds]]\n" + "\n".join([*lines, 'lines = ["127.0.0.1:26477"]'])).feeds[0]


def restored(folder: Path) -> dict[str, tuple[int, int]]:
    """(price, seq) by symbol after the next start."""
    fresh = segment.private_feed(GEOMETRY, 2, time.time_ns())
    left = LeftBehind(INSTANCE, folder).contents("f")
    restore_feed(fresh, feed(), folder, time.time_ns(), 30, left)
    table = PriceTable(fresh)
    rows = {table.symbol(row): table.values(row) for row in range(len(table))}
    return {symbol: (row["price"], row["seq"]) for symbol, row in rows.items() if row is not None}


def test_rows_are_those_of_the_last_moment(tmp_path: Path, killed: Mapping) -> None:
    FeedSnapshots(killed, tmp_path, "f").take(time.time_ns())
    publish(killed, 0, 105, seq=7)
    Heartbeat(killed).beat(time.time_ns())
    assert restored(tmp_path) == {"AAPL": (105, 7), "MSFT": (101, 1)}


def test_a_row_whose_writer_was_killed_in_it_has_its_last_whole_values(
    tmp_path: Path, killed: Mapping
) -> None:
    publish(killed, 0, 105, seq=7)
    with (segment.SHM_FOLDER / NAME.lstrip("/")).open("r+b") as file:
        generation = int.from_bytes(os.pread(file.fileno(), 8, BODY_OFFSET), "little")
        os.pwrite(file.fileno(), (generation + 1).to_bytes(8, "little"), BODY_OFFSET)
        resting = BODY_OFFSET + 64 + (1 - generation // 2 % 2) * 192
        os.pwrite(file.fileno(), b"\xff" * 100, resting)
    assert restored(tmp_path) == {"AAPL": (105, 7), "MSFT": (101, 1)}


def test_rows_are_those_of_the_last_moment_after_the_last_beat_too(
    tmp_path: Path, killed: Mapping
) -> None:
    """A beat is a tenth of a second old when a feed is killed, or more on a full machine, and a
    snapshot may be newer than it."""
    FeedSnapshots(killed, tmp_path, "f").take(Heartbeat(killed).time_ns + 1)
    publish(killed, 0, 105, seq=7)
    assert restored(tmp_path) == {"AAPL": (105, 7), "MSFT": (101, 1)}


def test_rows_that_a_start_took_from_memory_are_those_of_the_next_start_too(
    tmp_path: Path, killed: Mapping
) -> None:
    """The second server is killed before its feed beats."""
    FeedSnapshots(killed, tmp_path, "f").take(Heartbeat(killed).time_ns + 1)
    publish(killed, 0, 105, seq=7)
    left = LeftBehind(INSTANCE, tmp_path).contents("f")
    fresh = segment.create_feed(NAME + segment.UNFINISHED, GEOMETRY, 2, time.time_ns())
    restore_feed(fresh, feed(), tmp_path, time.time_ns(), 30, left)
    segment.finish(NAME)
    assert restored(tmp_path) == {"AAPL": (105, 7), "MSFT": (101, 1)}


@pytest.mark.parametrize("emptied", [False, True])
def test_another_store_does_not_get_them(tmp_path: Path, killed: Mapping, emptied: bool) -> None:
    folder = tmp_path
    if emptied:
        (tmp_path / FOLDER / MARK).unlink()
    else:
        folder = tmp_path / "other"
    assert restored(folder) == {}
    assert len(PriceTable(killed)) == 2


def test_a_folder_that_took_no_file_gets_them_when_it_does(tmp_path: Path, killed: Mapping) -> None:
    (tmp_path / FOLDER / MARK).unlink()
    for name in segment.leftovers(INSTANCE):
        if ".mark-" in name:
            segment.remove(name)
    (tmp_path / "file").write_text("where the folder should be")
    mark, fresh = mark_of(tmp_path / "file")
    assert fresh
    segment.create_marker(segment.marker_name(INSTANCE, mark))
    assert len(restored(tmp_path)) == len(PriceTable(killed)) == 2


def test_a_snapshot_that_somebody_made_since_is_preferred(tmp_path: Path, killed: Mapping) -> None:
    other = segment.private_feed(GEOMETRY, 3, time.time_ns())
    TableWriter(other).add("AAPL", "XNAS")
    publish(other, 0, 200, seq=9)
    FeedSnapshots(other, tmp_path, "f").take(Heartbeat(killed).time_ns + 1)
    assert restored(tmp_path) == {"AAPL": (200, 9)}


def test_segments_of_another_version_or_unfinished_ones_are_not_of_use(killed: Mapping) -> None:
    segment.create_feed(NAME + segment.UNFINISHED, GEOMETRY, 1, time.time_ns())
    assert feed_segments(INSTANCE) == {NAME}
    with (segment.SHM_FOLDER / NAME.lstrip("/")).open("r+b") as file:
        os.pwrite(file.fileno(), (999).to_bytes(8, "little"), 8)
    assert feed_segments(INSTANCE) == set()
    assert len(PriceTable(killed)) == 2

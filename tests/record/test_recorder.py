"""The recorder beside a feed that does not wait: what it misses, drops or cannot write is told."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.record.days import Watched, only_recording, play_day
from ticker.record.recorder import Recorder
from ticker.record.tape import Tape
from ticker.shm.counters import Counters
from ticker.shm.gaps import KEPT, GapLedger
from ticker.shm.header import KIND_RECORDER, Mapping, segment_size
from ticker.shm.layout import RecordKind, TradeFlag
from ticker.shm.ring import RingWriter
from ticker.shm.segment import Geometry, private_feed
from ticker.shm.table import PriceTable, TableWriter

START = 1_767_625_000_000_000_000
E9 = 1_000_000_000
LAST = int(RecordKind.RECORD_TRADE)
REGULAR = int(TradeFlag.TRADE_REGULAR)


class Feed:
    """One symbol, whose trades a test says, as a publisher would show them."""

    def __init__(self, capacity: int = 1 << 12) -> None:
        self.mapping: Mapping = private_feed(Geometry(4, 1, capacity), 1, 1)
        self.table = TableWriter(self.mapping)
        self.row = self.table.add("AAPL", "XNAS")
        self.ring = RingWriter(self.mapping, 0)
        self.seq = 0

    def trade(self, price: int, at: int) -> None:
        self.seq += 1
        time_ns = START + at
        values = self.table.values(self.row)
        assert values is not None
        self.table.put(
            self.row,
            price=price,
            size=10,
            seq=self.seq,
            volume=values["volume"] + 10,
            trades=values["trades"] + 1,
            open=values["open"] or price,
            open_time=values["open_time"] or time_ns,
            high=max(values["high"], price),
            low=min(values["low"] or price, price),
            regular_price=price,
            exchange_time=time_ns,
            receive_time=time_ns + 5,
            publish_time=time_ns + 9,
        )
        self.ring.put(0, LAST, price, 10, time_ns, self.seq, time_ns + 9, self.seq, REGULAR)


def recorder(feed: Feed, folder: Path, **more: object) -> Recorder:
    tape = Tape(feed.mapping, "f", folder, "America/New_York", batch=256, most_waiting=4)
    options = {"max_bytes": 1 << 30, "interval": 3600.0, **more}
    return Recorder([tape], folder, **options)  # type: ignore[arg-type]


def gathered(made: Recorder) -> None:
    [tape] = made.tapes
    tape.look()
    tape.gather(whole=True)
    tape.take()


def finish(made: Recorder) -> None:
    [tape] = made.tapes
    tape.take(last=True)
    made.turn(last=True)


def events(folder: Path, kind: str) -> list[dict[str, object]]:
    found = []
    for file in only_recording(folder).files:
        found += [each for each in pq.read_table(file.path).to_pylist() if each["kind"] == kind]
    return found


def check_plays(folder: Path, feed: Feed) -> None:
    """The last row of the recording is the feed's."""
    assert play_day(only_recording(folder)).rows()[0][4] == PriceTable(feed.mapping).values(0)


def test_what_laps_the_recorder_is_counted_and_told(tmp_path: Path) -> None:
    feed = Feed(capacity=64)
    made = recorder(feed, tmp_path)
    feed.trade(10 * E9, 1)
    gathered(made)
    for at in range(200):
        feed.trade((11 + at) * E9, 10 + at)
    feed.trade(5 * E9, 1000)
    gathered(made)
    feed.trade(6 * E9, 2000)
    gathered(made)
    finish(made)
    [tape] = made.tapes
    trades, lapped = events(tmp_path, "trade"), events(tmp_path, "lapped")
    assert tape.lapped == sum(int(str(each["count"])) for each in lapped) > 0
    assert len(trades) + tape.lapped == 203
    check_plays(tmp_path, feed)


def test_a_disk_that_takes_nothing_costs_the_oldest_events(tmp_path: Path) -> None:
    feed = Feed()
    folder = tmp_path / "out"
    folder.write_text("in the way")
    segment = Mapping(bytearray(segment_size(KIND_RECORDER)), True)
    segment.format(KIND_RECORDER, 1, 1)
    counters = Counters(segment)
    made = recorder(feed, folder, counters=counters)
    for at in range(2000):
        feed.trade(10 * E9 + at, at)
        gathered(made)
    made.turn()
    assert made.failing.keys() == {"events of f"}
    assert counters["failing"] == 1
    assert counters["faults"] == 1
    [tape] = made.tapes
    assert tape.dropped > 0
    assert len(tape.waiting) <= 4
    folder.unlink()
    made.turn()
    assert not made.failing
    assert counters["failing"] == 0
    feed.trade(7 * E9, 9000)
    gathered(made)
    finish(made)
    assert counters["dropped"] == tape.dropped
    assert counters["events"] == tape.events
    assert counters["disk_bytes"] > 0
    told = sum(int(str(each["count"])) for each in events(folder, "lapped"))
    assert told == tape.dropped
    check_plays(folder, feed)


def test_the_oldest_hours_go_where_there_is_no_more_room(tmp_path: Path) -> None:
    feed = Feed()
    made = recorder(feed, tmp_path, max_bytes=30_000)
    for hour in range(6):
        for at in range(100):
            feed.trade(10 * E9 + at * 7919, hour * 3600 * E9 + at)
        gathered(made)
        made.turn()
    finish(made)
    files = only_recording(tmp_path).files
    assert 0 < len(files) < 6
    assert made.removed == 6 - len(files)
    assert files[-1].hour - files[0].hour == len(files) - 1
    assert made.disk_bytes < 40_000
    check_plays(tmp_path, feed)


def test_an_hour_that_is_too_large_by_itself_is_a_fault(tmp_path: Path) -> None:
    feed = Feed()
    made = recorder(feed, tmp_path, max_bytes=1000)
    for at in range(2):
        feed.trade(10 * E9, at)
        gathered(made)
        made._due.set()
        made.turn()
    assert "max_gigabytes" in made.failing["events of f"]


def test_a_second_recorder_is_refused(tmp_path: Path) -> None:
    feed = Feed()
    first, second = recorder(feed, tmp_path), recorder(feed, tmp_path)
    first.turn()
    second.turn()
    assert not first.failing
    assert "recorded there already" in second.failing["events of f"]


@pytest.mark.slow
def test_a_feed_that_goes_on_is_recorded_until_the_end(tmp_path: Path) -> None:
    feed = Feed(1 << 16)
    tape = Tape(feed.mapping, "f", tmp_path, "America/New_York")
    made = Recorder([tape], tmp_path, max_bytes=1 << 30, interval=0.1)
    stop = threading.Event()
    thread = threading.Thread(target=made.serve, args=(stop,))
    thread.start()
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        for _ in range(20):
            feed.trade((10 + feed.seq % 90) * E9, feed.seq * 1000)
        time.sleep(0.001)
    stop.set()
    thread.join()
    trades = events(tmp_path, "trade")
    assert [each["seq"] for each in trades] == list(range(1, feed.seq + 1))
    assert tape.lapped == 0
    check_plays(tmp_path, feed)


def test_a_feed_without_a_trade_makes_no_file(tmp_path: Path) -> None:
    made = recorder(Feed(), tmp_path)
    gathered(made)
    made.turn(last=True)
    assert not list(tmp_path.glob("*.parquet"))
    assert Watched().records() == [[], [], [], []]


def told_gaps(folder: Path) -> list[tuple[object, ...]]:
    """Of each loss the messages, and the numbers of its gap."""
    found: list[tuple[object, ...]] = []
    for event in events(folder, "gap"):
        gap = json.loads(str(event["words"])) if event["words"] else {}
        found.append((event["count"], gap.get("first"), gap.get("last"), gap.get("line")))
    return found


def test_a_loss_is_told_with_the_numbers_of_its_gap(tmp_path: Path) -> None:
    feed = Feed()
    ledger = GapLedger(feed.mapping)
    before = ledger.found_from_python(3, 5, START)
    ledger.became_from_python(before, "lost_upstream", 2, START)
    made = recorder(feed, tmp_path)
    feed.trade(10 * E9, 1)
    gathered(made)
    filled = ledger.found_from_python(10, 20, START, line=1)
    lost = ledger.found_from_python(30, 42, START, line=1)
    ledger.became_from_python(filled, "recovered", 10, START + 5)
    ledger.became_from_python(lost, "filled_by_line", 2, START + 5)
    ledger.became_from_python(lost, "lost_upstream", 4, START + 6)
    gathered(made)
    ledger.became_from_python(lost, "lost_upstream", 5, START + 7)
    ledger.became_from_python(lost, "lost_downstream", 1, START + 8)
    gathered(made)
    gathered(made)
    finish(made)
    assert told_gaps(tmp_path) == [(4, 30, 41, "b"), (6, 30, 41, "b")]
    check_plays(tmp_path, feed)


def test_losses_that_the_ledger_has_only_in_sum_are_told(tmp_path: Path) -> None:
    feed = Feed()
    ledger = GapLedger(feed.mapping)
    made = recorder(feed, tmp_path)
    feed.trade(10 * E9, 1)
    gathered(made)
    for number in range(KEPT + 100):
        gap = ledger.found_from_python(10 * number, 10 * number + 2, START)
        ledger.became_from_python(gap, "lost_upstream", 2, START)
    for _ in range(3):
        gathered(made)
    finish(made)
    found = told_gaps(tmp_path)
    assert sum(int(str(count)) for count, *_ in found) == 2 * (KEPT + 100)
    assert [each for each in found if each[1] is None] == [(200, None, None, None)]
    assert len(found) == KEPT + 1

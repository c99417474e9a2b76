"""A segment from the frames of another one: the same rows, whatever happens between the two."""

from __future__ import annotations

import pytest

from tests.cluster.pair import FEED, MS, SHARDS, Box, Frames, Pair
from tests.cluster.source import GEOMETRY, START, Source, count, rows_of
from ticker.cluster.frame import FrameKind, Head, asking, identity, life_of, make_frame
from ticker.cluster.incoming import Incoming, Verdict
from ticker.cluster.outgoing import Outgoing
from ticker.shm.gaps import GapReader
from ticker.shm.layout import RecordKind, RowFlag
from ticker.shm.segment import Geometry, private_feed
from ticker.shm.table import PriceTable


@pytest.fixture
def pair() -> Pair:
    return Pair()


def test_rows_and_trades_come_as_they_are(pair: Pair) -> None:
    apple = pair.source.add("AAPL", size_exponent=2, instrument_key=13)
    pair.join()
    for price in (10, 20, 15):
        pair.source.trade(apple, price)
    pair.source.quote(apple, 14, 16)
    assert pair.box.take(pair.frames()) == [Verdict.VERDICT_TAKEN]
    pair.same()
    told = [(record["kind"], record["price"], record["seq"]) for record in pair.box.records()]
    trade, quote = RecordKind.RECORD_TRADE, RecordKind.RECORD_QUOTE
    assert told == [(trade, 10, 1), (trade, 20, 2), (trade, 15, 3), (quote, 14, 7)]
    assert count(pair.box.mapping, "trades") == 3


def test_a_row_that_comes_later_is_named_in_its_frame(pair: Pair) -> None:
    pair.join()
    for number in range(40):
        pair.source.trade(pair.source.add(f"S{number}"), 100 + number)
    assert set(pair.box.take(pair.frames())) == {Verdict.VERDICT_TAKEN}
    pair.same()


def test_a_row_that_changed_without_a_record_comes_with_the_next_look(pair: Pair) -> None:
    row = pair.source.add("A")
    pair.join()
    pair.source.table.put(row, session_start=START)
    assert pair.frames() == []
    pair.outgoing.look()
    pair.box.take(pair.frames())
    pair.same()


def test_the_first_change_goes_at_once_and_further_ones_wait(pair: Pair) -> None:
    row = pair.source.add("A")
    pair.join()

    def at(ms: int) -> int:
        pair.outgoing.gather()
        return len(pair.outgoing.flush(pair.time + ms * MS))

    pair.source.trade(row, 1)
    assert at(100) == 1
    pair.source.trade(row, 2)
    assert at(101) == at(109) == 0
    assert at(110) == 1
    assert at(200) == 0


def test_nothing_is_taken_before_the_image_of_a_shard(pair: Pair) -> None:
    row = pair.source.add("A")
    pair.outgoing.begin(1 << 8 | 1)
    pair.source.trade(row, 5)
    assert pair.box.take(pair.frames()) == [Verdict.VERDICT_HELD]
    assert len(PriceTable(pair.box.mapping)) == 0
    pair.heal()
    pair.same()


def test_a_lost_frame_is_a_gap_that_an_image_ends(pair: Pair) -> None:
    row = pair.source.add("A")
    pair.join()
    pair.source.trade(row, 1)
    pair.frames()  # lost
    pair.source.trade(row, 2)
    assert pair.box.take(pair.frames()) == [Verdict.VERDICT_HELD]
    assert pair.box.incoming.wanting() != []
    pair.heal()
    assert pair.box.incoming.wanting() == []
    pair.same()
    # the trade of the frame that came is told, the other one is a hole
    trades = [each for each in pair.box.records() if each["kind"] == RecordKind.RECORD_TRADE]
    assert [(each["price"], each["seq"]) for each in trades] == [(2, 2)]
    gaps = GapReader(pair.box.mapping).sums()
    assert (gaps.number, gaps.missing, gaps.lost_upstream) == (1, 1, 1)
    assert count(pair.box.mapping, "lost_messages") == 1


def test_a_lost_last_frame_is_noticed_by_the_state(pair: Pair) -> None:
    row = pair.source.add("A")
    pair.join()
    pair.source.trade(row, 1)
    pair.frames()  # lost, and nothing follows
    assert pair.box.incoming.wanting() == []
    pair.heal()
    pair.same()


def test_reordered_frames_make_no_gap(pair: Pair) -> None:
    row = pair.source.add("A")
    pair.join()
    found: Frames = []
    for price in range(1, 6):
        pair.source.trade(row, price)
        found += pair.frames()
    pair.box.take(found[::-1])
    pair.same()
    assert [each["seq"] for each in pair.box.records()] == [1, 2, 3, 4, 5]
    assert GapReader(pair.box.mapping).sums().number == 0


def test_a_frame_that_comes_twice_changes_nothing(pair: Pair) -> None:
    row = pair.source.add("A")
    pair.join()
    pair.source.trade(row, 1)
    frames = pair.frames()
    pair.box.take(frames)
    assert pair.box.take(frames) == [Verdict.VERDICT_DUPLICATE]
    assert len(pair.box.records()) == 1
    assert count(pair.box.mapping, "duplicate_messages") == 1


def test_any_flipped_bit_is_refused(pair: Pair) -> None:
    row = pair.source.add("A")
    pair.join()
    pair.source.trade(row, 1)
    ((_, shard, frame),) = pair.frames()
    for bit in range(8 * len(frame)):
        flipped = bytearray(frame)
        flipped[bit // 8] ^= 1 << bit % 8
        verdict = pair.box.incoming.take(bytes(flipped), START, shard)
        assert verdict == Verdict.VERDICT_REFUSED, f"bit {bit}"
    assert pair.box.records() == []
    assert pair.box.incoming.take(frame, START, shard) == Verdict.VERDICT_TAKEN
    pair.same()


def test_a_frame_of_another_feed_shard_or_version_is_refused(pair: Pair) -> None:
    row = pair.source.add("A")
    pair.join()
    pair.source.trade(row, 1)
    ((_, shard, frame),) = pair.frames()
    other = Incoming(private_feed(GEOMETRY, 9, START), identity("test", "other"), SHARDS)
    assert other.take(frame, START, shard) == Verdict.VERDICT_REFUSED
    assert pair.box.incoming.take(frame, START, shard + 1) == Verdict.VERDICT_REFUSED
    fewer = Incoming(private_feed(GEOMETRY, 9, START), FEED, 3)
    assert fewer.take_state(pair.outgoing.state_frame(START), START) == Verdict.VERDICT_REFUSED
    assert count(pair.box.mapping, "bad_packets") == 1


def test_an_epoch_that_is_over_changes_nothing(pair: Pair) -> None:
    row = pair.source.add("A")
    pair.source.trade(row, 5)
    pair.join()
    later = Outgoing(pair.source.mapping, FEED, SHARDS, 10 * MS)
    later.begin(2 << 8 | 2)
    pair.box.take(later.images(list(range(SHARDS)), pair.time))
    before = rows_of(pair.box.mapping)
    pair.source.trade(row, 6)
    assert pair.box.take(pair.frames()) == [Verdict.VERDICT_OLD]
    assert pair.box.take(pair.images([0])) == [Verdict.VERDICT_OLD]
    assert rows_of(pair.box.mapping) == before
    assert pair.box.incoming.epoch == 2 << 8 | 2


def test_two_boxes_in_one_epoch_are_not_mixed(pair: Pair) -> None:
    pair.source.trade(pair.source.add("A"), 5)
    pair.join()
    twin = Source(boot=8)
    twin.trade(twin.add("A"), 6)
    other = Outgoing(twin.mapping, FEED, SHARDS, 10 * MS)
    other.begin(1 << 8 | 1)
    assert set(pair.box.take(other.images(list(range(SHARDS)), START))) == {Verdict.VERDICT_OTHER}
    pair.same()


def test_a_new_speaker_that_has_less_takes_nothing_back(pair: Pair) -> None:
    row = pair.source.add("A")
    for price in (10, 30, 20):
        pair.source.trade(row, price)
    pair.join()
    shown = rows_of(pair.box.mapping)["A", "XNAS"][3]
    # it began later, and is a trade behind
    standby = Source(boot=8)
    standby.now = pair.source.now - 120_000
    ours = standby.add("A")
    standby.trade(ours, 30)
    outgoing = Outgoing(standby.mapping, FEED, SHARDS, 10 * MS)
    outgoing.begin(2 << 8 | 2)
    pair.box.take(outgoing.images(list(range(SHARDS)), START))
    merged = rows_of(pair.box.mapping)["A", "XNAS"][3]
    assert {key: merged[key] for key in ("price", "seq", "volume", "high", "low")} == {
        key: shown[key] for key in ("price", "seq", "volume", "high", "low")
    }
    assert merged["flags"] & RowFlag.ROW_STALE
    # and goes on from there
    standby.now = pair.source.now
    standby.trade(ours, 40)
    outgoing.gather()
    pair.box.take(outgoing.flush(START + MS))
    goes_on = rows_of(pair.box.mapping)["A", "XNAS"][3]
    assert (goes_on["price"], goes_on["seq"], goes_on["high"]) == (40, 4, 40)
    assert goes_on["volume"] >= shown["volume"]
    assert [each["seq"] for each in pair.box.records() if each["price"] == 40] == [4]


def test_rows_that_nobody_vouches_for_are_stale(pair: Pair) -> None:
    pair.source.trade(pair.source.add("A"), 1)
    pair.source.trade(pair.source.add("B"), 1)
    pair.join()
    standby = Source(boot=8)
    standby.trade(standby.add("A"), 2)
    outgoing = Outgoing(standby.mapping, FEED, SHARDS, 10 * MS)
    outgoing.begin(2 << 8 | 2)
    pair.box.take(outgoing.images(list(range(SHARDS)), START))
    rows = rows_of(pair.box.mapping)
    assert rows["B", "XNAS"][3]["flags"] & RowFlag.ROW_STALE
    assert rows["B", "XNAS"][3]["price"] == 1


def test_a_restarted_bridge_remembers_the_epoch_and_heals(pair: Pair) -> None:
    row = pair.source.add("A")
    pair.source.trade(row, 1)
    pair.join()
    pair.box.restart()
    assert pair.box.incoming.epoch == 1 << 8 | 1
    pair.source.trade(row, 2)
    pair.box.take(pair.frames())
    pair.heal()
    pair.same()


def test_a_table_without_room_leaves_the_other_rows_right(pair: Pair) -> None:
    pair.box = Box(geometry=Geometry(rows=2, rings=2, ring_capacity=4096))
    rows = [pair.source.add(name) for name in ("A", "B", "C")]
    pair.join()
    for row in rows:
        pair.source.trade(row, 7 + row)
        pair.source.quote(row, 1, 2)
    pair.box.take(pair.frames())
    there = rows_of(pair.box.mapping)
    assert len(there) == 2
    assert {each[3]["price"] for each in there.values()} <= {7, 8, 9}
    assert count(pair.box.mapping, "table_full") == 1


def test_an_image_that_needs_several_frames_is_taken_whole_or_not_at_all() -> None:
    geometry = Geometry(rows=3000, rings=2, ring_capacity=4096)
    source = Source(geometry=geometry)
    for number in range(2500):
        source.table.put(source.add(f"S{number}"), price=number + 1, seq=1)
    outgoing = Outgoing(source.mapping, FEED, 1, 10 * MS)
    outgoing.begin(257)
    frames = outgoing.images([0], START)
    assert len(frames) == 3
    box = Box(shards=1, geometry=geometry)
    assert box.take(frames[1:]) == [Verdict.VERDICT_HELD] * 2
    assert len(PriceTable(box.mapping)) == 0
    assert box.take(frames[:1]) == [Verdict.VERDICT_TAKEN]
    assert rows_of(box.mapping) == rows_of(source.mapping)


def test_a_lapped_relay_tells_all_rows_again() -> None:
    source = Source(geometry=Geometry(rows=8, rings=1, ring_capacity=4))
    row = source.add("A")
    outgoing = Outgoing(source.mapping, FEED, SHARDS, 10 * MS)
    outgoing.begin(257)
    box = Box()
    box.take(outgoing.images(list(range(SHARDS)), START))
    for price in range(1, 20):
        source.trade(row, price)
    outgoing.gather()
    box.take(outgoing.flush(START + MS))
    assert rows_of(box.mapping) == rows_of(source.mapping)
    assert outgoing.lapped > 0
    assert RecordKind.RECORD_CORRECTION in {each["kind"] for each in box.records()}


def test_frames_that_are_neither_deltas_nor_images_change_nothing(pair: Pair) -> None:
    ask = Head(FrameKind.FRAME_ASK, 0, 257, 0, 7, START)
    frame = make_frame(ask, FEED, asking([1, 2]))
    assert pair.box.incoming.take(frame, START, 0) == Verdict.VERDICT_REFUSED
    assert pair.box.incoming.take_state(frame, START) == Verdict.VERDICT_REFUSED


def test_the_state_of_a_dead_feed_worker_is_stale(pair: Pair) -> None:
    pair.source.heartbeat.set_state(2)
    pair.box.incoming.take_state(pair.outgoing.state_frame(START), START)
    assert pair.box.incoming.speaker_state == 2
    later = START + 4_000 * MS
    pair.box.incoming.take_state(pair.outgoing.state_frame(later), later)
    assert pair.box.incoming.speaker_state == 3


def test_a_relay_that_is_started_again_is_not_taken_for_its_predecessor(pair: Pair) -> None:
    """It may not have heard of the epoch that it claims; then it is another one in that epoch."""
    row = pair.source.add("A")
    pair.source.trade(row, 5)
    lives = [life_of(7, number) for number in (1, 2)]
    first, second = (
        Outgoing(pair.source.mapping, FEED, SHARDS, 10 * MS, boot=life) for life in lives
    )
    first.begin(257)
    pair.box.take(first.images(list(range(SHARDS)), START))
    second.begin(257)
    assert set(pair.box.take(second.images([0], START))) == {Verdict.VERDICT_OTHER}
    # in the next epoch it is the same box: what its count leaves out is lost, and said
    pair.box.records()
    pair.source.trade(row, 6, told=False)
    second.begin(2 << 8 | 1)
    pair.box.take(second.images(list(range(SHARDS)), START))
    pair.source.trade(row, 7)
    second.gather()
    pair.box.take(second.flush(START + MS))
    pair.same()
    assert [each["seq"] for each in pair.box.records() if each["price"] == 7] == [3]


def test_words_that_seldom_change_stay_through_many_changes_of_the_others() -> None:
    """A row has two copies; what is left out of one publication must be in both."""
    pair = Pair()
    row = pair.source.add("A")
    pair.source.trade(row, 10)
    pair.join()
    for price in range(11, 17):
        pair.source.trade(row, price)
        pair.box.take(pair.frames())
        pair.same()
    pair.source.correct(row, 15)
    for price in range(17, 22):
        pair.box.take(pair.frames())
        pair.same()
        pair.source.trade(row, price)
    pair.source.correct(row, 20)
    pair.box.take(pair.frames())
    pair.box.take(pair.images())
    pair.same()

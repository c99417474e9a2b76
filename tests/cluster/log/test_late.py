"""Trades that the log gives after their rows: each is told once and in order, or is said lost."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

import pytest

from tests.cluster.pair import FEED, SHARDS, Frames, Pair
from tests.cluster.source import START, count
from ticker.cluster.frame import FrameKind
from ticker.cluster.incoming import Incoming, Verdict
from ticker.shm.gaps import GapReader
from ticker.shm.layout import RecordKind

SALES = (RecordKind.RECORD_TRADE, RecordKind.RECORD_PRINT)


class Logged:
    """A pair with a bridge that has a log; the log is a list of all frames."""

    def __init__(self) -> None:
        self.pair = Pair()
        self.log: Frames = []
        self.row = self.pair.source.add("AAPL")
        self.pair.join()
        self.pair.box.incoming.use_log(0)

    def trade(self, price: int) -> Frames:
        self.pair.source.trade(self.row, price)
        frames = self.pair.frames()
        self.log += frames
        return frames

    def heal(self) -> None:
        """The image closes the gap of rows."""
        self.pair.heal()

    def recall(self, frames: Frames | None = None) -> list[int]:
        incoming = self.pair.box.incoming
        given = self.log if frames is None else frames
        return [incoming.recall(frame, START, shard) for _, shard, frame in given]

    def sales(self) -> list[int]:
        """The prices of all trades that were told."""
        return [each["price"] for each in self.pair.box.records() if each["kind"] in SALES]

    def counted(self, name: str) -> int:
        return count(self.pair.box.mapping, name)


@pytest.fixture
def logged() -> Logged:
    return Logged()


def test_rows_come_at_once_and_trades_in_order_when_the_log_has_given_the_lost_ones(
    logged: Logged,
) -> None:
    box = logged.pair.box
    box.take(logged.trade(10))
    logged.trade(20)  # never comes
    box.take(logged.trade(30))
    logged.heal()
    box.take(logged.trade(40))
    logged.pair.same()
    assert logged.sales() == [10]
    assert box.incoming.owing() != []
    assert box.incoming.late.since() > 0
    logged.recall()
    assert logged.sales() == [20, 30, 40]
    assert box.incoming.owing() == []
    box.take(logged.trade(50))
    assert logged.sales() == [50]
    assert logged.counted("lost_messages") == 0
    assert logged.counted("recovered_messages") == 1
    assert logged.counted("gaps") == 1
    assert box.incoming.late.recalled == 1


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_the_order_of_what_the_log_gives_does_not_matter(
    logged: Logged, order: tuple[int, ...]
) -> None:
    logged.pair.box.take(logged.trade(1))
    lost = [logged.trade(price) for price in (2, 3, 4, 5)]
    logged.pair.box.take(logged.trade(6))
    logged.heal()
    for number in order:
        logged.recall(lost[number])
    assert logged.sales() == [1, 2, 3, 4, 5, 6]
    assert logged.recall() == [Verdict.VERDICT_DUPLICATE] * 6


def test_what_the_log_lacks_is_lost_and_told(logged: Logged) -> None:
    box = logged.pair.box
    box.take(logged.trade(1))
    lost = [logged.trade(price) for price in (2, 3, 4)]
    logged.heal()
    logged.recall(lost[1])
    assert box.incoming.forgive(START) == 2
    assert logged.sales() == [1, 3]
    assert box.incoming.owing() == []
    assert logged.counted("lost_messages") == 2
    assert logged.counted("recovered_messages") == 1
    assert logged.counted("gap_messages") == 3
    told = GapReader(box.mapping).last(10)
    assert [(gap.start, gap.end) for gap in told] == [(3, 4), (5, 6)]
    box.take(logged.trade(5))
    assert logged.sales() == [5]


def test_a_gap_at_the_end_of_an_epoch_is_closed_by_the_next_one(logged: Logged) -> None:
    box = logged.pair.box
    box.take(logged.trade(1))
    logged.trade(2)
    logged.heal()
    assert box.incoming.owing() != []
    logged.pair.outgoing.begin(2 << 8 | 1)
    box.take(logged.pair.images())
    assert box.incoming.owing() == []
    assert logged.counted("lost_messages") == 1
    assert set(logged.recall()) == {Verdict.VERDICT_OLD}


@pytest.fixture
def restarted(logged: Logged) -> Callable[[], None]:
    """The bridge is killed, and its successor has an image."""

    def run() -> None:
        box = logged.pair.box
        box.incoming = Incoming(box.mapping, FEED, SHARDS)
        box.incoming.use_log(START + 10**12)
        logged.pair.join()

    return run


def test_a_successor_tells_what_came_while_nobody_was_there(
    logged: Logged, restarted: Callable[[], None]
) -> None:
    box = logged.pair.box
    for price in (1, 2):
        box.take(logged.trade(price))
    for price in (3, 4):
        logged.trade(price)
    restarted()
    logged.pair.same()
    box.take(logged.trade(5))
    assert logged.sales() == [1, 2]
    assert box.incoming.late.since() > 0
    logged.recall()
    assert logged.sales() == [3, 4, 5]
    box.incoming.forgive(START)
    assert logged.counted("lost_messages") == 0


def test_a_successor_that_is_killed_before_the_log_gave_anything_has_lost_nothing(
    logged: Logged, restarted: Callable[[], None]
) -> None:
    """The rows that it has shown say nothing of the trades that readers were told."""
    box = logged.pair.box
    for price in (1, 2):
        box.take(logged.trade(price))
    told = logged.pair.source.now
    logged.trade(3)
    restarted()
    box.take(logged.trade(4))
    restarted()
    assert box.incoming.late.since() in range(told, told + 10)
    box.take(logged.trade(5))
    logged.recall()
    assert logged.sales() == [1, 2, 3, 4, 5]


def test_a_successor_without_an_answer_of_the_log_goes_on(
    logged: Logged, restarted: Callable[[], None]
) -> None:
    box = logged.pair.box
    box.take(logged.trade(1))
    logged.trade(2)
    restarted()
    box.take(logged.trade(3))
    assert logged.sales() == [1]
    box.incoming.late.settle_quiet(box.incoming.epoch, START)
    assert logged.sales() == [3]
    assert box.incoming.owing() == []


def test_a_break_that_a_predecessor_told_is_not_told_again(
    logged: Logged, restarted: Callable[[], None]
) -> None:
    """Breaks have no number of their own: the row says whether it has had them."""
    pair, box = logged.pair, logged.pair.box
    for price in (10, 20, 30):
        box.take(logged.trade(price))

    def broken() -> Frames:
        pair.source.correct(logged.row, 10)
        frames = pair.frames()
        logged.log += frames
        return frames

    box.take(broken())
    broken()
    restarted()
    box.records()
    logged.recall()
    kinds = [each["kind"] for each in box.records()]
    assert kinds.count(RecordKind.RECORD_CANCELLED) == 1


@pytest.mark.stress
def test_a_shard_that_waits_for_too_much_gives_up_what_it_misses(logged: Logged) -> None:
    box = logged.pair.box
    box.take(logged.trade(1))
    logged.trade(2)
    logged.heal()
    number = box.incoming.owing()[0]
    many = 4000
    rounds = 0
    while box.incoming.owing():
        for _ in range(many):
            logged.pair.source.trade(logged.row, 7)
        box.take(logged.pair.frames())
        box.records()
        rounds += 1
        assert rounds < 1000
    assert logged.counted("lost_messages") == 1
    assert rounds * many * 48 > 60 << 20
    assert number not in box.incoming.owing()


def test_what_is_no_frame_of_the_log_changes_nothing(logged: Logged) -> None:
    box = logged.pair.box
    box.take(logged.trade(1))
    lost = logged.trade(2)
    logged.heal()
    kind, shard, frame = lost[0]
    flipped = bytearray(frame)
    flipped[70] ^= 1
    image = next(each for each in logged.pair.images() if each[0] == FrameKind.FRAME_IMAGE)
    bad = box.incoming.recall
    assert bad(bytes(flipped), START, shard) == Verdict.VERDICT_REFUSED
    assert bad(frame, START, shard + 1) == Verdict.VERDICT_REFUSED
    assert bad(image[2], START, image[1]) == Verdict.VERDICT_REFUSED
    assert bad(b"", START, shard) == Verdict.VERDICT_REFUSED
    assert box.incoming.owing() == [shard]
    assert kind == FrameKind.FRAME_DELTA

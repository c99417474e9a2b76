"""Trades that are lost are told without the symbol's next trade, which may take hours to come."""

from __future__ import annotations

from tests.cluster.pair import MS, Pair
from tests.cluster.source import START
from ticker.shm.layout import RecordKind

SURE = 200 * MS
SKIPS_TRADES = 1
"""In `conditions`: trades up to the record's seq that were not told are not going to be."""


def skipped(pair: Pair) -> list[tuple[int, int]]:
    """(row, seq) of such records."""
    return [
        (record["row"], record["seq"])
        for record in pair.box.records()
        if record["kind"] == RecordKind.RECORD_CORRECTION and record["conditions"] & SKIPS_TRADES
    ]


def joined() -> tuple[Pair, int]:
    """A box that was told of one trade."""
    pair = Pair()
    row = pair.source.add("A")
    pair.join()
    pair.source.trade(row, 10)
    pair.box.take(pair.frames())
    return pair, row


def test_a_frame_that_is_lost_is_told_of() -> None:
    pair, row = joined()
    pair.source.trade(row, 11)
    pair.source.trade(row, 12)
    pair.frames()
    pair.heal()
    pair.box.incoming.settle(START + SURE - 1)
    assert skipped(pair) == []
    pair.box.incoming.settle(START + SURE)
    assert skipped(pair) == [(row, 3)]
    pair.box.incoming.settle(START + 2 * SURE)
    assert skipped(pair) == []


def test_trades_behind_the_hole_tell_of_it_themselves() -> None:
    pair, row = joined()
    pair.source.trade(row, 11)
    pair.frames()
    pair.source.trade(row, 12)
    pair.box.take(pair.frames())
    pair.heal()
    pair.box.incoming.settle(START + SURE)
    assert skipped(pair) == []


def test_what_a_killed_bridge_missed_is_told_of() -> None:
    pair, row = joined()
    pair.source.trade(row, 11)
    pair.frames()
    pair.box.restart()
    pair.box.take(pair.images())
    pair.box.incoming.settle(START + SURE)
    assert skipped(pair) == [(row, 2)]


def test_a_trade_that_is_behind_its_row_is_no_hole() -> None:
    """The row in the image is newer than the trades before it: the next frame has them."""
    pair, row = joined()
    pair.source.trade(row, 11)
    pair.frames()
    pair.source.trade(row, 12, told=False)
    pair.outgoing.look()
    pair.frames()
    pair.heal()
    pair.source.record_trade(row, 12, seq=3)
    pair.box.take(pair.frames())
    pair.box.incoming.settle(START + SURE)
    assert skipped(pair) == []

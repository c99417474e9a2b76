"""Frames with few bytes: what a relay makes is read here by the format alone
(ticker/cluster/frame.pxd), and says the same as plain rows and trades."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cluster.pair import FEED, MS, SHARDS, Pair
from tests.cluster.source import START, Source
from ticker.cluster.frame import FrameKind, Head, head_of, make_frame, moved
from ticker.cluster.incoming import Verdict
from ticker.cluster.natswire import publish_all
from ticker.cluster.outbox import Outbox
from ticker.cluster.outgoing import Outgoing
from ticker.errors import DecodeError
from ticker.shm.layout import RecordKind
from ticker.shm.segment import Geometry
from ticker.shm.table import FIELDS

NEAR = {"exchange_time", "receive_time", "publish_time", "quote_time"}
PACKED = 1 << 31
OF_ROW, FEW_SIZE, FEW_TIME, FEW_MATCH, FEW_SEQ = 1, 2, 4, 8, 16
OF_A_TRADE = ("price", "size", "seq", "exchange_time")
SECOND = 1_000_000_000
HEAD = Head(FrameKind.FRAME_DELTA, 0, 257, 1, 9, START)


@dataclass
class Read:
    """A frame's rows as (row, words by name), and its trades."""

    rows: list[tuple[int, dict[str, int]]]
    trades: list[dict[str, int]]


class Bytes:
    """What is left of a frame."""

    def __init__(self, data: bytes, time: int) -> None:
        self.data, self.near = data, time - (1 << 31)

    def number(self, size: int, *, near: bool = False) -> int:
        taken, self.data = self.data[:size], self.data[size:]
        return int.from_bytes(taken, "little") + (self.near if near and size == 4 else 0)

    def row(self) -> tuple[int, dict[str, int]]:
        row, mask = self.number(4), self.number(4)
        few = self.number(4) if row & PACKED else 0
        words = {}
        for at, name in enumerate(FIELDS):
            if mask >> at & 1:
                words[name] = self.number(4 if few >> at & 1 else 8, near=name in NEAR)
        return row & ~PACKED, words

    def trade(self, rows: list[tuple[int, dict[str, int]]]) -> dict[str, int]:
        row, kind, form, conditions = struct.unpack("<IBBH", self.data[:8])
        self.data = self.data[8:]
        trade = {"row": row, "kind": kind, "conditions": conditions}
        if form & OF_ROW:
            trade["row"], words = rows[row]
            trade |= {name: words[name] for name in OF_A_TRADE}
        else:
            trade["price"] = self.number(8)
            trade["size"] = self.number(4 if form & FEW_SIZE else 8)
            trade["exchange_time"] = self.number(4 if form & FEW_TIME else 8, near=True)
        trade["match"] = self.number(4 if form & FEW_MATCH else 8)
        if not form & OF_ROW:
            trade["seq"] = self.number(4 if form & FEW_SEQ else 8)
        return trade


def read(frame: bytes) -> Read:
    defines, rows, trades = struct.unpack_from("<HHI", frame, 40)
    left = Bytes(frame[64 + 56 * defines :], head_of(frame, FEED).publish_time)
    found = [left.row() for _ in range(rows)]
    told = [left.trade(found) for _ in range(trades)]
    assert not left.data
    return Read(found, told)


def test_a_trade_that_its_row_shows_is_a_dozen_bytes() -> None:
    pair = Pair()
    row = pair.source.add("AAPL")
    pair.source.trade(row, 10 * SECOND)
    pair.join()
    pair.frames()
    pair.source.trade(row, 9 * SECOND)
    ((_, _, frame),) = pair.frames()
    found = read(frame)
    values = pair.source.values(row)
    assert found.rows == [(row, {name: values[name] for name in found.rows[0][1]})]
    assert [(each["price"], each["seq"], each["match"]) for each in found.trades] == [
        (9 * SECOND, 2, 2)
    ]
    # row, mask and few; price and low; size, volume, trades, seq and three times; the trade
    assert len(frame) == 64 + 12 + 2 * 8 + 7 * 4 + 12


def test_of_several_trades_the_last_one_is_its_rows() -> None:
    pair = Pair()
    rows = [pair.source.add("A"), pair.source.add("B")]
    pair.join()
    for at in range(7):
        pair.source.trade(rows[at % 2], 100 + at, match=(1 << 40) + at)
    frames = pair.frames()
    told = [each for _, _, frame in frames for each in read(frame).trades]
    for row in rows:
        mine = [each for each in told if each["row"] == row]
        assert [each["price"] for each in mine] == [
            100 + at for at in range(7) if rows[at % 2] == row
        ]
        assert [each["seq"] for each in mine] == list(range(1, len(mine) + 1))
    assert {each["match"] >> 40 for each in told} == {1}
    pair.box.take(frames)
    pair.same()


steps = st.lists(
    st.tuples(
        st.sampled_from(["trade", "trade", "quote", "correct", "wait", "flush", "image"]),
        st.integers(0, 2),
        st.integers(1, 1 << 40),
        st.sampled_from([1, 100, (1 << 32) - 1, 1 << 32, 1 << 50]),
        st.sampled_from([0, 5, (1 << 32) - 1, 1 << 32, (1 << 63) + 1]),
    ),
    max_size=40,
)


@given(steps)
@settings(max_examples=60)
def test_any_figures_come_as_they_are(plan: list[tuple[str, int, int, int, int]]) -> None:
    """Sizes, numbers and times of any length; also times long before the frame or behind it."""
    pair = Pair()
    rows = [pair.source.add(name) for name in ("A", "B", "C")]
    pair.join()
    made: list[tuple[int, int, int]] = []
    for step, place, price, size, match in plan:
        row = rows[place]
        if step == "trade":
            pair.source.trade(row, price, size, match=match)
            made.append((price, size, match or pair.source.values(row)["seq"]))
        elif step == "quote":
            pair.source.quote(row, price, price + 1)
        elif step == "correct":
            pair.source.correct(row, price)
        elif step == "wait":
            pair.source.now += size % (10 * SECOND)
        else:
            pair.box.take(pair.frames() if step == "flush" else pair.images())
            pair.same()
    pair.box.take(pair.frames())
    pair.same()
    records = [each for each in pair.box.records() if each["kind"] == RecordKind.RECORD_TRADE]
    told = [(each["price"], each["size"], each["match"]) for each in records]
    assert sorted(told) == sorted(made)


@pytest.mark.parametrize("shift", [-40 * 86_400 * SECOND, -1, 0, 1, 3 * SECOND])
def test_a_moved_frame_has_all_its_times_moved(shift: int) -> None:
    pair = Pair()
    row = pair.source.add("AAPL")
    pair.source.now -= 100 * SECOND
    pair.source.trade(row, 10)
    pair.join()
    pair.box.take(pair.frames())
    pair.source.trade(row, 11)
    pair.source.quote(row, 9, 12)
    pair.source.now = pair.time
    pair.source.trade(row, 12)
    pair.source.trade(row, 13)
    ((_, shard, frame),) = pair.frames()
    before, after = read(frame), read(moved(frame, shift, FEED))
    for (_, old), (_, new) in zip(before.rows, after.rows, strict=True):
        assert new == {name: old[name] + shift * name.endswith("_time") for name in old}
    for old, new in zip(before.trades, after.trades, strict=True):
        assert new == {name: old[name] + shift * name.endswith("_time") for name in old}
    assert (
        pair.box.incoming.take(moved(frame, shift, FEED), pair.time, shard) == Verdict.VERDICT_TAKEN
    )


ROW = struct.pack("<III", PACKED, 0b10011 | 1 << 13, 0b10010 | 1 << 13) + struct.pack(
    "<QIII", 5, 1, 2, 3
)
OWN = struct.pack("<IBBHI", 0, RecordKind.RECORD_TRADE, OF_ROW | FEW_MATCH, 31, 7)


def fault_of(body: bytes, rows: int, trades: int) -> str:
    try:
        head_of(make_frame(HEAD, FEED, body, rows=rows, trades=trades), FEED)
    except DecodeError as error:
        return str(error)
    return ""


def test_a_row_and_its_trade_are_a_body() -> None:
    assert fault_of(ROW + OWN, 1, 1) == ""


@pytest.mark.parametrize(
    ("body", "rows", "trades"),
    [
        (ROW[:-1] + OWN, 1, 1),
        (ROW[:10], 1, 0),
        (ROW[:8] + b"\x04" + ROW[9:] + OWN, 1, 1),  # a short word that the row does not have
        (ROW[:7] + b"\x80" + ROW[8:11] + b"\x80" + ROW[12:] + OWN, 1, 1),
        (ROW + OWN[:-1], 1, 1),
        (ROW + OWN + b"\0", 1, 1),
        (ROW + b"\x01" + OWN[1:], 1, 1),  # of a row that is not there
        (struct.pack("<III", PACKED, 1, 0) + bytes(8) + OWN, 1, 1),  # of one that lacks its figures
        (ROW + OWN[:5] + bytes([OF_ROW | FEW_SIZE]) + OWN[6:] + bytes(8), 1, 1),
        (ROW + OWN[:5] + b"\x20" + OWN[6:] + bytes(36), 1, 1),
        (ROW + OWN[:5] + bytes([FEW_SEQ]) + OWN[6:] + bytes(31), 1, 1),
    ],
)  # fmt: skip
def test_short_forms_that_cannot_be_are_refused(body: bytes, rows: int, trades: int) -> None:
    assert "body" in fault_of(body, rows, trades)


def test_an_image_of_a_row_takes_half_of_its_words() -> None:
    pair = Pair()
    pair.source.trade(pair.source.add("AAPL"), 10 * SECOND)
    pair.outgoing.begin(257)
    frame = next(frame for _, _, frame in pair.images() if len(frame) > 64)
    assert len(frame) < 64 + 56 + 12 + 31 * 8 * 0.65
    assert read(frame).rows[0][1] == {
        name: value for name, value in pair.source.values(0).items() if name in FIELDS
    }


def test_no_frame_is_due_before_its_time() -> None:
    pair = Pair()
    pair.source.trade(pair.source.add("A"), 1)
    assert pair.outgoing.pause(pair.time) == 0  # shards that are quiet
    pair.join()
    rows = [pair.source.add(f"S{number}") for number in range(60)]
    for row in rows:
        pair.source.trade(row, 2)
    assert len(pair.frames()) > 1
    assert pair.outgoing.pause(pair.time) == 10 * MS
    assert pair.outgoing.pause(pair.time + 7 * MS) == 3 * MS
    assert pair.outgoing.pause(pair.time + 10 * MS) == 0
    assert pair.outgoing.pause(pair.time - MS) == 0  # a clock that was set back


def test_messages_of_a_turn_are_those_that_are_published_one_by_one() -> None:
    """The same frames, by the subjects of their shards; lengths have zeros before them."""
    pair, twin = Pair(), Pair()
    subjects = [b"tk.c.f.t.%d" % shard for shard in range(SHARDS)]
    outbox = Outbox(subjects)
    for each in (pair, twin):
        rows = [each.source.add(f"S{number}") for number in range(40)]
        each.outgoing.begin(257)
        for price in range(1, 100):
            each.source.trade(rows[price % 40], price)
        each.outgoing.gather()
    frames = pair.outgoing.flush(pair.time)
    twin.outgoing.flush_to(twin.time, outbox)
    assert outbox.frames == len(frames) > 5
    wanted = publish_all([(subjects[shard], frame) for _, shard, frame in frames])
    assert re.sub(rb"(PUB \S+) 0*([1-9])", rb"\1 \2", outbox.take()) == wanted
    assert (outbox.frames, outbox.take()) == (0, b"")
    assert twin.outgoing.flush(twin.time + 20 * MS) == []


def test_an_outbox_has_room_for_many_frames() -> None:
    outbox = Outbox([b"a.b"])
    source = Source(geometry=Geometry(rows=8, rings=1, ring_capacity=1 << 17))
    outgoing = Outgoing(source.mapping, FEED, 1, MS)
    row = source.add("A")
    outgoing.begin(257)
    for price in range(1, 100_001):
        source.record_trade(row, price, seq=price)
    outgoing.gather()
    outgoing.flush_to(START, outbox)
    assert outbox.frames == 13
    taken = outbox.take()
    found = [each.payload for each in messages_in(taken)]
    assert sum(len(read(frame).trades) for frame in found) == 100_000


@dataclass
class Sent:
    subject: bytes
    payload: bytes


def messages_in(commands: bytes) -> list[Sent]:
    """What a server reads of a client's commands."""
    found = []
    while commands:
        line, commands = commands.split(b"\r\n", 1)
        word, subject, length = line.split(b" ")
        assert word == b"PUB"
        found.append(Sent(subject, commands[: int(length)]))
        assert commands[int(length) : int(length) + 2] == b"\r\n"
        commands = commands[int(length) + 2 :]
    return found

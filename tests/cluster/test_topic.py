"""The prices of a feed for other programs: objects as REST has them, frames with every trade."""

from __future__ import annotations

import struct
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from tests.cluster.source import START, Source
from ticker.cluster.frame import FrameKind, head_of, identity
from ticker.cluster.topic import PriceTopic
from ticker.gateway.prices.board import Board
from ticker.gateway.prices.view import PriceView
from ticker.gateway.rest.serving.price import price_object
from ticker.shm.table import FIELDS, HAS, SIGNED

FEED = identity("test", "sim")
MS = 1_000_000
E9 = 1_000_000_000
EPOCH = 3 << 8 | 1
OF_MORE_VENUES = ("bid_venue", "ask_venue", "status")
"""Fields of a consolidated price; a message is of one venue, and no gateway looks at its age."""
TRADE = struct.Struct("<IBBHqQqQQ")

flags = st.sets(st.sampled_from(sorted(HAS.values()))).map(sum)
figures = st.fixed_dictionaries(
    {
        name: st.integers(0, 1 << 60)
        if name.endswith("_time")
        else st.integers(-(1 << 62), 1 << 62)
        if name in SIGNED
        else st.integers(0, (1 << 64) - 1)
        for name in FIELDS
        if name not in ("flags", "status", "session_start")
    }
)
"""Without a day: of several venues only those of the newest day count."""
symbols = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=16)


def topic_of(source: Source, *, frames: bool = False, shards: int = 4) -> PriceTopic:
    return PriceTopic(source.mapping, "sim", FEED, shards, 100 * MS, frames=frames)


def due(topic: PriceTopic, now: int) -> list[tuple[bytes, bytes]]:
    topic.gather()
    return topic.due(now)


def objects(messages: list[tuple[bytes, bytes]]) -> list[dict[str, Any]]:
    found = [orjson.loads(value) for _, value in messages]
    assert [each["symbol"].encode() for each in found] == [key for key, _ in messages]
    return found


def view_of(source: Source, symbol: str) -> PriceView:
    board = Board([("sim", source.mapping)])
    board.look(source.now)
    view = board.price(symbol)
    assert view is not None
    return view


def in_rest(source: Source, symbol: str) -> dict[str, object]:
    """What a message of the symbol is to say, by the code of REST."""
    found = price_object(view_of(source, symbol)) | {"feed": "sim", "epoch": EPOCH}
    return {key: each for key, each in found.items() if key not in OF_MORE_VENUES}


@given(symbol=symbols, values=figures, flags=flags, exponent=st.integers(0, 19))
def test_an_object_has_the_fields_of_rest(
    symbol: str, values: dict[str, int], flags: int, exponent: int
) -> None:
    source = Source()
    row = source.add(symbol, "XNAS", size_exponent=exponent)
    source.table.put(row, **values, flags=flags)
    topic = topic_of(source)
    topic.begin(EPOCH)
    told = due(topic, START)
    view = view_of(source, symbol)
    expected = in_rest(source, symbol) | {"stale": False}  # no feed of the test is alive
    assert told == ([(symbol.encode(), orjson.dumps(expected))] if view.traded else [])


def test_a_symbol_has_its_newest_price_once_in_an_interval() -> None:
    source = Source()
    row = source.add("A")
    topic = topic_of(source)
    topic.begin(EPOCH)
    source.trade(row, 100 * E9)
    assert [each["price"] for each in objects(due(topic, START))] == [100]  # at once
    for price in (101, 102, 103):
        source.trade(row, price * E9)
        assert due(topic, START + 50 * MS) == []
    [told] = objects(due(topic, START + 100 * MS))
    assert (told["price"], told["seq"], told["volume"], told["epoch"]) == (103, 4, 400, EPOCH)
    assert due(topic, START + 300 * MS) == []


def test_a_box_that_waits_tells_nothing_and_then_everything() -> None:
    source = Source()
    rows = [source.add(f"S{number}") for number in range(20)]
    topic = topic_of(source)
    for row in rows:
        source.trade(row, 7 * E9)
    topic.gather()
    topic.rest(ages=True)
    assert topic.due(START) == []
    topic.begin(EPOCH)
    assert {each["symbol"] for each in objects(due(topic, START))} == {f"S{n}" for n in range(20)}
    source.trade(rows[3], 8 * E9)
    topic.gather()
    topic.rest(ages=True)
    topic.begin(EPOCH + 256)
    again = objects(due(topic, START + 200 * MS))
    assert len(again) == 20
    assert {each["epoch"] for each in again} == {EPOCH + 256}


@given(turns=st.lists(st.lists(st.integers(0, 5), max_size=12), min_size=1, max_size=8))
def test_frames_have_each_trade_of_their_symbol_once(turns: list[list[int]]) -> None:
    source = Source()
    rows = [source.add(f"S{number}") for number in range(6)]
    topic = topic_of(source, frames=True, shards=2)
    topic.begin(EPOCH)
    made: dict[str, list[int]] = {f"S{number}": [] for number in range(6)}
    found: dict[str, list[int]] = {f"S{number}": [] for number in range(6)}
    batches: dict[int, list[int]] = {}
    for turn, traded in enumerate([*turns, []]):
        for number in traded:
            source.trade(rows[number], (100 + turn) * E9)
            made[f"S{number}"].append(source.values(rows[number])["seq"])
        for key, frame in due(topic, START + turn * 100 * MS):
            head = head_of(frame, FEED)
            assert (head.kind, head.epoch) == (FrameKind.FRAME_DELTA, EPOCH)
            batches.setdefault(head.shard, []).append(head.batch)
            defines, of_rows, trades = struct.unpack_from("<HHI", frame, 40)
            assert (defines, of_rows) == (1, 1)
            assert frame[72:].startswith(key + b"\0")  # the symbol of the define
            at = len(frame) - trades * TRADE.size
            found[key.decode()] += [each[-1] for each in TRADE.iter_unpack(frame[at:])]
    assert found == made
    for numbers in batches.values():
        assert numbers == list(range(1, len(numbers) + 1))

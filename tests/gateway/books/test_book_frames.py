"""`depth` and `delta` as frames: every encoding says the same, and what the types say it may."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.gateway.compiled_proto import payload, server_message_class
from ticker.gateway.books.encode import BookNumber, encoded_book
from ticker.gateway.protocol.codec import EVENT_STREAM, JSON, MSGPACK, PROTOBUF, moment
from ticker.gateway.protocol.messages import AnyMessage, Delta, Depth
from ticker.gateway.protocol.numbers import FIELD_NUMBERS, MESSAGE_NUMBERS

TIME = 1_774_794_601_234_567_890
Pairs = list[tuple[int, int]]


@pytest.fixture(scope="module")
def server_message(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return server_message_class(tmp_path_factory.mktemp("proto"))


def book(
    encoding: int, bids: Pairs, asks: Pairs, previous: int | None = None, **more: Any
) -> bytes:
    options = {"symbol": "AAPL", "venue": "", "exponent": 0, "seq": 812, "time": TIME, **more}
    return encoded_book(
        encoding, options["symbol"], options["venue"], options["time"], options["seq"], previous,
        50, options["exponent"], bids, asks,
    )  # fmt: skip


def test_a_whole_book_in_json() -> None:
    said = payload(book(JSON, [(185_420_000_000, 300), (185 * 10**9, 2)], []))
    assert said == (
        b'{"type":"depth","symbol":"AAPL","timestamp":"2026-03-29T14:30:01.234567Z","seq":812,'
        b'"levels":50,"bids":[[185.42,300],[185,2]],"asks":[]}'
    )


def test_a_delta_in_json_and_as_an_event() -> None:
    expected = (
        b'{"type":"delta","symbol":"BRK \\"A","timestamp":"2026-03-29T14:30:01.234567Z",'
        b'"seq":812,"previous_seq":811,"venue":"XNAS","bids":[],"asks":[[-0.000000001,0]]}'
    )
    options = {"symbol": 'BRK "A', "venue": "XNAS"}
    assert payload(book(JSON, [], [(-1, 0)], 811, **options)) == expected
    assert book(EVENT_STREAM, [], [(-1, 0)], 811, **options) == b"data: " + expected + b"\n\n"


def test_the_numbers_are_those_of_the_types() -> None:
    numbers = {name: int(number) for name, number in BookNumber.__members__.items()}
    assert numbers.pop("MESSAGE_DEPTH") == MESSAGE_NUMBERS["depth"]
    assert numbers.pop("MESSAGE_DELTA") == MESSAGE_NUMBERS["delta"]
    level = {name[6:].lower(): numbers.pop(name) for name in ("LEVEL_PRICE", "LEVEL_SIZE")}
    assert level == FIELD_NUMBERS["Level"]
    assert {name[5:].lower(): number for name, number in numbers.items()} == {
        **FIELD_NUMBERS["Depth"],
        **FIELD_NUMBERS["Delta"],
    }


sides = st.lists(
    st.tuples(st.integers(-(2**63), 2**63 - 1), st.integers(0, 2**64 - 1)), max_size=50
)


@given(
    symbol=st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=23),
    venue=st.sampled_from(["", "XNAS"]),
    bids=sides,
    asks=sides,
    previous=st.none() | st.integers(0, 2**64 - 1),
    exponent=st.integers(0, 19),
)
def test_encodings_agree_on_anything(
    server_message: Any,
    symbol: str,
    venue: str,
    bids: Pairs,
    asks: Pairs,
    previous: int | None,
    exponent: int,
) -> None:
    options = {"symbol": symbol, "venue": venue, "exponent": exponent, "seq": 2**64 - 1}
    frames = {
        code: payload(book(code, bids, asks, previous, **options))
        for code in (JSON, MSGPACK, PROTOBUF)
    }
    shown = msgspec.json.decode(frames[JSON], type=AnyMessage)
    assert isinstance(shown, Depth if previous is None else Delta)
    assert shown.symbol == symbol
    for side, given_side in ((shown.bids, bids), (shown.asks, asks)):
        assert [(each.price, each.size) for each in side] == [
            (Decimal(price).scaleb(-9), Decimal(size).scaleb(-exponent))
            for price, size in given_side
        ]
    packed = msgspec.msgpack.decode(frames[MSGPACK])
    packed["timestamp"] = moment(packed["timestamp"] * 1000)
    assert msgspec.convert(packed, AnyMessage, strict=False) == shown
    read = server_message.FromString(frames[PROTOBUF])
    assert read.WhichOneof("message") == ("depth" if previous is None else "delta")
    inner = read.depth if previous is None else read.delta
    assert [(each.price_e9, each.size) for each in inner.bids] == bids
    assert [(each.price_e9, each.size) for each in inner.asks] == asks
    assert (inner.symbol, inner.seq, inner.timestamp_ns) == (symbol, 2**64 - 1, TIME)
    assert (inner.venue, inner.size_exponent) == (venue, exponent)
    assert previous is None or inner.previous_seq == previous

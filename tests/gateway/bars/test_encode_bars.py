"""`bar` as frames: every encoding says the same, and what the message types say it may."""

from __future__ import annotations

from decimal import Context, Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.gateway.compiled_proto import payload
from tests.gateway.hub.test_encode import server_message, varint
from ticker.gateway.bars.encode import INTERVALS, STATES, BarNumber, BarRoom, encoded_bar
from ticker.gateway.protocol import protobuf
from ticker.gateway.protocol.codec import CODECS, EVENT_STREAM, JSON, MSGPACK, PROTOBUF, moment
from ticker.gateway.protocol.messages import AnyMessage, LiveBar
from ticker.gateway.protocol.numbers import FIELD_NUMBERS, MESSAGE_NUMBERS
from ticker.units import format_timestamp

__all__ = ["server_message"]

START = 1_774_794_600_000_000_000
TIME = START + 1_234_567_890
ALL = 7  # BarFlag of open and close, of high and low, of vwap
FULL = {
    "state": 1, "flags": ALL, "start": START, "open": 185_420_000_000, "high": 190 * 10**9,
    "low": 170_123_456_789, "close": -5 * 10**9, "volume": 5_000_000, "vwap": 1, "trades": 300,
    "time": TIME, "revision": 2,
}  # fmt: skip


def unpacked(frame: bytes) -> Any:
    packed = msgspec.msgpack.decode(payload(frame))
    for name in ("timestamp", "start"):
        packed[name] = moment(packed[name] * 1000)
    return msgspec.convert(packed, AnyMessage)


def test_json_has_the_digits_of_the_tick() -> None:
    assert payload(encoded_bar(JSON, 'A"B', 1, **FULL)) == (
        b'{"type":"bar","symbol":"A\\"B","channel":"bars","interval":"1m",'
        b'"start":"2026-03-29T14:30:00.000000Z","state":"final","open":185.42,"high":190,'
        b'"low":170.123456789,"close":-5,"volume":5000000,"trades":300,"vwap":0.000000001,'
        b'"timestamp":"2026-03-29T14:30:01.234567Z","revision":2,"exact":true,"complete":true}'
    )


def test_an_event_has_the_json_and_the_time_as_its_id() -> None:
    event = encoded_bar(EVENT_STREAM, "AAPL", 0, **FULL)
    body = payload(encoded_bar(JSON, "AAPL", 0, **FULL))
    assert event == b"data: " + body + b"\nid: " + format_timestamp(TIME).encode() + b"\n\n"


words = st.fixed_dictionaries(
    {name: st.integers(-(2**63), 2**63 - 1) for name in ("open", "high", "low", "close", "vwap")}
    | {"start": st.integers(0, 4 * 10**18), "time": st.integers(1, 4 * 10**18)}
    | {"volume": st.integers(0, 2**128 - 1), "trades": st.integers(0, 2**64 - 1)}
    | {"revision": st.integers(0, 2**32), "size_exponent": st.integers(0, 19)}
    | {"state": st.integers(0, 2), "flags": st.integers(0, 31)}
)


@given(
    symbol=st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=23),
    span=st.integers(0, len(INTERVALS) - 1),
    words=words,
)
def test_encodings_agree_on_anything(symbol: str, span: int, words: dict[str, int]) -> None:
    shown = msgspec.json.decode(payload(encoded_bar(JSON, symbol, span, **words)), type=AnyMessage)
    assert isinstance(shown, LiveBar)
    assert (shown.symbol, shown.interval) == (symbol, INTERVALS[span])
    assert shown.state == STATES[words["state"]]
    assert (shown.open is msgspec.UNSET) == (not words["flags"] & 1)
    assert (shown.low is msgspec.UNSET) == (not words["flags"] & 2)
    assert (shown.exact, shown.complete) == (not words["flags"] & 8, not words["flags"] & 16)
    exact = Context(prec=60).scaleb(Decimal(words["volume"]), -words["size_exponent"])
    assert shown.volume == exact
    assert unpacked(encoded_bar(MSGPACK, symbol, span, **words)) == shown


def test_protobuf_is_that_of_the_types(server_message: Any) -> None:
    frame = encoded_bar(PROTOBUF, "AAPL", 3, **FULL)
    shown = msgspec.json.decode(payload(encoded_bar(JSON, "AAPL", 3, **FULL)), type=AnyMessage)
    expected = protobuf.encode(shown).replace(varint(TIME // 1000 * 1000), varint(TIME))
    assert payload(frame) == expected
    bar = server_message.FromString(payload(frame)).bar
    assert (bar.open_e9, bar.start_ns, bar.interval, bar.complete) == (
        185_420_000_000, START, "1h", True,
    )  # fmt: skip
    large = server_message.FromString(
        payload(encoded_bar(PROTOBUF, "BTC", 0, **FULL | {"volume": 2**100, "size_exponent": 8}))
    ).bar
    assert (large.volume_high << 64 | large.volume, large.size_exponent) == (2**100, 8)
    without = encoded_bar(PROTOBUF, "AAPL", 0, **FULL | {"flags": 24})
    assert not server_message.FromString(payload(without)).bar.HasField("open_e9")


def test_the_numbers_are_those_of_numbers_py() -> None:
    numbers = {each.name.removeprefix("BAR_").lower(): int(each) for each in BarNumber}
    assert numbers.pop("message_bar") == MESSAGE_NUMBERS["bar"]
    assert numbers == FIELD_NUMBERS["LiveBar"]


@pytest.mark.parametrize("encoding", range(1, len(CODECS)))
@pytest.mark.parametrize("exponent", [0, 19])
def test_the_longest_message_has_its_room(encoding: int, exponent: int) -> None:
    longest = dict.fromkeys(("open", "high", "low", "close", "vwap"), -(2**63)) | {
        "state": 2, "flags": 31, "start": 2**62, "time": 2**62, "volume": 2**128 - 1,
        "trades": 2**64 - 1, "revision": 2**64 - 1, "size_exponent": exponent,
    }  # fmt: skip
    frame = encoded_bar(encoding, '"' * 23, 3, **longest)
    assert 8 + 8 + len(frame) - 4 <= BarRoom.BAR_ROOM

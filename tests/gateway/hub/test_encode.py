"""Prices as frames: every encoding says the same, and what the message types say it may."""

from __future__ import annotations

from decimal import Context, Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.gateway.compiled_proto import PROTO, payload, server_message_class
from ticker.gateway.hub.encode import Room, encoded, lagged
from ticker.gateway.protocol import protobuf
from ticker.gateway.protocol.codec import CODECS, JSON, MSGPACK, PLAIN, PROTOBUF, moment
from ticker.gateway.protocol.messages import (
    MESSAGES,
    AnyMessage,
    Cancel,
    Correction,
    Goodbye,
    Heartbeat,
    Hello,
    Lagged,
    Limits,
    Message,
    Rejected,
    Snapshot,
    Status,
    Subscribed,
    Update,
)
from ticker.gateway.protocol.numbers import MESSAGE_NUMBERS

TIME = 1_774_794_601_234_567_890
PRICE, QUOTE, TRADES = range(3)
FULL = {
    "price": 185_420_000_000,
    "time": TIME,
    "seq": 300,
    "size": 100,
    "volume": 5_000_000_000,
    "trades": 70_000,
    "bid": 185_410_000_000,
    "bid_size": 3,
    "ask": 185_430_000_000,
    "ask_size": 200,
    "open": 180_000_000_000,
    "high": 190_000_000_000,
    "low": 170_123_456_789,
    "previous_close": 181_000_000_000,
    "official_close": 185_000_000_000,
    "extended_price": 186_000_000_000,
    "extended_time": TIME + 1_000_000_000,
}
IN_QUOTE = {name for name in FULL if name not in ("time", "extended_time")} | {"extended_timestamp"}
UPDATE, SNAPSHOT, CORRECTION, CANCEL = range(4)


@pytest.fixture(scope="module")
def server_message(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The class ServerMessage, made by the real compiler from the shipped file."""
    return server_message_class(tmp_path_factory.mktemp("proto"))


def test_the_shipped_proto_is_made_from_the_types() -> None:
    """To write it anew: protobuf.proto_text()."""
    assert PROTO.read_text() == protobuf.proto_text()


def test_json_has_the_digits_of_the_tick() -> None:
    frame = encoded(JSON, PRICE, False, "AAPL", price=185_420_000_000, time=TIME, seq=300)
    assert payload(frame) == (
        b'{"type":"update","symbol":"AAPL","price":185.42,'
        b'"timestamp":"2026-03-29T14:30:01.234567Z","seq":300}'
    )


def test_the_plain_dialect_has_no_seq() -> None:
    frame = encoded(PLAIN, PRICE, True, 'A"\\', price=1, time=TIME, seq=300)
    assert payload(frame) == (
        b'{"type":"snapshot","symbol":"A\\"\\\\","price":0.000000001,'
        b'"timestamp":"2026-03-29T14:30:01.234567Z"}'
    )


def test_messagepack_has_exact_prices_and_microseconds() -> None:
    frame = encoded(MSGPACK, PRICE, False, "AAPL", price=185_420_000_000, time=TIME, seq=300)
    assert frame[0] == 0x82
    assert msgspec.msgpack.decode(payload(frame)) == {
        "type": "update",
        "symbol": "AAPL",
        "price": "185.42",
        "timestamp": TIME // 1000,
        "seq": 300,
    }


def test_protobuf_has_price_e9_and_nanoseconds(server_message: Any) -> None:
    frame = encoded(PROTOBUF, PRICE, False, "AAPL", price=185_420_000_000, time=TIME, seq=300)
    assert frame[0] == 0x82
    update = server_message.FromString(payload(frame)).update
    assert (update.symbol, update.price_e9, update.timestamp_ns, update.seq) == (
        "AAPL",
        185_420_000_000,
        TIME,
        300,
    )
    assert not update.HasField("channel")


def test_quote_has_every_field_in_every_encoding(server_message: Any) -> None:
    frames = [encoded(code, QUOTE, True, "AAPL", "XNAS", **FULL) for code in range(4)]
    shown = msgspec.json.decode(payload(frames[JSON]), type=AnyMessage)
    assert isinstance(shown, Snapshot)
    assert all(getattr(shown, name) is not msgspec.UNSET for name in IN_QUOTE)
    assert (shown.channel, shown.venue, shown.low) == ("quote", "XNAS", Decimal("170.123456789"))
    plain = msgspec.json.decode(payload(frames[PLAIN]), type=AnyMessage)
    assert plain == msgspec.structs.replace(shown, seq=msgspec.UNSET)
    assert unpacked(frames[MSGPACK]) == shown
    expected = protobuf.encode(shown)
    for time in (TIME, FULL["extended_time"]):
        expected = expected.replace(varint(time // 1000 * 1000), varint(time))
    assert payload(frames[PROTOBUF]) == expected
    snapshot = server_message.FromString(payload(frames[PROTOBUF])).snapshot
    assert snapshot.previous_close_e9 == 181_000_000_000
    assert (snapshot.official_close_e9, snapshot.extended_price_e9) == (185 * 10**9, 186 * 10**9)
    assert snapshot.extended_timestamp_ns == FULL["extended_time"]
    assert snapshot.volume == 5_000_000_000


def unpacked(frame: bytes) -> Any:
    """The message in a frame of MessagePack, as the types have it."""
    packed = msgspec.msgpack.decode(payload(frame))
    for name in ("timestamp", "extended_timestamp"):
        if name in packed:
            packed[name] = moment(packed[name] * 1000)
    return msgspec.convert(packed, AnyMessage)


def test_no_price_is_said_as_none_in_every_encoding(server_message: Any) -> None:
    """Its only trade was taken back; 0 is a price, and so is what is below."""
    frames = [encoded(code, PRICE, UPDATE, "AAPL", time=TIME, seq=7) for code in range(4)]
    assert b'"price":null,"timestamp"' in payload(frames[PLAIN])
    shown = msgspec.json.decode(payload(frames[JSON]), type=AnyMessage)
    assert isinstance(shown, Update)
    assert (shown.price, shown.seq) == (None, 7)
    assert unpacked(frames[MSGPACK]) == shown
    update = server_message.FromString(payload(frames[PROTOBUF])).update
    assert not update.HasField("price_e9")
    for price in (0, -37_630_000_000):
        frames = [encoded(code, PRICE, UPDATE, "CL", price=price, time=TIME) for code in range(4)]
        shown = msgspec.json.decode(payload(frames[JSON]), type=AnyMessage)
        assert isinstance(shown, Update)
        assert shown.price == Decimal(price).scaleb(-9)
        assert unpacked(frames[MSGPACK]) == shown
        update = server_message.FromString(payload(frames[PROTOBUF])).update
        assert update.HasField("price_e9")
        assert update.price_e9 == price


def test_a_quote_says_prices_at_zero_and_leaves_out_those_that_are_none() -> None:
    values = {"price": -1, "time": TIME, "bid": 0, "bid_size": 5, "open": 0, "low": -2, "high": 0}
    shown = msgspec.json.decode(
        payload(encoded(JSON, QUOTE, UPDATE, "CL", "", **values)), type=AnyMessage
    )
    assert isinstance(shown, Update)
    zero = Decimal(0)
    assert (shown.bid, shown.open, shown.high, shown.low) == (zero, zero, zero, Decimal("-2e-9"))
    assert (shown.ask, shown.ask_size, shown.official_close) == (msgspec.UNSET,) * 3
    assert unpacked(encoded(MSGPACK, QUOTE, UPDATE, "CL", "", **values)) == shown


@pytest.mark.parametrize("volume", [2**64 - 1, 2**64, 10**24, 2**128 - 1])
@pytest.mark.parametrize("exponent", [0, 9, 19])
def test_a_volume_beyond_64_bits_is_exact(server_message: Any, volume: int, exponent: int) -> None:
    values = {"price": 1, "time": TIME, "volume": volume, "size_exponent": exponent}
    frames = [encoded(code, QUOTE, UPDATE, "BTC", "", **values) for code in range(4)]
    exact = Context(prec=60).scaleb(Decimal(volume), -exponent)
    shown = msgspec.json.decode(payload(frames[JSON]), type=AnyMessage)
    assert isinstance(shown, Update)
    assert shown.volume == exact
    assert Decimal(msgspec.msgpack.decode(payload(frames[MSGPACK]))["volume"]) == exact
    update = server_message.FromString(payload(frames[PROTOBUF])).update
    assert update.volume_high << 64 | update.volume == volume


@pytest.mark.parametrize("kind", [UPDATE, SNAPSHOT, CORRECTION, CANCEL])
def test_trades_name_their_ids_in_every_encoding(server_message: Any, kind: int) -> None:
    values = {"price": 185 * 10**9, "time": TIME, "seq": 3, "size": 7, "trade_id": 2**64 - 1}
    if kind == CORRECTION:
        values |= {"new_trade_id": 5, "ineligible": 1}
    frames = [encoded(code, TRADES, kind, "AAPL", "XNAS", **values) for code in range(4)]
    shown = msgspec.json.decode(payload(frames[JSON]), type=AnyMessage)
    assert isinstance(shown, Update | Snapshot | Correction | Cancel)
    assert type(shown) is (Update, Snapshot, Correction, Cancel)[kind]
    assert (shown.trade_id, shown.venue) == ("18446744073709551615", "XNAS")
    assert shown.size == Decimal(7)
    if isinstance(shown, Correction):
        assert (shown.new_trade_id, shown.eligible) == ("5", False)
    assert unpacked(frames[MSGPACK]) == shown
    expected = protobuf.encode(shown).replace(varint(TIME // 1000 * 1000), varint(TIME))
    assert payload(frames[PROTOBUF]) == expected
    read = server_message.FromString(expected)
    assert read.WhichOneof("message") == ("update", "snapshot", "correction", "cancel")[kind]


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def test_sizes_with_fractions_are_exact(server_message: Any) -> None:
    values = {"price": 1, "time": TIME, "size": 12_345, "size_exponent": 3}
    frames = [encoded(code, TRADES, False, "BTC", "XXXX", **values) for code in range(4)]
    assert b'"size":12.345' in payload(frames[JSON])
    assert msgspec.msgpack.decode(payload(frames[MSGPACK]))["size"] == "12.345"
    update = server_message.FromString(payload(frames[PROTOBUF])).update
    assert (update.size, update.size_exponent) == (12_345, 3)


most = st.integers(0, 2**63 - 1)
PRICES = [
    name
    for name in FULL
    if name in ("price", "bid", "ask", "open", "extended_price") or name.endswith("_close")
]


@given(
    symbol=st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=23),
    channel=st.sampled_from([PRICE, QUOTE, TRADES]),
    snapshot=st.booleans(),
    values=st.fixed_dictionaries(
        {name: most for name in FULL if name not in (*PRICES, "time", "extended_time")}
        | {name: st.none() | st.integers(-(2**63), 2**63 - 1) for name in PRICES}
        | {name: st.integers(0, 4 * 10**18) for name in ("time", "extended_time")}
        | {"volume": st.integers(0, 2**128 - 1), "trade_id": st.integers(0, 2**64 - 1)}
        | {"size_exponent": st.integers(0, 19)}
    ),
)
def test_encodings_agree_on_anything(
    symbol: str, channel: int, snapshot: bool, values: dict[str, int | None]
) -> None:
    frames = [encoded(code, channel, snapshot, symbol, "XNAS", **values) for code in range(4)]
    shown = msgspec.json.decode(payload(frames[JSON]), type=AnyMessage)
    assert isinstance(shown, Snapshot)
    assert isinstance(shown, Update) == (not snapshot)
    assert shown.symbol == symbol
    price = values["price"]
    assert shown.price == (None if price is None else Decimal(price).scaleb(-9))
    assert unpacked(frames[MSGPACK]) == shown


def test_lagged_in_every_encoding(server_message: Any) -> None:
    expected = Lagged(symbol="AAPL", skipped=300)
    assert msgspec.json.decode(payload(lagged(JSON, "AAPL", 300)), type=AnyMessage) == expected
    packed = payload(lagged(MSGPACK, "AAPL", 300))
    assert msgspec.msgpack.decode(packed, type=AnyMessage) == expected
    assert payload(lagged(PROTOBUF, "AAPL", 300)) == protobuf.encode(expected)
    assert server_message.FromString(protobuf.encode(expected)).lagged.skipped == 300


LIMITS = Limits(
    symbols=1, message=2, outbound=3, commands_per_second=4.5, commands_burst=5, max_rate=10.0,
    slow_timeout=10.0,
)  # fmt: skip
SAID: list[Message] = [
    Hello(protocol="ticker.v1", epoch=5, limits=LIMITS, heartbeat=5.0, auth=False),
    Subscribed(id="a", symbols=["A"], rejected=[Rejected(symbol="B", code=460)]),
    Status(symbol="A", state="halted"),
    Heartbeat(timestamp=moment(TIME)),
    Goodbye(reason="restart", retry_after=1.7),
]


@pytest.mark.parametrize("message", SAID)
def test_what_is_said_now_and_then_is_the_same_in_all(
    message: Message, server_message: Any
) -> None:
    assert msgspec.json.decode(CODECS[JSON].encode(message), type=AnyMessage) == message
    packed = msgspec.msgpack.decode(CODECS[MSGPACK].encode(message))
    if "timestamp" in packed:
        packed["timestamp"] = moment(packed["timestamp"] * 1000)
    assert msgspec.convert(packed, AnyMessage) == message
    read = server_message.FromString(protobuf.encode(message))
    name = read.WhichOneof("message")
    assert name == message.__struct_config__.tag
    assert read.SerializeToString() == protobuf.encode(message)


def test_every_message_has_its_place_in_the_proto(server_message: Any) -> None:
    fields = server_message.DESCRIPTOR.fields_by_name
    for message in MESSAGES:
        tag = str(message.__struct_config__.tag)
        assert fields[tag].number == MESSAGE_NUMBERS[tag]


LONGEST = dict.fromkeys(FULL, -(2**63)) | {
    "time": 2**62,
    "extended_time": 2**62,
    "seq": 2**64 - 1,
    "volume": 2**128 - 1,
    "trades": 2**64 - 1,
    "trade_id": 2**64 - 1,
    "new_trade_id": 2**64 - 1,
    "ineligible": 1,
    **dict.fromkeys(("size", "bid_size", "ask_size"), 2**64 - 1),
}
HEADS = 8 + 8  # of the struct, and the room in front of a body
BINARY_HEAD = 4


@pytest.mark.parametrize("encoding", range(len(CODECS)))
@pytest.mark.parametrize("channel", [PRICE, QUOTE, TRADES])
@pytest.mark.parametrize("exponent", [0, 19])
def test_the_longest_message_has_its_room(encoding: int, channel: int, exponent: int) -> None:
    """Where it had not, it would write over the next symbol's frame."""
    room = (Room.PRICE_ROOM, Room.QUOTE_ROOM, Room.TRADE_ROOM)[channel]
    kinds = (UPDATE, SNAPSHOT, CORRECTION, CANCEL) if channel == TRADES else (UPDATE, SNAPSHOT)
    longest = 0
    for kind in kinds:
        values = LONGEST | {"size_exponent": exponent}
        frame = encoded(encoding, channel, kind, '"' * 23, '"' * 8, **values)
        longest = max(longest, len(frame) - BINARY_HEAD)
    assert HEADS + longest <= room

"""The client's own reading of the binary encodings, next to what the gateway and others write."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticker.bench.swarm.commands import ENCODINGS, command
from ticker.bench.swarm.message import parse_frame, parse_message
from ticker.bench.swarm.message_binary import parse_binary
from ticker.gateway.hub.encode import encoded, lagged
from ticker.gateway.protocol.codec import CODECS, MSGPACK, PROTOBUF
from ticker.gateway.protocol.commands import parse_command
from ticker.gateway.protocol.messages import Configure, Hello, Limits, Subscribe, Unsubscribe

TIME = 1_774_794_601_234_567_000
FULL = {
    "seq": 300,
    "size": 100,
    "volume": 5_000_000_000,
    "trades": 70_000,
    "bid": 185_410_000_000,
    "bid_size": 3,
    "ask": 185_430_000_000,
    "ask_size": 200,
    "previous_close": 181_000_000_000,
}
BINARY = pytest.mark.parametrize("encoding", [MSGPACK, PROTOBUF])


def parsed(frame: bytes, encoding: int) -> dict[str, Any]:
    used, opcode, payload = parse_frame(frame)
    assert (used, opcode) == (len(frame), 2)
    return parse_binary(payload, encoding == PROTOBUF)


@BINARY
@pytest.mark.parametrize("channel", [0, 1, 2])
@pytest.mark.parametrize("snapshot", [True, False])
@given(price=st.integers(1, 2**62), seq=st.integers(0, 2**51), time=st.integers(0, 2**61))
def test_prices_of_every_channel(
    encoding: int, channel: int, snapshot: bool, price: int, seq: int, time: int
) -> None:
    time = time // 1000 * 1000
    values = FULL | {"price": price, "time": time, "seq": seq}
    frame = encoded(encoding, channel, snapshot, "BRK.B", venue="XNAS", **values)
    assert parsed(frame, encoding) == {
        "kind": "snapshot" if snapshot else "update",
        "symbol": b"BRK.B",
        "time": time,
        "price": price,
        "seq": seq,
        "skipped": -1,
        "code": -1,
    }


@BINARY
def test_lagged(encoding: int) -> None:
    found = parsed(lagged(encoding, "AAPL", 70_000), encoding)
    assert (found["kind"], found["symbol"], found["skipped"]) == ("lagged", b"AAPL", 70_000)


def test_lagged_in_json() -> None:
    _, _, text = parse_frame(lagged(1, "AAPL", 7))
    assert (parse_message(text)["kind"], parse_message(text)["skipped"]) == ("lagged", 7)


@BINARY
def test_other_messages_are_whole(encoding: int) -> None:
    limits = Limits(
        symbols=1,
        message=2,
        outbound=3,
        commands_per_second=4.5,
        commands_burst=5,
        max_rate=6,
        slow_timeout=7,
    )
    hello = Hello(protocol="ticker.v1", epoch=2**63, limits=limits, heartbeat=5.0, auth=False)
    assert parsed(CODECS[encoding].frame(hello), encoding)["kind"] == "other"


def test_any_messagepack_map_is_read() -> None:
    rich = {
        "type": "update",
        "extra": [{"a": None, "b": [-5, True, 1.5, "x" * 300, b"y" * 70_000]}, [], -(2**40)],
        "symbol": "AAPL",
        "price": "185.43",
        "timestamp": TIME // 1000,
        **{f"more{index}": index for index in range(20)},
    }
    found = parse_binary(msgspec.msgpack.encode(rich), False)
    assert (found["kind"], found["symbol"], found["price"], found["time"]) == (
        "update",
        b"AAPL",
        185_430_000_000,
        TIME,
    )


@BINARY
def test_a_part_of_a_message_is_malformed(encoding: int) -> None:
    values: dict[str, Any] = FULL | {"price": 10**9, "time": TIME}
    _, _, whole = parse_frame(encoded(encoding, 1, False, "AAPL", **values))
    for length in range(len(whole)):
        assert parse_binary(whole[:length], encoding == PROTOBUF)["kind"] == "malformed", length
    assert parse_binary(whole + b"\0", encoding == PROTOBUF)["kind"] == "malformed"


@given(st.binary(max_size=100), st.booleans())
def test_any_bytes_are_read_without_an_error(data: bytes, protobuf: bool) -> None:
    assert parse_binary(data, protobuf)["kind"] in (
        "other",
        "snapshot",
        "update",
        "error",
        "lagged",
        "malformed",
    )


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_commands_are_what_the_gateway_reads(encoding: str) -> None:
    def read(action: str, **fields: Any) -> Any:
        opcode, message = command(encoding, action, **fields)
        return parse_command(message, opcode == 1, CODECS[ENCODINGS.index(encoding)])

    names = ["AAPL", "BRK.B", *("S" * length for length in range(1, 20))]
    assert read("subscribe", symbols=names) == Subscribe(symbols=names)
    assert read("subscribe", symbols=names, channel="quote").channel == "quote"
    assert read("unsubscribe", symbols=["A"]) == Unsubscribe(symbols=["A"])
    assert read("configure", max_rate=2.5) == Configure(max_rate=2.5)
    assert read("configure", pace="saver") == Configure(pace="saver")


@BINARY
@pytest.mark.parametrize("price", [None, 0, -37_630_000_000])
def test_prices_may_be_taken_back_or_at_zero_and_below(encoding: int, price: int | None) -> None:
    frame = encoded(encoding, 1, 0, "CL", price=price, time=TIME)
    found = parsed(frame, encoding)
    assert (found["kind"], found["price"]) == ("update", -(2**63) + 1 if price is None else price)

"""Commands: JSON text to checked commands or numbered errors."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticker.gateway.protocol import protobuf
from ticker.gateway.protocol.codec import CODECS, JSON, MSGPACK, PROTOBUF
from ticker.gateway.protocol.commands import (
    CommandError,
    error_message,
    parse_command,
    seen,
    symbols_of,
)
from ticker.gateway.protocol.messages import (
    Command,
    Configure,
    Ping,
    Reconnect,
    Subscribe,
    Unsubscribe,
)


def parse_whole(payload: bytes, is_text: bool = True, encoding: int = JSON) -> Command:
    """A command with its symbols checked."""
    command = parse_command(payload, is_text, CODECS[encoding])
    if isinstance(command, Subscribe | Unsubscribe | Reconnect):
        symbols_of(command)
    return command


def refused(text: bytes) -> CommandError:
    with pytest.raises(CommandError) as caught:
        parse_whole(text)
    return caught.value


def test_subscribe() -> None:
    command = parse_command(b'{"action":"subscribe","symbols":["A","B","A"],"id":"x"}')
    assert isinstance(command, Subscribe)
    assert symbols_of(command) == ["A", "B"]
    assert command.id == "x"


def test_unsubscribe_and_ping() -> None:
    assert isinstance(parse_command(b'{"action":"unsubscribe","symbol":"A"}'), Unsubscribe)
    assert isinstance(parse_command(b'{"action":"ping"}'), Ping)


def test_reconnect_reads_times_and_takes_anything_else_for_never() -> None:
    command = parse_command(
        b'{"action":"reconnect","last_seen":{"A":"2026-03-29T14:30:05.000001Z","B":5,"C":"x"}}'
    )
    assert isinstance(command, Reconnect)
    moments = [seen(command.last_seen[name]) for name in symbols_of(command)]
    assert moments == [1_774_794_605_000_001, 5, None]


@pytest.mark.parametrize(
    ("text", "code", "word"),
    [
        (b"", 400, ""),
        (b"\xff", 400, ""),
        (b"[]", 400, "object"),
        (b'{"symbols":["A"]}', 400, "action"),
        (b'{"action":"fly"}', 410, "fly"),
        (b'{"action":"subscribe"}', 400, "symbols"),
        (b'{"action":"subscribe","symbols":[]}', 400, "empty"),
        (b'{"action":"subscribe","symbols":["A"],"symbol":"A"}', 400, "symbols"),
        (b"\xef\xbb\xbf" + b'{"action":"ping"}', 400, "JSON"),
        (b'{"action":"configure","max_rate":NaN}', 400, "max_rate"),
        (b'{"action":"configure","max_rate":1e400}', 400, "max_rate"),
        (b'{"action":"configure","max_rate":-Infinity}', 400, "max_rate"),
        (b'{"action":"configure","max_rate":true}', 400, "max_rate"),
        (b'{"action":"configure","max_rate":0}', 400, "max_rate"),
        (b'{"action":"configure","batch":1}', 400, "batch"),
        (b'{"action":"subscribe","symbols":["A"],"symbols":["B"]}', 400, "symbols"),
        (b'{"action":"reconnect","last_seen":{"A":1,"A":2}}', 400, "A: given twice"),
        (b'{"action":"subscribe","symbols":["\\ud800"]}', 400, "symbols"),
        (b'{"action":"ping","id":"\\ud800"}', 400, "id"),
        (b'{"action":"ping","\\ud800":1}', 400, "surrogate"),
        (b'{"action":"\\ud800"}', 400, "action"),
        (b'{"action":"ping","__proto__":{"a":1}}', 400, "__proto__"),
        (b'{"action":"ping","id":' + b"9" * 5000 + b"}", 400, ""),
        (b'{"action":"ping","id":"' + b"x" * 65 + b'"}', 400, "id"),
        (b'{"action":"ping","id":[1]}', 400, "id"),
        (b'{"action":"reconnect"}', 400, "last_seen"),
        (b'{"action":"reconnect","last_seen":{}}', 400, "last_seen"),
        (b'{"action":"reconnect","last_seen":{"":1}}', 400, "last_seen"),
        (b'{"action":"reconnect","last_seen":{"A":' + b"[" * 10_000 + b"}}", 400, "deep"),
        (b'{"action":"__class__"}', 410, "__class__"),
        (b'{"action":"subscibe"}', 410, "did you mean subscribe"),
        (b'{"action":"subscribe","symbols":["A"],"colour":1}', 400, "colour"),
        (b'{"action":"subscribe","symbols":[1]}', 400, "symbols"),
        (b'{"action":"subscribe","symbols":["A"],"id":true}', 400, "id"),
        (b'{"action":"subscribe","symbols":["A"],"channel":"tape"}', 400, "channel"),
        (b'{"action":"subscribe","symbols":[""]}', 400, "symbols"),
        (b'{"action":"subscribe","symbols":["A\\u0000"]}', 400, "symbols"),
        (b'{"action":"subscribe","symbols":["' + b"A" * 300 + b'"]}', 400, "symbols"),
        ('{"action":"subscribe","symbols":["ААPL"]}'.encode(), 400, "symbols"),
        (b'{"action":"subscribe","symbols":["A"]} x', 400, ""),
        (b'{"action":"reconnect","last_seen":[]}', 400, "last_seen"),
        (b"[" * 10_000, 400, ""),
    ],
)
def test_refusals_name_what_is_wrong(text: bytes, code: int, word: str) -> None:
    error = refused(text)
    assert error.code == code
    assert word in error.message


def test_error_message_has_the_fields_of_the_protocol() -> None:
    error = CommandError(460, "no feed has it", 3, "XX")
    assert msgspec.json.decode(CODECS[JSON].encode(error_message(error))) == {
        "type": "error",
        "code": 460,
        "reason": "unknown_symbol",
        "message": "no feed has it",
        "symbol": "XX",
        "id": 3,
    }


def test_the_id_of_a_refused_command_is_kept() -> None:
    assert refused(b'{"action":"fly","id":"x7"}').command_id == "x7"
    assert refused(b'{"action":"subscribe","id":7}').command_id == 7
    assert refused(b'{"action":"subscribe","id":true}').command_id is None


def test_binary_is_for_the_binary_encodings() -> None:
    with pytest.raises(CommandError, match="binary"):
        parse_command(b'{"action":"ping"}', False, CODECS[JSON])


SAMPLES: list[Command] = [
    Subscribe(symbols=["A", "B"], id="x", channel="quote"),
    Subscribe(symbol="A"),
    Unsubscribe(symbols=["A"]),
    Reconnect(last_seen={"A": 1_774_794_605_000_001, "B": 0, "C": -5}, channel="trades"),
    Configure(max_rate=2.5, batch=False),
    Configure(pace="saver"),
    Ping(id="y"),
]


@pytest.mark.parametrize("command", SAMPLES)
def test_commands_in_messagepack_are_the_same(command: Command) -> None:
    assert parse_whole(msgspec.msgpack.encode(command), False, MSGPACK) == command


@pytest.mark.parametrize("command", SAMPLES)
def test_commands_in_protobuf_are_the_same(command: Command) -> None:
    sent = command
    if isinstance(command, Reconnect):  # ns there
        times = {name: time * 1000 for name, time in command.last_seen.items()}
        sent = msgspec.structs.replace(command, last_seen=times)
    assert parse_whole(protobuf.encode_command(sent), False, PROTOBUF) == command


@pytest.mark.parametrize("encoding", [MSGPACK, PROTOBUF])
def test_json_text_is_understood_in_every_encoding(encoding: int) -> None:
    assert parse_whole(b'{"action":"ping"}', True, encoding) == Ping()


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "MessagePack"),
        (b"\xc1", "MessagePack"),
        (b"\x90", "MessagePack"),
        (b"\x82\xa6action\xa4ping\xa6action\xa4ping", "twice"),
        (b"\x81\xa6action\xa4ping\x00", "MessagePack"),
        (b"\x81\xa1a" + b"\x91" * 10_000, "deep"),
        (b"\x81\x01\x02", "MessagePack"),
        (b"\x82\xa6action\xa4ping\xa6colour\x01", "colour"),
        (b"\xdf\xff\xff\xff\xff", "MessagePack"),
    ],
)
def test_wrong_messagepack_is_refused(data: bytes, word: str) -> None:
    with pytest.raises(CommandError) as caught:
        parse_whole(data, False, MSGPACK)
    assert word in caught.value.message


@pytest.mark.parametrize(
    ("data", "code", "word"),
    [
        (b"", 400, "ClientMessage"),
        (b"\xff\xff", 400, "Protobuf"),
        (b"\x32\x00\x32\x00", 400, "ClientMessage"),
        (b"\x32\x02\x78\x01", 400, "15"),
        (b"\x52\x00", 410, "10"),
        (b"\x0a\x05\x12\x01A\x18\x01", 400, "symbol"),
        (b"\x0a\x06\x1a\x01A\x1a\x01B", 400, "symbol: given twice"),
        (b"\x0a\x03\x12\x01\xff", 400, "UTF-8"),
        (b"\x32\x7f", 400, "Protobuf"),
        (b"\x22\x02\x10\x01", 400, "max_rate"),
        (b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 400, "Protobuf"),
    ],
)
def test_wrong_protobuf_is_refused(data: bytes, code: int, word: str) -> None:
    with pytest.raises(CommandError) as caught:
        parse_whole(data, False, PROTOBUF)
    assert caught.value.code == code
    assert word in caught.value.message


@given(
    st.binary(max_size=200) | st.text(max_size=100).map(str.encode),
    st.booleans(),
    st.sampled_from([JSON, MSGPACK, PROTOBUF]),
)
def test_any_bytes_give_a_command_or_the_declared_error(
    data: bytes, is_text: bool, encoding: int
) -> None:
    try:
        parse_whole(data, is_text, encoding)
    except CommandError as error:
        for codec in CODECS:
            codec.frame(error_message(error))

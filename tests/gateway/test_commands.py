"""Commands: JSON text to checked commands or numbered errors."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticker.gateway.commands import (
    CommandError,
    Ping,
    Reconnect,
    Subscribe,
    Unsubscribe,
    error_message,
    parse_command,
)


def refused(text: bytes) -> CommandError:
    with pytest.raises(CommandError) as caught:
        command = parse_command(text)
        if not isinstance(command, Ping):
            command.names()
    return caught.value


def test_subscribe() -> None:
    command = parse_command(b'{"action":"subscribe","symbols":["A","B","A"],"id":"x"}')
    assert isinstance(command, Subscribe)
    assert command.names() == ["A", "B"]
    assert command.id == "x"


def test_unsubscribe_and_ping() -> None:
    assert isinstance(parse_command(b'{"action":"unsubscribe","symbol":"A"}'), Unsubscribe)
    assert isinstance(parse_command(b'{"action":"ping"}'), Ping)


def test_reconnect_reads_times_and_takes_anything_else_for_never() -> None:
    command = parse_command(
        b'{"action":"reconnect","last_seen":{"A":"2026-03-29T14:30:05.000001Z","B":5,"C":"x"}}'
    )
    assert isinstance(command, Reconnect)
    assert [command.seen(name) for name in command.names()] == [
        1_774_794_605_000_001,
        None,
        None,
    ]


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
        (b'{"action":"subscribe","symbols":["A"],"colour":1}', 400, "colour"),
        (b'{"action":"subscribe","symbols":[1]}', 400, "symbols"),
        (b'{"action":"subscribe","symbols":["A"],"id":true}', 400, "id"),
        (b'{"action":"subscribe","symbols":["A"],"channel":"depth"}', 400, "channel"),
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
    assert msgspec.json.decode(error_message(error)) == {
        "type": "error",
        "code": 460,
        "reason": "unknown_symbol",
        "message": "no feed has it",
        "symbol": "XX",
        "id": 3,
    }


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_any_bytes_give_a_command_or_the_declared_error(data: bytes) -> None:
    try:
        command = parse_command(data)
        if not isinstance(command, Ping):
            command.names()
    except CommandError:
        pass

"""RFC 6455 frames: whole, byte by byte, with a tail; and every violation by its close code."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticker.gateway.hub.encode import encoded
from ticker.gateway.sockets.frames import FrameParser, close_frame, frame

Event = tuple[str, int, bytes]
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def masked(opcode: int, payload: bytes, *, fin: bool = True, rsv: int = 0) -> bytes:
    size = len(payload)
    head = bytes([fin << 7 | rsv << 4 | opcode])
    if size < 126:
        head += bytes([0x80 | size])
    elif size < 65536:
        head += bytes([0x80 | 126]) + size.to_bytes(2, "big")
    else:
        head += bytes([0x80 | 127]) + size.to_bytes(8, "big")
    mask = b"\xa1\xb2\xc3\xd4"
    return head + mask + bytes(byte ^ mask[i & 3] for i, byte in enumerate(payload))


def parse(data: bytes, step: int = 0, **limits: int) -> list[Event]:
    parser = FrameParser(**limits)
    events: list[Event] = []
    for at in range(0, len(data), step or len(data) or 1):
        events += parser.receive_data(data[at : at + (step or len(data))])
    return events


def both_ways(data: bytes, **limits: int) -> list[Event]:
    """The events, which are the same for the whole and byte by byte."""
    whole = parse(data, **limits)
    assert parse(data, 1, **limits) == whole
    assert parse(data, 3, **limits) == whole
    return whole


def failure(data: bytes, **limits: int) -> int:
    name, code, _ = both_ways(data, **limits)[-1]
    assert name == "error"
    return code


@pytest.mark.parametrize("size", [0, 1, 7, 8, 125, 126, 127, 300, 65535])
def test_message_of_every_length_form(size: int) -> None:
    body = bytes(i % 95 + 32 for i in range(size))
    assert both_ways(masked(TEXT, body) + masked(BINARY, body)) == [
        ("message", TEXT, body),
        ("message", BINARY, body),
    ]


def test_fragments_with_control_frames_between() -> None:
    data = (
        masked(TEXT, "Grü".encode()[:3], fin=False)
        + masked(PING, b"p")
        + masked(0, "Grü".encode()[3:], fin=False)
        + masked(PONG, b"")
        + masked(0, b"")
        + masked(TEXT, b"next")
    )
    assert both_ways(data) == [
        ("ping", PING, b"p"),
        ("pong", PONG, b""),
        ("message", TEXT, "Grü".encode()),
        ("message", TEXT, b"next"),
    ]


@pytest.mark.parametrize(
    "data",
    [
        b"\x81\x01a",  # not masked
        masked(TEXT, b"a", rsv=1),
        masked(TEXT, b"a", rsv=2),
        masked(TEXT, b"a", rsv=4),
        masked(3, b""),
        masked(7, b""),
        masked(11, b""),
        masked(15, b""),
        masked(PING, b"x" * 126),
        masked(PING, b"", fin=False),
        masked(CLOSE, b"", fin=False),
        masked(0, b"orphan"),
        masked(TEXT, b"a", fin=False) + masked(TEXT, b"b"),
        masked(CLOSE, b"\x03"),
        b"\x81\xfe\x00\x7d" + b"m" * 4,  # 125 in the 16-bit form
        b"\x81\xff" + (65535).to_bytes(8, "big") + b"m" * 4,  # 65535 in the 64-bit form
        b"\x81\xff\x80" + b"\0" * 7 + b"m" * 4,  # top bit of the length
        *(
            masked(CLOSE, code.to_bytes(2, "big"))
            for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535)
        ),
    ],
)
def test_protocol_violations(data: bytes) -> None:
    assert failure(data) == 1002


@pytest.mark.parametrize("code", [1000, 1001, 1003, 1007, 1011, 1014, 3000, 4999])
def test_close_codes_that_may_be_sent(code: int) -> None:
    payload = code.to_bytes(2, "big") + b"bye"
    assert both_ways(masked(CLOSE, payload)) == [("close", code, payload)]


def test_close_without_a_code() -> None:
    assert both_ways(masked(CLOSE, b"")) == [("close", 1005, b"")]


@pytest.mark.parametrize(
    "bad",
    [
        b"\xff",
        b"a\xc0\x80",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\xe2\x28\xa1",
        b"\x80",
        b"\xf0\x80\x80\x80",
        b"\xc3",
    ],
)
def test_bad_utf8(bad: bytes) -> None:
    assert failure(masked(TEXT, b"good " * 5 + bad)) == 1007
    assert failure(masked(CLOSE, b"\x03\xe8" + bad)) == 1007
    assert failure(masked(TEXT, b"x" + bad[:1], fin=False) + masked(0, bad[1:])) == 1007


def test_bad_utf8_is_found_at_its_first_byte() -> None:
    data = masked(TEXT, b"abc\xff" + b"d" * 50)
    parser = FrameParser()
    assert parser.receive_data(data[:9]) == []
    assert parser.receive_data(data[9:10]) == [("error", 1007, b"")]


def test_binary_is_not_checked_for_utf8() -> None:
    assert both_ways(masked(BINARY, b"\xff")) == [("message", BINARY, b"\xff")]


def test_message_over_the_limit_is_refused_by_its_head() -> None:
    assert failure(masked(TEXT, b"x" * 101)[:8], max_message=100) == 1009
    assert failure(b"\x82\xff" + (2**62).to_bytes(8, "big") + b"mask") == 1009
    assert (
        failure(masked(TEXT, b"x" * 60, fin=False) + masked(0, b"x" * 60), max_message=100) == 1009
    )
    assert both_ways(masked(TEXT, b"x" * 100), max_message=100)[0][0] == "message"


def test_too_many_fragments() -> None:
    pieces = masked(TEXT, b"", fin=False) + masked(0, b"", fin=False) * 3
    assert failure(pieces, max_fragments=3) == 1008
    assert both_ways(masked(TEXT, b"", fin=False) + masked(0, b"a"), max_fragments=2)


def test_nothing_comes_after_an_error() -> None:
    parser = FrameParser()
    assert parser.receive_data(masked(3, b"") + masked(TEXT, b"a")) == [("error", 1002, b"")]
    assert parser.receive_data(masked(TEXT, b"a")) == []


@given(st.text(max_size=400), st.data())
def test_any_text_in_any_fragments_and_any_split(text: str, data: st.DataObject) -> None:
    raw = text.encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=4)))
    parts = [raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    stream = b"".join(
        masked(0 if i else TEXT, part, fin=i == len(parts) - 1) for i, part in enumerate(parts)
    )
    step = data.draw(st.integers(1, len(stream)))
    assert parse(stream, step) == [("message", TEXT, raw)]


@given(st.binary(max_size=400))
def test_any_bytes_give_events_or_one_declared_code(data: bytes) -> None:
    events = parse(data)
    assert all(name != "error" for name, _, _ in events[:-1])
    if events and events[-1][0] == "error":
        assert events[-1][1] in (1002, 1007, 1008, 1009)
    assert parse(data, 1) == events


@given(st.binary(max_size=100))
def test_utf8_is_judged_as_python_does(data: bytes) -> None:
    try:
        data.decode()
    except UnicodeDecodeError:
        assert failure(masked(TEXT, data)) == 1007
    else:
        assert both_ways(masked(TEXT, data)) == [("message", TEXT, data)]


@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536])
def test_server_frames_are_unmasked_and_shortest(size: int) -> None:
    made = frame(BINARY, b"x" * size)
    assert made[0] == 0x82
    assert len(made) == size + (2 if size < 126 else 4 if size < 65536 else 10)


def test_close_frame_cuts_its_reason_between_characters() -> None:
    made = close_frame(4407, "é" * 100)
    assert len(made) <= 127
    made[4:].decode()
    assert close_frame(1005) == b"\x88\x00"


def test_price_frame_is_the_message_of_the_protocol() -> None:
    made = encoded(0, 0, False, "AAPL", price=185_430_000_000, time=1_774_794_601_234_000_999)
    assert made[2:] == (
        b'{"type":"update","symbol":"AAPL","price":185.43,'
        b'"timestamp":"2026-03-29T14:30:01.234000Z"}'
    )
    assert made[:2] == bytes([0x81, len(made) - 2])


def test_price_frame_with_the_longest_everything_has_an_extended_length() -> None:
    made = encoded(0, 0, True, '"' * 23, price=-(2**63), time=0)
    assert made[1] == 126
    assert int.from_bytes(made[2:4], "big") == len(made) - 4

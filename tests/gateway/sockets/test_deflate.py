"""Messages deflated without a context (RFC 7692): ours once for all, clients' with a bound."""

from __future__ import annotations

import time
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticker.gateway.sockets.deflated import Deflater
from ticker.gateway.sockets.frames import FrameParser, close_frame, frame
from ticker.gateway.sockets.inflate import InflateError, inflate
from ticker.shm.counters import Counters
from ticker.shm.segment import private_gateway

TEXT, BINARY, PING = 1, 2, 9
RSV1, RSV2, RSV3 = 0x40, 0x20, 0x10
TAIL = b"\x00\x00\xff\xff"
MESSAGE = b'{"type":"update","symbol":"AAPL","price":185.43,"price_before":185.42}'


def deflate(message: bytes, *, bits: int = 15, level: int = 6) -> bytes:
    made = zlib.compressobj(level, zlib.DEFLATED, -bits)
    return (made.compress(message) + made.flush(zlib.Z_SYNC_FLUSH)).removesuffix(TAIL)


def masked(first: int, payload: bytes) -> bytes:
    head = bytes((first, 0x80 | len(payload))) if len(payload) < 126 else None
    head = head or bytes((first, 0xFE)) + len(payload).to_bytes(2, "big")
    return (
        head
        + b"\x01\x02\x03\x04"
        + bytes(byte ^ (1, 2, 3, 4)[at & 3] for at, byte in enumerate(payload))
    )


def split(data: bytes, bits: int = 15) -> list[tuple[int, bytes]]:
    """(first byte, message) of each frame; a deflated one is inflated in a window of `bits`."""
    found = []
    while data:
        size, before = data[1], 2
        if size == 126:
            size, before = int.from_bytes(data[2:4], "big"), 4
        elif size == 127:
            size, before = int.from_bytes(data[2:10], "big"), 10
        payload = data[before : before + size]
        assert len(payload) == size
        if data[0] & RSV1:
            payload = zlib.decompressobj(-bits).decompress(payload + TAIL)
        found.append((data[0], payload))
        data = data[before + size :]
    return found


class Deflated:
    """A deflater and its counters."""

    def __init__(self) -> None:
        self.segment = private_gateway(time.time_ns())
        self.deflater = Deflater(self.segment)
        self.counters = Counters(self.segment)

    def __call__(self, frames: bytes, bits: int = 15) -> bytes:
        return self.deflater.shrunk(frames, bits)

    @property
    def counts(self) -> tuple[int, int]:
        """Messages deflated, and sends of one that had been."""
        return self.counters["deflated"], self.counters["deflated_shared"]


@pytest.mark.parametrize("size", [70, 125, 126, 500, 65_535, 65_536, 300_000])
@pytest.mark.parametrize("bits", [9, 10, 12, 15])
def test_a_message_of_any_length_comes_out_as_it_went_in(size: int, bits: int) -> None:
    deflated = Deflated()
    message = (MESSAGE * (size // len(MESSAGE) + 1))[:size]
    made = deflated(frame(TEXT, message) + frame(BINARY, message), bits)
    assert split(made, bits) == [(0x80 | RSV1 | TEXT, message), (0x80 | RSV1 | BINARY, message)]
    assert len(made) < 2 * size


def test_a_message_is_deflated_once_and_shared_afterwards() -> None:
    deflated = Deflated()
    frames = frame(TEXT, MESSAGE) + frame(TEXT, MESSAGE.replace(b"AAPL", b"MSFT"))
    first = deflated(frames)
    assert deflated.counts == (2, 0)
    assert [deflated(frames) for _ in range(100)] == [first] * 100
    assert deflated.counts == (2, 200)
    assert deflated.counters["deflated_bytes_saved"] == 101 * (len(frames) - len(first))


def test_windows_of_different_clients_are_not_mixed_up() -> None:
    deflated = Deflated()
    far = bytes(range(256)) * 2 + MESSAGE  # what is 600 bytes back is outside of the least window
    message = far + far + bytes(900)
    made = {bits: deflated(frame(BINARY, message), bits) for bits in (9, 15, 9, 15)}
    assert deflated.counts == (2, 2)
    assert split(made[9], 9) == split(made[15], 15) == [(0xC2, message)]
    assert len(made[15]) < len(made[9])


def test_a_message_that_gets_no_shorter_stays_and_is_not_tried_again() -> None:
    deflated = Deflated()
    noise = zlib.compress(bytes(range(256)) * 3, 9)
    for _ in range(3):
        assert deflated(frame(BINARY, noise)) == frame(BINARY, noise)
    assert deflated.counts == (1, 2)


def test_control_frames_and_short_messages_stay_between_others() -> None:
    deflated = Deflated()
    frames = frame(PING, MESSAGE) + frame(TEXT, b"{}") + frame(TEXT, MESSAGE) + close_frame(1000)
    found = split(deflated(frames))
    assert found[0] == (0x80 | PING, MESSAGE)
    assert found[1] == (0x80 | TEXT, b"{}")
    assert found[2] == (0x80 | RSV1 | TEXT, MESSAGE)
    assert found[3][0] == 0x88


def test_half_a_frame_at_the_end_stays_as_it_is() -> None:
    whole, half = frame(TEXT, MESSAGE), frame(TEXT, MESSAGE)[:-1]
    made = Deflated()(whole + half)
    assert made.endswith(half)
    assert split(made[: -len(half)]) == [(0xC1, MESSAGE)]


@pytest.mark.slow
def test_more_than_is_remembered_comes_out_right() -> None:
    """Three times the memory in messages, each of them twice, and again from the first on."""
    deflated = Deflated()
    messages = [f"{number:08d}".encode() * 64 for number in range(24_000)]
    for message in [*messages, *messages[:50]]:
        once = deflated(frame(TEXT, message))
        assert deflated(frame(TEXT, message)) == once
        assert split(once) == [(0xC1, message)]


@given(st.lists(st.binary(max_size=400), max_size=8), st.integers(9, 15))
def test_any_messages_come_out_as_they_went_in(messages: list[bytes], bits: int) -> None:
    made = Deflated()(b"".join(frame(BINARY, each) for each in messages), bits)
    assert [message for _, message in split(made, bits)] == messages


def test_clients_messages_inflate_to_themselves() -> None:
    for level in range(10):
        for bits in range(9, 16):
            deflated = deflate(MESSAGE * 9, bits=bits, level=level)
            assert inflate(deflated, 65_536, is_text=True) == MESSAGE * 9
    assert inflate(b"\x00", 100, is_text=True) == b""  # RFC 7692, 7.2.3.6


@pytest.mark.parametrize(
    "deflated",
    [
        bytes.fromhex("f248cdc9c90700"),  # one block
        bytes.fromhex("000500faff48656c6c6f00"),  # without compression
        bytes.fromhex("f348cdc9c9070000"),  # BFINAL is set
        bytes.fromhex("f24805000000ffffcac9c90700"),  # two blocks
    ],
)
def test_the_examples_of_the_rfc(deflated: bytes) -> None:
    """RFC 7692, sections 7.2.3.1 to 7.2.3.5."""
    assert inflate(deflated, 5, is_text=True) == b"Hello"


@pytest.mark.parametrize("most", [128, 65_536])
def test_a_message_that_grows_beyond_the_bound_is_refused(most: int) -> None:
    assert len(inflate(deflate(b" " * most), most, is_text=True)) == most
    for bomb in (b" " * (most + 1), b" " * 3_000_000):
        with pytest.raises(InflateError) as refused:
            inflate(deflate(bomb), most, is_text=False)
        assert refused.value.code == 1009


@pytest.mark.parametrize(
    ("deflated", "is_text"),
    [(b"\xff\xff\xff", False), (b"\x07", True), (deflate(b"\xff" * 40), True)],
)
def test_what_is_no_stream_or_no_text_is_refused(deflated: bytes, is_text: bool) -> None:
    with pytest.raises(InflateError) as refused:
        inflate(deflated, 65_536, is_text=is_text)
    assert refused.value.code == 1007


@given(st.binary(max_size=200), st.integers(0, 300), st.booleans())
def test_any_bytes_give_a_message_or_the_declared_error(
    deflated: bytes, most: int, is_text: bool
) -> None:
    try:
        assert len(inflate(deflated, most, is_text=is_text)) <= most
    except InflateError as error:
        assert error.code in (1007, 1009)


def events(data: bytes, *, reserved: int = RSV1, step: int = 0) -> list[tuple[str, int, bytes]]:
    parser = FrameParser(reserved=reserved)
    size = step or len(data)
    return [
        e for at in range(0, len(data), size) for e in parser.receive_data(data[at : at + size])
    ]


@pytest.mark.parametrize("step", [0, 1, 3])
def test_rsv1_marks_a_message_whose_fragments_do_not_have_it(step: int) -> None:
    body = deflate(b"\xff" * 300)  # no UTF-8: nothing may be said of that before it is inflated
    data = (
        masked(RSV1 | TEXT, body[:2])
        + masked(0x80 | PING, b"x")
        + masked(0x00, body[2:4])
        + masked(0x80, body[4:])
        + masked(0x80 | TEXT, b"{}")
    )
    assert events(data, step=step) == [
        ("ping", PING, b"x"),
        ("deflated", TEXT, body),
        ("message", TEXT, b"{}"),
    ]


@pytest.mark.parametrize(
    ("data", "reserved"),
    [
        (masked(0x80 | RSV1 | TEXT, b"a"), 0),  # not negotiated
        (masked(0x80 | RSV1 | PING, b""), RSV1),  # a control frame (RFC 7692, section 6.1)
        (masked(0x80 | RSV1 | 8, b""), RSV1),
        (masked(TEXT, b"a") + masked(0x80 | RSV1, b"b"), RSV1),  # a later fragment
        (masked(RSV1 | TEXT, b"a") + masked(0x80 | RSV1, b"b"), RSV1),
        (masked(0x80 | RSV2 | TEXT, b"a"), RSV1),
        (masked(0x80 | RSV3 | TEXT, b"a"), RSV1),
        (masked(0x80 | RSV1 | RSV2 | TEXT, b"a"), RSV1),
        (masked(0x80 | RSV1 | 3, b"a"), RSV1),  # an opcode that is reserved
    ],
)
@pytest.mark.parametrize("step", [0, 1])
def test_rsv1_elsewhere_breaks_the_protocol(data: bytes, reserved: int, step: int) -> None:
    assert events(data, reserved=reserved, step=step)[-1] == ("error", 1002, b"")

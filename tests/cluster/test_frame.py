"""Frames of the bus: what is none says why, and nothing else is taken for one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticker.cluster.frame import (
    LONGEST,
    STATE_WORDS,
    FrameKind,
    Head,
    asking,
    body_of,
    head_of,
    identity,
    make_frame,
    shards_in,
)
from ticker.errors import DecodeError

FEED = identity("prod", "nasdaq")
HEAD = Head(FrameKind.FRAME_NOTICE, 3, 257, 12, 99, 1_800_000_000_000_000_000)
heads = st.builds(
    Head,
    kind=st.sampled_from([FrameKind.FRAME_NOTICE, FrameKind.FRAME_ASK]),
    shard=st.integers(0, 4095),
    epoch=st.integers(0, (1 << 64) - 1),
    batch=st.integers(0, (1 << 64) - 1),
    boot=st.integers(0, (1 << 64) - 1),
    publish_time=st.integers(-(1 << 63), (1 << 63) - 1),
)


@given(heads, st.binary(max_size=300))
def test_a_frame_is_read_as_it_was_made(head: Head, body: bytes) -> None:
    frame = make_frame(head, FEED, body)
    assert head_of(frame, FEED) == head
    assert body_of(frame) == body


def test_the_bytes_are_those_of_the_format() -> None:
    frame = make_frame(HEAD, FEED, b"{}")
    assert frame[:8] == b"TKF1\x01\x04\x03\x00"
    assert frame[8:24] == (257).to_bytes(8, "little") + (12).to_bytes(8, "little")
    assert frame[52:56] == (66).to_bytes(4, "little")
    assert len(frame) == 66


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda frame: frame[:-1], "short"),
        (lambda frame: frame + b"\0", "short"),
        (lambda frame: frame[:63], "short"),
        (lambda _: b"", "short"),
        (lambda frame: b"X" + frame[1:], "magic"),
        (lambda frame: frame[:4] + b"\x02" + frame[5:], "version"),
        (lambda frame: frame[:-1] + b"!", "check"),
    ],
)
def test_what_is_no_frame_says_why(change: object, reason: str) -> None:
    assert callable(change)
    with pytest.raises(DecodeError, match=reason):
        head_of(change(make_frame(HEAD, FEED, b"{}")), FEED)


def check_of(data: bytes) -> int:
    """CRC-32C bit by bit (RFC 3720, B.4)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


@pytest.mark.parametrize("length", [0, 1, 7, 8, 755, 756, 757, 763, 1024, 1523, 1524, 4999])
def test_the_check_is_that_of_the_standard(length: int) -> None:
    """Also where several parts of a frame are taken beside each other."""
    assert check_of(b"123456789") == 0xE3069283
    frame = make_frame(HEAD, FEED, bytes(at * 37 % 251 for at in range(length)))
    assert int.from_bytes(frame[48:52], "little") == check_of(frame[:48] + frame[52:])


def test_a_frame_of_another_cluster_or_feed_is_refused() -> None:
    for other in (identity("prod", "cboe"), identity("test", "nasdaq")):
        with pytest.raises(DecodeError, match="feed"):
            head_of(make_frame(HEAD, FEED, b""), other)


@pytest.mark.parametrize(
    ("kind", "body", "counts"),
    [
        (FrameKind.FRAME_DELTA, b"\0" * 7, {}),
        (FrameKind.FRAME_DELTA, b"", {"rows": 1}),
        (FrameKind.FRAME_DELTA, b"", {"defines": 1}),
        (FrameKind.FRAME_DELTA, b"", {"trades": 1 << 31}),
        (FrameKind.FRAME_DELTA, b"\0" * 56, {"defines": 1}),
        (FrameKind.FRAME_DELTA, b"\0" * 48, {"trades": 1}),
        (FrameKind.FRAME_IMAGE, b"\0\0\0\0\xff\xff\xff\xff", {"rows": 1}),
        (FrameKind.FRAME_STATE, b"\0" * 8 * STATE_WORDS, {}),
        (FrameKind.FRAME_STATE, b"\0" * 7, {}),
    ],
)
def test_a_body_that_cannot_be_is_refused(
    kind: FrameKind, body: bytes, counts: dict[str, int]
) -> None:
    frame = make_frame(Head(kind, 0, 1, 1, 1, 1), FEED, body, **counts)
    with pytest.raises(DecodeError, match="body"):
        head_of(frame, FEED)


def test_a_frame_has_a_longest_length() -> None:
    assert len(make_frame(HEAD, FEED, b"x" * (LONGEST - 64))) == LONGEST
    with pytest.raises(DecodeError, match="is the most"):
        make_frame(HEAD, FEED, b"x" * (LONGEST - 63))


@given(st.sets(st.integers(0, 4095), max_size=40))
def test_the_shards_that_are_asked_for(shards: set[int]) -> None:
    assert set(shards_in(asking(shards))) == shards


@given(st.binary(max_size=200))
def test_any_bytes_are_a_frame_or_give_the_declared_error(data: bytes) -> None:
    try:
        head_of(data, FEED)
    except DecodeError:
        return
    raise AssertionError("a checksum came right by chance")

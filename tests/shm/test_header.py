"""The header's rules: the buffers that are accepted as a segment."""

from __future__ import annotations

import mmap

import pytest

from ticker.errors import SegmentError
from ticker.shm.header import (
    KIND_FEED,
    KIND_GATEWAY,
    KIND_RECORDER,
    KIND_STORE,
    Mapping,
    segment_size,
)

BODY = 4096 + 8 * 512 * 8
REJECTS = 11 * (64 + 128 * 96)
GAPS = (2 + 1024) * (64 + 2 * 24 * 8)
BOOK = 64 + 2 * 8 * (8 + 2 * 2 * 50)
GATEWAY = BODY + 4096 * 32 + 64 + 4096 * 8


def test_sizes() -> None:
    assert segment_size(KIND_STORE) == segment_size(KIND_RECORDER) == BODY
    assert segment_size(KIND_GATEWAY) == GATEWAY
    assert segment_size(KIND_FEED, 1, 1, 2) == BODY + 640 + 64 + 2 * 64 + REJECTS + GAPS + 64
    assert segment_size(KIND_FEED, 16_384, 4, 65_536) == (
        BODY + 16_384 * (640 + 8) + 4 * 65_537 * 64 + REJECTS + GAPS
    )
    assert segment_size(KIND_FEED, 1, 1, 2, 3) == segment_size(KIND_FEED, 1, 1, 2) + 3 * BOOK


def test_tables_and_rings_start_on_cache_lines() -> None:
    for rows in (1, 7, 1000):
        assert segment_size(KIND_FEED, rows, 3, 4) % 64 == 0


def test_a_buffer_too_short_for_a_header_is_refused() -> None:
    with pytest.raises(SegmentError, match="36863 bytes is too short"):
        Mapping(bytearray(BODY - 1), True)


def test_a_read_only_buffer_is_not_writable() -> None:
    with pytest.raises(BufferError):
        Mapping(bytes(BODY), True)
    assert not Mapping(bytes(BODY), False).writable


def test_format_wants_the_size_of_its_geometry() -> None:
    mapping = Mapping(bytearray(BODY + 64), True)
    with pytest.raises(SegmentError, match=rf"has {BODY + 64} bytes, its geometry needs {GATEWAY}"):
        mapping.format(KIND_GATEWAY, 1, 1)
    with pytest.raises(SegmentError, match="wrong magic"):
        mapping.check(KIND_GATEWAY)


def test_format_writes_the_magic_that_dumps_show() -> None:
    buffer = mmap.mmap(-1, GATEWAY)
    Mapping(buffer, True).format(KIND_GATEWAY, 2**64 - 1, 1)
    assert buffer[:8] == b"TICKER1\0"
    mapping = Mapping(buffer, False)
    mapping.check(KIND_GATEWAY, 2**64 - 1)
    assert mapping.boot_id == 2**64 - 1

"""BinaryFILE: whole, in any pieces, ended, and any bytes at all; and the file transport."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticker.errors import FeedError
from ticker.feeds.protocol import MessageLog
from ticker.feeds.sessions.binaryfile import BinaryFile
from ticker.feeds.transports.binaryfile import CHUNK, blocks
from ticker.shm.counters import Counters
from ticker.shm.segment import Geometry, private_feed

GEOMETRY = Geometry(rows=4, rings=1, ring_capacity=16)


def frame(*messages: bytes) -> bytes:
    return b"".join(len(message).to_bytes(2, "big") + message for message in messages)


def read(*chunks: bytes) -> tuple[list[bytes], BinaryFile, Counters]:
    mapping = private_feed(GEOMETRY, 1, 1)
    log = MessageLog()
    session = BinaryFile(log, mapping)
    for chunk in chunks:
        session.receive_data(chunk)
    return log.messages, session, Counters(mapping)


def cut(data: bytes, points: list[int]) -> list[bytes]:
    edges = [0, *sorted(point % (len(data) + 1) for point in points), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


@given(st.lists(st.binary(min_size=1, max_size=80), max_size=50), st.lists(st.integers(0, 9999)))
def test_pieces_make_no_difference(messages: list[bytes], points: list[int]) -> None:
    data = frame(*messages)
    assert read(data)[0] == messages
    found, session, counters = read(*cut(data, points))
    assert found == messages
    assert counters["messages"] == len(messages)
    assert counters["bytes"] == len(data)
    assert not session.ended


def test_byte_by_byte() -> None:
    messages = [b"a", b"bc" * 300, b"d" * 65_535, b"e"]
    data = frame(*messages)
    assert read(*(data[i : i + 1] for i in range(len(data))))[0] == messages


def test_a_message_cut_off_at_the_end_is_left_out() -> None:
    data = frame(b"one", b"two")
    for tail in range(1, 5):
        assert read(data[:-tail])[0] == [b"one"]


@pytest.mark.parametrize("piece", [1, 2, 3, 100])
def test_a_length_of_zero_ends_the_session(piece: int) -> None:
    data = frame(b"one", b"", b"two")
    messages, session, _ = read(*(data[i : i + piece] for i in range(0, len(data), piece)))
    assert messages == [b"one"]
    assert session.ended


@given(st.lists(st.binary(max_size=300)))
def test_any_bytes_are_messages_or_left_over(chunks: list[bytes]) -> None:
    messages, session, counters = read(*chunks)
    assert counters["messages"] == len(messages) == session.next_expected_sequence
    assert frame(*messages) == b"".join(chunks)[: len(frame(*messages))]


def test_publishes_as_it_goes(itch: Any, make_feed: Callable[..., Any]) -> None:
    """A block of 32 messages is a packet's worth: its rows show before the next one is read."""
    feed = make_feed()
    session = BinaryFile(feed.decoder, feed.mapping)
    stream = frame(*(itch.trade(1, 1, 10_000, n + 1) for n in range(100)))
    session.receive_data(stream, 0, 9)
    assert feed.table.generation(0) == 2 * 4
    assert feed.row()["publish_time"] == 9
    assert len(feed.records()) == 100


def test_reads_files_in_chunks_plain_or_gzip(tmp_path: Path) -> None:
    data = bytes(range(256)) * (CHUNK // 128)
    plain, packed = tmp_path / "day.itch", tmp_path / "day.itch.gz"
    plain.write_bytes(data)
    packed.write_bytes(gzip.compress(data, 1))
    for path in (plain, packed):
        found = list(blocks(path, lambda: 5))
        assert b"".join(chunk for chunk, _, _ in found) == data
        assert [(time, line) for _, time, line in found] == [(5, 0)] * 2


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    torn = tmp_path / "torn.gz"
    torn.write_bytes(gzip.compress(b"x" * 1000)[:20])
    damaged = tmp_path / "damaged.gz"
    damaged.write_bytes(gzip.compress(b"x" * 1000)[:12] + b"\xff" * 20)
    for path in (torn, damaged, tmp_path / "none", tmp_path):
        with pytest.raises(FeedError, match="cannot be read"):
            list(blocks(path))


@given(st.binary(max_size=200), st.lists(st.integers(0, 9999)))
def test_what_lies_behind_the_end_is_counted(rest: bytes, points: list[int]) -> None:
    found, session, counters = read(*cut(frame(b"one", b"two", b"") + rest, points))
    assert found == [b"one", b"two"]
    assert session.ended
    assert counters["unread_bytes"] == len(rest)


@pytest.mark.parametrize("kept", range(1, 7))
def test_a_message_that_the_end_cuts_is_counted(kept: int) -> None:
    _, session, counters = read(frame(b"one"), frame(b"other")[:kept])
    assert counters["unread_bytes"] == 0
    session.end_of_data()
    assert counters["unread_bytes"] == kept

"""IEX-TP: the fields of its header. test_moldudp64.py tests line arbitration."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.feeds.session_types import MS, RETRANSMISSION, SECOND, A, B, Heard
from ticker.feeds.protocols.deep import Deep
from ticker.feeds.protocols.tops import Tops
from ticker.feeds.session import DEADLINE_NEVER, resume_point
from ticker.feeds.sessions.iextp import IexTp

START = 1_500_000_000 * SECOND


class Stream(Heard):
    """A session, what it delivered, and its counters; segments of numbered messages."""

    def __init__(self, iex: Any, **options: Any) -> None:
        super().__init__(IexTp, **options)
        self.iex = iex
        self.now = START

    def __call__(
        self, sequence: int, number: int = 1, line: int = A, sent: int = 0, **header: int
    ) -> None:
        messages = [b"m%d" % (sequence + index) for index in range(number)]
        header.setdefault("send_time", START + sent)
        self.send(self.iex.segment(sequence, *messages, **header), line)

    @property
    def numbers(self) -> list[int]:
        return [int(message[1:]) for message in self.log.messages]


@pytest.fixture
def stream(iex: Any) -> Stream:
    return Stream(iex)


def test_delivers_in_order_whatever_line_comes_first(stream: Stream) -> None:
    stream(1, 2)
    stream(1, 3, B)
    stream(3, 3)
    assert stream.numbers == [1, 2, 3, 4, 5]
    assert stream["duplicate_messages"] == 3
    assert (stream["packets_line_a"], stream["packets_line_b"]) == (2, 1)
    assert stream.session.next_expected_sequence == 6


def test_line_b_fills_what_line_a_lost(stream: Stream) -> None:
    stream(1)
    stream(4)
    assert stream.numbers == [1]
    stream(2, 2, B)
    assert stream.numbers == [1, 2, 3, 4]
    assert (stream["gaps"], stream["gap_messages"], stream["gaps_filled_by_line"]) == (1, 2, 1)


def test_a_gap_is_counted_bounded_and_given_up_without_asking(iex: Any) -> None:
    stream = Stream(iex, rerequest=True, request_timeout_ns=100 * MS)
    stream(1)
    stream(5)
    stream(5, line=B)
    assert stream.session.data_to_send(stream.now) == []
    assert stream.session.next_deadline(stream.now) == START + 100 * MS
    stream.now += 100 * MS
    assert stream.session.data_to_send(stream.now) == []
    assert stream.numbers == [1, 5]
    assert (stream["lost_messages"], stream["requests"]) == (3, 0)
    assert stream.session.next_deadline(stream.now) == DEADLINE_NEVER


def test_a_heartbeat_is_counted_and_reveals_a_gap(stream: Stream) -> None:
    stream(1)
    stream(2, 0)
    assert (stream["heartbeats"], stream["gaps"]) == (1, 0)
    stream(3, 0)
    assert (stream["heartbeats"], stream["gap_messages"]) == (2, 1)
    assert stream["sessions"] == 1


def test_a_sender_that_begins_again_is_told_by_its_send_time(stream: Stream) -> None:
    stream(1, 9, sent=0)
    stream(1, 0, sent=3 * SECOND)
    stream(1, 2, sent=4 * SECOND)
    assert stream.numbers == [*range(1, 10), 1, 2]
    assert stream["sessions"] == 2
    assert stream["gaps"] == 0


def test_it_may_begin_again_many_times(stream: Stream) -> None:
    for run in range(12):
        stream(1, 0, sent=2 * run * 5 * SECOND)
        stream(1, 4, sent=(2 * run + 1) * 5 * SECOND)
    assert stream.numbers == [1, 2, 3, 4] * 12
    assert (stream["sessions"], stream["lost_messages"]) == (12, 0)


def test_a_slower_line_has_not_begun_again(stream: Stream) -> None:
    stream(1, 9, sent=5 * SECOND)
    stream(1, 0, B, sent=SECOND)
    stream(3, 4, B, sent=7 * SECOND)
    stream(5, 2, RETRANSMISSION, sent=60 * SECOND)
    stream(10, sent=6 * SECOND)
    assert stream.numbers == list(range(1, 11))
    assert stream["sessions"] == 1


def test_other_sessions_and_channels_are_other_streams(stream: Stream) -> None:
    stream(1, 3)
    stream(7, 2, channel=2)
    stream(7, 2, session=99)
    stream(4)
    assert stream.numbers == [1, 2, 3, 4]
    assert stream["other_session_packets"] == 2
    stream(1, 2, session=99)
    stream(1, 2, B, session=99)
    assert stream.numbers == [1, 2, 3, 4, 1, 2]


@pytest.mark.parametrize(
    ("protocol", "taken", "left"), [(Tops, 0x8003, 0x8004), (Deep, 0x8004, 0x8003)]
)
def test_segments_of_another_message_protocol_are_left_alone(
    iex: Any, make_feed: Callable[..., Any], protocol: type, taken: int, left: int
) -> None:
    feed = make_feed(protocol=protocol)
    session = IexTp(feed.decoder, feed.mapping)
    trade = iex.trade("AAPL", 100, 10_000, 1)
    for other in (left, 0x8005, 0):
        session.receive_data(iex.segment(1, trade, protocol=other))
    assert (feed.counter("messages"), feed.counter("other_session_packets")) == (0, 3)
    session.receive_data(iex.segment(1, trade, protocol=taken))
    assert feed.counter("messages") == 1


def test_resumes_where_its_predecessor_was(iex: Any) -> None:
    first = Stream(iex)
    first(1, 4)
    first.session.save()
    point = resume_point(first.mapping)
    assert point is not None and point[1] == 5
    second = Stream(iex, resume=point)
    second(7)
    assert second["gap_messages"] == 2
    other = Stream(iex, resume=point)
    other(7, session=99)
    assert other.numbers == [7]


BROKEN = [
    lambda iex: iex.segment(2)[:0],
    lambda iex: iex.segment(2)[:39],
    lambda iex: iex.segment(2, b"m2")[:-1],
    lambda iex: iex.segment(2, b"m2") + b"padding",
    lambda iex: iex.segment(2, b"m2", b"m3", count=1),
    lambda iex: iex.segment(2, b"m2", count=0),
    lambda iex: iex.segment(2, b"m2", version=2),
    lambda iex: iex.segment(2, b"m2", payload=3),
    lambda iex: iex.segment(2, b"m2", payload=9),
    lambda iex: iex.segment(2, b"m2", count=2),
    lambda iex: iex.segment(0, b"m2"),
    lambda iex: iex.segment(2**41, b"m2"),
    lambda iex: iex.segment(-1, b"a", b"b"),
    lambda iex: iex.segment(1, b"m2", count=7, send_time=START + 10 * SECOND),
]


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_segment_changes_nothing(
    iex: Any, stream: Stream, broken: Callable[[Any], bytes]
) -> None:
    stream(1, 1)
    stream.send(broken(iex))
    assert (stream["bad_packets"], stream["gaps"], stream["sessions"]) == (1, 0, 1)
    stream(2)
    assert stream.numbers == [1, 2]


@given(st.lists(st.tuples(st.binary(max_size=80), st.integers(0, 2)), max_size=8))
def test_arbitrary_datagrams_change_nothing(iex: Any, datagrams: list[tuple[bytes, int]]) -> None:
    stream = Stream(iex)
    stream(1)
    for data, line in datagrams:
        stream.send(data, line)
    stream(2)
    assert stream.numbers == [1, 2]


@given(
    st.lists(
        st.tuples(
            st.integers(1, 40),
            st.integers(0, 6),
            st.integers(0, 2),
            st.integers(0, 2 * SECOND),
        ),
        max_size=60,
    )
)
def test_any_order_delivers_each_message_once(
    iex: Any, parts: list[tuple[int, int, int, int]]
) -> None:
    stream = Stream(iex, buffer_bytes=3000)
    stream(1)
    for sequence, number, line, sent in parts:
        stream(sequence, number, line, sent)
        stream.now += 2 * MS
    stream.session.end_of_data(stream.now)
    numbers = stream.numbers
    assert numbers == sorted(set(numbers))
    assert len(numbers) + stream["lost_messages"] == stream.session.next_expected_sequence - 1


def test_a_forged_send_time_begins_nothing_again(stream: Stream) -> None:
    stream(1, 9, sent=0)
    for sequence in range(10, 14):
        stream(1, 0, sent=100 * SECOND)
        stream(sequence, sent=sequence * MS)
        stream.now += 2 * SECOND
    assert stream.numbers == list(range(1, 14))
    assert stream["sessions"] == 1

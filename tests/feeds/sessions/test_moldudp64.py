"""MoldUDP64: every message once and in order, or counted as lost, with any faults of the lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.feeds.mold_feed import NAME, Feed, end_of_session, heartbeat, numbered, packet, texts
from tests.feeds.session_types import MS, RETRANSMISSION, SECOND, A, B
from ticker.errors import FeedError
from ticker.feeds.session import DEADLINE_NEVER, resume_point


def test_delivers_in_order_and_counts() -> None:
    feed = Feed()
    feed(numbered(1, 2))
    feed(numbered(3, 3))
    assert feed.messages == texts(1, 2, 3, 4, 5)
    assert feed.session.next_expected_sequence == 6
    assert feed.session.session_id == NAME
    assert (feed["packets"], feed["messages"], feed["packets_line_a"]) == (2, 5, 2)
    assert feed["bytes"] == len(numbered(1, 2)) + len(numbered(3, 3))
    assert feed.session.next_deadline(feed.now) == DEADLINE_NEVER


def test_the_first_line_wins() -> None:
    feed = Feed()
    for line in (A, B):
        feed(numbered(1, 2), line)
    feed(numbered(3), B)
    feed(numbered(3), A)
    assert feed.messages == texts(1, 2, 3)
    assert feed["duplicate_messages"] == 3
    assert (feed["packets_line_a"], feed["packets_line_b"]) == (2, 2)


def test_a_packet_that_is_new_in_part_gives_its_new_part() -> None:
    feed = Feed()
    feed(numbered(1, 3))
    feed(numbered(2, 4))
    assert feed.messages == texts(1, 2, 3, 4, 5)
    assert feed["duplicate_messages"] == 2


def test_empty_messages_are_messages_and_bytes_behind_the_last_one_are_bad() -> None:
    feed = Feed()
    feed(packet(1, b"", b"x") + b"padding")
    feed(packet(1) + b"p")
    assert (feed.messages, feed["bad_packets"], feed["heartbeats"]) == ([], 2, 0)
    feed(packet(1, b"", b"x"))
    assert feed.messages == [b"", b"x"]


def test_line_b_fills_what_line_a_lost() -> None:
    feed = Feed(rerequest=True)
    feed(numbered(1))
    feed(numbered(3))
    assert feed.messages == texts(1)
    assert feed.wanted() == []
    feed(numbered(2), B)
    assert feed.messages == texts(1, 2, 3)
    assert (feed["gaps"], feed["gap_messages"], feed["gaps_filled_by_line"]) == (1, 1, 1)
    assert feed["requests"] == 0
    assert feed.session.next_deadline(feed.now) == DEADLINE_NEVER


def test_a_slow_line_with_an_old_heartbeat_is_no_new_stream() -> None:
    feed = Feed()
    feed(numbered(1, 5))
    feed(heartbeat(3), B)
    feed(numbered(6))
    assert feed.messages == texts(1, 2, 3, 4, 5, 6)
    assert feed["sessions"] == 1


def test_end_of_session() -> None:
    feed = Feed(rerequest=True)
    feed(numbered(1))
    feed(end_of_session(3))
    assert not feed.session.ended
    feed.now += MS
    assert feed.wanted() == [(2, 1)]
    feed(numbered(2), RETRANSMISSION)
    assert feed.session.ended
    feed(end_of_session(3), B)
    assert feed.session.ended
    assert feed.session.next_expected_sequence == 3


def test_a_new_session_begins_at_1() -> None:
    feed = Feed(rerequest=True)
    feed(numbered(500, 2))
    feed(numbered(504))
    feed(numbered(1, 2, session=b"SESSION002"))
    assert feed.messages == texts(500, 501)
    feed(numbered(1, 2, session=b"SESSION002"), B)
    assert feed.messages == texts(500, 501, 1, 2)
    assert feed.session.session_id == b"SESSION002"
    assert feed["sessions"] == 2
    feed(numbered(502, 3), B)
    feed(numbered(502, 3), RETRANSMISSION)
    assert feed["other_session_packets"] == 3
    feed(numbered(3, session=b"SESSION002"))
    assert feed.messages == texts(500, 501, 1, 2, 3)


def test_a_new_session_seen_late_is_asked_for_from_1() -> None:
    feed = Feed(rerequest=True)
    feed(numbered(1))
    feed(end_of_session(2))
    feed(numbered(4, session=b"SESSION002"))
    feed(numbered(5, session=b"SESSION002"))
    feed.now += MS
    assert feed.wanted() == [(1, 3)]
    assert feed.session.data_to_send(feed.now + SECOND)[0][:10] == b"SESSION002"


def test_one_stray_packet_replaces_nothing() -> None:
    feed = Feed()
    feed(numbered(1))
    feed(numbered(77, session=b"STRAY     "))
    feed(numbered(2))
    assert feed.messages == texts(1, 2)
    assert feed["other_session_packets"] == 1
    for sequence in (78, 79):
        feed(numbered(sequence, session=b"STRAY     "))
    assert feed.session.session_id == NAME, "something new of the current one came between"
    feed(numbered(80, session=b"STRAY     "))
    assert feed.session.session_id == b"STRAY     "


def test_a_rebuild_need_not_reach_the_place_of_a_session_that_was_replaced() -> None:
    feed = Feed(rerequest=True, join="start")
    feed(end_of_session(5_000_000, session=b"YESTERDAY "))
    assert feed.session.joined_at == 5_000_000
    feed(numbered(1))
    feed(numbered(2))
    assert feed.session.session_id == NAME
    assert 0 < feed.session.joined_at <= feed.session.next_expected_sequence


def test_a_quiet_session_is_replaced_even_by_its_predecessor() -> None:
    feed = Feed()
    feed(numbered(1, 5))
    for sequence in (1, 2):
        feed(numbered(sequence, session=b"SESSION002"))
    feed.now += 3 * SECOND
    feed(numbered(6))
    assert feed.session.session_id == b"SESSION002"
    feed(numbered(7))
    assert feed.session.session_id == NAME
    assert feed.messages == texts(1, 2, 3, 4, 5, 1, 2, 6, 7)


def test_a_sender_that_begins_again_under_the_same_name() -> None:
    feed = Feed()
    feed(numbered(1, 5))
    feed(numbered(6))
    feed(numbered(1))
    assert feed["duplicate_messages"] == 1
    feed.now += 3 * SECOND
    feed(numbered(1))
    feed(numbered(2))
    assert feed.messages == texts(1, 2, 3, 4, 5, 6, 1, 2)
    assert feed["sessions"] == 2


def test_a_line_that_is_read_late_begins_nothing_again() -> None:
    """The process stood still with the packets of line B in its socket: no silence of the venue."""
    feed = Feed()
    feed(numbered(1, 5), A)
    feed.now += 3 * SECOND
    feed(heartbeat(1), B)
    feed(numbered(1, 2), B)
    feed(numbered(3, 2), B)
    assert feed.messages == texts(1, 2, 3, 4, 5)
    assert (feed["sessions"], feed["duplicate_messages"]) == (1, 4)
    feed(numbered(1), B)
    feed(numbered(2), B)
    assert feed["sessions"] == 2, "but now this line goes back itself"
    feed(numbered(1, 2), A)
    assert feed.messages == texts(1, 2, 3, 4, 5, 1, 2)


def test_joins_live_or_from_the_start() -> None:
    live = Feed(rerequest=True)
    live(numbered(10))
    assert live.messages == texts(10)
    start = Feed(rerequest=True, join="start")
    start(numbered(10))
    assert start.messages == []
    start.now += MS
    assert start.wanted() == [(1, 9)]
    with pytest.raises(FeedError, match="live"):
        Feed(join="middle")


def test_resumes_where_its_predecessor_was() -> None:
    first = Feed(rerequest=True)
    assert resume_point(first.mapping) is None
    first(numbered(1, 4))
    first.session.save()
    point = resume_point(first.mapping)
    assert point == (NAME, 5)
    second = Feed(rerequest=True, resume=point)
    second(numbered(8))
    second.now += MS
    assert second.wanted() == [(5, 3)]
    other = Feed(rerequest=True, resume=point)
    other(numbered(8, session=b"SESSION002"))
    assert other.messages == texts(8)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        NAME,
        numbered(1)[:19],
        numbered(2, 3)[:-1],
        numbered(2, 3)[:24],
        packet(2, b"abc", blocks=2),
        packet(0, b"abc"),
        heartbeat(0),
        heartbeat(2**41),
        packet(2**64 - 2, b"a", b"b", b"c"),
    ],
)
def test_a_broken_packet_changes_nothing(data: bytes) -> None:
    feed = Feed(rerequest=True)
    feed(numbered(1))
    feed(data)
    assert (feed["bad_packets"], feed["gaps"], feed["sessions"]) == (1, 0, 1)
    feed(numbered(2))
    assert feed.messages == texts(1, 2)


@given(st.lists(st.tuples(st.binary(max_size=60), st.integers(0, 2)), max_size=8))
def test_arbitrary_datagrams_change_nothing(datagrams: list[tuple[bytes, int]]) -> None:
    feed = Feed(rerequest=True)
    feed(numbered(1))
    for data, line in datagrams:
        feed(data, line)
    if feed.session.session_id == NAME:
        feed(numbered(2))
        assert feed.messages == texts(1, 2)


@given(
    st.lists(
        st.tuples(st.integers(1, 40), st.integers(0, 6), st.integers(0, 2), st.booleans()),
        max_size=60,
    )
)
def test_any_order_delivers_each_message_once(
    parts: list[tuple[int, int, int, bool]],
) -> None:
    feed = Feed(rerequest=True, buffer_bytes=2000)
    feed(numbered(1))
    for sequence, number, line, ask in parts:
        feed(numbered(sequence, number) if number else heartbeat(sequence), line)
        feed.now += 2 * MS
        if ask:
            feed.wanted()
    feed.session.end_of_data(feed.now)
    numbers = [int(message[1:]) for message in feed.messages]
    assert numbers == sorted(set(numbers))
    assert len(numbers) + feed["lost_messages"] == feed.session.next_expected_sequence - 1
    assert feed["messages"] == len(numbers)

"""Packets of strangers that know the session: none of them alone is believed.

What a forger sends passes every check but one: nothing confirms it.
"""

from __future__ import annotations

import resource
import time
from itertools import count

import pytest

from tests.feeds.mold_feed import NAME, Feed, end_of_session, heartbeat, numbered, texts
from tests.feeds.session_types import MS, RETRANSMISSION, SECOND, A, B

OTHER = b"FORGED0001"
FAR = 1 << 39


def test_one_heartbeat_of_another_session_silences_nothing() -> None:
    feed = Feed()
    for sequence in range(1, 31):
        feed(numbered(sequence))
        feed(heartbeat(1, session=OTHER))
        feed.now += 2 * SECOND
    assert feed.messages == texts(*range(1, 31))
    assert feed.session.session_id == NAME
    assert (feed["sessions"], feed["unconfirmed_packets"]) == (1, 30)


def test_heartbeats_of_another_session_are_no_sign_of_life() -> None:
    feed = Feed()
    feed(numbered(1))
    real = feed.session.last_packet_ns
    for _ in range(30):
        feed.now += 2 * SECOND
        feed(heartbeat(1, session=OTHER))
    assert feed.session.last_packet_ns == real
    assert feed.session.session_id == NAME
    feed(numbered(2))
    assert feed.messages == texts(1, 2)


def test_heartbeats_of_another_session_on_both_lines_silence_nothing() -> None:
    """One sender may write to both groups; each pair names a session of its own."""
    feed = Feed()
    for sequence in range(1, 31):
        feed(numbered(sequence))
        for line in (A, B):
            feed(heartbeat(1, session=b"FORGED%04d" % sequence), line)
        feed.now += 2 * SECOND
    assert feed.messages == texts(*range(1, 31))
    assert feed["sessions"] == 1


def test_a_session_that_was_replaced_and_goes_on_is_back_at_once() -> None:
    """Messages of another session on both lines are believed; what the real one goes on with shows
    that it is alive, and none of it is lost."""
    feed = Feed()
    following = 1
    for turn in range(20):
        for _ in range(10):
            feed(numbered(following), A)
            feed(numbered(following), B)
            following += 1
            feed.now += 50 * MS
        for line in (A, B):
            feed(numbered(1, session=b"FORGED%04d" % turn), line)
        for line in (A, B):  # late ones bring nothing new
            feed(numbered(following - 2, 2), line)
        assert feed.session.session_id == b"FORGED%04d" % turn
    for _ in range(3):
        feed(numbered(following), A)
        following += 1
    assert feed.session.session_id == NAME
    assert [each for each in feed.messages if each != texts(1)[0]] == texts(*range(2, following))
    assert feed["lost_messages"] == 0


@pytest.mark.parametrize("rerequest", [True, False])
@pytest.mark.parametrize(
    ("forged", "pause"),
    [(heartbeat(FAR), 300 * MS), (heartbeat(90), 5 * MS), (numbered(90), 5 * MS)],
    ids=["far", "near", "near with a message"],
)
def test_a_number_ahead_on_both_lines_makes_no_real_packet_a_duplicate(
    forged: bytes, rerequest: bool, pause: int
) -> None:
    """Two lines agree, and the stream is not there: it comes from below."""
    feed = Feed(rerequest=rerequest)
    for sequence in range(1, 31):
        feed(numbered(sequence), A)
        feed(numbered(sequence), B)
        feed.now += pause
        feed.wanted()
        if sequence % 3 == 0:
            feed(forged, A)
            feed(forged, B)
    assert feed.messages == texts(*range(1, 31))
    assert feed["lost_messages"] == 0
    assert feed["requests"] < 40


@pytest.mark.parametrize(
    "forged",
    [heartbeat(FAR), numbered(FAR), numbered(9, 3), heartbeat(12)],
    ids=["far", "far with a message", "near with messages", "near"],
)
@pytest.mark.parametrize("rerequest", [True, False])
def test_a_number_far_ahead_makes_no_real_packet_a_duplicate(
    forged: bytes, rerequest: bool
) -> None:
    feed = Feed(rerequest=rerequest)
    feed(numbered(1))
    feed(forged)
    for sequence in range(2, 9):
        feed(numbered(sequence))
        feed.now += 700 * MS
        feed.wanted()
    assert feed.messages == texts(*range(1, 9))
    assert (feed["lost_messages"], feed["duplicate_messages"]) == (0, 0)
    assert feed["unconfirmed_packets"] == 1
    assert feed.session.known_end == 9


def test_a_number_far_ahead_is_no_sign_of_life() -> None:
    feed = Feed()
    feed(numbered(1))
    real = feed.session.last_packet_ns
    for _ in range(5):
        feed.now += SECOND
        feed(heartbeat(FAR))
    assert feed.session.last_packet_ns == real
    feed(numbered(FAR - 5))
    assert feed.session.last_packet_ns == feed.now, "now something with a message agrees"


@pytest.mark.parametrize(
    "second",
    [(numbered(6), A), (numbered(5), B), (heartbeat(6), B), (heartbeat(6), A), (heartbeat(5), B)],
    ids=["its line", "the same of B", "heartbeat of B", "heartbeat of A", "B is as far"],
)
def test_a_jump_is_believed_once_it_is_confirmed(second: tuple[bytes, int]) -> None:
    feed = Feed(request_timeout_ns=100 * MS)
    feed(numbered(1))
    feed(numbered(5))
    feed(*second)
    feed.now += 100 * MS
    feed.session.data_to_send(feed.now)
    assert feed.messages[:2] == texts(1, 5)
    assert feed["lost_messages"] == 3


def test_heartbeats_of_one_line_are_confirmed_by_a_message_of_it() -> None:
    feed = Feed()
    feed(numbered(1))
    for _ in range(8):
        feed(heartbeat(5))
        feed.now += SECOND
    assert feed["lost_messages"] == 0
    feed(numbered(5))
    feed.now += SECOND
    feed(numbered(6))
    assert feed.messages == texts(1, 5, 6)
    assert feed["lost_messages"] == 3


def test_the_server_confirms_what_it_sends() -> None:
    feed = Feed(rerequest=True)
    feed(numbered(1))
    feed(heartbeat(5))
    feed.now += MS
    assert feed.wanted() == [(2, 3)]
    feed(numbered(2, 3), RETRANSMISSION)
    assert feed.messages == texts(1, 2, 3, 4)
    assert feed.session.last_packet_ns < feed.now
    feed(heartbeat(5))
    assert feed.session.last_packet_ns == feed.now


def test_an_answer_beyond_all_that_was_asked_for_is_left_alone() -> None:
    feed = Feed(rerequest=True)
    feed(numbered(1))
    feed(numbered(FAR), RETRANSMISSION)
    feed(numbered(2))
    assert feed.messages == texts(1, 2)
    assert feed["gaps"] == 0


@pytest.mark.parametrize("forged", [heartbeat(FAR), numbered(FAR)], ids=["heartbeat", "message"])
def test_a_forged_first_packet_is_no_place_to_begin_at(forged: bytes) -> None:
    feed = Feed()
    feed(forged)
    for sequence in (50, 51, 52):
        feed(numbered(sequence))
    assert feed.messages[-3:] == texts(50, 51, 52)
    assert feed["lost_messages"] == 0


def test_where_only_the_other_line_is_behind_time_tells() -> None:
    """Line A was forged and is gone; for all that is known, line B may only be slow."""
    feed = Feed()
    feed(numbered(FAR), A)
    for sequence in range(50, 60):
        feed(numbered(sequence), B)
        feed.now += SECOND
    assert feed.messages[-2:] == texts(58, 59)


def test_a_rebuild_does_not_wait_for_a_forged_number() -> None:
    feed = Feed(rerequest=True, join="start")
    feed(heartbeat(FAR))
    for sequence in range(1, 9):
        feed(numbered(sequence))
        feed.now += 700 * MS
        feed.wanted()
    assert feed.messages == texts(*range(1, 9))
    assert feed.session.joined_at <= 9


def test_a_forged_end_is_over_with_the_next_heartbeat() -> None:
    feed = Feed()
    feed(numbered(1))
    feed(end_of_session(2))
    assert feed.session.ended
    feed(heartbeat(1, session=OTHER))
    feed(heartbeat(2))
    assert not feed.session.ended
    assert feed.session.session_id == NAME


def test_a_change_of_session_costs_no_message() -> None:
    feed = Feed()
    feed(numbered(1, 5))
    for sequence in (1, 2, 3):
        feed(numbered(sequence, session=b"SESSION002"))
    assert feed.messages == texts(1, 2, 3, 4, 5, 1, 2, 3)
    assert (feed["lost_messages"], feed["gaps"]) == (0, 0)


# -- a re-request server of no use -----------------------------------------------------------------


def test_requests_without_an_answer_are_paced() -> None:
    """A hundred forged numbers a second, each of which opens a gap."""
    feed = Feed(rerequest=True, requests_per_second=50, request_timeout_ns=10 * MS)
    feed(numbered(1))
    began = time.process_time()
    for sequence in range(2, 10_002):
        feed(heartbeat(sequence + 5_000_000), A)
        feed(numbered(sequence))
        feed(heartbeat(sequence + 5_000_000), B)
        feed.now += 10 * MS
        if feed.session.next_deadline(feed.now) <= feed.now:
            feed.wanted()
    assert time.process_time() - began < 2
    assert feed["requests"] < 100 + 50 * 100
    assert feed["requests"] < 200, "and less: nothing is ever answered"


def test_a_server_that_answers_nothing_is_asked_ever_less_often() -> None:
    feed = Feed(rerequest=True, request_attempts=1, request_timeout_ns=10 * MS)
    sequence, asked = 1, []
    for _ in range(3600):
        feed(numbered(sequence))
        feed(numbered(sequence + 2), A)
        feed(numbered(sequence + 2), B)
        sequence += 3
        end = feed.now + SECOND
        while feed.session.next_deadline(feed.now) < end:
            feed.now = max(feed.now, feed.session.next_deadline(feed.now))
            if feed.wanted():
                asked.append(feed.now)
        feed.now = end
    assert feed["lost_messages"] == 3600
    assert len(asked) < 80, "an hour: some at first, then one a minute"
    feed.now += 60 * SECOND
    feed(numbered(sequence + 3))
    feed(numbered(sequence + 3), B)
    feed.now += MS
    ((first, number),) = feed.wanted()
    feed(numbered(first, number), RETRANSMISSION)
    feed(numbered(sequence + 5))
    feed(numbered(sequence + 5), B)
    feed.now += MS
    assert feed.wanted() == [(sequence + 4, 1)], "it is back"


GARBAGE = {
    "what is known": numbered(1),
    "what is not asked for": numbered(FAR),
    "nothing of this stream": b"\xff" * 40,
    "empty": b"",
    "another session": numbered(3, session=OTHER),
    "the same part of a gap": numbered(4),
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=list(GARBAGE))
def test_a_server_that_floods_is_not_read_for_a_while(garbage: bytes) -> None:
    feed = Feed(rerequest=True)
    feed(numbered(1))
    feed(numbered(6))
    feed(numbered(6), B)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    waits = []
    for turn in range(3):
        for number in count():
            if feed.session.ignore_until > feed.now:
                break
            assert number < 40_000, "it floods and is read"
            feed(garbage, RETRANSMISSION)
        waits.append(feed.session.ignore_until - feed.now)
        feed.now += 100 * MS
        assert feed.wanted() == [], "nor is it asked"
        feed(numbered(7 + turn))
        assert feed.messages[-1:] == texts(7 + turn)
        feed.now = feed.session.ignore_until
    assert waits == [SECOND // 2, SECOND, 2 * SECOND]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 4_000, "kB"


@pytest.mark.parametrize("rerequest", [True, False])
@pytest.mark.parametrize("every", [0, 900], ids=["once", "again and again"])
def test_a_far_number_that_two_packets_confirm_is_dropped_when_the_line_goes_on(
    every: int, rerequest: bool
) -> None:
    """Both have messages. The server does not answer, as nobody has these numbers."""
    feed = Feed(rerequest=rerequest)
    for step in range(1, 3_001):
        feed(numbered(step), A if step % 2 else B)
        if step == 10 or (every and step % every == 0 and step < 2_000):
            feed(numbered(FAR), A)
            feed(numbered(FAR + 1), A)
        feed.now += 10 * MS
        if feed.session.next_deadline(feed.now) <= feed.now:
            feed.wanted()
    assert feed.messages == texts(*range(1, 3_001))
    assert (feed["lost_messages"], feed["duplicate_messages"]) == (0, 0)
    assert feed.session.known_end == 3_001
    assert not feed.session.recovering
    assert feed["unconfirmed_packets"] == (6 if every else 2)
    assert feed["requests"] < 40


@pytest.mark.parametrize("behind", [1, 4], ids=["1 s", "4 s"])
def test_a_line_that_is_late_brings_all_that_the_other_lost(behind: int) -> None:
    """Line A is ahead and joined later: what is between comes from line B alone."""
    feed = Feed()
    feed(numbered(1), B)
    for step in range(2, 3_000):
        feed(numbered(step + 100 * behind), A)
        feed(numbered(step), B)
        feed.now += 10 * MS
        if feed.session.next_deadline(feed.now) <= feed.now:
            feed.wanted()
    assert feed.messages == texts(*range(1, len(feed.messages) + 1))
    assert len(feed.messages) >= 2_999
    assert feed["lost_messages"] == 0

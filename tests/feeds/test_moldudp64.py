"""MoldUDP64: every message once and in order, or counted as lost; whatever the lines do."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticker.errors import FeedError
from ticker.feeds.protocol import MessageLog
from ticker.feeds.session import DEADLINE_NEVER, SessionOptions, resume_point
from ticker.feeds.sessions.moldudp64 import MoldUDP64
from ticker.shm.counters import Counters
from ticker.shm.segment import Geometry, private_feed

A, B, ANSWER = 0, 1, 2
MS = 1_000_000
SECOND = 1_000_000_000
NAME = b"SESSION001"
START = 1_000_000 * SECOND


def packet(sequence: int, *messages: bytes, session: bytes = NAME, blocks: int = -1) -> bytes:
    body = b"".join(len(message).to_bytes(2, "big") + message for message in messages)
    number = len(messages) if blocks < 0 else blocks
    return session + sequence.to_bytes(8, "big") + number.to_bytes(2, "big") + body


def heartbeat(sequence: int, session: bytes = NAME) -> bytes:
    return packet(sequence, session=session)


def end_of_session(sequence: int, session: bytes = NAME) -> bytes:
    return packet(sequence, session=session, blocks=0xFFFF)


def text(sequence: int) -> bytes:
    return b"m%d" % sequence


def numbered(sequence: int, number: int = 1, session: bytes = NAME) -> bytes:
    """A packet whose messages say their own sequence."""
    return packet(sequence, *map(text, range(sequence, sequence + number)), session=session)


class Feed:
    """A session, what it delivered, and its counters."""

    def __init__(self, **options: Any) -> None:
        self.mapping = private_feed(Geometry(16, 1, 16), 1, 0)
        self.log = MessageLog()
        self.session = MoldUDP64(self.log, self.mapping, SessionOptions(**options))
        self.now = START

    def __call__(self, data: bytes, line: int = A, at: int | None = None) -> None:
        self.session.receive_data(data, line, self.now if at is None else at)

    def __getitem__(self, name: str) -> int:
        return Counters(self.mapping)[name]

    @property
    def messages(self) -> list[bytes]:
        return self.log.messages

    def wanted(self) -> list[tuple[int, int]]:
        """(sequence, count) of the requests that are due."""
        requests = self.session.data_to_send(self.now)
        assert all(len(request) == 20 for request in requests)
        return [
            (int.from_bytes(request[10:18], "big"), int.from_bytes(request[18:], "big"))
            for request in requests
        ]

    def wait_until_nothing_is_missing(self) -> list[tuple[int, int]]:
        asked = []
        while self.session.next_deadline(self.now) != DEADLINE_NEVER:
            self.now = max(self.now, self.session.next_deadline(self.now))
            asked += self.wanted()
        return asked


def texts(*numbers: int) -> list[bytes]:
    return [text(number) for number in numbers]


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


def test_asks_after_the_other_line_had_its_chance() -> None:
    feed = Feed(rerequest=True)
    feed(numbered(1))
    feed(numbered(5))
    assert feed.session.next_deadline(feed.now) == feed.now + MS
    assert not feed.session.recovering
    feed.now += MS
    assert feed.wanted() == [(2, 3)]
    assert feed.session.recovering
    assert feed.wanted() == []
    feed(numbered(2, 3), ANSWER)
    assert feed.messages == texts(1, 2, 3, 4, 5)
    assert (feed["recovered_messages"], feed["requests"], feed["lost_messages"]) == (3, 1, 0)
    assert not feed.session.recovering


def test_asks_again_for_the_rest_when_fewer_came() -> None:
    feed = Feed(rerequest=True)
    feed(numbered(1))
    feed(numbered(100))
    feed.now += MS
    assert feed.wanted() == [(2, 98)]
    feed(numbered(2, 30), ANSWER)
    feed.now = feed.session.next_deadline(feed.now)
    assert feed.now < START + 20 * MS
    requests = feed.wanted()
    assert requests[0][0] == 32
    assert sum(count for _, count in requests) == 68
    for sequence, number in requests:
        feed(numbered(sequence, number), ANSWER)
    assert feed.messages == texts(*range(1, 101))


def test_large_gaps_are_asked_for_within_the_window() -> None:
    feed = Feed(rerequest=True, join="start", request_window=100_000)
    feed(heartbeat(1_000_001))
    feed.now += MS
    assert feed.wanted() == [(1, 65534), (65535, 34466)]


def test_an_answer_opens_the_window() -> None:
    feed = Feed(rerequest=True, join="start", request_window=100)
    feed(heartbeat(1001))
    feed.now += MS
    assert feed.wanted() == [(1, 100)]
    feed(numbered(1, 40), ANSWER)
    assert feed.session.next_deadline(feed.now) > feed.now
    feed(numbered(41, 40), ANSWER)
    assert feed.session.next_deadline(feed.now) <= feed.now
    assert feed.wanted() == [(101, 80)]


def test_a_server_that_is_gone_costs_bounded_time() -> None:
    feed = Feed(rerequest=True, request_attempts=3, request_timeout_ns=100 * MS)
    feed(numbered(1))
    feed(numbered(4))
    assert feed.wait_until_nothing_is_missing() == [(2, 2)] * 3
    assert feed.now == START + MS + 3 * 100 * MS
    assert feed.messages == texts(1, 4)
    assert feed["lost_messages"] == 2
    feed(numbered(5))
    feed(numbered(7))
    before = feed.now
    assert feed.wait_until_nothing_is_missing() == [(6, 1)]
    assert feed.now - before == MS + 100 * MS, "the server is known to be gone"
    assert feed.messages == texts(1, 4, 5, 7)


@pytest.mark.parametrize("rerequest", [True, False])
def test_a_clock_set_back_holds_no_gap_open(rerequest: bool) -> None:
    feed = Feed(rerequest=rerequest)
    feed(numbered(1))
    feed(numbered(3))
    feed.now += 50 * MS
    feed.wanted()
    feed.now -= 3600 * SECOND
    feed.wanted()
    before = feed.now
    feed.wait_until_nothing_is_missing()
    assert feed.now - before < SECOND
    assert feed.messages == texts(1, 3)


def test_without_a_server_the_gap_is_left_to_the_lines_and_then_lost() -> None:
    feed = Feed(request_timeout_ns=100 * MS)
    feed(numbered(1))
    feed(numbered(3))
    feed(numbered(4), at=feed.now + 50 * MS)
    assert feed.messages == texts(1)
    feed(numbered(5), at=feed.now + 100 * MS)
    assert feed.messages == texts(1, 3, 4, 5)
    assert (feed["lost_messages"], feed["requests"]) == (1, 0)


def test_the_end_of_a_capture_ends_the_waiting() -> None:
    feed = Feed()
    for sequence in (1, 3, 5):
        feed(numbered(sequence))
    feed.session.end_of_data(feed.now)
    assert feed.messages == texts(1, 3, 5)
    assert feed["lost_messages"] == 2


def test_a_heartbeat_reveals_a_gap() -> None:
    feed = Feed(rerequest=True)
    feed(numbered(1))
    feed(heartbeat(2))
    assert feed["gaps"] == 0
    feed(heartbeat(4))
    assert (feed["gaps"], feed["gap_messages"], feed["heartbeats"]) == (1, 2, 2)
    feed.now += MS
    assert feed.wanted() == [(2, 2)]
    feed(numbered(2, 2), ANSWER)
    assert feed.messages == texts(1, 2, 3)


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
    feed(numbered(2), ANSWER)
    assert feed.session.ended
    feed(end_of_session(3), B)
    assert feed.session.ended
    assert feed.session.next_expected_sequence == 3


def test_a_new_session_begins_at_1() -> None:
    feed = Feed(rerequest=True)
    feed(numbered(500, 2))
    feed(numbered(504))
    feed(numbered(1, 2, session=b"SESSION002"))
    assert feed.messages == texts(500, 501, 1, 2)
    assert feed.session.session_id == b"SESSION002"
    assert feed["sessions"] == 2
    feed(numbered(502, 3), B)
    feed(numbered(502, 3), ANSWER)
    assert feed["other_session_packets"] == 2
    feed(numbered(3, session=b"SESSION002"))
    assert feed.messages == texts(500, 501, 1, 2, 3)


def test_a_new_session_seen_late_is_asked_for_from_1() -> None:
    feed = Feed(rerequest=True)
    feed(numbered(1))
    feed(end_of_session(2))
    feed(numbered(4, session=b"SESSION002"))
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
    feed(numbered(1, session=b"SESSION002"))
    feed.now += 3 * SECOND
    feed(numbered(6))
    assert feed.session.session_id == NAME
    assert feed.messages == texts(1, 2, 3, 4, 5, 1, 6)


def test_a_sender_that_begins_again_under_the_same_name() -> None:
    feed = Feed()
    feed(numbered(1, 5))
    feed(numbered(1))
    assert feed["duplicate_messages"] == 1
    feed.now += 3 * SECOND
    feed(numbered(1))
    feed(numbered(2))
    assert feed.messages == texts(1, 2, 3, 4, 5, 1, 2)
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
    feed(numbered(1, 2), B)
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


def test_the_reorder_buffer_is_bounded() -> None:
    feed = Feed(rerequest=True, buffer_bytes=1000)
    feed(numbered(1))
    for sequence in range(3, 103):
        feed(numbered(sequence))
    assert feed["reorder_drops"] > 80
    feed.now += MS
    requests = feed.wanted()
    while requests:
        for sequence, number in requests:
            feed(numbered(sequence, number), ANSWER)
        feed.now += 10 * MS
        requests = feed.wanted()
    assert feed.messages == texts(*range(1, 103))


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


class Server:
    """Answers requests late, in packets of 37 messages, and loses some; one_packet: one each."""

    def __init__(self, feed: Feed, total: int, loss: float, one_packet: bool) -> None:
        self.feed = feed
        self.total = total
        self.loss = loss
        self.one_packet = one_packet
        self.random = random.Random(3)
        self.answers: list[tuple[int, bytes]] = []

    def serve(self) -> None:
        for start, number in self.feed.wanted():
            end = min(start + number, self.total + 1)
            for first in range(start, end, 37):
                if self.random.random() > self.loss:
                    due = self.feed.now + self.random.randint(50_000, 400_000)
                    self.answers.append((due, numbered(first, min(37, end - first))))
                if self.one_packet:
                    break

    def step(self) -> None:
        while self.answers and min(self.answers)[0] <= self.feed.now:
            self.answers.remove(due := min(self.answers))
            self.feed(due[1], ANSWER)
        if self.feed.session.next_deadline(self.feed.now) <= self.feed.now:
            self.serve()


def packets_of(total: int) -> Iterator[tuple[int, int]]:
    chance = random.Random(7)
    sequence = 1
    while sequence <= total:
        number = min(chance.randint(1, 40), total + 1 - sequence)
        yield sequence, number
        sequence += number


def line_of(total: int, loss: float, seed: int) -> list[tuple[float, tuple[int, int]]]:
    """(time in packets, packet) of what comes over a lossy line that reorders up to 32 apart."""
    chance = random.Random(seed)
    return [
        (index + chance.uniform(0, 32), item)
        for index, item in enumerate(packets_of(total))
        if chance.random() > loss
    ]


@pytest.mark.slow
@pytest.mark.parametrize("loss", [0.01, 0.05])
@pytest.mark.parametrize("one_packet", [False, True])
def test_two_lossy_lines_and_a_server_that_loses_too(loss: float, one_packet: bool) -> None:
    total = 100_000
    feed = Feed(rerequest=True, join="start")
    server = Server(feed, total, loss, one_packet)
    events = [(at, line, p) for line in (A, B) for at, p in line_of(total, loss, line)]
    for at, line, (sequence, number) in sorted(events):
        feed.now = START + int(at * 35_000)
        feed(numbered(sequence, number), line)
        server.step()
    feed(end_of_session(total + 1))
    for _ in range(10_000):
        if feed.session.ended:
            break
        feed.now += MS
        server.step()
    assert feed.messages == texts(*range(1, total + 1))
    assert feed["messages"] == total
    assert feed["lost_messages"] == 0
    assert feed["gaps_filled_by_line"] > 0
    assert feed["recovered_messages"] > 0 or loss == 0.01


@pytest.mark.slow
@pytest.mark.parametrize("one_packet", [False, True])
def test_rebuilds_a_session_from_the_server(one_packet: bool) -> None:
    total = 50_000
    feed = Feed(rerequest=True, join="start")
    server = Server(feed, total, 0.0, one_packet)
    feed(heartbeat(total + 1))
    while feed.session.next_expected_sequence <= total:
        feed.now += 50_000
        server.step()
        assert feed.now < START + 20 * SECOND
    assert feed.messages == texts(*range(1, total + 1))
    assert feed["lost_messages"] == 0

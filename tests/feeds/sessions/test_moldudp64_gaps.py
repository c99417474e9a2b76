"""MoldUDP64: messages that both lines lost are requested, awaited and given up."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from tests.feeds.mold_feed import Feed, end_of_session, heartbeat, numbered, texts
from tests.feeds.session_types import MS, RETRANSMISSION, SECOND, START, A, B


def test_asks_after_the_other_line_had_its_chance() -> None:
    feed = Feed(rerequest=True)
    feed(numbered(1))
    feed(numbered(5))
    feed(numbered(5), B)
    assert feed.session.next_deadline(feed.now) == feed.now + MS
    assert not feed.session.recovering
    feed.now += MS
    assert feed.wanted() == [(2, 3)]
    assert feed.session.recovering
    assert feed.wanted() == []
    feed(numbered(2, 3), RETRANSMISSION)
    assert feed.messages == texts(1, 2, 3, 4, 5)
    assert (feed["recovered_messages"], feed["requests"], feed["lost_messages"]) == (3, 1, 0)
    assert not feed.session.recovering


def test_asks_again_for_the_rest_when_fewer_came() -> None:
    feed = Feed(rerequest=True)
    feed(numbered(1))
    feed(numbered(100))
    feed.now += MS
    assert feed.wanted() == [(2, 98)]
    feed(numbered(2, 30), RETRANSMISSION)
    feed.now = feed.session.next_deadline(feed.now)
    assert feed.now < START + 20 * MS
    requests = feed.wanted()
    assert requests[0][0] == 32
    assert sum(count for _, count in requests) == 68
    for sequence, number in requests:
        feed(numbered(sequence, number), RETRANSMISSION)
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
    feed(numbered(1, 40), RETRANSMISSION)
    assert feed.session.next_deadline(feed.now) > feed.now
    feed(numbered(41, 40), RETRANSMISSION)
    assert feed.session.next_deadline(feed.now) <= feed.now
    assert feed.wanted() == [(101, 80)]


def test_a_server_that_is_gone_costs_bounded_time() -> None:
    feed = Feed(rerequest=True, request_attempts=3, request_timeout_ns=100 * MS)
    feed(numbered(1))
    feed(numbered(4))
    feed(numbered(4), B)
    assert feed.wait_until_nothing_is_missing() == [(2, 2)] * 3
    assert feed.now == START + MS + 3 * 100 * MS
    assert feed.messages == texts(1, 4)
    assert feed["lost_messages"] == 2
    feed(numbered(5))
    feed(numbered(7, 2))
    feed(numbered(7), B)
    before = feed.now
    assert feed.wait_until_nothing_is_missing() == []
    assert feed.now - before == 100 * MS, "the server is known to be gone: it is left alone"
    feed.now += 500 * MS
    feed(numbered(10))
    feed(numbered(10), B)
    before = feed.now
    assert feed.wait_until_nothing_is_missing() == [(9, 1)]
    assert feed.now - before == MS + 100 * MS, "it has one more chance"
    assert feed.messages == texts(1, 4, 5, 7, 8, 10)


@pytest.mark.parametrize("rerequest", [True, False])
def test_a_clock_set_back_holds_no_gap_open(rerequest: bool) -> None:
    feed = Feed(rerequest=rerequest)
    feed(numbered(1))
    feed(numbered(3))
    feed(numbered(3), B)
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
    feed(numbered(2, 2), RETRANSMISSION)
    assert feed.messages == texts(1, 2, 3)


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
            feed(numbered(sequence, number), RETRANSMISSION)
        feed.now += 10 * MS
        requests = feed.wanted()
    assert feed.messages == texts(*range(1, 103))


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
            self.feed(due[1], RETRANSMISSION)
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

"""Cboe sequenced units: each unit's messages once and in order, whatever the lines do."""

from __future__ import annotations

import random
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticker.feeds.market import Market
from ticker.feeds.protocol import MessageLog
from ticker.feeds.protocols.pitch import Pitch
from ticker.feeds.session import DEADLINE_NEVER, SessionOptions
from ticker.feeds.sessions.cboe_unit import CboeUnit
from ticker.shm.counters import Counters
from ticker.shm.segment import Geometry, private_feed

A, B, GAP_LINE = 0, 1, 2
MS = 1_000_000
SECOND = 1_000_000_000
START = 1_000_000 * SECOND
LAST = 2**32 - 1
CLEAR = b"\x06\x97\0\0\0\0"


def text(sequence: int, unit: int = 1) -> bytes:
    """A message of a type that no version has, saying its unit and sequence."""
    return struct.pack("<BBBI", 7, 0xF0, unit, sequence)


def packet(sequence: int, *messages: bytes, unit: int = 1) -> bytes:
    body = b"".join(messages)
    return struct.pack("<HBBI", 8 + len(body), len(messages), unit, sequence) + body


def after(sequence: int, number: int = 1) -> int:
    """The number of the message so many after another one; none is 0."""
    return (sequence - 1 + number) % LAST + 1


def numbered(sequence: int, number: int = 1, unit: int = 1) -> bytes:
    messages = [text(after(sequence, index), unit) for index in range(number)]
    return packet(sequence, *messages, unit=unit)


class Feed:
    """A session, what it delivered, and its counters."""

    def __init__(self, **options: Any) -> None:
        self.mapping = private_feed(Geometry(16, 1, 16), 1, 0)
        self.log = MessageLog()
        self.session = CboeUnit(self.log, self.mapping, SessionOptions(**options))
        self.now = START

    def __call__(self, data: bytes, line: int = A) -> None:
        self.session.receive_data(data, line, self.now)

    def __getitem__(self, name: str) -> int:
        return Counters(self.mapping)[name]

    @property
    def messages(self) -> list[bytes]:
        return self.log.messages

    def heard(self, unit: int = 1) -> list[int]:
        """The sequences delivered of a unit."""
        found = [struct.unpack("<BBBI", m) for m in self.messages if m[1] == 0xF0]
        return [sequence for _, _, of, sequence in found if of == unit]

    def wanted(self) -> list[tuple[int, int, int]]:
        """(unit, sequence, count) of the Gap Requests that are due."""
        found = []
        for request in self.session.data_to_send(self.now):
            length, count, unit, sequence, size, kind, of, first, number = struct.unpack(
                "<HBBIBBBIH", request
            )
            assert (length, count, unit, sequence, size, kind) == (17, 1, 0, 0, 9, 3)
            found.append((of, first, number))
        return found


def test_delivers_each_unit_in_order_and_counts() -> None:
    feed = Feed()
    feed(numbered(1, 2))
    feed(numbered(7, 1, unit=2))
    feed(numbered(3, 3), B)
    feed(numbered(8, 2, unit=2))
    assert feed.heard(1) == [1, 2, 3, 4, 5]
    assert feed.heard(2) == [7, 8, 9]
    assert (feed["packets"], feed["messages"], feed["gaps"], feed["sessions"]) == (4, 8, 0, 2)
    assert (feed["packets_line_a"], feed["packets_line_b"]) == (3, 1)
    assert feed.session.next_deadline(feed.now) == DEADLINE_NEVER


def test_lines_that_frame_differently_are_arbitrated_per_message() -> None:
    feed = Feed()
    feed(numbered(1, 3))
    feed(numbered(1, 2), B)
    feed(numbered(3, 4), B)
    feed(numbered(4, 2))
    feed(numbered(6, 3))
    assert feed.heard() == list(range(1, 9))
    assert feed["duplicate_messages"] == 2 + 1 + 2 + 1


def test_the_other_line_fills_a_gap_with_its_own_framing() -> None:
    feed = Feed(rerequest=True)
    feed(numbered(1))
    feed(numbered(5, 3))
    feed(numbered(2, 2), B)
    assert feed.heard() == [1, 2, 3]
    feed(numbered(4, 2), B)
    assert feed.heard() == [1, 2, 3, 4, 5, 6, 7]
    assert (feed["gaps"], feed["gap_messages"], feed["gaps_filled_by_line"]) == (1, 3, 1)
    assert feed["requests"] == 0


def test_a_gap_of_one_unit_does_not_hold_the_others_up() -> None:
    feed = Feed()
    for unit in (1, 2):
        feed(numbered(1, unit=unit))
    feed(numbered(3))
    feed(numbered(2, unit=2))
    assert (feed.heard(1), feed.heard(2)) == ([1], [1, 2])


def test_asks_the_proxy_and_takes_the_replay_before_its_response() -> None:
    feed = Feed(rerequest=True)
    feed(numbered(1))
    feed(numbered(1, unit=3))
    feed(numbered(5))
    feed(numbered(4, unit=3))
    assert feed.session.next_deadline(feed.now) == feed.now + MS
    feed.now += MS
    assert sorted(feed.wanted()) == [(1, 2, 3), (3, 2, 2)]
    assert feed.session.recovering
    # merged with what somebody else asked for, and cut as the proxy likes
    feed(numbered(1, 2), GAP_LINE)
    feed(numbered(3, 4), GAP_LINE)
    feed.session.gap_response(1, 2, 3, "A", feed.now)
    # 6 came by the replay alone: what is new is new, whichever line brings it
    assert feed.heard(1) == [1, 2, 3, 4, 5, 6]
    feed(numbered(7))
    assert feed.heard(1) == [1, 2, 3, 4, 5, 6, 7]
    feed(numbered(2, 2, unit=3), GAP_LINE)
    assert feed.heard(3) == [1, 2, 3, 4]
    assert (feed["recovered_messages"], feed["lost_messages"]) == (5, 0)
    assert not feed.session.recovering


def test_a_request_asks_for_a_hundred_at_most() -> None:
    feed = Feed(rerequest=True)
    feed(numbered(1))
    feed(numbered(302))
    feed.now += MS
    assert feed.wanted() == [(1, 2, 100), (1, 102, 100), (1, 202, 100)]


def test_asks_again_and_gives_up() -> None:
    feed = Feed(rerequest=True, request_attempts=3)
    feed(numbered(1))
    feed(numbered(3))
    asked = 0
    while feed.session.next_deadline(feed.now) != DEADLINE_NEVER:
        feed.now = max(feed.now, feed.session.next_deadline(feed.now))
        asked += len(feed.wanted())
    assert asked == 3
    assert feed.now - START < SECOND
    assert feed.heard() == [1, 3]
    assert feed["lost_messages"] == 1
    feed(numbered(4))
    assert feed.heard() == [1, 3, 4]


def test_without_a_proxy_a_gap_is_left_to_the_lines_for_a_while() -> None:
    feed = Feed()
    feed(numbered(1))
    feed(numbered(3))
    feed.now += 100 * MS
    assert feed.wanted() == []
    assert feed.heard() == [1, 3]
    assert feed["lost_messages"] == 1


@pytest.mark.parametrize("status", ["O", "I"])
def test_what_the_proxy_refuses_is_lost_at_once(status: str) -> None:
    feed = Feed(rerequest=True)
    feed(numbered(1))
    feed(numbered(5))
    feed.now += MS
    assert feed.wanted() == [(1, 2, 3)]
    feed.session.gap_response(1, 2, 3, status, feed.now)
    assert feed.heard() == [1, 5]
    assert (feed["lost_messages"], feed["requests_refused"]) == (3, 1)
    assert feed.session.next_deadline(feed.now) == DEADLINE_NEVER


def test_a_refusal_of_a_part_loses_only_that_part() -> None:
    feed = Feed(rerequest=True)
    feed(numbered(1))
    feed(numbered(302))
    feed.now += MS
    feed.wanted()
    feed.session.gap_response(1, 2, 100, "O", feed.now)
    assert feed["lost_messages"] == 100
    feed(numbered(102, 200), GAP_LINE)
    assert feed.heard() == [1, *range(102, 303)]


def test_refusals_of_what_nobody_asked_for_change_nothing() -> None:
    feed = Feed(rerequest=True)
    feed(numbered(1))
    for unit in (0, 1, 9, 255, 256, -1):
        for status in "AOICUDMS?":
            feed.session.gap_response(unit, 1, 65535, status, feed.now)
    feed.session.set_reachable(True)
    feed(numbered(2))
    assert feed.heard() == [1, 2]
    assert feed["lost_messages"] == 0


def test_too_large_a_request_is_made_smaller() -> None:
    feed = Feed(rerequest=True)
    feed(numbered(1))
    feed(numbered(102))
    feed.now += MS
    assert feed.wanted() == [(1, 2, 100)]
    feed.session.gap_response(1, 2, 100, "C", feed.now)
    feed.now += MS
    assert feed.wanted() == [(1, 2, 50), (1, 52, 50)]


def test_a_second_quota_is_waited_for() -> None:
    feed = Feed(rerequest=True)
    feed(numbered(1))
    feed(numbered(3))
    feed.now += MS
    assert len(feed.wanted()) == 1
    feed.session.gap_response(1, 2, 1, "S", feed.now)
    refused = feed.now
    assert feed.session.next_deadline(feed.now) == refused + SECOND
    feed.now += SECOND // 2
    assert feed.wanted() == []
    feed.now = refused + SECOND
    assert feed.wanted() == [(1, 2, 1)]
    assert feed["lost_messages"] == 0


@pytest.mark.parametrize("status", ["M", "D"])
def test_a_longer_quota_is_not(status: str) -> None:
    feed = Feed(rerequest=True)
    feed(numbered(1))
    feed(numbered(3))
    feed.now += MS
    feed.wanted()
    feed.session.gap_response(1, 2, 1, status, feed.now)
    feed.now += 100 * MS
    assert feed.wanted() == []
    assert feed.heard() == [1, 3]
    feed.now += (60 if status == "M" else 86_400) * SECOND
    feed(packet(4))
    feed(numbered(5))
    feed.now += 200 * MS
    assert feed.wanted() == [(1, 4, 1)]


def test_nobody_logged_in_to_the_proxy_is_like_no_proxy() -> None:
    feed = Feed(rerequest=True)
    feed.session.set_reachable(False)
    feed(numbered(1))
    feed(numbered(3))
    feed(numbered(1, unit=2))
    feed(numbered(3, unit=2))
    feed.now += 50 * MS
    assert feed.wanted() == []
    feed.session.set_reachable(True)
    assert sorted(feed.wanted()) == [(1, 2, 1), (2, 2, 1)]


def test_heartbeats_tell_of_a_gap_at_the_end() -> None:
    feed = Feed(rerequest=True)
    feed(numbered(1))
    feed(packet(2))
    assert feed["gaps"] == 0
    feed(packet(4))
    assert (feed["gaps"], feed["gap_messages"], feed["heartbeats"]) == (1, 2, 2)


def test_heartbeats_outside_of_trading_hours_are_a_sign_of_life() -> None:
    feed = Feed()
    feed(packet(0, unit=1), GAP_LINE)
    assert feed.session.last_packet_ns == 0
    feed(packet(0, unit=1))
    assert feed.session.last_packet_ns == feed.now
    assert (feed["heartbeats"], feed["sessions"], feed["gaps"]) == (2, 0, 0)
    feed(packet(1, unit=1))
    feed(packet(0, unit=1))
    feed(numbered(1))
    assert feed.heard() == [1]


def test_a_replay_joins_nothing() -> None:
    feed = Feed()
    feed(numbered(100), GAP_LINE)
    assert (feed["sessions"], feed["other_session_packets"]) == (0, 1)
    feed(numbered(1))
    assert feed.heard() == [1]


def test_the_number_goes_round() -> None:
    feed = Feed(rerequest=True)
    feed(numbered(LAST - 2, 2))
    feed(numbered(LAST, 3))
    feed(numbered(3))
    assert feed.heard() == [LAST - 2, LAST - 1, LAST, 1, 2, 3]
    assert feed["gaps"] == 0
    feed(numbered(LAST - 1, 3), B)
    assert feed["duplicate_messages"] == 3


def test_a_gap_across_the_end_passes_over_zero() -> None:
    feed = Feed(rerequest=True)
    feed(numbered(LAST - 2))
    feed(numbered(3))
    feed.now += MS
    assert feed.wanted() == [(1, LAST - 1, 4)]
    feed(numbered(LAST - 1, 4), GAP_LINE)
    assert feed.heard() == [LAST - 2, LAST - 1, LAST, 1, 2, 3]
    assert feed["recovered_messages"] == 4


def test_late_packets_of_before_the_end_are_duplicates() -> None:
    feed = Feed()
    feed(numbered(1))
    feed(numbered(LAST - 1, 2))
    assert feed["gaps"] == 0
    feed(numbered(2))
    assert feed.heard() == [1, 2]


def test_all_units_begin_again_after_a_quiet_time() -> None:
    feed = Feed()
    feed(numbered(900, 5))
    feed(numbered(500, 5, unit=2))
    feed.now += 3 * SECOND
    feed(numbered(1))
    feed(numbered(1, unit=2))
    feed(numbered(2, unit=2))
    assert feed.heard(1)[-1] == 1
    assert feed.heard(2)[-2:] == [1, 2]
    assert CLEAR not in feed.messages
    assert (feed["gaps"], feed["sessions"]) == (0, 4)


def test_one_unit_that_begins_again_loses_its_own_orders_only() -> None:
    feed = Feed()
    feed(numbered(900, 5))
    feed(numbered(500, 5, unit=2))
    feed.now += 3 * SECOND
    feed(numbered(505, unit=2))
    feed(numbered(1))
    assert feed.messages[-2:] == [CLEAR, text(1)]
    feed(numbered(506, unit=2))
    assert feed.heard(2)[-1] == 506


def test_what_is_too_far_ahead_is_garbage() -> None:
    feed = Feed()
    feed(numbered(1))
    feed(numbered(2**28 + 100))
    feed(packet(2**31))
    assert (feed["bad_packets"], feed["gaps"]) == (2, 0)


def test_a_day_that_ended_beyond_half_of_the_numbers_begins_again() -> None:
    feed = Feed()
    feed(numbered(2**31 + 2**29, 5))
    feed.now += 3 * SECOND
    feed(numbered(1))
    feed(numbered(2))
    assert feed.heard()[-2:] == [1, 2]


def test_the_end_of_every_unit_is_the_end() -> None:
    end = b"\x06\x2d\0\0\0\0"
    feed = Feed()
    feed(numbered(1))
    feed(numbered(1, unit=2))
    feed(packet(2, end))
    assert not feed.session.ended
    feed(packet(2, end, unit=2))
    assert feed.session.ended
    feed.now += 3 * SECOND
    feed(numbered(1))
    assert not feed.session.ended


# -- images --------------------------------------------------------------------------------------


def test_joins_late_with_an_image() -> None:
    feed = Feed(rerequest=True, image_timeout_ns=5 * SECOND)
    feed(numbered(100, 2))
    assert feed.heard() == []
    assert feed.session.recovering
    assert feed.session.wants_image(1) == 99
    feed(numbered(103, 2))
    feed(numbered(102), B)
    assert not feed.session.apply_image(1, 98, text(50), feed.now)
    assert feed.session.apply_image(1, 102, text(50) + text(60), feed.now)
    assert feed.messages == [CLEAR, text(50), text(60), text(103), text(104)]
    assert feed.session.wants_image(1) is None
    feed(numbered(105))
    assert feed.heard()[-1] == 105
    assert (feed["images"], feed["lost_messages"]) == (1, 0)
    assert not feed.session.recovering
    assert not feed.session.apply_image(1, 200, b"", feed.now)


def test_an_image_just_before_the_first_packet_is_enough() -> None:
    feed = Feed(image_timeout_ns=5 * SECOND)
    feed(numbered(100))
    assert feed.session.apply_image(1, 99, text(1), feed.now)
    assert feed.heard() == [1, 100]


def test_an_image_ahead_of_the_lines() -> None:
    feed = Feed(image_timeout_ns=5 * SECOND)
    feed(numbered(100, 3))
    assert feed.session.apply_image(1, 110, text(1), feed.now)
    feed(numbered(103, 9))
    assert feed.heard() == [1, 111]


def test_a_packet_that_begins_before_the_first_one_seen_is_kept_too() -> None:
    feed = Feed(image_timeout_ns=5 * SECOND)
    feed(numbered(100, 2))
    feed(numbered(98, 6), B)
    feed(numbered(97, 2), B)
    assert feed.messages == []
    assert feed.session.apply_image(1, 100, b"", feed.now)
    assert feed.heard() == [101, 102, 103]


def test_an_image_before_any_packet() -> None:
    feed = Feed(image_timeout_ns=5 * SECOND)
    assert feed.session.wants_image(1) == 0
    assert feed.session.apply_image(1, 110, text(1), feed.now)
    feed(numbered(105, 10))
    assert feed.heard() == [1, 111, 112, 113, 114]


def test_an_image_at_the_start_of_the_day_and_across_the_end_of_the_numbers() -> None:
    feed = Feed(image_timeout_ns=5 * SECOND)
    feed(numbered(1))
    assert feed.session.wants_image(1) == LAST
    assert feed.session.apply_image(1, 0, b"", feed.now)
    assert feed.heard() == [1]
    feed(numbered(LAST, 2, unit=2))
    assert feed.session.apply_image(2, LAST, b"", feed.now)
    assert feed.heard(2) == [1]


def test_gaps_behind_the_image_are_asked_for_after_it() -> None:
    feed = Feed(rerequest=True, image_timeout_ns=5 * SECOND)
    feed(numbered(100))
    feed(numbered(105))
    feed.now += SECOND
    assert feed.wanted() == []
    assert feed.session.apply_image(1, 102, b"", feed.now)
    feed.now += MS
    assert feed.wanted() == [(1, 103, 2)]
    feed(numbered(103, 2), GAP_LINE)
    assert feed.heard() == [103, 104, 105]


def test_no_image_in_time() -> None:
    feed = Feed(image_timeout_ns=5 * SECOND)
    feed(numbered(100, 2))
    assert feed.session.next_deadline(feed.now) == START + 5 * SECOND
    feed.now += 5 * SECOND
    assert feed.wanted() == []
    assert feed.heard() == [100, 101]
    assert not feed.session.recovering
    feed(numbered(102))
    assert feed.heard()[-1] == 102
    # One that comes later is still of use, if it reaches what is kept.
    assert feed.session.wants_image(1) == 99
    assert not feed.session.apply_image(1, 98, b"", feed.now)
    assert feed.session.apply_image(1, 101, b"", feed.now)
    assert feed.session.wants_image(1) is None


def test_a_full_buffer_while_waiting_asks_again_later() -> None:
    feed = Feed(rerequest=True, image_timeout_ns=5 * SECOND, buffer_bytes=1)
    number = 40
    for sequence in range(100, 40_100, number):
        feed(numbered(sequence, number))
    assert feed["reorder_drops"] > 0
    assert feed.session.apply_image(1, 99, b"", feed.now)
    while feed.session.next_deadline(feed.now) != DEADLINE_NEVER:
        feed.now = max(feed.now, feed.session.next_deadline(feed.now))
        for _, first, count in feed.wanted():
            feed(numbered(first, count), GAP_LINE)
    assert feed.heard() == list(range(100, 40_100))
    assert feed["lost_messages"] == 0


@pytest.mark.parametrize("messages", [b"\x01", b"\x06\x21", b"\0" * 20, text(1) + b"\x05"])
def test_a_broken_image_is_refused(messages: bytes) -> None:
    feed = Feed(image_timeout_ns=5 * SECOND)
    feed(numbered(100))
    assert not feed.session.apply_image(1, 100, messages, feed.now)
    assert feed.messages == []


# -- broken packets ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"",
        packet(2)[:7],
        packet(2) + b"x",
        numbered(2, 3)[:-1],
        numbered(2, 3) + b"x",
        struct.pack("<HBBI", 8, 1, 1, 2),
        struct.pack("<HBBI", 9, 1, 1, 2) + b"\0",
        struct.pack("<HBBI", 9, 1, 1, 2) + b"\x01",
        struct.pack("<HBBI", 10, 2, 1, 2) + b"\x02\xf0",
        struct.pack("<HBBI", 12, 1, 1, 2) + b"\x02\xf0\x02\xf0",
        numbered(2, unit=0),
    ],
)
def test_a_broken_packet_changes_nothing(data: bytes) -> None:
    feed = Feed(rerequest=True)
    feed(numbered(1))
    feed(data)
    assert (feed["bad_packets"], feed["gaps"], feed["sessions"]) == (1, 0, 1)
    feed(numbered(2))
    assert feed.heard() == [1, 2]


def test_messages_without_a_sequence_are_of_no_stream() -> None:
    feed = Feed()
    feed(packet(0, text(9)))
    assert (feed.messages, feed["other_session_packets"]) == ([], 1)


@given(st.lists(st.tuples(st.binary(max_size=60), st.integers(0, 2)), max_size=8))
def test_arbitrary_datagrams_change_nothing(datagrams: list[tuple[bytes, int]]) -> None:
    feed = Feed(rerequest=True)
    feed(numbered(1, unit=200))
    for data, line in datagrams:
        feed(data, line)
    feed.session.data_to_send(feed.now)
    feed(numbered(2, unit=200))
    assert feed.heard(200) == [1, 2]


@given(st.lists(st.tuples(st.binary(max_size=80), st.integers(0, 2)), max_size=20))
def test_random_datagrams_change_no_price(datagrams: list[tuple[bytes, int]]) -> None:
    mapping = private_feed(Geometry(16, 1, 64), 1, 1)
    market = Market(mapping)
    session = CboeUnit(Pitch(market), mapping)
    for data, line in datagrams:
        session.receive_data(data, line, START)
        market.publish(START)
    assert Counters(mapping)["trades"] == Counters(mapping)["quotes"] == 0


packets_of_any_kind = st.tuples(
    st.one_of(st.integers(1, 40), st.integers(LAST - 20, LAST)),
    st.integers(0, 6),
    st.integers(1, 2),
    st.integers(0, 2),
    st.booleans(),
)


@given(st.lists(packets_of_any_kind, max_size=60), st.booleans(), st.integers(0, 60))
def test_any_order_delivers_each_message_once(
    parts: list[tuple[int, int, int, int, bool]], image: bool, image_at: int
) -> None:
    feed = Feed(rerequest=True, image_timeout_ns=SECOND // 20 if image else 0)
    feed(numbered(1))
    feed(numbered(LAST - 10, unit=2))
    for index, (sequence, number, unit, line, ask) in enumerate(parts):
        feed(numbered(sequence, number, unit) if number else packet(sequence, unit=unit), line)
        feed.now += 2 * MS
        if ask:
            feed.wanted()
        if index == image_at:
            feed.session.apply_image(unit, sequence, b"", feed.now)
    feed.session.end_of_data(feed.now)
    assert feed.session.next_deadline(feed.now) == DEADLINE_NEVER
    positions = [s if s > 1000 else s + LAST for s in feed.heard(2)]
    for found in (feed.heard(1), positions):
        assert found == sorted(set(found))
    assert feed["messages"] == len(feed.heard(1)) + len(feed.heard(2))


# -- loss ----------------------------------------------------------------------------------------


class Proxy:
    """Answers Gap Requests on the gap line late, in packets of 37; it loses some."""

    def __init__(self, feed: Feed, totals: dict[int, int], loss: float) -> None:
        self.feed = feed
        self.totals = totals
        self.loss = loss
        self.random = random.Random(3)
        self.answers: list[tuple[int, bytes]] = []

    def step(self) -> None:
        while self.answers and self.answers[0][0] <= self.feed.now:
            self.feed(self.answers.pop(0)[1], GAP_LINE)
        if self.feed.session.next_deadline(self.feed.now) > self.feed.now:
            return
        for unit, first, count in self.feed.wanted():
            assert count <= 100
            end = min(first + count, self.totals[unit] + 1)
            for sequence in range(first, end, 37):
                if self.random.random() > self.loss:
                    due = self.feed.now + self.random.randint(50_000, 400_000)
                    part = numbered(sequence, min(37, end - sequence), unit)
                    self.answers.append((due, part))
        self.answers.sort()


def line_of(total: int, unit: int, loss: float, seed: int) -> list[tuple[float, bytes]]:
    """(time in packets, packet) of what comes over a lossy line that reorders up to 32 apart."""
    chance = random.Random(seed)
    found = []
    sequence, index = 1, 0
    while sequence <= total:
        number = min(chance.randint(1, 40), total + 1 - sequence)
        if chance.random() > loss:
            found.append((index + chance.uniform(0, 32), numbered(sequence, number, unit)))
        sequence += number
        index += 1
    return found


@pytest.mark.slow
@pytest.mark.parametrize("loss", [0.01, 0.05])
def test_two_lossy_lines_and_a_proxy_that_loses_too(loss: float) -> None:
    totals = {1: 60_000, 2: 40_000, 7: 20_000}
    feed = Feed(rerequest=True, join="start")
    proxy = Proxy(feed, totals, loss)
    events = [
        (at, line, data)
        for unit, total in totals.items()
        for line in (A, B)
        for at, data in line_of(total, unit, loss, 10 * unit + line)
    ]
    for at, line, data in sorted(events):
        feed.now = START + int(at * 35_000)
        feed(data, line)
        proxy.step()
    for unit, total in totals.items():
        feed(packet(total + 1, unit=unit))
    while feed.session.next_deadline(feed.now) != DEADLINE_NEVER or proxy.answers:
        feed.now += MS // 10
        proxy.step()
    for unit, total in totals.items():
        assert feed.heard(unit) == list(range(1, total + 1))
    assert feed["lost_messages"] == 0
    assert feed["gaps_filled_by_line"] > 0
    assert feed["recovered_messages"] > 0

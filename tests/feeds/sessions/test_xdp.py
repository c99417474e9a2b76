"""XDP channels: what the packet header says, resets, refreshes, several channels.

Line arbitration as such is tested in test_moldudp64.py."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.feeds.session_types import MS, A, B, Heard
from tests.feeds.sessions.xdp_messages import (
    DAY,
    E9,
    HEARTBEAT,
    RESET,
    RETRANSMITTED,
    message,
    packet,
    say,
)
from ticker.feeds.pillar.requests import ASKED
from ticker.feeds.protocol import MessageLog
from ticker.feeds.protocols.pillar import Pillar
from ticker.feeds.session import DEADLINE_NEVER, SessionOptions
from ticker.feeds.sessions.xdp import Xdp
from ticker.shm.counters import Counters
from ticker.shm.segment import Geometry, private_feed

START = DAY * E9


class Stream(Heard):
    """A session, what it delivered, and its counters; packets of numbered messages."""

    def __init__(self, **options: Any) -> None:
        super().__init__(Xdp, **options)
        self.now = START

    def __call__(
        self, sequence: int, number: int = 1, line: int = A, channel: int = 0, **header: int
    ) -> None:
        messages = [message(900, "I", sequence + index) for index in range(number)]
        self.send(packet(sequence, *messages, **header), line | channel << 8)

    def reset(self, time: int, line: int = A, channel: int = 0) -> None:
        self.send(packet(1, say.reset(time), flag=RESET, sent=time * E9), line | channel << 8)

    @property
    def numbers(self) -> list[int]:
        """Of the messages; 0 for a reset."""
        return [
            int.from_bytes(each[4:8], "little") if each[2:4] == b"\x84\x03" else 0
            for each in self.log.messages
        ]


@pytest.fixture
def stream() -> Stream:
    return Stream()


def test_delivers_in_order_whatever_line_comes_first(stream: Stream) -> None:
    stream(1, 2)
    stream(1, 3, B)
    stream(3, 3)
    assert stream.numbers == [1, 2, 3, 4, 5]
    assert stream["duplicate_messages"] == 3
    assert (stream["packets_line_a"], stream["packets_line_b"]) == (2, 1)


def test_line_b_fills_what_line_a_lost(stream: Stream) -> None:
    stream(1)
    stream(4)
    stream(2, 2, B)
    assert stream.numbers == [1, 2, 3, 4]
    assert (stream["gaps"], stream["gap_messages"], stream["gaps_filled_by_line"]) == (1, 2, 1)


def test_a_gap_is_counted_bounded_and_given_up_without_asking() -> None:
    stream = Stream(rerequest=True, request_timeout_ns=100 * MS)
    stream(1)
    stream(5)
    stream(5, line=B)
    deadline = stream.session.next_deadline(stream.now)
    assert deadline <= stream.now + 200 * MS
    assert stream.session.data_to_send(deadline) == []
    assert stream.numbers == [1, 5]
    assert (stream["lost_messages"], stream["requests"]) == (3, 0)
    assert stream.session.next_deadline(deadline) == DEADLINE_NEVER


def missing(stream: Stream) -> None:
    """2 to 4 of channel 3 are certain to be missing, and the other line had its time."""
    for line in (A, B):
        stream(1, line=line, channel=3)
        stream(5, line=line, channel=3)
    stream.now += MS


def test_the_request_server_is_asked_while_it_is_connected() -> None:
    stream = Stream(request_timeout_ns=100 * MS)
    stream.session.set_reachable(True)
    missing(stream)
    assert stream.session.data_to_send(stream.now) == [ASKED.pack(3, 2, 4)]
    assert stream.session.recovering
    stream.session.request_response(3, 2, 4, "0", stream.now)
    stream(2, 3, line=2, channel=3, flag=RETRANSMITTED)
    assert stream.numbers == [1, 2, 3, 4, 5]
    assert (stream["recovered_messages"], stream["lost_messages"]) == (3, 0)
    stream.session.set_reachable(False)
    stream(9, channel=3)
    stream(9, line=B, channel=3)
    stream.now += 100 * MS
    assert stream.session.data_to_send(stream.now) == []
    assert stream["lost_messages"] == 3


def test_what_the_request_server_refuses_is_lost_at_once() -> None:
    stream = Stream()
    stream.session.set_reachable(True)
    missing(stream)
    assert len(stream.session.data_to_send(stream.now)) == 1
    stream.session.request_response(4, 2, 4, "7", stream.now)
    stream.session.request_response(3, 4, 2, "7", stream.now)
    assert stream.numbers == [1]
    stream.session.request_response(3, 2, 3, "7", stream.now)
    assert (stream["lost_messages"], stream["requests_refused"]) == (2, 3)
    stream.session.request_response(3, 4, 4, "7", stream.now)
    assert stream.numbers == [1, 5]
    assert stream["lost_messages"] == 3


def test_a_request_that_is_too_long_is_made_shorter() -> None:
    stream = Stream()
    stream.session.set_reachable(True)
    for line in (A, B):
        stream(1, line=line)
        stream(1002, line=line)
    stream.now += MS
    assert stream.session.data_to_send(stream.now) == [ASKED.pack(0, 2, 1001)]
    stream.session.request_response(0, 2, 1001, "3", stream.now)
    stream.now += MS
    assert stream.session.data_to_send(stream.now)[0] == ASKED.pack(0, 2, 501)
    assert stream["lost_messages"] == 0


def test_a_heartbeat_says_what_comes_next(stream: Stream) -> None:
    stream(1)
    stream.send(packet(3, flag=HEARTBEAT))
    assert (stream["heartbeats"], stream["gap_messages"]) == (1, 1)
    stream(2, line=B)
    assert stream.numbers == [1, 2]


def test_retransmitted_packets_fill_gaps_on_any_line(stream: Stream) -> None:
    stream(1)
    stream(3)
    stream(2, flag=RETRANSMITTED, sent=0)
    assert stream.numbers == [1, 2, 3]
    assert stream["recovered_messages"] == 1


def test_a_reset_begins_again_once_for_both_lines(stream: Stream) -> None:
    stream(50, 2)
    stream.reset(DAY + 1)
    stream(2, sent=(DAY + 1) * E9 + 5)
    stream(52, line=B)  # of before: the slower line's
    stream.reset(DAY + 1, B)
    stream(2, line=B, sent=(DAY + 1) * E9 + 5)
    stream(3, line=B, sent=(DAY + 1) * E9 + 6)
    assert stream.numbers == [50, 51, 0, 2, 3]
    assert (stream["gaps"], stream["sessions"], stream["other_session_packets"]) == (0, 2, 2)
    assert stream["unconfirmed_packets"] == 1, "the reset, until something followed it"


def test_what_begins_again_without_a_reset_is_noticed_once_quiet() -> None:
    stream = Stream(quiet_ns=3 * E9)
    stream(70, 3)
    stream(1)
    assert stream.numbers == [70, 71, 72]
    stream.now += 3 * E9
    stream(1)
    assert stream.numbers == [70, 71, 72]
    stream(2)
    assert stream.numbers == [70, 71, 72, 1, 2]


def test_a_time_that_cannot_be_does_not_shut_the_line_out() -> None:
    stream = Stream(quiet_ns=3 * E9)
    stream(70, sent=4_000_000_000 * E9)
    stream(71)
    assert stream.numbers == [70]
    stream.now += 3 * E9
    stream(72)
    stream.session.end_of_data(stream.now)
    assert stream.numbers[-1] == 72


def test_channels_are_numbered_by_themselves(stream: Stream) -> None:
    stream(1, 2, channel=0)
    stream(900, channel=3)
    stream(3, channel=0)
    stream(901, channel=3)
    assert stream.numbers == [1, 2, 900, 3, 901]
    assert stream.session.channel_numbers == [0, 3]
    assert stream["gaps"] == 0


def test_one_channels_reset_is_a_new_session_only_if_the_others_are_quiet() -> None:
    mapping = private_feed(Geometry(16, 1, 16), 1, 0)
    log = MessageLog()
    session = Xdp(log, mapping, SessionOptions(quiet_ns=3 * E9))
    for channel in (0, 1):
        session.receive_data(packet(10, say.mapping()), channel << 8, START)
    reset = packet(1, say.reset(DAY + 1), flag=RESET, sent=(DAY + 1) * E9)
    session.receive_data(reset, 0, START + 1)
    session.receive_data(reset, 1, START + 1)
    session.receive_data(packet(11, say.mapping()), 1 << 8, START + 2)
    assert Counters(mapping)["gaps"] == 0
    again = packet(1, say.reset(DAY + 9), flag=RESET, sent=(DAY + 9) * E9)
    session.receive_data(again, 0, START + 9 * E9)
    session.receive_data(again, 1, START + 9 * E9)
    session.receive_data(packet(90, say.mapping()), 1 << 8, START + 9 * E9)
    assert Counters(mapping)["gaps"] == 0, "channel 1 was joined anew"
    assert len(log.messages) == 6


def test_of_a_refresh_only_the_mappings_are_taken(make_feed: Any) -> None:
    feed = make_feed(protocol=Pillar)
    session = Xdp(feed.decoder, feed.mapping)
    image = packet(1, say.refresh_header(), say.mapping(), say.refreshed(5), flag=18)
    session.receive_data(image)
    session.receive_data(packet(44, say.add(1, "B", 1, 10_000)))
    feed.market.publish(1)
    assert feed.row()["bid"] == E9
    assert feed.decoder.message_counts == {3: 1, 100: 1}
    assert feed.counter("other_session_packets") == 1


@pytest.mark.parametrize(
    "data",
    [
        b"",
        packet(1, say.delete(1))[:15],
        packet(1, say.delete(1))[:-1],
        packet(1, say.delete(1), size=15),
        packet(1, say.delete(1), count=2),
        packet(1, b"\x03\x00\x66\x00" + bytes(9)),
        packet(0, say.delete(1)),
        packet(1, say.delete(1), flag=HEARTBEAT),
        packet(1, say.delete(1), flag=RESET),
        packet(1, say.reset()[:13] + b"", flag=RESET),
        packet(2, say.reset(), flag=RESET),
        packet(1, say.mapping(), flag=17, count=3),
    ],
)
def test_a_packet_that_is_not_whole_changes_nothing(stream: Stream, data: bytes) -> None:
    stream.send(data)
    assert stream.log.messages == []
    assert stream["bad_packets"] == 1
    stream(7)
    assert stream.numbers == [7]


@pytest.mark.parametrize("flag", [0, 2, 14, 16, 21, 255])
def test_packets_that_are_not_of_the_stream_are_counted(stream: Stream, flag: int) -> None:
    stream(1, flag=flag)
    assert stream["other_session_packets"] == 1
    assert stream.log.messages == []


@given(st.lists(st.tuples(st.binary(max_size=120), st.integers(0, 1023))))
def test_any_bytes_are_taken_or_counted(packets: list[tuple[bytes, int]]) -> None:
    stream = Stream()
    for data, line in packets:
        stream.session.receive_data(data, line, stream.now)
        stream.session.data_to_send(stream.now)
        stream.now += 50 * MS
    stream.session.end_of_data(stream.now)
    assert stream["packets"] == len(packets)


@given(st.integers(0, 2**32), st.sampled_from([0.0, 0.05, 0.3]))
def test_two_lossy_lines_give_all_that_one_of_them_has(seed: int, loss: float) -> None:
    """Of several channels at once, cut differently on each line, out of order."""
    chance = random.Random(seed)
    stream = Stream(line_wait_ns=0, request_timeout_ns=1000 * E9)
    sent: list[tuple[float, int, int, int, int]] = []
    had = [set[int]() for _ in range(3)]
    for channel in range(3):
        for line in (A, B):
            at = 1
            while at < 60:
                number = min(chance.randint(1, 6), 60 - at)
                if at == 1 or chance.random() >= loss:
                    sent.append((at + chance.uniform(0, 12) * (at > 1), channel, line, at, number))
                    had[channel] |= set(range(at, at + number))
                at += number
    for _, channel, line, at, number in sorted(sent):
        messages = [message(900, "II", at + index, channel) for index in range(number)]
        stream.send(packet(at, *messages), line | channel << 8)
    stream.session.end_of_data(stream.now)
    got: list[list[int]] = [[], [], []]
    for each in stream.log.messages:
        got[each[8]].append(int.from_bytes(each[4:8], "little"))
    assert got == [sorted(numbers) for numbers in had]
    assert stream["lost_messages"] == sum(max(n) - len(n) for n in had)


def test_a_forged_reset_begins_nothing(stream: Stream) -> None:
    stream(50, 2, sent=DAY * E9)
    for _ in range(5):
        stream.reset(DAY + 100)
        stream(52, line=B, sent=DAY * E9 + 5)
        stream.now += 2 * E9
    assert stream.numbers == [50, 51, 52]
    assert stream["sessions"] == 1
    stream(53, sent=DAY * E9 + 9)
    assert stream.numbers == [50, 51, 52, 53]

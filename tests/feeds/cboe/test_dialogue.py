"""Gap request proxy and spin server: the real dialogues, byte for byte, and other messages."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticker.errors import FeedError
from ticker.feeds.cboe.dialogue import (
    HEARTBEAT,
    SILENCE,
    Account,
    Dialogue,
    GapProxy,
    Phase,
    Spin,
)
from ticker.feeds.cboe.frames import FrameReader, frame, frames
from ticker.feeds.market.market import Market
from ticker.feeds.protocols.pitch import Pitch
from ticker.feeds.session import SessionOptions
from ticker.feeds.sessions.cboe_unit import CboeUnit
from ticker.shm.counters import Counters
from ticker.shm.segment import Geometry, private_feed

SECOND = 1_000_000_000
SAMPLES = Path(os.environ.get("TICKER_SAMPLES", "../shared/feeds")) / "pitch"
ACCOUNT = Account(session_sub_id="0001", username="TICK", password="secret")
GAP_LINE = 2
ACCEPTED = frame(b"\x03\x02A")


class Feed:
    """A session, and the market that it feeds."""

    def __init__(self, **options: Any) -> None:
        mapping = private_feed(Geometry(rows=8, rings=1, ring_capacity=64), 1, 1)
        self.market = Market(mapping, venue="BATS")
        self.session = CboeUnit(Pitch(self.market), mapping, SessionOptions(**options))
        self.counters = Counters(mapping)

    def unit(self, unit: int, sequence: int, *messages: bytes, line: int = 0, now: int = 1) -> None:
        body = b"".join(messages)
        head = struct.pack("<HBBI", 8 + len(body), len(messages), unit, sequence)
        self.session.receive_data(head + body, line, now)

    def on_both_lines(self, unit: int, sequence: int, *messages: bytes, now: int) -> None:
        """What one packet alone claims could be forged."""
        for line in (0, 1):
            self.unit(unit, sequence, *messages, line=line, now=now)


def add(order: int, price: int = 100) -> bytes:
    return struct.pack("<BBIQcH6sHB", 26, 0x22, 0, order, b"B", 100, b"ZVZZT ", price, 1)


def segments(name: str) -> list[tuple[int, bool, bytes]]:
    """(time, from the server, payload) of each TCP segment of a capture that has one."""
    path = SAMPLES / name
    if not path.exists():
        pytest.skip(f"no {path}; set TICKER_SAMPLES")
    data = path.read_bytes()
    found = []
    at = 24
    while at < len(data):
        seconds, microseconds, length, _ = struct.unpack_from("<IIII", data, at)
        packet = data[at + 16 : at + 16 + length]
        at += 16 + length
        ip = packet[14:]
        total = struct.unpack_from(">H", ip, 2)[0]
        tcp = ip[(ip[0] & 15) * 4 : total]
        source, target = struct.unpack_from(">HH", tcp)
        payload = tcp[(tcp[12] >> 4) * 4 :]
        if payload:
            found.append((seconds * SECOND + microseconds * 1000, source < target, payload))
    return found


def converse(dialogue: Dialogue, capture: list[tuple[int, bool, bytes]]) -> list[bytes]:
    """What the dialogue says when the server says what it said, at the same times."""
    said = []
    dialogue.connected(capture[0][0])
    for now, from_server, payload in capture:
        if from_server:
            dialogue.receive_data(payload, now)
        if dialogue.should_close:
            break
        if data := dialogue.data_to_send(now):
            said.append(data)
    return said


def test_the_real_gap_request_dialogue() -> None:
    capture = segments("mcastpitch_grp_useq.pcap")
    feed = Feed()
    feed.unit(1, 13, add(1))
    dialogue = GapProxy(feed.session, Account(session_sub_id="0006", username="MKDA"))
    dialogue.connected(capture[0][0])
    said = []
    for now, from_server, payload in capture:
        if from_server:
            dialogue.receive_data(payload, now)
        elif payload[2] and payload[9] == 3:
            # 14 is missing, as it was then
            feed.on_both_lines(1, 15, add(3), now=now)
            assert feed.session.data_to_send(now) == []
            dialogue.ask(feed.session.data_to_send(now + SECOND // 100))
        if data := dialogue.data_to_send(now):
            said.append(data)
    theirs = [payload for _, from_server, payload in capture if not from_server]
    assert [each for each in said if each[2]] == [each for each in theirs if each[2]]
    assert {each for each in said if not each[2]} == {each for each in theirs if not each[2]}
    assert dialogue.phase is Phase.LOGGED_IN
    assert dialogue.take_events() == ["logged in"]
    assert not dialogue.should_close
    assert feed.counters["requests_refused"] == 0
    feed.unit(1, 14, add(2), line=GAP_LINE, now=capture[-1][0])
    assert feed.counters["recovered_messages"] == 1


def test_the_real_spin_dialogue() -> None:
    capture = segments("mcastpitch_spin_useq.pcap")
    feed = Feed(image_timeout_ns=SECOND)
    account = Account(session_sub_id="0023", username="BATS", password=password_of(capture))
    dialogue = Spin(feed.session, account, 1)
    feed.unit(1, 313, add(1))
    assert feed.counters["messages"] == 0
    said = converse(dialogue, capture)
    theirs = [payload for _, from_server, payload in capture if not from_server]
    # It asked twice for the same image, and stayed; we have what we want, and go.
    assert said == [theirs[0], theirs[1]]
    assert theirs[1] == theirs[2]
    assert dialogue.should_close
    assert dialogue.take_events() == ["logged in", "image of 0 orders after sequence 312"]
    assert feed.counters["images"] == 1
    assert feed.counters["messages"] == 1
    assert feed.session.wants_image(1) is None


def password_of(capture: list[tuple[int, bool, bytes]]) -> str:
    return capture[0][2][20:30].decode().rstrip()


def test_every_frame_of_the_real_dialogues_whole_byte_by_byte_and_with_a_tail() -> None:
    for name in ("mcastpitch_grp_useq.pcap", "mcastpitch_spin_useq.pcap"):
        for direction in (True, False):
            stream = b"".join(p for _, server, p in segments(name) if server is direction)
            whole = list(FrameReader().receive_data(stream))
            reader = FrameReader()
            single = [
                messages for byte in stream for messages in reader.receive_data(bytes([byte]))
            ]
            assert single == whole
            assert list(FrameReader().receive_data(stream + b"\x08\x00\x00")) == whole
            assert b"".join(frame(*messages) for messages in whole) == stream


@given(st.lists(st.binary(max_size=60)))
def test_any_bytes_are_frames_or_the_declared_error(pieces: list[bytes]) -> None:
    reader = FrameReader()
    try:
        for piece in pieces:
            for messages in reader.receive_data(piece):
                assert all(message[0] == len(message) for message in messages)
    except FeedError:
        pass


@given(st.lists(st.binary(max_size=60)), st.booleans())
def test_a_dialogue_survives_any_bytes(pieces: list[bytes], spins: bool) -> None:
    feed = Feed(image_timeout_ns=SECOND)
    dialogue = Spin(feed.session, ACCOUNT, 1) if spins else GapProxy(feed.session, ACCOUNT)
    dialogue.connected(1)
    dialogue.receive_data(ACCEPTED, 1)
    for piece in pieces:
        dialogue.receive_data(piece, 2)
    assert dialogue.should_close in (True, False)
    assert feed.counters["trades"] == 0


@given(st.lists(st.sampled_from([2, 6, 200, 255]), max_size=600))
def test_many_messages_need_few_frames(lengths: list[int]) -> None:
    messages = [bytes([length, 0x20]).ljust(length) for length in lengths]
    found = list(FrameReader().receive_data(frames(messages)))
    assert [message for each in found for message in each] == messages
    assert all(len(each) <= 255 for each in found)


@pytest.mark.parametrize(("status", "words"), [("N", "not authorized"), ("B", "session in use")])
def test_a_refused_login_ends_the_connection(status: str, words: str) -> None:
    feed = Feed()
    dialogue = GapProxy(feed.session, ACCOUNT)
    dialogue.connected(1)
    assert dialogue.data_to_send(1) == bytes.fromhex("1e00010000000000") + (
        b"\x16\x010001TICK  secret    "
    )
    dialogue.receive_data(frame(b"\x03\x02" + status.encode()), 2)
    assert dialogue.should_close
    assert dialogue.refused
    assert dialogue.take_events() == [f"login refused: {words}"]


def test_silence_is_noticed_and_the_session_knows() -> None:
    feed = Feed()
    dialogue = GapProxy(feed.session, ACCOUNT)
    dialogue.connected(1)
    dialogue.data_to_send(1)
    dialogue.receive_data(ACCEPTED, 2)
    feed.unit(1, 1, add(1), now=2)
    feed.on_both_lines(1, 3, add(3), now=2)
    assert len(feed.session.data_to_send(2 + SECOND // 100)) == 1
    assert dialogue.data_to_send(1 + HEARTBEAT) == frame()
    assert dialogue.next_deadline() == 1 + 2 * HEARTBEAT
    dialogue.data_to_send(2 + SILENCE)
    assert dialogue.should_close
    assert feed.session.data_to_send(3 + SILENCE) == []
    assert feed.counters["lost_messages"] == 1


def test_nothing_is_asked_before_the_login_or_after_the_end() -> None:
    feed = Feed()
    dialogue = GapProxy(feed.session, ACCOUNT)
    dialogue.ask([b"request"])
    assert dialogue.data_to_send(1) == b""
    dialogue.connected(1)
    dialogue.ask([b"request"])
    assert b"request" not in dialogue.data_to_send(1)
    dialogue.receive_data(ACCEPTED, 2)
    dialogue.ask([b"request"])
    assert dialogue.data_to_send(3) == b"request"
    dialogue.disconnected()
    assert dialogue.data_to_send(SILENCE * 2) == b""


def test_what_the_proxy_refuses_is_lost_and_counted() -> None:
    feed = Feed()
    dialogue = GapProxy(feed.session, ACCOUNT)
    dialogue.connected(1)
    dialogue.receive_data(ACCEPTED, 1)
    feed.unit(1, 1, add(1), now=2)
    feed.on_both_lines(1, 5, add(5), now=2)
    requests = feed.session.data_to_send(2 + SECOND // 100)
    assert len(requests) == 1
    dialogue.receive_data(frame(b"\x0a\x04\x01\x02\0\0\0\x03\0O"), 3)
    assert feed.counters["requests_refused"] == 1
    assert feed.counters["lost_messages"] == 3
    assert feed.counters["messages"] == 2
    assert dialogue.take_events()[-1] == "refuses 3 messages of unit 1 (O)"


def spin_of(sequence: int, *orders: bytes, announced: int | None = None) -> bytes:
    count = len(orders) if announced is None else announced
    return (
        frame(struct.pack("<BBIIc", 11, 0x82, sequence, count, b"A"))
        + frames(orders)
        + frame(struct.pack("<BBI", 6, 0x83, sequence))
    )


def available(sequence: int) -> bytes:
    return frame(struct.pack("<BBI", 6, 0x80, sequence))


def spinning(feed: Feed) -> Spin:
    dialogue = Spin(feed.session, ACCOUNT, 1)
    dialogue.connected(1)
    dialogue.receive_data(ACCEPTED, 1)
    dialogue.data_to_send(1)
    return dialogue


def test_only_an_image_that_reaches_what_was_kept_is_asked_for() -> None:
    feed = Feed(image_timeout_ns=SECOND)
    feed.unit(1, 10, add(10), now=1)
    dialogue = spinning(feed)
    dialogue.receive_data(available(8), 2)
    assert dialogue.data_to_send(2) == b""
    dialogue.receive_data(available(9), 3)
    assert dialogue.data_to_send(3) == frame(struct.pack("<BBI", 6, 0x81, 9))
    dialogue.receive_data(available(10), 4)
    assert dialogue.data_to_send(4) == b""
    dialogue.receive_data(spin_of(9, add(1), add(2)), 5)
    assert feed.counters["images"] == 1
    assert dialogue.should_close
    assert not dialogue.wanted


def test_an_image_with_orders_missing_is_not_used() -> None:
    feed = Feed(image_timeout_ns=SECOND)
    feed.unit(1, 10, add(10), now=1)
    dialogue = spinning(feed)
    dialogue.receive_data(available(9), 3)
    dialogue.receive_data(spin_of(9, add(1), announced=2), 5)
    assert feed.counters["images"] == 0
    assert dialogue.wanted
    assert "1 orders where 2" in dialogue.take_events()[-1]
    dialogue.receive_data(available(11) + spin_of(11, add(1)), 6)
    assert feed.counters["images"] == 1


def test_an_image_that_is_out_of_range_is_asked_for_again() -> None:
    feed = Feed(image_timeout_ns=SECOND)
    dialogue = spinning(feed)
    dialogue.receive_data(available(9), 3)
    dialogue.receive_data(frame(struct.pack("<BBIIc", 11, 0x82, 9, 0, b"O")), 4)
    dialogue.data_to_send(4)
    dialogue.receive_data(available(10), 5)
    assert dialogue.data_to_send(5) == frame(struct.pack("<BBI", 6, 0x81, 10))


def test_what_does_not_log_in_with_ascii_is_refused_at_once() -> None:
    with pytest.raises(UnicodeEncodeError):
        Account(password="schlüssel").login()

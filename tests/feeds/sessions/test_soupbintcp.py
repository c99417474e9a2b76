"""SoupBinTCP 3.00 as the client: logins, framing, sequences, heartbeats, ends; real packets."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticker.errors import FeedError
from ticker.feeds.protocol import MessageLog
from ticker.feeds.session import DEADLINE_NEVER, resume_point
from ticker.feeds.sessions.moldudp64 import MoldUDP64
from ticker.feeds.sessions.soupbintcp import Phase, SoupBinTcp, SoupOptions
from ticker.feeds.transports.pcap import Capture
from ticker.shm.counters import Counters
from ticker.shm.segment import Geometry, private_feed

SECOND = 1_000_000_000
NOW = 1_600_000_000 * SECOND


def packet(kind: str, payload: bytes = b"") -> bytes:
    return (1 + len(payload)).to_bytes(2, "big") + kind.encode() + payload


def accepted(sequence: int, session: str = "SESSION1") -> bytes:
    return packet("A", f"{session:>10}{sequence:>20}".encode())


def sequenced(*numbers: int) -> bytes:
    return b"".join(packet("S", b"m%d" % number) for number in numbers)


class Client:
    """A session, what it delivered and said, and its counters."""

    def __init__(self, **options: Any) -> None:
        self.mapping = private_feed(Geometry(16, 1, 16), 1, 0)
        self.log = MessageLog()
        self.session = SoupBinTcp(self.log, self.mapping, SoupOptions(**options))
        self.now = NOW

    def connect(self, *chunks: bytes) -> bytes:
        """A new connection; what it said first."""
        self.session.connected(self.now)
        said = b"".join(self.session.data_to_send(self.now))
        self.send(*chunks)
        return said

    def send(self, *chunks: bytes) -> None:
        for chunk in chunks:
            self.session.receive_data(chunk, 0, self.now)

    def phase(self) -> Phase:
        return self.session.phase

    def should_close(self) -> bool:
        return self.session.should_close

    def caught_up(self) -> bool:
        return self.session.caught_up

    def __getitem__(self, name: str) -> int:
        return Counters(self.mapping)[name]

    @property
    def numbers(self) -> list[int]:
        return [int(message[1:]) for message in self.log.messages]

    @property
    def events(self) -> list[str]:
        return [event.kind for event in self.session.take_events()]


def test_logs_in_as_the_specification_says() -> None:
    client = Client(username="user", password="secret", session="S1", join="start")
    assert client.connect() == b"\x00\x2fLuser  secret            S1" + b"%20d" % 1
    assert client.phase() is Phase.LOGGING_IN
    client.send(accepted(1, "S1"))
    assert client.phase() is Phase.LOGGED_IN
    assert client.session.session_id == b"S1"
    assert client.events == ["login_accepted"]


def test_live_asks_for_the_newest_message() -> None:
    client = Client()
    assert client.connect()[-30:] == b" " * 10 + b"%20d" % 0
    client.send(accepted(70), sequenced(70, 71))
    assert client.numbers == [70, 71]
    assert client["gaps"] == 0
    assert client.session.next_expected_sequence == 72


def test_counts_what_a_start_can_not_have_any_more() -> None:
    client = Client(join="start")
    client.connect(accepted(5), sequenced(5))
    assert (client["gaps"], client["gap_messages"], client["lost_messages"]) == (1, 4, 4)


def test_goes_on_at_the_next_message_after_a_disconnect() -> None:
    client = Client(join="start")
    client.connect(accepted(1), sequenced(1, 2, 3))
    client.session.disconnected()
    assert client.connect()[-30:] == b"  SESSION1" + b"%20d" % 4
    client.send(accepted(2), sequenced(2, 3, 4))
    assert client.numbers == [1, 2, 3, 4]
    assert (client["duplicate_messages"], client["sessions"]) == (2, 1)
    client.session.disconnected()
    client.connect(accepted(9), sequenced(9))
    assert client.numbers == [1, 2, 3, 4, 9]
    assert client["lost_messages"] == 4


def test_a_login_that_was_never_answered_is_repeated() -> None:
    client = Client(join="start")
    client.connect(accepted(1), sequenced(1))
    client.session.disconnected()
    first = client.connect()
    client.session.disconnected()
    assert client.connect() == first


def test_a_session_that_is_gone_gives_way_to_the_current_one() -> None:
    client = Client(join="start")
    client.connect(accepted(1), sequenced(1), packet("Z"))
    assert client.session.ended
    assert client.phase() is Phase.ENDED
    client.session.disconnected()
    assert client.connect()[-30:] == b"  SESSION1" + b"%20d" % 2
    client.send(packet("J", b"S"))
    assert client.should_close()
    client.session.disconnected()
    assert client.connect()[-30:] == b" " * 10 + b"%20d" % 1
    client.send(accepted(1, "NEXT"), sequenced(1))
    assert client.numbers == [1, 1]
    assert client["sessions"] == 2
    assert not client.session.ended


@pytest.mark.parametrize(("reason", "text"), [("A", "not authorized"), ("?", "reason '?'")])
def test_a_rejected_login_says_why_and_closes(reason: str, text: str) -> None:
    client = Client()
    client.connect(packet("J", reason.encode()))
    assert client.should_close()
    event = client.session.take_events()[0]
    assert event.kind == "login_rejected"
    assert text in event.text
    assert client.session.data_to_send(client.now) == []
    assert client.session.next_deadline(client.now) == DEADLINE_NEVER


def test_heartbeats_go_out_each_second_of_silence() -> None:
    client = Client()
    client.connect(accepted(1))
    client.session.data_to_send(client.now)
    assert client.session.next_deadline(client.now) == NOW + SECOND
    assert client.session.data_to_send(NOW + SECOND - 1) == []
    assert client.session.data_to_send(NOW + SECOND) == [b"\x00\x01R"]
    assert client.session.next_deadline(client.now) == NOW + 2 * SECOND


def test_a_server_that_is_silent_for_fifteen_seconds_is_left() -> None:
    client = Client()
    client.connect(accepted(1))
    client.now = NOW + 14 * SECOND
    client.send(packet("H"))
    client.session.data_to_send(client.now + 14 * SECOND)
    assert not client.should_close()
    client.session.data_to_send(client.now + 15 * SECOND)
    assert client.should_close()
    assert client.events == ["login_accepted", "silent"]
    assert client["heartbeats"] == 1


def test_says_good_bye() -> None:
    client = Client()
    client.connect(accepted(1))
    client.session.logout(client.now)
    assert client.session.data_to_send(client.now) == [b"\x00\x01O"]
    assert client.should_close()


def test_debug_and_unsequenced_packets_number_nothing() -> None:
    client = Client()
    client.connect(packet("+", b"hello"), accepted(1), sequenced(1), packet("U", b"x"),
                   packet("+", b"there"), sequenced(2))  # fmt: skip
    assert client.numbers == [1, 2]
    assert client["other_session_packets"] == 1
    assert client.events == ["debug", "login_accepted", "debug"]


@pytest.mark.parametrize(
    "bad",
    [
        b"\x00\x00",
        packet("?"),
        packet("A", b"short"),
        packet("A", b"  SESSION1" + b"x".rjust(20)),
        packet("A", b"  SESSION1" + b"0".rjust(20)),
        packet("A", b" " * 10 + b"1".rjust(20)),
        sequenced(1),
        packet("Z"),
    ],
)
def test_a_stream_that_makes_no_sense_is_left(bad: bytes) -> None:
    client = Client()
    client.connect(bad, accepted(1), sequenced(1))
    assert client.should_close()
    assert client["bad_packets"] == 1
    assert client.numbers == []
    assert client.events == ["garbled"]
    client.session.disconnected()
    client.connect(accepted(1), sequenced(1))
    assert client.numbers == [1]


def test_a_predecessor_is_gone_on_from() -> None:
    first = Client(join="start")
    first.connect(accepted(1), sequenced(1, 2, 3))
    first.session.save()
    point = resume_point(first.mapping)
    assert point == (b"SESSION1", 4)
    second = Client(resume=point)
    assert second.connect()[-30:] == b"  SESSION1" + b"%20d" % 4
    second.send(accepted(4), sequenced(4))
    assert (second.numbers, second["sessions"], second["gaps"]) == ([4], 0, 0)


def test_a_rebuild_has_caught_up_at_its_predecessors_message() -> None:
    client = Client(join="start", reached=(b"SESSION1", 4))
    client.connect(accepted(1), sequenced(1, 2))
    assert not client.caught_up()
    client.send(sequenced(3))
    assert client.caught_up()
    other = Client(join="start", reached=(b"OLD", 4))
    assert not other.caught_up()
    other.connect(accepted(1))
    assert other.caught_up()


@pytest.mark.parametrize(
    "options", [{"username": "sevench"}, {"password": "elevenchars"}, {"session": "elevenchars"}]
)
def test_what_does_not_fit_the_login_is_refused(options: dict[str, str]) -> None:
    with pytest.raises(FeedError, match=next(iter(options))):
        Client(**options)


STREAM = (
    accepted(1) + sequenced(1, 2) + packet("H") + packet("+", b"note") + sequenced(*range(3, 40))
    + packet("S", b"m40".ljust(3)) + packet("U", b"") + packet("Z")
)  # fmt: skip


@given(st.lists(st.integers(1, 40), max_size=60))
def test_is_the_same_however_the_stream_is_cut(cuts: list[int]) -> None:
    client = Client(join="start")
    client.connect()
    rest = STREAM
    for cut in [*cuts, len(STREAM)]:
        client.send(rest[:cut])
        rest = rest[cut:]
    assert client.numbers == list(range(1, 41))
    assert client.session.ended
    assert client["bad_packets"] == 0


def test_is_the_same_byte_by_byte() -> None:
    client = Client(join="start")
    client.connect(*(STREAM[at : at + 1] for at in range(len(STREAM))))
    assert client.numbers == list(range(1, 41))
    assert client["packets"] == 45


def test_the_longest_packet_is_taken_in_two_pieces() -> None:
    client = Client()
    longest = packet("S", b"m1".ljust(65_534))
    client.connect(accepted(1), longest[:40_000], longest[40_000:] + sequenced(2))
    assert [len(message) for message in client.log.messages] == [65_534, 2]


def test_disconnects_anywhere_lose_and_repeat_nothing() -> None:
    chance = random.Random(5)
    for _ in range(200):
        client = Client(join="start")
        for _ in range(chance.randint(0, 8)):
            following = max(client.session.next_expected_sequence, 1)
            stream = accepted(following) + sequenced(*range(following, 60))
            client.connect(stream[: chance.randint(0, len(stream))])
            client.session.disconnected()
        following = max(client.session.next_expected_sequence, 1)
        client.connect(accepted(following), sequenced(*range(following, 60)))
        assert client.numbers == list(range(1, 60))
        assert (client["duplicate_messages"], client["lost_messages"]) == (0, 0)


@given(st.lists(st.binary(max_size=80)), st.booleans())
def test_any_bytes_give_messages_or_an_end(chunks: list[bytes], logged_in: bool) -> None:
    client = Client()
    client.connect(accepted(1) if logged_in else b"")
    for chunk in chunks:
        client.send(chunk)
        client.session.data_to_send(client.now)
        client.now += SECOND // 4
    client.session.disconnected()
    assert client.phase() is Phase.DISCONNECTED


def test_real_packets_are_framed_as_here(samples: Path) -> None:
    """Of other protocols over SoupBinTCP: each TCP payload is whole packets of known types. Some
    of the captures are not: their protocols came over MoldUDP64."""
    seen: dict[str, int] = {}
    for path in sorted((samples / "soupbintcp").glob("*.pcap")):
        if datagrams := list(Capture(path)):
            check_mold(path, [payload for payload, _, _ in datagrams])
            continue
        segments = 0
        for payload, _, _ in Capture(path, with_tcp=True):
            segments += 1
            rest = payload
            while rest:
                length = int.from_bytes(rest[:2], "big")
                assert 1 <= length <= len(rest) - 2, path
                kind = chr(rest[2])
                seen[kind] = seen.get(kind, 0) + 1
                check_real(path, kind, rest[: 2 + length])
                rest = rest[2 + length :]
        assert segments, path
    assert set(seen) == set("ALSUHR")


def check_mold(path: Path, datagrams: list[bytes]) -> None:
    log = MessageLog()
    mapping = private_feed(Geometry(16, 1, 16), 1, 0)
    session = MoldUDP64(log, mapping)
    for payload in datagrams:
        session.receive_data(payload)
    # IntelligentCross writes its sequence and count in little-endian.
    assert bool(log.messages) == path.name.startswith("Jnx"), path
    assert Counters(mapping)["bad_packets"] == (not log.messages), path


def check_real(path: Path, kind: str, whole: bytes) -> None:
    """What a server sent means to the client what it is; what a client sent is as ours."""
    client = Client()
    client.connect()
    if kind == "A":
        client.send(whole)
        assert client.phase() is Phase.LOGGED_IN, path
        assert client.session.next_expected_sequence == int(whole[13:])
        assert client.session.session_id == whole[3:13].strip()
    elif kind == "S":
        client.send(accepted(1), whole)
        assert client.log.messages == [whole[3:]], path
    elif kind == "H":
        client.send(accepted(1), whole)
        assert client["heartbeats"] == 1
    elif kind == "R":
        client.send(accepted(1))
        assert client.session.data_to_send(client.now + SECOND) == [whole]
    elif kind == "L":
        ours = Client(
            username=whole[3:9].decode().strip(),
            password=whole[9:19].decode().strip(),
            session=whole[19:29].decode().strip(),
        )
        assert len(ours.connect()) == len(whole), path
        assert ours.connect()[:29] == whole[:29], path

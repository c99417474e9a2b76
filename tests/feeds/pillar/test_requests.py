"""The dialogue with an NYSE request server: what it sends, and what it makes of answers."""

from __future__ import annotations

import pytest

from ticker.feeds.pillar.requests import (
    ASKED,
    FLAG_HEARTBEAT,
    HEADER,
    NEVER,
    REQUEST,
    RESPONSE,
    SILENCE,
    RequestServer,
    packet,
)


class Session:
    """What the dialogue told its session."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def set_reachable(self, reachable: bool) -> None:
        self.told.append(reachable)

    def request_response(
        self, channel: int, begin: int, end: int, status: str, now_ns: int
    ) -> None:
        self.told.append((channel, begin, end, status, now_ns))


@pytest.fixture
def session() -> Session:
    return Session()


@pytest.fixture
def server(session: Session) -> RequestServer:
    made = RequestServer(session, "TICKER", 5, (21, 22))
    made.connected(1)
    return made


def response(channel: int, status: bytes, product: int = 5) -> bytes:
    return packet(RESPONSE.pack(29, 11, 1, 7, 9, b"TICKER", product, channel, status))


def test_a_request_names_source_product_and_channel(server: RequestServer) -> None:
    server.ask([ASKED.pack(1, 7, 9), ASKED.pack(0, 4, 4)])
    sent = server.data_to_send(2)
    assert len(sent) == 2 * (HEADER.size + REQUEST.size)
    assert [HEADER.unpack_from(sent, at)[:4] for at in (0, 40)] == [(40, 11, 1, 1), (40, 11, 1, 2)]
    assert REQUEST.unpack_from(sent, 16) == (24, 10, 7, 9, b"TICKER\0\0\0\0", 5, 22)
    assert REQUEST.unpack_from(sent, 56)[2:] == (4, 4, b"TICKER\0\0\0\0", 5, 21)
    assert server.data_to_send(3) == b""


def test_a_heartbeat_is_answered(server: RequestServer) -> None:
    beat = packet(b"", flag=FLAG_HEARTBEAT)
    for piece in (beat[:5], beat[5:] + beat[:3], beat[3:]):
        server.receive_data(piece, 2)
    sent = server.data_to_send(2)
    assert len(sent) == 2 * 30
    assert sent[16:30] == b"\x0e\0\x0c\0TICKER\0\0\0\0"
    assert server.next_deadline() == NEVER, "nothing has to follow"


def test_answers_become_calls_of_the_session(server: RequestServer, session: Session) -> None:
    answers = response(22, b"0") + response(21, b"7") + response(23, b"7") + response(21, b"1", 4)
    for at in range(len(answers)):
        server.receive_data(answers[at : at + 1], 5)
    assert session.told == [True, (1, 7, 9, "0", 5), (0, 7, 9, "7", 5)]
    assert server.take_events() == ["connected", "refuses 7 to 9 of channel 21 (7)"]
    assert server.useful


def test_without_a_connection_nothing_is_asked(server: RequestServer, session: Session) -> None:
    server.disconnected()
    server.ask([ASKED.pack(0, 1, 1)])
    assert server.data_to_send(2) == b""
    assert session.told == [True, False]


def test_what_is_no_packet_ends_the_connection(server: RequestServer, session: Session) -> None:
    server.receive_data(b"\x03" + bytes(20), 2)
    assert server.should_close
    assert session.told == [True, False]
    assert server.take_events()[-1] == "not understood: a packet of 3 bytes"


def test_a_server_that_says_nothing_to_a_request_is_left(server: RequestServer) -> None:
    assert server.next_deadline() == NEVER
    server.ask([ASKED.pack(0, 1, 1)])
    assert server.data_to_send(2)
    assert server.next_deadline() == 2 + SILENCE
    server.receive_data(response(21, b"0"), 3)
    assert server.next_deadline() == NEVER
    server.ask([ASKED.pack(0, 1, 1)])
    assert server.data_to_send(4)
    closes = []
    for now in (3 + SILENCE, 4 + SILENCE):
        assert server.data_to_send(now) == b""
        closes.append(server.should_close)
    assert closes == [False, True]
    assert server.take_events()[-1] == "silent for 5 s"

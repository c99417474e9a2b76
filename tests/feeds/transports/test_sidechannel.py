"""Connections beside the lines: made when wanted, made again with patience, never waited for."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from ticker.clock import now_ns
from ticker.feeds.transports import reconnect, sidechannel
from ticker.feeds.transports.sidechannel import SECOND, SideChannels

LOOPBACK = "127.0.0.1"


class Talk:
    """A dialogue that says hello, keeps what it hears, and does what the test says."""

    name = "talk"

    def __init__(self) -> None:
        self.wanted = True
        self.should_close = self.refused = self.useful = False
        self.heard = b""
        self.connections = self.losses = 0
        self.say = b""

    def connected(self, now_ns: int) -> None:  # noqa: ARG002
        self.connections += 1
        self.should_close = False
        self.say = b"hello"

    def disconnected(self) -> None:
        self.losses += 1

    def receive_data(self, data: bytes, now_ns: int) -> None:  # noqa: ARG002
        self.heard += data

    def data_to_send(self, now_ns: int) -> bytes:  # noqa: ARG002
        said, self.say = self.say, b""
        return said

    def next_deadline(self) -> int:
        return now_ns() + SECOND

    def take_events(self) -> list[str]:
        return []


class Server:
    """A listening socket, and what it accepted."""

    def __init__(self, port: int = 0) -> None:
        self.listener = socket.create_server((LOOPBACK, port))
        self.address: tuple[str, int] = self.listener.getsockname()

    def accept(self) -> socket.socket:
        self.listener.settimeout(5)
        accepted, _ = self.listener.accept()
        accepted.settimeout(5)
        return accepted

    def close(self) -> None:
        self.listener.close()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


@pytest.fixture
def connect() -> Iterator[Callable[..., tuple[SideChannels, Talk]]]:
    made: list[SideChannels] = []

    def make(address: tuple[str, int]) -> tuple[SideChannels, Talk]:
        talk = Talk()
        made.append(SideChannels("feed", [(address, talk)]))
        return made[-1], talk

    yield make
    for each in made:
        each.close()


def turn_until(channels: SideChannels, what: Callable[[], Any]) -> None:
    """As a worker does: sleep until there is something to do, then do it."""
    end = time.monotonic() + 10
    while not what():
        assert time.monotonic() < end, "it does not come to pass"
        wait = min(max(channels.next_deadline(now_ns()) - now_ns(), 0), SECOND // 20)
        select.select([channels], [], [], wait / SECOND)
        channels.turn(now_ns())


Connect = Callable[..., tuple[SideChannels, Talk]]


def test_talks_both_ways(server: Server, connect: Connect) -> None:
    channels, talk = connect(server.address)
    turn_until(channels, lambda: talk.connections)
    with server.accept() as there:
        assert there.recv(100) == b"hello"
        there.sendall(b"good day")
        turn_until(channels, lambda: talk.heard == b"good day")
        assert not channels.turn(now_ns())


def test_is_not_made_before_it_is_wanted(server: Server, connect: Connect) -> None:
    channels, talk = connect(server.address)
    talk.wanted = False
    for _ in range(3):
        channels.turn(now_ns())
    assert not select.select([server.listener], [], [], 0)[0]
    assert channels.next_deadline(now_ns()) <= now_ns() + SECOND // 10
    talk.wanted = True
    turn_until(channels, lambda: talk.connections)


@pytest.mark.slow
def test_is_made_again_when_the_other_end_goes_and_comes(connect: Connect) -> None:
    first = Server()
    channels, talk = connect(first.address)
    turn_until(channels, lambda: talk.connections)
    there = first.accept()
    there.close()
    first.close()
    turn_until(channels, lambda: talk.losses)
    started = time.monotonic()
    turn_until(channels, lambda: time.monotonic() - started > 0.3)
    assert talk.connections == 1
    second = Server(first.address[1])
    turn_until(channels, lambda: talk.connections == 2)
    with second.accept() as there:
        assert there.recv(100) == b"hello"
    second.close()


def test_attempts_become_rarer(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = Server()
    nobody.close()
    channels, talk = connect(nobody.address)
    monkeypatch.setattr("random.uniform", lambda _low, high: high)
    now = now_ns()
    waits = []
    for _ in range(9):
        # One turn to begin, and as many as it takes to hear that nobody is there.
        begin = channels.channels[0]._not_before
        while channels.channels[0]._not_before == begin:
            channels.turn(now)
            select.select([channels], [], [], 0.01)
        waits.append((channels.channels[0]._not_before - now) / SECOND)
        now = channels.channels[0]._not_before
    assert waits == [0.25, 0.5, 1, 2, 4, 8, 16, 30, 30]
    assert talk.connections == 0


@pytest.mark.parametrize(
    ("useful", "lasts", "expected"),
    [
        (False, 1, [0.25, 0.5, 1, 2, 4]),
        (True, 1, [0.25, 0.5, 1, 2, 4]),
        (True, 10, [0.25, 0.25, 0.25, 0.25, 0.25]),
        (False, 31, [0.25, 0.25, 0.25, 0.25, 0.25]),
    ],
)
def test_bytes_that_are_of_no_use_are_no_reason_to_come_back_soon(
    server: Server,
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
    useful: bool,
    lasts: int,
    expected: list[float],
) -> None:
    channels, talk = connect(server.address)
    monkeypatch.setattr("random.uniform", lambda _low, high: high)
    now, waits = now_ns(), []

    def turn(what: Callable[[], Any]) -> None:
        while not what():
            channels.turn(now)
            select.select([channels], [], [], 0.01)

    def connected(times: int) -> bool:
        return talk.connections > times

    def lost(times: int) -> bool:
        return talk.losses > times

    for attempt in range(5):
        turn(partial(connected, attempt))
        talk.heard, talk.useful = b"", useful
        with server.accept() as there:
            there.sendall(b"\xff" * 100)
            turn(lambda: len(talk.heard) == 100)
            now += lasts * SECOND
        turn(partial(lost, attempt))
        waits.append((channels.channels[0]._not_before - now) / SECOND)
        now = channels.channels[0]._not_before
    assert waits == expected


def test_a_refused_login_is_not_repeated_soon(server: Server, connect: Connect) -> None:
    channels, talk = connect(server.address)
    turn_until(channels, lambda: talk.connections)
    talk.refused = talk.should_close = True
    now = now_ns()
    channels.turn(now)
    assert talk.losses == 1
    assert channels.channels[0]._not_before >= now + int(reconnect.REFUSED_WAIT / 2) * SECOND


def test_who_does_not_listen_is_given_up(
    server: Server, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sidechannel, "MOST_OUTBOUND", 1000)
    channels, talk = connect(server.address)
    turn_until(channels, lambda: talk.connections)

    def flood() -> int:
        talk.say = bytes(1 << 20)
        return talk.losses

    turn_until(channels, flood)

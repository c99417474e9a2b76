"""UDP with real sockets on the loopback interface: lines, answers, signals, drops."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from ticker.bench.rig.ports import free_port
from ticker.errors import FeedError
from ticker.feeds.protocol import MessageLog
from ticker.feeds.session import SessionOptions
from ticker.feeds.sessions.moldudp64 import MoldUDP64
from ticker.feeds.transports.udp import UdpTransport
from ticker.shm.counters import Counters
from ticker.shm.segment import Geometry, private_feed

LOOPBACK = "127.0.0.1"
MS = 1_000_000
numbers = itertools.count(os.getpid() * 8)


def group() -> str:
    """A multicast group that no other test of this machine uses now."""
    number = next(numbers)
    return f"239.192.{number >> 8 & 127 | 128}.{number & 255}"


def packet(sequence: int, *messages: bytes) -> bytes:
    body = b"".join(len(message).to_bytes(2, "big") + message for message in messages)
    return b"SESSION001" + sequence.to_bytes(8, "big") + len(messages).to_bytes(2, "big") + body


@pytest.fixture
def sender() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(LOOPBACK))
        yield opened


class Receiver:
    """A transport, a session behind it, and what it delivered."""

    def __init__(
        self,
        *lines: tuple[str, int],
        rerequest: tuple[str, int] | None = None,
        more: Sequence[tuple[str, int, int]] = (),
        sources: Sequence[str] = (),
    ) -> None:
        self.mapping = private_feed(Geometry(16, 1, 16), 1, 0)
        self.log = MessageLog()
        options = SessionOptions(rerequest=rerequest is not None)
        self.session = MoldUDP64(self.log, self.mapping, options)
        self.transport = UdpTransport(
            list(lines), interface=LOOPBACK, rerequest=rerequest, more=more, sources=sources
        )

    def __getitem__(self, name: str) -> int:
        return Counters(self.mapping)[name]

    def run(self, milliseconds: float = 5) -> None:
        self.transport.run(self.session, time.time_ns() + int(milliseconds * MS))

    def run_until(self, name: str, value: int) -> None:
        end = time.monotonic() + 10
        while self[name] < value:
            assert time.monotonic() < end, f"{name} stays {self[name]}"
            self.run()


Make = Callable[..., Receiver]


@pytest.fixture
def receiver() -> Iterator[Make]:
    made: list[Receiver] = []

    def make(*lines: tuple[str, int], **options: Any) -> Receiver:
        made.append(Receiver(*lines, **options))
        return made[-1]

    yield make
    for each in made:
        each.transport.close()


def test_two_multicast_lines(receiver: Make, sender: socket.socket) -> None:
    a, b = (group(), free_port()), (group(), free_port())
    feed = receiver(a, b)
    sender.sendto(packet(1, b"one"), a)
    sender.sendto(packet(1, b"one"), b)
    sender.sendto(packet(2, b"two"), b)
    feed.run_until("packets", 3)
    assert feed.log.messages == [b"one", b"two"]
    assert (feed["packets_line_a"], feed["packets_line_b"]) == (1, 2)
    assert abs(feed.session.last_packet_ns - time.time_ns()) < 10_000 * MS


def test_only_the_own_group_on_a_shared_port(receiver: Make, sender: socket.socket) -> None:
    port = free_port()
    mine, other = (group(), port), (group(), port)
    feed, neighbour = receiver(mine), receiver(other)
    sender.sendto(packet(1, b"theirs"), other)
    sender.sendto(packet(1, b"ours"), mine)
    feed.run_until("packets", 1)
    neighbour.run_until("packets", 1)
    assert feed.log.messages == [b"ours"]
    assert neighbour.log.messages == [b"theirs"]


def test_a_unicast_line_and_more_than_a_batch(receiver: Make, sender: socket.socket) -> None:
    line = (LOOPBACK, free_port())
    feed = receiver(line)
    for sequence in range(1, 101):
        sender.sendto(packet(sequence, b"m%d" % sequence), line)
    feed.run_until("packets", 100)
    assert feed.log.messages == [b"m%d" % sequence for sequence in range(1, 101)]


def test_requests_and_answers(receiver: Make, sender: socket.socket) -> None:
    line = (LOOPBACK, free_port())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((LOOPBACK, 0))
        server.settimeout(10)
        feed = receiver(line, rerequest=server.getsockname())
        sender.sendto(packet(1, b"one"), line)
        sender.sendto(packet(3, b"three"), line)
        feed.run_until("packets", 2)
        before = time.time_ns()
        feed.run(10_000)
        assert time.time_ns() - before < 5_000 * MS, "the session's deadline ends the wait"
        feed.transport.send(feed.session.data_to_send(time.time_ns()))
        request, requester = server.recvfrom(100)
        assert request == b"SESSION001" + (2).to_bytes(8, "big") + (1).to_bytes(2, "big")
        sender.sendto(packet(2, b"from nobody"), requester)
        server.sendto(packet(2, b"two"), requester)
        feed.run_until("packets_retransmitted", 1)
    assert feed.log.messages == [b"one", b"two", b"three"]
    assert feed["recovered_messages"] == 1


def test_a_server_that_is_not_there(receiver: Make, sender: socket.socket) -> None:
    line = (LOOPBACK, free_port())
    feed = receiver(line, rerequest=(LOOPBACK, free_port()))
    for _ in range(3):
        feed.transport.send([bytes(20), bytes(20)])
        feed.run()
    sender.sendto(packet(1, b"one"), line)
    feed.run_until("packets", 1)
    assert feed.log.messages == [b"one"]


def test_a_datagram_too_long_is_a_bad_packet(receiver: Make, sender: socket.socket) -> None:
    line = (LOOPBACK, free_port())
    feed = receiver(line)
    sender.sendto(packet(1, bytes(9300)), line)
    sender.sendto(packet(1, bytes(9000)), line)
    feed.run_until("packets", 1)
    assert feed["bad_packets"] == 1
    assert feed.log.messages == [bytes(9000)]


def test_further_lines_are_what_they_are_said_to_be(receiver: Make, sender: socket.socket) -> None:
    """Other units' lines A and B, and a gap line, each a group of its own."""
    lines = [(group(), free_port()) for _ in range(4)]
    more = [(*lines[1], 0), (*lines[2], 1), (*lines[3], 2)]
    feed = receiver(lines[0], more=more)
    for sequence, line in enumerate(lines, 1):
        sender.sendto(packet(sequence, b"x"), line)
        feed.run_until("packets", sequence)
    assert (feed["packets_line_a"], feed["packets_line_b"]) == (2, 1)
    assert feed["packets_retransmitted"] == 1
    assert feed["messages"] == 4


def test_too_many_lines_are_refused(receiver: Make) -> None:
    with pytest.raises(FeedError, match="at most"):
        receiver((group(), free_port()), more=[(group(), 1, 0)] * 64)


def test_what_is_watched_ends_the_wait(receiver: Make) -> None:
    feed = receiver((LOOPBACK, free_port()))
    eventfd = os.eventfd(0, os.EFD_NONBLOCK)
    try:
        feed.transport.watch(eventfd)
        feed.run(5)
        os.eventfd_write(eventfd, 1)
        started = time.monotonic()
        feed.run(60_000)
        assert time.monotonic() - started < 5
    finally:
        os.close(eventfd)


def test_a_signal_ends_the_wait(receiver: Make) -> None:
    feed = receiver((LOOPBACK, free_port()))
    caught = []
    before = signal.signal(signal.SIGALRM, lambda *_: caught.append(True))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
        start = time.monotonic()
        feed.run(10_000)
        assert time.monotonic() - start < 5
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert caught


def test_what_the_kernel_drops_is_seen(receiver: Make, sender: socket.socket) -> None:
    line = (LOOPBACK, free_port())
    feed = receiver(line)
    assert feed.transport.drops == 0
    assert feed.transport.receive_buffer > 100_000
    feed.transport.sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    for sequence in range(1, 200):
        sender.sendto(packet(sequence, bytes(1000)), line)
    assert feed.transport.drops > 100


def test_addresses_that_cannot_be_used(receiver: Make) -> None:
    with pytest.raises(FeedError, match=r"192\.0\.2\.1:26477.*check `lines`"):
        receiver(("192.0.2.1", 26477))
    with pytest.raises(FeedError, match="check `lines`, `interface` and `source`"):
        UdpTransport([("239.192.128.1", free_port())], interface="192.0.2.1")
    with pytest.raises(FeedError, match="one or two"):
        receiver()

"""Who may send on a line: only its sources, if they are known; strangers are counted."""

from __future__ import annotations

import resource
import socket
import time
from collections.abc import Iterator

import pytest

from tests.feeds.transports.test_udp import LOOPBACK, Make, group, packet, receiver
from ticker.bench.rig.ports import free_port
from ticker.errors import FeedError
from ticker.feeds.transports.udp import UdpTransport

STRANGER = "127.0.0.9"
assert receiver


@pytest.fixture
def stranger() -> Iterator[socket.socket]:
    """Sends from another address than the line's source."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.bind((STRANGER, 0))
        opened.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(STRANGER))
        yield opened


@pytest.fixture
def sender() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.bind((LOOPBACK, 0))
        opened.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(LOOPBACK))
        yield opened


def test_a_group_takes_packets_of_its_sources_only(
    receiver: Make, sender: socket.socket, stranger: socket.socket
) -> None:
    a, b = (group(), free_port()), (group(), free_port())
    feed = receiver(a, b, sources=["192.0.2.7", LOOPBACK])
    for number in range(1, 9):
        stranger.sendto(packet(number, b"forged"), a)
        stranger.sendto(packet(number, b"forged"), b)
    sender.sendto(packet(1, b"one"), a)
    sender.sendto(packet(2, b"two"), b)
    feed.run_until("packets", 2)
    assert feed.log.messages == [b"one", b"two"]
    assert feed["packets"] == 2
    assert feed.transport.foreign == 16


def test_an_address_of_our_own_takes_packets_of_its_sources_only(
    receiver: Make, sender: socket.socket, stranger: socket.socket
) -> None:
    line = (LOOPBACK, free_port())
    feed = receiver(line, sources=[LOOPBACK])
    stranger.sendto(packet(1, b"forged"), line)
    sender.sendto(packet(1, b"one"), line)
    feed.run_until("packets", 1)
    assert feed.log.messages == [b"one"]
    assert (feed["foreign_packets"], feed.transport.foreign) == (1, 0)


def test_further_lines_have_the_same_sources(
    receiver: Make, sender: socket.socket, stranger: socket.socket
) -> None:
    line, more = (group(), free_port()), (group(), free_port())
    feed = receiver(line, more=[(*more, 1)], sources=[LOOPBACK])
    stranger.sendto(packet(1, b"forged"), more)
    sender.sendto(packet(1, b"one"), more)
    feed.run_until("packets_line_b", 1)
    assert feed.log.messages == [b"one"]
    assert feed.transport.foreign == 1


def test_the_re_request_server_need_be_no_source(receiver: Make, sender: socket.socket) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((STRANGER, 0))
        server.settimeout(10)
        line = (group(), free_port())
        feed = receiver(line, rerequest=server.getsockname(), sources=[LOOPBACK])
        sender.sendto(packet(1, b"one"), line)
        sender.sendto(packet(3, b"three"), line)
        feed.run_until("gaps", 1)
        while not (requests := feed.session.data_to_send(time.time_ns())):
            pass
        feed.transport.send(requests)
        _, client = server.recvfrom(100)
        server.sendto(packet(2, b"two"), client)
        feed.run_until("recovered_messages", 1)
        assert feed.log.messages == [b"one", b"two", b"three"]


@pytest.mark.slow
def test_a_flood_of_strangers_costs_the_line_nothing(
    receiver: Make, sender: socket.socket, stranger: socket.socket
) -> None:
    line = (group(), free_port())
    feed = receiver(line, sources=[LOOPBACK])
    forged = packet(7, b"x" * 1000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(1, 101):
        for _ in range(300):
            stranger.sendto(forged, line)
        sender.sendto(packet(number, b"real"), line)
    began = time.process_time()
    feed.run_until("packets", 100)
    assert time.process_time() - began < 0.5
    assert feed.log.messages == [b"real"] * 100
    assert (feed["gaps"], feed.transport.drops) == (0, 0)
    assert feed.transport.foreign == 30_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 8_000, "kB"


def test_more_sources_than_a_socket_takes() -> None:
    with pytest.raises(FeedError, match="at most 16"):
        UdpTransport([(group(), free_port())], sources=[f"192.0.2.{i}" for i in range(17)])

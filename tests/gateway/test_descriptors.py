"""Sockets that run out: HTTP counts too, nothing is refused for good, no half head stays."""

from __future__ import annotations

import contextlib
import resource
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
FEW = [{"max_connections": 12}]
Sockets = Callable[[int], list[socket.socket]]


@pytest.fixture
def sockets(rig: Any) -> Iterator[Sockets]:
    """sockets(n) -> n connections, over which nothing was said."""
    made: list[socket.socket] = []

    def connect(count: int) -> list[socket.socket]:
        new = [socket.create_connection(("127.0.0.1", rig.port), 5) for _ in range(count)]
        made.extend(new)
        return new

    yield connect
    for each in made:
        each.close()


def ask(connection: socket.socket) -> bytes:
    connection.sendall(HEALTH)
    return connection.recv(4096)


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


@pytest.mark.parametrize("rig", FEW, indirect=True)
def test_idle_http_connections_are_connections(sockets: Sockets) -> None:
    """The one too many waits, and is served when another one goes."""
    idle = sockets(12)
    assert all(ask(each).startswith(b"HTTP/1.1 200") for each in idle)
    (late,) = sockets(1)
    late.sendall(HEALTH)
    late.settimeout(0.3)
    with pytest.raises(TimeoutError):
        late.recv(4096)
    idle[0].close()
    late.settimeout(5)
    assert late.recv(4096).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("rig", FEW, indirect=True)
def test_streams_take_the_places_that_http_leaves(
    sockets: Sockets, connect: Callable[..., Any]
) -> None:
    idle = sockets(12)
    assert all(ask(each).startswith(b"HTTP/1.1 200") for each in idle)
    for each in idle:
        each.close()
    for _ in range(12):
        assert connect().head.startswith(b"HTTP/1.1 101")


def test_descriptors_that_ran_out_come_back(
    rig: Any, sockets: Sockets, wait_for: Callable[..., None]
) -> None:
    """Only HTTP connections are open, so that no stream that ends can tell of a free place."""
    assert ask(*sockets(1)).startswith(b"HTTP/1.1 200")  # all modules are loaded
    _, most = resource.prlimit(rig.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(rig.pid, resource.RLIMIT_NOFILE, (descriptors(rig.pid) + 4, most))
    many = sockets(16)
    for each in many:
        each.sendall(HEALTH)
    wait_for(lambda: rig.counters["descriptors_exhausted"])
    heard = hear(many)
    busy = [each for each in heard if each.startswith(b"HTTP/1.1 503")]
    assert busy
    assert all(b"Retry-After" in each for each in busy)
    assert any(each.startswith(b"HTTP/1.1 200") for each in heard)
    for each in many:
        each.close()
    wait_for(lambda: ask(*sockets(1)).startswith(b"HTTP/1.1 200"))


def hear(connections: Sequence[socket.socket]) -> list[bytes]:
    """What comes on each within the same two seconds."""
    end = time.monotonic() + 2
    heard = []
    for each in connections:
        each.settimeout(max(0.001, end - time.monotonic()))
        with contextlib.suppress(TimeoutError):
            heard.append(each.recv(4096))
    return heard


@pytest.mark.slow
def test_a_second_head_has_the_first_one_s_deadline(sockets: Sockets) -> None:
    (slow,) = sockets(1)
    assert ask(slow).startswith(b"HTTP/1.1 200")
    slow.settimeout(20)
    slow.sendall(HEALTH[:20])
    begin = time.monotonic()
    assert slow.recv(4096) == b""
    assert 4 < time.monotonic() - begin < 8

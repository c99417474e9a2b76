"""Ports of 127.0.0.1 that nobody has, for servers that a bench or a test starts."""

from __future__ import annotations

import random
import socket
from contextlib import suppress

# Below those that the kernel gives to connections by itself: a port from there, which was free
# when it was looked for, may be a connection's when the server wants it, and stay so for long.
PORTS = range(20_000, 32_000)


def free_port() -> int:
    """A port where nobody listens, neither for TCP nor for UDP."""
    while True:
        port = random.SystemRandom().choice(PORTS)
        with (
            socket.socket() as stream,
            socket.socket(type=socket.SOCK_DGRAM) as datagrams,
            suppress(OSError),
        ):
            stream.bind(("127.0.0.1", port))
            datagrams.bind(("127.0.0.1", port))
            return port


def free_ports(count: int) -> list[int]:
    """So many different ones."""
    found: set[int] = set()
    while len(found) < count:
        found.add(free_port())
    return list(found)

"""Clients that ask and hang up: nobody is told, least of all the log."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.gateway.conftest import Rig, new_rig
from ticker.config import Config

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close with a reset
MANY = 300


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """A gateway whose log is a file."""
    made = new_rig(Config(), tmp_path / "log")
    yield made
    assert made.close() == 0


@pytest.mark.parametrize("said", [HEALTH, HEALTH * 3, HEALTH[:25], b""])
@pytest.mark.parametrize("reset", [True, False])
def test_hanging_up_is_no_news(
    rig: Rig, wait_for: Callable[..., None], said: bytes, reset: bool
) -> None:
    before = rig.counters["connections_accepted"]
    for _ in range(MANY):
        with socket.create_connection(("127.0.0.1", rig.port), 5) as client:
            client.sendall(said)
            if reset:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    wait_for(lambda: rig.counters["connections_accepted"] == before + MANY)
    with socket.create_connection(("127.0.0.1", rig.port), 5) as client:  # all before were served
        client.sendall(HEALTH)
        assert client.recv(4096).startswith(b"HTTP/1.1 200")
    assert rig.said is not None
    lines = [json.loads(line) for line in rig.said.read_text().splitlines()]
    assert [line["event"] for line in lines] == ["gateway serves"]

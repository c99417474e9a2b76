"""A fault of the server meets the client whose request it is, and no other."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.conftest import E9, Client, Rig
from tests.gateway.event_reader import Read
from ticker.config import Config, GatewayConfig
from ticker.gateway import events
from ticker.gateway.protocol.depths import Depths

V1 = "ticker.v1.json"


def break_it() -> None:
    """In the worker: books of BOOM, quotes, and requests for events of 7 levels meet a fault."""
    admit, topics, read = Depths.admit, Depths.topics, events.read_request

    def broken_admit(self: Any, command: Any, names: Any) -> None:
        names = list(names)
        if "BOOM" in names and "AAPL" not in names:
            raise RuntimeError("a fault of the test")
        admit(self, command, names)

    def broken_topics(self: Any, number: int, command: Any, *more: Any) -> Any:
        if command.channel == "quote":
            raise RuntimeError("a fault of the test")
        return topics(self, number, command, *more)

    def broken_read(head: Any, most: int) -> Any:
        if "levels=7" in head.target:
            raise RuntimeError("a fault of the test")
        return read(head, most)

    broken = {"admit": broken_admit, "topics": broken_topics}
    for name, function in broken.items():
        setattr(Depths, name, function)
    events.read_request = broken_read


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    config = Config(gateway=GatewayConfig(max_connections=64))
    name = f"faults{os.getpid()}-{time.monotonic_ns()}"
    made = Rig(name, config, first=break_it, said=tmp_path / "log")
    for symbol in ("AAPL", "BOOM"):
        made.trade(made.row(symbol), E9)
    yield made
    assert made.close() == 0


def test_the_client_is_told_and_the_others_are_served(
    rig: Rig, connect: Callable[..., Client], tmp_path: Path
) -> None:
    neighbour, client = connect(protocol=V1), connect(protocol=V1)
    neighbour.send({"action": "subscribe", "symbol": "AAPL"})
    neighbour.until("snapshot")
    client.send({"action": "subscribe", "symbols": ["BOOM"], "channel": "depth"})
    error = client.until("error")
    assert (error["code"], error["reason"]) == (500, "internal")
    assert "please report it" in error["message"]
    assert client.receive_close() == 4500
    rig.trade(0, 2 * E9)
    assert neighbour.receive()["price"] == 2
    assert "a fault of the test" in (tmp_path / "log").read_text()


@pytest.mark.usefixtures("rig")
def test_a_request_for_events_is_answered(read: Read) -> None:
    for first in (b"", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"):
        path = "/stream?symbols=AAPL&channel=depth&levels=7"
        assert read(path, first=first).status == 500
        unopened = read("/stream?symbols=BOOM&channel=depth", first=first)
        assert unopened.status == 500
        late = read("/stream?symbols=AAPL&channel=quote", first=first)
        assert late.status == 200
        assert late.until("error")["code"] == 500
        assert late.ended()
    assert read("/stream?symbols=AAPL").until("snapshot")["price"] == 1

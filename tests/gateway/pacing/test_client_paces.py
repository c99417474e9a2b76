"""The paces that clients choose: over all encodings, on `trades`, as events, and within a rate."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.gateway.pacing.changes import E9, received, trades_each
from ticker.config import Config, GatewayConfig
from ticker.gateway.protocol import protobuf
from ticker.gateway.protocol.messages import Configure

JSON, MSGPACK, PROTOBUF = "ticker.v1.json", "ticker.v1.msgpack", "ticker.v1.protobuf"
Connect = Callable[..., Any]


def paced(rig: Any, connect: Connect, pace: str, channel: str = "price") -> Any:
    """A client with this pace that has the snapshot of one symbol, row 0."""
    rig.trade(rig.row("AAPL"), E9)
    client = connect(protocol=JSON)
    client.send({"action": "configure", "pace": pace})
    assert client.until("configured")["pace"] == pace
    client.send({"action": "subscribe", "symbols": ["AAPL"], "channel": channel})
    client.until("snapshot")
    return client


@pytest.mark.parametrize("channel", ["price", "trades"])
@pytest.mark.parametrize("rig", [{"pace": "fixed"}, {"flush_floor": 0.1}], indirect=True)
def test_immediate_is_each_change_as_it_comes(rig: Any, connect: Connect, channel: str) -> None:
    client = paced(rig, connect, "immediate", channel)
    told: list[float] = []
    for price in range(2, 12):
        begin = time.monotonic()
        rig.trade(0, price * E9)
        assert round(client.until("update")["price"]) == price
        told.append(time.monotonic() - begin)
    assert sorted(told)[len(told) // 2] < 0.02, "an interval is 100 ms"


@pytest.mark.parametrize("rig", [{"pace": "fixed"}], indirect=True)
def test_a_waiting_client_that_turns_immediate_waits_no_more(rig: Any, connect: Connect) -> None:
    client = paced(rig, connect, "saver")
    rig.trade(0, 2 * E9)
    rig.trade(0, 3 * E9)
    client.send({"action": "configure", "pace": "immediate"})
    begin = time.monotonic()
    assert received(client, 3)[-1] == 3
    assert time.monotonic() - begin < 0.5
    trades_each(rig, 3, 5)
    assert received(client, 6)[-1] == 6


@pytest.mark.slow
@pytest.mark.parametrize("rig", [{}], indirect=True)
def test_saver_is_once_a_second(rig: Any, connect: Connect) -> None:
    client = paced(rig, connect, "saver")
    begin = time.monotonic()
    trades_each(rig, 10, 40)
    prices = received(client, 41)
    assert len(prices) <= (time.monotonic() - begin) + 2


@pytest.mark.parametrize("rig", [{}], indirect=True)
def test_the_rate_that_each_pace_comes_to(connect: Connect) -> None:
    client = connect(protocol=JSON)
    found = []
    for command in (
        {"pace": "immediate"}, {"pace": "saver"}, {"max_rate": 0.5}, {"pace": "steady"},
        {"max_rate": 5}, {"pace": "immediate"},
    ):  # fmt: skip
        client.send({"action": "configure", **command})
        said = client.until("configured")
        found.append((said["pace"], said["max_rate"]))
    assert found == [
        ("immediate", 5000), ("saver", 1), ("saver", 0.5), ("steady", 0.5), ("steady", 5),
        ("immediate", 5),
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("rig", [{}], indirect=True)
def test_a_rate_bounds_every_pace(rig: Any, connect: Connect) -> None:
    client = paced(rig, connect, "immediate")
    client.send({"action": "configure", "max_rate": 5})
    client.until("configured")
    begin = time.monotonic()
    trades_each(rig, 5, 60)
    assert len(received(client, 61)) <= 5 * (time.monotonic() - begin) + 2


@pytest.mark.parametrize("rig", [{"immediate": False}], indirect=True)
def test_a_server_may_refuse_it(rig: Any, connect: Connect, read: Callable[..., Any]) -> None:
    rig.trade(rig.row("AAPL"), E9)
    client = connect(protocol=JSON)
    client.send({"action": "configure", "pace": "immediate", "max_rate": 1, "id": 4})
    error = client.until("error")
    assert (error["code"], error["id"]) == (410, 4)
    assert error["message"].startswith("pace: ")
    client.send({"action": "configure", "pace": "steady"})
    assert client.until("configured")["max_rate"] == 100, "a refused command changes nothing"
    assert read("/stream?symbols=AAPL&pace=immediate").status == 400


@pytest.mark.parametrize("wrong", ["fast", "", 1, None, ["saver"]])
def test_any_other_word_is_refused(connect: Connect, wrong: object) -> None:
    client = connect(protocol=JSON)
    client.send({"action": "configure", "pace": wrong})
    error = client.until("error")
    assert error["code"] == 400
    assert "pace" in error["message"]


def test_over_messagepack(connect: Connect) -> None:
    client = connect(protocol=MSGPACK)
    client.send({"action": "configure", "pace": "saver"})
    assert client.until("configured")["pace"] == "saver"


def test_over_protobuf(connect: Connect) -> None:
    client = connect(protocol=PROTOBUF)
    command = protobuf.encode_command(Configure(pace="saver"))
    client.socket.sendall(client.frame(command, 2))
    while b"saver" not in client.receive():
        pass


@pytest.mark.parametrize("rig", [Config(gateway=GatewayConfig(pace="fixed"))], indirect=True)
def test_as_events(rig: Any, read: Callable[..., Any]) -> None:
    rig.trade(rig.row("AAPL"), E9)
    reader = read("/stream?symbols=AAPL&pace=immediate")
    while reader.event()["type"] != "snapshot":
        pass
    told = []
    for price in range(2, 8):
        begin = time.monotonic()
        rig.trade(0, price * E9)
        while round(reader.event().get("price", 0)) != price:
            pass
        told.append(time.monotonic() - begin)
    assert sorted(told)[3] < 0.02
    assert read("/stream?symbols=AAPL&pace=fast").status == 400

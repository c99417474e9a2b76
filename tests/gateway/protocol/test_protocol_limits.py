"""The limits of ticker.v1: rates, slow clients, floods, sizes, and the last messages."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import pytest

from tests.gateway.protocol.v1 import E9, V1, Connect, hello


@pytest.mark.slow
@pytest.mark.parametrize("rig", [{"pace": "fixed"}], indirect=True)
def test_slower_clients_get_the_newest_at_their_own_turns(rig: Any, connect: Connect) -> None:
    row = rig.row("AAPL")
    rig.trade(row, E9)
    clients = {rate: connect(protocol=V1) for rate in (10.0, 5.0, 2.0, 0.5)}
    for max_rate, client in clients.items():
        if max_rate != 10:  # that of the server
            client.send({"action": "configure", "max_rate": max_rate})
        client.send({"action": "subscribe", "symbols": ["AAPL"]})
        client.until("snapshot")
    start = time.monotonic()
    price = 1
    while time.monotonic() < start + 4.2:
        price += 1
        rig.trade(row, price * E9)
        time.sleep(0.002)
    seconds = time.monotonic() - start
    for max_rate, client in clients.items():
        last, count = 0, 0
        while last < price:
            message = client.receive()
            assert message["price"] > last
            last, count = message["price"], count + 1
        least = 0.6 * max_rate * seconds - (max_rate < 10)
        assert least <= count <= max_rate * seconds + 2


@pytest.mark.slow
def test_the_first_tick_after_quiet_goes_out_at_once_at_any_rate(
    rig: Any, connect: Connect
) -> None:
    row = rig.row("AAPL")
    rig.trade(row, E9)
    client = connect(protocol=V1)
    client.send({"action": "configure", "max_rate": 2})
    client.send({"action": "subscribe", "symbols": ["AAPL"]})
    client.until("snapshot")
    waits = []
    for price in range(2, 5):
        time.sleep(0.7)
        start = time.monotonic()
        rig.trade(row, price * E9)
        client.receive()
        waits.append(time.monotonic() - start)
    assert min(waits) < 0.05


@pytest.mark.parametrize("rig", [{"heartbeat": 0.6}], indirect=True)
@pytest.mark.slow
def test_heartbeats_come_where_nothing_else_does(connect: Connect) -> None:
    plain, client = connect(), connect(protocol=V1)
    hello(client)
    first = client.receive()
    assert first["type"] == "heartbeat"
    assert len(first["timestamp"]) == 27
    assert client.receive()["type"] == "heartbeat"
    assert plain.quiet(0.1)


def test_goodbye_tells_when_to_come_back(rig: Any, connect: Connect) -> None:
    clients = [connect(protocol=V1) for _ in range(8)]
    plain = connect()
    for client in clients:
        hello(client)
    os.kill(rig.pid, signal.SIGTERM)
    said = [client.receive() for client in clients]
    assert {(message["type"], message["reason"]) for message in said} == {("goodbye", "shutdown")}
    waits = [message["retry_after"] for message in said]
    assert len(set(waits)) > 4
    assert all(0 < wait <= 2 for wait in waits)
    assert {client.receive_close() for client in [*clients, plain]} == {1001}
    for client in [*clients, plain]:
        client.close()
    os.waitpid(rig.pid, 0)
    rig.pid = rig._fork()


@pytest.mark.parametrize("rig", [{"slow_timeout": 0.5}], indirect=True)
@pytest.mark.parametrize("protocol", ["", V1])
@pytest.mark.slow
def test_a_slow_client_finds_the_reason_once_it_reads(
    rig: Any, connect: Connect, protocol: str
) -> None:
    names = [f"S{i}" for i in range(60)]
    rows = [rig.row(name) for name in names]
    client = connect(receive_buffer=4096, protocol=protocol)
    client.send({"action": "subscribe", "symbols": names})
    rig.trade_until(rows, "slow_closed")
    error = client.until("error")
    assert (error["code"], error["reason"]) == (407, "slow_client")
    assert client.receive_close() == 4407


def test_ten_thousand_symbols_are_too_many(connect: Connect) -> None:
    client = connect(protocol=V1)
    hello(client)
    names = [f"{i:x}" for i in range(9_000)]
    client.send({"action": "subscribe", "symbols": names})
    error = client.receive()
    assert (error["code"], error["message"][:8]) == (405, "symbols:")


def test_a_flood_of_commands_is_closed(connect: Connect) -> None:
    client = connect(protocol=V1)
    for _ in range(120):
        client.send({"action": "ping"})
    assert client.receive_close() == 1008


def test_message_over_the_limit_is_1009_after_an_error(connect: Connect) -> None:
    client = connect(protocol=V1)
    hello(client)
    client.socket.sendall(client.frame(b"x" * 65_537))
    error = client.receive()
    assert (error["type"], error["code"], error["reason"]) == ("error", 413, "message_too_large")
    assert "65536" in error["message"]
    assert client.receive_close() == 1009


def test_a_plain_client_is_closed_with_1009_alone(connect: Connect) -> None:
    client = connect()
    client.socket.sendall(client.frame(b"x" * 65_537))
    opcode, payload = client.receive_frame()
    assert (opcode, int.from_bytes(payload[:2], "big")) == (8, 1009)


@pytest.mark.parametrize("rig", [{"max_outbound": 8192}], indirect=True)
def test_more_snapshots_than_a_flush_holds_all_come(rig: Any, connect: Connect) -> None:
    names = [f"S{i}" for i in range(64)]
    quote = {"bid": 1, "ask": 2, "open": 3, "high": 4, "low": 5, "previous_close": 6}
    for name in names:
        row = rig.row(name)
        rig.trade(row, 123_456_789_012_345)
        rig.quote(row, **quote)
    client = connect(protocol=V1)
    client.send({"action": "subscribe", "symbols": names, "channel": "quote"})
    assert client.until("subscribed")["rejected"] == []
    assert {client.receive()["symbol"] for _ in range(64)} == set(names)

"""GET /lineage/{symbol}?connection=: when a connection was sent the price that it shows."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

import pytest

from tests.gateway.protocol.v1 import E9, V1, Connect, hello
from tests.gateway.rest.test_gaps import get
from ticker.units import format_timestamp

KEPT = 32
OTHER_WORKER = 1 << 44


def ns_of(timestamp: str) -> int:
    return round(datetime.fromisoformat(timestamp).timestamp() * 1e6) * 1000


def sends(rig: Any, name: int, symbol: str = "AAPL") -> Any:
    status, found = get(rig, f"/lineage/{symbol}?connection={name}")
    assert (status, found["connection"]["id"]) == (200, name)
    return found["connection"]


def test_a_name_is_of_one_connection(rig: Any, connect: Connect) -> None:
    names = [hello(connect(protocol=V1))["connection"] for _ in range(3)]
    assert len(set(names)) == 3
    assert all(0 < name < 1 << 53 for name in names)
    gone = connect(protocol=V1)
    name = hello(gone)["connection"]
    rig.row("AAPL")
    assert sends(rig, name)["state"] == "open"
    gone.close()
    while sends(rig, name)["state"] != "unknown":
        time.sleep(0.01)
    again = {hello(connect(protocol=V1))["connection"] for _ in range(3)}
    assert not again & {*names, name}


@pytest.mark.parametrize("channel", ["price", "trades"])
def test_each_flush_with_news_of_the_symbol(rig: Any, connect: Connect, channel: str) -> None:
    row, other = rig.row("AAPL"), rig.row("MSFT")
    rig.trade(row, 1 * E9)
    rig.trade(other, 1 * E9)
    client = connect(protocol=V1)
    name = hello(client)["connection"]
    assert sends(rig, name)["channel"] is None
    client.send({"action": "subscribe", "symbols": ["AAPL", "MSFT"], "channel": channel})
    client.until("snapshot")
    first = sends(rig, name)
    assert (first["worker"], first["state"], first["channel"]) == (0, "open", channel)
    assert (first["sends"], first["waiting"]) == ([], False)
    since = ns_of(first["asked_since_timestamp"])
    assert ns_of(first["last_send_timestamp"]) <= since
    wanted = []
    for step in range(3):
        traded = rig.trade(row, (2 + step) * E9)
        while (seen := client.until("update"))["symbol"] != "AAPL":
            pass
        wanted.append((seen["seq"], traded, time.time_ns()))
        rig.trade(other, (2 + step) * E9)
        client.until("update")
    found = sends(rig, name)
    asked = time.time_ns()
    assert found["asked_since_timestamp"] == first["asked_since_timestamp"]
    assert [send["seq"] for send in found["sends"]] == [seq for seq, *_ in wanted[::-1]]
    for send, (_, traded, received) in zip(found["sends"], wanted[::-1], strict=True):
        flushed, sent = ns_of(send["flush_timestamp"]), ns_of(send["send_timestamp"])
        assert traded - 1000 <= flushed <= received
        assert flushed <= sent <= asked
    assert found["sends"][0]["seq"] == get(rig, "/lineage/AAPL")[1]["prices"][0]["seq"]
    assert "connection" not in get(rig, "/lineage/AAPL")[1]


def test_the_newest_flushes_are_kept(rig: Any, connect: Connect) -> None:
    row = rig.row("AAPL")
    rig.trade(row, 1 * E9)
    client = connect(protocol=V1)
    name = hello(client)["connection"]
    client.send({"action": "subscribe", "symbols": ["AAPL"]})
    client.until("snapshot")
    client.send({"action": "configure", "max_rate": 100})
    sends(rig, name)
    for step in range(KEPT + 5):
        rig.trade(row, (2 + step) * E9)
        client.until("update")
    seqs = [send["seq"] for send in sends(rig, name)["sends"]]
    assert seqs == list(range(KEPT + 6, 6, -1))


def test_of_another_worker_and_of_no_connection(rig: Any, connect: Connect) -> None:
    rig.row("AAPL")
    name = hello(connect(protocol=V1))["connection"]
    nothing = sends(rig, name + OTHER_WORKER)
    assert (nothing["state"], nothing["worker"], nothing["sends"]) == ("elsewhere", 1, [])
    for unknown in (1, name + 1, name + (1 << 20), name + (500 << 20), (1 << 53) - 1):
        assert sends(rig, unknown)["state"] in ("unknown", "elsewhere")
        assert sends(rig, unknown)["sends"] == []
    for wrong in ("0", "-1", "x", str(1 << 53)):
        status, problem = get(rig, f"/lineage/AAPL?connection={wrong}")
        assert (status, problem["code"]) == (400, "bad_parameter"), wrong


def test_more_connections_than_are_noted(rig: Any, connect: Connect) -> None:
    """The oldest wishes give way; the others go on."""
    row = rig.row("AAPL")
    rig.trade(row, 1 * E9)
    clients = [connect(protocol=V1) for _ in range(20)]
    names = [hello(client)["connection"] for client in clients]
    for client, name in zip(clients, names, strict=True):
        client.send({"action": "subscribe", "symbols": ["AAPL"]})
        client.until("snapshot")
        sends(rig, name)
    rig.trade(row, 2 * E9)
    for client in clients:
        client.until("update")
    assert [len(sends(rig, name)["sends"]) for name in names[4:]] == [1] * 16


def test_a_client_that_does_not_read(rig: Any, connect: Connect) -> None:
    """Its newest flush was made, and is not sent."""
    rows = [rig.row(f"S{number}") for number in range(60)]
    for row in rows:
        rig.trade(row, E9)
    client = connect(protocol=V1, receive_buffer=4096)
    name = hello(client)["connection"]
    client.send({"action": "subscribe", "symbols": [f"S{number}" for number in range(60)]})
    client.until("snapshot")
    sends(rig, name, "S0")
    found = sends(rig, name, "S0")
    end = time.monotonic() + 20
    price = 1
    while not (found["waiting"] and found["sends"][0]["send_timestamp"] is None):
        assert time.monotonic() < end, found  # its socket may take some more after it was full
        price = rig.trade_until(rows, "send_blocked", price) + 1
        for row in rows:
            rig.trade(row, price * E9)
        found = sends(rig, name, "S0")
    assert all(send["send_timestamp"] for send in found["sends"][1:])
    assert ns_of(found["sends"][0]["flush_timestamp"]) <= ns_of(format_timestamp(time.time_ns()))

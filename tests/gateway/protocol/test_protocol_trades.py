"""ticker.v1's channel of trades: each one, in order, or how many are missing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.gateway.protocol.v1 import E9, V1, Connect, stopped, watch_trades


def test_trades_come_one_by_one_in_order(rig: Any, connect: Connect) -> None:
    row = rig.row("AAPL")
    rig.trade(row, E9)
    client = connect(protocol=V1)
    client.send({"action": "subscribe", "symbols": ["AAPL"], "channel": "trades"})
    assert client.until("snapshot")["seq"] == 1
    for price in range(2, 302):
        rig.trade(row, price * E9)
    for price in range(2, 302):
        trade = client.receive()
        assert (trade["type"], trade["channel"], trade["price"], trade["seq"]) == (
            "update",
            "trades",
            price,
            price,
        )
        assert (trade["size"], trade["venue"]) == (100, "XNAS")


def test_the_first_trades_of_a_symbol_begin_with_a_snapshot(rig: Any, connect: Connect) -> None:
    row = rig.row("NEW")
    client = connect(protocol=V1)
    client.send({"action": "subscribe", "symbols": ["NEW"], "channel": "trades"})
    client.until("subscribed")
    for price in (5, 6, 7):
        rig.trade(row, price * E9)
    got = [client.until("snapshot"), client.until("update"), client.until("update")]
    assert [(m["type"], m["price"]) for m in got] == [("snapshot", 5), ("update", 6), ("update", 7)]


@pytest.mark.parametrize("rig", [{"trades_kept": 16}], indirect=True)
def test_trades_that_the_log_has_lost_are_said(rig: Any, connect: Connect) -> None:
    row, client = watch_trades(rig, connect)
    with stopped(rig):
        for price in range(2, 102):
            rig.trade(row, price * E9)
    lagged = client.receive()
    assert lagged == {"type": "lagged", "symbol": "AAPL", "skipped": 84}
    assert [client.receive()["price"] for _ in range(16)] == list(range(86, 102))
    assert rig.counters["lagged"] == 84


def test_trades_lost_by_a_lap_are_said(rig: Any, connect: Connect) -> None:
    row, client = watch_trades(rig, connect)
    with stopped(rig):
        for price in range(2, 3002):
            rig.trade(row, price * E9)
    told = 1
    while told < 3001:
        message = client.receive()
        told += message["skipped"] if message["type"] == "lagged" else 1
        assert message["type"] == "lagged" or message["price"] == told
    assert rig.counters["laps"] == 1


def test_a_trade_taken_back_loses_no_other(rig: Any, connect: Connect) -> None:
    row = rig.row("AAPL")
    first = rig.trade(row, E9)
    client = connect(protocol=V1)
    client.send({"action": "subscribe", "symbols": ["AAPL"], "channel": "trades"})
    client.until("snapshot")
    with stopped(rig):
        rig.trade(row, 2 * E9)
        rig.record(row, 5, 0, first, 2)
        rig.trade(row, 3 * E9)
    assert [client.receive()["price"] for _ in range(2)] == [2, 3]


def test_the_plain_dialect_has_no_trades(rig: Any, connect: Connect) -> None:
    rig.trade(rig.row("AAPL"), E9)
    client = connect()
    client.send({"action": "subscribe", "symbols": ["AAPL"], "channel": "trades"})
    error = client.receive()
    assert error["code"] == 400
    assert error["message"].startswith("channel:")
    client.send({"action": "subscribe", "symbols": ["AAPL"], "channel": "quote"})
    assert "seq" not in client.receive()

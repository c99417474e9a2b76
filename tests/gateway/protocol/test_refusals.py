"""Wrong commands over real sockets: the error names the field, nothing changes, five are enough."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

E9 = 1_000_000_000
Connect = Callable[..., Any]

SUBSCRIBE = b'{"action":"subscribe","symbols":["AAPL"]'
ROWS = {
    "BOM": (b"\xef\xbb\xbf" + SUBSCRIBE + b"}", 400, "JSON"),
    "NaN": (b'{"action":"configure","max_rate":NaN}', 400, "max_rate"),
    "1e400": (b'{"action":"configure","max_rate":1e400}', 400, "max_rate"),
    "depth": (SUBSCRIBE + b',"id":' + b"[" * 10_000 + b"]" * 10_000 + b"}", 400, "deep"),
    "twice": (SUBSCRIBE + b',"symbols":["MSFT"]}', 400, "symbols"),
    "bool for int": (SUBSCRIBE + b',"id":true}', 400, "id"),
    "surrogate": (b'{"action":"subscribe","symbols":["AAPL","\\ud800"]}', 400, "symbols[1]"),
    "NUL": (b'{"action":"subscribe","symbols":["AAPL","A\\u0000"]}', 400, "symbols[1]"),
    "300 bytes": (b'{"action":"subscribe","symbol":"' + b"A" * 300 + b'"}', 400, "symbol"),
    "look-alike": ('{"action":"subscribe","symbol":"ΑAPL"}'.encode(), 400, "symbol"),
    "unknown action": (b'{"action":"subscribed","symbols":["AAPL"]}', 410, "action"),
    "unknown field": (SUBSCRIBE + b',"colour":"red"}', 400, "colour"),
    "__proto__": (SUBSCRIBE + b',"__proto__":{"admin":true}}', 400, "__proto__"),
    "trailing bytes": (SUBSCRIBE + b"}}", 400, "JSON"),
    "not an object": (b'["subscribe"]', 400, "object"),
    "10,000 symbols": (
        b'{"action":"subscribe","symbols":['
        + b",".join(b'"%X"' % number for number in range(9_000))
        + b"]}",
        405,
        "symbols",
    ),
}


@pytest.mark.parametrize("protocol", ["", "ticker.v1.json", "ticker.v1.msgpack"])
@pytest.mark.parametrize("name", ROWS)
def test_a_wrong_command_is_named_changes_nothing_and_five_close(
    rig: Any, connect: Connect, name: str, protocol: str
) -> None:
    payload, code, word = ROWS[name]
    rig.trade(rig.row("AAPL"), E9)
    client = connect(protocol=protocol)
    if protocol:
        client.until("hello")
    for _ in range(5):
        client.socket.sendall(client.frame(payload))
        error = client.receive()
        assert (error["type"], error["code"]) == ("error", code)
        assert word in error["message"]
    assert client.receive_close() == 1008
    assert rig.counters["subscriptions"] == 0


def test_a_symbol_that_nobody_has_is_named(rig: Any, connect: Connect) -> None:
    rig.trade(rig.row("AAPL"), E9)
    client = connect()
    client.send({"action": "subscribe", "symbols": ["AAP1"]})
    error = client.receive()
    assert (error["code"], error["symbol"]) == (460, "AAP1")


def test_text_that_is_not_utf8_closes_with_1007(connect: Connect) -> None:
    client = connect()
    client.socket.sendall(client.frame(b'{"action":"\xff"}'))
    assert client.receive_close() == 1007


def test_binary_for_text_is_refused_five_times(connect: Connect) -> None:
    client = connect()
    for _ in range(5):
        client.socket.sendall(client.frame(SUBSCRIBE + b"}", opcode=2))
        error = client.receive()
        assert error["code"] == 400
        assert "binary" in error["message"]
    assert client.receive_close() == 1008


def test_subscribing_and_unsubscribing_without_end_is_closed(rig: Any, connect: Connect) -> None:
    rig.trade(rig.row("AAPL"), E9)
    client = connect()
    for _ in range(80):
        client.send({"action": "subscribe", "symbols": ["AAPL"]})
        client.send({"action": "unsubscribe", "symbols": ["AAPL"]})
    assert client.receive_close() == 1008

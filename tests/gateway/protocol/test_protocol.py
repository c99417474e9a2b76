"""ticker.v1 over real sockets: hello, answers, encodings, channels, batches, states."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import pytest

from tests.gateway.protocol.v1 import E9, V1, Connect, hello
from ticker.gateway.protocol import protobuf
from ticker.gateway.protocol.messages import Ping, Subscribe
from ticker.units import format_timestamp


@pytest.mark.parametrize("rig", [{"pace": "fixed"}], indirect=True)
def test_hello_comes_first_and_says_the_terms(rig: Any, connect: Connect) -> None:
    client = connect(protocol=V1)
    assert b"Sec-WebSocket-Protocol: ticker.v1.json\r\n" in client.head
    said = hello(client)
    assert said["protocol"] == "ticker.v1"
    assert said["epoch"] == rig.boot_id
    assert said["heartbeat"] == 5
    assert said["auth"] is False
    assert said["limits"]["symbols"] == 1024
    assert said["limits"]["max_rate"] == 10


@pytest.mark.parametrize(
    ("offered", "selected"),
    [
        ("chat, ticker.v1.msgpack, ticker.v1.json", "ticker.v1.msgpack"),
        ("ticker.token.abc, ticker.v1.json", "ticker.v1.json"),
        ("chat", ""),
    ],
)
def test_the_first_subprotocol_that_is_spoken_is_selected(
    connect: Connect, offered: str, selected: str
) -> None:
    head = connect(protocol=offered).head.decode()
    assert ("Sec-WebSocket-Protocol" in head) == bool(selected)
    assert selected in head


def test_subscribed_names_what_was_taken_before_the_snapshots(rig: Any, connect: Connect) -> None:
    rig.trade(rig.row("AAPL"), 185_420_000_000)
    client = connect(protocol=V1)
    hello(client)
    client.send({"action": "subscribe", "symbols": ["AAPL", "XX"], "id": 7})
    assert client.receive() == {
        "type": "subscribed",
        "id": 7,
        "symbols": ["AAPL"],
        "rejected": [{"symbol": "XX", "code": 460}],
    }
    snapshot = client.receive()
    assert (snapshot["type"], snapshot["seq"]) == ("snapshot", 1)
    rig.trade(0, 185_430_000_000)
    update = client.receive()
    assert (update["type"], update["price"], update["seq"]) == ("update", 185.43, 2)


def test_unsubscribed_names_what_was_there(rig: Any, connect: Connect) -> None:
    rig.trade(rig.row("AAPL"), E9)
    rig.row("MSFT")
    client = connect(protocol=V1)
    client.send({"action": "subscribe", "symbols": ["AAPL"]})
    client.until("snapshot")
    client.send({"action": "unsubscribe", "symbols": ["AAPL", "MSFT"], "id": "u"})
    assert client.receive() == {
        "type": "unsubscribed",
        "id": "u",
        "symbols": ["AAPL"],
        "rejected": [{"symbol": "MSFT", "code": 460}],
    }


def test_ping_is_answered(connect: Connect) -> None:
    client = connect(protocol=V1)
    client.send({"action": "ping", "id": "p"})
    assert client.until("pong") == {"type": "pong", "id": "p"}


def test_errors_have_the_id_and_change_nothing(rig: Any, connect: Connect) -> None:
    rig.trade(rig.row("AAPL"), E9)
    client = connect(protocol=V1)
    hello(client)
    client.send({"action": "subscribe", "symbols": ["AAPL"], "colour": 1, "id": 9})
    error = client.receive()
    assert (error["code"], error["reason"], error["id"]) == (400, "invalid_syntax", 9)
    assert "colour" in error["message"]
    rig.trade(0, 2 * E9)
    assert client.quiet(0.15)


def test_recovered_is_total_and_says_what_was_taken(rig: Any, connect: Connect) -> None:
    now = rig.trade(rig.row("SAME"), E9)
    rig.trade(rig.row("OLD"), 2 * E9)
    client = connect(protocol=V1)
    hello(client)
    seen = {"SAME": format_timestamp(now), "OLD": "2020-01-01T00:00:00Z", "XX": None}
    client.send({"action": "reconnect", "last_seen": seen, "id": 1})
    answer = client.receive()
    assert (answer["type"], answer["symbols"]) == ("recovered", ["SAME", "OLD"])
    assert answer["rejected"] == [{"symbol": "XX", "code": 460}]
    assert client.receive()["symbol"] == "OLD"
    assert client.quiet(0.1)


def test_messagepack_speaks_and_understands(rig: Any, connect: Connect) -> None:
    moment = rig.trade(rig.row("AAPL"), 185_420_000_000)
    client = connect(protocol="ticker.v1.msgpack")
    hello(client)
    command = msgspec.msgpack.encode(Subscribe(symbols=["AAPL"], id="m"))
    client.socket.sendall(client.frame(command, opcode=2))
    assert client.receive()["id"] == "m"
    assert client.receive() == {
        "type": "snapshot",
        "symbol": "AAPL",
        "price": "185.42",
        "timestamp": moment // 1000,
        "seq": 1,
    }
    client.send({"action": "ping"})  # JSON as text is understood too
    assert client.receive() == {"type": "pong"}


def test_protobuf_speaks_and_understands(rig: Any, connect: Connect) -> None:
    moment = rig.trade(rig.row("AAPL"), 185_420_000_000)
    client = connect(protocol="ticker.v1.protobuf")
    assert client.receive()[0] >> 3 == 3
    for command in (Subscribe(symbols=["AAPL"]), Ping(id="x")):
        client.socket.sendall(client.frame(protobuf.encode_command(command), opcode=2))
    assert client.receive()[0] >> 3 == 4
    snapshot = client.receive()
    fields = read(read(snapshot)[1])
    assert fields == {1: b"AAPL", 2: 185_420_000_000, 3: moment, 4: 1}
    assert dict(protobuf._wire(client.receive())) == {11: b"\x0a\x01x"}


def test_binary_in_the_json_dialect_is_refused(connect: Connect) -> None:
    client = connect(protocol=V1)
    hello(client)
    client.socket.sendall(client.frame(b'{"action":"ping"}', opcode=2))
    assert client.receive()["code"] == 400


def test_quote_tells_quotes_and_price_does_not(rig: Any, connect: Connect) -> None:
    row = rig.row("AAPL")
    rig.trade(row, 100 * E9)
    price, quote = connect(protocol=V1), connect(protocol=V1)
    price.send({"action": "subscribe", "symbols": ["AAPL"]})
    quote.send({"action": "subscribe", "symbols": ["AAPL"], "channel": "quote"})
    price.until("snapshot")
    first = quote.until("snapshot")
    assert (first["channel"], first["size"], first["venue"]) == ("quote", 100, "XNAS")
    assert "bid" not in first
    rig.quote(row, bid=99 * E9, bid_size=300, ask=101 * E9, ask_size=200)
    update = quote.until("update")
    assert [update[name] for name in ("bid", "bid_size", "ask", "ask_size")] == [99, 300, 101, 200]
    assert (update["price"], update["seq"]) == (100, 1)
    rig.trade(row, 102 * E9)
    assert quote.until("update")["price"] == 102
    assert price.until("update")["price"] == 102
    assert price.quiet(0.15)


def test_a_symbol_can_be_watched_on_several_channels(rig: Any, connect: Connect) -> None:
    row = rig.row("AAPL")
    rig.trade(row, E9)
    client = connect(protocol=V1)
    hello(client)
    for channel in ("price", "quote", "trades"):
        client.send({"action": "subscribe", "symbols": ["AAPL"], "channel": channel})
        assert client.receive()["type"] == "subscribed"
        assert client.receive().get("channel", "price") == channel
    rig.trade(row, 2 * E9)
    channels = {client.receive().get("channel", "price") for _ in range(3)}
    assert channels == {"price", "quote", "trades"}
    client.send({"action": "unsubscribe", "symbols": ["AAPL"], "channel": "quote"})
    assert client.until("unsubscribed")["channel"] == "quote"
    assert rig.counters["subscriptions"] == 2


@pytest.mark.parametrize("protocol", ["", V1, "ticker.v1.msgpack"])
def test_a_batch_is_one_array(rig: Any, connect: Connect, protocol: str) -> None:
    names = [f"S{i}" for i in range(40)]
    rows = [rig.row(name) for name in names]
    client = connect(protocol=protocol)
    client.send({"action": "configure", "batch": True})
    for row in rows:
        rig.trade(row, E9)
    client.send({"action": "subscribe", "symbols": names})
    message = client.receive()
    while not isinstance(message, list):
        message = client.receive()
    assert [item["symbol"] for item in message] == names
    for row in rows:
        rig.trade(row, 2 * E9)
    got: set[str] = set()
    while len(got) < 40:
        batch = client.receive()
        assert isinstance(batch, list)
        got |= {item["symbol"] for item in batch if float(item["price"]) == 2}


def read(message: Any) -> dict[int, Any]:
    """A Protobuf message's fields by their numbers."""
    return dict(protobuf._wire(message))


def test_a_batch_in_protobuf(rig: Any, connect: Connect) -> None:
    names = [f"S{i}" for i in range(40)]
    for name in names:
        rig.trade(rig.row(name), E9)
    client = connect(protocol="ticker.v1.protobuf")
    client.send({"action": "configure", "batch": True})
    client.send({"action": "subscribe", "symbols": names})
    messages = [read(client.receive()) for _ in range(4)]
    assert [next(iter(message)) for message in messages] == [3, 7, 4, 15]
    items = [read(item) for _, item in protobuf._wire(messages[3][15])]
    symbols = [read(item[1])[1].decode() for item in items]
    assert symbols == names


SET = {"max_rate": 5.0, "pace": "steady"}


@pytest.mark.parametrize("rig", [{"pace": "fixed"}], indirect=True)
def test_configure_says_what_holds(connect: Connect) -> None:
    client = connect(protocol=V1)
    hello(client)
    client.send({"action": "configure", "max_rate": 5, "id": 1})
    assert client.receive() == {"type": "configured", "id": 1, **SET, "batch": False}
    client.send({"action": "configure", "batch": True})
    assert client.receive() == {"type": "configured", **SET, "batch": True}
    client.send({"action": "configure", "max_rate": 3})
    assert client.receive()["max_rate"] == 2.5  # a whole number of flush intervals
    client.send({"action": "configure", "max_rate": 1000})
    assert client.receive()["max_rate"] == 10
    client.send({"action": "configure"})
    assert client.receive()["code"] == 400


HALTED, TRADING = 2, 1


def test_a_changed_state_is_told_to_those_who_watch(rig: Any, connect: Connect) -> None:
    rows = [rig.row(name) for name in ("AAPL", "MSFT")]
    for row in rows:
        rig.trade(row, E9)
        rig.table.put(row, status=TRADING)
    clients = [connect(protocol=V1), connect(protocol="ticker.v1.msgpack"), connect(protocol=V1)]
    plain = connect()
    for client, name in zip([*clients, plain], ("AAPL", "AAPL", "MSFT", "AAPL"), strict=True):
        client.send({"action": "subscribe", "symbols": [name]})
        while client.receive()["type"] != "snapshot":
            pass
    rig.table.put(rows[0], status=HALTED)
    halted = {"type": "status", "symbol": "AAPL", "state": "halted"}
    assert [client.receive() for client in clients[:2]] == [halted, halted]
    late = connect(protocol=V1)
    late.send({"action": "subscribe", "symbols": ["AAPL"]})
    assert late.until("status") == halted
    rig.table.put(rows[0], status=TRADING)
    assert clients[0].receive()["state"] == "live"
    assert clients[2].quiet(0.1)
    assert plain.quiet(0.1)


def test_a_stale_feed_is_told_to_all_and_to_who_comes(rig: Any, connect: Connect) -> None:
    client = connect(protocol=V1)
    hello(client)
    rig.heartbeat.set_state(3)
    stale = {"type": "status", "feed": "f", "state": "stale"}
    assert client.until("status") == stale
    late = connect(protocol=V1)
    hello(late)
    assert late.receive() == stale
    rig.heartbeat.beat(time.time_ns())
    rig.heartbeat.set_state(2)
    assert client.until("status") == stale | {"state": "live"}


def test_a_state_of_a_feed_is_told_at_once(rig: Any, connect: Connect) -> None:
    """Not with the housekeeping, twice a second: in the middle of several times, in 0.2 s."""
    client = connect(protocol=V1)
    hello(client)
    took = []
    for number in range(5):
        changed = time.monotonic()
        rig.heartbeat.beat(time.time_ns())
        rig.heartbeat.set_state(2 if number % 2 else 3)
        assert client.until("status")["state"] == ("live" if number % 2 else "stale")
        took.append(time.monotonic() - changed)
    assert sorted(took)[2] < 0.2, took

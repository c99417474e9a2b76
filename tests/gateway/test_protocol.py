"""ticker.v1 over real sockets: hello, answers, channels, rates, batches, last words."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from ticker.gateway import protobuf
from ticker.gateway.messages import Ping, Subscribe
from ticker.units import format_timestamp

E9 = 1_000_000_000
V1 = "ticker.v1.json"
Connect = Callable[..., Any]


def hello(client: Any) -> Any:
    message = client.receive()
    assert message["type"] == "hello"
    return message


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
    fields = dict(protobuf._wire(dict(protobuf._wire(snapshot))[1]))
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
    row = rig.row("AAPL")
    rig.trade(row, E9)
    client = connect(protocol=V1)
    client.send({"action": "subscribe", "symbols": ["AAPL"], "channel": "trades"})
    client.until("snapshot")
    os.kill(rig.pid, signal.SIGSTOP)
    for price in range(2, 102):
        rig.trade(row, price * E9)
    os.kill(rig.pid, signal.SIGCONT)
    lagged = client.receive()
    assert lagged == {"type": "lagged", "symbol": "AAPL", "skipped": 84}
    assert [client.receive()["price"] for _ in range(16)] == list(range(86, 102))
    assert rig.counters["lagged"] == 84


def test_trades_lost_by_a_lap_are_said(rig: Any, connect: Connect) -> None:
    row = rig.row("AAPL")
    rig.trade(row, E9)
    client = connect(protocol=V1)
    client.send({"action": "subscribe", "symbols": ["AAPL"], "channel": "trades"})
    client.until("snapshot")
    os.kill(rig.pid, signal.SIGSTOP)
    for price in range(2, 3002):
        rig.trade(row, price * E9)
    os.kill(rig.pid, signal.SIGCONT)
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
    os.kill(rig.pid, signal.SIGSTOP)
    rig.trade(row, 2 * E9)
    rig.record(row, 5, 0, first, 2)
    rig.trade(row, 3 * E9)
    os.kill(rig.pid, signal.SIGCONT)
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


def test_a_batch_in_protobuf(rig: Any, connect: Connect) -> None:
    names = [f"S{i}" for i in range(40)]
    for name in names:
        rig.trade(rig.row(name), E9)
    client = connect(protocol="ticker.v1.protobuf")
    client.send({"action": "configure", "batch": True})
    client.send({"action": "subscribe", "symbols": names})
    messages = [dict(protobuf._wire(client.receive())) for _ in range(4)]
    assert [next(iter(message)) for message in messages] == [3, 7, 4, 15]
    items = [dict(protobuf._wire(item)) for _, item in protobuf._wire(messages[3][15])]
    symbols = [dict(protobuf._wire(item[1]))[1].decode() for item in items]
    assert symbols == names


def test_configure_says_what_holds(connect: Connect) -> None:
    client = connect(protocol=V1)
    hello(client)
    client.send({"action": "configure", "max_rate": 5, "id": 1})
    assert client.receive() == {"type": "configured", "id": 1, "max_rate": 5.0, "batch": False}
    client.send({"action": "configure", "batch": True})
    assert client.receive() == {"type": "configured", "max_rate": 5.0, "batch": True}
    client.send({"action": "configure", "max_rate": 3})
    assert client.receive()["max_rate"] == 2.5  # a whole number of flush intervals
    client.send({"action": "configure", "max_rate": 1000})
    assert client.receive()["max_rate"] == 10
    client.send({"action": "configure"})
    assert client.receive()["code"] == 400


@pytest.mark.slow
@pytest.mark.parametrize("max_rate", [5.0, 2.0, 0.5])
def test_a_slower_client_gets_the_newest_at_its_own_turns(
    rig: Any, connect: Connect, max_rate: float
) -> None:
    row = rig.row("AAPL")
    rig.trade(row, E9)
    fast, slow = connect(protocol=V1), connect(protocol=V1)
    slow.send({"action": "configure", "max_rate": max_rate})
    for client in (fast, slow):
        client.send({"action": "subscribe", "symbols": ["AAPL"]})
        client.until("snapshot")
    start = time.monotonic()
    price = 1
    while time.monotonic() < start + 4.2:
        price += 1
        rig.trade(row, price * E9)
        time.sleep(0.002)
    seconds = time.monotonic() - start
    counts = []
    for client in (fast, slow):
        last, count = 0, 0
        while last < price:
            message = client.receive()
            assert message["price"] > last
            last, count = message["price"], count + 1
        counts.append(count)
    assert 0.6 * 10 * seconds < counts[0] <= 10 * seconds + 2
    assert 0.6 * max_rate * seconds - 1 <= counts[1] <= max_rate * seconds + 2


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
    price = 0
    end = time.monotonic() + 20
    while not rig.counters["slow_closed"]:
        assert time.monotonic() < end
        price += 1
        for row in rows:
            rig.trade(row, price * E9)
        time.sleep(0.005)
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


def test_message_over_the_limit_is_1009(connect: Connect) -> None:
    client = connect(protocol=V1)
    client.socket.sendall(client.frame(b"x" * 65_537))
    assert client.receive_close() == 1009


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

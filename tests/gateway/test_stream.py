"""/stream over real sockets: snapshots, updates, conflation, reconnects, refusals."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

from ticker.units import format_timestamp

E9 = 1_000_000_000
Connect = Callable[..., Any]


def test_handshake_answers_the_key_of_the_rfc(connect: Connect) -> None:
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in connect().head


def test_snapshot_comes_at_once_then_updates(rig: Any, connect: Connect) -> None:
    row = rig.row("AAPL")
    first = rig.trade(row, 185_420_000_000)
    client = connect()
    client.send({"action": "subscribe", "symbols": ["AAPL"]})
    assert client.receive() == {
        "type": "snapshot",
        "symbol": "AAPL",
        "price": 185.42,
        "timestamp": format_timestamp(first),
    }
    second = rig.trade(row, 185_430_000_000)
    assert client.receive() == {
        "type": "update",
        "symbol": "AAPL",
        "price": 185.43,
        "timestamp": format_timestamp(second),
    }


def test_symbol_is_accepted_for_symbols(rig: Any, connect: Connect) -> None:
    rig.trade(rig.row("AAPL"), E9)
    client = connect()
    client.send({"action": "subscribe", "symbol": "AAPL"})
    assert client.receive()["price"] == 1


@pytest.mark.parametrize("channel", ["price", "quote"])
def test_first_trade_of_an_untraded_symbol_comes_as_snapshot(
    rig: Any, connect: Connect, channel: str
) -> None:
    row = rig.row("NEW")
    client = connect()
    client.send({"action": "subscribe", "symbols": ["NEW", "NONE"], "channel": channel})
    assert client.receive()["code"] == 460
    rig.trade(row, 2 * E9)
    assert client.receive()["type"] == "snapshot"
    rig.trade(row, 3 * E9)
    assert client.receive()["type"] == "update"


def test_a_row_that_appears_later_can_be_subscribed(rig: Any, connect: Connect) -> None:
    client = connect()
    client.send({"action": "subscribe", "symbols": ["LATE"]})
    assert client.receive()["symbol"] == "LATE"
    rig.trade(rig.row("LATE"), 7 * E9)
    client.send({"action": "subscribe", "symbols": ["LATE"]})
    assert client.receive()["price"] == 7


def test_known_symbols_are_taken_and_each_unknown_is_named(rig: Any, connect: Connect) -> None:
    rig.trade(rig.row("AAPL"), E9)
    client = connect()
    client.send({"action": "subscribe", "symbols": ["XX", "AAPL", "YY"], "id": 7})
    messages = [client.receive() for _ in range(3)]
    assert messages[0]["type"] == "snapshot"
    assert [(m["code"], m["reason"], m["symbol"], m["id"]) for m in messages[1:]] == [
        (460, "unknown_symbol", "XX", 7),
        (460, "unknown_symbol", "YY", 7),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("rig", [{"pace": "fixed"}], indirect=True)
def test_conflation_sends_the_newest_once_per_interval(rig: Any, connect: Connect) -> None:
    row = rig.row("AAPL")
    rig.trade(row, E9)
    client = connect()
    client.send({"action": "subscribe", "symbols": ["AAPL"]})
    client.receive()
    start = time.monotonic()
    for price in range(2, 502):
        rig.trade(row, price * E9)
        time.sleep(0.001)
    last = 0.0
    received = 0
    while last < 501:
        price = client.receive()["price"]
        assert price > last
        last = price
        received += 1
    # one leading edge, then one an interval of 100 ms
    assert received <= (time.monotonic() - start) / 0.1 + 2


@pytest.mark.slow
def test_tick_after_quiet_does_not_wait_for_the_interval(rig: Any, connect: Connect) -> None:
    row = rig.row("AAPL")
    rig.trade(row, E9)
    client = connect()
    client.send({"action": "subscribe", "symbols": ["AAPL"]})
    client.receive()
    waits = []
    for price in range(5):
        time.sleep(0.3)  # quiet for longer than the interval
        start = time.monotonic()
        rig.trade(row, (price + 2) * E9)
        client.receive()
        waits.append(time.monotonic() - start)
    assert min(waits) < 0.05


@pytest.mark.slow
def test_unsubscribe_stops_updates(rig: Any, connect: Connect) -> None:
    one, two = rig.row("ONE"), rig.row("TWO")
    rig.trade(one, E9)
    rig.trade(two, E9)
    client = connect()
    client.send({"action": "subscribe", "symbols": ["ONE", "TWO"]})
    assert {client.receive()["symbol"] for _ in range(2)} == {"ONE", "TWO"}
    client.send({"action": "unsubscribe", "symbols": ["ONE"]})
    client.send({"action": "subscribe", "symbols": ["NONE"]})
    assert client.receive()["code"] == 460  # both commands have been carried out
    rig.trade(one, 2 * E9)
    rig.trade(two, 2 * E9)
    assert client.receive()["symbol"] == "TWO"
    assert client.quiet(0.3)
    assert rig.counters["subscriptions"] == 1


def test_reconnect_sends_a_snapshot_only_where_the_price_is_newer(
    rig: Any, connect: Connect
) -> None:
    rows = [rig.row(name) for name in ("SAME", "OLD", "FUTURE", "MAD", "NULL")]
    now = time.time_ns()
    for place, row in enumerate(rows):
        rig.trade(row, E9, time_ns=now + place * 10_000)
    client = connect()
    client.send(
        {
            "action": "reconnect",
            "last_seen": {
                "SAME": format_timestamp(now),
                "OLD": "2020-01-01T00:00:00.000Z",
                "FUTURE": "2999-01-01T00:00:00Z",
                "MAD": "yesterday",
                "NULL": None,
            },
        }
    )
    got = [client.receive() for _ in range(4)]
    assert {message["symbol"] for message in got} == {"OLD", "FUTURE", "MAD", "NULL"}
    assert {message["type"] for message in got} == {"snapshot"}
    rig.trade(rows[0], 2 * E9)
    assert client.receive() | {"timestamp": ""} == {
        "type": "update",
        "symbol": "SAME",
        "price": 2,
        "timestamp": "",
    }


def test_two_prices_of_one_microsecond_are_never_taken_for_the_same(
    rig: Any, connect: Connect
) -> None:
    row = rig.row("AAPL")
    moment = time.time_ns() // 1000 * 1000
    client = connect()
    client.send({"action": "subscribe", "symbols": ["AAPL"]})
    rig.trade(row, E9, time_ns=moment)
    seen = client.receive()["timestamp"]
    rig.trade(row, 2 * E9, time_ns=moment + 1)
    assert client.receive()["price"] == 2
    again = connect()
    again.send({"action": "reconnect", "last_seen": {"AAPL": seen}})
    assert again.receive()["price"] == 2


def test_taken_back_trade_gives_the_price_before_it_and_no_older_time(
    rig: Any, connect: Connect
) -> None:
    row = rig.row("AAPL")
    first = rig.trade(row, E9)
    second = rig.trade(row, 9 * E9)
    client = connect()
    client.send({"action": "subscribe", "symbols": ["AAPL"]})
    assert client.receive()["price"] == 9
    rig.table.put(row, price=E9, exchange_time=first)
    rig.record(row, 5, 0, first, rig.seq[row])
    assert client.receive() == {
        "type": "update",
        "symbol": "AAPL",
        "price": 1,
        "timestamp": format_timestamp(second),
    }


@pytest.mark.slow
def test_lapped_ring_costs_only_intermediate_ticks(rig: Any, connect: Connect) -> None:
    rows = [rig.row(f"S{i}") for i in range(8)]
    for row in rows:
        rig.trade(row, E9)
    client = connect()
    client.send({"action": "subscribe", "symbols": [f"S{i}" for i in range(8)]})
    for _ in rows:
        client.receive()
    os.kill(rig.pid, signal.SIGSTOP)
    for price in range(2, 1002):
        for row in rows:
            rig.trade(row, price * E9)
    os.kill(rig.pid, signal.SIGCONT)
    latest: dict[object, object] = {}
    while len(latest) < 8 or set(latest.values()) != {1001}:
        message = client.receive()
        latest[message["symbol"]] = message["price"]
    assert rig.counters["laps"] > 0
    assert rig.counters["records_skipped"] > 0


def test_symbol_limit_refuses_the_whole_command(rig: Any, connect: Connect) -> None:
    rig.trade(rig.row("AAPL"), E9)
    client = connect()
    symbols = [f"S{i}" for i in range(60)]
    for name in symbols:
        rig.row(name)
    client.send({"action": "subscribe", "symbols": [*symbols, "AAPL"]})
    assert client.receive()["type"] == "snapshot"


@pytest.mark.parametrize("rig", [{"max_symbols": 2}], indirect=True)
def test_over_the_symbol_limit_nothing_is_changed(rig: Any, connect: Connect) -> None:
    for name in ("A", "B", "C"):
        rig.trade(rig.row(name), E9)
    client = connect()
    client.send({"action": "subscribe", "symbols": ["A", "B", "C"]})
    assert client.receive()["code"] == 405
    client.send({"action": "subscribe", "symbols": ["A", "B"]})
    assert {client.receive()["symbol"] for _ in range(2)} == {"A", "B"}
    client.send({"action": "subscribe", "symbols": ["A"]})  # held already: no new place needed
    assert client.receive()["symbol"] == "A"


@pytest.mark.parametrize("rig", [{"commands_per_second": 1, "commands_burst": 3}], indirect=True)
def test_commands_are_limited(connect: Connect) -> None:
    client = connect()
    for _ in range(4):
        client.send({"action": "subscribe", "symbols": ["NONE"]})
    assert [client.receive()["code"] for _ in range(4)] == [460, 460, 460, 429]


def test_five_refused_messages_close_with_1008(connect: Connect) -> None:
    client = connect()
    for _ in range(5):
        client.send({"action": "fly"})
    assert client.receive_close() == 1008


@pytest.mark.parametrize("rig", [{"slow_timeout": 0.5}], indirect=True)
@pytest.mark.slow
def test_client_that_stops_reading_is_closed_and_nobody_else_notices(
    rig: Any, connect: Connect, wait_for: Callable[..., None]
) -> None:
    rows = [rig.row(f"S{i}") for i in range(60)]
    names = [f"S{i}" for i in range(60)]
    slow, good = connect(receive_buffer=4096), connect()
    for client in (slow, good):
        client.send({"action": "subscribe", "symbols": names})
    price = 1
    end = time.monotonic() + 20
    while not rig.counters["slow_closed"]:
        assert time.monotonic() < end
        price += 1
        for row in rows:
            rig.trade(row, price * E9)
        latest: dict[object, object] = {}
        while len(latest) < 60 or set(latest.values()) != {price}:
            message = good.receive()
            latest[message["symbol"]] = message["price"]
    wait_for(lambda: rig.counters["connections_open"] == 1)


@pytest.mark.slow
def test_blocked_client_gets_the_newest_price_once_it_reads_again(
    rig: Any, connect: Connect
) -> None:
    names = [f"S{i}" for i in range(60)]
    rows = [rig.row(name) for name in names]
    client = connect(receive_buffer=4096)
    client.send({"action": "subscribe", "symbols": names})
    price = rig.trade_until(rows, "send_blocked")
    latest: dict[object, object] = {}
    while len(latest) < 60 or set(latest.values()) != {price}:
        message = client.receive()
        assert message["price"] >= latest.get(message["symbol"], 0)
        latest[message["symbol"]] = message["price"]


def test_drain_says_1001(rig: Any, connect: Connect) -> None:
    client = connect()
    os.kill(rig.pid, signal.SIGTERM)
    assert client.receive_close() == 1001
    client.close()
    os.waitpid(rig.pid, 0)
    rig.pid = rig._fork()


def test_killed_worker_is_replaced_on_the_same_port(rig: Any, connect: Connect) -> None:
    row = rig.row("AAPL")
    moment = rig.trade(row, E9)
    client = connect()
    client.send({"action": "subscribe", "symbols": ["AAPL"]})
    client.receive()
    rig.restart()
    with pytest.raises((EOFError, ConnectionError)):
        client.receive()
    again = connect()
    again.send({"action": "reconnect", "last_seen": {"AAPL": format_timestamp(moment)}})
    rig.trade(row, 2 * E9)
    assert again.receive()["price"] == 2


def test_one_connection_can_carry_http_and_then_the_stream(rig: Any, connect: Connect) -> None:
    rig.trade(rig.row("AAPL"), E9)
    client = connect(handshake=False)
    client.socket.sendall(b"GET /prices/AAPL HTTP/1.1\r\nHost: localhost\r\n\r\n")
    head = client.read_until(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    length = int(head.lower().partition(b"content-length:")[2].split()[0])
    assert b'"price":1' in client.read(length)
    client.socket.sendall(client.request())
    assert client.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 101")
    client.send({"action": "subscribe", "symbols": ["AAPL"]})
    assert client.receive()["type"] == "snapshot"


def test_ping_is_answered_with_its_payload(connect: Connect) -> None:
    client = connect()
    client.socket.sendall(client.frame(b"are you there", opcode=9))
    assert client.receive_frame() == (10, b"are you there")


@pytest.mark.parametrize("rig", [{"ping_interval": 0.3}], indirect=True)
@pytest.mark.slow
def test_client_that_never_pongs_is_closed(connect: Connect) -> None:
    assert connect().receive_close() == 1008


def test_close_is_echoed(connect: Connect) -> None:
    client = connect()
    client.socket.sendall(client.frame((4001).to_bytes(2, "big"), opcode=8))
    assert client.receive_close() == 4001
    assert client.socket.recv(10) == b""

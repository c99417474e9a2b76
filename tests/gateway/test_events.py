"""Server-sent events on `/stream`, asked of a real gateway."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.gateway.event_reader import Read
from tests.gateway.protocol.v1 import E9, V1, stopped
from ticker.gateway.access.handshake import Head
from ticker.gateway.access.problems import Refusal
from ticker.gateway.events import Wanted, read_request
from ticker.units import format_timestamp


@pytest.mark.parametrize("channel", ["price", "quote", "trades"])
def test_events_are_the_messages_of_a_websocket(
    rig: Any, read: Read, connect: Any, channel: str
) -> None:
    row = rig.row("AAPL")
    first = rig.trade(row, 185 * E9)
    client = connect(protocol=V1)
    client.send({"action": "subscribe", "symbols": ["AAPL"], "channel": channel})
    reader = read(f"/stream?symbols=AAPL&channel={channel}")
    assert reader.status == 200
    assert "content-type: text/event-stream\r\n" in reader.head.lower() + "\r\n"
    said, other = reader.event(), client.receive()
    assert said.pop("connection") != other.pop("connection")
    assert said == other, "hello"
    assert reader.event() == client.receive(), "subscribed"
    assert reader.event() == client.receive(), "snapshot"
    assert reader.last_id == format_timestamp(first)
    second = rig.trade(row, 186_500_000_000)
    assert reader.event() == client.receive()
    assert reader.last_id == format_timestamp(second)
    assert reader.retry == 2000


def test_an_unknown_symbol_is_rejected_and_the_others_are_taken(rig: Any, read: Read) -> None:
    rig.trade(rig.row("BRK A"), E9)
    reader = read("/stream?symbols=BRK%20A,NOPE")
    answer = reader.until("subscribed")
    assert answer["symbols"] == ["BRK A"]
    assert answer["rejected"] == [{"symbol": "NOPE", "code": 460}]
    assert reader.until("snapshot")["symbol"] == "BRK A"


def test_last_event_id_resumes_as_reconnect_does(rig: Any, read: Read) -> None:
    row, other = rig.row("AAPL"), rig.row("MSFT")
    rig.trade(other, 7 * E9)
    rig.trade(row, 185 * E9)
    reader = read("/stream?symbols=AAPL")
    reader.until("snapshot")
    again = read("/stream?symbols=AAPL", f"Last-Event-ID: {reader.last_id}")
    assert again.until("recovered")["symbols"] == ["AAPL"]
    rig.trade(row, 186 * E9)
    message = again.event()
    assert (message["type"], message["price"], message["seq"]) == ("update", 186, 2)
    newer = read("/stream?symbols=AAPL", f"Last-Event-ID: {reader.last_id}")
    assert newer.until("snapshot")["price"] == 186
    # of a symbol whose price has another time nothing is known: the client gets its price
    both = read("/stream?symbols=AAPL,MSFT", f"Last-Event-ID: {again.last_id}")
    assert both.until("snapshot")["symbol"] == "MSFT"
    rig.trade(row, 187 * E9)
    assert both.event()["price"] == 187


def test_an_id_that_says_nothing_gets_a_snapshot(rig: Any, read: Read) -> None:
    rig.trade(rig.row("AAPL"), 185 * E9)
    for seen in ("yesterday", "2999-01-01T00:00:00Z", "12", '"', "é"):
        reader = read("/stream?symbols=AAPL", f"Last-Event-ID: {seen}")
        assert reader.until("snapshot")["price"] == 185


WRONG: tuple[tuple[str, tuple[str, ...], int, str], ...] = (
    ("/stream", (), 400, "symbols is missing"),
    ("/stream?symbols=", (), 400, "empty entry"),
    ("/stream?symbols=A,,B", (), 400, "empty entry"),
    ("/stream?symbols=AAPL&channel=news", (), 400, "price, quote, trades"),
    ("/stream?symbols=AAPL&since=1", (), 400, "known: symbols"),
    ("/stream?symbols=AAPL&symbols=MSFT", (), 400, "given twice"),
    ("/stream?symbols=AAPL&max_rate=no", (), 400, "from 0.01 to 1000"),
    ("/stream?symbols=AAPL&max_rate=0", (), 400, "from 0.01 to 1000"),
    ("/stream?symbols=%C3%A9", (), 400, "printable ASCII"),
    ("/stream?symbols=" + "A" * 24, (), 400, "1 to 23"),
    ("/stream?symbols=" + ",".join(f"S{n}" for n in range(600)), (), 400, "512 is the most"),
    ("/stream?symbols=AAPL", ("Content-Length: 3",), 413, "without a body"),
    ("/stream?symbols=AAPL", ("Host: elsewhere",), 421, "name"),
    ("/stream?symbols=AAPL", ("Host:",), 400, "Host"),
    ("/stream?symbols=AAPL", ("Origin: http://desk.example",), 403, "origin"),
)


@pytest.mark.parametrize("rig", [{"max_symbols": 512}], indirect=True)
def test_what_is_wrong_is_refused_by_name(rig: Any, read: Read) -> None:
    assert rig.config.gateway.max_symbols == 512
    for path, headers, status, said in WRONG:
        for first in (b"", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"):
            reader = read(path, *headers, first=first)
            assert reader.status == status, path
            problem = reader.body() if not first else {"detail": said}
            assert said in problem["detail"], problem


def test_other_methods_are_refused(read: Read) -> None:
    reader = read("/stream?symbols=AAPL", method="HEAD")
    assert reader.status == 405
    assert "Allow: GET" in reader.head


def test_a_request_that_names_symbols_needs_no_accept(rig: Any, read: Read) -> None:
    rig.trade(rig.row("AAPL"), E9)
    assert read("/stream?symbols=AAPL", accept="*/*").until("snapshot")["price"] == 1
    assert read("/stream", accept="*/*").status == 426


def test_after_earlier_requests_on_the_same_connection(rig: Any, read: Read) -> None:
    row = rig.row("AAPL")
    rig.trade(row, E9)
    reader = read("/stream?symbols=AAPL", first=b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert reader.until("snapshot")["price"] == 1
    rig.trade(row, 2 * E9)
    assert reader.event()["price"] == 2


def test_what_a_reader_sends_is_ignored(rig: Any, read: Read) -> None:
    row = rig.row("AAPL")
    rig.trade(row, E9)
    reader = read("/stream?symbols=AAPL")
    reader.until("snapshot")
    reader.socket.sendall(b"\x88\x80\x00\x00\x00\x00" + b"GET / HTTP/1.1\r\n\r\n" * 100)
    rig.trade(row, 2 * E9)
    assert reader.event()["price"] == 2


def test_an_event_is_encoded_once_for_all_readers(rig: Any, read: Read) -> None:
    row = rig.row("AAPL")
    rig.trade(row, E9)
    readers = [read("/stream?symbols=AAPL") for _ in range(5)]
    for reader in readers:
        reader.until("snapshot")
    before = rig.counters["encoded"]
    rig.trade(row, 2 * E9)
    assert [reader.event()["price"] for reader in readers] == [2] * 5
    assert rig.counters["encoded"] == before + 1


@pytest.mark.slow
def test_max_rate_merges(rig: Any, read: Read) -> None:
    row = rig.row("AAPL")
    rig.trade(row, E9)
    reader = read("/stream?symbols=AAPL&max_rate=2")
    reader.until("snapshot")
    start = time.monotonic()
    for price in range(2, 202):
        rig.trade(row, price * E9)
        time.sleep(0.002)
    seen, last = [], 0
    while last < 201:
        message = reader.event()
        last = message["price"]
        seen.append(message["seq"])
    assert seen == sorted(set(seen))
    assert len(seen) <= (time.monotonic() - start) / 0.5 + 2


@pytest.mark.parametrize("rig", [{"heartbeat": 0.05}], indirect=True)
@pytest.mark.slow
def test_a_silent_stream_has_comments(rig: Any, read: Read) -> None:
    row = rig.row("AAPL")
    rig.trade(row, E9)
    reader = read("/stream?symbols=AAPL")
    reader.until("snapshot")
    time.sleep(1.2)  # two rounds of the gateway's housekeeping
    rig.trade(row, 2 * E9)
    assert reader.event()["price"] == 2
    beats = [json.loads(comment) for comment in reader.comments]
    assert beats
    assert {beat["type"] for beat in beats} == {"heartbeat"}


@pytest.mark.parametrize("rig", [{"ping_interval": 0.05}], indirect=True)
@pytest.mark.slow
def test_a_reader_is_asked_for_no_pong(rig: Any, read: Read) -> None:
    row = rig.row("AAPL")
    rig.trade(row, E9)
    reader = read("/stream?symbols=AAPL")
    reader.until("snapshot")
    time.sleep(1.6)  # of which each round would have closed a silent WebSocket
    rig.trade(row, 2 * E9)
    assert reader.event()["price"] == 2


@pytest.mark.parametrize("rig", [{"slow_timeout": 0.5}], indirect=True)
@pytest.mark.slow
def test_a_reader_that_stops_is_told_and_ended(
    rig: Any, read: Read, wait_for: Callable[..., None]
) -> None:
    names = [f"S{n}" for n in range(60)]
    rows = [rig.row(name) for name in names]
    reader = read("/stream?symbols=" + ",".join(names), receive_buffer=4096)
    rig.trade_until(rows, "slow_closed")
    messages = []
    with pytest.raises((EOFError, ConnectionResetError)):
        while True:
            messages.append(reader.event())
    assert (messages[-1]["type"], messages[-1]["code"]) == ("error", 407)
    wait_for(lambda: rig.counters["connections_open"] == 0)


@pytest.mark.slow
def test_a_blocked_reader_gets_the_newest_once_it_reads_again(rig: Any, read: Read) -> None:
    names = [f"S{n}" for n in range(60)]
    rows = [rig.row(name) for name in names]
    reader = read("/stream?symbols=" + ",".join(names), receive_buffer=4096)
    price = rig.trade_until(rows, "send_blocked")
    latest: dict[str, float] = {}
    while len(latest) < 60 or set(latest.values()) != {price}:
        message = reader.event()
        if message["type"] in ("snapshot", "update"):
            assert message["price"] >= latest.get(message["symbol"], 0)
            latest[message["symbol"]] = message["price"]


@pytest.mark.parametrize("rig", [{"trades_kept": 16}], indirect=True)
def test_trades_that_are_lost_are_said(rig: Any, read: Read) -> None:
    row = rig.row("AAPL")
    rig.trade(row, E9)
    reader = read("/stream?symbols=AAPL&channel=trades")
    reader.until("snapshot")
    with stopped(rig):
        for price in range(2, 102):
            rig.trade(row, price * E9)
    assert reader.event() == {"type": "lagged", "symbol": "AAPL", "skipped": 84}
    assert [reader.event()["price"] for _ in range(16)] == list(range(86, 102))


def test_a_drain_says_goodbye(rig: Any, read: Read) -> None:
    rig.trade(rig.row("AAPL"), E9)
    reader = read("/stream?symbols=AAPL")
    reader.until("snapshot")
    os.kill(rig.pid, signal.SIGTERM)
    assert reader.until("goodbye")["reason"] == "shutdown"
    assert reader.ended()
    reader.close()
    os.waitpid(rig.pid, 0)
    rig.pid = rig._fork()


def test_a_killed_worker_is_resumed(rig: Any, read: Read) -> None:
    row = rig.row("AAPL")
    rig.trade(row, E9)
    reader = read("/stream?symbols=AAPL")
    reader.until("snapshot")
    rig.restart()
    rig.trade(row, 2 * E9)
    again = read("/stream?symbols=AAPL", f"Last-Event-ID: {reader.last_id}")
    assert again.until("snapshot")["price"] == 2


def test_curl_shows_prices(rig: Any, require: Callable[[object, str], None]) -> None:
    require("curl", "curl is missing")
    row = rig.row("AAPL")
    rig.trade(row, 185 * E9)
    url = f"http://127.0.0.1:{rig.port}/stream?symbols=AAPL&channel=price"
    command = ["curl", "-sN", "-H", "Accept: text/event-stream", url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as shown:
        try:
            assert shown.stdout is not None
            lines = iter(shown.stdout.readline, "")
            assert next(line for line in lines if '"snapshot"' in line).count('"price":185,')
            assert next(lines).startswith("id: 20")
            rig.trade(row, 186 * E9)
            assert next(line for line in lines if '"update"' in line).count('"price":186,')
        finally:
            shown.terminate()


@given(target=st.text(max_size=60), value=st.text(max_size=30))
def test_any_request_is_read_or_refused(target: str, value: str) -> None:
    head = Head("GET", f"/stream?{target}", "1.1", (("last-event-id", value),), b"")
    try:
        assert isinstance(read_request(head, 10), Wanted)
    except Refusal as refusal:
        assert refusal.kind[0] == 400


def test_a_stream_of_events_counts_like_any_other(
    rig: Any, read: Read, wait_for: Callable[..., None]
) -> None:
    rig.trade(rig.row("AAPL"), E9)
    reader = read("/stream?symbols=AAPL")
    reader.until("snapshot")
    wait_for(lambda: rig.counters["connections_open"] == 1)
    assert rig.counters["subscriptions"] == 1
    reader.close()
    wait_for(lambda: rig.counters["subscriptions"] == 0)

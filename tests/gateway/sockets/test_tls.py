"""TLS by the gateway itself: streams, requests, and both on one connection."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.certificates import Authority
from tests.gateway import conftest
from ticker.config import Config, GatewayConfig
from ticker.config.access import AccessConfig, TlsConfig
from ticker.errors import ConfigError
from ticker.gateway.sockets.tls import server_context

E9 = 10**9


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def secure(request: pytest.FixtureRequest, authority: Authority) -> Iterator[conftest.Rig]:
    """A gateway that speaks TLS and nothing else."""
    certificate, key = authority.issue()
    config = Config(
        gateway=GatewayConfig(max_connections=64, slow_timeout=0.5),
        tls=TlsConfig(certificate=certificate, key=key),
        access=getattr(request, "param", AccessConfig()),
    )
    made = conftest.new_rig(config)
    yield made
    assert made.close() == 0


Connect = Callable[..., conftest.Client]


@pytest.fixture
def connect(secure: conftest.Rig, authority: Authority) -> Iterator[Connect]:
    clients = []

    def make(**options: Any) -> conftest.Client:
        settings = {"tls": authority.client_context(), **options}
        clients.append(conftest.Client(secure.port, **settings))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


def test_a_stream_over_tls(secure: conftest.Rig, connect: Connect) -> None:
    row = secure.row("AAPL")
    secure.trade(row, 185 * E9)
    client = connect()
    assert isinstance(client.socket, ssl.SSLSocket)
    assert client.socket.version() == "TLSv1.3"
    client.send({"action": "subscribe", "symbols": ["AAPL"]})
    assert client.receive()["price"] == 185
    secure.trade(row, 186 * E9)
    assert client.receive()["price"] == 186


def test_messages_over_several_records_and_several_in_one(
    secure: conftest.Rig, connect: Connect
) -> None:
    secure.trade(secure.row("AAPL"), 185 * E9)
    client = connect()
    frames = client.frame(b'{"action":"subscribe","symbols":["AAPL"]}' + b" " * 60_000)
    for byte in frames[:3]:
        client.socket.sendall(bytes([byte]))
    client.socket.sendall(frames[3:] + client.frame(b'{"action":"fly"}'))
    assert client.receive()["type"] == "snapshot"
    assert client.receive()["code"] == 410


def test_requests_and_then_a_stream_on_one_connection(
    secure: conftest.Rig, connect: Connect
) -> None:
    row = secure.row("AAPL")
    secure.trade(row, 185 * E9)
    client = connect(handshake=False)
    for _ in range(2):
        client.socket.sendall(b"GET /prices/AAPL HTTP/1.1\r\nHost: localhost\r\n\r\n")
        head = client.read_until(b"\r\n\r\n").decode()
        assert head.startswith("HTTP/1.1 200")
        length = int(head.lower().partition("content-length: ")[2].partition("\r\n")[0])
        assert json.loads(client.read(length))["price"] == 185
    client.socket.sendall(client.request())
    assert client.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 101")
    client.send({"action": "subscribe", "symbols": ["AAPL"]})
    assert client.receive()["price"] == 185


def test_a_large_answer_and_a_close_that_is_said(
    secure: conftest.Rig, authority: Authority
) -> None:
    for index in range(60):
        secure.row(f"S{index}")
    connection = http.client.HTTPSConnection(
        "localhost", secure.port, context=authority.client_context()
    )
    connection.connect()
    connection.request("GET", "/", headers={"Connection": "close"})
    answer = connection.getresponse()
    assert answer.status == 200
    assert len(answer.read()) == int(answer.headers["Content-Length"])
    connection.close()


def test_a_slow_reader_of_a_large_answer_gets_all_of_it(connect: Connect) -> None:
    client = connect(handshake=False, receive_buffer=4096)
    client.socket.sendall(b"GET /watch.js HTTP/1.1\r\nHost: localhost\r\n\r\n" * 20)
    for _ in range(20):
        head = client.read_until(b"\r\n\r\n").decode()
        length = int(head.lower().partition("content-length: ")[2].partition("\r\n")[0])
        assert len(client.read(length)) == length


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["", "ticker.v1.json", "ticker.v1.msgpack"])
def test_a_slow_client_finds_the_reason_once_it_reads(
    secure: conftest.Rig, connect: Connect, protocol: str
) -> None:
    """All frames up to the last word are whole, though what waited for it was dropped."""
    names = [f"S{i}" for i in range(60)]
    rows = [secure.row(name) for name in names]
    client = connect(receive_buffer=4096, protocol=protocol)
    client.send({"action": "subscribe", "symbols": names})
    secure.trade_until(rows, "slow_closed")
    error = client.until("error")
    assert (error["code"], error["reason"]) == (407, "slow_client")
    assert client.receive_close() == 4407
    assert client.socket.recv(1) == b""  # after close_notify: nothing was cut off


@pytest.mark.slow
def test_a_client_that_reads_again_gets_all_of_what_waits_and_the_newest(
    secure: conftest.Rig, connect: Connect
) -> None:
    names = [f"S{i}" for i in range(60)]
    rows = [secure.row(name) for name in names]
    client = connect(receive_buffer=4096, protocol="ticker.v1.json")
    client.send({"action": "subscribe", "symbols": names})
    price = 0
    while not secure.counters["send_blocked"]:
        price += 1
        for row in rows:
            secure.trade(row, price * E9)
        time.sleep(0.005)
    missing = set(names)
    seen = dict.fromkeys(names, 0)
    while missing:
        message = client.receive()
        if message.get("price"):
            assert message["price"] >= seen[message["symbol"]]
            seen[message["symbol"]] = message["price"]
            if message["price"] == price:
                missing.discard(message["symbol"])
    assert secure.counters["slow_closed"] == 0


def test_plain_http_and_other_authorities_are_turned_away(
    secure: conftest.Rig, tmp_path: Path
) -> None:
    with socket.create_connection(("127.0.0.1", secure.port), timeout=10) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = plain.recv(4096)
        assert not answer.startswith(b"HTTP/1.1 200")
    stranger = Authority(tmp_path, "another")
    with pytest.raises(ssl.SSLCertVerificationError):
        conftest.Client(secure.port, tls=stranger.client_context())


def test_old_versions_are_refused(secure: conftest.Rig, authority: Authority) -> None:
    context = authority.client_context()
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError):
        conftest.Client(secure.port, tls=context)


@pytest.mark.slow
def test_a_handshake_that_stalls_has_the_heads_deadline(secure: conftest.Rig) -> None:
    with socket.create_connection(("127.0.0.1", secure.port), timeout=10) as stalled:
        stalled.sendall(b"\x16\x03\x01\x02\x00\x01")
        assert stalled.recv(1) == b""  # closed at 5 s


@pytest.mark.parametrize(
    "secure",
    [AccessConfig(proxies=("127.0.0.0/8",), proxy_protocol=True, connections_per_address=1)],
    indirect=True,
)
def test_a_proxy_that_passes_tls_through(connect: Connect) -> None:
    def header(last: int) -> bytes:
        addresses = bytes([203, 0, 113, last, 203, 0, 113, 1]) + struct.pack("!HH", 4000, 443)
        return b"\r\n\r\n\x00\r\nQUIT\n\x21\x11" + struct.pack("!H", 12) + addresses

    first = connect(first=header(7))
    first.send({"action": "fly"})
    assert first.receive()["code"] == 410
    connect(first=header(8))
    with pytest.raises((ssl.SSLError, OSError, EOFError)):
        connect(first=header(7))


def test_files_that_do_not_fit_are_named(authority: Authority) -> None:
    certificate, _ = authority.issue()
    _, other = authority.issue()
    with pytest.raises(ConfigError, match=r"tls\.certificate"):
        server_context(TlsConfig(certificate=certificate, key=other))

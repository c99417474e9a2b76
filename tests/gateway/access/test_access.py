"""Who comes in: origins, limits by address, clients behind proxies, tokens on requests."""

from __future__ import annotations

import http.client
import json
import struct
from collections.abc import Callable
from typing import Any

import pytest

from tests.gateway.conftest import Client, Rig
from ticker.config import Config, GatewayConfig
from ticker.config.access import AccessConfig, AuthConfig, Rights, TokenConfig
from ticker.gateway.access.auth import hash_token

GATEWAY = GatewayConfig(max_connections=512, requests_per_second=10, requests_burst=20)
E9 = 10**9
Connect = Callable[..., Client]


def with_access(**settings: Any) -> Config:
    return Config(gateway=GATEWAY, access=AccessConfig(**settings))


def proxied(client: str) -> bytes:
    """A PROXY header, version 2, of a TCP connection from `client`."""
    source = bytes(int(part) for part in client.split("."))
    addresses = source + bytes([127, 0, 0, 1]) + struct.pack("!HH", 40_000, 443)
    return b"\r\n\r\n\x00\r\nQUIT\n\x21\x11" + struct.pack("!H", 12) + addresses


def answer(client: Client) -> tuple[int, dict[str, Any]]:
    """Status and document of the HTTP answer that comes instead of a stream."""
    status = int(client.head.split()[1])
    length = client.head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
    return status, json.loads(client.read(int(length)))


@pytest.mark.parametrize("rig", [with_access(origins=("https://desk.example",))], indirect=True)
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ((), 101),
        (("Origin: http://localhost",), 101),
        (("Origin: https://localhost",), 101),
        (("Origin: https://desk.example",), 101),
        (("Origin: https://desk.example.evil.example",), 403),
        (("Origin: http://desk.example",), 403),
        (("Origin: null",), 403),
        (("Origin: https://desk.example", "Origin: https://evil.example"), 403),
    ],
)
def test_only_listed_pages_open_a_stream(
    connect: Connect, headers: tuple[str, ...], status: int
) -> None:
    client = connect(headers=headers)
    assert int(client.head.split()[1]) == status
    if status == 403:
        assert answer(client)[1]["code"] == "forbidden_origin"


@pytest.mark.parametrize("rig", [with_access(connections_per_address=2)], indirect=True)
def test_connections_of_one_address_are_bounded(
    rig: Rig, connect: Connect, wait_for: Callable[..., None]
) -> None:
    first, _ = connect(), connect()
    refused = connect(handshake=False)
    refused.head = refused.read_until(b"\r\n\r\n")
    status, problem = answer(refused)
    assert (status, problem["code"]) == (429, "too_many_connections")
    assert connect(source="127.0.0.2").head.startswith(b"HTTP/1.1 101")
    first.close()
    assert admitted(rig, "127.0.0.1", wait_for)


def serves(rig: Rig, source: str) -> Client | None:
    """A connection that a request has been answered on; None where it is refused."""
    client = Client(rig.port, handshake=False, source=source)
    client.socket.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    if client.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 200"):
        return client
    client.close()
    return None


def admitted(rig: Rig, source: str, wait_for: Callable[..., None]) -> bool:
    """Once the gateway has noticed that another one is gone."""

    def comes_in() -> bool:
        client = serves(rig, source)
        if client is not None:
            client.close()
        return client is not None

    wait_for(comes_in)
    return True


@pytest.mark.parametrize("rig", [with_access(connections_per_address=1)], indirect=True)
def test_a_connection_that_carries_requests_counts_until_it_closes(
    rig: Rig, wait_for: Callable[..., None]
) -> None:
    for source in ("127.0.0.3", "127.0.0.4"):
        client = serves(rig, source)
        assert client is not None
        assert serves(rig, source) is None
        client.close()
        assert admitted(rig, source, wait_for)


@pytest.mark.parametrize(
    "rig", [with_access(handshakes_per_second=1, handshakes_burst=3)], indirect=True
)
def test_handshakes_of_one_address_are_paced(connect: Connect) -> None:
    statuses = []
    for _ in range(5):
        client = connect(handshake=False)
        client.socket.sendall(client.request())
        statuses.append(int(client.read_until(b"\r\n\r\n").split()[1]))
        client.close()
    assert statuses[:3] == [101] * 3
    assert 429 in statuses[3:]


PROXY = {"proxies": ("127.0.0.1",), "connections_per_address": 1}


@pytest.mark.parametrize("rig", [with_access(proxy_protocol=True, **PROXY)], indirect=True)
def test_behind_a_proxy_clients_count_by_themselves(connect: Connect) -> None:
    assert connect(first=proxied("203.0.113.7")).head.startswith(b"HTTP/1.1 101")
    assert connect(first=proxied("203.0.113.8")).head.startswith(b"HTTP/1.1 101")
    assert answer(connect(first=proxied("203.0.113.7")))[0] == 429
    # a stranger's header is no header
    assert connect(first=proxied("203.0.113.9"), source="127.0.0.2").head.startswith(
        b"HTTP/1.1 400"
    )
    # and a proxy that sends none is set up wrongly
    status, problem = answer(connect())
    assert status == 400
    assert "PROXY header" in problem["detail"]


@pytest.mark.parametrize("rig", [with_access(proxy_protocol=True, **PROXY)], indirect=True)
def test_a_proxy_header_may_come_in_pieces_and_before_a_request(connect: Connect) -> None:
    client = connect(handshake=False)
    data = proxied("203.0.113.7") + b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    for start in range(0, len(data), 7):
        client.socket.sendall(data[start : start + 7])
    assert client.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("rig", [with_access(**PROXY)], indirect=True)
def test_x_forwarded_for_of_a_trusted_proxy(connect: Connect) -> None:
    def head(client: str, **options: Any) -> bytes:
        return connect(headers=(f"X-Forwarded-For: {client}",), **options).head

    assert head("203.0.113.7").startswith(b"HTTP/1.1 101")
    assert head("203.0.113.8").startswith(b"HTTP/1.1 101")
    assert head("203.0.113.7").startswith(b"HTTP/1.1 429")
    assert head("198.51.100.1, 203.0.113.7").startswith(b"HTTP/1.1 429")
    # a stranger's says nothing: it counts by its own address
    assert head("203.0.113.20", source="127.0.0.2").startswith(b"HTTP/1.1 101")
    stranger = connect(handshake=False, source="127.0.0.2")
    assert stranger.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 429")


TOKENS = (
    TokenConfig(name="all", sha256=hash_token("all-of-it")),
    TokenConfig(name="some", sha256=hash_token("some-of-it"), symbols=("A*",)),
)
GUARDED = Config(
    gateway=GATEWAY,
    auth=AuthConfig(tokens=TOKENS),
    access=AccessConfig(origins=("https://desk.example",)),
)


def get(rig: Rig, path: str, **headers: str) -> tuple[int, dict[str, Any], http.client.HTTPMessage]:
    connection = http.client.HTTPConnection("127.0.0.1", rig.port, timeout=10)
    try:
        connection.request("GET", path, headers=headers)
        found = connection.getresponse()
        body = found.read()
        is_json = "json" in found.headers.get("Content-Type", "")
        return found.status, json.loads(body) if is_json else {}, found.headers
    finally:
        connection.close()


@pytest.mark.parametrize("rig", [GUARDED], indirect=True)
def test_requests_need_a_token_and_see_what_it_may(rig: Rig) -> None:
    for symbol in ("AAPL", "MSFT"):
        rig.trade(rig.row(symbol), 185 * E9)
    for path in ("/prices/AAPL", "/prices?symbols=AAPL", "/symbols", "/status", "/metrics"):
        status, problem, headers = get(rig, path)
        assert (status, problem["code"]) == (401, "not_authenticated"), path
        assert headers["WWW-Authenticate"].startswith("Bearer")
    for path in ("/", "/healthz", "/readyz"):
        assert get(rig, path)[0] == 200, path
    status, problem, headers = get(rig, "/prices/AAPL", Authorization="Bearer wrong")
    assert status == 401
    assert 'error="invalid_token"' in headers["WWW-Authenticate"]
    everything = {"Authorization": "Bearer all-of-it"}
    some = {"Authorization": "bearer some-of-it"}
    assert get(rig, "/prices/MSFT", **everything)[0] == 200
    assert get(rig, "/prices/AAPL", **some)[0] == 200
    assert get(rig, "/prices/MSFT", **some)[1]["code"] == "unknown_symbol"
    only = {"symbols": [{"symbol": "AAPL"}], "total": 1, "next": None}
    assert get(rig, "/symbols", **some)[1] == only
    assert get(rig, "/prices?symbols=AAPL,MSFT", **some)[1]["unknown"] == ["MSFT"]


BOUND = Config(
    gateway=GATEWAY,
    auth=AuthConfig(
        required=False,
        tokens=(
            TokenConfig(name="two", sha256=hash_token("two"), max_symbols=2),
            TokenConfig(name="slow", sha256=hash_token("slow"), max_rate=0.5),
            TokenConfig(name="slower", sha256=hash_token("slower"), max_rate=0.5),
        ),
        default=Rights(max_rate=0.5),
    ),
    access=AccessConfig(proxies=("127.0.0.1",)),
)


@pytest.mark.parametrize("rig", [BOUND], indirect=True)
def test_max_symbols_binds_a_request_too(rig: Rig) -> None:
    told = {"Authorization": "Bearer two"}
    assert get(rig, "/prices?symbols=A,B", **told)[0] == 200
    status, problem, _ = get(rig, "/prices?symbols=A,B,C", **told)
    assert (status, problem["code"]) == (400, "bad_parameter")
    assert "2 is the most" in problem["detail"]


@pytest.mark.parametrize("rig", [BOUND], indirect=True)
def test_max_rate_binds_requests_too(rig: Rig) -> None:
    """Whichever connection and address they come by, and whether one symbol is asked or many."""
    for symbol in ("AAPL", "MSFT"):
        rig.trade(rig.row(symbol), 185 * E9)
    told = {"Authorization": "Bearer slow"}
    assert get(rig, "/prices/AAPL", **told)[0] == 200
    for path in ("/prices/AAPL", "/prices?symbols=AAPL", "/prices?symbols=MSFT,AAPL"):
        status, problem, headers = get(rig, path, **told)
        assert (status, problem["code"]) == (429, "too_many_requests"), path
        assert 1 <= int(headers["Retry-After"]) <= 2
    assert get(rig, "/prices/MSFT", **told)[0] == 200, "each symbol by itself"
    assert get(rig, "/prices/NONE", **told)[0] == 404
    assert get(rig, "/symbols", **told)[0] == 200, "names are no prices"
    assert get(rig, "/prices/AAPL", Authorization="Bearer slower")[0] == 200


@pytest.mark.parametrize("rig", [BOUND], indirect=True)
def test_who_has_no_name_is_told_apart_by_address(rig: Rig) -> None:
    rig.trade(rig.row("AAPL"), 185 * E9)
    first, second = ({"X-Forwarded-For": f"198.51.100.{n}"} for n in (1, 2))
    assert [get(rig, "/prices/AAPL", **first)[0] for _ in range(2)] == [200, 429]
    assert [get(rig, "/prices/AAPL", **second)[0] for _ in range(2)] == [200, 429]


@pytest.mark.parametrize("rig", [GUARDED], indirect=True)
def test_no_hint_tells_of_a_symbol_that_a_token_may_not_see(rig: Rig) -> None:
    for symbol in ("AAPL", "MSFT"):
        rig.trade(rig.row(symbol), 185 * E9)
    some = {"Authorization": "Bearer some-of-it"}
    assert "did you mean AAPL" in get(rig, "/prices/aapl", **some)[1]["detail"]
    told = get(rig, "/prices/msft", **some)[1]["detail"]
    assert told == get(rig, "/prices/none", **some)[1]["detail"].replace("none", "msft")


@pytest.mark.parametrize("rig", [GUARDED], indirect=True)
def test_listed_pages_may_read_answers_and_others_get_none(rig: Rig) -> None:
    status, _, headers = get(rig, "/healthz", Origin="https://desk.example")
    assert (status, headers["Access-Control-Allow-Origin"]) == (200, "https://desk.example")
    status, problem, headers = get(rig, "/healthz", Origin="https://evil.example")
    assert (status, problem["code"]) == (403, "forbidden_origin")
    assert "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize("rig", [with_access()], indirect=True)
def test_a_flood_of_pipelined_requests_is_cut_off(connect: Connect) -> None:
    client = connect(handshake=False)
    client.socket.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" * 500)
    statuses = []
    while True:
        try:
            head = client.read_until(b"\r\n\r\n")
        except (EOFError, ConnectionResetError):
            break
        statuses.append(int(head.split()[1]))
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        client.read(int(length))
    assert statuses[:20] == [200] * 20
    assert statuses[-1] == 429
    assert len(statuses) < 60

"""Pages and names at a real gateway: refusals, their messages, and CORS."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.gateway.access.test_access import answer, get, with_access
from tests.gateway.conftest import Client, Rig
from ticker.config import Config, GatewayConfig
from ticker.config.access import AccessConfig, AuthConfig, TokenConfig
from ticker.gateway.access.auth import hash_token

Connect = Callable[..., Client]
E9 = 10**9
LISTED = "https://desk.example"
TOKENS = (TokenConfig(name="desk", sha256=hash_token("desk-token")),)
GUARDED = Config(
    gateway=GatewayConfig(max_connections=64),
    auth=AuthConfig(tokens=TOKENS),
    access=AccessConfig(origins=(LISTED,)),
)


def ask(
    rig: Rig, method: str, path: str, **headers: str
) -> tuple[int, dict[str, Any], http.client.HTTPMessage]:
    connection = http.client.HTTPConnection("127.0.0.1", rig.port, timeout=10)
    try:
        sent = {name.replace("_", "-"): text for name, text in headers.items()}
        connection.request(method, path, headers=sent)
        found = connection.getresponse()
        body = found.read()
        is_json = "json" in found.headers.get("Content-Type", "")
        return found.status, json.loads(body) if is_json else {}, found.headers
    finally:
        connection.close()


@pytest.mark.parametrize("rig", [GUARDED], indirect=True)
def test_a_page_may_ask_with_a_token_as_browsers_do(rig: Rig) -> None:
    rig.trade(rig.row("AAPL"), 185 * E9)
    status, _, headers = ask(
        rig,
        "OPTIONS",
        "/prices/AAPL",
        Origin=LISTED,
        Access_Control_Request_Method="GET",
        Access_Control_Request_Headers="authorization",
    )
    assert (status, headers["Access-Control-Allow-Origin"]) == (204, LISTED)
    assert "Authorization" in headers["Access-Control-Allow-Headers"]
    assert "GET" in headers["Access-Control-Allow-Methods"]
    assert int(headers["Access-Control-Max-Age"]) > 0
    assert headers["Vary"] == "Origin"
    told = {"Origin": LISTED, "Authorization": "Bearer desk-token"}
    status, price, headers = ask(rig, "GET", "/prices/AAPL", **told)
    assert (status, price["price"]) == (200, 185)
    assert headers["Access-Control-Allow-Origin"] == LISTED


@pytest.mark.parametrize("rig", [GUARDED], indirect=True)
@pytest.mark.parametrize(
    ("path", "status"), [("/prices/AAPL", 401), ("/nothing", 401), ("/healthz?x=1", 400)]
)
def test_a_page_may_read_a_refusal_too(rig: Rig, path: str, status: int) -> None:
    found, problem, headers = ask(rig, "GET", path, Origin=LISTED)
    assert (found, problem["status"]) == (status, status)
    assert headers["Access-Control-Allow-Origin"] == LISTED
    assert "WWW-Authenticate" in headers["Access-Control-Expose-Headers"]


@pytest.mark.parametrize("rig", [GUARDED], indirect=True)
def test_pages_of_others_are_told_no_before_they_ask(rig: Rig) -> None:
    for method in ("OPTIONS", "GET"):
        status, problem, headers = ask(
            rig,
            method,
            "/prices/AAPL",
            Origin="https://evil.example",
            Access_Control_Request_Method="GET",
        )
        assert (status, problem["code"]) == (403, "forbidden_origin")
        assert 'access.origins = ["https://evil.example"]' in problem["detail"]
        assert "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize("rig", [with_access()], indirect=True)
def test_other_questions_by_options_are_no_preflight(rig: Rig) -> None:
    for headers in ({}, {"Origin": "http://127.0.0.1"}, {"Access_Control_Request_Method": "GET"}):
        status, problem, _ = ask(rig, "OPTIONS", "/healthz", Host="127.0.0.1", **headers)
        assert (status, problem["code"]) == (405, "method_not_allowed")


@pytest.mark.parametrize("rig", [with_access(hosts=("ticker.internal",))], indirect=True)
@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("ticker.internal:8700", True),
        ("rebound.example", False),
        ("rebound.example:8700", False),
    ],
)
def test_a_name_that_is_none_of_the_servers_is_refused(
    rig: Rig, connect: Connect, host: str, known: bool
) -> None:
    status, problem, _ = get(rig, "/status", Host=host)
    assert status == (200 if known else 421)
    client = connect(handshake=False)
    client.socket.sendall(client.request().replace(b"Host: localhost", f"Host: {host}".encode()))
    client.head = client.read_until(b"\r\n\r\n")
    if known:
        assert client.head.startswith(b"HTTP/1.1 101")
        return
    assert (problem["code"], problem["key"]) == ("unknown_host", "access.hosts")
    assert answer(client)[1]["code"] == "unknown_host"


@pytest.mark.parametrize("rig", [with_access()], indirect=True)
@pytest.mark.parametrize(
    ("request_line", "hosts", "status"),
    [
        ("GET http://127.0.0.1/status HTTP/1.1", ("localhost",), 200),
        ("GET HTTP://localhost:8700/status HTTP/1.1", ("localhost",), 200),
        # the target's name goes before that of the header
        ("GET http://rebound.example/status HTTP/1.1", ("localhost",), 421),
        ("GET http://rebound.example:8700/status HTTP/1.1", ("127.0.0.1",), 421),
        ("GET https://rebound.example/healthz HTTP/1.1", ("localhost",), 421),
        ("GET http://rebound.example/stream HTTP/1.1", ("localhost",), 421),
        ("GET http://localhost@rebound.example/status HTTP/1.1", ("localhost",), 400),
        ("GET http://rebound.example@localhost/status HTTP/1.1", ("localhost",), 400),
        ("GET http:///status HTTP/1.1", ("localhost",), 400),
        # and that of the header counts all the same
        ("GET http://localhost/status HTTP/1.1", ("rebound.example",), 421),
        ("GET /status HTTP/1.1", ("localhost", "localhost"), 400),
        ("GET /status HTTP/1.1", ("localhost", "rebound.example"), 400),
        ("GET /status HTTP/1.1", ("",), 400),
        ("GET /status HTTP/1.1", (), 400),
        ("GET /status HTTP/1.1", ("localhost@rebound.example",), 400),
        ("GET /status HTTP/1.1", ("rebound.example.",), 421),
        ("GET /status HTTP/1.1", ("localhost.:8700",), 200),
        ("GET /status HTTP/1.1", ("LocalHost",), 200),
        ("CONNECT rebound.example:80 HTTP/1.1", ("localhost",), 405),
        ("CONNECT localhost:80 HTTP/1.1", ("localhost",), 405),
    ],
)
def test_the_name_in_a_request_target(
    connect: Connect, request_line: str, hosts: tuple[str, ...], status: int
) -> None:
    """Of the first request on a connection, and of a later one."""
    asked = "\r\n".join([request_line, *(f"Host: {host}" for host in hosts)])
    if "/stream" in request_line:
        asked = connect(handshake=False).request().decode().rstrip()
        asked = asked.replace("GET /stream HTTP/1.1", request_line)
    for before in (b"", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"):
        client = connect(handshake=False)
        if before:
            client.socket.sendall(before)
            assert client.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 200 ")
            client.read_until(b"}")
        client.socket.sendall(f"{asked}\r\n\r\n".encode())
        head = client.read_until(b"\r\n\r\n")
        later_connect = before and status == 405  # its body, of any length, is refused before
        assert int(head.split()[1]) == (413 if later_connect else status), head


@pytest.mark.parametrize("rig", [with_access(proxies=("127.0.0.1",))], indirect=True)
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        # the address that the page has, by what the proxy says of it
        (("X-Forwarded-Host: localhost:8080", "Origin: http://localhost:8080"), 101),
        (("X-Forwarded-Host: 192.0.2.1", "X-Forwarded-Proto: https"), 101),
        (
            ("X-Forwarded-Host: 192.0.2.1", "X-Forwarded-Proto: https", "Origin: http://192.0.2.1"),
            403,
        ),
        (
            (
                "X-Forwarded-Host: 192.0.2.1",
                "X-Forwarded-Proto: https",
                "Origin: https://192.0.2.1",
            ),
            101,
        ),
        # a name that was made to lead to the proxy
        (("X-Forwarded-Host: rebound.example", "Origin: http://rebound.example"), 421),
    ],
)
def test_behind_a_proxy_the_clients_address_counts(
    connect: Connect, headers: tuple[str, ...], status: int
) -> None:
    assert int(connect(headers=headers).head.split()[1]) == status
    if status == 101 and len(headers) == 2 and "Origin" in headers[1]:
        stranger = connect(headers=headers, source="127.0.0.2")
        assert int(stranger.head.split()[1]) == 403, "a stranger's headers say nothing"
        assert 'proxies = ["127.0.0.2"]' in answer(stranger)[1]["detail"]


@pytest.mark.parametrize(
    "rig", [with_access(public_url="https://desk.example/prices")], indirect=True
)
def test_the_public_address_is_the_servers_own(connect: Connect) -> None:
    assert connect(headers=("Origin: https://desk.example",)).head.startswith(b"HTTP/1.1 101")
    assert connect(headers=("Origin: http://desk.example",)).head.startswith(b"HTTP/1.1 403")


def test_any_request_tells_a_page_why_its_stream_was_refused(connect: Connect) -> None:
    """Browsers hide the answer to a handshake; the page asks for /stream by POST, which carries
    its origin."""
    for origin, code in (("http://desk.example", 403), ("http://localhost", 426)):
        client = connect(handshake=False)
        head = f"POST /stream HTTP/1.1\r\nHost: localhost\r\nOrigin: {origin}\r\n\r\n"
        client.socket.sendall(head.encode())
        client.head = client.read_until(b"\r\n\r\n")
        assert answer(client)[0] == code


def test_the_pages_files_come_to_any_page_and_can_be_read_by_its_own(rig: Rig) -> None:
    """Scripts of a module are asked for with the page's origin, which may be refused else."""
    for path in ("/", "/watch.js", "/style.css", "/openapi.json"):
        status, _, headers = get(rig, path, Origin="https://desk.example")
        assert status == 200, path
        assert "Access-Control-Allow-Origin" not in headers, path
    assert get(rig, "/status", Origin="https://desk.example")[0] == 403


SPELLINGS = (
    "198.51.100.{n}",
    "198.51.100.{n}, 127.0.0.1",
    "198.51.100.{n}:4000{n}",
    '"198.51.100.{n}:4000{n}", 127.0.0.1:80',
    "::ffff:198.51.100.{n}",
    "2001:db8:{n}::1",
    "[2001:db8:{n}::1]:4000{n}",
    '"[2001:db8:{n}::1]"',
)


@pytest.mark.parametrize(
    "rig", [with_access(proxies=("127.0.0.1",), connections_per_address=1)], indirect=True
)
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_six_clients_of_six_addresses_are_six(connect: Connect, spelling: str) -> None:
    for n in range(1, 7):
        client = connect(headers=(f"X-Forwarded-For: {spelling.format(n=n)}",))
        assert client.head.startswith(b"HTTP/1.1 101"), spelling
    again = connect(headers=(f"X-Forwarded-For: {spelling.format(n=6)}",))
    assert again.head.startswith(b"HTTP/1.1 429"), "and one of them twice is one"


@pytest.mark.parametrize(
    "rig",
    [with_access(proxies=("127.0.0.1",), forwarded="forwarded", connections_per_address=1)],
    indirect=True,
)
def test_proxies_that_write_forwarded(connect: Connect) -> None:
    def head(*headers: str) -> bytes:
        return connect(headers=headers).head

    own = 'Forwarded: for="[2001:db8:{n}::1]:443";proto=https;host=localhost'
    for n in (1, 2):
        assert head(own.format(n=n), "Origin: https://localhost").startswith(b"HTTP/1.1 101")
    assert head(own.format(n=2)).startswith(b"HTTP/1.1 429")
    assert head(own.format(n=3), "Origin: http://localhost").startswith(b"HTTP/1.1 403")
    # what a client says in the other header is its own invention
    assert head(own.format(n=2), "X-Forwarded-For: 198.51.100.9").startswith(b"HTTP/1.1 429")

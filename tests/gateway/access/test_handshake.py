"""Request heads: handshakes that open a stream, and refusals with their status."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticker.gateway.access.handshake import MAX_HEAD, accept_key, parse_head, upgrade
from ticker.gateway.access.problems import Refusal

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
GOOD = [
    "GET /stream?x=1 HTTP/1.1",
    "Host: ticker.example:8700",
    "Upgrade: WebSocket",
    "Connection: keep-alive, Upgrade",
    f"Sec-WebSocket-Key: {KEY}",
    "Sec-WebSocket-Version: 13",
]


def raw(lines: list[str]) -> bytes:
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def refused(lines: list[str], rest: bytes = b"") -> int:
    with pytest.raises(Refusal) as caught:
        head = parse_head(raw(lines) + rest)
        assert head is not None
        upgrade(head)
    status = caught.value.kind[0]
    assert caught.value.raw_response().startswith(f"HTTP/1.1 {status} ".encode())
    return status


def without(name: str) -> list[str]:
    return [line for line in GOOD if not line.lower().startswith(name)]


def test_key_of_the_rfc() -> None:
    assert accept_key(KEY) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def test_good_handshake_in_any_split() -> None:
    data = raw(GOOD)
    for cut in range(len(data)):
        assert parse_head(data[:cut]) is None
    head = parse_head(data)
    assert head is not None
    assert head.path == "/stream"
    assert upgrade(head).startswith(b"HTTP/1.1 101 ")


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (without("upgrade"), 426),
        (without("connection"), 426),
        (without("sec-websocket-key"), 400),
        (without("sec-websocket-version"), 400),
        (without("host"), 400),
        ([*without("sec-websocket-version"), "Sec-WebSocket-Version: 8"], 400),
        ([*without("sec-websocket-key"), "Sec-WebSocket-Key: short"], 400),
        ([*without("sec-websocket-key"), "Sec-WebSocket-Key: ü"], 400),
        ([*GOOD, f"Sec-WebSocket-Key: {KEY}"], 400),
        ([*GOOD, "Host: other"], 400),
        ([*without("host"), "Host: a b"], 400),
        ([*GOOD, "Content-Length: 5"], 400),
        ([*GOOD, "Transfer-Encoding: chunked"], 400),
        ([*GOOD, " folded: header"], 400),
        ([*GOOD, "no colon"], 400),
        (["GET /stream HTTP/1.0", *GOOD[1:]], 400),
        (["POST /stream HTTP/1.1", *GOOD[1:]], 400),
        (["GET /stream", *GOOD[1:]], 400),
        (["GET /stream HTTP/2.0", *GOOD[1:]], 400),
    ],
)
def test_refused(lines: list[str], status: int) -> None:
    assert refused(lines) == status


def test_second_request_behind_the_handshake_is_refused() -> None:
    assert refused(GOOD, b"GET /prices/AAPL HTTP/1.1\r\n\r\n") == 400


def test_too_long_a_head_is_431() -> None:
    assert refused([*GOOD, "X: " + "y" * MAX_HEAD]) == 431
    with pytest.raises(Refusal):
        parse_head(b"GET /" + b"x" * MAX_HEAD)


@given(st.binary(max_size=300))
def test_any_bytes_give_a_head_nothing_or_the_declared_error(data: bytes) -> None:
    try:
        head = parse_head(data + b"\r\n\r\n")
        if head is not None:
            upgrade(head)
    except Refusal:
        pass

"""Hostile bytes over real sockets: each row of the table of attacks and its reaction.

The rows about the text of commands are in test_hostile_commands.py; bad tokens in
test_auth_stream.py.
"""

from __future__ import annotations

import contextlib
import gzip
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.gateway.conftest import Client, Rig
from ticker.config import Config, GatewayConfig

Connect = Callable[..., Client]
MASK = b"\x12\x34\x56\x78"
KEY = "dGhlIHNhbXBsZSBub25jZQ=="


def frame(first: int, payload: bytes = b"", *, length: bytes | None = None) -> bytes:
    """A masked frame with this first byte; `length` instead of the true one."""
    size = length or (
        bytes([0x80 | len(payload)])
        if len(payload) < 126
        else b"\xfe" + len(payload).to_bytes(2, "big")
        if len(payload) < 65536
        else b"\xff" + len(payload).to_bytes(8, "big")
    )
    body = bytes(byte ^ MASK[index & 3] for index, byte in enumerate(payload))
    return bytes([first]) + size + MASK + body


def close(code: int, reason: bytes = b"") -> bytes:
    return frame(0x88, code.to_bytes(2, "big") + reason)


@pytest.fixture(scope="module")
def shared() -> Iterator[Rig]:
    """One gateway for all short attacks: a client that comes after a hostile one finds it well."""
    rig = Rig("attacks", Config(gateway=GatewayConfig(max_connections=512)))
    yield rig
    assert rig.close() == 0


PROTOCOL_ERRORS = {
    "unmasked": b"\x81\x02{}",
    "reserved bit 1": frame(0xC1, b"{}"),
    "reserved bit 2": frame(0xA1, b"{}"),
    "reserved bit 3": frame(0x91, b"{}"),
    "opcode 3": frame(0x83),
    "opcode 11": frame(0x8B),
    "long ping": frame(0x89, b"x" * 126),
    "fragmented ping": frame(0x09, b"x"),
    "orphan continuation": frame(0x80, b"{}"),
    "new message inside fragments": frame(0x01, b"{") + frame(0x81, b"}"),
    "close of one byte": frame(0x88, b"\x03"),
    **{f"close {code}": close(code) for code in (999, 1005, 1006, 1016, 2999, 5000)},
}


@pytest.mark.parametrize("attack", PROTOCOL_ERRORS.values(), ids=PROTOCOL_ERRORS.keys())
def test_broken_frames_are_1002(shared: Rig, attack: bytes) -> None:
    assert reaction(shared, attack) == 1002


@pytest.mark.parametrize(
    "attack",
    [
        frame(0x81, b"\xff"),
        frame(0x01, b"\xce") + frame(0x80, b"\xff"),
        # told at the first bad byte: this message never ends
        frame(0x01, b"{\xf8"),
        frame(0x01, b"\xce")[:-1] + bytes([0xC0 ^ MASK[0]]),
        close(1000, b"\xff"),
    ],
)
def test_bad_utf8_is_1007_at_the_first_bad_byte(shared: Rig, attack: bytes) -> None:
    assert reaction(shared, attack) == 1007


@pytest.mark.parametrize(
    "attack",
    [
        frame(0x81, b"x" * 65_537),
        frame(0x81, length=b"\xff" + (1 << 62).to_bytes(8, "big")),  # the head alone
        frame(0x01, b"x" * 65_000) + frame(0x80, b"x" * 1000),
    ],
)
def test_too_long_is_1009_and_costs_no_memory(shared: Rig, attack: bytes) -> None:
    before = resident(shared.pid)
    assert reaction(shared, attack) == 1009
    assert resident(shared.pid) - before < 8 << 20


FLOODS = {
    "fragments": frame(0x01, b"{") + frame(0x00, b" ") * 101,
    "pings": frame(0x89, b"x") * 60,
    "pongs": frame(0x8A) * 60,
    "commands": frame(0x81, b'{"action":"ping"}') * 200,
    "churn": (
        frame(0x81, b'{"action":"subscribe","symbol":"A"}')
        + frame(0x81, b'{"action":"unsubscribe","symbol":"A"}')
    )
    * 100,
}


@pytest.mark.parametrize("attack", FLOODS.values(), ids=FLOODS.keys())
def test_floods_are_1008(shared: Rig, attack: bytes) -> None:
    assert reaction(shared, attack) == 1008


def reaction(rig: Rig, attack: bytes) -> int:
    """The close code that an attack gets; a good client is served before and after."""
    client, neighbour = Client(rig.port), Client(rig.port)
    try:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            client.socket.sendall(attack)
        code = closed_with(client)
        neighbour.socket.sendall(frame(0x89, b"still there?"))
        assert neighbour.receive_frame() == (10, b"still there?")
        return code
    finally:
        client.close()
        neighbour.close()


def closed_with(client: Client) -> int:
    """The code of the close frame, past messages and pongs; then the connection ends."""
    while True:
        opcode, payload = client.receive_frame()
        if opcode == 8:
            break
    with contextlib.suppress(ConnectionResetError):
        assert client.socket.recv(1) == b""
    return int.from_bytes(payload[:2], "big")


def resident(pid: int) -> int:
    with open(f"/proc/{pid}/statm") as file:  # noqa: PTH123
        return int(file.read().split()[1]) * 4096


def lines(*changed: str, without: str = "") -> bytes:
    """The head of a handshake with some lines added, replaced by name, or left out."""
    head = {
        "Host": "localhost",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": KEY,
        "Sec-WebSocket-Version": "13",
    }
    for line in changed:
        name, _, value = line.partition(": ")
        head[name] = value
    head.pop(without, None)
    text = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    return f"GET /stream HTTP/1.1\r\n{text}\r\n".encode()


HANDSHAKES = {
    "no key": lines(without="Sec-WebSocket-Key"),
    "short key": lines("Sec-WebSocket-Key: c2hvcnQ="),
    "wrong version": lines("Sec-WebSocket-Version: 12"),
    "body": lines("Content-Length: 5") + b"hello",
    "chunked body": lines("Transfer-Encoding: chunked") + b"0\r\n\r\n",
    "both lengths": lines("Content-Length: 5", "Transfer-Encoding: chunked") + b"hello",
    "bad host": lines("Host: a b"),
    "no host": lines(without="Host"),
    "smuggled request": lines() + b"GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n",
}


@pytest.mark.parametrize("attack", HANDSHAKES.values(), ids=HANDSHAKES.keys())
def test_bad_handshakes_are_400_and_closed(shared: Rig, attack: bytes) -> None:
    client = Client(shared.port, handshake=False)
    try:
        client.socket.sendall(attack)
        answers = everything(client.socket)
        assert answers.startswith(b"HTTP/1.1 400 ")
        assert answers.count(b"HTTP/1.1") == 1
    finally:
        client.close()


def everything(sock: socket.socket) -> bytes:
    """All that comes until the connection ends."""
    found = b""
    with contextlib.suppress(ConnectionResetError):
        while part := sock.recv(65536):
            found += part
    return found


REQUESTS = {
    "traversal": ("GET", "/../../etc/passwd", (), b"", 404),
    "encoded traversal": ("GET", "/%2e%2e/%2e%2e/etc/passwd", (), b"", 404),
    "traversal of a file": ("GET", "/watch.js/../../worker.py", (), b"", 404),
    "bad method": ("BREW", "/prices/A", (), b"", 405),
    "post": ("POST", "/prices/A", (), b"", 405),
    "431": ("GET", "/prices/A", (f"X-Long: {'x' * 9000}",), b"", 431),
    "long query": ("GET", f"/prices?symbols={'x' * 9000}", (), b"", 431),
    "gzip bomb": (
        "GET",
        "/prices/A",
        ("Content-Encoding: gzip", "Content-Length: {length}"),
        gzip.compress(b"\0" * 50_000_000),
        413,
    ),
    "a body that is no gzip": (
        "GET",
        "/prices/A",
        ("Content-Encoding: gzip", "Content-Length: {length}"),
        b"not gzip",
        413,
    ),
    "huge limit": ("GET", "/symbols?limit=999999999999", (), b"", 400),
    "negative limit": ("GET", "/symbols?limit=-1", (), b"", 400),
}


@pytest.mark.parametrize("attack", REQUESTS.values(), ids=REQUESTS.keys())
def test_bad_requests(shared: Rig, attack: tuple[Any, ...]) -> None:
    method, target, headers, body, status = attack
    before = resident(shared.pid)
    client = Client(shared.port, handshake=False)
    try:
        head = [f"{method} {target} HTTP/1.1", "Host: localhost", "Connection: close"]
        head += [line.format(length=len(body)) for line in headers]
        client.socket.sendall(("\r\n".join(head) + "\r\n\r\n").encode() + body)
        assert int(everything(client.socket).split()[1]) == status
        assert resident(shared.pid) - before < 20 << 20
    finally:
        client.close()


def trickle(client: Client, data: bytes, seconds: float) -> float:
    """Send a byte now and then; how long the other side took it."""
    begun = time.monotonic()
    client.socket.settimeout(0.4)
    for byte in data:
        try:
            client.socket.sendall(bytes([byte]))
            if client.socket.recv(65536) == b"":
                break
        except TimeoutError:
            pass
        except OSError:
            break
        if time.monotonic() - begun > seconds:
            break
    return time.monotonic() - begun


def trickled_head(rig: Rig) -> None:
    """It ends at 5 s."""
    client = Client(rig.port, handshake=False)
    took = trickle(client, lines(), 9)
    client.close()
    assert 4.5 < took < 7


def half_a_frame(rig: Rig) -> None:
    """It ends at 5 s, whatever comes between."""
    client = Client(rig.port)
    client.socket.sendall(frame(0x01, b"{"))
    # whole pings win the message no time
    begun = time.monotonic()
    client.socket.settimeout(0.4)
    code = 0
    while not code and time.monotonic() - begun < 9:
        client.socket.sendall(frame(0x89))
        with contextlib.suppress(TimeoutError):
            opcode, payload = client.receive_frame()
            code = int.from_bytes(payload[:2], "big") if opcode == 8 else 0
        time.sleep(0.2)
    client.close()
    assert code == 1008
    assert 4.5 < time.monotonic() - begun < 7


def stalled_body(rig: Rig) -> None:
    """It ends at 10 s."""
    client = Client(rig.port, handshake=False)
    client.socket.sendall(
        b"POST /prices/A HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf"
    )
    begun = time.monotonic()
    client.socket.settimeout(15)
    answer = everything(client.socket)
    client.close()
    assert time.monotonic() - begun < 11
    assert int(answer.split()[1]) in (405, 408, 413)


@pytest.mark.slow
def test_what_never_ends_has_a_deadline(shared: Rig) -> None:
    """All at once: each is mostly a wait."""
    with ThreadPoolExecutor() as attackers:
        attacks = (trickled_head, half_a_frame, stalled_body)
        for attack in [attackers.submit(attack, shared) for attack in attacks]:
            attack.result()

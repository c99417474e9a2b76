"""The echo application: the gateway's frames, seen from the outside."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from ticker.gateway.access.handshake import accept_key

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
MASK = b"\x01\x02\x03\x04"


@pytest.fixture(scope="module")
def stream() -> Iterator[socket.socket]:
    """A WebSocket connection to an echo server of its own, after the handshake."""
    command = [sys.executable, "-m", "ticker.gateway.echo", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline().strip().rstrip("/").rsplit(":", 1)[1])
        with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
            sock.sendall(
                f"GET / HTTP/1.1\r\nHost: here\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n".encode()
            )
            head = sock.recv(4096).decode()
            assert f"Sec-WebSocket-Accept: {accept_key(KEY)}" in head
            yield sock
        process.terminate()
        assert process.wait(10) == 0


def masked(first: int, payload: bytes) -> bytes:
    length = len(payload)
    size = (
        bytes([0x80 | length])
        if length < 126
        else b"\xfe" + length.to_bytes(2, "big")
        if length < 65536
        else b"\xff" + length.to_bytes(8, "big")
    )
    key = (MASK * (length // 4 + 1))[:length]
    body = (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(length, "big")
    return bytes([first]) + size + MASK + body


def receive(sock: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        data += sock.recv(length - len(data))
    return data


def answer(sock: socket.socket) -> tuple[int, bytes]:
    first, length = receive(sock, 2)
    if length == 126:
        length = int.from_bytes(receive(sock, 2), "big")
    elif length == 127:
        length = int.from_bytes(receive(sock, 8), "big")
    return first, receive(sock, length) if length else b""


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 3_000_000])
@pytest.mark.parametrize("opcode", [1, 2])
def test_a_message_comes_back(stream: socket.socket, opcode: int, size: int) -> None:
    payload = b"a" * size if opcode == 1 else os.urandom(size)
    stream.sendall(masked(0x80 | opcode, payload))
    assert answer(stream) == (0x80 | opcode, payload)


def test_fragments_come_back_as_one(stream: socket.socket) -> None:
    stream.sendall(masked(1, b"one ") + masked(0x89, b"ping") + masked(0x80, b"two"))
    assert answer(stream) == (0x8A, b"ping")
    assert answer(stream) == (0x81, b"one two")

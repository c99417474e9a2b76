"""The PROXY headers of proxies about their clients, version 2."""

from __future__ import annotations

import ipaddress
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticker.gateway.access.proxy import SIGNATURE, ProxyError, parse_header


def header(address: str, *, command: int = 0x21, extension: bytes = b"") -> bytes:
    packed = ipaddress.ip_address(address).packed
    family = 0x11 if len(packed) == 4 else 0x21
    body = packed + packed + struct.pack("!HH", 40_000, 443) + extension
    return SIGNATURE + bytes([command, family]) + struct.pack("!H", len(body)) + body


@pytest.mark.parametrize("address", ["203.0.113.7", "2001:db8::7"])
@pytest.mark.parametrize("extension", [b"", b"\x20\x00\x05tls13"])
def test_a_header_is_read_whole_and_byte_by_byte(address: str, extension: bytes) -> None:
    data = header(address, extension=extension)
    assert parse_header(data) == (len(data), address)
    assert parse_header(data + b"GET / HTTP/1.1") == (len(data), address)
    for end in range(len(data)):
        assert parse_header(data[:end]) is None


def test_a_proxys_own_connection_has_no_client() -> None:
    data = header("203.0.113.7", command=0x20)
    assert parse_header(data) == (len(data), None)
    unknown = SIGNATURE + b"\x21\x00\x00\x00"
    assert parse_header(unknown + b"x") == (16, None)


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n",
        b"PROXY TCP4 203.0.113.7 203.0.113.8 1 2\r\n",
        b"\r\n\r\n\x00\r\nQUIX",
        SIGNATURE + b"\x11\x11\x00\x0c",  # version 1
        SIGNATURE + b"\x22\x11\x00\x0c",  # no such command
        SIGNATURE + b"\x21\x11\x00\x0b",  # too short for two addresses
        SIGNATURE + b"\x21\x11\xff\xff",  # longer than anybody sends
    ],
)
def test_what_is_no_header_is_refused(data: bytes) -> None:
    with pytest.raises(ProxyError):
        parse_header(data)


@given(st.binary(max_size=80), st.booleans())
def test_any_bytes_are_a_header_or_one_error(data: bytes, signed: bool) -> None:
    try:
        found = parse_header(SIGNATURE + data if signed else data)
    except ProxyError:
        return
    assert found is None or found[0] >= 16


def test_an_ipv4_client_of_an_ipv6_socket_is_the_ipv4_client() -> None:
    assert parse_header(header("::ffff:203.0.113.7")) == (52, "203.0.113.7")

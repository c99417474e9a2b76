"""The client behind a proxy: the PROXY protocol's header, version 2.

Law: only a configured proxy is believed; the caller has checked the peer's address.
Source: "The PROXY protocol, versions 1 & 2" (HAProxy), section 2.2.
"""

from __future__ import annotations

import ipaddress
import struct

from ticker.gateway.access.addresses import canonical

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
HEAD = struct.Struct("!12sBBH")
MAX_LENGTH = 1024  # of addresses and extensions; HAProxy sends some 300 bytes at most
LOCAL, PROXIED = 0x20, 0x21
TCP_IPV4, TCP_IPV6 = 0x11, 0x21
ADDRESSES = {TCP_IPV4: 12, TCP_IPV6: 36}


class ProxyError(Exception):
    """The bytes are no PROXY header of version 2."""


def parse_header(data: bytes) -> tuple[int, str | None] | None:
    """The header at the start of `data`: its length and the client's address.

    None while it is incomplete. The address is None for a connection of the proxy's own (a health
    check), and for families without an address.

    Raises:
        ProxyError: there is no such header; nothing after it can be trusted.
    """
    if data[:12] != SIGNATURE[: len(data)]:
        raise ProxyError("the connection does not begin with a PROXY header of version 2")
    if len(data) < HEAD.size:
        return None
    _, command, family, length = HEAD.unpack_from(data)
    if command not in (LOCAL, PROXIED):
        raise ProxyError(f"PROXY header: version and command 0x{command:02x} are not 2.0 or 2.1")
    if length > MAX_LENGTH:
        raise ProxyError(f"PROXY header: {length} bytes, more than {MAX_LENGTH}")
    if command == PROXIED and length < ADDRESSES.get(family, 0):
        raise ProxyError(f"PROXY header: {length} bytes are too few for family 0x{family:02x}")
    end = HEAD.size + length
    if len(data) < end:
        return None
    if command == LOCAL or family not in ADDRESSES:
        return end, None
    size = 4 if family == TCP_IPV4 else 16
    return end, canonical(str(ipaddress.ip_address(data[HEAD.size : HEAD.size + size])))

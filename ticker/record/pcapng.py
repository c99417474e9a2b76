"""Packets as blocks of a pcapng file: times in nanoseconds, an interface for each line.

In: datagrams as a socket gives them. Out: bytes. A file that was cut anywhere can be read up to its
last whole block.

Source: draft-ietf-opsawg-pcapng; RFC 791 and RFC 768 for the headers, which a socket does not give.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence

RAW_IP = 101
"""The link type: packets begin with their IP header."""
SECTION, INTERFACE, PACKET, STATISTICS = 0x0A0D0D0A, 1, 6, 5
BYTE_ORDER = 0x1A2B3C4D
END, IF_NAME, IF_TSRESOL = 0, 2, 9
RECEIVED, DROPPED = 4, 5
NANOSECONDS = 9
UDP = 17
TTL = 1

Address = tuple[str, int]


def _block(kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    size = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + size + body + size


def _option(kind: int, value: bytes) -> bytes:
    return struct.pack("<HH", kind, len(value)) + value + bytes(-len(value) % 4)


def head(names: Sequence[str]) -> bytes:
    """The begin of a file whose interfaces have these names."""
    blocks = _block(SECTION, struct.pack("<IHHq", BYTE_ORDER, 1, 0, -1))
    for name in names:
        options = _option(IF_NAME, name.encode()) + _option(IF_TSRESOL, bytes([NANOSECONDS]))
        blocks += _block(INTERFACE, struct.pack("<HHI", RAW_IP, 0, 0) + options + _option(END, b""))
    return blocks


def packet(
    interface: int, time_ns: int, source: Address, destination: Address, payload: bytes
) -> bytes:
    """A datagram that came to an interface; the checksum of UDP is left out."""
    size = 28 + len(payload)
    start = struct.pack(
        ">BBHHHBBH4s4s",
        0x45, 0, size, 0, 0, TTL, UDP, 0,
        socket.inet_aton(source[0]), socket.inet_aton(destination[0]),
    )  # fmt: skip
    start = start[:10] + struct.pack(">H", _checksum(start)) + start[12:]
    udp = struct.pack(">HHHH", source[1], destination[1], 8 + len(payload), 0)
    about = struct.pack("<IIIII", interface, time_ns >> 32, time_ns & 0xFFFFFFFF, size, size)
    return _block(PACKET, about + start + udp + payload)


def _checksum(header: bytes) -> int:
    """Of an IP header, RFC 1071."""
    total = sum(struct.unpack(">10H", header))
    total = (total & 0xFFFF) + (total >> 16)
    return int(~(total + (total >> 16)) & 0xFFFF)


def statistics(interface: int, time_ns: int, received: int, dropped: int) -> bytes:
    """How many packets came to an interface up to now, and how many the kernel dropped."""
    options = _option(RECEIVED, struct.pack("<Q", received))
    options += _option(DROPPED, struct.pack("<Q", dropped)) + _option(END, b"")
    about = struct.pack("<III", interface, time_ns >> 32, time_ns & 0xFFFFFFFF)
    return _block(STATISTICS, about + options)

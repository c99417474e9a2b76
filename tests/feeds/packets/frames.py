"""Packets as they lie on a wire, layer by layer, and the capture files that they are kept in."""

from __future__ import annotations

import ipaddress
import struct

US, NS = 0xA1B2C3D4, 0xA1B23C4D
ETHERNET, RAW, SLL, SLL2, LOOPBACK = 1, 101, 113, 276, 0
PPP_LINK, PPP_HDLC, PPPOE_LINK, CISCO_HDLC, PPP_DIRECTION = 9, 50, 51, 104, 204
TIME = 1_580_371_634_909_934_123
GROUP, GROUP6, PORT = "233.54.12.111", "ff0e::7", 26477
SOURCE, SOURCE6 = "192.0.2.1", "2001:db8::1"


# From the payload outwards


def udp(payload: bytes, port: int = PORT, length: int | None = None) -> bytes:
    length = 8 + len(payload) if length is None else length
    return struct.pack(">HHHH", 1000, port, length, 0) + payload


def tcp(payload: bytes) -> bytes:
    return struct.pack(">HHIIBBHHH", 1000, PORT, 99, 0, 5 << 4, 0, 0, 0, 0) + payload


def ip4(
    body: bytes,
    protocol: int = 17,
    to: str = GROUP,
    fragment: int = 0,
    options: bytes = b"",
    number: int = 0,
    total: int | None = None,
) -> bytes:
    """`fragment`: the word of flags and offset; `number`: the identification."""
    words = 5 + len(options) // 4
    head = struct.pack(
        ">BBHHHBBH4s4s",
        0x40 | words,
        0,
        4 * words + len(body) if total is None else total,
        number,
        fragment,
        1,
        protocol,
        0,
        ipaddress.ip_address(SOURCE).packed,
        ipaddress.ip_address(to).packed,
    )
    return head + options + body


def ip6(body: bytes, kind: int = 17, to: str = GROUP6, length: int | None = None) -> bytes:
    length = len(body) if length is None else length
    head = struct.pack(">IHBB", 6 << 28, length, kind, 1)
    return head + ipaddress.ip_address(SOURCE6).packed + ipaddress.ip_address(to).packed + body


def options6(kind: int, body: bytes, words: int = 0) -> bytes:
    """An extension header of 8 * (1 + words) bytes; `kind` is of what follows."""
    return bytes([kind, words]) + bytes(6 + 8 * words) + body


def authentication(kind: int, body: bytes) -> bytes:
    return bytes([kind, 4]) + bytes(22) + body


def fragment6(kind: int, body: bytes, offset: int, more: bool, number: int) -> bytes:
    return struct.pack(">BBHI", kind, 0, offset | more, number) + body


def ethertype(packet: bytes) -> int:
    return 0x0800 if packet[0] >> 4 == 4 else 0x86DD


def ethernet(packet: bytes, *tags: int, kind: int | None = None) -> bytes:
    """A frame; `tags` are the EtherTypes of its VLAN tags, the outermost first."""
    marks = b"".join(struct.pack(">HH", tag, 7) for tag in tags)
    return bytes(12) + marks + struct.pack(">H", kind or ethertype(packet)) + packet


def snap(packet: bytes) -> bytes:
    head = struct.pack(">H", 8 + len(packet)) + b"\xaa\xaa\x03\0\0\0"
    return bytes(12) + head + struct.pack(">H", ethertype(packet)) + packet


def mpls(packet: bytes, labels: int = 1, control: bool = False) -> bytes:
    stack = b"".join(
        struct.pack(">I", 16 << 12 | (place == labels - 1) << 8) for place in range(labels)
    )
    return stack + bytes(4 if control else 0) + packet


def ppp(packet: bytes, *, control: bool = True, short: bool = False) -> bytes:
    kind = 0x21 if packet[0] >> 4 == 4 else 0x57
    head = bytes([kind]) if short else struct.pack(">H", kind)
    return (b"\xff\x03" if control else b"") + head + packet


def pppoe(packet: bytes) -> bytes:
    body = ppp(packet, control=False)
    return struct.pack(">BBHH", 0x11, 0, 1, len(body)) + body


# Tunnels


def gre(packet: bytes, kind: int | None = None, flags: int = 0) -> bytes:
    """`flags`: 0x8000 with a checksum, 0x2000 with a key, 0x1000 with a sequence number."""
    words = sum(bool(flags & flag) for flag in (0x8000, 0x2000, 0x1000))
    return struct.pack(">HH", flags, kind or ethertype(packet)) + bytes(4 * words) + packet


def pptp(packet: bytes, acknowledged: bool = False) -> bytes:
    body = ppp(packet)
    flags = 0x3001 | 0x0080 * acknowledged
    words = bytes(4 * (1 + acknowledged))
    return struct.pack(">HHHH", flags, 0x880B, len(body), 7) + words + body


def erspan(frame: bytes, kind: int = 2, *, cut: bool = False, platform: bool = False) -> bytes:
    """Of type I, II or III; III may have a platform's subheader. `cut`: the switch says so."""
    mark = 4 * cut
    if kind == 1:
        return gre(frame, 0x88BE)
    if kind == 2:
        return gre(bytes([0x10, 7, mark, 1]) + bytes(4) + frame, 0x88BE, 0x1000)
    head = bytes([0x20, 7, mark, 1]) + bytes(6) + bytes([0, int(platform)])
    return gre(head + bytes(8 * platform) + frame, 0x22EB, 0x1000)


def vxlan(frame: bytes, port: int = 4789) -> bytes:
    return udp(b"\x08\0\0\0\0\0\x2a\0" + frame, port)


def geneve(packet: bytes, kind: int = 0x6558, options: bytes = b"") -> bytes:
    head = struct.pack(">BBHI", len(options) // 4, 0, kind, 7 << 8)
    return udp(head + options + packet, 6081)


def ether_ip(frame: bytes) -> bytes:
    return b"\x30\0" + frame


# Fragments


def fragments4(
    body: bytes, size: int, number: int = 1, protocol: int = 17, to: str = GROUP
) -> list[bytes]:
    """The IPv4 packets of what is too long for one; `size` of each piece, a multiple of 8."""
    return [
        ip4(
            body[at : at + size],
            protocol,
            to,
            at // 8 | (0x2000 if at + size < len(body) else 0),
            number=number,
        )
        for at in range(0, len(body), size)
    ]


def fragments6(body: bytes, size: int, number: int = 1, kind: int = 17) -> list[bytes]:
    return [
        ip6(fragment6(kind, body[at : at + size], at, at + size < len(body), number), 44)
        for at in range(0, len(body), size)
    ]


# Files


def pcap(
    *frames: bytes,
    magic: int = US,
    link: int = ETHERNET,
    order: str = "<",
    snaplen: int = 1 << 20,
    time: int = TIME,
) -> bytes:
    out = bytearray(struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, snaplen, link))
    fraction = time % 10**9 if magic == NS else time % 10**9 // 1000
    for frame in frames:
        kept = frame[:snaplen]
        out += struct.pack(order + "IIII", time // 10**9, fraction, len(kept), len(frame))
        out += kept
    return bytes(out)


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    body += bytes(-len(body) % 4)
    size = struct.pack(order + "I", 12 + len(body))
    return struct.pack(order + "I", kind) + size + body + size


def option(kind: int, value: bytes, order: str) -> bytes:
    return struct.pack(order + "HH", kind, len(value)) + value + bytes(-len(value) % 4)


def section(order: str = "<", resolution: int = 9, offset: int = 0, snaplen: int = 0) -> bytes:
    """The blocks before the packets of a pcapng file."""
    head = struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1)
    options = option(9, bytes([resolution]), order)
    options += option(14, struct.pack(order + "q", offset), order) + option(0, b"", order)
    interface = struct.pack(order + "HHI", ETHERNET, 0, snaplen) + options
    return block(0x0A0D0D0A, head, order) + block(1, interface, order) + block(5, bytes(12), order)


def pcapng(
    *frames: bytes,
    order: str = "<",
    resolution: int = 9,
    offset: int = 0,
    snaplen: int = 1 << 20,
    time: int = TIME,
) -> bytes:
    out = section(order, resolution, offset)
    ticks = 2 ** (resolution & 0x7F) if resolution & 0x80 else 10**resolution
    stamp = (time - offset * 10**9) * ticks // 10**9
    for frame in frames:
        kept = frame[:snaplen]
        head = struct.pack(
            order + "IIIII", 0, stamp >> 32, stamp & 0xFFFFFFFF, len(kept), len(frame)
        )
        out += block(6, head + kept, order)
    return out


def simple_blocks(*frames: bytes, snaplen: int = 1 << 20) -> bytes:
    """A pcapng file of simple packet blocks: they have no time."""
    found = (block(3, struct.pack("<I", len(frame)) + frame[:snaplen]) for frame in frames)
    return section(snaplen=snaplen) + b"".join(found)

"""A datagram is found in every kind of packet; skipped packets are named and counted."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.feeds.packets.frames import (
    CISCO_HDLC,
    ETHERNET,
    GROUP,
    GROUP6,
    LOOPBACK,
    PORT,
    PPP_DIRECTION,
    PPP_HDLC,
    PPP_LINK,
    PPPOE_LINK,
    RAW,
    SLL,
    SLL2,
    authentication,
    erspan,
    ether_ip,
    ethernet,
    geneve,
    gre,
    ip4,
    ip6,
    mpls,
    options6,
    pcap,
    ppp,
    pppoe,
    pptp,
    snap,
    tcp,
    udp,
    vxlan,
)
from ticker.feeds.transports.pcap import Capture

Read = Callable[..., Capture]
V4, V6 = ip4(udp(b"hello")), ip6(udp(b"hello"))
FRAME, FRAME6 = ethernet(V4), ethernet(V6)


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def of(*frames: bytes, link: int = ETHERNET, **options: Any) -> Capture:
        path = tmp_path / "some.pcap"
        path.write_bytes(pcap(*frames, link=link))
        return Capture(path, **options)

    return of


def nested(packet: bytes, pack: Callable[[bytes], bytes], times: int) -> bytes:
    for _ in range(times):
        packet = pack(packet)
    return packet


LINKS = {
    "vlan": (ETHERNET, ethernet(V4, 0x8100)),
    "provider vlan": (ETHERNET, ethernet(V4, 0x88A8, 0x8100)),
    "9100": (ETHERNET, ethernet(V4, 0x9100, 0x8100)),
    "9200": (ETHERNET, ethernet(V6, 0x9200, 0x8100)),
    "three tags": (ETHERNET, ethernet(V4, 0x88A8, 0x9200, 0x8100)),
    "padding": (ETHERNET, FRAME + bytes(9)),
    "options": (ETHERNET, ethernet(ip4(udp(b"hello"), options=bytes(8)))),
    "no length": (ETHERNET, ethernet(ip4(udp(b"hello", length=0), total=0))),
    "ipv6": (ETHERNET, FRAME6),
    "snap": (ETHERNET, snap(V4)),
    "raw": (RAW, V4),
    "raw 6": (RAW, V6),
    "cooked": (SLL, bytes(14) + b"\x08\x00" + V4),
    "cooked vlan": (SLL, bytes(14) + b"\x81\x00\0\7\x86\xdd" + V6),
    "cooked 2": (SLL2, b"\x08\x00" + bytes(18) + V4),
    "cooked 2 vlan": (SLL2, b"\x81\x00" + bytes(18) + b"\0\7\x08\0" + V4),
    "cooked 2 two vlans": (SLL2, b"\x88\xa8" + bytes(18) + b"\0\7\x81\0\0\7\x08\0" + V4),
    "loopback": (LOOPBACK, b"\2\0\0\0" + V4),
    "ppp": (PPP_LINK, ppp(V4)),
    "ppp 6 bare": (PPP_LINK, ppp(V6, control=False)),
    "ppp short": (PPP_HDLC, ppp(V4, control=False, short=True)),
    "ppp direction": (PPP_DIRECTION, b"\0" + ppp(V4)),
    "cisco in ppp": (PPP_HDLC, b"\x0f\0\x08\0" + V4),
    "cisco": (CISCO_HDLC, b"\x8f\0\x86\xdd" + V6),
    "pppoe link": (PPPOE_LINK, pppoe(V4)),
    "pppoe": (ETHERNET, ethernet(pppoe(V6), 0x8100, kind=0x8864)),
    "mpls": (ETHERNET, ethernet(mpls(V4), kind=0x8847)),
    "mpls 3": (ETHERNET, ethernet(mpls(V6, 3), 0x8100, kind=0x8848)),
    "pseudowire": (ETHERNET, ethernet(mpls(b"\x02" + FRAME[1:]), kind=0x8847)),
    "control word": (ETHERNET, ethernet(mpls(FRAME, 2, control=True), kind=0x8847)),
    "mpls in ppp": (PPP_LINK, b"\xff\x03\x02\x81" + mpls(V4)),
}
TUNNELS = {
    "gre": ip4(gre(V4), 47),
    "gre in ipv6": ip6(gre(V6), 47),
    "ipv6 in gre": ip4(gre(V6), 47),
    "gre with all": ip4(gre(V4, flags=0xB000), 47),
    "gre key": ip4(gre(V4, flags=0x2000), 47),
    "nvgre": ip4(gre(ethernet(V4, 0x8100), 0x6558, 0x2000), 47),
    "mpls in gre": ip4(gre(mpls(V4, 2), 0x8847), 47),
    "gre in gre": ip4(gre(ip6(gre(V4), 47)), 47),
    "pptp": ip4(pptp(V4), 47),
    "pptp acknowledged": ip4(pptp(V6, True), 47),
    "erspan 1": ip4(erspan(FRAME, 1), 47),
    "erspan 2": ip4(erspan(ethernet(V4, 0x8100)), 47),
    "erspan 3": ip4(erspan(FRAME6, 3), 47),
    "erspan 3 platform": ip6(erspan(FRAME, 3, platform=True), 47),
    "erspan in vlan": ip4(erspan(ethernet(V6, 0x9100, 0x8100), 3), 47),
    "vxlan": ip4(vxlan(FRAME)),
    "vxlan old port": ip4(vxlan(FRAME, 8472)),
    "vlan in vxlan": ip4(vxlan(ethernet(V6, 0x88A8, 0x8100))),
    "vxlan in ipv6": ip6(vxlan(FRAME)),
    "vxlan in vxlan": nested(V4, lambda inner: ip4(vxlan(ethernet(inner))), 3),
    "geneve": ip4(geneve(FRAME, options=bytes(12))),
    "geneve ip": ip6(geneve(V6, 0x86DD)),
    "ip in ip": ip4(V4, 4),
    "4 in 6": ip6(V4, 4),
    "6 in 4": ip4(V6, 41),
    "mpls in ip": ip4(mpls(V4, 2), 137),
    "ether ip": ip6(ether_ip(ethernet(V4, 0x8100)), 97),
    "hop by hop": ip6(options6(17, udp(b"hello")), 0),
    "routing": ip6(options6(17, udp(b"hello"), 2), 43),
    "all extensions": ip6(
        options6(43, options6(60, options6(51, authentication(17, udp(b"hello")), 1), 2)), 0
    ),
    "mobility": ip6(options6(17, udp(b"hello")), 135),
    "gre behind options": ip6(options6(47, gre(V4)), 60),
    "authentication": ip4(authentication(17, udp(b"hello")), 51),
    "a whole fragment": ip6(bytes([17, 0, 0, 0, 0, 0, 0, 9]) + udp(b"hello"), 44),
}


@pytest.mark.parametrize(("link", "frame"), LINKS.values(), ids=LINKS)
def test_link_layers(read: Read, link: int, frame: bytes) -> None:
    found = read(frame, link=link)
    assert [payload for payload, _, _ in found] == [b"hello"]
    assert (found.destination[1], found.not_read, found.cut) == (PORT, {}, 0)


@pytest.mark.parametrize("packet", TUNNELS.values(), ids=TUNNELS)
def test_tunnels(read: Read, packet: bytes) -> None:
    found = read(ethernet(packet))
    assert [payload for payload, _, _ in found] == [b"hello"]
    assert (found.destination[1], found.not_read, found.cut) == (PORT, {}, 0)


def test_the_address_is_that_of_the_innermost_packet(read: Read) -> None:
    inner = ip6(udp(b"hello"), to=GROUP6)
    found = read(ethernet(ip4(gre(inner), 47, to="198.51.100.7")), lines=[f"[{GROUP6}]:{PORT}"])
    assert [payload for payload, _, _ in found] == [b"hello"]
    assert found.destination == (GROUP6, PORT)
    inner = ip4(udp(b"hello"), to=GROUP)
    found = read(ethernet(ip6(vxlan(ethernet(inner)))), lines=[f"{GROUP}:{PORT}"])
    assert [payload for payload, _, _ in found] == [b"hello"]


@pytest.mark.parametrize("payload", [b"not a tunnel", b"\x08\1\2\3\0\0\0\0" + FRAME, b"\x08"])
def test_a_datagram_to_the_port_of_a_tunnel_may_be_none(read: Read, payload: bytes) -> None:
    for port in (4789, 8472, 6081):
        found = read(ethernet(ip4(udp(payload, port))))
        assert [each for each, _, _ in found] == [payload]


@pytest.mark.parametrize(
    "pack",
    [
        lambda inner: ip6(inner, 41 if inner[0] >> 4 == 6 else 4),
        lambda inner: ip4(gre(inner), 47),
        lambda inner: ip4(vxlan(ethernet(inner))),
        lambda inner: ip6(geneve(ethernet(inner))),
    ],
)
def test_tunnels_end_somewhere(read: Read, pack: Callable[[bytes], bytes]) -> None:
    found = read(ethernet(nested(V4, pack, 9)))
    assert [payload for payload, _, _ in found] == [b"hello"]
    found = read(ethernet(nested(V4, pack, 40)))
    assert list(found) == []
    assert found.not_read == {"too many layers": 1}


UNREAD = {
    "EtherType 0x0806 (ARP)": ethernet(b"arp", kind=0x0806),
    "EtherType 0x88cc (LLDP)": ethernet(b"lldp", kind=0x88CC),
    "IP protocol 1 (ICMP)": ethernet(ip4(udp(b"x"), 1)),
    "IP protocol 6 (TCP)": ethernet(ip4(tcp(b"x"), 6)),
    "IP protocol 50 (ESP)": ethernet(ip4(gre(ip6(b"secret", 50)), 47)),
    "IP protocol 59 (nothing)": ethernet(ip6(options6(59, b""), 60)),
    "IP protocol 115 (L2TP)": ethernet(ip4(b"tunnel", 115)),
    "EtherType 0x1234": ethernet(ip4(gre(b"other", 0x1234), 47)),
    "PPP protocol 0xc021 (LCP)": ethernet(
        struct.pack(">BBHH", 0x11, 0, 1, 4) + b"\xc0\x21\0\0", kind=0x8864
    ),
    "IEEE 802.3 frames without SNAP": bytes(12) + b"\0\x26" + b"\x42\x42\x03" + bytes(35),
}


@pytest.mark.parametrize(("reason", "frame"), UNREAD.items(), ids=UNREAD)
def test_what_is_not_read_is_named(read: Read, reason: str, frame: bytes) -> None:
    found = read(frame, FRAME, frame)
    assert [payload for payload, _, _ in found] == [b"hello"]
    assert found.not_read == {reason: 2}
    assert found.others == 2


def test_a_link_type_that_is_not_read(read: Read) -> None:
    found = read(FRAME, link=147)
    assert list(found) == []
    assert found.not_read == {"link type 147": 1}


MALFORMED = {
    "ip version": ethernet(b"\x55" + V4[1:], kind=0x0800),
    "ip header": ethernet(b"\x44" + V4[1:], kind=0x0800),
    "ip total": ethernet(ip4(udp(b"hello"), total=19)),
    "ip short": ethernet(ip4(b"short")),
    "udp length": ethernet(ip4(udp(b"hello", length=7))),
    "extension": ethernet(ip6(b"", 60)),
    "extension that goes on": ethernet(ip6(bytes([17, 9]) + bytes(6) + udp(b"hello"), 60)),
    "gre version": ethernet(ip4(gre(V4, flags=3), 47)),
    "gre words": ethernet(ip4(gre(b"", 0x0800, 0xB000)[:8], 47)),
    "erspan version": ethernet(ip4(gre(b"\x70" + bytes(7) + FRAME, 0x22EB, 0x1000), 47)),
    "ether ip": ethernet(ip4(b"\x40\0" + FRAME, 97)),
    "pppoe": ethernet(b"\x22" + pppoe(V4)[1:], kind=0x8864),
    "frame": b"",
    "vlan": ethernet(V4, 0x8100)[:16],
    "raw": ethernet(ip4(gre(b"\x70", 0x0800), 47)),
}


@pytest.mark.parametrize("frame", MALFORMED.values(), ids=MALFORMED)
def test_what_is_malformed_is_counted(read: Read, frame: bytes) -> None:
    found = read(frame)
    assert list(found) == []
    assert found.not_read == {"malformed": 1}


def test_many_kinds_are_counted_together(read: Read) -> None:
    frames = [ethernet(b"?", kind=0x1000 + number) for number in range(40)]
    found = read(*frames)
    assert list(found) == []
    assert found.not_read["of further kinds"] == 8
    assert sum(found.not_read.values()) == 40


def test_tcp_payloads_if_asked_for(read: Read) -> None:
    frames = [ethernet(ip4(tcp(payload), 6)) for payload in (b"one", b"", b"two")]
    found = read(*frames, with_tcp=True)
    assert [payload for payload, _, _ in found] == [b"one", b"two"]
    assert found.not_read == {"IP protocol 6 (TCP)": 1}


def test_cut_packets_give_what_there_is(tmp_path: Path) -> None:
    path = tmp_path / "cut.pcap"
    for frame in (FRAME, ethernet(V4, 0x8100), ethernet(ip4(vxlan(FRAME6))), FRAME + bytes(20)):
        for snaplen in range(1, len(frame) + 1):
            path.write_bytes(pcap(frame, snaplen=snaplen))
            found = Capture(path)
            payloads = [payload for payload, _, _ in found]
            assert payloads in ([], [b"hello"[: len(payloads[0])] if payloads else b""])
            whole = payloads == [b"hello"]
            assert found.cut == (len(payloads) and not whole)
            assert found.not_read == ({} if payloads else {"cut short by the capture": 1})
        assert whole

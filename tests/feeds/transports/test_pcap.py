"""Captures: every format, link type and byte order gives the same datagrams; damage is said."""

from __future__ import annotations

import gzip
import ipaddress
import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ticker.errors import FeedError
from ticker.feeds.protocol import MessageLog
from ticker.feeds.sessions.moldudp64 import MoldUDP64
from ticker.feeds.transports.pcap import Capture, blocks
from ticker.shm.counters import Counters
from ticker.shm.segment import Geometry, private_feed

US, NS = 0xA1B2C3D4, 0xA1B23C4D
ETHERNET, RAW, SLL, SLL2, LOOPBACK = 1, 101, 113, 276, 0
TIME = 1_580_371_634_909_934_123
LINE_A, LINE_B = "233.54.12.111:26477", "[ff0e::7]:26478"


def udp(payload: bytes, port: int = 26477) -> bytes:
    return struct.pack(">HHHH", 1000, port, 8 + len(payload), 0) + payload


def tcp(payload: bytes) -> bytes:
    return struct.pack(">HHIIBBHHH", 1000, 26477, 99, 0, 5 << 4, 0, 0, 0, 0) + payload


def ip4(
    body: bytes,
    protocol: int = 17,
    to: str = "233.54.12.111",
    fragment: int = 0,
    options: bytes = b"",
) -> bytes:
    words = 5 + len(options) // 4
    head = struct.pack(
        ">BBHHHBBH4s4s",
        0x40 | words,
        0,
        4 * words + len(body),
        0,
        fragment,
        1,
        protocol,
        0,
        bytes(4),
        ipaddress.ip_address(to).packed,
    )
    return head + options + body


def ip6(body: bytes, kind: int = 17, to: str = "ff0e::7") -> bytes:
    head = struct.pack(">IHBB", 6 << 28, len(body), kind, 1)
    return head + bytes(16) + ipaddress.ip_address(to).packed + body


def ethernet(packet: bytes, *tags: int, kind: int | None = None) -> bytes:
    kind = kind or (0x0800 if packet[0] >> 4 == 4 else 0x86DD)
    marks = b"".join(struct.pack(">HH", tag, 7) for tag in tags)
    return bytes(12) + marks + struct.pack(">H", kind) + packet


def pcap(*frames: bytes, magic: int = US, link: int = ETHERNET, order: str = "<") -> bytes:
    out = bytearray(struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, link))
    fraction = TIME % 10**9 if magic == NS else TIME % 10**9 // 1000
    for frame in frames:
        out += struct.pack(order + "IIII", TIME // 10**9, fraction, len(frame), len(frame))
        out += frame
    return bytes(out)


def block(kind: int, body: bytes, order: str) -> bytes:
    body += bytes(-len(body) % 4)
    size = struct.pack(order + "I", 12 + len(body))
    return struct.pack(order + "I", kind) + size + body + size


def option(kind: int, value: bytes, order: str) -> bytes:
    return struct.pack(order + "HH", kind, len(value)) + value + bytes(-len(value) % 4)


def pcapng(*frames: bytes, order: str = "<", resolution: int = 9, offset: int = 0) -> bytes:
    section = struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1)
    options = option(9, bytes([resolution]), order)
    options += option(14, struct.pack(order + "q", offset), order) + option(0, b"", order)
    out = block(0x0A0D0D0A, section, order)
    out += block(1, struct.pack(order + "HHI", ETHERNET, 0, 0) + options, order)
    out += block(5, bytes(12), order)
    ticks = 2 ** (resolution & 0x7F) if resolution & 0x80 else 10**resolution
    stamp = (TIME - offset * 10**9) * ticks // 10**9
    for frame in frames:
        head = struct.pack(
            order + "IIIII", 0, stamp >> 32, stamp & 0xFFFFFFFF, len(frame), len(frame)
        )
        out += block(6, head + frame, order)
    return out


@pytest.fixture
def capture(tmp_path: Path):
    def write(data: bytes, **options: object) -> Capture:
        path = tmp_path / "some.pcap"
        path.write_bytes(data)
        return Capture(path, **options)

    return write


FRAME = ethernet(ip4(udp(b"hello")))


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(("magic", "time"), [(US, TIME // 1000 * 1000), (NS, TIME)])
def test_pcap_in_both_byte_orders(capture, order: str, magic: int, time: int) -> None:
    found = capture(pcap(FRAME, FRAME, magic=magic, order=order))
    assert list(found) == [(b"hello", time, 0)] * 2
    assert (found.packets, found.datagrams, found.others, found.truncated) == (2, 2, 0, False)
    assert found.destination == ("233.54.12.111", 26477)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(
    ("resolution", "offset", "grain"),
    [(9, 0, 1), (6, 0, 1000), (3, 3600, 10**6), (0x80 | 20, -60, 1000), (10, 0, 1)],
)
def test_pcapng(capture, order: str, resolution: int, offset: int, grain: int) -> None:
    found = capture(pcapng(FRAME, order=order, resolution=resolution, offset=offset))
    [(payload, time, line)] = found
    assert (payload, line) == (b"hello", 0)
    assert abs(time - TIME) <= grain
    assert not found.truncated


def test_pcapng_with_simple_and_unknown_blocks_and_two_sections(capture) -> None:
    one = pcapng(FRAME)
    simple = block(3, struct.pack("<I", len(FRAME)) + FRAME, "<")
    found = capture(one + simple + pcapng(FRAME, order=">"))
    assert [payload for payload, _, _ in found] == [b"hello"] * 3


@pytest.mark.parametrize(
    ("link", "frame"),
    [
        (ETHERNET, ethernet(ip4(udp(b"hello")), 0x8100)),
        (ETHERNET, ethernet(ip4(udp(b"hello")), 0x88A8, 0x8100)),
        (ETHERNET, ethernet(ip4(udp(b"hello"))) + bytes(9)),
        (ETHERNET, ethernet(ip4(udp(b"hello"), options=bytes(8)))),
        (ETHERNET, ethernet(ip6(udp(b"hello")))),
        (ETHERNET, ethernet(ip6(bytes([17, 0]) + bytes(6) + udp(b"hello"), kind=0))),
        (RAW, ip4(udp(b"hello"))),
        (RAW, ip6(udp(b"hello"))),
        (SLL, bytes(14) + b"\x08\x00" + ip4(udp(b"hello"))),
        (SLL2, b"\x08\x00" + bytes(18) + ip4(udp(b"hello"))),
        (LOOPBACK, b"\2\0\0\0" + ip4(udp(b"hello"))),
    ],
)
def test_link_layers(capture, link: int, frame: bytes) -> None:
    assert [payload for payload, _, _ in capture(pcap(frame, link=link))] == [b"hello"]


@pytest.mark.parametrize(
    ("link", "frame"),
    [
        (ETHERNET, b""),
        (ETHERNET, ethernet(b"arp", kind=0x0806)),
        (ETHERNET, ethernet(ip4(udp(b"x")), 0x8100)[:17]),
        (ETHERNET, ethernet(ip4(udp(b"x"), fragment=0x2000))),
        (ETHERNET, ethernet(ip4(udp(b"x"), fragment=1))),
        (ETHERNET, ethernet(ip4(udp(b"x"), protocol=1))),
        (ETHERNET, ethernet(ip4(b"short"))),
        (ETHERNET, ethernet(ip6(b"", kind=60))),
        (ETHERNET, ethernet(ip4(tcp(b"x"), protocol=6))),
        (147, FRAME),
    ],
)
def test_what_is_no_datagram_is_counted(capture, link: int, frame: bytes) -> None:
    found = capture(pcap(frame, link=link))
    assert list(found) == []
    assert (found.packets, found.others) == (1, 1)


def test_tcp_payloads_if_asked_for(capture) -> None:
    frames = [ethernet(ip4(tcp(payload), protocol=6)) for payload in (b"one", b"", b"two")]
    found = capture(pcap(*frames), with_tcp=True)
    assert [payload for payload, _, _ in found] == [b"one", b"two"]
    assert found.others == 1


def test_lines_by_destination(capture) -> None:
    frames = [
        ethernet(ip6(udp(b"b", 26478))),
        ethernet(ip4(udp(b"a"))),
        ethernet(ip4(udp(b"port", 1))),
        ethernet(ip4(udp(b"address"), to="233.54.12.112")),
    ]
    found = capture(pcap(*frames), lines=[LINE_A, LINE_B])
    assert [(payload, line) for payload, _, line in found] == [(b"b", 1), (b"a", 0)]
    assert found.others == 2


@pytest.mark.slow
@pytest.mark.parametrize("make", [pcap, pcapng])
def test_a_capture_cut_at_any_byte(capture, make) -> None:
    head = len(make())
    whole = make(FRAME, FRAME)
    for cut in range(max(head, 24), len(whole)):
        found = capture(whole[:cut])
        before = (cut - head) // ((len(whole) - head) // 2)
        assert len(list(found)) == before
        assert found.truncated == (cut not in (head, head + (len(whole) - head) // 2))


@pytest.mark.slow
def test_gzip_is_read_in_windows(tmp_path: Path) -> None:
    path = tmp_path / "some.pcap.gz"
    frames = [ethernet(ip4(udp(struct.pack(">I", i) * 300))) for i in range(8000)]
    data = pcap(*frames)
    assert len(data) > 2 * (4 << 20)
    path.write_bytes(gzip.compress(data, 1))
    found = Capture(path)
    assert [payload[:4] for payload, _, _ in found] == [struct.pack(">I", i) for i in range(8000)]
    assert not found.truncated
    path.write_bytes(path.read_bytes()[:-20_000])
    cut = Capture(path)
    assert 0 < len(list(cut)) < 8000
    assert cut.truncated
    assert "end-of-stream" in cut.error


def test_a_packet_larger_than_the_window(tmp_path: Path) -> None:
    path = tmp_path / "large.pcap.gz"
    path.write_bytes(gzip.compress(pcap(bytes(6 << 20), FRAME), 1))
    assert [payload for payload, _, _ in Capture(path)] == [b"hello"]


@pytest.mark.parametrize("data", [b"", b"x", b"\x1f\x8b", b"no capture, but long enough for one"])
def test_what_is_no_capture_is_refused(capture, data: bytes) -> None:
    with pytest.raises(FeedError, match=r"some\.pcap"):
        capture(data)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FeedError, match="No such file"):
        Capture(tmp_path / "nothing.pcap")


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_damage_gives_packets_or_an_end(capture, data: st.DataObject) -> None:
    make = data.draw(st.sampled_from([pcap, pcapng]))
    whole = bytearray(make(FRAME, ethernet(ip6(udp(b"six"))), ethernet(ip4(udp(b"x")), 0x8100)))
    for _ in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = capture(bytes(whole), with_tcp=True)
    except FeedError:
        return
    assert all(len(payload) < len(whole) for payload, _, _ in found)


def test_every_sample_opens(samples: Path) -> None:
    paths = [path for path in samples.rglob("*.pcap*") if path.suffix in (".pcap", ".gz")]
    assert len(paths) > 80
    for path in paths:
        found = Capture(path, with_tcp=True)
        assert len(list(found)) > 0
        assert not found.truncated


def test_the_real_capture_by_moldudp64(samples: Path) -> None:
    path = samples / "itch" / "locate-13-10k.mold.pcap"
    raw = (samples / "itch" / "locate-13-10k.bin").read_bytes()
    messages, at = [], 0
    while at < len(raw):
        length = int.from_bytes(raw[at : at + 2], "big")
        messages.append(raw[at + 2 : at + 2 + length])
        at += 2 + length
    mapping = private_feed(Geometry(16, 1, 16), 1, 0)
    log = MessageLog()
    session = MoldUDP64(log, mapping)
    assert blocks(path).replay(session) == 2192
    counts = Counters(mapping)
    assert log.messages == messages
    assert session.ended
    assert counts["messages"] == 10_000
    assert (counts["packets"], counts["heartbeats"], counts["gaps"]) == (2192, 438, 0)

"""Readers of files: packet captures, BinaryFILE days, FIX logs; plain and gzip.

A gzip file of a few bytes may hold megabytes, which are decompressed in blocks: what is timed is
each block.
"""

from __future__ import annotations

import gzip
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.fuzz.subject import Subject, capture_files, chunks, sample_files
from tests.fuzz.target import Target
from ticker.errors import FeedError
from ticker.feeds.protocol import MessageLog
from ticker.feeds.protocols.itch50 import Itch50
from ticker.feeds.sessions.binaryfile import BinaryFile
from ticker.feeds.transports import binaryfile, fix
from ticker.feeds.transports.pcap import Capture


class File:
    """A file in memory whose content is the input."""

    def __init__(self) -> None:
        self.fd = os.memfd_create("ticker-fuzz")
        self.path = Path(f"/proc/self/fd/{self.fd}")

    def __del__(self) -> None:
        os.close(self.fd)

    def put(self, data: bytes) -> None:
        """Replace the content; nobody has it mapped."""
        os.ftruncate(self.fd, 0)
        os.pwrite(self.fd, data, 0)


class Captured(File):
    """A capture, read for UDP and for TCP."""

    def __call__(self, data: bytes) -> Iterator[None]:
        self.put(data)
        for with_tcp in (False, True):
            capture = Capture(self.path, ("239.192.0.1:26477",)[:with_tcp], with_tcp=with_tcp)
            try:
                for payload, _, line in capture:
                    assert len(payload) <= 65_535
                    assert line in (0, 1, 2)
                    yield
                capture.destination  # noqa: B018
                not_read = sum(capture.not_read.values())
                joined = capture.datagrams + capture.fragments_joined
                assert capture.packets == joined + not_read
            finally:
                capture.close()


class Blocks(File):
    """A file transport; what it gives is no more than what gzip can make of it."""

    def __init__(self, blocks: Callable[..., Iterator[tuple[bytes, int, int]]]) -> None:
        super().__init__()
        self.blocks = blocks

    def __call__(self, data: bytes) -> Iterator[None]:
        self.put(data)
        total = 0
        for chunk, _, _ in self.blocks(self.path, lambda: 1):
            total += len(chunk)
            yield
        assert total <= 1100 * len(data)


class Day(Subject):
    """BinaryFILE in chunks of the first byte's size, decoded as ITCH."""

    def __init__(self) -> None:
        super().__init__(Itch50)

    def __call__(self, data: bytes) -> None:
        whole, cut = MessageLog(), MessageLog()
        BinaryFile(whole, self.mapping).receive_data(data, 0, self.now)
        sessions = (BinaryFile(cut, self.mapping), BinaryFile(self.protocol, self.mapping))
        for chunk in chunks(data):
            for session in sessions:
                session.receive_data(chunk, 0, self.now)
        assert whole.messages == cut.messages
        self.check()


def udp(payload: bytes, port: int = 26477) -> bytes:
    """An Ethernet frame of an IPv4 UDP datagram, for an empty payload a TCP segment."""
    kind = 17 if payload else 6
    segment = struct.pack(">HHHH", 1, port, 8 + len(payload), 0) + payload
    if not payload:
        segment = struct.pack(">HHIIHHHH", 1, port, 1, 1, 0x5018, 1, 0, 0) + b"tcp"
    length = 20 + len(segment)
    ip = struct.pack(">BBHHHBBH", 0x45, 0, length, 1, 0, 64, kind, 0) + bytes([10, 0, 0, 1])
    return bytes(12) + b"\x08\x00" + ip + bytes([239, 192, 0, 1]) + segment


def pcap(order: str = "<", link: int = 1) -> bytes:
    """Four packets in the classic form."""
    found = struct.pack(order + "IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, link)
    for payload in (b"hello", b"", b"x" * 100, b"\0" * 20):
        packet = udp(payload) if link == 1 else udp(payload)[14:]
        found += struct.pack(order + "IIII", 1, 2, len(packet), len(packet)) + packet
    return found


def pcapng() -> bytes:
    """A section with an interface and packets in the three blocks that hold one."""

    def block(kind: int, body: bytes) -> bytes:
        body += bytes(-len(body) % 4)
        return struct.pack("<II", kind, 12 + len(body)) + body + struct.pack("<I", 12 + len(body))

    packet = udp(b"hello")
    options = struct.pack("<HHB3xHHq", 9, 1, 9, 14, 8, 5)
    return (
        block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
        + block(1, struct.pack("<HHI", 1, 0, 0) + options)
        + block(6, struct.pack("<IIIII", 0, 1, 2, len(packet), len(packet)) + packet)
        + block(3, struct.pack("<I", len(packet)) + packet)
        + block(2, struct.pack("<HHIIII", 0, 0, 1, 2, len(packet), len(packet)) + packet)
        + block(4, b"skipped!")
    )


def plain_captures() -> list[bytes]:
    """Both forms, both byte orders, all links, and the start of each real one."""
    links = [pcap(link=link) for link in (0, 12, 101, 113, 228, 276)]
    real = [data for data in capture_files("*/**/*.pcap", 3000) if len(data) < 3000]
    claims = pcap() + struct.pack("<IIII", 1, 2, 60 << 20, 60 << 20) + bytes(1000)
    return [pcap(), pcap(">"), pcapng(), claims, *links, *real]


def packed(seeds: list[bytes]) -> list[bytes]:
    """The same as gzip files: whole, and without compression, so that mutations reach the
    inside."""
    return [gzip.compress(seed, level, mtime=0) for seed in seeds[:20] for level in (0, 6)]


def days() -> list[bytes]:
    """Samples of ITCH, which are BinaryFILE."""
    return [*sample_files("itch50"), *capture_files("itch/*.bin", 2000)]


TARGETS = [
    Target(
        name="pcap",
        covers=("ticker.feeds.transports.pcap",),
        start=Captured,
        seeds=plain_captures,
        errors=(FeedError,),
        per_subject=1000,
    ),
    Target(
        name="pcap-gzip",
        covers=("ticker.feeds.transports.pcap",),
        start=Captured,
        seeds=lambda: packed(plain_captures()),
        errors=(FeedError,),
        per_subject=1000,
    ),
    Target(
        name="binaryfile",
        covers=("ticker.feeds.sessions.binaryfile",),
        start=Day,
        seeds=days,
        per_subject=64,
    ),
    Target(
        name="binaryfile-blocks",
        covers=("ticker.feeds.transports.binaryfile",),
        start=lambda: Blocks(binaryfile.blocks),
        seeds=lambda: [*days(), *packed(days())],
        errors=(FeedError,),
        per_subject=1000,
    ),
    Target(
        name="fix-blocks",
        covers=("ticker.feeds.transports.fix",),
        start=lambda: Blocks(fix.blocks),
        seeds=lambda: [b"8=FIX.4.4|9=5|35=0|10=000|\n", *packed([b"8=FIX.4.4|9=5|35=0|\n"])],
        errors=(FeedError,),
        per_subject=1000,
    ),
]

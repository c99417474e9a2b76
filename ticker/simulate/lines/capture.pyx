"""Writes a simulated day as a capture: a stream of messages, or MoldUDP64 packets in a pcap.

Both are a function of their arguments alone: the same seed gives the same file.
Sources: MoldUDP64 1.00 (downstream packet); pcap file format (tcpdump.org, nanosecond magic).
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

import struct
from pathlib import Path

from ticker.simulate.market.chance cimport draw
from ticker.simulate.lines.packet cimport (
    HEADER,
    PAYLOAD,
    first_time,
    measure,
    put16,
    put32,
    write_header,
)

PCAP_NANOSECONDS = 0xA1B23C4D
ETHERNET = 1

cdef enum:
    BLOCK = 1 << 20
    RECORD = 16              # pcap record header


cdef class PcapWriter:
    """Cuts framed messages into MoldUDP64 packets, one copy for each line that did not lose it.

    Args:
        lines: (group, port) of line A, and of line B if there is one.
        session: ten ASCII characters.
        midnight: ns since the epoch of the date's midnight US/Eastern.
        loss: the share of packets that each line loses, by itself.

    A subclass for another session overrides the four methods that know MoldUDP64.
    """

    def __init__(
        self, lines: list[tuple[str, int]], session: str, midnight: int, loss: float, seed: int
    ) -> None:
        if not 1 <= len(lines) <= LINES:
            raise ValueError(f"{len(lines)} lines: give 1 or {LINES}")
        self.lines = len(lines)
        for index, (group, port) in enumerate(lines):
            octets = bytes(int(part) for part in group.split("."))
            self.envelope(index, octets, port)
        self.session = session.encode("ascii").ljust(10)[:10]
        self.session_text = self.session
        self.sequence = 1
        self.head_length = HEADER
        self.midnight = midnight
        self.threshold = int(loss * 2**63) * 2
        self.chance.state = seed ^ 0x6C6F7373

    def envelope(self, line: int, group: bytes, port: int) -> None:
        """The bytes before each packet of a line; lengths and checksum are filled in later."""
        mac = bytes([1, 0, 0x5E, group[1] & 0x7F, group[2], group[3]])
        ethernet = mac + bytes([2, 0, 0, 0, 0, line + 1, 8, 0])
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 0, 0, 0x4000, 16, 17, 0,
                         bytes([10, 0, 0, line + 1]), group)
        udp = struct.pack(">HHHH", 26400 + line, port, 0, 0)
        cdef bytes whole = ethernet + ip + udp
        memcpy(&self.envelopes[line][0], <const char*>whole, ENVELOPE)

    def header(self) -> bytes:
        """The head of the file: nanosecond times, Ethernet."""
        return struct.pack("<IHHiIII", PCAP_NANOSECONDS, 2, 4, 0, 0, 65535, ETHERNET)

    def cut(self, framed: bytearray | memoryview) -> bytes:
        """The records of all packets of these messages (the last may be short)."""
        cdef const uint8_t[::1] data = framed
        cdef size_t size = data.shape[0], at = 0, length
        cdef uint32_t count
        cdef int line
        out = bytearray(self.lines * (size + (size // 1000 + 2) * (RECORD + ENVELOPE + self.head_length)))
        cdef uint8_t[::1] into = out
        cdef uint8_t* start = &into[0]
        cdef uint8_t* to = start
        while at < size:
            length = self.measure(&data[at], size - at, &count)
            for line in range(self.lines):
                if draw(&self.chance) >= self.threshold:
                    to = self.record(to, line, &data[at], length, count)
                    self.packets += 1
            self.passed(length, count)
            at += length
        return bytes(out[:to - start])

    def rest(self) -> bytes:
        """The records of what no packet was full of yet; here every packet is written at once."""
        return b""

    cdef size_t measure(self, const uint8_t* blocks, size_t size, uint32_t* count) noexcept nogil:
        """Bytes of the next packet's blocks, and how many they are."""
        return measure(blocks, size, PAYLOAD, 0xFFFE, count)

    cdef uint64_t time_of(self, const uint8_t* blocks) noexcept nogil:
        """ns since the epoch of the first message."""
        return self.midnight + first_time(blocks)

    cdef void write_head(
        self, uint8_t* to, const uint8_t* blocks, size_t length, uint32_t count
    ) noexcept nogil:
        write_header(to, self.session_text, self.sequence, count)

    cdef void passed(self, size_t length, uint32_t count) noexcept nogil:
        """A packet was written, or lost, on all lines."""
        self.sequence += count

    cdef uint8_t* record(
        self, uint8_t* to, int line, const uint8_t* blocks, size_t length, uint32_t count
    ) noexcept nogil:
        """One pcap record; where the next goes."""
        cdef uint32_t whole = <uint32_t>(ENVELOPE + self.head_length + length)
        cdef uint64_t time = self.time_of(blocks)
        cdef uint32_t[4] record = [
            <uint32_t>(time // 1000000000), <uint32_t>(time % 1000000000), whole, whole
        ]
        cdef uint8_t* ip = to + RECORD + 14
        memcpy(to, record, RECORD)
        memcpy(to + RECORD, &self.envelopes[line][0], ENVELOPE)
        put16(ip + 2, whole - 14)
        put16(ip + 10, checksum(ip))
        put16(ip + 24, whole - 34)
        to += RECORD + ENVELOPE
        self.write_head(to, blocks, length, count)
        memcpy(to + self.head_length, blocks, length)
        return to + self.head_length + length


cdef uint32_t checksum(const uint8_t* ip) noexcept nogil:
    """Of an IPv4 header whose checksum field is zero (RFC 791)."""
    cdef uint32_t total = 0
    cdef int at
    for at in range(0, 20, 2):
        total += (<uint32_t>ip[at] << 8) | ip[at + 1]
    total = (total >> 16) + (total & 0xFFFF)
    total += total >> 16
    return ~total & 0xFFFF


def write_stream(market: object, path: Path) -> int:
    """The rest of the market's day as it is, message after message, at `path`; how many."""
    buffer = bytearray(BLOCK)
    view = memoryview(buffer)
    total = 0
    with path.open("wb") as file:
        while True:
            messages, used = market.generate(BLOCK, view)
            if not messages:
                return total
            file.write(view[:used])
            total += messages


def write_pcap(market: object, path: Path, writer: PcapWriter) -> int:
    """The rest of the market's day as packets at `path`; how many messages."""
    buffer = bytearray(BLOCK)
    view = memoryview(buffer)
    total = 0
    with path.open("wb") as file:
        file.write(writer.header())
        while True:
            messages, used = market.generate(BLOCK, view)
            if not messages:
                file.write(writer.rest())
                return total
            file.write(writer.cut(view[:used]))
            total += messages

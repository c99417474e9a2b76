"""Packet captures, pcap and pcapng, plain or gzip: the UDP datagrams in them.

Law: nothing is copied; a datagram is a pointer into the mapped file (or the decompressed
window) and lives until the next one. A file that ends inside a packet gives all packets before
it, and says so (`truncated`).

What is no datagram (link.pyx) is counted (`others`) and skipped.

Source: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memmove

from ticker.endian cimport be32, le32
from ticker.feeds.market.market cimport Market
from ticker.feeds.session cimport CHANNEL_SHIFT, MOST_CHANNEL, Session
from ticker.feeds.transports.interfaces cimport Interface, describe, time_of, u16, u32
from ticker.feeds.transports.link cimport unwrap

import gzip
import ipaddress
import mmap
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from ticker.errors import FeedError

cdef enum:
    FILE_HEADER = 24
    RECORD_HEADER = 16
    BLOCK_HEADER = 8
    BLOCK_LEAST = 12
    LONGEST = 64 << 20             # bytes of one packet or block; more is damage
    # pcapng block types
    INTERFACE_BLOCK = 1
    PACKET_BLOCK = 2               # obsolete, still found
    SIMPLE_BLOCK = 3
    ENHANCED_BLOCK = 6
    SECTION_BLOCK = 0x0A0D0D0A
    BYTE_ORDER = 0x1A2B3C4D

cdef uint32_t MAGIC_US = 0xA1B2C3D4
cdef uint32_t MAGIC_NS = 0xA1B23C4D
cdef uint64_t SECOND = 1000000000

GZIP_MAGIC = b"\x1f\x8b"
WINDOW = 256 << 10
"""Bytes of a gzip file that are decompressed at once: they stay in the cache. It grows to hold a
longer packet, as its bytes come: what a damaged length claims costs nothing."""


def blocks(path: Path, channels: Sequence[Sequence[str]] = ()) -> Capture:
    """The datagrams of a capture, all as line A's: (payload, capture time, line) of each, or
    all at once by `replay`. With `channels`, "address:port" of each one's lines: only theirs."""
    return Capture(path, channels=channels)


cdef class Capture:
    """A capture file, read once from its start.

    Args:
        lines: "address:port" of line A and B; other destinations are skipped. Without any, all
            datagrams are line A's.
        channels: the lines of each channel, for a feed that has several.
        with_tcp: hand out the payloads of TCP segments too, as they were captured.

    Raises:
        FeedError: the file cannot be read, or is no capture.
    """

    def __init__(
        self, path: Path, lines: Sequence[str] = (), *, with_tcp: bool = False,
        channels: Sequence[Sequence[str]] = (),
    ) -> None:
        self.path = path
        self.with_tcp = with_tcp
        self.error = ""
        for channel, pair in enumerate([lines] if lines else channels):
            if len(pair) > 2 or channel > MOST_CHANNEL:
                raise FeedError(
                    f"{path}: channel {channel} has {len(pair)} lines; name one or two, of at most "
                    f"{MOST_CHANNEL + 1} channels"
                )
            for line, address in enumerate(pair):
                self._add_line(address, line | channel << CHANNEL_SHIFT)
        try:
            self._open()
        except (OSError, EOFError, zlib.error) as error:
            raise FeedError(f"{path}: cannot be read ({error}); is it whole?") from None
        self._read_head()

    def _add_line(self, text: str, line: int) -> None:
        host, _, port = text.rpartition(":")
        try:
            address = ipaddress.ip_address(host.strip("[]")).packed
            self.lines[self.line_count].port = int(port)
        except (ValueError, OverflowError):
            raise FeedError(f"{text!r}: no address and port, like 224.0.59.76:11076") from None
        full = address if len(address) == 16 else bytes(10) + b"\xff\xff" + address
        memcpy(&self.lines[self.line_count].address[0], <const char*>full, 16)
        self.lines[self.line_count].line = line
        self.line_count += 1

    def _open(self) -> None:
        with self.path.open("rb") as file:
            start = file.read(2)
            if start == GZIP_MAGIC:
                self.window = bytearray(WINDOW)
            elif start:
                self.window = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
                self.window.madvise(mmap.MADV_SEQUENTIAL)
            else:
                self.window = b""      # an empty file cannot be mapped
        self._look()
        if start == GZIP_MAGIC:
            self.file = gzip.open(self.path)
            self.end = 0

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Give the file back. Not needed after the last datagram."""
        if self.file is not None:
            self.file.close()
            self.file = None

    cdef _look(self):
        """The window's address; it stays mapped as long as `window` is referenced."""
        cdef Py_buffer view
        PyObject_GetBuffer(self.window, &view, PyBUF_SIMPLE)
        self.base = <const uint8_t*>view.buf
        self.end = view.len
        PyBuffer_Release(&view)

    def _read_head(self) -> None:
        cdef uint32_t magic
        if self._have(FILE_HEADER):
            magic = le32(self.base)
            if magic == SECTION_BLOCK:
                self.ng = True
                return
            for self.big_endian in (False, True):
                magic = u32(self.base, self.big_endian)
                if magic == MAGIC_US or magic == MAGIC_NS:
                    self.interfaces[0].link_type = u32(self.base + 20, self.big_endian) & 0xFFFF
                    self.interfaces[0].ticks = SECOND if magic == MAGIC_NS else 1000000
                    self.interface_count = 1
                    self.at = FILE_HEADER
                    return
        raise FeedError(
            f"{self.path}: {self.error or 'neither pcap nor pcapng'}; name a packet capture"
        )

    def __iter__(self) -> Iterator[tuple[bytes, int, int]]:
        while self.next():
            payload = <bytes>(<const char*>self.datagram.payload)[:self.datagram.length]
            yield payload, self.datagram.time_ns, self.datagram.line

    def replay(self, Session session not None) -> int:
        """All datagrams into a session, at full speed, published after each that brought
        something; then the end of the session's data. Returns the datagrams.

        The time of everything is the time of capture. A session whose channels differ by where
        their packets are sent to (`channels_by_destination`) is told of each destination as a
        channel, unless `channels` says which are.
        """
        cdef Market market = session.protocol.market
        cdef uint64_t before = self.datagrams
        cdef uint64_t sequence
        self.by_destination = not self.line_count and getattr(
            session, "channels_by_destination", False
        )
        with nogil:
            while self.next():
                sequence = session.next_expected_sequence
                session.receive(
                    self.datagram.payload, self.datagram.length, self.datagram.line,
                    self.datagram.time_ns,
                )
                if market is not None and session.next_expected_sequence != sequence:
                    market.flush(self.datagram.time_ns)
            session.finish(self.datagram.time_ns)
            if market is not None:
                market.flush(self.datagram.time_ns)
        return self.datagrams - before

    @property
    def destination(self) -> tuple[str, int]:
        """Address and port that the current datagram was sent to."""
        address = ipaddress.IPv6Address(bytes(self.datagram.destination[:16]))
        return str(address.ipv4_mapped or address), self.datagram.destination_port

    # -- the file ------------------------------------------------------------------------------

    cdef bint _have(self, size_t length) noexcept nogil:
        """So many bytes lie at `at`."""
        if self.end - self.at >= length:
            return True
        return self.file is not None and self._refill(length)

    cdef bint _refill(self, size_t length) noexcept with gil:
        """Move what is left to the front of the window and decompress behind it."""
        cdef size_t left = self.end - self.at
        try:
            memmove(<void*>self.base, self.base + self.at, left)
            self.at = 0
            self.end = left
            while self.end < length:
                if self.end == <size_t>len(self.window):
                    self._grow()
                got = self.file.readinto(memoryview(self.window)[self.end:])
                if not got:
                    self.close()
                    return False
                self.end += got
            return True
        except (OSError, EOFError, zlib.error, MemoryError) as error:
            self.error = str(error) or type(error).__name__
            self.truncated = True
            self.close()
            return False

    cdef _grow(self):
        """Twice the window, with the same in its first half."""
        cdef size_t end = self.end
        self.window = self.window + bytes(len(self.window))
        self._look()
        self.end = end

    cdef bint _stop(self) noexcept nogil:
        """No whole packet follows. That is the end, unless bytes are left."""
        if self.at < self.end:
            self.truncated = True
        self.at = self.end
        return False

    cdef bint next(self) noexcept nogil:
        """The next datagram, in `datagram`; False at the end."""
        cdef const uint8_t* data = NULL
        cdef size_t length = 0
        cdef Interface* interface = NULL
        while True:
            if self.ng:
                if not self._packet_ng(&data, &length, &interface):
                    return False
            elif not self._packet(&data, &length, &interface):
                return False
            self.packets += 1
            if (interface != NULL
                    and unwrap(data, length, interface.link_type, self.with_tcp, &self.datagram)
                    and self._find_line()):
                self.datagrams += 1
                return True
            self.others += 1

    cdef bint _packet(
        self, const uint8_t** data, size_t* length, Interface** interface
    ) noexcept nogil:
        cdef const uint8_t* head
        if not self._have(RECORD_HEADER):
            return self._stop()
        length[0] = u32(self.base + self.at + 8, self.big_endian)
        if length[0] > LONGEST or not self._have(RECORD_HEADER + length[0]):
            return self._stop()
        head = self.base + self.at
        interface[0] = &self.interfaces[0]
        self.datagram.time_ns = <int64_t>(
            u32(head, self.big_endian) * SECOND
            + u32(head + 4, self.big_endian) * (SECOND // self.interfaces[0].ticks)
        )
        data[0] = head + RECORD_HEADER
        self.at += RECORD_HEADER + length[0]
        return True

    cdef bint _packet_ng(
        self, const uint8_t** data, size_t* length, Interface** interface
    ) noexcept nogil:
        """The next packet of any block type that holds one."""
        cdef const uint8_t* block
        cdef uint32_t kind
        cdef size_t size, fixed, captured
        while True:
            if not self._have(BLOCK_LEAST):
                return self._stop()
            if le32(self.base + self.at) == SECTION_BLOCK and not self._section():
                return self._stop()
            kind = u32(self.base + self.at, self.big_endian)
            size = u32(self.base + self.at + 4, self.big_endian)
            if size < BLOCK_LEAST or size > LONGEST or size & 3 or not self._have(size):
                return self._stop()
            block = self.base + self.at
            self.at += size
            if kind == INTERFACE_BLOCK:
                self._describe(block, size)
            elif kind == SIMPLE_BLOCK:
                if size < 16:
                    continue
                interface[0] = &self.interfaces[0] if self.interface_count else NULL
                data[0] = block + 12
                length[0] = min(<size_t>u32(block + 8, self.big_endian), size - 16)
                return True
            elif kind == ENHANCED_BLOCK or kind == PACKET_BLOCK:
                if size < 32:
                    continue
                fixed = u32(block + 8, self.big_endian) if kind == ENHANCED_BLOCK else u16(block + 8, self.big_endian)
                captured = u32(block + 20, self.big_endian)
                interface[0] = NULL
                if fixed < self.interface_count:
                    interface[0] = &self.interfaces[fixed]
                    self.datagram.time_ns = time_of(
                        interface[0],
                        (<uint64_t>u32(block + 12, self.big_endian) << 32) | u32(block + 16, self.big_endian),
                    )
                data[0] = block + 28
                length[0] = min(captured, size - 32)
                return True

    cdef bint _section(self) noexcept nogil:
        """A section header says the byte order of what follows, and forgets the interfaces."""
        cdef const uint8_t* order = self.base + self.at + BLOCK_HEADER
        if le32(order) != BYTE_ORDER and be32(order) != BYTE_ORDER:
            return False
        self.big_endian = le32(order) != BYTE_ORDER
        self.interface_count = 0
        return True

    cdef void _describe(self, const uint8_t* block, size_t length) noexcept nogil:
        """One more interface, if there may be one."""
        if length >= 20 and self.interface_count < MOST_INTERFACES:
            describe(&self.interfaces[self.interface_count], block, length, self.big_endian)
            self.interface_count += 1

    # -- the lines -----------------------------------------------------------------------------

    cdef bint _find_line(self) noexcept nogil:
        cdef int i
        self.datagram.line = 0
        if not self.line_count and not self.by_destination:
            return True
        if not self._is_at(&self.lines[self.newest_line]):
            for i in range(self.line_count):
                if self._is_at(&self.lines[i]):
                    self.newest_line = i
                    break
            else:
                if not self._new_channel():
                    return False
        self.datagram.line = self.lines[self.newest_line].line
        return True

    cdef bint _is_at(self, const Destination* line) noexcept nogil:
        return (line.port == self.datagram.destination_port
                and memcmp(&line.address[0], &self.datagram.destination[0], 16) == 0)

    cdef bint _new_channel(self) noexcept nogil:
        """Where the datagram was sent to is another channel's line A, if there may be one more."""
        cdef Destination* line = &self.lines[self.line_count]
        if not self.by_destination or self.line_count > MOST_CHANNEL:
            return False
        memcpy(&line.address[0], &self.datagram.destination[0], 16)
        line.port = self.datagram.destination_port
        line.line = self.line_count << CHANNEL_SHIFT
        self.newest_line = self.line_count
        self.line_count += 1
        return True

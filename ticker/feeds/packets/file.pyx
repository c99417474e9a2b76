"""Capture files, pcap and pcapng, plain or gzip: the packets in them.

Law: nothing is copied; a packet is a pointer into the mapped file (or the decompressed window) and
lives until the next one. A file that ends inside a packet gives as much of it as is there, and says
so (`truncated`). What a damaged length claims costs nothing.

Source: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memmove

from ticker.endian cimport be32, le32
from ticker.feeds.packets.interfaces cimport Interface, describe, time_of, u16, u32

import gzip
import mmap
import zlib
from pathlib import Path

from ticker.errors import FeedError

cdef enum:
    FILE_HEADER = 24
    RECORD_HEADER = 16
    BLOCK_HEADER = 8
    BLOCK_LEAST = 12
    BLOCK_END = 4                  # bytes of the length behind a block
    SIMPLE_HEADER = 12
    FULL_HEADER = 28
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
longer packet, as its bytes come."""


cdef class PacketFile:
    """A capture file, read once from its start.

    Raises:
        FeedError: the file cannot be read, or is no capture.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.error = ""
        try:
            self._open()
        except (OSError, EOFError, zlib.error) as error:
            raise FeedError(f"{path}: cannot be read ({error}); is it whole?") from None
        self._read_head()

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
        """Give the file back. Not needed after the last packet."""
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

    # -- the window ----------------------------------------------------------------------------

    cdef bint _have(self, size_t length) noexcept nogil:
        """So many bytes lie at `at`."""
        if self.end - self.at >= length:
            return True
        return self.file is not None and self._refill(length)

    cdef size_t _have_some(self, size_t length) noexcept nogil:
        """As many bytes, or as many as there are: then the file ends here."""
        if self._have(length):
            return length
        self.truncated = True
        return self.end - self.at

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
                # One read of the file at a time: what came before damage is had.
                got = self.file.readinto1(memoryview(self.window)[self.end:])
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
        """No packet follows. That is the end, unless bytes are left."""
        if self.at < self.end:
            self.truncated = True
        self.at = self.end
        return False

    # -- the packets ---------------------------------------------------------------------------

    cdef bint next(self, Packet* packet) noexcept nogil:
        """The next packet; False at the end."""
        return self._next_block(packet) if self.ng else self._record(packet)

    cdef bint _record(self, Packet* packet) noexcept nogil:
        cdef const uint8_t* head
        cdef size_t captured, there
        if not self._have(RECORD_HEADER):
            return self._stop()
        captured = u32(self.base + self.at + 8, self.big_endian)
        if captured > LONGEST:
            return self._stop()
        there = self._have_some(RECORD_HEADER + captured) - RECORD_HEADER
        head = self.base + self.at
        packet.data = head + RECORD_HEADER
        packet.length = there
        packet.cut = there < captured or captured < u32(head + 12, self.big_endian)
        packet.interface = &self.interfaces[0]
        packet.time_ns = <int64_t>(
            u32(head, self.big_endian) * SECOND
            + u32(head + 4, self.big_endian) * (SECOND // self.interfaces[0].ticks)
        )
        self.at += RECORD_HEADER + there
        return there > 0 or not captured

    cdef bint _next_block(self, Packet* packet) noexcept nogil:
        """The next packet of any block type that holds one."""
        cdef const uint8_t* block
        cdef uint32_t kind
        cdef size_t size, there
        while True:
            if not self._have(BLOCK_LEAST):
                return self._stop()
            if le32(self.base + self.at) == SECTION_BLOCK and not self._section():
                return self._stop()
            kind = u32(self.base + self.at, self.big_endian)
            size = u32(self.base + self.at + 4, self.big_endian)
            if size < BLOCK_LEAST or size > LONGEST or size & 3:
                return self._stop()
            there = self._have_some(size)
            block = self.base + self.at
            self.at += there
            # Without its end, a block's last bytes are its content's.
            there = min(there, size - BLOCK_END)
            if kind == INTERFACE_BLOCK and there == size - BLOCK_END:
                self._describe(block, size)
            elif kind == SIMPLE_BLOCK and self._simple(block, there, packet):
                return True
            elif (kind == ENHANCED_BLOCK or kind == PACKET_BLOCK) and self._full(
                block, there, kind, packet
            ):
                return True

    cdef bint _simple(self, const uint8_t* block, size_t there, Packet* packet) noexcept nogil:
        """A simple packet block: of the first interface, at a time that it does not say."""
        cdef size_t sent
        if there <= SIMPLE_HEADER:
            return False
        sent = u32(block + 8, self.big_endian)
        packet.data = block + SIMPLE_HEADER
        packet.length = min(sent, there - SIMPLE_HEADER)
        packet.interface = &self.interfaces[0] if self.interface_count else NULL
        if self.interface_count and self.interfaces[0].most:
            # Behind what was kept there may be padding.
            packet.length = min(packet.length, <size_t>self.interfaces[0].most)
        packet.cut = packet.length < sent
        packet.time_ns = 0
        return True

    cdef bint _full(
        self, const uint8_t* block, size_t there, uint32_t kind, Packet* packet
    ) noexcept nogil:
        cdef uint32_t interface
        cdef uint64_t stamp
        if there < FULL_HEADER:
            return False
        interface = u32(block + 8, self.big_endian)
        if kind == PACKET_BLOCK:
            interface = u16(block + 8, self.big_endian)
        packet.data = block + FULL_HEADER
        packet.length = min(
            <size_t>u32(block + 20, self.big_endian), there - FULL_HEADER
        )
        packet.cut = packet.length < u32(block + 24, self.big_endian)
        packet.interface = NULL
        packet.time_ns = 0
        if interface < self.interface_count:
            packet.interface = &self.interfaces[interface]
            stamp = <uint64_t>u32(block + 12, self.big_endian) << 32
            stamp |= u32(block + 16, self.big_endian)
            # Some writers leave out times that they do not know.
            if stamp:
                packet.time_ns = time_of(packet.interface, stamp)
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

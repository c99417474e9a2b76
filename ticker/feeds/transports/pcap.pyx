"""Packet captures, pcap and pcapng, plain or gzip: the UDP datagrams in them.

Law: nothing is copied; a datagram is a pointer into the mapped file (or the decompressed
window) and lives until the next one. A file that ends inside a packet gives all packets before
it, and says so (`truncated`).

Link types: Ethernet (VLAN tags too), raw IP, BSD loopback, Linux cooked 1 and 2. IPv4 and IPv6
without fragments. What is neither is counted (`others`) and skipped.

Source: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng, the link types of tcpdump.org.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memmove, memset

from ticker.feeds.checks cimport check
from ticker.feeds.endian cimport be16, be32
from ticker.feeds.market cimport Market
from ticker.feeds.session cimport CHANNEL_SHIFT, MOST_CHANNEL, Session

import gzip
import ipaddress
import mmap
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from ticker.errors import FeedError

cdef extern from *:
    """
    #include <string.h>
    static inline uint16_t ticker_native16(const uint8_t *at) {
        uint16_t value; memcpy(&value, at, 2); return value;
    }
    static inline uint32_t ticker_native32(const uint8_t *at) {
        uint32_t value; memcpy(&value, at, 4); return value;
    }
    """
    uint16_t native16 "ticker_native16"(const uint8_t* at) nogil
    uint32_t native32 "ticker_native32"(const uint8_t* at) nogil
    uint16_t swap16 "__builtin_bswap16"(uint16_t value) nogil
    uint32_t swap32 "__builtin_bswap32"(uint32_t value) nogil

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
    # its options
    OPTION_RESOLUTION = 9
    OPTION_OFFSET = 14
    # link types
    LINK_NULL = 0
    LINK_ETHERNET = 1
    LINK_RAW_BSD = 12
    LINK_RAW_OPENBSD = 14
    LINK_RAW = 101
    LINK_LOOP = 108
    LINK_LINUX_SLL = 113
    LINK_IPV4 = 228
    LINK_IPV6 = 229
    LINK_LINUX_SLL2 = 276
    # EtherTypes, IP protocols
    ETHER_IPV4 = 0x0800
    ETHER_IPV6 = 0x86DD
    TCP = 6
    UDP = 17

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
            magic = native32(self.base)
            if magic == SECTION_BLOCK:
                self.ng = True
                return
            for self.swapped in (False, True):
                magic = self._u32(self.base)
                if magic == MAGIC_US or magic == MAGIC_NS:
                    self.interfaces[0].link_type = self._u32(self.base + 20) & 0xFFFF
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

    cdef uint16_t _u16(self, const uint8_t* at) noexcept nogil:
        return swap16(native16(at)) if self.swapped else native16(at)

    cdef uint32_t _u32(self, const uint8_t* at) noexcept nogil:
        return swap32(native32(at)) if self.swapped else native32(at)

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
            if (interface != NULL and self._datagram(data, length, interface.link_type)
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
        length[0] = self._u32(self.base + self.at + 8)
        if length[0] > LONGEST or not self._have(RECORD_HEADER + length[0]):
            return self._stop()
        head = self.base + self.at
        interface[0] = &self.interfaces[0]
        self.datagram.time_ns = <int64_t>(
            self._u32(head) * SECOND
            + self._u32(head + 4) * (SECOND // self.interfaces[0].ticks)
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
            if native32(self.base + self.at) == SECTION_BLOCK and not self._section():
                return self._stop()
            kind = self._u32(self.base + self.at)
            size = self._u32(self.base + self.at + 4)
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
                length[0] = min(<size_t>self._u32(block + 8), size - 16)
                return True
            elif kind == ENHANCED_BLOCK or kind == PACKET_BLOCK:
                if size < 32:
                    continue
                fixed = self._u32(block + 8) if kind == ENHANCED_BLOCK else self._u16(block + 8)
                captured = self._u32(block + 20)
                interface[0] = NULL
                if fixed < self.interface_count:
                    interface[0] = &self.interfaces[fixed]
                    self._set_time(
                        interface[0],
                        (<uint64_t>self._u32(block + 12) << 32) | self._u32(block + 16),
                    )
                data[0] = block + 28
                length[0] = min(captured, size - 32)
                return True

    cdef bint _section(self) noexcept nogil:
        """A section header says the byte order of what follows, and forgets the interfaces."""
        cdef uint32_t order = native32(self.base + self.at + BLOCK_HEADER)
        if order != BYTE_ORDER and swap32(order) != BYTE_ORDER:
            return False
        self.swapped = order != BYTE_ORDER
        self.interface_count = 0
        return True

    cdef void _describe(self, const uint8_t* block, size_t length) noexcept nogil:
        """An interface: its link type and what its time stamps count."""
        cdef Interface* interface
        cdef size_t at = 16
        cdef size_t size
        cdef uint16_t option
        cdef uint8_t power
        if length < 20 or self.interface_count == MOST_INTERFACES:
            return
        interface = &self.interfaces[self.interface_count]
        self.interface_count += 1
        interface.link_type = self._u16(block + 8)
        interface.ticks = 1000000
        interface.offset_ns = 0
        while at + 4 <= length - 4:
            option = self._u16(block + at)
            size = self._u16(block + at + 2)
            if option == 0 or at + 4 + size > length - 4:
                return
            if option == OPTION_RESOLUTION and size >= 1:
                power = block[at + 4]
                interface.ticks = power_of(2, power & 0x7F) if power & 0x80 else power_of(10, power)
            elif option == OPTION_OFFSET and size >= 8:
                interface.offset_ns = <int64_t>(
                    (self._u32(block + at + 4) | <uint64_t>self._u32(block + at + 8) << 32)
                    if not self.swapped else
                    (<uint64_t>self._u32(block + at + 4) << 32 | self._u32(block + at + 8))
                ) * <int64_t>SECOND
            at += 4 + ((size + 3) & ~<size_t>3)

    cdef void _set_time(self, Interface* interface, uint64_t stamp) noexcept nogil:
        cdef uint64_t seconds = stamp // interface.ticks
        cdef uint64_t rest = stamp - seconds * interface.ticks
        cdef uint64_t fraction
        if interface.ticks <= SECOND:
            fraction = rest * SECOND // interface.ticks
        else:
            # as exact as a double of less than 1 can say it
            fraction = <uint64_t>(<double>rest / <double>interface.ticks * 1e9)
        self.datagram.time_ns = <int64_t>(seconds * SECOND + fraction) + interface.offset_ns

    # -- a packet ------------------------------------------------------------------------------

    cdef bint _datagram(
        self, const uint8_t* data, size_t length, uint32_t link_type
    ) noexcept nogil:
        """Unwrap the link layer."""
        cdef size_t at
        cdef uint32_t kind
        if link_type == LINK_ETHERNET:
            at = 12
        elif link_type == LINK_LINUX_SLL:
            at = 14
        elif link_type == LINK_LINUX_SLL2:
            if length < 20:
                return False
            return self._ip(data + 20, length - 20, be16(data))
        elif link_type == LINK_NULL or link_type == LINK_LOOP:
            # the family's number differs from system to system; the IP version says it too
            return length > 4 and self._by_version(data + 4, length - 4)
        elif (link_type == LINK_RAW or link_type == LINK_RAW_BSD or link_type == LINK_RAW_OPENBSD
                or link_type == LINK_IPV4 or link_type == LINK_IPV6):
            return length > 0 and self._by_version(data, length)
        else:
            return False
        if length < at + 2:
            return False
        kind = be16(data + at)
        at += 2
        while kind == 0x8100 or kind == 0x88A8 or kind == 0x9100:
            if length < at + 4:
                return False
            kind = be16(data + at + 2)
            at += 4
        return self._ip(data + at, length - at, kind)

    cdef bint _by_version(self, const uint8_t* data, size_t length) noexcept nogil:
        return self._ip(data, length, ETHER_IPV4 if data[0] >> 4 == 4 else ETHER_IPV6)

    cdef bint _ip(self, const uint8_t* data, size_t length, uint32_t kind) noexcept nogil:
        if kind == ETHER_IPV4:
            return self._ip4(data, length)
        return kind == ETHER_IPV6 and self._ip6(data, length)

    cdef bint _ip4(self, const uint8_t* data, size_t length) noexcept nogil:
        """RFC 791."""
        cdef size_t header, total
        if length < 20 or data[0] >> 4 != 4:
            return False
        header = 4 * (data[0] & 15)
        total = be16(data + 2)
        if total == 0 or total > length:
            # 0: the network card was to fill it in. Longer: the capture cut the packet.
            total = length
        # a fragment: more follow, or it is not the first
        if header < 20 or header > total or be16(data + 6) & 0x3FFF:
            return False
        memset(&self.datagram.destination[0], 0, 10)
        memset(&self.datagram.destination[10], 0xFF, 2)
        memcpy(&self.datagram.destination[12], data + 16, 4)
        self.datagram.transport = data[9]
        return self._transport(data + header, total - header)

    cdef bint _ip6(self, const uint8_t* data, size_t length) noexcept nogil:
        """RFC 8200; hop-by-hop, routing and destination options are passed over."""
        cdef size_t at = 40
        cdef size_t total
        cdef uint8_t kind
        if length < 40 or data[0] >> 4 != 6:
            return False
        total = 40 + <size_t>be16(data + 4)
        if total == 40 or total > length:
            total = length
        kind = data[6]
        while kind == 0 or kind == 43 or kind == 60:
            if at + 8 > total:
                return False
            kind = data[at]
            at += 8 * (1 + <size_t>data[at + 1])
        if at > total:
            return False
        memcpy(&self.datagram.destination[0], data + 24, 16)
        self.datagram.transport = kind
        return self._transport(data + at, total - at)

    cdef bint _transport(self, const uint8_t* data, size_t length) noexcept nogil:
        cdef size_t header = 8
        if self.datagram.transport == UDP:
            if length < 8:
                return False
            # 0 or too long: as for IP
            if 8 <= be16(data + 4) <= length:
                length = be16(data + 4)
        elif self.datagram.transport == TCP and self.with_tcp:
            if length < 20:
                return False
            header = 4 * (data[12] >> 4)
            if header < 20 or header >= length:
                return False
            self.datagram.tcp_sequence = be32(data + 4)
        else:
            return False
        self.datagram.source_port = be16(data)
        self.datagram.destination_port = be16(data + 2)
        self.datagram.payload = data + header
        self.datagram.length = length - header
        return True

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


cdef uint64_t power_of(uint64_t base, unsigned power) noexcept nogil:
    """base ** power, as long as it fits; then the greatest that does."""
    cdef uint64_t value = 1
    while power and value <= <uint64_t>-1 // base:
        value *= base
        power -= 1
    return value

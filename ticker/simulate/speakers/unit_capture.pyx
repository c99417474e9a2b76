"""Writes a simulated day's PITCH as datagrams of sequenced units in a pcap.

Each unit fills packets of its own. A packet is written when it is full or half a second old, at
that time, so that the times of a file never go back. Line B carries each packet's messages in
two datagrams where line A has them in one, as Cboe's lines differ in framing.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from ticker.endian cimport le32
from ticker.simulate.lines.capture cimport ENVELOPE, PcapWriter
from ticker.simulate.market.chance cimport draw
from ticker.simulate.lines.little cimport put16, put32
from ticker.simulate.speakers.pitch cimport MOST_UNITS

cdef enum:
    HEADER = 8
    RECORD = 16              # pcap record header
    TIME = 0x20

cdef uint64_t SECOND = 1000000000
cdef uint64_t OLDEST = 500000000             # ns that a message waits for its packet to be full
cdef uint64_t NEVER = <uint64_t>-1


cdef class UnitWriter(PcapWriter):
    """Cuts frames (pitch.pyx) into sequenced units, a copy for each line that did not lose it.

    Args:
        lines: (group, port) of line A, and of line B if there is one.
        midnight: ns since the epoch of the date's midnight US/Eastern.
        loss: the share of datagrams that each line loses, by itself.
    """

    def __init__(
        self, lines: list[tuple[str, int]], midnight: int, loss: float, seed: int
    ) -> None:
        super().__init__(lines, "", midnight, loss, seed)
        self.head_length = HEADER
        self.due = NEVER
        for unit in range(MOST_UNITS + 1):
            self.units[unit].sequence = 1

    def cut(self, framed: bytearray | memoryview) -> bytes:
        """The records of all packets that these frames make full or old."""
        cdef const uint8_t[::1] data = framed
        cdef size_t size = data.shape[0], at = 0
        cdef const uint8_t* message
        cdef Pending* pending
        out = self.room(size)
        cdef uint8_t[::1] into = out
        cdef uint8_t* start = &into[0]
        cdef uint8_t* to = start
        while at < size:
            pending = &self.units[data[at]]
            message = &data[at + 1]
            self.now = max(self.now, self.told(pending, message))
            if self.now >= self.due:
                to = self.write_old(to, OLDEST)
            if pending.size + message[0] > PAYLOAD:
                to = self.write_unit(to, data[at])
            if not pending.count:
                pending.since = self.now
                self.due = min(self.due, self.now + OLDEST)
            memcpy(pending.data + pending.size, message, message[0])
            pending.size += message[0]
            pending.count += 1
            at += 1 + message[0]
        return bytes(out[:to - start])

    def rest(self) -> bytes:
        """The records of what still waits for its packet to be full."""
        out = self.room(0)
        cdef uint8_t[::1] into = out
        cdef uint8_t* start = &into[0]
        cdef uint8_t* to = self.write_old(start, 0)
        return bytes(out[:to - start])

    def room(self, size: int) -> bytearray:
        """As much as `size` bytes of frames can become, beside what is pending."""
        most = size + (MOST_UNITS + 1) * PAYLOAD
        return bytearray(self.lines * (most + 2 * (most // FEWEST_BYTES) * (RECORD + ENVELOPE + HEADER)))

    cdef uint64_t told(self, Pending* pending, const uint8_t* message) noexcept nogil:
        """The time of a message, ns since the epoch."""
        if message[1] == TIME:
            pending.second = self.midnight + le32(message + 2) * SECOND
            return pending.second
        return pending.second + le32(message + 2)

    cdef uint8_t* write_old(self, uint8_t* to, uint64_t age) noexcept nogil:
        """The packets that have waited for so long; where the next record goes."""
        cdef uint32_t unit
        self.due = NEVER
        for unit in range(1, MOST_UNITS + 1):
            if not self.units[unit].count:
                continue
            if self.now - self.units[unit].since >= age:
                to = self.write_unit(to, unit)
            else:
                self.due = min(self.due, self.units[unit].since + OLDEST)
        return to

    cdef uint8_t* write_unit(self, uint8_t* to, uint32_t unit) noexcept nogil:
        """The pending packet of a unit on all lines; where the next record goes."""
        cdef Pending* pending = &self.units[unit]
        cdef uint32_t first = pending.sequence
        cdef uint32_t left, count
        cdef size_t at, length
        cdef int line
        self.flushed = unit
        for line in range(self.lines):
            left = pending.count
            at = 0
            while left:
                count = (left + 1) // 2 if line and left == pending.count else left
                length = stretch(pending.data + at, count)
                pending.sequence = first + pending.count - left
                if draw(&self.chance) >= self.threshold:
                    to = self.record(to, line, pending.data + at, length, count)
                    self.packets += 1
                at += length
                left -= count
        pending.sequence = first + pending.count
        pending.size = pending.count = 0
        return to

    cdef uint64_t time_of(self, const uint8_t* blocks) noexcept nogil:
        return self.now

    cdef void write_head(
        self, uint8_t* to, const uint8_t* blocks, size_t length, uint32_t count
    ) noexcept nogil:
        put16(to, HEADER + length)
        to[2] = <uint8_t>count
        to[3] = <uint8_t>self.flushed
        put32(to + 4, self.units[self.flushed].sequence)


cdef size_t stretch(const uint8_t* data, uint32_t count) noexcept nogil:
    """Bytes of so many messages."""
    cdef size_t size = 0
    cdef uint32_t i
    for i in range(count):
        size += data[size]
    return size

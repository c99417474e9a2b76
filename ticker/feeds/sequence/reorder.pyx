"""Packets beyond a gap wait here until the gap is filled or given up.

Bounded in bytes. Policy when full: the newest packet is not taken; its session makes it part
of the gap and asks for it again.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy


cdef class ReorderBuffer:
    """A list sorted by sequence. What arrives nearly always belongs at one of the two ends."""

    def __cinit__(self, capacity: int) -> None:
        self.capacity = capacity

    def __dealloc__(self) -> None:
        self.clear()

    cdef Held* reserve(self, size_t length) noexcept nogil:
        cdef size_t cost = sizeof(Held) + length
        cdef Held* packet
        if cost > self.capacity - self.used:
            return NULL
        packet = <Held*>malloc(cost)
        if packet != NULL:
            packet.length = <uint32_t>length
            self.used += cost
        return packet

    cdef void hold(
        self, Held* packet, uint64_t sequence, uint32_t count, const uint8_t* data,
        int line, int64_t receive_time,
    ) noexcept nogil:
        packet.sequence = sequence
        packet.line = line
        packet.count = count
        packet.receive_time = receive_time
        memcpy(packet + 1, data, packet.length)
        self._insert(packet)

    cdef void _insert(self, Held* packet) noexcept nogil:
        cdef Held* after = NULL
        cdef Held* before = self.last
        if (self.first != NULL and
                <int64_t>(packet.sequence - self.first.sequence)
                < <int64_t>(self.last.sequence - packet.sequence)):
            before = NULL
            after = self.first
            while after != NULL and after.sequence <= packet.sequence:
                before = after
                after = after.after
        else:
            while before != NULL and before.sequence > packet.sequence:
                after = before
                before = before.before
        packet.before = before
        packet.after = after
        if before != NULL:
            before.after = packet
        else:
            self.first = packet
        if after != NULL:
            after.before = packet
        else:
            self.last = packet

    cdef Held* take(self, uint64_t sequence) noexcept nogil:
        cdef Held* packet = self.first
        if packet == NULL or packet.sequence > sequence:
            return NULL
        self.first = packet.after
        if self.first != NULL:
            self.first.before = NULL
        else:
            self.last = NULL
        return packet

    cdef void release(self, Held* packet) noexcept nogil:
        self.used -= sizeof(Held) + packet.length
        free(packet)

    cdef uint64_t clear(self) noexcept nogil:
        cdef Held* packet = self.take(<uint64_t>-1)
        cdef uint64_t packets = 0
        while packet != NULL:
            self.release(packet)
            packets += 1
            packet = self.take(<uint64_t>-1)
        return packets

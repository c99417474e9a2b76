"""Broadcast rings, and the halves of their protocol; ring.pyx says the law.

Memory order: as in a row (table.pxd). The marker 2n+1 is a store_release so that a receiver
that is lapped by record n also sees the cursor at n or later, and jumps forward, not back.
"""

cimport cython
from libc.stdint cimport uint32_t, uint64_t

from ticker.shm.atomics cimport (
    fence_acquire,
    fence_release,
    load_acquire,
    load_relaxed,
    store_release,
)
from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport Record, RingHeader


cdef struct Ring:
    RingHeader* head
    Record* records
    uint64_t mask


cdef inline uint32_t shard_of(const char* symbol, size_t length, uint32_t shards) noexcept nogil:
    """Stable over processes, versions and machines: FNV-1a of the symbol, stirred once more,
    for without that the last three characters hardly reach the bits that decide."""
    cdef uint64_t value = 14695981039346656037ULL
    cdef size_t i
    for i in range(length):
        value = (value ^ <unsigned char>symbol[i]) * <uint64_t>1099511628211ULL
    value = (value ^ value >> 32) * <uint64_t>0x9E3779B97F4A7C15ULL
    return <uint32_t>((value >> 32) % shards)


cdef inline Record* slot_of(Ring* ring, uint64_t number) noexcept nogil:
    return ring.records + (number & ring.mask)


cdef inline Record* begin_record(Ring* ring, uint64_t number) noexcept nogil:
    """Mark the slot of record `number` as being written; the slot to fill."""
    cdef Record* slot = slot_of(ring, number)
    store_release(&slot.sequence, 2 * number + 1)
    fence_release()
    return slot


cdef inline void commit_record(Ring* ring, uint64_t number) noexcept nogil:
    """Record `number` is whole, then counted. A writer may die between the two."""
    store_release(&slot_of(ring, number).sequence, 2 * number + 2)
    store_release(&ring.head.cursor, number + 1)


cdef inline bint record_was_whole(Record* slot, uint64_t number) noexcept nogil:
    """Whether what was copied from the slot is record `number`."""
    fence_acquire()
    return load_relaxed(&slot.sequence) == 2 * number + 2


@cython.final
cdef class RingWriter:
    """The one transmitter of one ring."""

    cdef Mapping mapping
    cdef Ring ring
    cdef readonly uint64_t cursor

    cdef void write(self, Record* record) noexcept nogil


cdef class RingReader:
    """One receiver of one ring, with its own position."""

    cdef Mapping mapping
    cdef Ring ring
    cdef readonly uint64_t position
    cdef readonly uint64_t laps
    cdef readonly uint64_t skipped

    cdef bint pending(self) noexcept nogil
    cdef int read(self, Record* out) noexcept nogil

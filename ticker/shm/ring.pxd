from libc.stdint cimport uint32_t, uint64_t

from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport Record, RingHeader


cdef struct Ring:
    RingHeader* head
    Record* records
    uint64_t mask


cdef inline uint32_t shard_of(const char* symbol, size_t length, uint32_t shards) noexcept nogil:
    """Stable over processes, versions and machines: FNV-1a of the symbol."""
    cdef uint64_t value = 14695981039346656037ULL
    cdef size_t i
    for i in range(length):
        value = (value ^ <unsigned char>symbol[i]) * <uint64_t>1099511628211ULL
    return <uint32_t>((value >> 32) % shards)


cdef class RingWriter:
    """The one transmitter of one ring."""

    cdef Mapping mapping
    cdef Ring ring
    cdef uint64_t cursor

    cdef void write(self, Record* record) noexcept nogil


cdef class RingReader:
    """One receiver of one ring, with its own position."""

    cdef Mapping mapping
    cdef Ring ring
    cdef uint64_t position
    cdef readonly uint64_t laps
    cdef readonly uint64_t skipped

    cdef bint pending(self) noexcept nogil
    cdef int read(self, Record* out) noexcept nogil

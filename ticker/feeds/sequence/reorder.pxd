"""Packets that came before their turn, in order of sequence."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t


cdef struct Held:
    Held* before
    Held* after
    uint64_t sequence
    uint32_t count
    uint32_t length
    int64_t receive_time
    int64_t line                       # that brought it


cdef class ReorderBuffer:
    cdef Held* first
    cdef Held* last
    cdef readonly size_t used          # bytes, with what each packet costs beside its payload
    cdef readonly size_t capacity

    # Room for a packet; NULL: full. To be filled by `hold` or given back with `release`.
    cdef Held* reserve(self, size_t length) noexcept nogil
    # Copies as many bytes of payload as were reserved.
    cdef void hold(
        self, Held* packet, uint64_t sequence, uint32_t count, const uint8_t* data,
        int line, int64_t receive_time,
    ) noexcept nogil
    cdef void _insert(self, Held* packet) noexcept nogil
    # The first packet, out of the list, if it begins at or below `sequence`; else NULL.
    # The caller gives it back with `release`.
    cdef Held* take(self, uint64_t sequence) noexcept nogil
    cdef void release(self, Held* packet) noexcept nogil
    cdef uint64_t clear(self) noexcept nogil    # how many packets there were


cdef inline const uint8_t* payload_of(Held* packet) noexcept nogil:
    """Lives until `release`."""
    return <const uint8_t*>(packet + 1)

"""What was sent, for as long as it fits; what will be sent, already encoded."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t


cdef class History:
    cdef uint8_t* base           # capacity bytes, mapped twice in a row: nothing ever wraps
    cdef readonly size_t capacity
    cdef bint byte_lengths       # a message's first byte is its whole length (PITCH)
    cdef uint64_t* marks         # offset of every MARK-th message
    cdef uint64_t mark_mask
    cdef uint64_t head           # offset past the last byte written
    cdef uint64_t sent           # offset of the next message to send
    cdef uint64_t next_sequence  # of that message
    cdef uint64_t waiting        # messages between `sent` and `head`

    cdef size_t block_length(self, const uint8_t* at) noexcept nogil
    cdef uint8_t* space(self) noexcept nogil
    cdef void wrote(self, size_t size, uint64_t messages) noexcept nogil
    cdef uint8_t* take(
        self, size_t room, uint64_t limit, int64_t time, size_t* size, uint32_t* count
    ) noexcept nogil
    cdef const uint8_t* find(self, uint64_t sequence, size_t* size) noexcept nogil
    cdef void discard(self) noexcept nogil
    cdef map_twice(self)

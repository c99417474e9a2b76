"""What a socket has not taken yet: whole frames, but for the first one, which is under way."""

from libc.stdint cimport uint8_t, uint32_t


cdef struct Outbound:
    uint8_t* bytes               # owned; NULL while nothing waits
    uint32_t start
    uint32_t length              # from `start` on
    uint32_t capacity
    uint32_t partial             # of them: up to the next frame


cdef bint keep(Outbound* waiting, const uint8_t* data, size_t length) noexcept nogil
cdef void took(Outbound* waiting, size_t length) noexcept nogil
cdef void drop(Outbound* waiting) noexcept nogil

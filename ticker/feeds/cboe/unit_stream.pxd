"""One Cboe unit: see unit_stream.pyx."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from ticker.feeds.sequence.channels cimport Channel
from ticker.feeds.sequence.reorder cimport ReorderBuffer


cdef inline uint32_t number_of(uint64_t position) noexcept nogil:
    """What the wire calls it: 1 to 4294967295."""
    return <uint32_t>((position - 1) % <uint64_t>0xFFFFFFFF + 1)


cdef class UnitStream(Channel):
    cdef readonly bint waiting     # for an image; what comes meanwhile is kept
    cdef int64_t image_timeout_ns  # 0: there is no spin server
    cdef int64_t waits_until
    cdef uint64_t arriving         # position of the packet that is being taken
    cdef readonly bint damaged     # its book lacks what was lost; an image would heal it
    cdef ReorderBuffer kept        # what came since, from position kept_from on
    cdef uint64_t kept_from
    cdef bint over                 # its last message was End of Session

    cdef void packet(
        self, const uint8_t* data, size_t length, uint32_t sequence, uint32_t messages, int line,
        int64_t now_ns,
    ) noexcept nogil
    cdef void _stop_waiting(self) noexcept nogil
    cdef void _keep(
        self, const uint8_t* messages, size_t length, uint32_t count, int64_t receive_time
    ) noexcept nogil
    cdef void _heal(self, uint64_t position) noexcept nogil
    cdef bint refuse(self, uint32_t sequence, uint32_t messages, int64_t now_ns) noexcept nogil
    cdef bint take_image(
        self, const uint8_t* data, size_t length, uint32_t sequence, int64_t now_ns
    ) noexcept nogil

"""Events of a recording: see events.pyx."""

from libc.stdint cimport int8_t, int64_t, uint16_t, uint32_t, uint64_t

from ticker.shm.layout cimport Values


cdef class Image:
    cdef readonly str symbol
    cdef readonly str venue
    cdef readonly str currency
    cdef readonly int size_exponent
    cdef readonly dict words

    cdef int fill(self, Values* values, int64_t shift) except -1


cdef class Events:
    cdef readonly int count
    cdef readonly dict images
    cdef dict buffers
    cdef const int64_t[::1] publish_time
    cdef const int8_t[::1] kind
    cdef const uint32_t[::1] row
    cdef const int64_t[::1] exchange_time
    cdef const int64_t[::1] receive_time
    cdef const int64_t[::1] price
    cdef const uint64_t[::1] size
    cdef const uint64_t[::1] trade_id
    cdef const uint64_t[::1] other
    cdef const uint16_t[::1] conditions
    cdef const uint16_t[::1] ring

from libc.stdint cimport int32_t

from ticker.feeds.market.market cimport Market


cdef class Calls:
    cdef Market market

    cdef int32_t _row(self, object instrument) except -1

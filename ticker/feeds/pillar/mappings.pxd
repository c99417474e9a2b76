"""What Symbol Index Mappings said: see mappings.pyx."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t

from ticker.feeds.market.market cimport Market


cdef struct Listing:
    int64_t unit                 # 1e-9 units in one of its prices, 0: not known
    uint8_t engine               # its matching engine
    uint8_t channel              # where its last mapping came from
    uint8_t halt                 # the TradingStatus of its halt, 0: none
    uint8_t session              # ... of the market's session, 0: not known


cdef class IndexMappings:
    cdef Market market
    cdef Listing* listings       # of each instrument
    cdef uint32_t rows
    cdef bint recalled           # what a predecessor knew of the rows was read

    cdef int32_t find(self, uint32_t index) noexcept nogil
    cdef int32_t _find(self, uint32_t index) noexcept nogil
    cdef void define(self, const uint8_t* data, uint8_t channel) noexcept nogil
    cdef void forget_states(self) noexcept nogil
    cdef void _recall(self) noexcept nogil

"""The last trades of the symbols that a client watches trade by trade, and what became of them."""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from ticker.shm.layout cimport Record


cdef struct Trade:
    uint64_t number              # of this entry; 0: none
    uint64_t previous            # entry of the same symbol before this one; 0: none
    int64_t price
    int64_t time                 # of a correction: its own
    int64_t publish_time
    uint64_t size
    uint64_t seq                 # the symbol's, with this trade
    uint64_t trade_id            # the venue's number of the trade, 0: none
    uint64_t new_trade_id        # of a correction: the number from now on, 0: the same
    uint8_t message              # Message
    uint8_t ineligible           # of a correction: the trade sets the last price no longer
    uint16_t conditions          # TradeFlag bits
    uint32_t symbol
    uint32_t version             # of the symbol's topic, with this trade
    uint32_t feed
    uint32_t row


@cython.final
cdef class TradeLog:
    cdef Trade* trades
    cdef uint64_t* tails         # of each symbol: its newest entry
    cdef uint32_t symbol_capacity
    cdef readonly uint32_t capacity
    cdef readonly uint64_t count # entries ever made
    cdef uint32_t* found         # scratch of find()

    cdef int grow(self, uint32_t symbols) except -1
    cdef Trade* append(self, uint32_t symbol, uint32_t feed, const Record* record) noexcept nogil
    cdef const Trade* before(self, const Trade* trade) noexcept nogil
    cdef uint32_t find(self, uint32_t symbol, uint32_t seen) noexcept nogil

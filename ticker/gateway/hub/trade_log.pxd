"""The last trades of the symbols that somebody watches trade by trade."""

from libc.stdint cimport int64_t, uint32_t, uint64_t


cdef struct Trade:
    uint64_t number              # of this entry; 0: none
    uint64_t previous            # entry of the same symbol before this one; 0: none
    int64_t price
    int64_t time
    int64_t publish_time
    uint64_t size
    uint64_t seq                 # the symbol's, with this trade
    uint32_t symbol
    uint32_t version             # of the symbol's topic, with this trade
    uint32_t feed
    uint32_t row


cdef class TradeLog:
    cdef Trade* trades
    cdef uint64_t* tails         # of each symbol: its newest entry
    cdef uint32_t symbol_capacity
    cdef readonly uint32_t capacity
    cdef readonly uint64_t count # entries ever made
    cdef uint32_t* found         # scratch of find()

    cdef int grow(self, uint32_t symbols) except -1
    cdef Trade* append(self, uint32_t symbol) noexcept nogil
    cdef uint32_t find(self, uint32_t symbol, uint32_t seen) noexcept nogil

"""What a trade must be to count: see filter.pyx."""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from ticker.feeds.market.jumps cimport Jumps
from ticker.feeds.market.trade_ids cimport TradeIds
from ticker.shm.layout cimport Values
from ticker.shm.rejects cimport RejectWriter


cdef class Filter:
    cdef uint64_t* counters
    cdef RejectWriter rejects
    cdef TradeIds ids
    cdef Jumps jumps
    cdef uint32_t instruments
    cdef uint64_t size_exponent  # of the feed's sizes
    cdef readonly int64_t max_price
    # The rules; one that is off has the bound that nothing goes beyond.
    cdef int64_t least_price
    cdef int64_t most_price
    cdef bint duplicates
    cdef bint bad_sizes
    cdef bint older
    cdef bint unknown_symbols
    cdef uint64_t refused_flags  # RowFlag
    cdef int64_t max_ahead
    cdef int64_t max_behind
    cdef bint live               # trades are of now: they can be too far behind
    cdef int64_t session_start   # ns after the midnight of the session
    cdef int64_t session_end
    cdef bint has_session

    cdef int _set_rules(self, object rules) except -1
    cdef int judge(
        self, uint32_t instrument, const Values* values, int64_t midnight, int64_t price,
        uint64_t size, uint64_t match, uint32_t flags, int64_t exchange_time,
        int64_t receive_time,
    ) noexcept nogil
    cdef void forget(self) noexcept nogil
    cdef void refuse_unknown(
        self, const char* symbol, size_t length, int64_t price, uint64_t size, uint64_t match,
        int64_t exchange_time, int64_t receive_time,
    ) noexcept nogil
    cdef bint _known(
        self, uint32_t instrument, uint64_t match, uint32_t flags, int64_t exchange_time,
        int64_t receive_time, int* rule
    ) noexcept nogil

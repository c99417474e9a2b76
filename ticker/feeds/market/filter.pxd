"""What a trade must be to count: see filter.pyx."""

cimport cython
from libc.stdint cimport int64_t, uint32_t, uint64_t

from ticker.feeds.market.jumps cimport Jumps
from ticker.feeds.market.trade_ids cimport TradeIds
from ticker.shm.layout cimport Values
from ticker.shm.rejects cimport RejectWriter


@cython.final
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
    cdef int64_t session_start   # ns after the midnight of the session, of the day at hand
    cdef int64_t session_end
    cdef bint has_session
    cdef object session_hours    # as clocks show them, ns from 00:00, or None
    cdef object price_hours      # those whose trades set prices, likewise
    cdef int64_t priced_from     # ns after the midnight of the session, of the day at hand
    cdef int64_t priced_until
    cdef readonly str timezone   # whose clocks
    cdef object hours            # says when the regular session of a day is, or None
    cdef int64_t regular_from    # ns after the midnight of the session; the widest: not known
    cdef int64_t regular_until

    # The day begins that starts at `midnight`: other times elapse until its hours.
    cdef void begin_day(self, int64_t midnight) noexcept nogil
    # Look for the regular hours of the day that starts at `midnight`.
    cdef void find_hours(self, int64_t midnight) noexcept nogil
    cdef int _set_rules(self, object rules) except -1
    cdef int judge(
        self, uint32_t instrument, const Values* values, int64_t midnight, int64_t price,
        uint64_t size, uint64_t match, uint32_t flags, int64_t exchange_time,
        int64_t receive_time,
    ) noexcept nogil
    # Whether a trade has a time that no clock shows yet.
    cdef inline bint is_ahead(self, int64_t exchange_time, int64_t receive_time) noexcept nogil:
        return <int64_t>(<uint64_t>exchange_time - <uint64_t>receive_time) > self.max_ahead

    cdef void forget(self) noexcept nogil
    cdef void refuse_unknown(
        self, const char* symbol, size_t length, int64_t price, uint64_t size, uint64_t match,
        int64_t exchange_time, int64_t receive_time,
    ) noexcept nogil
    cdef bint _known(
        self, uint32_t instrument, uint64_t match, uint32_t flags, int64_t exchange_time,
        int64_t receive_time, int* rule
    ) noexcept nogil

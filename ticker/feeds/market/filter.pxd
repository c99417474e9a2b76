"""What a trade must be to count, and what becomes of a jump until it is confirmed."""

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

from ticker.feeds.market.trade_ids cimport TradeIds
from ticker.shm.layout cimport Reject, Values
from ticker.shm.rejects cimport RejectWriter


cdef enum Verdict:
    REFUSED = 0                  # or held: the trade does not count now
    ACCEPTED
    CONFIRMS                     # the held one counts, then this one
    CONFIRMS_ONLY                # the held one counts, this one is older than it

# A trade that waits for a second one; it is in nobody's log yet.
cdef struct Held:
    int64_t price
    uint64_t size
    uint64_t match
    int64_t exchange_time
    int64_t receive_time
    int64_t good                 # the last sale that it jumped from
    uint32_t flags
    uint32_t place               # in Filter.holding


cdef class Filter:
    cdef uint64_t* counters
    cdef RejectWriter rejects
    cdef TradeIds ids
    cdef char* jumped            # per instrument: a jump of it is held
    cdef Held* held              # per instrument
    cdef uint32_t* holding       # the instruments that hold a jump
    cdef uint32_t held_count
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
    cdef bint banded
    cdef int band_shift          # a move of less than price >> band_shift is inside the band
    cdef uint64_t band           # parts per million
    cdef uint64_t band_growth    # ... per second
    cdef uint64_t band_most
    cdef int64_t band_floor
    cdef int64_t hold

    cdef int _set_rules(self, object rules) except -1
    cdef int judge(
        self, uint32_t instrument, const Values* values, int64_t midnight, int64_t price,
        uint64_t size, uint64_t match, uint32_t flags, int64_t exchange_time,
        int64_t receive_time,
    ) noexcept nogil
    cdef void take(self, uint32_t instrument, Held* out) noexcept nogil
    cdef bint fits(self, uint32_t instrument, const Values* values) noexcept nogil
    cdef int32_t find_held(self, int32_t instrument, uint64_t match) noexcept nogil
    cdef void expire(self, int64_t now_ns) noexcept nogil
    cdef void forget(self) noexcept nogil
    cdef void refuse_unknown(
        self, const char* symbol, size_t length, int64_t price, uint64_t size, uint64_t match,
        int64_t exchange_time, int64_t receive_time,
    ) noexcept nogil
    cdef bint _known(
        self, uint32_t instrument, uint64_t match, uint32_t flags, int64_t exchange_time,
        int64_t receive_time, int* rule
    ) noexcept nogil
    cdef int _jump(
        self, uint32_t instrument, const Values* values, Reject* trade, uint32_t flags,
    ) noexcept nogil
    cdef bint _within(self, int64_t good, int64_t since, int64_t price) noexcept nogil
    cdef void _refute(self, uint32_t instrument, int64_t by) noexcept nogil
    cdef void _release(self, uint32_t instrument) noexcept nogil

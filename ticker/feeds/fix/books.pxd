"""The books of FIX market data: see books.pyx."""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from ticker.feeds.fix.entries cimport Entry
from ticker.feeds.market.book cimport Ladder
from ticker.feeds.market.market cimport Market, Side

# How an instrument's book comes.
cdef enum Style:
    BY_ORDER = 0
    BY_LEVEL = 1
    BY_PLACE = 2                     # levels that have a place (290, 1023)
    SHARED = 3                       # entries that have a place, several of them on a level

cdef struct Quote:
    bint has_bid
    bint has_ask
    int64_t bid
    uint64_t bid_size
    int64_t ask
    uint64_t ask_size


@cython.final
cdef class Books:
    cdef Market market
    cdef int depth                   # 264: 1 the top, n levels, 0 all of them or not known
    cdef uint8_t* styles             # Style of each instrument
    cdef Quote* quotes               # with depth 1
    cdef uint32_t rows

    # A snapshot or an empty book: what follows is all that there is.
    cdef void clear(self, int32_t instrument, int64_t time) noexcept nogil
    cdef void forget(self) noexcept nogil
    # A bid or an offer (or 269 left out, of an order that is known by its id). False: from what
    # was there and what came, its present content is unknown.
    cdef bint take(
        self, Entry* entry, int32_t instrument, bint snapshot, int64_t time
    ) noexcept nogil

    cdef bint _is_empty(self, int32_t instrument) noexcept nogil
    cdef void _best(self, Entry* entry, int32_t instrument, int64_t time) noexcept nogil
    cdef bint _snapshot_level(
        self, const Entry* entry, int32_t instrument, int64_t time
    ) noexcept nogil
    cdef bint _level(self, const Entry* entry, int32_t instrument, int64_t time) noexcept nogil
    cdef bint _place(self, const Entry* entry, int32_t instrument, int64_t time) noexcept nogil
    cdef bint _put_in_place(
        self, const Entry* entry, int32_t instrument, Side side, int64_t time
    ) noexcept nogil
    cdef void _remove(
        self, int32_t instrument, Side side, uint32_t place, int64_t time
    ) noexcept nogil
    cdef void _order(self, Entry* entry, int32_t instrument, int64_t time) noexcept nogil

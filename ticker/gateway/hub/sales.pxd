"""The last sale of each symbol over its venues, and what its topics tell."""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from ticker.gateway.hub.fields cimport Fields
from ticker.gateway.hub.topics cimport Topics
from ticker.gateway.hub.trade_log cimport TradeLog
from ticker.gateway.prices.board cimport Board
from ticker.gateway.prices.consolidate cimport Consolidated
from ticker.shm.layout cimport SYMBOL_BYTES, Record, Row


# The last sale of a symbol over its venues.
cdef struct Sale:
    int64_t price
    int64_t exchange_time
    int64_t time                 # that is told: never goes back, even if a trade is taken back
    int64_t publish_time
    uint64_t size
    uint64_t size_exponent
    uint64_t seq                 # trades so far, all venues
    uint64_t trade_id            # the venue's number of it, 0: not known
    uint32_t feed                # of the row that it happened on
    uint32_t row
    uint8_t there                # there is one; else there was none yet, or it was taken back
    uint8_t ambiguous            # another price was shown with the same microsecond
    uint8_t name_length
    uint8_t tape                 # of the listing, as in Fields
    char name[SYMBOL_BYTES]

cdef struct RowState:
    uint64_t seq                 # that was applied last
    uint64_t told                # of the newest trade that `trades` was told of
    uint64_t corrections         # that `trades` was told of


@cython.final
cdef class Sales:
    cdef Board board
    cdef Topics topics
    cdef TradeLog log
    cdef uint32_t feed_count
    cdef RowState** states       # [feed][row]
    cdef Row** rows              # [feed] the rows of its table
    cdef Sale* sales             # of each symbol
    cdef Fields* quotes          # of each symbol, as of its quote topic's version

    cdef int grow(self) except -1
    cdef int reserve(self, uint32_t count) except -1
    cdef bint trade(self, uint32_t feed, uint32_t symbol, const Record* record) noexcept nogil
    cdef void correction(self, uint32_t feed, uint32_t symbol, const Record* record) noexcept nogil
    cdef void quote(self, uint32_t symbol) noexcept nogil
    cdef int reload(self, uint32_t symbol, bint lapped) except -1
    cdef void skip(self, uint32_t feed, uint32_t symbol, const Record* record) noexcept nogil
    cdef void identify(self, uint32_t symbol, const Record* record) noexcept nogil
    cdef int read_quote(self, uint32_t symbol) except -1
    cdef void _read_venues(self, uint32_t symbol, const Consolidated* found) noexcept nogil
    cdef void sale_fields(self, uint32_t symbol, Fields* fields) noexcept nogil
    cdef int _name(self, uint32_t symbol) except -1
    cdef int _reload_rows(self, uint32_t symbol, bint lapped) except -1
    cdef void _take_last(self, uint32_t symbol, const Consolidated* found) noexcept nogil
    cdef void _set_sale(
        self, uint32_t feed, uint32_t symbol, const Record* record
    ) noexcept nogil
    cdef void _log_trade(
        self, uint32_t feed, uint32_t symbol, const Record* record, RowState* state
    ) noexcept nogil

"""The rows of a feed's instruments: see rows.pyx."""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

from ticker.feeds.market.directory cimport Directory, row_of
from ticker.feeds.market.publisher cimport Entry, Publisher, mark_dirty
from ticker.feeds.market.venue_state cimport VenueState
from ticker.shm.header cimport Mapping


@cython.final
cdef class Rows:
    cdef Mapping mapping
    cdef uint64_t* counters
    cdef Directory directory
    cdef VenueState venue        # phase of the day and circuit breaker, of all instruments
    cdef Publisher publisher
    cdef bytes venue_text
    cdef bytes currency_text
    cdef const char* venue_code
    cdef const char* currency_code
    cdef readonly uint64_t size_exponent
    cdef readonly str symbology
    cdef bint renames            # symbols of the feed may not be the canonical ones
    cdef readonly int64_t midnight # at which the day began that totals are of, ns since the epoch
    cdef int64_t first_midnight  # trades before it are of a day that is over; INT64_MIN: none
                                 # has ended
    cdef int64_t day_end         # the next midnight, INT64_MAX: no calendar is followed
    cdef int64_t next_look       # when `watch` wants to be asked again, by receive time
    cdef object watch            # a DayWatch (feeds/day.py), or None
    cdef int64_t least_price  # that can be true: 1, or below 0 where prices are negative
    cdef bint zero_is_price      # and not "none"
    # Receive time of the message being decoded; a decoder sets it before it calls.
    cdef int64_t received

    # Whether a price can be that of an order, a level or a close.
    cdef inline bint is_price(self, int64_t price) noexcept nogil:
        return price >= self.least_price and (price != 0 or self.zero_is_price)

    # `key` is the feed's own number of an instrument (ITCH: stock locate). -1: unknown, or no
    # room for it.
    cdef int32_t define(self, uint64_t key, const char* symbol, size_t length) noexcept nogil
    # The same where messages name the venue (MIC, NUL-terminated): a row for each of them.
    cdef int32_t define_on(
        self, uint64_t key, const char* symbol, size_t length, const char* venue
    ) noexcept nogil
    # The instrument of the feed's number, or a NoRow (negative).
    cdef inline int32_t find(self, uint64_t key) noexcept nogil:
        return row_of(self.directory, key)

    cdef void set_test(self, int32_t instrument, bint test) noexcept nogil
    # The venue that lists the symbol, by its MIC; NULL: not known.
    cdef void set_listing(self, int32_t instrument, const char* venue) noexcept nogil
    cdef void set_previous_close(self, int32_t instrument, int64_t price) noexcept nogil
    # The day's high or low, where the feed says it itself; alone it is the other one too.
    cdef void set_high(self, int32_t instrument, int64_t price, int64_t time) noexcept nogil
    cdef void set_low(self, int32_t instrument, int64_t price, int64_t time) noexcept nogil
    cdef void set_status(self, int32_t instrument, uint64_t status, int64_t time) noexcept nogil
    cdef void set_status_all(self, uint64_t status, int64_t time) noexcept nogil

    # A trade of this time has come, which is beyond the day's end.
    cdef void reach(self, int64_t time) noexcept nogil
    # The day begins that starts at `midnight`.
    cdef void begin_day(self, int64_t midnight) noexcept nogil

    # Something of the row other than a trade changed at this exchange time: Dirty `bits`.
    cdef inline void touch(self, uint32_t row, uint32_t bits, int64_t time) noexcept nogil:
        cdef Entry* entry = &self.publisher.entries[row]
        entry.change_time = time
        entry.change_received = self.received
        mark_dirty(self.publisher, row, bits)

    cdef void _set_range(
        self, int32_t instrument, int64_t high, int64_t low, int64_t time
    ) noexcept nogil
    cdef size_t _canonical(
        self, const char* symbol, size_t length, char* out
    ) noexcept nogil
    cdef int64_t _new_row(
        self, uint64_t key, const char* symbol, size_t length, const char* venue
    ) noexcept nogil

"""What a record of a JSON text becomes: a call on the market."""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint64_t

from ticker.feeds.json.depths cimport Depths
from ticker.feeds.json.events cimport Events
from ticker.feeds.json.record cimport Record
from ticker.feeds.json.rules cimport Rule
from ticker.feeds.json.skips cimport Skips
from ticker.feeds.market.market cimport Market
from ticker.shm.layout cimport VENUE_BYTES


@cython.final
cdef class Taker:
    cdef Market market
    cdef Record record           # the one at hand
    cdef Skips skips
    cdef Events events
    cdef uint64_t* next_numbers  # by row: the next record's number within its symbol, 0: unknown
    cdef size_t rows
    cdef char[VENUE_BYTES] mic   # that the record names, NUL-padded
    cdef Depths depths           # None: no book is cut

    # The record at hand, by a rule whose tests it passes.
    cdef void take(self, Rule* rule, int64_t receive_time) noexcept nogil
    # Every record of the text at hand is taken.
    cdef void text_ends(self) noexcept nogil
    # Numbers within a symbol start over.
    cdef void forget_numbers(self) noexcept nogil

    cdef void _trade(self, Rule* rule, int64_t time, int64_t receive_time) noexcept nogil
    cdef void _correct(
        self, Rule* rule, uint64_t match, int64_t price, uint64_t size, int64_t time
    ) noexcept nogil
    cdef void _quote(self, Rule* rule, int64_t time) noexcept nogil
    cdef bint _is_quoted(self, int64_t price) noexcept nogil
    cdef void _level(self, Rule* rule, int64_t time) noexcept nogil
    cdef void _deepen(self, Rule* rule, int32_t instrument) noexcept nogil
    cdef void _doubt(self, int32_t row) noexcept nogil
    cdef void _rare(self, Rule* rule, int64_t time) noexcept nogil
    cdef bint _in_sequence(self, Rule* rule, int32_t instrument, uint64_t* match) noexcept nogil
    cdef bint _quote_in_sequence(self, Rule* rule, int32_t instrument) noexcept nogil
    cdef bint _names_venue(self, Rule* rule) noexcept nogil
    cdef uint64_t _number(self, bint on_venue) noexcept nogil
    cdef int32_t _known(self, Rule* rule) noexcept nogil
    cdef bint _stays_blank(self) noexcept nogil
    cdef int32_t _instrument(self, Rule* rule) noexcept nogil

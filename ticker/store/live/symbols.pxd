"""The symbols of all feeds together, by the numbers of the segment of bars."""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint16_t, uint32_t, uint64_t

from ticker.shm.bars.published cimport BarsWriter
from ticker.shm.layout cimport CURRENCY_BYTES, Row


cdef struct Symbol:
    uint64_t newest              # number of its newest trade, 0: none
    uint64_t counted             # that of the newest one that is in its bars
    uint32_t feed                # of the newest one
    uint16_t exponent            # sizes of its bars are in 10^-exponent units
    uint16_t waits               # 1: it is among those with trades that are in no bar yet
    char currency[CURRENCY_BYTES]
    int64_t thin_until           # shortest bars that begin until then may not have been made

# What is needed of a row for each of its trades, all in one place.
cdef struct Part:
    int32_t symbol               # from 0; below 0: its trades are in no bar
    uint32_t exponent            # of its sizes
    uint64_t venue               # its letters as a number, in their order


@cython.final
cdef class Symbols:
    cdef BarsWriter writer
    cdef Symbol* all
    cdef dict numbers            # by name
    cdef dict homes              # by (symbol, venue): the feed that its bars are made of
    cdef list mappings           # of the feeds
    cdef Part** by_row           # [feed][row]
    cdef uint64_t* capacities    # of the feeds, in rows
    cdef Part nobody
    cdef Row** rows
    cdef uint32_t feed_count
    cdef readonly uint64_t without_room  # rows whose symbol the segment has no room for

    cdef void fetch(self, uint32_t feed, uint32_t row) noexcept nogil
    cdef const Part* of_row(self, uint32_t feed, uint32_t row) except NULL
    cdef int32_t _learn(self, uint32_t feed, Row* row) except -3
    cdef int _add_feed(self, uint32_t feed, uint64_t capacity) except -1

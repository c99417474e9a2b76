"""The book of a symbol over its venues, or on one of them."""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from ticker.gateway.prices.board cimport Board, RowRef
from ticker.shm.depth.rows cimport DepthReader
from ticker.shm.depth.layout cimport DepthLevel, DepthValues
from ticker.shm.layout cimport DEPTH_LEVELS


# Levels are best first, by Side: 0 bids, 1 asks; sizes in 10^-size_exponent units.
cdef struct Book:
    uint64_t seq                 # changes of all its venues' books, which only grows
    int64_t time                 # exchange time of the newest change
    int64_t publish_time
    uint64_t size_exponent
    uint32_t counts[2]
    DepthLevel sides[2][DEPTH_LEVELS]


cdef class Levels:
    cdef Board board
    cdef list readers            # DepthReader of each feed
    cdef dict gone               # seq of the books of removed feeds, by symbol

    cdef DepthReader reader(self, uint32_t feed)
    cdef bint is_of(self, RowRef* ref, const char* venue)
    cdef uint64_t stamp(self, uint32_t symbol, const char* venue)
    cdef bint read(self, uint32_t symbol, const char* venue, uint32_t levels, Book* out)


cdef void merge(
    Book* into, int side, const DepthValues* book, uint64_t size_exponent, uint32_t levels
) noexcept nogil

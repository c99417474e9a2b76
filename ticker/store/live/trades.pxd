"""The newest trades of all feeds, which a venue can still take back or correct."""

cimport cython
from libc.stdint cimport uint32_t, uint64_t

from ticker.shm.layout cimport Record
from ticker.store.live.bar cimport LiveTrade
from ticker.store.live.figures cimport Sale, int128
from ticker.store.live.symbols cimport Part, Symbol


@cython.final
cdef class Trades:
    cdef LiveTrade* all
    cdef uint64_t mask
    cdef uint64_t seen           # the number of the newest one

    cdef LiveTrade* add(
        self, uint32_t feed, const Part* part, Symbol* symbol, const Record* record
    ) noexcept nogil
    cdef LiveTrade* at(self, uint64_t number) noexcept nogil
    cdef LiveTrade* find(
        self, const Symbol* symbol, uint32_t feed, const Record* record
    ) noexcept nogil
    cdef bint has_all_since(self, uint64_t number) noexcept nogil


cdef int128 power_of_ten(uint64_t exponent) except -1
cdef Sale sale_of(const LiveTrade* trade, const Symbol* symbol) noexcept nogil

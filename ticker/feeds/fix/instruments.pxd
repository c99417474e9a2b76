"""Which row an instrument of a FIX message has: see instruments.pyx."""

cimport cython
from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t

from ticker.feeds.fix.entries cimport Entry
from ticker.feeds.market.rows cimport Rows


@cython.final
cdef class Instruments:
    cdef Rows rows
    cdef uint8_t* learned            # per row: `known` has it
    cdef dict known                  # row: the Identity that it has
    cdef dict plain_keys             # base name: keys of those that say no more than it
    cdef set split                   # base names that several instruments have
    cdef uint32_t scanned            # rows that were looked at for `split`
    cdef uint32_t refused            # keys that have no row

    # The row of the instrument that an entry names in its fields up to `end`; -1: it has none.
    cdef int32_t row_of(self, const Entry* entry, const uint8_t* end) noexcept nogil

    cdef int32_t _learn(
        self, uint64_t key, const uint8_t* begin, const uint8_t* end
    ) noexcept with gil
    cdef int32_t _find(self, uint64_t key, object identity, uint64_t id_key)
    cdef int32_t _take(self, uint64_t key, int32_t row, object identity)
    cdef bint _agrees(self, uint64_t key, int32_t row, object identity)
    cdef int32_t _refuse(self, uint64_t key)

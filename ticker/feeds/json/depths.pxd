"""Books whose vendor keeps only the best levels up to date: see depths.pyx."""

from libc.stdint cimport int32_t, uint8_t, uint32_t

from ticker.feeds.market.market cimport Market

cdef enum Verdict:
    UNPROVEN = 0                 # the vendor sent no checksum, or one that cannot be made here
    PROVEN
    WRONG

# A book that a text has changed.
cdef struct Touched:
    int32_t row
    uint32_t depth
    bint proves                  # the text has a checksum of it
    uint32_t checksum

# How a symbol's levels are written.
cdef struct Written:
    uint32_t place               # 1 + that in `touched`, 0: the text at hand has not changed it
    uint8_t price                # decimals
    uint8_t size
    bint unknown                 # of some level it cannot be said
    bint wrong                   # the book is WRONG, and has not begun anew


cdef class Depths:
    cdef Market market
    cdef int size_decimals
    cdef Touched* touched        # by the text at hand, each row once
    cdef uint32_t count
    cdef Written* written        # by row

    # The book of a row changes.
    cdef Touched* touch(self, int32_t row, uint32_t depth) noexcept nogil
    # A level of it, as it is written.
    cdef void note(
        self, int32_t row, const char* price, uint32_t price_length, const char* size,
        uint32_t size_length,
    ) noexcept nogil
    cdef void begin(self, int32_t row) noexcept nogil
    # The text is taken whole: cut one of the books that it changed, and prove it.
    cdef Verdict settle(self, Touched* book) noexcept nogil
    cdef uint32_t checksum(self, int32_t row) noexcept nogil

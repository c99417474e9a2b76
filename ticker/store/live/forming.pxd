"""Bars that still wait for their place in a month's file, as bytes: see forming.pyx."""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from ticker.shm.layout cimport SYMBOL_BYTES, VENUE_BYTES, Row
from ticker.store.live.figures cimport Figures

cdef enum KeptFlag:
    KEPT_PRICED = 1              # open and close are there
    KEPT_RANGED = 2              # high and low are there
    KEPT_EXACT = 4
    KEPT_ADDS = 8                # it adds to the bar in the month's file

# All numbers are little-endian.
cdef struct KeptBar:
    char symbol[SYMBOL_BYTES]
    char venue[VENUE_BYTES]
    int64_t minute               # since the epoch
    int64_t open                 # 1e-9 units
    int64_t high
    int64_t low
    int64_t close
    int64_t open_time            # ns
    int64_t close_time
    int64_t trades
    uint64_t volume[2]           # 10^-size_exponent units; the low word of 128 bits, the high one
    uint64_t notional[2]
    uint32_t size_exponent
    uint32_t revision
    uint32_t flags               # KeptFlag
    uint32_t reserved


cdef object figures_of(const KeptBar* bar)
cdef void keep_bar(
    KeptBar* kept, const Figures* bar, const Row* row, int64_t minute, uint32_t revision, uint32_t flags
) noexcept nogil

"""The segment of bars, `/ticker.<instance>.store.bars`; the store worker writes it, gateways read it.

    0      SegmentHeader   row_capacity: symbols; ring_capacity: records of the ring
    512    GatewayState    heartbeat words of its writer, unused by readers
    ...    BarsHead        how many symbols there are, how many records were published
    ...    ring            ring_capacity x BarRecord: every change of a bar, in its order
    ...    symbols         row_capacity x BarSymbol: the newest bar of each span

A BarRecord carries its own sequence. In the ring it is that of a feed's ring: 2n+1 while record n is
written, 2n+2 once it is whole. In a BarSymbol it is even while the bar is whole, 0: there was none.
A writer that died half-way leaves it odd; its successor writes that bar again.

While no client watches bars, they are not in the ring, and the newest ones are some seconds old. Once
one does, the newest are made new, and a record of the span SPANS tells readers to look at them.
"""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport SYMBOL_BYTES

cdef enum:
    SPANS = 5
    SPAN_OF_DAYS = 4             # the last of SPAN_SECONDS
    BAR_WORDS = 16

cpdef enum BarState:
    BAR_FORMING = 0              # its time is not over
    BAR_FINAL = 1                # its time is over
    BAR_UPDATED = 2              # it changed after its time was over

cpdef enum BarFlag:
    BAR_HAS_PRICE = 1            # open and close
    BAR_HAS_RANGE = 2            # high and low
    BAR_HAS_VWAP = 4
    BAR_INEXACT = 8              # a trade was taken back that its prices may still have
    BAR_INCOMPLETE = 16          # trades of it may be missing

# Prices are 1e-9 units, volumes 10^-size_exponent units, times ns since the epoch.
cdef struct BarRecord:
    uint64_t sequence
    uint32_t symbol              # number of its BarSymbol
    uint8_t span                 # index of SPAN_SECONDS; SPANS: of no bar, look at the newest
    uint8_t state                # BarState
    uint8_t flags                # BarFlag bits
    uint8_t size_exponent
    int64_t start
    int64_t open
    int64_t high
    int64_t low
    int64_t close
    uint64_t volume
    uint64_t volume_high         # the high 64 bits of 128
    int64_t vwap
    uint64_t trades
    int64_t time                 # of the exchange: its newest trade
    uint64_t revision            # times that it changed after its time was over
    int64_t publish_time
    uint64_t reserved[2]

cdef struct BarsHead:
    uint64_t cursor              # records ever published
    uint64_t symbol_count
    uint64_t reserved[6]

cdef struct BarSymbol:
    char name[SYMBOL_BYTES]      # NUL padded
    uint64_t reserved[5]
    BarRecord newest[SPANS]


@cython.final
cdef class BarsSegment:
    cdef Mapping mapping
    cdef BarsHead* head
    cdef BarRecord* ring
    cdef BarSymbol* symbols
    cdef uint64_t mask
    cdef readonly uint32_t capacity


@cython.final
cdef class BarsWriter:
    """The one writer."""

    cdef readonly BarsSegment shared
    cdef uint64_t cursor

    cdef int64_t add_symbol(self, const char* name, size_t length) noexcept
    cdef void fetch(self, uint32_t symbol, uint32_t span) noexcept nogil
    cdef void publish(self, BarRecord* record) noexcept nogil
    cdef void place(self, const BarRecord* record) noexcept nogil
    cdef void look_again(self) noexcept nogil
    cdef void _append(self, const BarRecord* record) noexcept nogil


@cython.final
cdef class BarsReader:
    """One reader, with its own position in the ring."""

    cdef readonly BarsSegment shared
    cdef readonly uint64_t position
    cdef readonly uint64_t laps

    cdef bint pending(self) noexcept nogil
    cdef int read(self, BarRecord* out) noexcept nogil
    cdef bint newest(self, uint32_t symbol, uint32_t span, BarRecord* out) noexcept nogil

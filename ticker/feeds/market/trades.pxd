"""The trades of a session, kept so that a broken one can be taken back."""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

from ticker.shm.layout cimport (
    TRADE_COUNTS_VOLUME,
    TRADE_CROSS,
    TRADE_EXTENDED,
    TRADE_LAST_IF_ONLY,
    TRADE_LAST_IF_SAME,
    TRADE_LAST_IN_TIME,
    TRADE_ODD_LOT,
    TRADE_OFFICIAL_CLOSE,
    TRADE_OFFICIAL_OPEN,
    TRADE_PRINTED,
    TRADE_REGULAR,
    TRADE_SETS_EXTENDED,
    TRADE_SETS_LAST,
    TRADE_SETS_OPEN,
    TRADE_SETS_RANGE,
    TRADE_TOLD,
    TradeFlag,
    Values,
)

cdef struct Trade:
    uint64_t match               # the venue's number of it, 0: none
    int64_t price
    uint64_t size
    int64_t exchange_time
    int64_t receive_time
    uint64_t earlier             # 1 + number of the instrument's trade before it, 0: none
    uint32_t instrument
    uint32_t flags               # TradeFlag, 0 once broken

cdef enum:
    RECOUNT = 64                 # trades of an instrument at most that are mostly counted again

# The trades of one instrument. The links are 1 + the number of a trade, 0: none.
cdef struct Chain:
    uint64_t newest
    uint64_t counted             # newest trade that is part of the instrument's `counts`
    uint64_t since               # trades behind that


@cython.final
cdef class TradeLog:
    cdef Trade* trades
    cdef uint64_t mask
    cdef bint in_order           # a trade that is older than the last sale does not become it
    cdef readonly uint64_t count
    cdef Chain* chains           # per instrument
    # Per instrument, of those with a trade here: its row before the oldest trade that is kept, and
    # whether a trade of this session became part of that.
    cdef Values* base
    cdef char* absorbed
    cdef Values* counts          # per instrument: its row behind the trade `counted`
    cdef uint32_t instruments

    cdef void append(
        self, uint32_t instrument, const Values* values, int64_t price, uint64_t size,
        uint64_t match, uint32_t flags, int64_t exchange_time, int64_t receive_time,
    ) noexcept nogil
    cdef Trade* find(self, int32_t instrument, uint64_t match) noexcept nogil
    cdef void _count(self, uint32_t instrument, const Values* values) noexcept nogil
    cdef void changes(self, const Trade* trade) noexcept nogil
    cdef void forget_counts(self) noexcept nogil
    cdef bint count_again(self, uint32_t instrument, Values* out) noexcept nogil
    cdef void clear(self) noexcept nogil
    cdef void _absorb(self, const Trade* trade) noexcept nogil
    cdef Trade* _kept(self, uint64_t link) noexcept nogil

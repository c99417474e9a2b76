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


@cython.final
cdef class TradeLog:
    cdef Trade* trades
    cdef uint64_t mask
    cdef bint in_order           # a trade that is older than the last sale does not become it
    cdef readonly uint64_t count
    cdef uint64_t* newest        # per instrument: 1 + number of its newest trade, 0: none
    # Per instrument, of those with a trade here: its row before the oldest trade that is kept, and
    # whether a trade of this session became part of that.
    cdef Values* base
    cdef char* absorbed
    cdef uint32_t instruments

    cdef void append(
        self, uint32_t instrument, const Values* values, int64_t price, uint64_t size,
        uint64_t match, uint32_t flags, int64_t exchange_time, int64_t receive_time,
    ) noexcept nogil
    cdef Trade* find(self, int32_t instrument, uint64_t match) noexcept nogil
    cdef bint count_again(self, uint32_t instrument, Values* out) noexcept nogil
    cdef void clear(self) noexcept nogil
    cdef void _absorb(self, const Trade* trade) noexcept nogil
    cdef Trade* _kept(self, uint64_t link) noexcept nogil

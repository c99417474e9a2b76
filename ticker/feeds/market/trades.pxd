"""The trades of a session, kept so that a broken one can be taken back."""

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

from ticker.shm.layout cimport (
    TRADE_COUNTS_VOLUME,
    TRADE_EXTENDED,
    TRADE_LAST_IF_ONLY,
    TRADE_ODD_LOT,
    TRADE_OFFICIAL_CLOSE,
    TRADE_OFFICIAL_OPEN,
    TRADE_PRINTED,
    TRADE_REGULAR,
    TRADE_SETS_LAST,
    TRADE_SETS_OPEN,
    TRADE_SETS_RANGE,
    TRADE_TOLD,
    TradeFlag,
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

# What an instrument's trades that still count add up to, as far back as they are kept.
cdef struct Range:
    bint whole                   # nothing of this session is missing
    bint opened                  # a trade is left that sets the open
    bint ranged                  # ... the high and low
    int64_t open
    int64_t open_time
    int64_t high
    int64_t low


cdef class TradeLog:
    cdef Trade* trades
    cdef uint64_t mask
    cdef readonly uint64_t count
    cdef uint64_t* newest        # per instrument: 1 + number of its newest trade, 0: none
    cdef char* partial           # per instrument: it traded before this log began
    cdef uint32_t instruments

    cdef void append(
        self, uint32_t instrument, int64_t price, uint64_t size, uint64_t match, uint32_t flags,
        int64_t exchange_time, int64_t receive_time,
    ) noexcept nogil
    cdef Trade* find(self, int32_t instrument, uint64_t match) noexcept nogil
    cdef Trade* last_sale(self, uint32_t instrument, uint32_t without) noexcept nogil
    cdef Trade* only_sale(self, uint32_t instrument) noexcept nogil
    cdef void range_of(self, uint32_t instrument, Range* out) noexcept nogil
    cdef bint begins_session(self, uint32_t instrument) noexcept nogil
    cdef void clear(self) noexcept nogil
    cdef Trade* _kept(self, uint64_t link) noexcept nogil

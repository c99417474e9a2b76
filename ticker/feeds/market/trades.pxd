"""The trades of a session, kept so that a broken one can be taken back."""

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

cdef enum TradeFlag:
    TRADE_SETS_LAST = 1
    TRADE_SETS_RANGE = 2       # open, high, low
    TRADE_COUNTS_VOLUME = 4
    TRADE_REGULAR = 7
    TRADE_PRINTED = 8          # it was printed; alone: by its conditions it counts for nothing
    TRADE_LAST_IF_ONLY = 16    # sets the last price of a session in which nothing else has
    # What a trade is; whether it then sets prices is the feed's configuration (Market).
    TRADE_ODD_LOT = 32
    TRADE_EXTENDED = 64        # outside regular hours
    TRADE_TOLD = 128           # a snapshot tells of it: it may be of long ago


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
    cdef Trade* last_sale(self, uint32_t instrument) noexcept nogil
    cdef Trade* only_sale(self, uint32_t instrument) noexcept nogil
    cdef void range_of(self, uint32_t instrument, Range* out) noexcept nogil
    cdef bint begins_session(self, uint32_t instrument) noexcept nogil
    cdef void clear(self) noexcept nogil
    cdef Trade* _kept(self, uint64_t link) noexcept nogil

"""The figures of a bar, and a trade into them and out of them."""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from ticker.shm.layout cimport TRADE_COUNTS_VOLUME, TRADE_SETS_LAST, TRADE_SETS_RANGE

cdef extern from *:
    ctypedef long long int128 "__int128"

cdef enum BarFlag:
    BAR_USED = 1
    BAR_DIRTY = 2                # has changed since it was last taken
    BAR_ADDS = 4                 # trades of its minute may be on the disk already: this adds to them
    BAR_TAKEN = 8
    BAR_INEXACT = 16             # a trade was taken back whose neighbours are no longer known

# A trade that may still be taken back. `next`, `bar`: index + 1, 0: none.
cdef struct Trade:
    int64_t price
    uint64_t size
    int64_t time                 # of the exchange, ns
    uint64_t match
    uint64_t earlier             # number + 1 of the trade of its row that came before it, 0: none
    uint32_t row
    uint32_t flags               # TradeFlag
    uint32_t bar
    uint32_t next                # the trade of its bar that came before it

cdef struct Bar:
    int64_t minute               # since the epoch
    int64_t open                 # 1e-9 units; with high, low and close if there is `priced`
    int64_t high
    int64_t low
    int64_t close
    int64_t open_time            # of the trade, ns
    int64_t close_time
    int128 volume                # 10^-size_exponent units; of a BAR_ADDS it may be below zero
    int128 notional              # sum of price times size
    int64_t trades
    uint32_t row
    uint32_t newest              # its newest kept trade, index + 1
    uint32_t kept                # trades of it that are kept
    uint32_t made_of             # trades that it was made of
    uint32_t ranged              # of them those that set high and low
    uint32_t priced              # of them those that set open and close
    uint32_t revision            # times that it changed after it was taken and its minute was over
    uint32_t flags               # BarFlag


cdef inline object whole(int128 value):
    """All 128 bits as an int."""
    cdef int64_t high = <int64_t>(value >> 64)
    cdef uint64_t low = <uint64_t>value
    return (<object>high << 64) | <object>low


cdef inline void clear_figures(Bar* bar) noexcept:
    bar.open = bar.high = bar.low = bar.close = 0
    bar.open_time = bar.close_time = 0
    bar.volume = bar.notional = 0
    bar.trades = 0
    bar.ranged = bar.priced = 0


cdef inline void count_in(Bar* bar, Trade* trade) noexcept:
    """A trade, after all that came before it."""
    if trade.flags & TRADE_SETS_LAST:
        if not bar.priced or trade.time < bar.open_time:
            bar.open = trade.price
            bar.open_time = trade.time
        if not bar.priced or trade.time >= bar.close_time:
            bar.close = trade.price
            bar.close_time = trade.time
        bar.priced += 1
    if trade.flags & TRADE_SETS_RANGE:
        if not bar.ranged or trade.price > bar.high:
            bar.high = trade.price
        if not bar.ranged or trade.price < bar.low:
            bar.low = trade.price
        bar.ranged += 1
    if trade.flags & TRADE_COUNTS_VOLUME:
        bar.volume += <int128>trade.size
        bar.notional += <int128>trade.price * <int128>trade.size
        bar.trades += 1


cdef inline void count_out(Bar* bar, Trade* trade) noexcept:
    """A trade of a bar whose other trades are not all known: totals are right, prices may be its."""
    if trade.flags & TRADE_COUNTS_VOLUME:
        bar.volume -= <int128>trade.size
        bar.notional -= <int128>trade.price * <int128>trade.size
        bar.trades -= 1
    if trade.flags & (TRADE_SETS_LAST | TRADE_SETS_RANGE):
        bar.flags |= BAR_INEXACT

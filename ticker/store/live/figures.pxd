"""The figures of a bar of any length, and a trade into them and out of them."""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from ticker.shm.layout cimport TRADE_COUNTS_VOLUME, TRADE_SETS_LAST, TRADE_SETS_RANGE

cdef extern from *:
    ctypedef long long int128 "__int128"

# Prices are 1e-9 units, times are ns of the exchange; sizes are in the unit of the bar.
cdef struct Figures:
    int64_t open                 # with close if there is `priced`
    int64_t high                 # with low if there is `ranged`
    int64_t low
    int64_t close
    int64_t open_time            # of the trade
    int64_t close_time
    uint64_t open_venue          # its letters as a number, in their order; 0 in a bar of one venue
    uint64_t close_venue
    int128 volume
    int128 notional              # sum of price times size
    int64_t trades
    int64_t newest               # time of the newest trade
    uint32_t priced              # trades in it that set open and close
    uint32_t ranged              # trades in it that set high and low

cdef struct Sale:
    int64_t price
    int128 size
    int64_t time
    uint64_t venue               # as in Figures
    uint32_t flags               # TradeFlag


cdef inline void clear_figures(Figures* bar) noexcept nogil:
    bar.open = bar.high = bar.low = bar.close = 0
    bar.open_time = bar.close_time = bar.newest = 0
    bar.volume = bar.notional = 0
    bar.trades = 0
    bar.ranged = bar.priced = 0


cdef inline void count_in(Figures* bar, const Sale* sale) noexcept nogil:
    """A trade, after all that came before it. Of two at one time the venue decides, as in the merge
    of the bars of several venues (rows.py)."""
    if sale.flags & TRADE_SETS_LAST:
        if not bar.priced or sale.time < bar.open_time or (
            sale.time == bar.open_time and sale.venue < bar.open_venue
        ):
            bar.open = sale.price
            bar.open_time = sale.time
            bar.open_venue = sale.venue
        if not bar.priced or sale.time > bar.close_time or (
            sale.time == bar.close_time and sale.venue <= bar.close_venue
        ):
            bar.close = sale.price
            bar.close_time = sale.time
            bar.close_venue = sale.venue
        bar.priced += 1
    if sale.flags & TRADE_SETS_RANGE:
        if not bar.ranged or sale.price > bar.high:
            bar.high = sale.price
        if not bar.ranged or sale.price < bar.low:
            bar.low = sale.price
        bar.ranged += 1
    if sale.flags & TRADE_COUNTS_VOLUME:
        bar.volume += sale.size
        bar.notional += <int128>sale.price * sale.size
        bar.trades += 1
    if sale.time > bar.newest:
        bar.newest = sale.time


cdef inline bint count_out(Figures* bar, const Sale* sale) noexcept nogil:
    """A trade of a bar whose other trades are not all known. Totals are right; True: prices may be
    the trade's."""
    if sale.flags & TRADE_COUNTS_VOLUME:
        bar.volume -= sale.size
        bar.notional -= <int128>sale.price * sale.size
        bar.trades -= 1
    return (sale.flags & (TRADE_SETS_LAST | TRADE_SETS_RANGE)) != 0

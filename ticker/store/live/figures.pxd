"""A trade of the bars in motion, and the figures of a bar: a trade into them and out of them."""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from ticker.shm.bars.published cimport (
    BAR_FINAL,
    BAR_FORMING,
    BAR_HAS_PRICE,
    BAR_HAS_RANGE,
    BAR_HAS_VWAP,
    BAR_INCOMPLETE,
    BAR_INEXACT,
    BAR_UPDATED,
    BarRecord,
)
from ticker.shm.layout cimport (
    TRADE_COUNTS_VOLUME,
    TRADE_SETS_LAST,
    TRADE_SETS_RANGE,
    VENUE_BYTES,
)

cdef extern from *:
    ctypedef long long int128 "__int128"

cdef enum LiveFlag:
    LIVE_USED = 1
    LIVE_DIRTY = 2
    LIVE_CLOSED = 4              # its time is over
    LIVE_TOLD = 8                # it was published as final or updated
    LIVE_INEXACT = 16
    LIVE_INCOMPLETE = 32

cdef struct LiveTrade:
    int64_t price
    uint64_t size                # 10^-exponent units
    int64_t time
    uint64_t match
    uint64_t venue               # its letters as a number, in their order
    uint64_t earlier             # number of the trade of its symbol before it, from 1; 0: none
    uint32_t symbol
    uint32_t row
    uint16_t feed
    uint16_t flags               # TradeFlag
    uint16_t exponent

cdef struct LiveBar:
    int64_t start
    int64_t open
    int64_t high
    int64_t low
    int64_t close
    int64_t open_time
    int64_t close_time
    uint64_t open_venue
    uint64_t close_venue
    int64_t newest               # time of its newest trade
    int128 volume
    int128 notional
    int64_t trades
    uint64_t first_number        # of the first trade that it was made of
    uint64_t last_number
    uint32_t symbol
    uint32_t priced
    uint32_t ranged
    uint32_t revision
    uint32_t flags               # LiveFlag


cdef inline uint64_t letters(const char* venue) noexcept nogil:
    """Its letters as a number that sorts as they do."""
    cdef uint64_t found = 0
    cdef int i
    for i in range(VENUE_BYTES):
        found = found << 8 | <uint8_t>venue[i]
    return found


cdef inline void clear_figures(LiveBar* bar) noexcept nogil:
    bar.open = bar.high = bar.low = bar.close = 0
    bar.open_time = bar.close_time = bar.newest = 0
    bar.volume = bar.notional = 0
    bar.trades = 0
    bar.ranged = bar.priced = 0


cdef inline void count_in(LiveBar* bar, const LiveTrade* trade, int128 size) noexcept nogil:
    """A trade, after all that came before it; `size` in the symbol's unit. Of two at one time the
    venue decides, as in the merge of the bars of several venues (past.py)."""
    if trade.flags & TRADE_SETS_LAST:
        if not bar.priced or trade.time < bar.open_time or (
            trade.time == bar.open_time and trade.venue < bar.open_venue
        ):
            bar.open = trade.price
            bar.open_time = trade.time
            bar.open_venue = trade.venue
        if not bar.priced or trade.time > bar.close_time or (
            trade.time == bar.close_time and trade.venue <= bar.close_venue
        ):
            bar.close = trade.price
            bar.close_time = trade.time
            bar.close_venue = trade.venue
        bar.priced += 1
    if trade.flags & TRADE_SETS_RANGE:
        if not bar.ranged or trade.price > bar.high:
            bar.high = trade.price
        if not bar.ranged or trade.price < bar.low:
            bar.low = trade.price
        bar.ranged += 1
    if trade.flags & TRADE_COUNTS_VOLUME:
        bar.volume += size
        bar.notional += <int128>trade.price * size
        bar.trades += 1
    if trade.time > bar.newest:
        bar.newest = trade.time


cdef inline void count_out(LiveBar* bar, const LiveTrade* trade, int128 size) noexcept nogil:
    """A trade of a bar whose other trades are not all kept: its prices may be the trade's."""
    if trade.flags & TRADE_COUNTS_VOLUME:
        bar.volume -= size
        bar.notional -= <int128>trade.price * size
        bar.trades -= 1
    if trade.flags & (TRADE_SETS_LAST | TRADE_SETS_RANGE):
        bar.flags |= LIVE_INEXACT


@cython.cdivision(True)
cdef inline int64_t vwap_of(const LiveBar* bar) noexcept nogil:
    """Its price by volume, which is not 0, rounded as REST does: half up, cut downwards."""
    cdef int128 over = 2 * bar.notional + bar.volume
    cdef int128 under = 2 * bar.volume
    cdef int128 found = over / under
    if found * under > over:
        found -= 1
    return <int64_t>found


cdef inline void fill(BarRecord* record, LiveBar* bar, uint32_t exponent) noexcept nogil:
    """What is published of a bar now; the first time that it is told after its end it is final."""
    record.symbol = bar.symbol
    record.size_exponent = <uint8_t>exponent
    record.state = BAR_FORMING
    if bar.flags & LIVE_TOLD:
        record.state = BAR_UPDATED
        bar.revision += 1
    elif bar.flags & LIVE_CLOSED:
        record.state = BAR_FINAL
        bar.flags |= LIVE_TOLD
    record.flags = (BAR_HAS_PRICE if bar.priced else 0) | (BAR_HAS_RANGE if bar.ranged else 0)
    record.flags |= BAR_INEXACT if bar.flags & LIVE_INEXACT else 0
    record.flags |= BAR_INCOMPLETE if bar.flags & LIVE_INCOMPLETE else 0
    record.flags |= BAR_HAS_VWAP if bar.volume else 0
    record.start = bar.start
    record.open = bar.open
    record.high = bar.high
    record.low = bar.low
    record.close = bar.close
    record.volume = <uint64_t>bar.volume
    record.volume_high = <uint64_t>(bar.volume >> 64)
    record.vwap = vwap_of(bar) if bar.volume else 0
    record.trades = <uint64_t>bar.trades
    record.time = bar.newest
    record.revision = bar.revision

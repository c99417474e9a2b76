"""A trade and a bar of the bars in motion, and what is published of a bar."""

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
from ticker.shm.layout cimport VENUE_BYTES
from ticker.store.live.figures cimport Figures, int128

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
    int64_t start                # with the next three, what a look for old bars needs: in one line
    uint64_t last_number         # of the last trade that it was made of
    uint32_t symbol
    uint32_t flags               # LiveFlag
    uint32_t revision
    uint64_t first_number
    Figures figures


cdef inline uint64_t letters(const char* venue) noexcept nogil:
    """Its letters as a number that sorts as they do."""
    cdef uint64_t found = 0
    cdef int i
    for i in range(VENUE_BYTES):
        found = found << 8 | <uint8_t>venue[i]
    return found


@cython.cdivision(True)
cdef inline int64_t vwap_of(const LiveBar* bar) noexcept nogil:
    """Its price by volume, which is not 0, rounded as REST does: half up, cut downwards."""
    cdef int128 over = 2 * bar.figures.notional + bar.figures.volume
    cdef int128 under = 2 * bar.figures.volume
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
    record.flags = BAR_HAS_PRICE if bar.figures.priced else 0
    record.flags |= BAR_HAS_RANGE if bar.figures.ranged else 0
    record.flags |= BAR_INEXACT if bar.flags & LIVE_INEXACT else 0
    record.flags |= BAR_INCOMPLETE if bar.flags & LIVE_INCOMPLETE else 0
    record.flags |= BAR_HAS_VWAP if bar.figures.volume else 0
    record.start = bar.start
    record.open = bar.figures.open
    record.high = bar.figures.high
    record.low = bar.figures.low
    record.close = bar.figures.close
    record.volume = <uint64_t>bar.figures.volume
    record.volume_high = <uint64_t>(bar.figures.volume >> 64)
    record.vwap = vwap_of(bar) if bar.figures.volume else 0
    record.trades = <uint64_t>bar.figures.trades
    record.time = bar.figures.newest
    record.revision = bar.revision

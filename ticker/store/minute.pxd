"""The bar of one minute of one row, and the trades that it is made of: see bars.pyx."""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from ticker.pages cimport prefetch
from ticker.shm.layout cimport CACHE_LINE, Record
from ticker.store.live.figures cimport Figures, Sale, clear_figures, count_in, count_out


cdef enum BarFlag:
    BAR_USED = 1
    BAR_DIRTY = 2                # has changed since it was last taken
    BAR_ADDS = 4                 # trades of its minute may be on the disk already: this adds to them
    BAR_TAKEN = 8
    BAR_INEXACT = 16             # a trade was taken back whose neighbours are no longer known

# A trade that may still be taken back. `next`, `bar`: index + 1, 0: none; one that a predecessor
# counted has no bar.
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
    Figures figures              # of one venue; of a BAR_ADDS the volume may be below zero
    uint32_t row
    uint32_t newest              # its newest kept trade, index + 1
    uint32_t kept                # trades of it that are kept
    uint32_t made_of             # trades that it was made of
    uint32_t revision            # times that it changed after it was taken and its minute was over
    uint32_t flags               # BarFlag

cdef struct RowState:
    uint64_t newest              # number + 1 of its newest trade, 0: none
    uint32_t current             # its newest bar, index + 1


cdef inline Sale sale_of(const Trade* trade) noexcept:
    """All bars of a row are of one venue, so it has no letters."""
    cdef Sale sale
    sale.price = trade.price
    sale.size = trade.size
    sale.time = trade.time
    sale.venue = 0
    sale.flags = trade.flags
    return sale


cdef inline void count_trade(Bar* bar, const Trade* trade) noexcept:
    cdef Sale sale = sale_of(trade)
    count_in(&bar.figures, &sale)


cdef inline void uncount_trade(Bar* bar, const Trade* trade) noexcept:
    cdef Sale sale = sale_of(trade)
    if count_out(&bar.figures, &sale):
        bar.flags |= BAR_INEXACT


cdef inline void correct(Trade* trade, const Record* record) noexcept:
    """The print stays at its time, with other figures, and maybe another number."""
    trade.price = record.price
    trade.size = record.size
    trade.flags = record.conditions
    if record.seq:
        trade.match = record.seq


cdef inline void fetch_bar(const Bar* bars, uint32_t place) noexcept nogil:
    """Into the cache, the bar with this index + 1; 0: none."""
    cdef const char* bar = <const char*>(bars + place - 1)
    if place:
        prefetch(bar)
        prefetch(bar + CACHE_LINE)
        prefetch(bar + 2 * CACHE_LINE)


cdef inline void fetch_states(
    const Record* records, uint32_t count, const RowState* states, uint32_t rows
) noexcept nogil:
    """Into the cache, those of the rows of some records."""
    cdef uint32_t i
    for i in range(count):
        if records[i].row < rows:
            prefetch(states + records[i].row)


cdef inline Trade* find_trade(
    uint64_t match, uint64_t newest, Trade* trades, uint64_t seen, uint64_t mask
) noexcept nogil:
    """The kept trade with the venue's number `match`, of a row whose newest trade is `newest`
    (number + 1); NULL: none."""
    cdef uint64_t number = newest
    cdef Trade* trade
    while match and number and seen - number <= mask:
        trade = &trades[(number - 1) & mask]
        if trade.match == match:
            return trade
        number = trade.earlier
    return NULL


cdef inline bint knows_all(const Bar* bar) noexcept:
    """Whether all its trades are kept."""
    return bar.kept == bar.made_of and not bar.flags & BAR_ADDS


cdef inline void make_again(Bar* bar, Trade* trades) noexcept:
    """All its trades are kept, in `trades`: from the oldest to the newest, as they came."""
    cdef uint32_t index = bar.newest
    cdef uint32_t before = 0
    cdef uint32_t after
    # The chain leads back; it is turned round, and back again while it is walked.
    while index:
        after = trades[index - 1].next
        trades[index - 1].next = before
        before = index
        index = after
    clear_figures(&bar.figures)
    index = before
    before = 0
    while index:
        count_trade(bar, &trades[index - 1])
        after = trades[index - 1].next
        trades[index - 1].next = before
        before = index
        index = after

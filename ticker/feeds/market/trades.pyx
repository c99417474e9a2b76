"""The trade log: the last `capacity` trades of a feed, chained per instrument.

Bound: the oldest trade is overwritten; a break of a trade that is no longer kept is counted
as unmatched and changes nothing.
"""

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from ticker.checks cimport check
from ticker.pages cimport give_pages, take_pages


cdef class TradeLog:
    """Trades of `instruments` instruments; `capacity` is a power of two."""

    def __cinit__(self, instruments: int, capacity: int = 1 << 20) -> None:
        if capacity < 1 or capacity & (capacity - 1):
            raise ValueError(f"trade log of {capacity} entries: take a power of two")
        self.instruments = instruments
        self.mask = capacity - 1
        self.trades = <Trade*>take_pages((self.mask + 1) * sizeof(Trade))
        self.newest = <uint64_t*>calloc(self.instruments, sizeof(uint64_t))
        self.partial = <char*>calloc(self.instruments, 1)
        if self.trades == NULL or self.newest == NULL or self.partial == NULL:
            raise MemoryError("no memory for the trade log")

    def __dealloc__(self) -> None:
        give_pages(self.trades, (self.mask + 1) * sizeof(Trade))
        free(self.newest)
        free(self.partial)

    cdef void append(
        self, uint32_t instrument, int64_t price, uint64_t size, uint64_t match, uint32_t flags,
        int64_t exchange_time, int64_t receive_time,
    ) noexcept nogil:
        cdef Trade* trade = &self.trades[self.count & self.mask]
        check(instrument < self.instruments)
        trade.match = match
        trade.price = price
        trade.size = size
        trade.exchange_time = exchange_time
        trade.receive_time = receive_time
        trade.earlier = self.newest[instrument]
        trade.instrument = instrument
        trade.flags = flags
        self.count += 1
        self.newest[instrument] = self.count

    cdef Trade* find(self, int32_t instrument, uint64_t match) noexcept nogil:
        """The trade of this match number that still counts; instrument -1: of any. NULL: none."""
        cdef Trade* trade
        cdef uint64_t number, oldest
        if instrument >= 0:
            trade = self._kept(self.newest[instrument])
            while trade != NULL:
                if trade.match == match and trade.flags:
                    return trade
                trade = self._kept(trade.earlier)
            return NULL
        number = self.count
        oldest = self.count - self.mask - 1 if self.count > self.mask else 0
        while number > oldest:
            number -= 1
            trade = &self.trades[number & self.mask]
            if trade.match == match and trade.flags:
                return trade
        return NULL

    cdef Trade* last_sale(self, uint32_t instrument, uint32_t without) noexcept nogil:
        """The newest trade that set the last price, has none of the flags `without`, and still
        counts; NULL: none is kept."""
        cdef Trade* trade = self._kept(self.newest[instrument])
        while trade != NULL and (not trade.flags & TRADE_SETS_LAST or trade.flags & without):
            trade = self._kept(trade.earlier)
        return trade

    cdef Trade* only_sale(self, uint32_t instrument) noexcept nogil:
        """The oldest trade that sets the last price where none else does, NULL: none is kept.
        Walks them all."""
        cdef Trade* trade = self._kept(self.newest[instrument])
        cdef Trade* found = NULL
        while trade != NULL:
            if trade.flags & TRADE_LAST_IF_ONLY:
                found = trade
            trade = self._kept(trade.earlier)
        return found

    cdef bint begins_session(self, uint32_t instrument) noexcept nogil:
        """Whether every trade of the instrument in this session is kept. Walks them all."""
        cdef uint64_t link = self.newest[instrument]
        cdef Trade* trade = self._kept(link)
        while trade != NULL:
            link = trade.earlier
            trade = self._kept(link)
        return not link and not self.partial[instrument]

    cdef void range_of(self, uint32_t instrument, Range* out) noexcept nogil:
        """Open, high and low of the trades that still count. Walks them all."""
        cdef uint64_t link = self.newest[instrument]
        cdef Trade* trade = self._kept(link)
        memset(out, 0, sizeof(Range))
        while trade != NULL:
            if trade.flags & TRADE_SETS_RANGE:
                if not out.ranged or trade.price > out.high:
                    out.high = trade.price
                if not out.ranged or trade.price < out.low:
                    out.low = trade.price
                out.ranged = True
            if trade.flags & TRADE_SETS_OPEN:
                out.opened = True
                out.open = trade.price
                out.open_time = trade.exchange_time
            link = trade.earlier
            trade = self._kept(link)
        out.whole = not link and not self.partial[instrument]

    cdef void clear(self) noexcept nogil:
        """Forget everything: a new session."""
        self.count = 0
        memset(self.newest, 0, self.instruments * sizeof(uint64_t))
        memset(self.partial, 0, self.instruments)

    cdef Trade* _kept(self, uint64_t link) noexcept nogil:
        """The trade that a link names, NULL when there is none or it was overwritten."""
        if not link or link + self.mask < self.count:
            return NULL
        return &self.trades[(link - 1) & self.mask]

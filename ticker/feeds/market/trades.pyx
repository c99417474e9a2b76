"""The trade log: the last `capacity` trades of a feed, chained per instrument.

Bound: the oldest trade is overwritten, and its prices become part of what the instrument's row had
before the oldest trade that is kept (`base`). A break of a trade that is no longer kept is counted
as unmatched and changes nothing.
"""

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from ticker.checks cimport check
from ticker.pages cimport give_pages, take_pages
from ticker.shm.layout cimport Values
from ticker.shm.values cimport set_prices


cdef class TradeLog:
    """Trades of `instruments` instruments; `capacity` is a power of two."""

    def __cinit__(self, instruments: int, capacity: int = 1 << 20) -> None:
        if capacity < 1 or capacity & (capacity - 1):
            raise ValueError(f"trade log of {capacity} entries: take a power of two")
        self.instruments = instruments
        self.mask = capacity - 1
        self.trades = <Trade*>take_pages((self.mask + 1) * sizeof(Trade))
        self.newest = <uint64_t*>calloc(self.instruments, sizeof(uint64_t))
        self.base = <Values*>calloc(self.instruments, sizeof(Values))
        self.absorbed = <char*>calloc(self.instruments, 1)
        if not (self.trades and self.newest and self.base and self.absorbed):
            raise MemoryError("no memory for the trade log")

    def __dealloc__(self) -> None:
        give_pages(self.trades, (self.mask + 1) * sizeof(Trade))
        free(self.newest)
        free(self.base)
        free(self.absorbed)

    cdef void append(
        self, uint32_t instrument, const Values* values, int64_t price, uint64_t size,
        uint64_t match, uint32_t flags, int64_t exchange_time, int64_t receive_time,
    ) noexcept nogil:
        """`values`: of the instrument, before the trade."""
        cdef Trade* trade = &self.trades[self.count & self.mask]
        check(instrument < self.instruments)
        if self.count > self.mask:
            self._absorb(trade)
        if not self.newest[instrument]:
            self.base[instrument] = values[0]
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

    cdef void _absorb(self, const Trade* trade) noexcept nogil:
        """A trade that is no longer kept can no longer be taken back."""
        if trade.flags:
            self.absorbed[trade.instrument] = True
            set_prices(
                &self.base[trade.instrument], trade.price, trade.size, trade.flags,
                trade.exchange_time, trade.receive_time, self.in_order,
            )

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

    cdef bint count_again(self, uint32_t instrument, Values* out) noexcept nogil:
        """The prices that an instrument's row has by the trades that still count; whether there
        are any since the session, or this log, began. Walks them all, there and back."""
        cdef uint64_t link = self.newest[instrument]
        cdef uint64_t newer = 0
        cdef uint64_t earlier
        cdef Trade* trade = self._kept(link)
        cdef bint any = self.absorbed[instrument] != 0
        out[0] = self.base[instrument]
        # The chain leads back in time. It is turned round, walked forward, and turned back so.
        while trade != NULL:
            earlier = trade.earlier
            trade.earlier = newer
            newer = link
            link = earlier
            trade = self._kept(link)
        while newer:
            trade = &self.trades[(newer - 1) & self.mask]
            if trade.flags:
                any = True
                set_prices(
                    out, trade.price, trade.size, trade.flags, trade.exchange_time,
                    trade.receive_time, self.in_order,
                )
            earlier = newer
            newer = trade.earlier
            trade.earlier = link
            link = earlier
        return any

    cdef void clear(self) noexcept nogil:
        """Forget everything: a new session."""
        self.count = 0
        memset(self.newest, 0, self.instruments * sizeof(uint64_t))
        memset(self.absorbed, 0, self.instruments)

    cdef Trade* _kept(self, uint64_t link) noexcept nogil:
        """The trade that a link names, NULL when there is none or it was overwritten."""
        if not link or link + self.mask < self.count:
            return NULL
        return &self.trades[(link - 1) & self.mask]

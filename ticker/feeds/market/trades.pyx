"""The trade log: the last `capacity` trades of a feed, chained per instrument.

Bound: the oldest trade is overwritten, and its prices become part of what the instrument's row had
before the oldest trade that is kept (`base`). A break of a trade that is no longer kept is counted
as unmatched and changes nothing.

What a row was some trades ago is kept, too (`counts`). Most breaks are of a newer trade, and only the
trades behind that are then counted again.
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
        self.chains = <Chain*>calloc(self.instruments, sizeof(Chain))
        self.base = <Values*>calloc(self.instruments, sizeof(Values))
        self.absorbed = <char*>calloc(self.instruments, 1)
        self.counts = <Values*>calloc(self.instruments, sizeof(Values))
        if not (self.trades and self.chains and self.base and self.absorbed and self.counts):
            raise MemoryError("no memory for the trade log")

    def __dealloc__(self) -> None:
        give_pages(self.trades, (self.mask + 1) * sizeof(Trade))
        free(self.chains)
        free(self.base)
        free(self.absorbed)
        free(self.counts)

    cdef void append(
        self, uint32_t instrument, const Values* values, int64_t price, uint64_t size,
        uint64_t match, uint32_t flags, int64_t exchange_time, int64_t receive_time,
    ) noexcept nogil:
        """`values`: of the instrument, before the trade."""
        cdef Trade* trade = &self.trades[self.count & self.mask]
        cdef Chain* chain = &self.chains[instrument]
        check(instrument < self.instruments)
        if self.count > self.mask:
            self._absorb(trade)
        if not chain.newest:
            self.base[instrument] = values[0]
        elif chain.since >= RECOUNT:
            self._count(instrument, values)
        chain.since += 1
        trade.match = match
        trade.price = price
        trade.size = size
        trade.exchange_time = exchange_time
        trade.receive_time = receive_time
        trade.earlier = chain.newest
        trade.instrument = instrument
        trade.flags = flags
        self.count += 1
        chain.newest = self.count

    cdef void _count(self, uint32_t instrument, const Values* values) noexcept nogil:
        """The row has counted all its trades so far."""
        cdef Chain* chain = &self.chains[instrument]
        cdef Trade* newest = self._kept(chain.newest)
        if newest != NULL and newest.flags:
            self.counts[instrument] = values[0]
            chain.counted = chain.newest
            chain.since = 0

    cdef void changes(self, const Trade* trade) noexcept nogil:
        """A kept trade will count for something else: what it is part of holds no longer."""
        cdef uint64_t place = trade - self.trades
        cdef uint64_t link = self.count - ((self.count - 1 - place) & self.mask)
        cdef Chain* chain = &self.chains[trade.instrument]
        if link <= chain.counted:
            chain.counted = 0

    cdef void forget_counts(self) noexcept nogil:
        """What rows were before their first trades has changed."""
        cdef uint32_t instrument
        for instrument in range(self.instruments):
            self.chains[instrument].counted = 0

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
            trade = self._kept(self.chains[instrument].newest)
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
        are any since the session, or this log, began. Walks those behind `counted`, there and back."""
        cdef uint64_t link = self.chains[instrument].newest
        cdef uint64_t counted = self.chains[instrument].counted
        cdef uint64_t newer = 0
        cdef uint64_t earlier
        cdef Trade* trade = self._kept(link)
        cdef bint any = self.absorbed[instrument] != 0
        # Where that trade is kept, all behind it are.
        if self._kept(counted) == NULL:
            out[0] = self.base[instrument]
            counted = 0
        else:
            out[0] = self.counts[instrument]
            any = True
        # The chain leads back in time. It is turned round, walked forward, and turned back so.
        while trade != NULL and link != counted:
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
        memset(self.chains, 0, self.instruments * sizeof(Chain))
        memset(self.absorbed, 0, self.instruments)

    cdef Trade* _kept(self, uint64_t link) noexcept nogil:
        """The trade that a link names, NULL when there is none or it was overwritten."""
        if not link or link + self.mask < self.count:
            return NULL
        return &self.trades[(link - 1) & self.mask]

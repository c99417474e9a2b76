"""Keeps the book that a simulated market's orders make, for protocols that speak of price levels."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from ticker.feeds.market.book cimport Book, Ladder, Order
from ticker.simulate.market.day cimport Day
from ticker.simulate.market.framed cimport FramedMarket
from ticker.simulate.market.resting cimport BID, DEPTH
from ticker.simulate.market.speaker cimport Instrument, Speaker

from ticker.simulate.market.listings import listings


cdef class LevelSpeaker(Speaker):
    """Calls one of three methods for each event of the market: a level changed, a trade, its break."""

    cdef void changed(
        self, const Instrument* on, int side, int64_t price, int change, bint complete
    ) noexcept nogil:
        pass

    cdef void sold(
        self, const Instrument* on, uint64_t shares, uint32_t price, uint64_t match, bint crossed
    ) noexcept nogil:
        pass

    cdef void broke(self, const Instrument* on, const Sale* sale) noexcept nogil:
        pass

    # Orders

    cdef void add(
        self, const Instrument* on, uint64_t reference, int side, uint32_t shares,
        uint32_t price, const char* mpid,
    ) noexcept nogil:
        cdef int change = self.book.add(on.locate - 1, reference, side, shares, price)
        self.changed(on, side, price, change, True)

    cdef void execute(
        self, const Instrument* on, uint64_t reference, uint32_t shares, uint64_t match
    ) noexcept nogil:
        cdef Order* order = self.book.find(reference)
        self.remember(on, shares, <uint32_t>order.price, match, False)
        self.cancel(on, reference, shares)

    cdef void execute_at(
        self, const Instrument* on, uint64_t reference, uint32_t shares, uint32_t remaining,
        uint64_t match, bint printable, uint32_t price,
    ) noexcept nogil:
        if printable:
            self.remember(on, shares, price, match, False)
        self.cancel(on, reference, shares)

    cdef void cancel(self, const Instrument* on, uint64_t reference, uint32_t shares) noexcept nogil:
        cdef Order* order = self.book.find(reference)
        cdef int side = order.place - 1
        cdef int64_t price = order.price
        self.changed(on, side, price, self.book.reduce(order, shares), True)

    cdef void delete(self, const Instrument* on, uint64_t reference) noexcept nogil:
        cdef Order* order = self.book.find(reference)
        cdef int side = order.place - 1
        cdef int64_t price = order.price
        self.changed(on, side, price, self.book.remove(order), True)

    cdef void replace(
        self, const Instrument* on, uint64_t reference, uint64_t new_reference, uint32_t shares,
        uint32_t price,
    ) noexcept nogil:
        """One event: with both changes made the top is what it is."""
        cdef Order* order = self.book.find(reference)
        cdef int side = order.place - 1
        cdef int64_t old = order.price
        cdef int removed = self.book.remove(order)
        cdef int added
        if old != price:
            self.changed(on, side, old, removed, False)
        added = self.book.add(on.locate - 1, new_reference, side, shares, price)
        self.changed(on, side, price, max(removed, added), True)

    cdef uint64_t size_at(self, const Instrument* on, int side, int64_t price) noexcept nogil:
        """Shares at a price, all orders together."""
        cdef Ladder* ladder = &self.book.ladders[2 * (on.locate - 1) + side]
        cdef int64_t rank = price if side == BID else -price
        cdef uint32_t at = ladder.count
        while at and ladder.levels[at - 1].rank > rank:
            at -= 1
        return ladder.levels[at - 1].size if at and ladder.levels[at - 1].rank == rank else 0

    # Trades

    cdef void remember(
        self, const Instrument* on, uint64_t shares, uint32_t price, uint64_t match, bint crossed
    ) noexcept nogil:
        cdef Sale* sale = &self.sales[match % REMEMBERED]
        sale.match = match
        sale.shares = <uint32_t>shares
        sale.price = price
        self.sold(on, shares, price, match, crossed)

    cdef void trade(
        self, const Instrument* on, uint32_t shares, uint32_t price, uint64_t match
    ) noexcept nogil:
        self.remember(on, shares, price, match, False)

    cdef void cross(
        self, const Instrument* on, uint64_t shares, uint32_t price, uint64_t match, char kind
    ) noexcept nogil:
        if shares:
            self.remember(on, shares, price, match, True)

    cdef void broken(self, const Instrument* on, uint64_t match) noexcept nogil:
        cdef Sale* sale = &self.sales[match % REMEMBERED]
        if sale.match == match:
            self.broke(on, sale)
            sale.match = 0


cdef class LevelMarket(FramedMarket):
    """A day of a simulated market of `symbols` instruments, as `speaker` says it.

    Args:
        messages: of the market, as ITCH would need them; what a speaker makes of them may be fewer.
        midnight: ns since the epoch of the date's midnight US/Eastern.

    Raises:
        ValueError: no such number of symbols, or too few messages for them.
    """

    def __init__(
        self, LevelSpeaker speaker not None, symbols: int, seed: int, messages: int, midnight: int,
    ) -> None:
        listed = listings(symbols)
        self.speaker = speaker
        self.speaker.book = Book(len(listed), 2 * DEPTH * len(listed))
        self.speaker.midnight = midnight
        self.longest = LONGEST
        self.day = Day(self.speaker, listed, seed, messages, 1000.0, 0, 2_000_000)

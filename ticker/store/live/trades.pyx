"""The newest trades of all feeds, which a venue can still take back or correct.

Law: memory is bounded by the number that is kept. Trades are numbered from 1; each has the number of
the one of its symbol that came before it.
"""

from libc.stdint cimport uint16_t, uint32_t, uint64_t

from ticker.pages cimport give_pages, take_pages

cdef enum:
    MOST_EXPONENT = 19

cdef uint64_t[MOST_EXPONENT + 1] POWERS
for _power in range(MOST_EXPONENT + 1):
    POWERS[_power] = 10**_power


cdef class Trades:
    """The newest `kept` trades, a power of two.

    Raises:
        MemoryError: no memory for them.
    """

    def __cinit__(self, uint32_t kept) -> None:
        if not kept or kept & (kept - 1):
            raise ValueError(f"kept: {kept} is no power of two")
        self.mask = kept - 1
        self.all = <LiveTrade*>take_pages(kept * sizeof(LiveTrade))
        if self.all == NULL:
            raise MemoryError("no memory for the bars in motion")

    def __dealloc__(self) -> None:
        give_pages(self.all, (self.mask + 1) * sizeof(LiveTrade))

    cdef LiveTrade* at(self, uint64_t number) noexcept nogil:
        """The trade of this number, which is kept."""
        return self.all + ((number - 1) & self.mask)

    cdef LiveTrade* add(
        self, uint32_t feed, const Part* part, Symbol* symbol, const Record* record
    ) noexcept nogil:
        """The trade of a record, as the newest one."""
        cdef LiveTrade* trade
        self.seen += 1
        trade = self.at(self.seen)
        trade.price = record.price
        trade.size = record.size
        trade.time = record.exchange_time
        trade.match = record.match
        trade.venue = part.venue
        trade.earlier = symbol.newest
        trade.symbol = <uint32_t>part.symbol
        trade.row = record.row
        trade.feed = <uint16_t>feed
        trade.flags = record.conditions
        trade.exponent = <uint16_t>part.exponent
        symbol.newest = self.seen
        return trade

    cdef bint has_all_since(self, uint64_t number) noexcept nogil:
        """Whether the trade of this number is kept, and so all since."""
        return self.seen - number <= self.mask

    cdef LiveTrade* find(
        self, const Symbol* symbol, uint32_t feed, const Record* record
    ) noexcept nogil:
        """A kept trade by its venue's number: the symbol's are looked through, for this is rare."""
        cdef uint64_t number = symbol.newest
        cdef LiveTrade* trade
        while record.match and number and self.has_all_since(number):
            trade = self.at(number)
            if trade.match == record.match and trade.row == record.row and trade.feed == feed:
                return trade
            number = trade.earlier
        return NULL


cdef int128 power_of_ten(uint64_t exponent) except -1:
    """Raises ValueError: it is too great."""
    if exponent > MOST_EXPONENT:
        raise ValueError(f"size exponent {exponent}: at most {MOST_EXPONENT}")
    return POWERS[exponent]


cdef Sale sale_of(const LiveTrade* trade, const Symbol* symbol) noexcept nogil:
    """With its size in the unit of its symbol."""
    cdef Sale sale
    sale.price = trade.price
    sale.size = <int128>trade.size * POWERS[symbol.exponent - trade.exponent]
    sale.time = trade.time
    sale.venue = trade.venue
    sale.flags = trade.flags
    return sale

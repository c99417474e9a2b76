"""Which trades set prices, beyond what their own conditions say.

Odd lots and trades of extended hours count for volume only, as on the consolidated tape, unless the
feed's configuration says otherwise. Where a feed marks them, the marks say which they are; where it
does not (ITCH, PITCH and others of one venue), the venue's regular hours and the round lot of the
symbol do. A trade of extended hours that would have set the last price sets the extended one.

Two conditions depend on more than the trade (conditions.pyx): "sold last" of tapes A and B sets the
last price where the same venue set it before or lists the symbol, that of tape C where it is
received until 10 s after the close.

Law: no clock; times are the trades' own, hours those of the day at hand (filter.pyx).
"""

from libc.stdint cimport INT64_MAX, int32_t, int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free

from ticker.feeds.market.filter cimport Filter
from ticker.feeds.market.rows cimport Rows
from ticker.feeds.market.trades cimport (
    TRADE_COUNTS_VOLUME,
    TRADE_CROSS,
    TRADE_EXTENDED,
    TRADE_LAST_IF_ONLY,
    TRADE_LAST_IF_SAME,
    TRADE_LAST_IN_TIME,
    TRADE_ODD_LOT,
    TRADE_OFFICIAL_CLOSE,
    TRADE_OFFICIAL_OPEN,
    TRADE_SETS_EXTENDED,
    TRADE_SETS_LAST,
    TRADE_SETS_OPEN,
    TRADE_SETS_RANGE,
)
from ticker.shm.layout cimport (
    ROW_HAS_LAST,
    ROW_HAS_PREVIOUS_CLOSE,
    ROW_LAST_ALONE,
    ROW_LISTED,
    Values,
)

cdef enum:
    PRICED = TRADE_SETS_LAST | TRADE_SETS_OPEN | TRADE_SETS_RANGE | TRADE_LAST_IF_ONLY
    OFFICIAL = TRADE_OFFICIAL_OPEN | TRADE_OFFICIAL_CLOSE
    SOLD_LAST = TRADE_LAST_IF_SAME | TRADE_LAST_IN_TIME

# Last-sale eligibility ends so long after the close (UTP 4.1, section 3.14.2, footnote 2).
cdef int64_t IN_TIME = 10_000_000_000


cdef class Eligibility:
    """For the trades of `rows`; `rules` is a FilterConfig. Raises MemoryError."""

    def __cinit__(self, Rows rows not None, Filter filter not None, object rules) -> None:
        self.rows = rows
        self.filter = filter
        self.share = 10 ** rows.size_exponent
        self.lots = <uint32_t*>calloc(rows.mapping.row_capacity, sizeof(uint32_t))
        if self.lots == NULL:
            raise MemoryError("no memory for round lots")
        self.price_marks = TRADE_ODD_LOT if rules.odd_lots == "count" else 0
        self.price_marks |= TRADE_EXTENDED if rules.extended_hours == "count" else 0
        self.odd_lot_below = rules.odd_lot_below * self.share
        self.priced_hours = filter.price_hours is not None
        self.follow_tape(False)

    def __dealloc__(self) -> None:
        free(self.lots)

    cdef void follow_tape(self, bint unmarked) noexcept nogil:
        self.unmarked = unmarked
        self.selective = unmarked or self.priced_hours or self.odd_lot_below > 0
        self.by_venue = unmarked and not self.priced_hours and not self.odd_lot_below

    cdef uint32_t judge(
        self, uint32_t row, const Values* values, uint32_t flags, int64_t price, uint64_t size,
        int64_t time, int64_t received,
    ) noexcept nogil:
        cdef uint32_t marks
        if self.selective:
            flags |= self._marks(row, values, flags, price, size, time)
        marks = flags & (TRADE_ODD_LOT | TRADE_EXTENDED) & ~self.price_marks
        if flags & SOLD_LAST and not self._sold_last(row, values, flags, received):
            flags &= ~<uint32_t>TRADE_SETS_LAST
        if flags & TRADE_EXTENDED and flags & TRADE_SETS_LAST and not marks & TRADE_ODD_LOT:
            flags |= TRADE_SETS_EXTENDED
        if marks:
            flags &= ~<uint32_t>PRICED
        if marks & TRADE_ODD_LOT:
            flags &= ~<uint32_t>OFFICIAL
        return flags

    cdef uint32_t _marks(
        self, uint32_t row, const Values* values, uint32_t flags, int64_t price, uint64_t size,
        int64_t time,
    ) noexcept nogil:
        """What the trade's size and time say of it. An auction's trades are of regular hours."""
        cdef int64_t elapsed = time - self.rows.midnight
        cdef uint32_t marks = 0
        if self.priced_hours:
            if not self.filter.priced_from <= elapsed < self.filter.priced_until:
                marks |= TRADE_EXTENDED
        elif (self.unmarked and not flags & (TRADE_CROSS | OFFICIAL)
                and not self.filter.regular_from <= elapsed < self.filter.regular_until):
            marks |= TRADE_EXTENDED
        if not flags & TRADE_COUNTS_VOLUME:
            return marks
        if self.odd_lot_below:
            if size < self.odd_lot_below:
                marks |= TRADE_ODD_LOT
        # Where round lots are unknown, a share is none of the feed's units.
        elif self.unmarked and size < self._lot(row, values, price, time) * self.share:
            marks |= TRADE_ODD_LOT
        return marks

    cdef uint64_t _lot(
        self, uint32_t row, const Values* values, int64_t price, int64_t time
    ) noexcept nogil:
        """The round lot of a row: as its directory says, else by its price."""
        if self.lots[row]:
            return self.lots[row]
        if values.flags & ROW_HAS_PREVIOUS_CLOSE:
            price = values.previous_close
        elif values.flags & ROW_HAS_LAST:
            price = values.price
        return lot_by_price(price, time)

    cdef bint _sold_last(
        self, uint32_t row, const Values* values, uint32_t flags, int64_t received
    ) noexcept nogil:
        """Whether a "sold last" may set the last price."""
        if flags & TRADE_LAST_IN_TIME and self.filter.regular_until != INT64_MAX:
            if received - self.rows.midnight >= self.filter.regular_until + IN_TIME:
                return False
        return not flags & TRADE_LAST_IF_SAME or self._set_by_same(row, values)

    cdef bint _set_by_same(self, uint32_t row, const Values* values) noexcept nogil:
        """Whether this venue lists the symbol or made the last sale of the session, over all venues
        of the feed; or nobody did."""
        cdef int64_t slot = -1
        cdef int32_t other
        cdef const Values* found
        cdef int64_t own = self.rows.midnight
        if values.flags & ROW_LISTED:
            return True
        if values.flags & ROW_HAS_LAST and values.exchange_time > own:
            own = values.exchange_time
        other = self.rows.directory.next_of_symbol(row, &slot)
        while other >= 0:
            found = &self.rows.publisher.entries[other].values
            if (<uint32_t>other != row and found.flags & ROW_HAS_LAST
                    and not found.flags & ROW_LAST_ALONE and found.exchange_time > own):
                return False
            other = self.rows.directory.next_of_symbol(row, &slot)
        return True

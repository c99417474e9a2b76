"""What a trade may update, beyond what its conditions say: see eligibility.pyx."""

cimport cython
from libc.stdint cimport int64_t, uint32_t, uint64_t

from ticker.feeds.market.filter cimport Filter
from ticker.feeds.market.rows cimport Rows
from ticker.shm.layout cimport Values

cdef enum:
    LARGEST_ROUND_LOT = 100      # shares, where only the price says it: lot_by_price


@cython.final
cdef class Eligibility:
    cdef Rows rows
    cdef Filter filter           # knows the hours of the day at hand
    cdef uint32_t price_marks    # marks (trades.pxd) that keep no trade from setting prices
    cdef uint64_t odd_lot_below  # 0: not said
    cdef uint64_t share          # one share in the feed's sizes
    cdef uint32_t* lots          # round lot of each row in shares, 0: not said
    cdef bint priced_hours       # the configuration says which hours set prices
    cdef bint unmarked           # the feed marks no odd lots and no extended hours
    cdef bint selective          # sizes or times matter: a trade without a mark is looked at too
    cdef bint by_venue           # ... for no other reason than that the feed has no marks

    # Whether a trade without a mark sets all prices, as `judge` would say; it may be that it does
    # where this says no.
    cdef inline bint sets_all(self, uint32_t row, uint64_t size, int64_t time) noexcept nogil:
        cdef int64_t elapsed = time - self.rows.midnight
        cdef uint64_t lot = self.lots[row]
        if not self.selective:
            return True
        return (
            self.by_venue
            and size >= (lot if lot else LARGEST_ROUND_LOT) * self.share
            and self.filter.regular_from <= elapsed < self.filter.regular_until
        )
    # What is left of a trade's flags, and the marks that were found.
    cdef uint32_t judge(
        self, uint32_t row, const Values* values, uint32_t flags, int64_t price, uint64_t size,
        int64_t time, int64_t received,
    ) noexcept nogil
    cdef void follow_tape(self, bint unmarked) noexcept nogil
    cdef uint32_t _marks(
        self, uint32_t row, const Values* values, uint32_t flags, int64_t price, uint64_t size,
        int64_t time,
    ) noexcept nogil
    cdef uint64_t _lot(
        self, uint32_t row, const Values* values, int64_t price, int64_t time
    ) noexcept nogil
    cdef bint _sold_last(
        self, uint32_t row, const Values* values, uint32_t flags, int64_t received
    ) noexcept nogil
    cdef bint _set_by_same(self, uint32_t row, const Values* values) noexcept nogil


cdef inline uint64_t lot_by_price(int64_t price, int64_t time) noexcept nogil:
    """The round lot, in shares, of a US stock of this price (1e-9 units) at this time.

    Regulation NMS, Rule 600(b)(93), since 3 November 2025: 100 shares up to $250, 40 up to $1,000,
    10 up to $10,000, one above. Before that day it was 100 shares, and one of the dearest."""
    if price > 10000000000000LL:
        return 1
    # 2025-11-03 00:00 US/Eastern
    if price <= 250000000000LL or time < 1762146000000000000LL:
        return 100
    return 40 if price <= 1000000000000LL else 10

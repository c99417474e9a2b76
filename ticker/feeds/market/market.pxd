"""The market as one feed sees it; what decoders call.

Its members have the other calls: `rows` those about instruments and their states (rows.pxd),
`sales` those about trades, breaks and corrections (sales.pxd). Every call pushes scalars: prices in
1e-9 units, sizes in shares, times in ns since the epoch UTC. Nothing here raises: what cannot be
used is counted by its reason (counters.pxd).
"""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from ticker.feeds.market.book cimport ASK, BID, NO_PRICE, Book, Side
from ticker.feeds.market.publisher cimport Entry, Publisher
from ticker.feeds.market.quotes cimport Quotes
from ticker.feeds.market.rows cimport Rows
from ticker.feeds.market.sales cimport Sales
from ticker.feeds.market.takeover cimport Takeover
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
    TRADE_PRINTED,
    TRADE_REGULAR,
    TRADE_SETS_EXTENDED,
    TRADE_SETS_LAST,
    TRADE_SETS_OPEN,
    TRADE_SETS_RANGE,
    TRADE_TOLD,
)



@cython.final
cdef class Market:
    cdef Rows rows
    cdef Quotes quotes
    cdef Sales sales
    cdef Publisher publisher     # that of the rows
    cdef Book book               # that of the quotes
    cdef uint64_t* counters
    cdef Takeover takeover       # of what a predecessor left

    # Before anything comes: the midnight that the day began at.
    cdef void begin_at(self, int64_t midnight) noexcept nogil
    # A session begins; sales before `midnight` are of an earlier day.
    cdef void start_session(self, int64_t midnight) noexcept nogil
    # Another day of a session that goes on: totals start over, books and states stay.
    cdef void start_day(self, int64_t midnight) noexcept nogil
    cdef void _roll(self, int64_t midnight, uint64_t flags) noexcept nogil

    # Orders, by the feed's reference number.
    cdef void add_order(
        self, int32_t instrument, uint64_t reference, Side side, uint64_t size, int64_t price,
        int64_t time,
    ) noexcept nogil
    cdef void execute_order(
        self, uint64_t reference, uint64_t size, uint64_t match, int64_t time, int64_t received,
    ) noexcept nogil
    cdef void execute_order_at(
        self, uint64_t reference, uint64_t size, int64_t price, uint64_t match, uint32_t flags,
        int64_t time, int64_t received,
    ) noexcept nogil
    cdef void reduce_order(self, uint64_t reference, uint64_t size, int64_t time) noexcept nogil
    cdef void delete_order(self, uint64_t reference, int64_t time) noexcept nogil
    cdef void replace_order(
        self, uint64_t reference, uint64_t new_reference, uint64_t size, int64_t price,
        int64_t time,
    ) noexcept nogil
    # A new size and price, both absolute; size 0 deletes it.
    cdef void modify_order(
        self, uint64_t reference, uint64_t size, int64_t price, int64_t time
    ) noexcept nogil
    # `remaining` is the rest of the order; its size before does not matter.
    cdef void execute_order_remaining(
        self, uint64_t reference, uint64_t size, uint64_t remaining, int64_t price,
        uint64_t match, uint32_t flags, int64_t time, int64_t received,
    ) noexcept nogil

    # Levels, of a feed that sends no orders: the size of all at this price, 0 removes it.
    cdef void set_level(
        self, int32_t instrument, Side side, int64_t price, uint64_t size, int64_t time
    ) noexcept nogil
    # The top of the book, of a feed that sends no more than that; NO_PRICE: no bid, no ask. So is
    # 0, but where prices are negative: there it is a price.
    cdef void set_quote(
        self, int32_t instrument, int64_t bid, uint64_t bid_size, int64_t ask,
        uint64_t ask_size, int64_t time,
    ) noexcept nogil
    cdef void clear_instrument(self, int32_t instrument, int64_t time) noexcept nogil

    # Hints that these will be touched soon.
    cdef void prefetch_order(self, uint64_t reference) noexcept nogil
    cdef void prefetch_instrument(self, uint64_t key) noexcept nogil
    cdef void prefetch_trade(self, uint64_t key) noexcept nogil

    cdef void clear_books(self) noexcept nogil

    # Time passes, by the receive time of what comes next: days begin.
    cdef inline void look(self, int64_t now_ns) noexcept nogil:
        if now_ns >= self.rows.next_look:
            self._look(now_ns)

    cdef void _look(self, int64_t now_ns) noexcept nogil

    # Make visible what changed since the last flush: rows, then rings, then doorbells.
    cdef void flush(self, int64_t publish_time) noexcept nogil

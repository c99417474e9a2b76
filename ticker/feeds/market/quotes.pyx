"""The books of a feed, and their tops as rows show them.

Law: as in market.pyx, whose member this is. A book changes with every message; its top is looked
for once in a flush.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from ticker.feeds.market.book cimport ASK, BID, Book, Level, best_of
from ticker.feeds.market.publisher cimport DIRTY_BOOK, DIRTY_QUOTE, Entry
from ticker.feeds.market.rows cimport Rows
from ticker.shm.layout cimport ROW_HAS_ASK, ROW_HAS_BID, ROW_STALE, Values


cdef class Quotes:
    """The quotes of the instruments of `rows`, from at most `order_limit` orders."""

    def __cinit__(self, Rows rows not None, order_limit: int) -> None:
        self.rows = rows
        self.publisher = rows.publisher
        self.book = Book(rows.mapping.row_capacity, order_limit)

    cdef void refresh(self) noexcept nogil:
        cdef uint32_t i
        cdef Entry* entries = self.publisher.entries
        cdef const uint32_t* rows = self.publisher.dirty_rows
        for i in range(self.publisher.dirty_count):
            if entries[rows[i]].dirty & DIRTY_BOOK:
                self._refresh_row(rows[i])

    cdef void _refresh_row(self, uint32_t row) noexcept nogil:
        """The top of the book into the row's values."""
        cdef Entry* entry = &self.publisher.entries[row]
        cdef Values* values = &entry.values
        cdef Level* bid = best_of(self.book, row, BID)
        cdef Level* ask = best_of(self.book, row, ASK)
        cdef int64_t bid_price = bid.rank if bid != NULL else 0
        cdef int64_t ask_price = -ask.rank if ask != NULL else 0
        cdef uint64_t bid_size = bid.size if bid != NULL else 0
        cdef uint64_t ask_size = ask.size if ask != NULL else 0
        cdef uint64_t has = ROW_HAS_BID if bid != NULL else 0
        has |= ROW_HAS_ASK if ask != NULL else 0
        if (values.bid == bid_price and values.ask == ask_price
                and values.bid_size == bid_size and values.ask_size == ask_size
                and values.flags & (ROW_HAS_BID | ROW_HAS_ASK) == has):
            return
        values.bid = bid_price
        values.ask = ask_price
        values.bid_size = bid_size
        values.ask_size = ask_size
        values.quote_time = entry.change_time
        values.quotes += 1
        values.flags &= ~<uint64_t>(ROW_STALE | ROW_HAS_BID | ROW_HAS_ASK)
        values.flags |= has
        entry.dirty |= DIRTY_QUOTE

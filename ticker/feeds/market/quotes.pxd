"""The books of a feed, and their tops as rows show them: see quotes.pyx."""

cimport cython
from libc.stdint cimport int64_t, uint32_t, uint64_t

from ticker.feeds.market.book cimport BOOK_FAILED, BOOK_TOP, Book
from ticker.feeds.market.publisher cimport DIRTY_BOOK, Publisher
from ticker.feeds.market.rows cimport Rows
from ticker.shm.counters cimport FEED_MEMORY_FAILURES, count


@cython.final
cdef class Quotes:
    cdef Rows rows
    cdef Publisher publisher     # that of the rows
    cdef Book book

    cdef inline void changed(self, uint32_t row, int change, int64_t time) noexcept nogil:
        """A message at this exchange time made this BookChange in the book of a row."""
        if change == BOOK_TOP:
            self.rows.touch(row, DIRTY_BOOK, time)
        elif change == BOOK_FAILED:
            count(self.rows.counters, FEED_MEMORY_FAILURES, 1)

    # Into the values of each row whose book changed since the last flush.
    cdef void refresh(self) noexcept nogil
    cdef void _refresh_row(self, uint32_t row) noexcept nogil

"""The books of a feed, and their tops as rows show them: see quotes.pyx."""

cimport cython
from libc.stdint cimport int64_t, uint32_t, uint64_t

from ticker.feeds.market.book cimport BOOK_TOP, Book
from ticker.feeds.market.publisher cimport DIRTY_BOOK, Publisher
from ticker.feeds.market.rows cimport Rows
from ticker.shm.depth.interest cimport Interests
from ticker.shm.depth.rows cimport DepthWriter


@cython.final
cdef class Quotes:
    cdef Rows rows
    cdef Publisher publisher     # that of the rows
    cdef Book book
    cdef DepthWriter depth
    cdef Interests interests
    cdef dict levels             # that the gateways want, by symbol
    cdef dict watched            # levels that are shown, by row
    cdef uint32_t rows_known     # rows that were there when the interest was looked at last

    cdef inline void changed(self, uint32_t row, int change, int64_t time) noexcept nogil:
        """A message at this exchange time made this BookChange in the book of a row."""
        if change > 0:
            if change & BOOK_TOP:
                self.rows.touch(row, DIRTY_BOOK, time)
            else:
                self._changed_behind(row, time)
        elif change < 0:
            self._failed()

    # Into the values of each row whose book changed since the last flush, and into its depth.
    cdef void refresh(self, int64_t publish_time) noexcept nogil
    # Whether what `refresh` would do now is more than that: somebody wants another depth.
    cdef bint wanted(self) noexcept nogil
    cdef void _changed_behind(self, uint32_t row, int64_t time) noexcept nogil
    cdef void _failed(self) noexcept nogil
    cdef int _take_over(self) except -1
    cdef void _look(self) noexcept with gil
    cdef dict _rows_wanted(self)
    cdef int _watch(self, uint32_t row, uint32_t levels) except -1
    cdef int _ignore(self, uint32_t row) except -1
    cdef void _refresh_row(self, uint32_t row) noexcept nogil
    cdef void _publish_depth(self, uint32_t row, int64_t publish_time) noexcept nogil

"""The books of a feed, and their tops as rows show them: see quotes.pyx."""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

from ticker.feeds.market.book cimport BOOK_TOP, Book, Ladder
from ticker.feeds.market.publisher cimport DIRTY_BOOK, Publisher
from ticker.feeds.market.rows cimport Rows
from ticker.pages cimport prefetch, prefetch_to_write
from ticker.shm.depth.interest cimport Interests
from ticker.shm.depth.rows cimport DepthWriter


cdef enum:
    ANNOUNCED = 4                # announcements between an instrument's ladders and its levels


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

    cdef int32_t[ANNOUNCED] announced
    cdef uint64_t announcements

    cdef inline void prefetch(self, int32_t row) noexcept nogil:
        """What of an instrument a message touches that will come soon: both best levels, since a
        flush looks at both. They are fetched now where they have a place of their own, else a few
        announcements later, when the ladders that say where they are have come. `row`: negative,
        the instrument has none."""
        if self.book.tops == NULL:
            self._prefetch_levels(row)
        elif row >= 0:
            prefetch_to_write(&self.book.tops[2 * row], 1, 3)
        if row >= 0:
            prefetch(&self.book.ladders[2 * row])
            prefetch_to_write(&self.publisher.entries[row].dirty, 1, 3)

    cdef inline void _prefetch_levels(self, int32_t row) noexcept nogil:
        """The best levels of the row that was announced ANNOUNCED rows before this one."""
        cdef int32_t earlier = self.announced[self.announcements % ANNOUNCED]
        cdef Ladder* ladder
        cdef int side
        if earlier >= 0:
            for side in range(2):
                ladder = &self.book.ladders[2 * earlier + side]
                prefetch_to_write(&ladder.levels[ladder.count], 1, 3)
                prefetch_to_write(&ladder.levels[ladder.count] - 4, 1, 3)
        self.announced[self.announcements % ANNOUNCED] = row
        self.announcements += 1

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

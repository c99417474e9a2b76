"""The books of a feed: their tops as rows show them, and the depth that somebody watches.

Law: as in market.pyx, whose member this is. A book changes with every message; its top is looked
for once in a flush. The levels behind it are published only of rows that a gateway wants the depth
of: the gateways' interest is looked at when its version has moved, or when there are more rows.
"""

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.string cimport memset

from ticker.feeds.market.book cimport ASK, BID, Book, Ladder, Level, best_of
from ticker.feeds.market.publisher cimport DIRTY_BOOK, DIRTY_QUOTE, Entry, mark_dirty
from ticker.feeds.market.rows cimport Rows
from ticker.shm.counters cimport FEED_DEPTH_REFUSED, FEED_MEMORY_FAILURES, count
from ticker.shm.depth.interest cimport Interests
from ticker.shm.depth.layout cimport DepthValues
from ticker.shm.depth.rows cimport NO_DEPTH, DepthWriter
from ticker.shm.layout cimport (
    DEPTH_LEVELS,
    ROW_HAS_ASK,
    ROW_HAS_BID,
    ROW_STALE,
    Values,
)


cdef class Quotes:
    """The quotes of the instruments of `rows`, from at most `order_limit` orders."""

    def __cinit__(self, Rows rows not None, order_limit: int) -> None:
        self.rows = rows
        self.publisher = rows.publisher
        self.book = Book(rows.mapping.row_capacity, order_limit)
        self.depth = DepthWriter(rows.mapping)
        self.interests = Interests(rows.publisher.ringer)
        memset(self.announced, 0xFF, sizeof(self.announced))
        self.levels = {}
        self.watched = {}
        self._take_over()

    cdef int _take_over(self) except -1:
        """Go on with the books that a predecessor showed: they are what is known now, nothing,
        until their orders have come again."""
        cdef uint32_t row, place
        for row in range(self.publisher.table.used):
            place = self.depth.place_of(row)
            if place != NO_DEPTH:
                self._watch(row, max(1, <uint32_t>self.depth.current(place).levels))
        return 0

    cdef bint wanted(self) noexcept nogil:
        return self.rows_known != self.publisher.table.used or self.interests.changed()

    cdef void refresh(self, int64_t publish_time) noexcept nogil:
        cdef uint32_t i
        cdef Entry* entries = self.publisher.entries
        cdef const uint32_t* rows = self.publisher.dirty_rows
        if self.wanted():
            self._look()
        for i in range(self.publisher.dirty_count):
            if entries[rows[i]].dirty & DIRTY_BOOK:
                self._refresh_row(rows[i])
                if entries[rows[i]].depth:
                    self._publish_depth(rows[i], publish_time)

    cdef void _look(self) noexcept with gil:
        """Show the depth that the gateways want, and no other."""
        cdef uint32_t row
        if self.interests.changed():
            self.levels = self.interests.read()
            rows = self._rows_wanted()
            for gone in self.watched.keys() - rows.keys():
                self._ignore(gone)
        else:
            rows = {}
            for row in range(self.rows_known, self.publisher.table.used):
                levels = self.levels.get(self.publisher.table.symbol(row))
                if levels:
                    rows[row] = levels
        for found, levels in rows.items():
            if self.watched.get(found) != levels:
                self._watch(found, levels)
        self.rows_known = self.publisher.table.used

    cdef dict _rows_wanted(self):
        """The levels of each row whose symbol some gateway wants the depth of."""
        cdef int32_t row
        cdef int64_t slot
        cdef bytes name
        rows = {}
        for symbol, levels in self.levels.items():
            name = symbol.encode("latin-1")
            row = self.rows.directory.row_of_symbol(name, len(name))
            slot = -1
            while row >= 0:
                rows[row] = levels
                row = self.rows.directory.next_of_symbol(<uint32_t>row, &slot)
        return rows

    cdef int _watch(self, uint32_t row, uint32_t levels) except -1:
        """Show so many levels of each side of a row's book from the next flush on."""
        cdef Entry* entry = &self.publisher.entries[row]
        cdef uint32_t place = self.depth.take(row)
        if place == NO_DEPTH:
            count(self.rows.counters, FEED_DEPTH_REFUSED, 1)
            return 0
        self.book.show(row, levels)
        entry.depth = place + 1
        entry.depth_levels = levels
        self.watched[row] = levels
        mark_dirty(self.publisher, row, DIRTY_BOOK)
        return 0

    cdef int _ignore(self, uint32_t row) except -1:
        """Show the depth of a row no longer."""
        self.depth.give_up(row)
        self.book.show(row, 1)
        self.publisher.entries[row].depth = self.publisher.entries[row].depth_levels = 0
        del self.watched[row]
        return 0

    cdef void _changed_behind(self, uint32_t row, int64_t time) noexcept nogil:
        self.publisher.entries[row].depth_time = time
        mark_dirty(self.publisher, row, DIRTY_BOOK)

    cdef void _failed(self) noexcept nogil:
        count(self.rows.counters, FEED_MEMORY_FAILURES, 1)

    cdef void _publish_depth(self, uint32_t row, int64_t publish_time) noexcept nogil:
        """The best levels of a row's book into its depth, if they are others than before."""
        cdef Entry* entry = &self.publisher.entries[row]
        cdef DepthValues values
        cdef Ladder* ladder
        cdef uint32_t i, side
        ladder = &self.book.ladders[2 * row]
        if ladder.tops:
            self.depth.give_up(row)  # a top is no book
            entry.depth = 0
            return
        if ladder.levels == NULL and ladder[1].levels == NULL and (
            self.depth.current(entry.depth - 1).row != <uint64_t>row + 1
        ):
            return  # nothing is known of it yet
        values.row = <uint64_t>row + 1
        values.time = max(entry.depth_time, entry.values.quote_time)
        values.publish_time = publish_time
        values.levels = entry.depth_levels
        values.reserved[0] = 0
        for side in range(2):
            ladder = &self.book.ladders[2 * row + side]
            values.counts[side] = min(ladder.count, entry.depth_levels)
            for i in range(<uint32_t>values.counts[side]):
                values.sides[side][i].price = ladder.levels[ladder.count - 1 - i].rank
                if side == ASK:
                    values.sides[side][i].price = -values.sides[side][i].price
                values.sides[side][i].size = ladder.levels[ladder.count - 1 - i].size
        self.depth.publish(entry.depth - 1, &values)

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

"""The book of a symbol: the books of its venues' rows, added up by price.

In: the depth of all feeds, mapped read-only. Rules: as the quote has them (consolidate.pyx), so the
first levels are the quote: rows of the symbol's currency; one row for each venue; stale rows only
while every row is stale. Sizes of one price add up.

Law: a function of the rows alone; every gateway that reads the same rows shows the same book.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset, strncmp

from ticker.gateway.prices.board cimport Board, RowRef, SymbolRows
from ticker.gateway.prices.consolidate cimport plus, power_of_ten, times
from ticker.shm.depth.layout cimport DepthLevel, DepthValues
from ticker.shm.depth.rows cimport NO_DEPTH, DepthReader
from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport (
    DEPTH_LEVELS,
    ROW_STALE,
    VENUE_BYTES,
    Values,
)


cdef class Levels:
    """Of the symbols of `board`; add_feed follows the board's."""

    def __cinit__(self, Board board not None) -> None:
        self.board = board
        self.readers = []
        self.gone = {}

    def add_feed(self, Mapping mapping not None) -> None:
        """The feed that the board was given last."""
        self.readers.append(DepthReader(mapping))

    def remove_feed(self, feed: int) -> None:
        """Before the board reads a feed no more: what its books have counted stays counted."""
        cdef DepthValues book
        cdef uint32_t row, symbol
        for row in range(self.board.rows_known[<uint32_t>feed]):
            symbol = self.board.symbol_of(<uint32_t>feed, row)
            if symbol < self.board.count and self.reader(feed).read(row, &book):
                self.gone[symbol] = self.gone.get(symbol, 0) + book.seq

    cdef DepthReader reader(self, uint32_t feed):
        return <DepthReader>self.readers[feed]

    cdef bint is_of(self, RowRef* ref, const char* venue):
        """Whether a row is asked for: `venue` is empty for all that make the consolidated book."""
        if not venue[0]:
            return ref.part
        return not strncmp(self.board.table(ref.feed).rows[ref.row].venue, venue, VENUE_BYTES)

    cdef uint64_t stamp(self, uint32_t symbol, const char* venue):
        """Another number whenever one of the books that `read` reads may be another."""
        cdef SymbolRows* entry = self.board.rows + symbol
        cdef uint64_t found = entry.count + 1
        cdef uint32_t i, place
        for i in range(entry.count):
            if self.is_of(entry.rows + i, venue):
                place = self.reader(entry.rows[i].feed).place_of(entry.rows[i].row)
                if place != NO_DEPTH:
                    found += (<uint64_t>place + 1) << 40
                    found += self.reader(entry.rows[i].feed).generation(place)
        return found

    cdef bint read(self, uint32_t symbol, const char* venue, uint32_t levels, Book* out):
        """The best `levels` of each side. False: no feed shows a book, or not yet so deep a one."""
        cdef SymbolRows* entry = self.board.rows + symbol
        cdef DepthValues book
        cdef Values row
        cdef RowRef* ref
        cdef uint32_t i
        cdef bint there = False
        cdef bint fresh = False
        cdef bint stale
        memset(out, 0, sizeof(Book))
        if self.gone and not venue[0]:
            out.seq = self.gone.get(symbol, 0)
        for i in range(entry.count):
            ref = entry.rows + i
            if not self.is_of(ref, venue) or not self.reader(ref.feed).read(ref.row, &book):
                continue
            out.seq += book.seq
            if ref.shared and not self.board._speaks(entry, i):
                continue
            stale = not self.board._read_row(ref, &row) or row.flags & ROW_STALE != 0
            if not is_deep(&book, levels):
                if stale:
                    continue  # nobody may be there who could show more
                return False
            there = True
            if stale and fresh:
                continue
            if not stale and not fresh:
                fresh = True
                out.counts[0] = out.counts[1] = 0
                out.time = out.publish_time = 0
            out.time = max(out.time, book.time)
            out.publish_time = max(out.publish_time, book.publish_time)
            merge(out, 0, &book, ref.size_exponent, levels)
            merge(out, 1, &book, ref.size_exponent, levels)
            out.size_exponent = max(out.size_exponent, ref.size_exponent)
        return there

    def on_venue(self, symbol: int, venue: str) -> bool:
        """Whether a feed has a row of the symbol on this venue; "": on any."""
        cdef SymbolRows* entry = self.board.rows + <uint32_t>symbol
        cdef bytes mic = venue.encode("ascii")
        cdef uint32_t i
        for i in range(entry.count):
            if self.is_of(entry.rows + i, mic):
                return True
        return False

    def full(self) -> list[bool]:
        """Of each feed, whether it shows as many books as it has rows of depth for."""
        return [reader.full() for reader in self.readers]

    def missing(self, symbol: int, venue: str, feeds: list[bool] | None = None) -> bool:
        """Whether a row that is asked for shows no book: it has none, or none yet. `feeds`: those that
        are looked at; None: all."""
        cdef SymbolRows* entry = self.board.rows + <uint32_t>symbol
        cdef bytes mic = venue.encode("ascii")
        cdef uint32_t i
        for i in range(entry.count):
            if feeds is not None and not feeds[entry.rows[i].feed]:
                continue
            if self.is_of(entry.rows + i, mic) and (
                self.reader(entry.rows[i].feed).place_of(entry.rows[i].row) == NO_DEPTH
            ):
                return True
        return False


cdef bint is_deep(const DepthValues* book, uint32_t levels) noexcept nogil:
    """Whether a book shows so many levels, or all there are."""
    return book.levels >= levels or (
        book.counts[0] < book.levels and book.counts[1] < book.levels
    )


cdef inline bint better(int side, int64_t price, int64_t other) noexcept nogil:
    return price < other if side else price > other


cdef void merge(
    Book* into, int side, const DepthValues* book, uint64_t size_exponent, uint32_t levels
) noexcept nogil:
    """Add a side of a venue's book, whose sizes are in 10^-size_exponent units."""
    cdef DepthLevel[DEPTH_LEVELS] before
    cdef uint32_t had = into.counts[side]
    cdef uint32_t comes = <uint32_t>book.counts[side]
    cdef uint32_t i = 0
    cdef uint32_t j = 0
    cdef uint32_t at = 0
    cdef uint64_t finest = max(into.size_exponent, size_exponent)
    cdef uint64_t scale = power_of_ten(finest - into.size_exponent)
    cdef uint64_t its_scale = power_of_ten(finest - size_exponent)
    cdef DepthLevel* out = into.sides[side]
    memcpy(before, out, had * sizeof(DepthLevel))
    while at < levels and (i < had or j < comes):
        if j == comes or (i < had and better(side, before[i].price, book.sides[side][j].price)):
            out[at].price = before[i].price
            out[at].size = times(before[i].size, scale)
            i += 1
        else:
            out[at].price = book.sides[side][j].price
            out[at].size = times(book.sides[side][j].size, its_scale)
            if i < had and before[i].price == out[at].price:
                out[at].size = plus(out[at].size, times(before[i].size, scale))
                i += 1
            j += 1
        at += 1
    into.counts[side] = at

"""The symbols of all feeds together, by the numbers of the segment of bars.

Law: as in the consolidated price, a symbol is in one currency, and a venue that two feeds carry
counts once: for the feed from which it traded first. Rows that are left out have no number.
"""

from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.string cimport memcpy, strncmp

from ticker.pages cimport prefetch
from ticker.shm.bars.published cimport BarsWriter
from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport CURRENCY_BYTES, SYMBOL_BYTES, VENUE_BYTES, Row
from ticker.store.live.bar cimport letters

cdef extern from "<string.h>" nogil:
    size_t strnlen(const char* text, size_t most)

cdef enum:
    NO_SYMBOL = -1               # not looked at yet
    NO_PART = -2


cdef class Symbols:
    """Of the feeds that `mappings` are; the numbers go on from those that `writer` has."""

    def __cinit__(self, mappings: list[Mapping], BarsWriter writer not None) -> None:
        cdef Mapping mapping
        self.writer = writer
        self.mappings = mappings
        self.numbers = {writer.shared.name(number): number for number in range(writer.shared.symbol_count)}
        self.homes = {}
        self.all = <Symbol*>PyMem_Calloc(writer.shared.capacity + 1, sizeof(Symbol))
        self.by_row = <Part**>PyMem_Calloc(len(mappings) + 1, sizeof(Part*))
        self.rows = <Row**>PyMem_Calloc(len(mappings) + 1, sizeof(Row*))
        self.capacities = <uint64_t*>PyMem_Calloc(len(mappings) + 1, sizeof(uint64_t))
        self.nobody.symbol = NO_PART
        if not (self.all and self.by_row and self.rows and self.capacities):
            raise MemoryError("no memory for the bars in motion")
        self.feed_count = len(mappings)
        for feed, mapping in enumerate(mappings):
            self.rows[<uint32_t>feed] = <Row*>(mapping.base + mapping.header.table_offset)
            self._add_feed(feed, mapping.header.row_capacity)

    def __dealloc__(self) -> None:
        cdef uint32_t feed
        for feed in range(self.feed_count):
            PyMem_Free(self.by_row[feed])
        PyMem_Free(self.by_row)
        PyMem_Free(self.rows)
        PyMem_Free(self.capacities)
        PyMem_Free(self.all)

    cdef int _add_feed(self, uint32_t feed, uint64_t capacity) except -1:
        cdef uint64_t row
        self.by_row[feed] = <Part*>PyMem_Calloc(capacity + 1, sizeof(Part))
        if self.by_row[feed] == NULL:
            raise MemoryError("no memory for the bars in motion")
        for row in range(capacity):
            self.by_row[feed][row].symbol = NO_SYMBOL
        self.capacities[feed] = capacity
        return 0

    cdef void fetch(self, uint32_t feed, uint32_t row) noexcept nogil:
        """Into the cache."""
        if row < self.capacities[feed]:
            prefetch(self.by_row[feed] + row)

    cdef const Part* of_row(self, uint32_t feed, uint32_t row) except NULL:
        """What a trade of this row counts for."""
        cdef Part* part
        cdef Row* source
        if row >= self.capacities[feed]:
            return &self.nobody
        part = self.by_row[feed] + row
        if part.symbol == NO_SYMBOL:
            source = self.rows[feed] + row
            part.symbol = self._learn(feed, source)
            part.exponent = <uint32_t>source.size_exponent
            part.venue = letters(source.venue)
        return part

    cdef int32_t _learn(self, uint32_t feed, Row* row) except -3:
        cdef bytes name = row.symbol[:strnlen(row.symbol, SYMBOL_BYTES)]
        cdef bytes venue = row.venue[:strnlen(row.venue, VENUE_BYTES)]
        cdef int64_t number
        cdef Symbol* symbol
        known = self.numbers.get(name.decode("latin-1"))
        if known is None:
            number = self.writer.add_symbol(name, len(name))
            if number < 0:
                self.without_room += 1
                return NO_PART
            self.numbers[name.decode("latin-1")] = number
        else:
            number = known
        symbol = self.all + number
        if not symbol.currency[0]:
            memcpy(symbol.currency, row.currency, CURRENCY_BYTES)
        if strncmp(symbol.currency, row.currency, CURRENCY_BYTES):
            return NO_PART
        if self.homes.setdefault((number, venue), feed) != feed:
            return NO_PART
        return <int32_t>number

"""The directory of a feed's instruments. An instrument is its row in the price table.

Small numbers (ITCH locates) are looked up in an array, others in an open-addressing hash table
with four slots for each row of the table, which refuses more keys than that.
"""

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcmp, memset, strncmp

from ticker.shm.layout cimport SYMBOL_BYTES, VENUE_BYTES, Row
from ticker.shm.ring cimport shard_of
from ticker.shm.table cimport TableWriter

cdef extern from "<string.h>" nogil:
    size_t strnlen(const char* text, size_t most)


cdef uint32_t power_of_two(uint64_t least) noexcept:
    cdef uint32_t size = 1
    while size < least:
        size *= 2
    return size


cdef class Directory:
    """The rows of `table`, those of it that are there already not yet entered."""

    def __cinit__(self, TableWriter table not None) -> None:
        cdef uint32_t slots = power_of_two(4 * <uint64_t>table.capacity)
        self.table = table
        self.key_mask = self.symbol_mask = slots - 1
        self.direct = <int32_t*>malloc(DIRECT_KEYS * sizeof(int32_t))
        self.keys = <KeySlot*>calloc(slots, sizeof(KeySlot))
        self.symbols = <int32_t*>malloc(slots * sizeof(int32_t))
        if not (self.direct and self.keys and self.symbols):
            raise MemoryError("no memory for the directory of instruments")
        memset(self.direct, 0xFF, DIRECT_KEYS * sizeof(int32_t))
        memset(self.symbols, 0xFF, slots * sizeof(int32_t))

    def __dealloc__(self) -> None:
        free(self.direct)
        free(self.keys)
        free(self.symbols)

    cdef int32_t row_of_large_key(self, uint64_t key) noexcept nogil:
        cdef uint32_t slot = slot_of(self, key)
        cdef KeySlot* found
        cdef uint32_t probe
        for probe in range(self.key_mask + 1):
            found = &self.keys[(slot + probe) & self.key_mask]
            if not found.used:
                return ROW_UNKNOWN
            if found.key == key:
                return found.row
        return ROW_REFUSED

    cdef int32_t row_of_symbol(self, const char* symbol, size_t length) noexcept nogil:
        """The row of a symbol, that of the venue heard of first, or ROW_UNKNOWN."""
        return self.symbols[self._symbol_slot(symbol, length, NULL)]

    cdef int32_t row_on_venue(
        self, const char* symbol, size_t length, const char* venue
    ) noexcept nogil:
        """The row of a symbol on a venue (NUL-terminated), or ROW_UNKNOWN."""
        return self.symbols[self._symbol_slot(symbol, length, venue)]

    cdef int32_t next_of_symbol(self, uint32_t row, int64_t* slot) noexcept nogil:
        cdef const char* symbol = self.table.rows[row].symbol
        cdef int32_t found
        if slot[0] < 0:
            slot[0] = shard_of(
                symbol, strnlen(symbol, SYMBOL_BYTES), self.symbol_mask + 1
            )
        else:
            slot[0] = (slot[0] + 1) & self.symbol_mask
        found = self.symbols[slot[0]]
        while found >= 0 and strncmp(self.table.rows[found].symbol, symbol, SYMBOL_BYTES):
            slot[0] = (slot[0] + 1) & self.symbol_mask
            found = self.symbols[slot[0]]
        return found if found >= 0 else -1

    cdef void bind(self, uint64_t key, int32_t row) noexcept nogil:
        """From now on the feed's number `key` means this row (or NoRow)."""
        cdef uint32_t slot = slot_of(self, key)
        cdef KeySlot* found
        cdef uint32_t probe
        if key < DIRECT_KEYS:
            self.direct[key] = row
            return
        for probe in range(self.key_mask + 1):
            found = &self.keys[(slot + probe) & self.key_mask]
            if not found.used or found.key == key:
                found.used = 1
                found.key = key
                found.row = row
                return

    cdef void enter(self, int32_t row) noexcept nogil:
        """A row of the table can from now on be found by its symbol."""
        cdef Row* entered = &self.table.rows[row]
        self.symbols[self._symbol_slot(
            entered.symbol, strnlen(entered.symbol, SYMBOL_BYTES), entered.venue
        )] = row

    cdef uint32_t _symbol_slot(
        self, const char* symbol, size_t length, const char* venue
    ) noexcept nogil:
        """Where this symbol is on a venue (NULL: on any), or the empty slot where it belongs. At
        most a quarter full."""
        cdef uint32_t slot = shard_of(symbol, length, self.symbol_mask + 1)
        cdef Row* row
        while self.symbols[slot] >= 0:
            row = &self.table.rows[self.symbols[slot]]
            if strnlen(row.symbol, SYMBOL_BYTES) == length and not memcmp(
                row.symbol, symbol, length
            ) and (venue == NULL or not strncmp(row.venue, venue, VENUE_BYTES - 1)):
                break
            slot = (slot + 1) & self.symbol_mask
        return slot

    def bind_key(self, key: int, row: int) -> None:
        """`bind` from Python."""
        self.bind(key, row)

    def row(self, key: int) -> int:
        """The row of the feed's own number; -1: unknown, -2: it was refused."""
        return row_of(self, key)

"""Which row an instrument has: by the feed's own number of it, and by its symbol."""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

from ticker.pages cimport prefetch
from ticker.shm.table cimport TableWriter


cdef enum:
    DIRECT_KEYS = 65536          # ITCH locates are u16

cdef enum NoRow:
    ROW_UNKNOWN = -1             # never heard of
    ROW_REFUSED = -2             # the table had no room for it

cdef struct KeySlot:
    uint64_t key
    int32_t row
    uint32_t used


@cython.final
cdef class Directory:
    cdef TableWriter table
    cdef int32_t* direct
    cdef KeySlot* keys           # those from DIRECT_KEYS on
    cdef int32_t* symbols        # row of each hash slot, -1: empty
    cdef uint32_t key_mask
    cdef uint32_t symbol_mask

    cdef int32_t row_of_large_key(self, uint64_t key) noexcept nogil
    cdef int32_t row_of_symbol(self, const char* symbol, size_t length) noexcept nogil
    cdef int32_t row_on_venue(
        self, const char* symbol, size_t length, const char* venue
    ) noexcept nogil
    # The rows of the symbol of `row`, one after the other; -1: there are no more. `slot` begins
    # as -1.
    cdef int32_t next_of_symbol(self, uint32_t row, int64_t* slot) noexcept nogil
    cdef void bind(self, uint64_t key, int32_t row) noexcept nogil
    cdef void enter(self, int32_t row) noexcept nogil
    cdef uint32_t _symbol_slot(
        self, const char* symbol, size_t length, const char* venue
    ) noexcept nogil


cdef inline uint32_t slot_of(Directory directory, uint64_t key) noexcept nogil:
    """The slot where a large key is looked for first (Knuth's multiplicative hash)."""
    return <uint32_t>((key * <uint64_t>0x9E3779B97F4A7C15ULL) >> 32) & directory.key_mask


cdef inline int32_t row_of(Directory directory, uint64_t key) noexcept nogil:
    """The row of the feed's own number, or a NoRow."""
    cdef KeySlot* slot
    if key < DIRECT_KEYS:
        return directory.direct[key]
    slot = &directory.keys[slot_of(directory, key)]
    # An empty slot has the key 0, which is no large one.
    return slot.row if slot.key == key else directory.row_of_large_key(key)


cdef inline void prefetch_key(Directory directory, uint64_t key) noexcept nogil:
    """Where the row of this number will be looked up soon."""
    if key >= DIRECT_KEYS:
        prefetch(&directory.keys[slot_of(directory, key)])

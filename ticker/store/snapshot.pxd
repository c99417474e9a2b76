"""The snapshot of a feed's rows: the only byte offsets of its file.

All numbers are little-endian. A file has a head, a description in JSON, and blocks of rows:

    Head    128 bytes; `check` is the CRC-32C of the 124 bytes before it
    JSON    `described` bytes, blanks at the end so that they are a multiple of 8: feed, layout
            version, the names of the words of a row (values, then what it had when the session
            began), that session, and the boot id of the server
    Block   16 bytes, then `rows` rows of `row_bytes`; `check` is over both but itself

    row     symbol 24 | venue 8 | currency 8 | size_exponent 8 | instrument_key 8 | words

A reader maps the words by their names, so a file outlives a change of the layout.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport VALUE_WORDS, FeedState, Values
from ticker.shm.table cimport PriceTable

cdef enum:
    FORMAT = 1
    BLOCK_ROWS = 512
    NAME_BYTES = 56              # of a row before its words
    VENUE_WORDS = 8              # of the state of a venue's market
    BASE_WORDS = 5               # from RowRest.base_day on

cdef struct Head:
    char magic[8]                # "TICKSNAP"
    uint32_t format
    uint32_t described           # bytes of the JSON behind the head
    uint64_t number              # one more with each snapshot of the feed
    int64_t created_ns
    uint32_t rows
    uint32_t row_bytes
    uint32_t described_check     # CRC-32C of the JSON
    uint32_t padding
    uint64_t venue[VENUE_WORDS]  # from FeedState.phase on, the last one 0
    uint32_t reserved[3]
    uint32_t check

cdef struct Block:
    uint32_t first               # row number of its first row
    uint32_t rows
    uint32_t reserved
    uint32_t check


# Called with each row that an Image copies, before it does: the values that the image has of the row,
# and those that it will have. The first mean nothing before the row was copied once.
ctypedef void (*Moved)(
    void* who, uint32_t row, const Values* shown, const Values* values
) noexcept nogil


cdef class Image:
    """A feed's rows as they will stand in the file; a row is copied, and its block summed, only when
    it has moved. So one walk over the table serves the snapshot and who looks on."""

    cdef Mapping mapping
    cdef PriceTable table
    cdef FeedState* state
    cdef readonly str feed
    cdef readonly uint32_t rows
    cdef size_t room             # of `bytes`, which begin with a page
    cdef uint8_t* bytes
    cdef size_t body             # offset of the first block
    cdef size_t described
    cdef uint64_t* generations   # of each row when it was copied
    cdef readonly uint64_t unsaved       # rows that were copied since `saved`
    cdef Moved moved             # NULL: nobody looks on
    cdef void* onlooker
    cdef uint64_t[2] session     # whose rows these are

    cdef size_t _block_at(self, uint32_t block) noexcept nogil
    cdef uint8_t* _row_at(self, uint32_t row) noexcept nogil
    cdef Values* values_at(self, uint32_t row) noexcept nogil
    cdef bytes _description(self)
    cdef uint32_t _look(self) noexcept nogil
    cdef bint _is_of(self, const uint64_t* session) noexcept nogil
    cdef void _fetch(self, uint32_t row) noexcept nogil
    cdef bint _copy(self, uint32_t row) noexcept nogil
    cdef void _sum(self, uint32_t first, uint32_t rows, bint moved) noexcept nogil


cdef class Contents:
    """What is whole in the bytes of a snapshot file."""

    cdef bytes data
    cdef const uint8_t* start
    cdef size_t row_bytes
    cdef readonly str feed
    cdef readonly uint64_t number
    cdef readonly int64_t created_ns
    cdef readonly uint32_t rows
    cdef readonly uint64_t boot
    cdef readonly list damaged
    cdef readonly bytes session  # 16 bytes, whose rows these are; zeros: unknown
    cdef int[VALUE_WORDS] places # of each word of a row in the file, -1: it has none
    cdef int[BASE_WORDS] bases   # of those of RowRest.base_day and on
    cdef list whole              # (first row, rows, offset of its first row)

    cdef tuple _names(self, size_t at)
    cdef void _read(self, size_t at, Values* values) noexcept
    cdef void _base(self, size_t at, uint64_t* base) noexcept
    cdef void _scales(self, size_t at, uint64_t* scales) noexcept

"""The words of books and of interest in them; layout.pxd says where they are.

Law: as there. A change of anything here raises LAYOUT_VERSION.
"""

from libc.stdint cimport int64_t, uint64_t

from ticker.shm.layout cimport DEPTH_LEVELS, SYMBOL_BYTES


cdef enum:
    DEPTH_WORDS = 8 + 2 * 2 * DEPTH_LEVELS

cdef struct DepthLevel:
    int64_t price                # 1e-9 units
    uint64_t size                # of all orders at it, in 10^-size_exponent units of the row

cdef struct DepthValues:         # the book of one row of the table, by price
    uint64_t row                 # of the table, and 1; 0: nobody's
    uint64_t seq                 # changes of a book ever published here, only grows
    int64_t time                 # exchange time of the newest change
    int64_t publish_time
    uint64_t levels              # of each side that are shown at most, best first
    uint64_t counts[2]           # levels there are, by Side (feeds/market/book.pxd)
    uint64_t reserved[1]
    DepthLevel sides[2][DEPTH_LEVELS]

cdef struct DepthRow:            # as a row of the table, which says its place; it says its row
    uint64_t generation
    uint64_t reserved[7]         # the copies begin on a cache line
    uint64_t copies[2][DEPTH_WORDS]

cdef struct Interest:            # in the depth of a symbol; read when `interest_version` has moved
    char symbol[SYMBOL_BYTES]    # NUL padded
    uint64_t levels              # of each side; 0: the slot is free

"""What a message about a price tells, before it is in any encoding."""

from libc.stdint cimport int64_t, uint64_t

cdef extern from "<string.h>" nogil:
    size_t strnlen(const char* text, size_t most)


cpdef enum Channel:
    CHANNEL_PRICE = 0
    CHANNEL_QUOTE = 1
    CHANNEL_TRADES = 2
    CHANNELS = 3

cdef enum:
    VENUE_ROOM = 8

# What a message tells. Prices 1e-9 units, 0: none; sizes 10^-size_exponent; times ns.
cdef struct Fields:
    int64_t price
    int64_t time
    uint64_t seq
    uint64_t size
    uint64_t size_exponent
    char venue[VENUE_ROOM]       # NUL padded, empty: unknown
    uint64_t volume
    uint64_t trades
    int64_t bid
    uint64_t bid_size
    int64_t ask
    uint64_t ask_size
    int64_t open
    int64_t high
    int64_t low
    int64_t previous_close


cdef int set_fields(Fields* fields, str venue, dict values) except -1

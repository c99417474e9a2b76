"""What a message about a price tells, before it is in any encoding."""

from libc.stdint cimport int64_t, uint64_t

cdef extern from "<string.h>" nogil:
    size_t strnlen(const char* text, size_t most)


cpdef enum Channel:
    CHANNEL_PRICE = 0
    CHANNEL_QUOTE = 1
    CHANNEL_TRADES = 2
    CHANNEL_DEPTH = 3            # its topics are of views (books/views.pyx), not of symbols
    CHANNEL_MOVERS = 4           # its topics are of lists (movers/), not of symbols
    CHANNELS = 5

cdef enum:
    FIRST_BARS = 5               # `bars` has a channel for each span (bars/), from this one on

# The messages that are encoded in motion; their `type` is the name in lower case.
cpdef enum Message:
    MESSAGE_UPDATE = 0
    MESSAGE_SNAPSHOT = 1
    MESSAGE_CORRECTION = 2
    MESSAGE_CANCEL = 3

cdef enum:
    VENUE_ROOM = 8

# Prices are 1e-9 units, and are there if their RowFlag in `has` says so; sizes 10^-size_exponent;
# times ns.
cdef struct Fields:
    uint64_t has                 # ROW_HAS_* bits
    int64_t price
    int64_t time
    uint64_t seq
    uint64_t size
    uint64_t size_exponent
    char venue[VENUE_ROOM]       # NUL padded, empty: unknown
    uint64_t trade_id            # the venue's number of the trade, 0: not known
    uint64_t new_trade_id        # of a correction: the number from now on, if it is another
    uint64_t ineligible          # of a correction: the trade sets the last price no longer
    uint64_t volume              # the low 64 bits
    uint64_t volume_high
    uint64_t trades
    int64_t bid
    uint64_t bid_size
    int64_t ask
    uint64_t ask_size
    int64_t open
    int64_t high
    int64_t low
    int64_t previous_close
    int64_t official_close
    int64_t extended_price
    int64_t extended_time
    # What only dialects of vendors tell, forms.pyx.
    int64_t quote_time
    uint64_t quotes              # quote changes so far, all venues
    char bid_venue[VENUE_ROOM]
    char ask_venue[VENUE_ROOM]
    uint64_t tape                # of the listing: 1 for A, 2 for B, 3 for C, 0: not known
    uint64_t conditions          # TradeFlag bits
    int64_t old_price            # of a correction: the print as it was, 0: not kept any more
    uint64_t old_size
    uint64_t old_conditions


cdef int set_fields(Fields* fields, str venue, dict values) except -1

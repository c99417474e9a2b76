"""Prices as ready WebSocket frames, in every encoding."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef extern from "<string.h>" nogil:
    size_t strnlen(const char* text, size_t most)


cpdef enum Encoding:
    PLAIN = 0                    # JSON without what only ticker.v1 has
    JSON = 1
    MSGPACK = 2
    PROTOBUF = 3
    ENCODINGS = 4

cpdef enum Channel:
    CHANNEL_PRICE = 0
    CHANNEL_QUOTE = 1
    CHANNEL_TRADES = 2
    CHANNELS = 3

cdef enum:
    BODY = 8                     # room in front of a body for the frame's head and an envelope
    PRICE_ROOM = 320             # bytes of a frame at most, this struct's head included
    TRADE_ROOM = 448
    QUOTE_ROOM = 1024
    MOST_ROOM = 1024
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

# A frame in a place of PRICE_ROOM to MOST_ROOM bytes. A price of usual size needs two cache lines.
cdef struct Frame:
    uint16_t prefix              # end of the part that stays, from BODY on; 0: not begun
    uint16_t start               # where the frame starts
    uint16_t message             # where the message starts, behind the frame's head
    uint16_t length              # of the frame
    uint8_t bytes[MOST_ROOM]


cdef void begin_frame(
    Frame* frame, int encoding, int channel, bint snapshot, const char* symbol, size_t length
) noexcept nogil
cdef void finish_frame(Frame* frame, int encoding, int channel, const Fields* fields) noexcept nogil
cdef void lagged_frame(
    Frame* frame, int encoding, const char* symbol, size_t length, uint64_t skipped
) noexcept nogil

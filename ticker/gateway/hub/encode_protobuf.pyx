"""Prices in Protobuf: the messages Snapshot, Update and Lagged of ticker_v1.proto.

A test holds these field numbers to those of numbers.py, and reads what is written here with the
real library.
Source: protobuf.dev, "Encoding".
"""

from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memcpy

from ticker.gateway.hub.fields cimport CHANNEL_PRICE, CHANNEL_QUOTE, VENUE_ROOM, Fields, strnlen

# Fields of Snapshot and Update.
cpdef enum Number:
    SYMBOL = 1
    PRICE = 2
    TIMESTAMP = 3
    SEQ = 4
    CHANNEL = 5
    SIZE = 6
    VENUE = 7
    VOLUME = 8
    TRADES = 9
    BID = 10
    BID_SIZE = 11
    ASK = 12
    ASK_SIZE = 13
    OPEN = 14
    HIGH = 15
    LOW = 16
    PREVIOUS_CLOSE = 17
    SIZE_EXPONENT = 100


cdef int put_varint(char* out, int at, uint64_t value) noexcept nogil:
    while value > 0x7F:
        out[at] = <char>(value & 0x7F | 0x80)
        value >>= 7
        at += 1
    out[at] = <char>value
    return at + 1


cdef inline int put_number(char* out, int at, int number, uint64_t value) noexcept nogil:
    at = put_varint(out, at, <uint64_t>number << 3)
    return put_varint(out, at, value)


cdef inline int put_price(char* out, int at, int number, int64_t price) noexcept nogil:
    return put_number(out, at, number, <uint64_t>price) if price else at


cdef inline int put_string(
    char* out, int at, int number, const char* text, size_t length
) noexcept nogil:
    """A string of at most 127 bytes in a field below 16."""
    out[at] = <char>(number << 3 | 2)
    out[at + 1] = <char>length
    memcpy(out + at + 2, text, length)
    return at + 2 + <int>length


cdef int begin_protobuf(char* out, const char* symbol, size_t length) noexcept nogil:
    return put_string(out, 0, SYMBOL, symbol, length)


cdef int protobuf_fields(char* out, int at, int channel, const Fields* fields) noexcept nogil:
    at = put_number(out, at, PRICE, <uint64_t>fields.price)
    at = put_number(out, at, TIMESTAMP, <uint64_t>fields.time)
    at = put_number(out, at, SEQ, fields.seq)
    if channel != CHANNEL_PRICE:
        at = put_more(out, at, channel, fields)
    return at


cdef int put_more(char* out, int at, int channel, const Fields* fields) noexcept nogil:
    """What `quote` and `trades` add."""
    cdef size_t venue = strnlen(fields.venue, VENUE_ROOM)
    if channel == CHANNEL_QUOTE:
        at = put_string(out, at, CHANNEL, b"quote", 5)
    else:
        at = put_string(out, at, CHANNEL, b"trades", 6)
    at = put_number(out, at, SIZE, fields.size)
    if venue:
        at = put_string(out, at, VENUE, fields.venue, venue)
    if channel == CHANNEL_QUOTE:
        at = put_quote(out, at, fields)
    if fields.size_exponent:
        at = put_number(out, at, SIZE_EXPONENT, fields.size_exponent)
    return at


cdef int put_quote(char* out, int at, const Fields* fields) noexcept nogil:
    at = put_number(out, at, VOLUME, fields.volume)
    at = put_number(out, at, TRADES, fields.trades)
    if fields.bid:
        at = put_price(out, at, BID, fields.bid)
        at = put_number(out, at, BID_SIZE, fields.bid_size)
    if fields.ask:
        at = put_price(out, at, ASK, fields.ask)
        at = put_number(out, at, ASK_SIZE, fields.ask_size)
    at = put_price(out, at, OPEN, fields.open)
    at = put_price(out, at, HIGH, fields.high)
    at = put_price(out, at, LOW, fields.low)
    return put_price(out, at, PREVIOUS_CLOSE, fields.previous_close)


cdef int lagged_protobuf(
    char* out, const char* symbol, size_t length, uint64_t skipped
) noexcept nogil:
    cdef int at = put_string(out, 0, 1, symbol, length)
    return put_number(out, at, 2, skipped)


cdef int protobuf_envelope(uint8_t* end, uint8_t number, int size) noexcept nogil:
    """Write `ServerMessage { <number>: ... }` in front of a body that begins at `end`; how many
    bytes, 2 or 3."""
    cdef int length = 2 if size < 0x80 else 3
    cdef char* begin = <char*>end - length
    begin[0] = <char>(number << 3 | 2)
    put_varint(begin, 1, <uint64_t>size)
    return length

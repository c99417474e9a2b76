"""Prices in Protobuf: the messages Snapshot, Update, Correction, Cancel and
Lagged of ticker_v1.proto.

A test holds these field numbers to those of numbers.py, and reads what is written here with the
real library.
Source: protobuf.dev, "Encoding".
"""

from libc.stdint cimport uint64_t

from ticker.gateway.hub.fields cimport CHANNEL_PRICE, CHANNEL_QUOTE, VENUE_ROOM, Fields, strnlen
from ticker.gateway.wire.protobuf cimport put_number, put_string
from ticker.shm.layout cimport (
    ROW_HAS_ASK,
    ROW_HAS_BID,
    ROW_HAS_EXTENDED,
    ROW_HAS_HIGH_LOW,
    ROW_HAS_LAST,
    ROW_HAS_OFFICIAL_CLOSE,
    ROW_HAS_OPEN,
    ROW_HAS_PREVIOUS_CLOSE,
)
from ticker.units cimport write_uint

# Fields of Snapshot, Update, Correction and Cancel: what they share has one number.
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
    OFFICIAL_CLOSE = 18
    EXTENDED_PRICE = 19
    EXTENDED_TIMESTAMP = 20
    VOLUME_HIGH = 21
    TRADE_ID = 22
    NEW_TRADE_ID = 23
    ELIGIBLE = 24
    SIZE_EXPONENT = 100


cdef inline int put_id(char* out, int at, int number, uint64_t trade_id) noexcept nogil:
    cdef char[20] digits
    return put_string(out, at, number, digits, write_uint(digits, trade_id))


cdef int begin_protobuf(char* out, const char* symbol, size_t length) noexcept nogil:
    return put_string(out, 0, SYMBOL, symbol, length)


cdef int protobuf_fields(char* out, int at, int channel, const Fields* fields) noexcept nogil:
    if fields.has & ROW_HAS_LAST:
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
    at = (put_quote if channel == CHANNEL_QUOTE else put_trade)(out, at, fields)
    if fields.size_exponent:
        at = put_number(out, at, SIZE_EXPONENT, fields.size_exponent)
    return at


cdef int put_trade(char* out, int at, const Fields* fields) noexcept nogil:
    if fields.trade_id:
        at = put_id(out, at, TRADE_ID, fields.trade_id)
    if fields.new_trade_id:
        at = put_id(out, at, NEW_TRADE_ID, fields.new_trade_id)
    if fields.ineligible:
        at = put_number(out, at, ELIGIBLE, 0)
    return at


cdef int put_quote(char* out, int at, const Fields* fields) noexcept nogil:
    at = put_number(out, at, VOLUME, fields.volume)
    at = put_number(out, at, TRADES, fields.trades)
    if fields.has & ROW_HAS_BID:
        at = put_number(out, at, BID, <uint64_t>fields.bid)
        at = put_number(out, at, BID_SIZE, fields.bid_size)
    if fields.has & ROW_HAS_ASK:
        at = put_number(out, at, ASK, <uint64_t>fields.ask)
        at = put_number(out, at, ASK_SIZE, fields.ask_size)
    return put_day(out, at, fields)


cdef int put_day(char* out, int at, const Fields* fields) noexcept nogil:
    if fields.has & ROW_HAS_OPEN:
        at = put_number(out, at, OPEN, <uint64_t>fields.open)
    if fields.has & ROW_HAS_HIGH_LOW:
        at = put_number(out, at, HIGH, <uint64_t>fields.high)
        at = put_number(out, at, LOW, <uint64_t>fields.low)
    if fields.has & ROW_HAS_PREVIOUS_CLOSE:
        at = put_number(out, at, PREVIOUS_CLOSE, <uint64_t>fields.previous_close)
    if fields.has & ROW_HAS_OFFICIAL_CLOSE:
        at = put_number(out, at, OFFICIAL_CLOSE, <uint64_t>fields.official_close)
    if fields.has & ROW_HAS_EXTENDED:
        at = put_number(out, at, EXTENDED_PRICE, <uint64_t>fields.extended_price)
        at = put_number(out, at, EXTENDED_TIMESTAMP, <uint64_t>fields.extended_time)
    if fields.volume_high:
        at = put_number(out, at, VOLUME_HIGH, fields.volume_high)
    return at


cdef int lagged_protobuf(
    char* out, const char* symbol, size_t length, uint64_t skipped
) noexcept nogil:
    cdef int at = put_string(out, 0, 1, symbol, length)
    return put_number(out, at, 2, skipped)

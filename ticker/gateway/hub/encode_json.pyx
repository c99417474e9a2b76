"""Prices in JSON (RFC 8259): numbers with the digits of the tick, times as RFC 3339."""

from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy

from ticker.gateway.hub.fields cimport (
    CHANNEL_PRICE,
    CHANNEL_QUOTE,
    MESSAGE_CANCEL,
    MESSAGE_CORRECTION,
    MESSAGE_SNAPSHOT,
    VENUE_ROOM,
    Fields,
    Message,
    strnlen,
)
from ticker.jsontext cimport put_symbol, put_text
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
from ticker.units cimport write_price, write_size, write_timestamp, write_uint, write_volume


cdef inline int put_price(char* out, int at, const char* name, int64_t price) noexcept nogil:
    at = put_text(out, at, name)
    return at + write_price(out + at, price)


cdef inline int put_size(
    char* out, int at, const char* name, uint64_t size, const Fields* fields
) noexcept nogil:
    at = put_text(out, at, name)
    return at + write_size(out + at, size, fields.size_exponent)


cdef int put_id(char* out, int at, const char* name, uint64_t number) noexcept nogil:
    """A trade's number as a string: it may have more digits than readers' floats."""
    at = put_text(out, at, name)
    at += write_uint(out + at, number)
    out[at] = c'"'
    return at + 1


cdef const char* type_of(Message message) noexcept nogil:
    if message == MESSAGE_SNAPSHOT:
        return b"snapshot"
    if message == MESSAGE_CORRECTION:
        return b"correction"
    return b"cancel" if message == MESSAGE_CANCEL else b"update"


cdef int begin_json(
    char* out, Message message, const char* symbol, size_t length
) noexcept nogil:
    cdef int at = put_text(out, 0, b'{"type":"')
    at = put_text(out, at, type_of(message))
    at = put_text(out, at, b'","symbol":"')
    at = put_symbol(out, at, symbol, length)
    return put_text(out, at, b'","price":')


cdef int json_fields(
    char* out, int at, int channel, bint with_seq, const Fields* fields
) noexcept nogil:
    if fields.has & ROW_HAS_LAST:
        at += write_price(out + at, fields.price)
    else:
        at = put_text(out, at, b"null")
    memcpy(out + at, b',"timestamp":"', 14)
    at += 14
    at += write_timestamp(out + at, fields.time)
    out[at] = c'"'
    at += 1
    if with_seq:
        memcpy(out + at, b',"seq":', 7)
        at += 7
        at += write_uint(out + at, fields.seq)
    if channel != CHANNEL_PRICE:
        at = put_more(out, at, channel, fields)
    out[at] = c"}"
    return at + 1


cdef int put_event_id(char* out, int at, int64_t time) noexcept nogil:
    """The line behind a server-sent event's message: the time that a client has then seen."""
    memcpy(out + at, b"\nid: ", 5)
    return at + 5 + write_timestamp(out + at + 5, time)


cdef int put_more(char* out, int at, int channel, const Fields* fields) noexcept nogil:
    """What `quote` and `trades` add."""
    cdef size_t venue = strnlen(fields.venue, VENUE_ROOM)
    at = put_text(
        out, at, b',"channel":"quote"' if channel == CHANNEL_QUOTE else b',"channel":"trades"'
    )
    at = put_size(out, at, b',"size":', fields.size, fields)
    if venue:
        at = put_text(out, at, b',"venue":"')
        at = put_symbol(out, at, fields.venue, venue)
        at = put_text(out, at, b'"')
    return (put_quote if channel == CHANNEL_QUOTE else put_trade)(out, at, fields)


cdef int put_trade(char* out, int at, const Fields* fields) noexcept nogil:
    if fields.trade_id:
        at = put_id(out, at, b',"trade_id":"', fields.trade_id)
    if fields.new_trade_id:
        at = put_id(out, at, b',"new_trade_id":"', fields.new_trade_id)
    if fields.ineligible:
        at = put_text(out, at, b',"eligible":false')
    return at


cdef int put_quote(char* out, int at, const Fields* fields) noexcept nogil:
    at = put_text(out, at, b',"volume":')
    at += write_volume(out + at, fields.volume_high, fields.volume, fields.size_exponent)
    at = put_text(out, at, b',"trades":')
    at += write_uint(out + at, fields.trades)
    if fields.has & ROW_HAS_BID:
        at = put_price(out, at, b',"bid":', fields.bid)
        at = put_size(out, at, b',"bid_size":', fields.bid_size, fields)
    if fields.has & ROW_HAS_ASK:
        at = put_price(out, at, b',"ask":', fields.ask)
        at = put_size(out, at, b',"ask_size":', fields.ask_size, fields)
    return put_day(out, at, fields)


cdef int put_day(char* out, int at, const Fields* fields) noexcept nogil:
    if fields.has & ROW_HAS_OPEN:
        at = put_price(out, at, b',"open":', fields.open)
    if fields.has & ROW_HAS_HIGH_LOW:
        at = put_price(out, at, b',"high":', fields.high)
        at = put_price(out, at, b',"low":', fields.low)
    if fields.has & ROW_HAS_PREVIOUS_CLOSE:
        at = put_price(out, at, b',"previous_close":', fields.previous_close)
    if fields.has & ROW_HAS_OFFICIAL_CLOSE:
        at = put_price(out, at, b',"official_close":', fields.official_close)
    if fields.has & ROW_HAS_EXTENDED:
        at = put_price(out, at, b',"extended_price":', fields.extended_price)
        at = put_text(out, at, b',"extended_timestamp":"')
        at += write_timestamp(out + at, fields.extended_time)
        at = put_text(out, at, b'"')
    return at


cdef int lagged_json(
    char* out, const char* symbol, size_t length, uint64_t skipped
) noexcept nogil:
    cdef int at = put_text(out, 0, b'{"type":"lagged","symbol":"')
    at = put_symbol(out, at, symbol, length)
    at = put_text(out, at, b'","skipped":')
    at += write_uint(out + at, skipped)
    out[at] = c"}"
    return at + 1

"""Prices in JSON (RFC 8259): numbers with the digits of the tick, times as RFC 3339."""

from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy, strlen

from ticker.gateway.hub.fields cimport CHANNEL_PRICE, CHANNEL_QUOTE, VENUE_ROOM, Fields, strnlen
from ticker.units cimport write_price, write_size, write_timestamp, write_uint


cdef inline int put_text(char* out, int at, const char* text) noexcept nogil:
    cdef int length = <int>strlen(text)
    memcpy(out + at, text, length)
    return at + length


cdef inline int put_price(char* out, int at, const char* name, int64_t price) noexcept nogil:
    if not price:
        return at
    at = put_text(out, at, name)
    return at + write_price(out + at, price)


cdef inline int put_size(
    char* out, int at, const char* name, uint64_t size, const Fields* fields
) noexcept nogil:
    at = put_text(out, at, name)
    return at + write_size(out + at, size, fields.size_exponent)


cdef int put_symbol(char* out, int at, const char* symbol, size_t length) noexcept nogil:
    """Printable ASCII as the inside of a string (RFC 8259, section 7)."""
    cdef size_t i
    for i in range(length):
        if symbol[i] == c'"' or symbol[i] == c"\\":
            out[at] = c"\\"
            at += 1
        out[at] = symbol[i]
        at += 1
    return at


cdef int begin_json(
    char* out, bint snapshot, const char* symbol, size_t length
) noexcept nogil:
    cdef int at = put_text(out, 0, b'{"type":"')
    at = put_text(out, at, b"snapshot" if snapshot else b"update")
    at = put_text(out, at, b'","symbol":"')
    at = put_symbol(out, at, symbol, length)
    return put_text(out, at, b'","price":')


cdef int json_fields(
    char* out, int at, int channel, bint with_seq, const Fields* fields
) noexcept nogil:
    at += write_price(out + at, fields.price)
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
    if channel != CHANNEL_QUOTE:
        return at
    at = put_size(out, at, b',"volume":', fields.volume, fields)
    at = put_text(out, at, b',"trades":')
    at += write_uint(out + at, fields.trades)
    if fields.bid:
        at = put_price(out, at, b',"bid":', fields.bid)
        at = put_size(out, at, b',"bid_size":', fields.bid_size, fields)
    if fields.ask:
        at = put_price(out, at, b',"ask":', fields.ask)
        at = put_size(out, at, b',"ask_size":', fields.ask_size, fields)
    at = put_price(out, at, b',"open":', fields.open)
    at = put_price(out, at, b',"high":', fields.high)
    at = put_price(out, at, b',"low":', fields.low)
    return put_price(out, at, b',"previous_close":', fields.previous_close)


cdef int lagged_json(
    char* out, const char* symbol, size_t length, uint64_t skipped
) noexcept nogil:
    cdef int at = put_text(out, 0, b'{"type":"lagged","symbol":"')
    at = put_symbol(out, at, symbol, length)
    at = put_text(out, at, b'","skipped":')
    at += write_uint(out + at, skipped)
    out[at] = c"}"
    return at + 1

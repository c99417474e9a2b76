"""Prices in MessagePack: times as integer microseconds, prices as decimal strings.

A decimal string is what MessagePack has for an exact decimal that every reader can take: no
extension type, no float. Sizes are integers, or such strings where a venue has fractions.
Source: github.com/msgpack/msgpack/blob/master/spec.md.
"""

from libc.stdint cimport int64_t, uint8_t, uint64_t

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
from ticker.gateway.wire.msgpack cimport put_name, put_string, put_uint
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
from ticker.units cimport write_price, write_size, write_uint, write_volume


cdef inline int put_price(
    char* out, int at, const char* name, int64_t price, int* entries
) noexcept nogil:
    cdef int length
    entries[0] += 1
    at = put_name(out, at, name)
    length = write_price(out + at + 1, price)
    out[at] = <char>(0xA0 | length)
    return at + 1 + length


cdef inline int put_time(
    char* out, int at, const char* name, int64_t time, int* entries
) noexcept nogil:
    entries[0] += 1
    at = put_name(out, at, name)
    return put_uint(out, at, <uint64_t>(time // 1000 if time > 0 else 0))


cdef inline int put_volume(
    char* out, int at, const char* name, const Fields* fields, int* entries
) noexcept nogil:
    """As a size; what an integer cannot hold is a string, too, of up to 44 bytes (str 8)."""
    cdef int length
    if not fields.volume_high:
        return put_size(out, at, name, fields.volume, fields, entries)
    entries[0] += 1
    at = put_name(out, at, name)
    length = write_volume(out + at + 2, fields.volume_high, fields.volume, fields.size_exponent)
    out[at] = <char>0xD9
    out[at + 1] = <char>length
    return at + 2 + length


cdef inline int put_id(
    char* out, int at, const char* name, uint64_t number, int* entries
) noexcept nogil:
    cdef int length
    entries[0] += 1
    at = put_name(out, at, name)
    length = write_uint(out + at + 1, number)
    out[at] = <char>(0xA0 | length)
    return at + 1 + length


cdef inline int put_size(
    char* out, int at, const char* name, uint64_t size, const Fields* fields, int* entries
) noexcept nogil:
    cdef int length
    entries[0] += 1
    at = put_name(out, at, name)
    if not fields.size_exponent:
        return put_uint(out, at, size)
    length = write_size(out + at + 1, size, fields.size_exponent)
    out[at] = <char>(0xA0 | length)
    return at + 1 + length


cdef const char* type_of(Message message) noexcept nogil:
    if message == MESSAGE_SNAPSHOT:
        return b"snapshot"
    if message == MESSAGE_CORRECTION:
        return b"correction"
    return b"cancel" if message == MESSAGE_CANCEL else b"update"


cdef int begin_msgpack(
    char* out, int channel, Message message, const char* symbol, size_t length
) noexcept nogil:
    """`quote` has more entries than a fixmap can have; how many is said with the fields."""
    cdef int at = 1
    if channel == CHANNEL_QUOTE:
        out[0] = <char>0xDE
        out[1] = 0
        at = 3
    at = put_name(out, at, b"type")
    at = put_name(out, at, type_of(message))
    at = put_name(out, at, b"symbol")
    return put_string(out, at, symbol, length)


cdef int msgpack_fields(char* out, int at, int channel, const Fields* fields) noexcept nogil:
    cdef int entries = 2
    if fields.has & ROW_HAS_LAST:
        at = put_price(out, at, b"price", fields.price, &entries)
    else:
        entries += 1
        at = put_name(out, at, b"price")
        out[at] = <char>0xC0
        at += 1
    at = put_time(out, at, b"timestamp", fields.time, &entries)
    at = put_name(out, at, b"seq")
    at = put_uint(out, at, fields.seq)
    entries += 1
    if channel != CHANNEL_PRICE:
        at = put_more(out, at, channel, fields, &entries)
    if channel == CHANNEL_QUOTE:
        out[2] = <char>entries
    else:
        out[0] = <char>(0x80 | entries)
    return at


cdef int put_more(
    char* out, int at, int channel, const Fields* fields, int* entries
) noexcept nogil:
    """What `quote` and `trades` add."""
    cdef size_t venue = strnlen(fields.venue, VENUE_ROOM)
    at = put_name(out, at, b"channel")
    at = put_name(out, at, b"quote" if channel == CHANNEL_QUOTE else b"trades")
    entries[0] += 1
    at = put_size(out, at, b"size", fields.size, fields, entries)
    if venue:
        at = put_name(out, at, b"venue")
        at = put_string(out, at, fields.venue, venue)
        entries[0] += 1
    return (put_quote if channel == CHANNEL_QUOTE else put_trade)(out, at, fields, entries)


cdef int put_trade(char* out, int at, const Fields* fields, int* entries) noexcept nogil:
    """At most three entries more: a fixmap has room for 15."""
    if fields.trade_id:
        at = put_id(out, at, b"trade_id", fields.trade_id, entries)
    if fields.new_trade_id:
        at = put_id(out, at, b"new_trade_id", fields.new_trade_id, entries)
    if fields.ineligible:
        at = put_name(out, at, b"eligible")
        out[at] = <char>0xC2
        at += 1
        entries[0] += 1
    return at


cdef int put_quote(char* out, int at, const Fields* fields, int* entries) noexcept nogil:
    at = put_volume(out, at, b"volume", fields, entries)
    at = put_name(out, at, b"trades")
    at = put_uint(out, at, fields.trades)
    entries[0] += 1
    if fields.has & ROW_HAS_BID:
        at = put_price(out, at, b"bid", fields.bid, entries)
        at = put_size(out, at, b"bid_size", fields.bid_size, fields, entries)
    if fields.has & ROW_HAS_ASK:
        at = put_price(out, at, b"ask", fields.ask, entries)
        at = put_size(out, at, b"ask_size", fields.ask_size, fields, entries)
    return put_day(out, at, fields, entries)


cdef int put_day(char* out, int at, const Fields* fields, int* entries) noexcept nogil:
    if fields.has & ROW_HAS_OPEN:
        at = put_price(out, at, b"open", fields.open, entries)
    if fields.has & ROW_HAS_HIGH_LOW:
        at = put_price(out, at, b"high", fields.high, entries)
        at = put_price(out, at, b"low", fields.low, entries)
    if fields.has & ROW_HAS_PREVIOUS_CLOSE:
        at = put_price(out, at, b"previous_close", fields.previous_close, entries)
    if fields.has & ROW_HAS_OFFICIAL_CLOSE:
        at = put_price(out, at, b"official_close", fields.official_close, entries)
    if fields.has & ROW_HAS_EXTENDED:
        at = put_price(out, at, b"extended_price", fields.extended_price, entries)
        at = put_time(out, at, b"extended_timestamp", fields.extended_time, entries)
    return at


cdef int lagged_msgpack(
    char* out, const char* symbol, size_t length, uint64_t skipped
) noexcept nogil:
    cdef int at = 1
    out[0] = <char>0x83
    at = put_name(out, at, b"type")
    at = put_name(out, at, b"lagged")
    at = put_name(out, at, b"symbol")
    at = put_string(out, at, symbol, length)
    at = put_name(out, at, b"skipped")
    return put_uint(out, at, skipped)

"""Prices in MessagePack: times as integer microseconds, prices as decimal strings.

A decimal string is what MessagePack has for an exact decimal that every reader can take: no
extension type, no float. Sizes are integers, or such strings where a venue has fractions.
Source: github.com/msgpack/msgpack/blob/master/spec.md.
"""

from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memcpy, strlen

from ticker.gateway.hub.fields cimport CHANNEL_PRICE, CHANNEL_QUOTE, VENUE_ROOM, Fields, strnlen
from ticker.units cimport write_price, write_size


cdef inline int put_string(char* out, int at, const char* text, size_t length) noexcept nogil:
    """A string of at most 31 bytes (fixstr)."""
    out[at] = <char>(0xA0 | length)
    memcpy(out + at + 1, text, length)
    return at + 1 + <int>length


cdef inline int put_name(char* out, int at, const char* name) noexcept nogil:
    return put_string(out, at, name, strlen(name))


cdef int put_uint(char* out, int at, uint64_t value) noexcept nogil:
    """The shortest form of an unsigned integer."""
    cdef int size = 8
    cdef int i
    if value < 0x80:
        out[at] = <char>value
        return at + 1
    if value >> 32 == 0:
        size = 1 if value <= 0xFF else 2 if value <= 0xFFFF else 4
    out[at] = <char>(0xCC if size == 1 else 0xCD if size == 2 else 0xCE if size == 4 else 0xCF)
    for i in range(size):
        out[at + 1 + i] = <char>(value >> (8 * (size - 1 - i)))
    return at + 1 + size


cdef inline int put_price(
    char* out, int at, const char* name, int64_t price, int* entries
) noexcept nogil:
    cdef int length
    if not price:
        return at
    entries[0] += 1
    at = put_name(out, at, name)
    length = write_price(out + at + 1, price)
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


cdef int begin_msgpack(
    char* out, int channel, bint snapshot, const char* symbol, size_t length
) noexcept nogil:
    """`quote` has more entries than a fixmap can have; how many is said with the fields."""
    cdef int at = 1
    if channel == CHANNEL_QUOTE:
        out[0] = <char>0xDE
        out[1] = 0
        at = 3
    at = put_name(out, at, b"type")
    at = put_name(out, at, b"snapshot" if snapshot else b"update")
    at = put_name(out, at, b"symbol")
    return put_string(out, at, symbol, length)


cdef int msgpack_fields(char* out, int at, int channel, const Fields* fields) noexcept nogil:
    cdef int entries = 4
    cdef int64_t micros = fields.time // 1000 if fields.time > 0 else 0
    at = put_price(out, at, b"price", fields.price, &entries)
    at = put_name(out, at, b"timestamp")
    at = put_uint(out, at, <uint64_t>micros)
    at = put_name(out, at, b"seq")
    at = put_uint(out, at, fields.seq)
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
    if channel != CHANNEL_QUOTE:
        return at
    at = put_size(out, at, b"volume", fields.volume, fields, entries)
    at = put_name(out, at, b"trades")
    at = put_uint(out, at, fields.trades)
    entries[0] += 1
    if fields.bid:
        at = put_price(out, at, b"bid", fields.bid, entries)
        at = put_size(out, at, b"bid_size", fields.bid_size, fields, entries)
    if fields.ask:
        at = put_price(out, at, b"ask", fields.ask, entries)
        at = put_size(out, at, b"ask_size", fields.ask_size, fields, entries)
    at = put_price(out, at, b"open", fields.open, entries)
    at = put_price(out, at, b"high", fields.high, entries)
    at = put_price(out, at, b"low", fields.low, entries)
    return put_price(out, at, b"previous_close", fields.previous_close, entries)


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

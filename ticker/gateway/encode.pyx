"""Price messages of the plain dialect as ready WebSocket frames.

A symbol's frame is encoded once and serves every subscriber (server frames are not masked).
The part up to the price never changes and is written once; a new price rewrites the rest.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy, strlen

from ticker.gateway.frames cimport OPCODE_TEXT, write_head
from ticker.units cimport write_price, write_timestamp


cdef int write_symbol(char* out, const char* symbol, size_t length) noexcept nogil:
    """A symbol as the inside of a JSON string (RFC 8259, section 7); its length."""
    cdef int at = 0
    cdef size_t i
    cdef uint8_t byte
    cdef const char* digits = b"0123456789abcdef"
    for i in range(length):
        byte = <uint8_t>symbol[i]
        if byte == c'"' or byte == c"\\":
            out[at] = c"\\"
            out[at + 1] = <char>byte
            at += 2
        elif byte < 0x20 or byte > 0x7E:
            memcpy(out + at, b"\\u00", 4)
            out[at + 4] = digits[byte >> 4]
            out[at + 5] = digits[byte & 15]
            at += 6
        else:
            out[at] = <char>byte
            at += 1
    return at


cdef int begin_frame(
    PriceFrame* frame, const char* kind, const char* symbol, size_t length
) noexcept nogil:
    """Write the part that stays: kind is "update" or "snapshot", the symbol has 1 to 23 bytes."""
    cdef char* out = <char*>frame.bytes + 4
    cdef int at = 0
    assert 0 < length < 24
    memcpy(out, b'{"type":"', 9)
    at = 9
    memcpy(out + at, kind, strlen(kind))
    at += <int>strlen(kind)
    memcpy(out + at, b'","symbol":"', 12)
    at += 12
    at += write_symbol(out + at, symbol, length)
    memcpy(out + at, b'","price":', 10)
    at += 10
    frame.prefix = <uint16_t>at
    return at


cdef void write_price_frame(PriceFrame* frame, int64_t price, int64_t time) noexcept nogil:
    """Complete the frame with a price (1e-9 units) and its exchange time (ns)."""
    cdef char* body = <char*>frame.bytes + 4
    cdef int at = frame.prefix
    cdef uint8_t[10] head
    cdef int size
    at += write_price(body + at, price)
    memcpy(body + at, b',"timestamp":"', 14)
    at += 14
    at += write_timestamp(body + at, time)
    body[at] = c'"'
    body[at + 1] = c"}"
    at += 2
    assert at + 4 <= FRAME_ROOM
    size = write_head(head, OPCODE_TEXT, at)
    frame.start = <uint16_t>(4 - size)
    memcpy(frame.bytes + frame.start, head, size)
    frame.length = <uint16_t>(at + size)


def price_frame(kind: str, symbol: str, price: int, time: int) -> bytes:
    """One frame from Python: kind "update" or "snapshot", price in 1e-9 units, time in ns."""
    cdef PriceFrame frame
    cdef bytes raw = symbol.encode("latin-1")
    cdef bytes raw_kind = kind.encode()
    if not 0 < len(raw) < 24:
        raise ValueError(f"symbol {symbol!r}: 1 to 23 characters")
    begin_frame(&frame, raw_kind, raw, len(raw))
    write_price_frame(&frame, price, time)
    return frame.bytes[frame.start:frame.start + frame.length]

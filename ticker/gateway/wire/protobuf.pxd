"""Pieces of Protobuf into memory that the caller has room in; each gives the new end.

Source: protobuf.dev, "Encoding".
"""

from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memcpy


cdef inline int put_varint(char* out, int at, uint64_t value) noexcept nogil:
    while value > 0x7F:
        out[at] = <char>(value & 0x7F | 0x80)
        value >>= 7
        at += 1
    out[at] = <char>value
    return at + 1


cdef inline int put_number(char* out, int at, int number, uint64_t value) noexcept nogil:
    at = put_varint(out, at, <uint64_t>number << 3)
    return put_varint(out, at, value)


cdef inline int put_string(
    char* out, int at, int number, const char* text, size_t length
) noexcept nogil:
    """A string of at most 127 bytes."""
    at = put_varint(out, at, <uint64_t>(number << 3 | 2))
    out[at] = <char>length
    memcpy(out + at + 1, text, length)
    return at + 1 + <int>length


cdef inline int protobuf_envelope(uint8_t* end, uint8_t number, int size) noexcept nogil:
    """Write `ServerMessage { <number>: ... }` in front of a body that begins at `end`; how many
    bytes, 2 to 4."""
    cdef int length = (1 if number < 16 else 2) + (1 if size < 0x80 else 2)
    cdef char* begin = <char*>end - length
    put_varint(begin, put_varint(begin, 0, <uint64_t>number << 3 | 2), <uint64_t>size)
    return length

"""Pieces of MessagePack into memory that the caller has room in; each gives the new end.

Source: github.com/msgpack/msgpack/blob/master/spec.md.
"""

from libc.stdint cimport uint64_t
from libc.string cimport memcpy, strlen


cdef inline int put_string(char* out, int at, const char* text, size_t length) noexcept nogil:
    """A string of at most 31 bytes (fixstr)."""
    out[at] = <char>(0xA0 | length)
    memcpy(out + at + 1, text, length)
    return at + 1 + <int>length


cdef inline int put_name(char* out, int at, const char* name) noexcept nogil:
    return put_string(out, at, name, strlen(name))


cdef inline int put_uint(char* out, int at, uint64_t value) noexcept nogil:
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

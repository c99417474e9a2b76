"""Pieces of JSON (RFC 8259) into memory that the caller has room in; each gives the new end."""

from libc.string cimport memcpy, strlen


cdef inline int put_text(char* out, int at, const char* text) noexcept nogil:
    cdef int length = <int>strlen(text)
    memcpy(out + at, text, length)
    return at + length


cdef inline int put_symbol(char* out, int at, const char* symbol, size_t length) noexcept nogil:
    """Printable ASCII as the inside of a string (RFC 8259, section 7)."""
    cdef size_t i
    for i in range(length):
        if symbol[i] == c'"' or symbol[i] == c"\\":
            out[at] = c"\\"
            at += 1
        out[at] = symbol[i]
        at += 1
    return at

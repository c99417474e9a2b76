"""What is escaped in JSON strings (RFC 8259, section 7), as the bytes that it stands for."""

from libc.stdint cimport uint8_t, uint32_t


cdef inline bint is_digit(uint8_t byte) noexcept nogil:
    return 0x30 <= byte <= 0x39


cdef inline int hex_digit(uint8_t byte) noexcept nogil:
    if is_digit(byte):
        return byte - 0x30
    byte |= 0x20
    return byte - 0x61 + 10 if 0x61 <= byte <= 0x66 else -1


cdef inline int hex4(const uint8_t* at) noexcept nogil:
    """The value of four hexadecimal digits, or -1."""
    cdef int value = 0
    cdef int i, digit
    for i in range(4):
        digit = hex_digit(at[i])
        if digit < 0:
            return -1
        value = value << 4 | digit
    return value


cdef inline char unescaped(uint8_t byte) noexcept nogil:
    """What a backslash and this byte stand for."""
    if byte == c"b":
        return 8
    if byte == c"f":
        return 12
    if byte == c"n":
        return 10
    if byte == c"r":
        return 13
    if byte == c"t":
        return 9
    return <char>byte


cdef inline int write_unicode(char* out, const uint8_t** at, const uint8_t* end) noexcept nogil:
    """A \\uXXXX, or two that are a surrogate pair, as UTF-8; how many bytes (at most 4)."""
    cdef uint32_t code = <uint32_t>hex4(at[0] + 2)
    cdef int low
    at[0] += 6
    if 0xD800 <= code < 0xDC00 and end - at[0] >= 6 and at[0][0] == c"\\" and at[0][1] == c"u":
        low = hex4(at[0] + 2)
        if 0xDC00 <= low < 0xE000:
            code = 0x10000 + ((code - 0xD800) << 10) + <uint32_t>(low - 0xDC00)
            at[0] += 6
    if 0xD800 <= code < 0xE000:
        code = 0xFFFD            # half of a pair
    if code < 0x80:
        out[0] = <char>code
        return 1
    if code < 0x800:
        out[0] = <char>(0xC0 | code >> 6)
        out[1] = <char>(0x80 | code & 0x3F)
        return 2
    if code < 0x10000:
        out[0] = <char>(0xE0 | code >> 12)
        out[1] = <char>(0x80 | code >> 6 & 0x3F)
        out[2] = <char>(0x80 | code & 0x3F)
        return 3
    out[0] = <char>(0xF0 | code >> 18)
    out[1] = <char>(0x80 | code >> 12 & 0x3F)
    out[2] = <char>(0x80 | code >> 6 & 0x3F)
    out[3] = <char>(0x80 | code & 0x3F)
    return 4

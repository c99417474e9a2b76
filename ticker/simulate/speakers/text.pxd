"""Numbers and times as text, written where the next byte goes; each returns what comes after."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, strlen


cdef inline uint8_t* put_text(uint8_t* out, const char* text) noexcept nogil:
    cdef size_t length = strlen(text)
    memcpy(out, text, length)
    return out + length


cdef inline uint8_t* put_stock(uint8_t* out, const char* stock) noexcept nogil:
    """A symbol of at most eight characters, without the blanks behind it."""
    cdef int length = 0
    while length < 8 and stock[length] != c" ":
        out[length] = <uint8_t>stock[length]
        length += 1
    return out + length


cdef inline uint8_t* put_digits(uint8_t* out, uint64_t value, int width) noexcept nogil:
    """The last `width` digits, zeros before them."""
    cdef int at
    for at in range(width - 1, -1, -1):
        out[at] = <uint8_t>(0x30 + value % 10)
        value //= 10
    return out + width


cdef inline uint8_t* put_number(uint8_t* out, uint64_t value) noexcept nogil:
    cdef int width = 1
    cdef uint64_t rest = value // 10
    while rest:
        width += 1
        rest //= 10
    return put_digits(out, value, width)


cdef inline uint8_t* put_price(uint8_t* out, uint64_t price) noexcept nogil:
    """Of 1e-4 dollars, with two decimals or as many as there are."""
    out = put_number(out, price // 10000)
    out[0] = c"."
    out = put_digits(out + 1, price % 10000 // 100, 2)
    if not price % 100:
        return out
    return put_digits(out, price % 100, 2) if price % 10 else put_digits(out, price % 100 // 10, 1)


cdef inline uint8_t* put_clock(uint8_t* out, int64_t ns) noexcept nogil:
    """The time of day of ns since some midnight: HH:MM:SS.mmm."""
    cdef uint64_t ms = <uint64_t>ns // 1000000 % 86400000
    out = put_digits(out, ms // 3600000, 2)
    out[0] = c":"
    out = put_digits(out + 1, ms // 60000 % 60, 2)
    out[0] = c":"
    out = put_digits(out + 1, ms // 1000 % 60, 2)
    out[0] = c"."
    return put_digits(out + 1, ms % 1000, 3)

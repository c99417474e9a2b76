"""What the values of FIX fields say: see values.pyx. False: it is no such value."""

from libc.stdint cimport int64_t, uint8_t, uint64_t

cdef bint read_uint(const uint8_t* text, size_t length, uint64_t* value) noexcept nogil
cdef bint read_decimal(
    const uint8_t* text, size_t length, int decimals, int64_t* value
) noexcept nogil
cdef bint read_rounded(
    const uint8_t* text, size_t length, int kept, int decimals, int64_t* value
) noexcept nogil
cdef bint read_date(const uint8_t* text, int64_t* midnight) noexcept nogil
cdef bint read_time_of_day(const uint8_t* text, size_t length, int64_t* ns) noexcept nogil
cdef bint read_timestamp(const uint8_t* text, size_t length, int64_t* ns) noexcept nogil


cdef inline bint is_digit(uint8_t byte) noexcept nogil:
    return <uint8_t>(byte - c"0") < 10

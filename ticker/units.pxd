"""Prices and times as integers, and their text; the C face of units.pyx."""

from libc.stdint cimport int64_t, uint32_t, uint64_t


cdef enum:
    PRICE_TEXT = 24       # bytes that write_price may fill
    SIZE_TEXT = 24        # bytes that write_size may fill
    VOLUME_TEXT = 44      # bytes that write_volume may fill
    MAX_SIZE_EXPONENT = 19
    TIMESTAMP_TEXT = 27   # bytes that write_timestamp fills: 2026-03-29T14:30:01.234000Z


cdef int write_uint(char* out, uint64_t value) noexcept nogil
cdef int write_price(char* out, int64_t price) noexcept nogil
cdef int write_size(char* out, uint64_t size, uint64_t exponent) noexcept nogil
cdef int write_volume(
    char* out, uint64_t high, uint64_t low, uint64_t exponent
) noexcept nogil
cdef int write_timestamp(char* out, int64_t ns) noexcept nogil

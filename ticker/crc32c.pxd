"""CRC-32C of a block of bytes; crc32c.h has the polynomial and its source."""

from libc.stdint cimport uint32_t

cdef extern from "ticker/crc32c.h" nogil:
    uint32_t crc32c "ticker_crc32c"(const void* data, size_t length)
    uint32_t crc32c_more "ticker_crc32c_more"(uint32_t crc, const void* data, size_t length)
    uint32_t crc32c_plain "ticker_crc32c_plain"(uint32_t crc, const void* data, size_t length)

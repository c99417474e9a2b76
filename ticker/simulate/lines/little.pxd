"""Little-endian numbers into messages."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy


cdef extern from "endian.h" nogil:
    uint16_t htole16(uint16_t)
    uint32_t htole32(uint32_t)
    uint64_t htole64(uint64_t)


cdef inline void put16(uint8_t* at, uint64_t value) noexcept nogil:
    cdef uint16_t word = htole16(<uint16_t>value)
    memcpy(at, &word, 2)


cdef inline void put32(uint8_t* at, uint64_t value) noexcept nogil:
    cdef uint32_t word = htole32(<uint32_t>value)
    memcpy(at, &word, 4)


cdef inline void put64(uint8_t* at, uint64_t value) noexcept nogil:
    cdef uint64_t word = htole64(value)
    memcpy(at, &word, 8)

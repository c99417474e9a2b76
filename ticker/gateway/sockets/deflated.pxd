"""Whole frames of ours, deflated (RFC 7692): once for all connections that are due the same bytes."""

cimport cython
from libc.stdint cimport uint8_t, uint32_t, uint64_t


cdef struct Remembered:
    uint64_t hash
    uint64_t at                  # of its bytes, by all that were ever written; the deflated ones follow
    uint32_t length              # of the message; 0: nothing is here
    uint32_t deflated            # bytes; 0: it does not get shorter
    uint8_t bits                 # of the window


@cython.final
cdef class Deflater:
    cdef Remembered* places
    cdef uint8_t* memory
    cdef uint64_t written
    cdef uint8_t* scratch
    cdef size_t scratch_capacity
    cdef uint64_t* counters
    cdef object mapping          # keeps `counters` mapped
    cdef dict beginnings         # by bits of the window: a compressor that has seen nothing

    cdef size_t shrink(self, uint8_t* frames, size_t length, uint8_t bits) noexcept nogil
    cdef bint _open(self) noexcept nogil
    cdef uint32_t _find(
        self, const uint8_t* message, uint32_t length, uint8_t bits, const uint8_t** found
    ) noexcept nogil
    cdef uint32_t _deflate(
        self, const uint8_t* message, uint32_t length, uint8_t bits
    ) noexcept with gil
    cdef const uint8_t* _keep(
        self, Remembered* place, const uint8_t* message, uint32_t deflated
    ) noexcept nogil

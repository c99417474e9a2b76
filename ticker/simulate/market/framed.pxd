"""A simulated day as a speaker's frames: see framed.pyx."""

from libc.stdint cimport uint8_t, uint64_t

from ticker.simulate.market.day cimport Day


cdef class FramedMarket:
    cdef Day day
    cdef size_t longest      # bytes that must be free at `out`: what one step may say

    cdef size_t write(
        self, uint8_t* out, size_t room, uint64_t limit, uint64_t* messages
    ) noexcept nogil

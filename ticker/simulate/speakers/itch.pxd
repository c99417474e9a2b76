"""Says a simulated market in Nasdaq TotalView-ITCH 5.0."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from ticker.simulate.market.framed cimport FramedMarket
from ticker.simulate.market.speaker cimport Instrument, Speaker


cdef enum:
    LONGEST = 64             # bytes that must be free at `out`: the longest message is 2 + 50


cdef class ItchSpeaker(Speaker):
    cdef uint8_t* begin(self, char kind, uint32_t length, uint32_t locate) noexcept nogil


cdef class ItchMarket(FramedMarket):
    cdef ItchSpeaker speaker

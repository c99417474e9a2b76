"""Says a simulated market in Polygon's JSON: trades and quotes, one text of one record each."""

from libc.stdint cimport uint8_t, uint64_t

from ticker.simulate.market.levels cimport LevelMarket, LevelSpeaker
from ticker.simulate.market.speaker cimport Instrument


cdef class JsonSpeaker(LevelSpeaker):
    cdef uint8_t* begin(self, const char* event, const Instrument* on) noexcept nogil
    cdef void end(self, uint8_t* out) noexcept nogil


cdef class JsonMarket(LevelMarket):
    pass

"""Says a simulated market in IEX's TOPS 1.6 or DEEP 1.0."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from ticker.simulate.lines.capture cimport PcapWriter
from ticker.simulate.market.levels cimport LevelMarket, LevelSpeaker
from ticker.simulate.market.speaker cimport Instrument


cdef class IexSpeaker(LevelSpeaker):
    cdef bint depth          # DEEP, not TOPS

    cdef uint8_t* begin(
        self, char kind, uint8_t flags, uint32_t length, const Instrument* on
    ) noexcept nogil
    cdef void sale(
        self, char kind, uint8_t flags, const Instrument* on, uint64_t shares, uint32_t price,
        uint64_t match,
    ) noexcept nogil
    cdef uint8_t sale_flags(self, const Instrument* on, uint64_t shares) noexcept nogil
    cdef void quote(self, const Instrument* on) noexcept nogil


cdef class IexMarket(LevelMarket):
    pass


cdef class IexTpWriter(PcapWriter):
    cdef uint32_t session_id
    cdef uint32_t protocol
    cdef uint64_t offset     # of the stream, of the next segment

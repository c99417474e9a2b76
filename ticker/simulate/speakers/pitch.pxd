"""Says a simulated market in Cboe PITCH 2.x: see pitch.pyx."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from ticker.simulate.market.framed cimport FramedMarket
from ticker.simulate.market.speaker cimport Instrument, Speaker


cdef enum:
    MOST_UNITS = 32
    LONGEST = 1024           # bytes that must be free at `out`: what one step may say
    REMEMBERED = 1024        # trades that a break may still name


cdef class PitchSpeaker(Speaker):
    cdef uint32_t units
    cdef int64_t stamp                       # ns since midnight, said instead of `time`; -1: not
    cdef int64_t[MOST_UNITS + 1] seconds     # of the unit's last Time message, -1: none yet
    cdef uint64_t[REMEMBERED] executions     # id of each match

    cdef uint8_t* begin(self, uint8_t kind, uint32_t length, const Instrument* on) noexcept nogil
    cdef uint8_t* begin_unit(self, uint8_t kind, uint32_t length, uint32_t unit) noexcept nogil
    cdef void trading_status(
        self, const Instrument* on, uint8_t status, uint8_t short_sale
    ) noexcept nogil
    cdef void print_trade(
        self, const Instrument* on, uint64_t shares, uint32_t price, uint64_t match,
        uint64_t origin,
    ) noexcept nogil
    cdef uint64_t execution(self, uint64_t match, uint64_t origin) noexcept nogil


cdef class PitchMarket(FramedMarket):
    cdef PitchSpeaker speaker
    cdef PitchSpeaker painter                # of images
    cdef void paint(self, uint32_t index) noexcept


cdef inline uint32_t unit_of(uint32_t locate, uint32_t units) noexcept nogil:
    return 1 + (locate - 1) % units

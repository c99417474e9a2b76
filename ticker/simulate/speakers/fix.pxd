"""Says a simulated market in FIX 4.4: 35=W for each symbol, then 35=X."""

from libc.stdint cimport uint8_t, uint64_t

from ticker.simulate.market.levels cimport LevelMarket, LevelSpeaker
from ticker.simulate.market.speaker cimport Instrument


cdef class FixSpeaker(LevelSpeaker):
    cdef char[9] date        # of the session, YYYYMMDD
    cdef uint8_t[512] entries    # of the message at hand
    cdef uint8_t* entries_end
    cdef int entry_count

    cdef void entry(self, const char* action, const char* kind) noexcept nogil
    cdef void field(self, const char* name, uint64_t value) noexcept nogil
    cdef void symbol(self, const Instrument* on) noexcept nogil
    cdef void price(self, uint64_t price) noexcept nogil
    cdef void say(self, const char* kind, const Instrument* before) noexcept nogil


cdef class FixMarket(LevelMarket):
    pass

"""A simulated market: instruments with resting orders around a wandering fair price."""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from ticker.simulate.market.chance cimport Chance
from ticker.simulate.market.resting cimport Resting
from ticker.simulate.market.speaker cimport Instrument, Speaker


cdef enum:
    TICK = 100               # a cent, in 1e-4 dollars
    RECENT = 64              # trades that a break may still hit


cdef struct Match:
    uint64_t number
    uint32_t instrument


cdef class Market:
    cdef Speaker speaker
    cdef Chance chance
    cdef readonly uint32_t count
    cdef Instrument* instruments
    cdef Resting* resting                # 2 * DEPTH of each instrument: bids, asks
    cdef uint32_t* alias_share
    cdef uint32_t* alias_other
    cdef int64_t time                    # ns since midnight, of the message being said
    cdef uint64_t next_reference
    cdef uint64_t next_match
    cdef Match[RECENT] recent
    cdef uint32_t sweep_shares           # what is left of an aggressive order
    cdef uint32_t sweep_instrument
    cdef int sweep_side

    cdef void trade(self) noexcept nogil
    cdef Resting* side_of(self, const Instrument* on, int side) noexcept nogil
    cdef Instrument* pick(self) noexcept nogil
    cdef void walk(self, Instrument* on) noexcept nogil
    cdef void act(self, Instrument* on) noexcept nogil
    cdef void pull(self, Instrument* on, int side) noexcept nogil
    cdef uint32_t quote(self, Instrument* on, int side) noexcept nogil
    cdef uint32_t shares(self) noexcept nogil
    cdef void add(self, Instrument* on, int side) noexcept nogil
    cdef void delete(self, Instrument* on, int side, uint32_t index) noexcept nogil
    cdef void replace(self, Instrument* on, int side, uint32_t index) noexcept nogil
    cdef void cancel(self, Instrument* on, int side) noexcept nogil
    cdef void aggress(self, Instrument* on, int side, uint32_t shares) noexcept nogil
    cdef void execute_at(self, Instrument* on, int side) noexcept nogil
    cdef void hidden(self, Instrument* on) noexcept nogil
    cdef const char* mpid(self, uint32_t index) noexcept nogil
    cdef uint32_t middle(self, const Instrument* on) noexcept nogil
    cdef uint64_t matched(self, const Instrument* on) noexcept nogil
    cdef list_instruments(self, list listings)
    cdef spread_activity(self)

"""The state of a venue's market as a whole: phase of the day, market-wide circuit breaker.

Law: kept privately and shown by the market's flush, like rows, so that a worker which computes
a session again does not show readers its past phases one after the other.
Source: market-wide circuit breakers are NYSE rule 7.12, Nasdaq rule 4121: levels 1 and 2 halt
all trading for 15 minutes, level 3 for the rest of the day.
"""

from libc.stdint cimport int64_t, uint64_t

from ticker.shm.atomics cimport load_relaxed, store_release
from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport PHASE_UNKNOWN, MarketPhase


cdef class VenueState:
    """Of the feed whose segment `mapping` is; goes on with what a predecessor said."""

    def __cinit__(self, Mapping mapping not None) -> None:
        cdef int i
        self.mapping = mapping
        self.words = mapping.feed_state()
        self.phase = <MarketPhase>load_relaxed(&self.words.phase)
        self.phase_time = <int64_t>load_relaxed(&self.words.phase_time)
        self.breaker = load_relaxed(&self.words.breaker)
        self.breaker_time = <int64_t>load_relaxed(&self.words.breaker_time)
        for i in range(3):
            self.decline_levels[i] = <int64_t>load_relaxed(&self.words.decline_levels[i])

    cdef void set_phase(self, MarketPhase phase, int64_t time) noexcept nogil:
        self.phase = phase
        self.phase_time = time
        self.changed = True

    cdef void set_breaker(self, uint64_t level, int64_t time) noexcept nogil:
        if level > 3 or level == self.breaker:
            return
        self.breaker = level
        self.breaker_time = time
        self.changed = True

    cdef void set_decline_levels(self, int64_t first, int64_t second, int64_t third) noexcept nogil:
        self.decline_levels[0] = first
        self.decline_levels[1] = second
        self.decline_levels[2] = third
        self.changed = True

    cdef void forget(self) noexcept nogil:
        self.phase = PHASE_UNKNOWN
        self.phase_time = 0
        self.breaker = 0
        self.breaker_time = 0
        self.set_decline_levels(0, 0, 0)

    cdef void publish(self) noexcept nogil:
        """Each word is its own; what decides comes after what explains it."""
        cdef int i
        for i in range(3):
            store_release(&self.words.decline_levels[i], <uint64_t>self.decline_levels[i])
        store_release(&self.words.phase_time, <uint64_t>self.phase_time)
        store_release(&self.words.phase, <uint64_t>self.phase)
        store_release(&self.words.breaker_time, <uint64_t>self.breaker_time)
        store_release(&self.words.breaker, self.breaker)
        self.changed = False

"""What a venue says of its market as a whole, beside what it says of each instrument."""

cimport cython
from libc.stdint cimport int64_t, uint64_t

from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport FeedState, MarketPhase


@cython.final
cdef class VenueState:
    cdef Mapping mapping
    cdef FeedState* words
    cdef bint changed
    cdef MarketPhase phase
    cdef int64_t phase_time
    cdef uint64_t breaker
    cdef int64_t breaker_time
    cdef int64_t[3] decline_levels

    # The venue begins a phase of its day.
    cdef void set_phase(self, MarketPhase phase, int64_t time) noexcept nogil
    # A market-wide circuit breaker of level 1 to 3 triggered; 0: trading resumed.
    cdef void set_breaker(self, uint64_t level, int64_t time) noexcept nogil
    # The index values at which the day's breakers trigger, 1e-9 units.
    cdef void set_decline_levels(self, int64_t first, int64_t second, int64_t third) noexcept nogil
    # A new session: nothing of the old one holds.
    cdef void forget(self) noexcept nogil
    cdef void publish(self) noexcept nogil

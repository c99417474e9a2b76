"""Whether a price is alive: the verdict on one row, from the row, its feed and the calendar."""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport FeedState, Values


cpdef enum Liveness:
    LIVENESS_CLOSED = 0
    LIVENESS_STALE = 1
    LIVENESS_QUIET_UNSAID = 2    # quiet, and its feed does not say whether it trades
    LIVENESS_HALTED = 3
    LIVENESS_PAUSED = 4
    LIVENESS_QUIET = 5
    LIVENESS_UNCONFIRMED = 6     # the filter holds a trade that may be the price
    LIVENESS_LIVE = 7

cdef struct Sighting:
    int64_t word                 # a time that a worker wrote, as of the last look
    int64_t age                  # ns, by the clock that only runs

cdef struct FeedCondition:
    Sighting beat
    Sighting heard
    bint silent                  # no live worker vouches for the feed's prices now
    bint closed                  # the calendar says closed, or the venue did since it opened
    bint expected                # the calendar says that it is in session
    bint final                   # silent, but nothing that counts can have been missed
    uint64_t breaker             # market-wide circuit breaker in force, its level
    int64_t quiet_ns
    uint64_t live_epoch          # the writer that was seen live last


cdef Liveness liveness_of(
    const FeedCondition* feed, const Values* row, int64_t now_ns
) noexcept nogil

cdef bint is_stale(const FeedCondition* feed, const Values* row) noexcept nogil


cdef class Conditions:
    """What all feeds are in, as of the last look(); one reader's own."""

    cdef list mappings
    cdef FeedState** states
    cdef FeedCondition* feeds
    cdef readonly uint32_t count
    cdef readonly int64_t looked_ns
    cdef int64_t steady_ns       # of the last look, by the clock that only runs, 0: there was none
    cdef int64_t passed_ns       # between the last two looks, INT64_MAX: there was only one

    cdef int64_t _age(self, Sighting* seen, int64_t word, int64_t now_ns) noexcept nogil
    cdef FeedCondition* _checked(self, object feed) except NULL
    cdef void _look_at(
        self, uint32_t feed, int64_t now_ns, int phase, int64_t since, int64_t closed_at
    ) noexcept nogil

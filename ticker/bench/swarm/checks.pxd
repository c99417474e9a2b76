from libc.stdint cimport int64_t, uint32_t, uint64_t

from ticker.bench.swarm.histogram cimport Histogram
from ticker.bench.swarm.message cimport Message
from ticker.bench.swarm.watchlist cimport Watchlists

cdef struct Slot:
    int64_t time                # of the newest price seen, 0: none yet, -1: unsubscribed
    int64_t seq
    int64_t skipped             # by `lagged` since then
    int64_t price               # the newest seen

cdef struct Subscriber:
    uint32_t due                # snapshots it waits for
    int64_t asked               # when it sent its last subscribe

cpdef enum Count:
    UPDATES = 0
    SNAPSHOTS
    ERRORS
    OTHERS
    PINGS
    READS
    BYTES
    DISCONNECTED
    LAGGED
    SKIPPED
    MERGED
    AHEAD                       # updates whose timestamp is later than their receipt
    # violations: any of these above 0 is a defect
    MALFORMED
    UNASKED
    BACKWARDS
    MISMATCHED
    BEFORE_SNAPSHOT
    GAPS
    COUNT_END


cdef class Checks:
    """What the clients of a swarm have seen, held against what they may see."""

    cdef readonly Histogram latency        # timestamp of an update to its receipt
    cdef readonly Histogram first_answer   # subscribe sent to snapshot received
    cdef Watchlists lists
    cdef Subscriber* subscribers
    cdef Slot* slots
    cdef uint64_t[<int>COUNT_END] counts
    cdef uint64_t waiting                  # snapshots due over all clients
    cdef int64_t refused                   # code of the newest error, -1: none
    cdef int64_t last_update               # ns, when the newest update was received
    cdef bint raw, verify, each_trade, snapshots

    cdef void asked(self, int number, int64_t now) noexcept nogil
    cdef void taken_back(self, int number) noexcept nogil
    cdef void _forget(self, int number, int64_t time) noexcept nogil
    cdef void lost(self, int number) noexcept nogil
    cdef void confirmed(self, int number, uint32_t symbols, int64_t now) noexcept nogil
    cdef void take(self, int number, Message* message, int64_t now) noexcept nogil
    cdef void _lagged(self, int number, Message* message) noexcept nogil
    cdef void _price(self, int number, Message* message, int64_t now) noexcept nogil

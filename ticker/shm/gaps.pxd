"""The ledger of a feed's gaps; gaps.pyx says the law."""

from libc.stdint cimport int64_t, uint64_t

from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport Gap, GapBlock

# What became of missing numbers.
cpdef enum Became:
    FILLED_BY_LINE = 0
    RECOVERED
    LOST_UPSTREAM
    LOST_DOWNSTREAM
    WITHDRAWN

cdef enum:
    MOST_GATEWAYS = 64


cdef class GapLedger:
    """The one writer of a feed's ledger."""

    cdef Mapping mapping
    cdef GapBlock* blocks
    cdef Gap all                 # the sums of all gaps
    cdef Gap old                 # ... of those that are no longer kept
    cdef uint64_t unsettled      # no gap before this one waits to be settled
    cdef list gateways           # keeps what `seen` points to
    cdef uint64_t* seen[MOST_GATEWAYS]
    cdef int seen_count

    # Numbers [start, end) are missing; the gap's number. `session`: two words, or NULL.
    cdef uint64_t found(
        self, uint64_t start, uint64_t end, const uint64_t* session, uint64_t channel, int line,
        int64_t now_ns,
    ) noexcept nogil
    # The newest gap reaches further.
    cdef void widened(self, uint64_t number, uint64_t end, uint64_t messages) noexcept nogil
    cdef void became(
        self, uint64_t number, Became what, uint64_t messages, int64_t now_ns
    ) noexcept nogil
    # Given up: numbers that had come once are lost downstream, all others upstream.
    cdef void lost(self, uint64_t number, uint64_t messages, int64_t now_ns) noexcept nogil
    cdef void requested(self, uint64_t number) noexcept nogil
    cdef void dropped(self, uint64_t number, uint64_t messages) noexcept nogil

    cdef void _refresh(self) noexcept nogil
    cdef bint _load(self, uint64_t number, Gap* gap) noexcept nogil
    cdef void _store(self, uint64_t number, Gap* gap) noexcept nogil
    cdef void _fold(self, uint64_t number) noexcept nogil
    cdef void _note_clients(self, Gap* gap) noexcept nogil

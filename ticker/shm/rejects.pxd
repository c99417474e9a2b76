"""The rings of rejected trades; rejects.pyx says the law."""

from libc.stdint cimport uint64_t

from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport REJECT_RULES, Reject, RingHeader


cdef struct RejectRing:
    RingHeader* head
    Reject* slots


cdef class RejectWriter:
    """The one writer of a feed's rejects."""

    cdef Mapping mapping
    cdef RejectRing[<int>REJECT_RULES] rings
    cdef uint64_t[<int>REJECT_RULES] cursors

    cdef void write(self, int rule, Reject* reject) noexcept nogil

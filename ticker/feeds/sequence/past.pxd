"""The sessions that were replaced: see past.pyx."""

from libc.stdint cimport uint64_t

cdef enum:
    PAST_SESSIONS = 8


cdef struct Stream:
    uint64_t words[2]              # the name of a session that was replaced
    uint64_t next_sequence         # where it stood


cdef class PastSessions:
    cdef Stream streams[PAST_SESSIONS]
    cdef int used

    cdef uint64_t next_of(self, const uint64_t* words) noexcept nogil
    cdef void put(self, const uint64_t* words, uint64_t next_sequence) noexcept nogil

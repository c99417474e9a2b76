"""The sessions that were replaced, newest first: their late packets replace nothing.

Bounded: the oldest makes room. No I/O, no clock.
"""

from libc.stdint cimport uint64_t
from libc.string cimport memmove


cdef class PastSessions:
    """Where each session stood when another replaced it."""

    cdef uint64_t next_of(self, const uint64_t* words) noexcept nogil:
        """The sequence that a session stood at; 0: it was never replaced."""
        cdef int i
        for i in range(self.used):
            if (self.streams[i].words[0] == words[0]
                    and self.streams[i].words[1] == words[1]):
                return self.streams[i].next_sequence
        return 0

    cdef void put(self, const uint64_t* words, uint64_t next_sequence) noexcept nogil:
        memmove(&self.streams[1], &self.streams[0], (PAST_SESSIONS - 1) * sizeof(Stream))
        self.streams[0].words[0] = words[0]
        self.streams[0].words[1] = words[1]
        self.streams[0].next_sequence = next_sequence
        self.used = min(self.used + 1, PAST_SESSIONS)

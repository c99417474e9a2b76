"""The answers of a re-request server: whether it is worth to be read.

A server that floods the feed with what nobody asked for is not read for a while (Gaps.leave says
for how long). One useful answer is enough to go on with it. No I/O, no clock.
"""

from libc.stdint cimport int64_t

cdef enum:
    MOST_USELESS = 1 << 14         # in a second

cdef int64_t SECOND = 1000000000


cdef class Answers:
    """Of one session's server."""

    def __cinit__(self, connected: bool) -> None:
        self.connected = connected

    cdef bint are_too_many(self, int64_t now_ns) noexcept nogil:
        if not self.connected:
            return False
        if not 0 <= now_ns - self.since_ns < SECOND:
            self.since_ns = now_ns
            self.useless = 0
        self.useless += 1
        if self.useless < MOST_USELESS:
            return False
        self.useless = 0
        return True

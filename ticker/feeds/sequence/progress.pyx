"""How far each line has come, and whether that puts in doubt where the stream stands.

A line that goes back behind what it brought itself says so, as soon as the stream is quiet, or while
one packet alone says where it stands. A line that only stands behind the other may be slow: time
tells, `quiet_ns` more of it. No I/O, no clock.
"""

cimport cython
from libc.stdint cimport int64_t, uint64_t


@cython.final
cdef class Progress:
    """Of lines A and B of one stream."""

    cdef void begin(self) noexcept nogil:
        """Another stream."""
        self.line_end[0] = self.line_end[1] = 0
        self.unsteady = False

    cdef void note(self, int line, uint64_t end) noexcept nogil:
        """A packet of the current stream, up to `end`."""
        if 0 <= line < 2 and end > self.line_end[line]:
            self.line_end[line] = end
        if self.unsteady and end > self.unsteady_at:
            self.unsteady = False

    cdef bint takes_back(self, int line, uint64_t end) noexcept nogil:
        if not 0 <= line < 2 or end >= self.line_end[line]:
            return False
        self.line_end[line] = end
        return True

    cdef bint stands_behind(
        self, int line, uint64_t end, int64_t last_packet_ns, int64_t quiet_ns, int64_t now_ns
    ) noexcept nogil:
        cdef bint back
        if not 0 <= line < 2:
            return False
        back = end < self.line_end[line]
        if self.unsteady and back:
            return True
        if now_ns - last_packet_ns < quiet_ns:
            return False
        if back:
            return True
        if self.below_since <= last_packet_ns:
            self.below_since = now_ns
        return now_ns - self.below_since >= quiet_ns

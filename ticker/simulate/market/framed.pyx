"""A simulated day as its speaker frames it, written a portion at a time into the caller's room."""

from libc.stdint cimport uint8_t, uint64_t

from ticker.simulate.market.day cimport OVER


cdef class FramedMarket:
    """A subclass sets `day`, whose speaker counts its messages, and `longest`."""

    cdef size_t write(
        self, uint8_t* out, size_t room, uint64_t limit, uint64_t* messages
    ) noexcept nogil:
        """`limit` messages or little more into `out`; bytes used, and in `messages` how many."""
        cdef uint64_t first = self.day.speaker.messages
        self.day.speaker.out = out
        while (
            self.day.speaker.messages - first < limit and self.day.stage != OVER
            and self.day.speaker.out + self.longest <= out + room
        ):
            self.day.step()
        messages[0] = self.day.speaker.messages - first
        return self.day.speaker.out - out

    def generate(self, limit: int, buffer: bytearray | memoryview) -> tuple[int, int]:
        """Fill a writable buffer with some `limit` framed messages: (messages, bytes) written.

        Stops short where there is no room for the longest message of a step; a buffer must have
        room for one (ValueError); (0, 0) when the day is over.
        """
        cdef uint8_t[::1] into = buffer
        cdef uint64_t messages = 0, most = limit
        cdef size_t used
        cdef uint8_t* out
        if <size_t>into.shape[0] < self.longest:
            raise ValueError(f"a buffer of {into.shape[0]} bytes: give at least {self.longest}")
        out = &into[0]
        with nogil:
            used = self.write(out, into.shape[0], most, &messages)
        return messages, used

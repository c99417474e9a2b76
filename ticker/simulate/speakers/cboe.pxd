"""The sending side of Cboe's sequenced units: see cboe.pyx."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from ticker.simulate.lines.history cimport History
from ticker.simulate.speakers.pitch cimport MOST_UNITS, PitchMarket
from ticker.simulate.lines.sender cimport Line, LineSender


cdef enum:
    HEADER = 8               # length 2, count 1, unit 1, sequence 4
    CHUNK = 256              # messages encoded in one go
    ROOM = 1 << 16           # bytes that they take at most


cdef class CboeSender(LineSender):
    cdef PitchMarket market
    cdef list histories
    cdef void* units[MOST_UNITS + 1]     # the same, by unit
    cdef readonly int unit_count
    cdef Line[1] gap_line
    cdef int64_t midnight
    cdef readonly uint64_t resent        # messages
    cdef uint8_t[ROOM] frames

    cdef uint64_t say(self, uint64_t limit) noexcept nogil
    cdef void send_unit(self, uint32_t unit) noexcept nogil
    cdef int prepare(
        self, uint32_t unit, uint64_t sequence, const uint8_t** blocks, size_t* size, size_t room,
        uint64_t limit,
    ) noexcept nogil
    cdef void write_head(
        self, uint8_t* at, uint32_t unit, uint64_t sequence, size_t size, uint32_t count
    ) noexcept nogil

"""A stream that may be about to replace the current one: see candidate.pyx."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from ticker.feeds.sequence.reorder cimport ReorderBuffer


cdef class Candidate:
    cdef uint64_t words[2]
    cdef readonly int packets      # that count, 0: there is no candidate
    cdef uint64_t first            # the lowest sequence of them
    cdef uint64_t last_sequence    # of the newest packet
    cdef uint32_t last_messages
    cdef int line                  # of the newest packet
    cdef bint lines_agree          # packets of two lines are among them
    cdef bint brought              # a message is among them
    cdef int64_t heard_ns
    cdef ReorderBuffer held        # the packets with messages

    cdef bint confirmed_by(
        self, const uint64_t* words, uint64_t sequence, uint32_t messages, int line,
        bint against, int64_t quiet_ns, int64_t now_ns,
    ) noexcept nogil
    cdef void hold(
        self, const uint8_t* data, size_t length, uint64_t sequence, uint32_t messages,
        int64_t now_ns,
    ) noexcept nogil
    cdef void forget(self) noexcept nogil

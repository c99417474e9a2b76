"""Several streams in one session: see channels.pyx."""

from libc.stdint cimport int64_t, uint8_t, uint64_t

from ticker.feeds.sequence.sequenced cimport Sequenced
from ticker.feeds.session cimport Session

cdef enum:
    CHANNELS = 256


cdef class Channels(Session)


cdef class Channel(Sequenced):
    cdef Channels owner
    cdef readonly int number
    cdef uint64_t first            # what the stream begins with
    cdef int64_t arrived_ns        # when the packet that is being taken came

    cdef bint is_quiet(self, int64_t now_ns) noexcept nogil
    cdef void leave(self) noexcept nogil


cdef class Channels(Session):
    cdef object options            # of each stream
    cdef void* streams[CHANNELS]   # Channel of each number that was heard of, borrowed
    cdef list known                # the same, owned
    cdef uint8_t numbers[CHANNELS] # of those, in order of appearance
    cdef int used
    cdef bint started              # the protocol was told that a session began

    cdef Channel _make(self, int number)
    cdef bint _ready(self, int number) noexcept nogil
    cdef bint _create(self, int number) noexcept with gil
    cdef void _took(
        self, int number, uint64_t before, int64_t deadline, int line, int64_t now_ns
    ) noexcept nogil
    cdef void _joined(self) noexcept nogil
    cdef void _began_again(self, Channel stream, int64_t now_ns) noexcept nogil
    cdef void _clear_channel(self, Channel stream, int64_t now_ns) noexcept nogil
    cdef void _settle(self) noexcept nogil

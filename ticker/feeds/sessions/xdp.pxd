"""NYSE XDP channels: see xdp.pyx."""

from libc.stdint cimport int64_t, uint8_t, uint64_t

from ticker.feeds.sequenced cimport Sequenced
from ticker.feeds.session cimport Session

cdef enum:
    CHANNELS = 256


cdef class Xdp(Session)


cdef class XdpChannel(Sequenced):
    cdef Xdp owner
    cdef readonly int number
    cdef int64_t began_ns          # when the publisher began to count, as far as that is known
    cdef int64_t arrived_ns
    cdef bint told                 # the packet being taken says itself that it begins again

    cdef void packet(
        self, const uint8_t* data, size_t length, int line, int64_t now_ns
    ) noexcept nogil
    cdef void reset(
        self, const uint8_t* data, size_t length, int line, int64_t now_ns
    ) noexcept nogil
    cdef bint is_quiet(self, int64_t now_ns) noexcept nogil
    cdef void leave(self) noexcept nogil


cdef class Xdp(Session):
    cdef object options
    cdef void* channels[CHANNELS]  # XdpChannel of each number that was heard of, borrowed
    cdef list known                # the same, owned
    cdef uint8_t numbers[CHANNELS] # of those, in order of appearance
    cdef int used
    cdef bint started              # the protocol was told that a session began

    cdef bint _ready(self, int channel) noexcept nogil
    cdef bint _create(self, int channel) noexcept with gil
    cdef void _sequenced(
        self, const uint8_t* data, size_t length, int channel, int line, int64_t now_ns
    ) noexcept nogil
    cdef void _refresh(
        self, const uint8_t* data, size_t length, int channel, int64_t now_ns
    ) noexcept nogil
    cdef void _joined(self) noexcept nogil
    cdef void _began_again(self, XdpChannel stream, int64_t now_ns) noexcept nogil
    cdef void _clear_channel(self, XdpChannel stream, int64_t now_ns) noexcept nogil
    cdef void _settle(self) noexcept nogil

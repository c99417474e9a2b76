"""NYSE XDP channels: see xdp.pyx."""

from libc.stdint cimport int64_t, uint8_t

from ticker.feeds.sequence.channels cimport Channel, Channels


cdef class XdpChannel(Channel):
    cdef bint told                 # the packet being taken says itself that it begins again

    cdef void packet(
        self, const uint8_t* data, size_t length, int line, int64_t now_ns
    ) noexcept nogil
    cdef void reset(
        self, const uint8_t* data, size_t length, int line, int64_t now_ns
    ) noexcept nogil


cdef class Xdp(Channels):
    cdef void _sequenced(
        self, const uint8_t* data, size_t length, int channel, int line, int64_t now_ns
    ) noexcept nogil
    cdef void _refresh(
        self, const uint8_t* data, size_t length, int channel, int64_t now_ns
    ) noexcept nogil

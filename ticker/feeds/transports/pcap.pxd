"""Packet captures: see pcap.pyx."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from ticker.feeds.market.market cimport Market
from ticker.feeds.session cimport Session
from ticker.feeds.transports.interfaces cimport Interface
from ticker.feeds.transports.link cimport Datagram

cdef enum:
    MOST_INTERFACES = 64
    MOST_DESTINATIONS = 512        # lines of all channels

# Where a line is sent to.
cdef struct Destination:
    uint8_t[16] address
    uint16_t port
    int line                       # a Line, and its channel above the lowest eight bits


cdef class Capture:
    cdef object path
    cdef object file               # what refills the window, None: the window is all there is
    cdef object window
    cdef const uint8_t* base
    cdef size_t at
    cdef size_t end
    cdef bint ng
    cdef bint big_endian           # written on such a machine
    cdef Interface[MOST_INTERFACES] interfaces
    cdef uint32_t interface_count
    cdef int line_count
    cdef int newest_line           # the one that the last datagram was sent to
    cdef Destination[MOST_DESTINATIONS] lines
    cdef bint by_destination       # every new one is another channel
    cdef bint with_tcp
    cdef Datagram datagram
    cdef readonly uint64_t packets     # in the file
    cdef readonly uint64_t datagrams   # handed out
    cdef readonly uint64_t others      # packets of other protocols, lines, or link types
    cdef readonly bint truncated       # the file ends inside a packet, or is damaged there
    cdef readonly str error            # why reading stopped early, empty: it did not

    # False: there is no more.
    cdef bint next(self) noexcept nogil

    cdef bint _have(self, size_t length) noexcept nogil
    cdef bint _refill(self, size_t length) noexcept with gil
    cdef bint _packet(
        self, const uint8_t** data, size_t* length, Interface** interface
    ) noexcept nogil
    cdef bint _packet_ng(
        self, const uint8_t** data, size_t* length, Interface** interface
    ) noexcept nogil
    cdef bint _section(self) noexcept nogil
    cdef void _describe(self, const uint8_t* block, size_t length) noexcept nogil
    cdef _look(self)
    cdef _grow(self)
    cdef bint _stop(self) noexcept nogil
    cdef bint _find_line(self) noexcept nogil
    cdef bint _is_at(self, const Destination* line) noexcept nogil
    cdef bint _new_channel(self) noexcept nogil

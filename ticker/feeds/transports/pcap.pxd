"""Packet captures: see pcap.pyx."""

from libc.stdint cimport int64_t, uint8_t, uint16_t

from ticker.feeds.packets.file cimport PacketFile
from ticker.feeds.packets.fragments cimport Fragments
from ticker.feeds.packets.layers cimport Datagram
from ticker.feeds.packets.tally cimport Tally
from ticker.feeds.session cimport Session

cdef enum:
    MOST_DESTINATIONS = 512        # lines of all channels

# Where a line is sent to.
cdef struct Destination:
    uint8_t[16] address
    uint16_t port
    int line                       # a Line, and its channel above the lowest eight bits


cdef class Capture:
    cdef PacketFile file
    cdef Fragments fragments
    cdef Tally tally
    cdef int line_count
    cdef int newest_line           # the one that the last datagram was sent to
    cdef Destination[MOST_DESTINATIONS] lines
    cdef bint by_destination       # every new one is another channel
    cdef bint with_tcp
    cdef Datagram datagram
    cdef int64_t newest_time       # of a packet that has one
    cdef uint8_t* mended           # a copy of a packet that was cut

    # False: there is no more.
    cdef bint next(self) noexcept nogil

    cdef bint _is_datagram(self) noexcept nogil
    cdef bint _mend(self, Session session) noexcept nogil
    cdef void _take_back(self) noexcept nogil
    cdef bint _find_line(self) noexcept nogil
    cdef bint _is_at(self, const Destination* line) noexcept nogil
    cdef bint _new_channel(self) noexcept nogil

"""The packets of a capture file: see file.pyx."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from ticker.feeds.packets.interfaces cimport Interface

cdef enum:
    MOST_INTERFACES = 64

# One packet as it was captured; `data` lives until the next one.
cdef struct Packet:
    const uint8_t* data
    size_t length
    bint cut                       # more of it was sent than is there
    int64_t time_ns                # of capture, 0: the file does not say
    Interface* interface           # NULL: one that the file does not describe


cdef class PacketFile:
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
    cdef readonly bint truncated       # the file ends inside a packet, or is damaged there
    cdef readonly str error            # why reading stopped early, empty: it did not

    # False: there is no more.
    cdef bint next(self, Packet* packet) noexcept nogil

    cdef bint _have(self, size_t length) noexcept nogil
    cdef size_t _have_some(self, size_t length) noexcept nogil
    cdef bint _refill(self, size_t length) noexcept with gil
    cdef bint _record(self, Packet* packet) noexcept nogil
    cdef bint _next_block(self, Packet* packet) noexcept nogil
    cdef bint _simple(self, const uint8_t* block, size_t there, Packet* packet) noexcept nogil
    cdef bint _full(
        self, const uint8_t* block, size_t there, uint32_t kind, Packet* packet
    ) noexcept nogil
    cdef bint _section(self) noexcept nogil
    cdef void _describe(self, const uint8_t* block, size_t length) noexcept nogil
    cdef _look(self)
    cdef _grow(self)
    cdef bint _stop(self) noexcept nogil

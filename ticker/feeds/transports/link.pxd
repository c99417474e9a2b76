"""Captured packets, down to the datagram in each: see link.pyx."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t

# One datagram (or TCP segment) of a capture. `payload` lives as long as the packet.
cdef struct Datagram:
    const uint8_t* payload
    size_t length
    int64_t time_ns                # of capture
    int line
    uint8_t transport              # IP protocol number: UDP or TCP
    uint8_t[16] destination        # IPv6, or IPv4 as ::ffff:a.b.c.d
    uint16_t source_port
    uint16_t destination_port
    uint32_t tcp_sequence

cdef bint unwrap(
    const uint8_t* data, size_t length, uint32_t link_type, bint with_tcp, Datagram* found
) noexcept nogil

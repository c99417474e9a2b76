"""The way through a packet's layers: where it has come to, and what it has found.

A step takes one header off the front: it moves `at`, and says in `next` what lies there now.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t

cdef enum:
    # What `next` is: a number of one of these, or one of Plain.
    ETHERTYPE = 0
    IP_PROTOCOL = 0x10000
    LINK_TYPE = 0x20000
    PPP_PROTOCOL = 0x30000
    KIND_MASK = 0xF0000
    NUMBER_MASK = 0xFFFF

cdef enum Plain:
    ETHERNET_FRAME = 0x40000
    PPP_FRAME
    IP_PACKET                      # its version says which

cdef enum:
    # EtherTypes that several layers name
    ETHER_IPV4 = 0x0800
    ETHER_IPV6 = 0x86DD
    ETHER_MPLS = 0x8847
    # IP protocols
    IP_OPTIONS = 0
    IP_IPV4 = 4
    IP_TCP = 6
    IP_UDP = 17
    IP_IPV6 = 41
    IP_ROUTING = 43
    IP_FRAGMENT = 44
    IP_GRE = 47
    IP_AUTHENTICATION = 51
    IP_DESTINATION = 60
    IP_ETHERNET = 97
    IP_MOBILITY = 135
    IP_MPLS = 137

# What became of a packet.
cdef enum Verdict:
    DATAGRAM = 0                   # found
    GO_ON                          # (of a step alone)
    FRAGMENT                       # kept until its datagram is whole
    CUT_SHORT                      # the capture has too little of it
    MALFORMED
    TOO_DEEP                       # more layers than any real packet has
    CONTRADICTION                  # a fragment of a datagram that has other bytes there
    UNREAD                         # `next` is of a kind that is not read
    VERDICTS

cdef struct Layers:
    const uint8_t* at
    size_t left                    # bytes of this layer that are there
    bint cut                       # it has more than those
    uint32_t next
    bint with_tcp
    const uint8_t* addresses       # of the newest IPv6 header: source, then destination

# One datagram (or TCP segment) of a capture. `payload` lives as long as the packet; that of a
# datagram that came in fragments, until the next packet.
cdef struct Datagram:
    const uint8_t* payload
    size_t length
    bint cut                       # more of it was sent than was captured
    int64_t time_ns                # of capture, 0: not known
    int line
    uint8_t transport              # IP protocol number: UDP or TCP
    uint8_t[16] destination        # IPv6, or IPv4 as ::ffff:a.b.c.d
    uint16_t source_port
    uint16_t destination_port
    uint32_t tcp_sequence


cdef inline Verdict missing(const Layers* layers) noexcept nogil:
    """A header is not there in full: because of the capture, or because it never was."""
    return CUT_SHORT if layers.cut else MALFORMED


cdef inline void take(Layers* layers, size_t length, uint32_t next) noexcept nogil:
    """`length` bytes of header are behind us; the caller has checked that they are there."""
    layers.at += length
    layers.left -= length
    layers.next = next


cdef inline void bound(Layers* layers, size_t length) noexcept nogil:
    """A header says that `length` bytes follow: what lies behind them is padding, and if there
    are fewer the rest was cut."""
    layers.cut = length > layers.left
    layers.left = min(layers.left, length)

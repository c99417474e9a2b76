"""Tunnels: GRE, with ERSPAN I, II and III and PPTP's variant; EtherIP; VXLAN and Geneve.

A datagram to the port of VXLAN or Geneve whose header is none of theirs is a datagram.
Source: RFC 2784, RFC 2890 (GRE), RFC 2637 (PPTP), draft-foschiano-erspan, RFC 3378 (EtherIP),
RFC 7348 (VXLAN), RFC 8926 (Geneve).
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t

from ticker.endian cimport be16
from ticker.feeds.packets.layers cimport (
    CUT_SHORT,
    DATAGRAM,
    ETHER_IPV4,
    ETHER_IPV6,
    ETHERNET_FRAME,
    GO_ON,
    IP_PACKET,
    MALFORMED,
    UNREAD,
    Layers,
    Verdict,
    bound,
    missing,
    take,
)

cdef enum:
    # GRE flags
    CHECKSUM = 0x8000
    ROUTING = 0x4000
    KEY = 0x2000
    SEQUENCE = 0x1000
    ACKNOWLEDGEMENT = 0x0080
    # GRE protocols, which are EtherTypes
    ERSPAN = 0x88BE
    ERSPAN_III = 0x22EB
    CISCO_BRIDGED = 0x6558


cdef Verdict gre(Layers* layers) noexcept nogil:
    """RFC 2890: two bytes of flags, the protocol, and a word for each flag."""
    cdef uint32_t flags, protocol
    cdef size_t header = 4
    if layers.left < 4:
        return missing(layers)
    flags = be16(layers.at)
    protocol = be16(layers.at + 2)
    if flags & 7 == 1:
        return pptp(layers, flags)
    if flags & 7 or flags & ROUTING:
        return MALFORMED if flags & 7 > 1 else UNREAD
    header += 4 * (flags & CHECKSUM != 0) + 4 * (flags & KEY != 0) + 4 * (flags & SEQUENCE != 0)
    if layers.left < header:
        return missing(layers)
    take(layers, header, protocol)
    if protocol == ERSPAN:
        if flags & SEQUENCE:
            return erspan(layers)
        layers.next = ETHERNET_FRAME     # type I has no header
    elif protocol == ERSPAN_III:
        return erspan(layers)
    return GO_ON


cdef Verdict pptp(Layers* layers, uint32_t flags) noexcept nogil:
    """RFC 2637, section 4.1: its key is a length and a call."""
    cdef size_t header = 8 + 4 * (flags & SEQUENCE != 0) + 4 * (flags & ACKNOWLEDGEMENT != 0)
    cdef size_t length
    if not flags & KEY:
        return MALFORMED
    if layers.left < header:
        return missing(layers)
    length = be16(layers.at + 4)
    take(layers, header, be16(layers.at + 2))
    if not flags & SEQUENCE:
        return UNREAD                    # an acknowledgement alone
    bound(layers, length)
    return GO_ON


cdef Verdict erspan(Layers* layers) noexcept nogil:
    """draft-foschiano-erspan, sections 4.2 and 4.3: its version says how long the header is."""
    cdef const uint8_t* at = layers.at
    cdef size_t header = 8
    if layers.left < 8:
        return missing(layers)
    if at[0] >> 4 < 2:
        # Version 0 has no header, they say, but some write it here.
        take(layers, header, ETHERNET_FRAME)
    elif at[0] >> 4 == 2:
        header = 12
        if layers.left < header:
            return missing(layers)
        header += 8 * (at[11] & 1)
        if layers.left < header:
            return missing(layers)
        take(layers, header, IP_PACKET if at[10] >> 2 & 31 == 2 else ETHERNET_FRAME)
    else:
        return MALFORMED
    # The T bit: the switch sent less of the frame than it saw.
    layers.cut = layers.cut or at[2] & 4 != 0
    return GO_ON


cdef Verdict ether_ip(Layers* layers) noexcept nogil:
    if layers.left < 2:
        return missing(layers)
    if layers.at[0] >> 4 != 3:
        return MALFORMED
    take(layers, 2, ETHERNET_FRAME)
    return GO_ON


cdef Verdict inside_udp(Layers* layers, uint16_t port) noexcept nogil:
    if layers.left < 8:
        return CUT_SHORT if layers.cut else DATAGRAM
    return geneve(layers) if port == GENEVE_PORT else vxlan(layers)


cdef Verdict vxlan(Layers* layers) noexcept nogil:
    """RFC 7348, section 5: the I flag, and nothing else but what group policy adds."""
    cdef const uint8_t* at = layers.at
    if at[0] & 0x7F != 8 or at[1] & ~0x48 or at[7]:
        return DATAGRAM
    take(layers, 8, ETHERNET_FRAME)
    return GO_ON


cdef Verdict geneve(Layers* layers) noexcept nogil:
    """RFC 8926, section 3.4: options in words, and what follows by its EtherType."""
    cdef const uint8_t* at = layers.at
    cdef size_t header = 8 + 4 * (at[0] & 0x3F)
    cdef uint32_t protocol = be16(at + 2)
    if at[0] >> 6 or at[1] & 0x3F or at[7] or (
        protocol != CISCO_BRIDGED and protocol != ETHER_IPV4 and protocol != ETHER_IPV6
    ):
        return DATAGRAM
    if layers.left < header:
        return CUT_SHORT if layers.cut else DATAGRAM
    take(layers, header, protocol)
    return GO_ON

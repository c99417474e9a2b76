"""IPv4, IPv6 with its extension headers, UDP and TCP.

Law: a length that a header claims is believed only as far as bytes are there. 0 as the length of
an IP packet is what a network card leaves open that will fill it in: all that is there.

Source: RFC 791, RFC 8200, RFC 4302 (authentication header), RFC 6275 (mobility), RFC 768, RFC 9293.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy, memset

from ticker.endian cimport be16, be32
from ticker.feeds.packets.fragments cimport Fragments
from ticker.feeds.packets.layers cimport (
    CUT_SHORT,
    DATAGRAM,
    ETHER_IPV4,
    ETHER_IPV6,
    ETHER_MPLS,
    GO_ON,
    IP_AUTHENTICATION,
    IP_DESTINATION,
    IP_ETHERNET,
    IP_FRAGMENT,
    IP_GRE,
    IP_IPV4,
    IP_IPV6,
    IP_MOBILITY,
    IP_MPLS,
    IP_OPTIONS,
    IP_PROTOCOL,
    IP_ROUTING,
    IP_TCP,
    IP_UDP,
    MALFORMED,
    NUMBER_MASK,
    UNREAD,
    Datagram,
    Layers,
    Verdict,
    bound,
    missing,
    take,
)
from ticker.feeds.packets.tunnels cimport (
    GENEVE_PORT,
    OLD_VXLAN_PORT,
    VXLAN_PORT,
    ether_ip,
    gre,
    inside_udp,
)

cdef enum:
    IP4_HEADER = 20
    IP6_HEADER = 40
    MORE_FRAGMENTS = 0x2000
    OFFSET_MASK = 0x1FFF
    UDP_HEADER = 8
    TCP_HEADER = 20
    MOST_PAYLOAD = 65535 - UDP_HEADER


cdef Verdict ip4(Layers* layers, Datagram* found, Fragments fragments) noexcept nogil:
    """RFC 791."""
    cdef const uint8_t* at = layers.at
    cdef size_t header, total
    cdef uint32_t fragment
    if layers.left < IP4_HEADER:
        return missing(layers)
    header = 4 * (at[0] & 15)
    total = be16(at + 2)
    if at[0] >> 4 != 4 or header < IP4_HEADER or 0 < total < header:
        return MALFORMED
    if total:
        bound(layers, total)
    if layers.left < header:
        return missing(layers)
    memset(&found.destination[0], 0, 10)
    memset(&found.destination[10], 0xFF, 2)
    memcpy(&found.destination[12], at + 16, 4)
    take(layers, header, IP_PROTOCOL | at[9])
    fragment = be16(at + 6)
    if not fragment & (MORE_FRAGMENTS | OFFSET_MASK):
        return udp(layers, found) if at[9] == IP_UDP else GO_ON
    if not is_read(at[9], layers.with_tcp):
        return UNREAD
    if layers.cut:
        return CUT_SHORT
    return fragments.join(
        layers, at + 12, 4, be16(at + 4), 8 * (fragment & OFFSET_MASK),
        fragment & MORE_FRAGMENTS != 0, at[9],
    )


cdef Verdict ip6(Layers* layers, Datagram* found) noexcept nogil:
    """RFC 8200, section 3."""
    cdef const uint8_t* at = layers.at
    if layers.left < IP6_HEADER:
        return missing(layers)
    if at[0] >> 4 != 6:
        return MALFORMED
    memcpy(&found.destination[0], at + 24, 16)
    layers.addresses = at + 8
    take(layers, IP6_HEADER, IP_PROTOCOL | at[6])
    if be16(at + 4):
        bound(layers, be16(at + 4))
    return GO_ON


cdef Verdict ip_step(Layers* layers, Datagram* found, Fragments fragments) noexcept nogil:
    cdef uint32_t protocol = layers.next & NUMBER_MASK
    if protocol == IP_UDP:
        return udp(layers, found)
    if protocol == IP_TCP and layers.with_tcp:
        return tcp(layers, found)
    if protocol == IP_GRE:
        return gre(layers)
    if protocol == IP_FRAGMENT:
        return fragment(layers, fragments)
    if protocol == IP_AUTHENTICATION:
        return extension(layers, 4, 2)
    if (protocol == IP_OPTIONS or protocol == IP_ROUTING or protocol == IP_DESTINATION
            or protocol == IP_MOBILITY):
        return extension(layers, 8, 1)
    if protocol == IP_IPV4:
        layers.next = ETHER_IPV4
    elif protocol == IP_IPV6:
        layers.next = ETHER_IPV6
    elif protocol == IP_MPLS:
        layers.next = ETHER_MPLS
    elif protocol == IP_ETHERNET:
        return ether_ip(layers)
    else:
        return UNREAD
    return GO_ON


cdef bint is_read(uint8_t protocol, bint with_tcp) noexcept nogil:
    """Whether a datagram can come of it: else its fragments are not worth their memory."""
    return (protocol == IP_UDP or (with_tcp and protocol == IP_TCP) or protocol == IP_GRE
            or protocol == IP_AUTHENTICATION or protocol == IP_OPTIONS or protocol == IP_ROUTING
            or protocol == IP_DESTINATION or protocol == IP_MOBILITY or protocol == IP_IPV4
            or protocol == IP_IPV6 or protocol == IP_MPLS or protocol == IP_ETHERNET)


cdef Verdict extension(Layers* layers, size_t unit, size_t least) noexcept nogil:
    """A header of `least` units, and as many more as its second byte says."""
    cdef const uint8_t* at = layers.at
    cdef size_t length
    if layers.left < 2:
        return missing(layers)
    length = unit * (least + at[1])
    if layers.left < length:
        return missing(layers)
    take(layers, length, IP_PROTOCOL | at[0])
    return GO_ON


cdef Verdict fragment(Layers* layers, Fragments fragments) noexcept nogil:
    """RFC 8200, section 4.5."""
    cdef const uint8_t* at = layers.at
    cdef uint32_t place
    if layers.addresses == NULL:
        return UNREAD
    if layers.left < 8:
        return missing(layers)
    place = be16(at + 2)
    take(layers, 8, IP_PROTOCOL | at[0])
    if not place & 0xFFF9:
        return GO_ON                     # alone, and whole
    if not is_read(at[0], layers.with_tcp):
        return UNREAD
    if layers.cut:
        return CUT_SHORT
    return fragments.join(
        layers, layers.addresses, 16, be32(at + 4), place & 0xFFF8, place & 1, at[0]
    )


cdef Verdict udp(Layers* layers, Datagram* found) noexcept nogil:
    """RFC 768. Without a length of its own it is as long as its packet."""
    cdef const uint8_t* at = layers.at
    cdef size_t length
    cdef uint16_t port
    cdef Verdict verdict
    if layers.left < UDP_HEADER:
        return missing(layers)
    length = be16(at + 4)
    if 0 < length < UDP_HEADER:
        return MALFORMED
    if length:
        bound(layers, length)
    take(layers, UDP_HEADER, layers.next)
    port = be16(at + 2)
    if port == VXLAN_PORT or port == OLD_VXLAN_PORT or port == GENEVE_PORT:
        verdict = inside_udp(layers, port)
        if verdict != DATAGRAM:
            return verdict
    found.transport = IP_UDP
    return hand_out(layers, at, found)


cdef Verdict tcp(Layers* layers, Datagram* found) noexcept nogil:
    """RFC 9293, section 3.1. A segment without a payload is skipped."""
    cdef const uint8_t* at = layers.at
    cdef size_t header
    if layers.left < TCP_HEADER:
        return missing(layers)
    header = 4 * (at[12] >> 4)
    if header < TCP_HEADER:
        return MALFORMED
    if layers.left < header:
        return missing(layers)
    take(layers, header, layers.next)
    if not layers.left:
        return missing(layers) if layers.cut else UNREAD
    found.transport = IP_TCP
    found.tcp_sequence = be32(at + 4)
    return hand_out(layers, at, found)


cdef inline Verdict hand_out(
    const Layers* layers, const uint8_t* ports, Datagram* found
) noexcept nogil:
    found.source_port = be16(ports)
    found.destination_port = be16(ports + 2)
    found.payload = layers.at
    found.length = min(layers.left, <size_t>MOST_PAYLOAD)
    found.cut = layers.cut
    return DATAGRAM

"""Captured packets, down to the datagram in each: link layer, tunnels, IP, UDP or TCP.

Law: nothing is copied but fragments; a datagram's payload is a pointer into the packet. A packet
that the capture cut gives what is there. Any bytes give a Verdict, after MOST_LAYERS steps at most.

Link types: Ethernet, raw IP, BSD loopback, Linux cooked 1 and 2, PPP, PPPoE, Cisco HDLC; inside
them VLAN tags, MPLS, PPP, LLC/SNAP. What lies in IP: ip.pyx; in tunnels: tunnels.pyx.
Source: the link types of tcpdump.org; IEEE 802.1Q, 802.1ad, 802.2; RFC 1661, 2516, 3032, 4385.
"""

from libc.stdint cimport uint8_t, uint32_t

from ticker.endian cimport be16
from ticker.feeds.packets.fragments cimport Fragments
from ticker.feeds.packets.ip cimport ip_step, ip4, ip6
from ticker.feeds.packets.layers cimport (
    CUT_SHORT,
    ETHER_IPV4,
    ETHER_IPV6,
    ETHER_MPLS,
    ETHERNET_FRAME,
    ETHERTYPE,
    GO_ON,
    IP_PACKET,
    IP_PROTOCOL,
    KIND_MASK,
    LINK_TYPE,
    MALFORMED,
    NUMBER_MASK,
    PPP_FRAME,
    PPP_PROTOCOL,
    TOO_DEEP,
    UNREAD,
    Datagram,
    Layers,
    Verdict,
    bound,
    missing,
    take,
)

cdef enum:
    MOST_LAYERS = 48
    MOST_LABELS = 16
    # link types
    LINK_NULL = 0
    LINK_ETHERNET = 1
    LINK_PPP = 9
    LINK_RAW_BSD = 12
    LINK_RAW_OPENBSD = 14
    LINK_PPP_HDLC = 50
    LINK_PPPOE = 51
    LINK_RAW = 101
    LINK_CISCO_HDLC = 104
    LINK_LOOP = 108
    LINK_LINUX_SLL = 113
    LINK_PPP_DIRECTION = 204
    LINK_IPV4 = 228
    LINK_IPV6 = 229
    LINK_LINUX_SLL2 = 276
    # EtherTypes
    LEAST_ETHERTYPE = 0x600          # less is the length of an IEEE 802.3 frame
    VLAN = 0x8100
    ETHER_PPP = 0x880B
    ETHER_MPLS_MULTICAST = 0x8848
    PPPOE_SESSION = 0x8864
    PROVIDER_VLAN = 0x88A8
    OLD_VLAN = 0x9100
    OLDER_VLAN = 0x9200
    BRIDGED = 0x6558
    # PPP protocols
    PPP_IPV4 = 0x0021
    PPP_IPV6 = 0x0057
    PPP_MPLS = 0x0281
    PPP_MPLS_MULTICAST = 0x0283


cdef Verdict unwrap(
    const uint8_t* data, size_t length, bint cut, uint32_t link_type, bint with_tcp,
    Fragments fragments, Datagram* found, uint32_t* unread
) noexcept nogil:
    """The datagram in a captured packet, all but its time and line."""
    cdef Layers layers
    cdef Verdict verdict
    cdef int depth = 0
    layers.at = data
    layers.left = length
    layers.cut = cut
    layers.next = 0
    layers.with_tcp = with_tcp
    layers.addresses = NULL
    verdict = link(&layers, link_type)
    while verdict == GO_ON:
        depth += 1
        verdict = step(&layers, found, fragments) if depth < MOST_LAYERS else TOO_DEEP
    unread[0] = layers.next
    return verdict


cdef Verdict link(Layers* layers, uint32_t link_type) noexcept nogil:
    if link_type == LINK_ETHERNET:
        layers.next = ETHERNET_FRAME
    elif link_type == LINK_LINUX_SLL:
        return typed(layers, 16, 14)
    elif link_type == LINK_LINUX_SLL2:
        return typed(layers, 20, 0)
    elif link_type == LINK_NULL or link_type == LINK_LOOP:
        # the family's number differs from system to system; the IP version says it too
        if layers.left < 4:
            return missing(layers)
        take(layers, 4, IP_PACKET)
    elif (link_type == LINK_RAW or link_type == LINK_RAW_BSD or link_type == LINK_RAW_OPENBSD
            or link_type == LINK_IPV4 or link_type == LINK_IPV6):
        layers.next = IP_PACKET
    elif link_type == LINK_CISCO_HDLC:
        return typed(layers, 4, 2)
    elif link_type == LINK_PPP or link_type == LINK_PPP_HDLC:
        if layers.left >= 4 and layers.at[1] == 0 and layers.at[0] & 0x7F == 0x0F:
            return typed(layers, 4, 2)
        layers.next = PPP_FRAME
    elif link_type == LINK_PPP_DIRECTION:
        if not layers.left:
            return missing(layers)
        take(layers, 1, PPP_FRAME)
    elif link_type == LINK_PPPOE:
        return pppoe(layers)
    else:
        layers.next = LINK_TYPE | (link_type & NUMBER_MASK)
        return UNREAD
    return GO_ON


cdef inline Verdict step(
    Layers* layers, Datagram* found, Fragments fragments
) noexcept nogil:
    """One header off the front."""
    cdef uint32_t next = layers.next
    if next == ETHER_IPV4:
        return ip4(layers, found, fragments)
    if next & KIND_MASK == IP_PROTOCOL:
        return ip_step(layers, found, fragments)
    if next == ETHERNET_FRAME:
        return typed(layers, 14, 12)
    if next == ETHER_IPV6:
        return ip6(layers, found)
    if next == IP_PACKET:
        return versioned(layers)
    if next & KIND_MASK == ETHERTYPE:
        return by_ethertype(layers)
    return ppp(layers) if next == PPP_FRAME else by_ppp_protocol(layers)


cdef inline Verdict typed(Layers* layers, size_t header, size_t type_at) noexcept nogil:
    """A header of so many bytes, with an EtherType in it."""
    if layers.left < header:
        return missing(layers)
    take(layers, header, be16(layers.at + type_at))
    return GO_ON


cdef Verdict versioned(Layers* layers) noexcept nogil:
    if not layers.left:
        return missing(layers)
    layers.next = ETHER_IPV4 if layers.at[0] >> 4 == 4 else ETHER_IPV6
    return GO_ON if layers.at[0] >> 4 in (4, 6) else MALFORMED


cdef Verdict by_ethertype(Layers* layers) noexcept nogil:
    cdef uint32_t kind = layers.next
    if (kind == VLAN or kind == PROVIDER_VLAN or kind == OLD_VLAN or kind == OLDER_VLAN):
        return typed(layers, 4, 2)
    if kind < LEAST_ETHERTYPE:
        return snap(layers)
    if kind == ETHER_MPLS or kind == ETHER_MPLS_MULTICAST:
        return mpls(layers)
    if kind == PPPOE_SESSION:
        return pppoe(layers)
    if kind == ETHER_PPP:
        layers.next = PPP_FRAME
        return GO_ON
    if kind == BRIDGED:
        layers.next = ETHERNET_FRAME
        return GO_ON
    return UNREAD


cdef Verdict snap(Layers* layers) noexcept nogil:
    """IEEE 802.3: a length where the EtherType is, which a SNAP header brings (RFC 1042)."""
    cdef const uint8_t* at = layers.at
    layers.next = 0                      # all lengths are one kind
    if layers.left < 8:
        return missing(layers) if layers.cut else UNREAD
    if at[0] != 0xAA or at[1] != 0xAA or at[2] != 3 or at[3] or at[4] or at[5]:
        return UNREAD
    return typed(layers, 8, 6)


cdef Verdict mpls(Layers* layers) noexcept nogil:
    """Labels up to the bottom of their stack. What is under it, no label says: IP, if it looks
    like it, or else an Ethernet frame, with or without a control word (RFC 4385)."""
    cdef size_t labels = 1
    while True:
        if layers.left < 4 * labels:
            return missing(layers)
        if layers.at[4 * labels - 2] & 1:
            break
        labels += 1
        if labels > MOST_LABELS:
            return TOO_DEEP
    take(layers, 4 * labels, ETHERNET_FRAME)
    if layers.left < 20:
        return missing(layers)
    if is_ip(layers):
        layers.next = IP_PACKET
    elif layers.at[0] >> 4 == 0 and not is_frames_type(be16(layers.at + 12)):
        take(layers, 4, ETHERNET_FRAME)
    return GO_ON


cdef bint is_ip(const Layers* layers) noexcept nogil:
    """Whether at least 20 bytes may be the start of an IP packet: its version and lengths."""
    cdef const uint8_t* at = layers.at
    if at[0] >> 4 == 4:
        return at[0] & 15 >= 5 and (layers.cut or be16(at + 2) <= layers.left)
    return at[0] >> 4 == 6 and (layers.cut or 40 + <size_t>be16(at + 4) <= layers.left)


cdef bint is_frames_type(uint32_t kind) noexcept nogil:
    return (kind == ETHER_IPV4 or kind == ETHER_IPV6 or kind == VLAN or kind == PROVIDER_VLAN
            or kind == OLD_VLAN or kind == OLDER_VLAN or kind == ETHER_MPLS)


cdef Verdict pppoe(Layers* layers) noexcept nogil:
    """RFC 2516, section 4."""
    cdef size_t length
    if layers.left < 6:
        return missing(layers)
    if layers.at[0] != 0x11 or layers.at[1]:
        return MALFORMED
    length = be16(layers.at + 4)
    take(layers, 6, PPP_FRAME)
    bound(layers, length)
    return GO_ON


cdef Verdict ppp(Layers* layers) noexcept nogil:
    """RFC 1661, with the address and control that RFC 1662 has, and a protocol of one byte."""
    if layers.left >= 2 and layers.at[0] == 0xFF and layers.at[1] == 3:
        take(layers, 2, PPP_FRAME)
    if layers.left < 2:
        return missing(layers)
    if layers.at[0] & 1:
        take(layers, 1, PPP_PROTOCOL | layers.at[0])
    else:
        take(layers, 2, PPP_PROTOCOL | be16(layers.at))
    return GO_ON


cdef Verdict by_ppp_protocol(Layers* layers) noexcept nogil:
    cdef uint32_t protocol = layers.next & NUMBER_MASK
    if protocol == PPP_IPV4:
        layers.next = ETHER_IPV4
    elif protocol == PPP_IPV6:
        layers.next = ETHER_IPV6
    elif protocol == PPP_MPLS or protocol == PPP_MPLS_MULTICAST:
        return mpls(layers)
    else:
        return UNREAD
    return GO_ON

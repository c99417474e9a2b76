"""Captured packets, down to the datagram in each: link layer, IP, UDP or TCP.

Law: nothing is copied; a datagram's payload is a pointer into the packet. What is cut short by
the capture gives what is there; fragments are not put together.

Link types: Ethernet (VLAN tags too), raw IP, BSD loopback, Linux cooked 1 and 2. Source: RFC 791,
RFC 8200, the link types of tcpdump.org.
"""

from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy, memset

from ticker.endian cimport be16, be32

cdef enum:
    # link types
    LINK_NULL = 0
    LINK_ETHERNET = 1
    LINK_RAW_BSD = 12
    LINK_RAW_OPENBSD = 14
    LINK_RAW = 101
    LINK_LOOP = 108
    LINK_LINUX_SLL = 113
    LINK_IPV4 = 228
    LINK_IPV6 = 229
    LINK_LINUX_SLL2 = 276
    # EtherTypes, IP protocols
    ETHER_IPV4 = 0x0800
    ETHER_IPV6 = 0x86DD
    TCP = 6
    UDP = 17


cdef bint unwrap(
    const uint8_t* data, size_t length, uint32_t link_type, bint with_tcp, Datagram* found
) noexcept nogil:
    """The datagram in a captured packet, all but its time and line. False: there is none, or it
    is of a kind that is not read."""
    cdef size_t at
    cdef uint32_t kind
    if link_type == LINK_ETHERNET:
        at = 12
    elif link_type == LINK_LINUX_SLL:
        at = 14
    elif link_type == LINK_LINUX_SLL2:
        if length < 20:
            return False
        return ip(data + 20, length - 20, be16(data), with_tcp, found)
    elif link_type == LINK_NULL or link_type == LINK_LOOP:
        # the family's number differs from system to system; the IP version says it too
        return length > 4 and by_version(data + 4, length - 4, with_tcp, found)
    elif (link_type == LINK_RAW or link_type == LINK_RAW_BSD or link_type == LINK_RAW_OPENBSD
            or link_type == LINK_IPV4 or link_type == LINK_IPV6):
        return length > 0 and by_version(data, length, with_tcp, found)
    else:
        return False
    if length < at + 2:
        return False
    kind = be16(data + at)
    at += 2
    while kind == 0x8100 or kind == 0x88A8 or kind == 0x9100:
        if length < at + 4:
            return False
        kind = be16(data + at + 2)
        at += 4
    return ip(data + at, length - at, kind, with_tcp, found)


cdef bint by_version(
    const uint8_t* data, size_t length, bint with_tcp, Datagram* found
) noexcept nogil:
    return ip(data, length, ETHER_IPV4 if data[0] >> 4 == 4 else ETHER_IPV6, with_tcp, found)


cdef bint ip(
    const uint8_t* data, size_t length, uint32_t kind, bint with_tcp, Datagram* found
) noexcept nogil:
    if kind == ETHER_IPV4:
        return ip4(data, length, with_tcp, found)
    return kind == ETHER_IPV6 and ip6(data, length, with_tcp, found)


cdef bint ip4(
    const uint8_t* data, size_t length, bint with_tcp, Datagram* found
) noexcept nogil:
    """RFC 791."""
    cdef size_t header, total
    if length < 20 or data[0] >> 4 != 4:
        return False
    header = 4 * (data[0] & 15)
    total = be16(data + 2)
    if total == 0 or total > length:
        # 0: the network card was to fill it in. Longer: the capture cut the packet.
        total = length
    # a fragment: more follow, or it is not the first
    if header < 20 or header > total or be16(data + 6) & 0x3FFF:
        return False
    memset(&found.destination[0], 0, 10)
    memset(&found.destination[10], 0xFF, 2)
    memcpy(&found.destination[12], data + 16, 4)
    found.transport = data[9]
    return transport(data + header, total - header, with_tcp, found)


cdef bint ip6(
    const uint8_t* data, size_t length, bint with_tcp, Datagram* found
) noexcept nogil:
    """RFC 8200; hop-by-hop, routing and destination options are passed over."""
    cdef size_t at = 40
    cdef size_t total
    cdef uint8_t kind
    if length < 40 or data[0] >> 4 != 6:
        return False
    total = 40 + <size_t>be16(data + 4)
    if total == 40 or total > length:
        total = length
    kind = data[6]
    while kind == 0 or kind == 43 or kind == 60:
        if at + 8 > total:
            return False
        kind = data[at]
        at += 8 * (1 + <size_t>data[at + 1])
    if at > total:
        return False
    memcpy(&found.destination[0], data + 24, 16)
    found.transport = kind
    return transport(data + at, total - at, with_tcp, found)


cdef bint transport(
    const uint8_t* data, size_t length, bint with_tcp, Datagram* found
) noexcept nogil:
    cdef size_t header = 8
    if found.transport == UDP:
        if length < 8:
            return False
        # 0 or too long: as for IP
        if 8 <= be16(data + 4) <= length:
            length = be16(data + 4)
    elif found.transport == TCP and with_tcp:
        if length < 20:
            return False
        header = 4 * (data[12] >> 4)
        if header < 20 or header >= length:
            return False
        found.tcp_sequence = be32(data + 4)
    else:
        return False
    found.source_port = be16(data)
    found.destination_port = be16(data + 2)
    found.payload = data + header
    found.length = length - header
    return True

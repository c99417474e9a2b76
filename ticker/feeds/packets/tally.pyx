"""What became of a capture's packets, so that none of them is left out in silence.

Law: each packet is in exactly one of `datagrams`, the fragments that were put together, and the
numbers of `not_read`.
"""

from libc.stdint cimport uint32_t

from ticker.feeds.packets.layers cimport (
    CONTRADICTION,
    CUT_SHORT,
    ETHERTYPE,
    FRAGMENT,
    IP_PROTOCOL,
    KIND_MASK,
    LINK_TYPE,
    MALFORMED,
    NUMBER_MASK,
    PPP_PROTOCOL,
    TOO_DEEP,
    UNREAD,
    Verdict,
)

NAMES = {
    ("IP protocol", 1): "ICMP", ("IP protocol", 2): "IGMP", ("IP protocol", 6): "TCP",
    ("IP protocol", 50): "ESP", ("IP protocol", 58): "ICMPv6", ("IP protocol", 88): "EIGRP",
    ("IP protocol", 59): "nothing", ("IP protocol", 89): "OSPF", ("IP protocol", 103): "PIM",
    ("IP protocol", 112): "VRRP", ("IP protocol", 115): "L2TP", ("IP protocol", 132): "SCTP",
    ("IP protocol", 47): "GRE without a packet",
    ("EtherType", 0x0806): "ARP", ("EtherType", 0x8808): "pause", ("EtherType", 0x8809): "LACP",
    ("EtherType", 0x88CC): "LLDP", ("EtherType", 0x88E5): "MACsec", ("EtherType", 0x88F7): "PTP",
    ("EtherType", 0x8863): "PPPoE discovery", ("EtherType", 0x894F): "NSH",
    ("PPP protocol", 0xC021): "LCP",
}  # fmt: skip
SPACES = {
    ETHERTYPE: "EtherType", IP_PROTOCOL: "IP protocol", LINK_TYPE: "link type",
    PPP_PROTOCOL: "PPP protocol",
}  # fmt: skip


cdef class Tally:
    """The numbers of one capture."""

    cdef void refuse(self, Verdict verdict, uint32_t kind) noexcept nogil:
        """A packet that has no datagram; fragments that are kept count themselves."""
        cdef int i
        if verdict != UNREAD:
            self.verdicts[<int>verdict] += verdict != FRAGMENT
            return
        for i in range(self.kinds):
            if self.unread[i].kind == kind:
                self.unread[i].packets += 1
                return
        if self.kinds == MOST_KINDS:
            self.further += 1
            return
        self.unread[self.kinds].kind = kind
        self.unread[self.kinds].packets = 1
        self.kinds += 1

    def not_read(self, left_over: int, contradicting: int) -> dict[str, int]:
        """Packets by the reason why nothing of them was read; the two arguments are Fragments'."""
        found = {
            "cut short by the capture": self.verdicts[<int>CUT_SHORT],
            "malformed": self.verdicts[<int>MALFORMED],
            "too many layers": self.verdicts[<int>TOO_DEEP],
            "fragments whose rest is missing": left_over,
            "fragments that contradict each other":
                self.verdicts[<int>CONTRADICTION] + contradicting,
            "sent to other addresses": self.elsewhere,
            "of an interface that is not described": self.nowhere,
            "of further kinds": self.further,
        }
        for i in range(self.kinds):
            found[kind_name(self.unread[i].kind)] = self.unread[i].packets
        return {reason: packets for reason, packets in found.items() if packets}


def kind_name(kind: int) -> str:
    """What lies in a packet, for people: "IP protocol 6 (TCP)"."""
    space, number = SPACES[kind & KIND_MASK], kind & NUMBER_MASK
    written = f"0x{number:04x}" if space in ("EtherType", "PPP protocol") else str(number)
    if kind == 0:
        return "IEEE 802.3 frames without SNAP"
    name = NAMES.get((space, number))
    return f"{space} {written} ({name})" if name else f"{space} {written}"

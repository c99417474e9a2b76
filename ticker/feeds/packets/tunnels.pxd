"""What carries whole packets in its own: see tunnels.pyx."""

from libc.stdint cimport uint16_t

from ticker.feeds.packets.layers cimport Layers, Verdict

cdef Verdict gre(Layers* layers) noexcept nogil
cdef Verdict ether_ip(Layers* layers) noexcept nogil
cdef enum:
    # UDP ports
    VXLAN_PORT = 4789
    OLD_VXLAN_PORT = 8472
    GENEVE_PORT = 6081

# A datagram to one of these ports. GO_ON: it is a tunnel's, whose header is behind us. DATAGRAM:
# it is none.
cdef Verdict inside_udp(Layers* layers, uint16_t port) noexcept nogil

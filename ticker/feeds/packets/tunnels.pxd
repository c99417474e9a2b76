"""What carries whole packets in its own: see tunnels.pyx."""

from libc.stdint cimport uint16_t

from ticker.feeds.packets.layers cimport Layers, Verdict

cdef Verdict gre(Layers* layers) noexcept nogil
cdef Verdict ether_ip(Layers* layers) noexcept nogil
# GO_ON: the datagram at `at` is a tunnel's, whose header is behind us. DATAGRAM: it is none.
cdef Verdict inside_udp(Layers* layers, uint16_t port) noexcept nogil

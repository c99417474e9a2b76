"""IP and what it carries: see ip.pyx."""

from ticker.feeds.packets.fragments cimport Fragments
from ticker.feeds.packets.layers cimport Datagram, Layers, Verdict

cdef Verdict ip4(Layers* layers, Datagram* found, Fragments fragments) noexcept nogil
cdef Verdict ip6(Layers* layers, Datagram* found) noexcept nogil
# `next` is an IP protocol.
cdef Verdict ip_step(Layers* layers, Datagram* found, Fragments fragments) noexcept nogil

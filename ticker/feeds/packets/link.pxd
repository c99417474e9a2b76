"""Captured packets, down to the datagram in each: see link.pyx."""

from libc.stdint cimport int64_t, uint8_t, uint32_t

from ticker.feeds.packets.fragments cimport Fragments
from ticker.feeds.packets.layers cimport Datagram, Layers, Verdict

# `cut`: the capture has less of the packet than was sent. UNREAD: `unread` is the kind.
cdef Verdict unwrap(
    const uint8_t* data, size_t length, bint cut, uint32_t link_type, bint with_tcp,
    Fragments fragments, Datagram* found, uint32_t* unread
) noexcept nogil

"""Datagrams put together from their fragments: see fragments.pyx."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from ticker.feeds.packets.layers cimport Layers, Verdict

cdef enum:
    KEY_BYTES = 40
    MOST_DATAGRAMS = 64            # that are put together at once
    LONGEST_DATAGRAM = 65536       # bytes of what IP carries
    PARTS = 8192                   # of eight bytes each
    PART_WORDS = 128

cdef struct Pieces:
    uint64_t packets               # that brought them, 0: the slot is free
    uint64_t began                 # packet that brought the first, and the newest
    uint64_t newest
    uint8_t[KEY_BYTES] key
    uint8_t* bytes
    size_t capacity
    size_t end                     # of the piece that reaches furthest
    size_t total                   # 0: the last piece has not come
    size_t have
    bint whole
    uint64_t[PART_WORDS] parts     # which of them are there


cdef class Fragments:
    cdef Pieces* slots
    cdef uint64_t packet           # number of the one that is looked at
    cdef readonly uint64_t waiting     # packets with fragments of what is not whole yet
    cdef readonly uint64_t joined      # whose datagram became whole
    cdef readonly uint64_t left_over   # whose datagram did not
    cdef readonly uint64_t contradicting

    # A packet of the capture is looked at next: what the one before it made may go.
    cdef void next_packet(self) noexcept nogil
    # A fragment of what `key` and `id` name, `offset` bytes from its start. When it is whole,
    # `layers` goes on in it: its memory lives until the next packet.
    cdef Verdict join(
        self, Layers* layers, const uint8_t* addresses, size_t address_bytes, uint32_t id,
        size_t offset, bint more, uint8_t protocol,
    ) noexcept nogil
    cdef Pieces* _find(self, const uint8_t* key) noexcept nogil
    cdef Pieces* _free_slot(self) noexcept nogil
    cdef void _forget(self, Pieces* pieces, uint64_t* counter) noexcept nogil
    cdef Verdict _add(
        self, Pieces* pieces, const Layers* layers, size_t offset, bint more
    ) noexcept nogil

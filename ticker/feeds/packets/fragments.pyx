"""Datagrams put together from their fragments, IPv4 and IPv6.

Law: memory is bounded: MOST_DATAGRAMS at once, the one that waited longest goes. A piece that says
other bytes than another one ends both: neither is believed. A piece that comes twice is one piece.
Ids come round: a datagram whose pieces lie further apart than MOST_PACKETS packets is two, and so
is one that was whole when other bytes of it came.

Source: RFC 791, section 3.2; RFC 8200, section 4.5; RFC 5722.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcmp, memcpy, memset

from ticker.feeds.packets.layers cimport (
    CONTRADICTION,
    FRAGMENT,
    GO_ON,
    MALFORMED,
    Layers,
    Verdict,
)

cdef enum:
    PART = 8                           # bytes: offsets count in these
    LEAST_CAPACITY = 4096
    MOST_PACKETS = 30000               # an IPv4 id comes round after 65,536 packets of a sender


cdef class Fragments:
    """Those of one capture."""

    def __cinit__(self) -> None:
        self.slots = <Pieces*>calloc(MOST_DATAGRAMS, sizeof(Pieces))
        if self.slots == NULL:
            raise MemoryError("no memory for fragments")

    def __dealloc__(self) -> None:
        cdef int i
        if self.slots != NULL:
            for i in range(MOST_DATAGRAMS):
                free(self.slots[i].bytes)
            free(self.slots)

    cdef void next_packet(self) noexcept nogil:
        self.packet += 1

    cdef Verdict join(
        self, Layers* layers, const uint8_t* addresses, size_t address_bytes, uint32_t id,
        size_t offset, bint more, uint8_t protocol,
    ) noexcept nogil:
        cdef uint8_t[KEY_BYTES] key
        cdef Pieces* pieces
        cdef Verdict verdict
        if not layers.left or (more and layers.left % PART) or (
            offset + layers.left >= LONGEST_DATAGRAM
        ):
            return MALFORMED
        memset(key, 0, KEY_BYTES)
        memcpy(key, addresses, 2 * address_bytes)
        memcpy(key + 32, &id, sizeof(id))
        key[36] = protocol
        key[37] = <uint8_t>address_bytes
        pieces = self._find(key)
        if pieces == NULL:
            pieces = self._free_slot()
            memcpy(pieces.key, key, KEY_BYTES)
        elif pieces.whole and pieces.newest == self.packet:
            return MALFORMED                 # a datagram inside of itself
        verdict = self._add(pieces, layers, offset, more)
        if verdict != GO_ON:
            return verdict
        # This packet is counted by what is in the datagram.
        self.waiting -= pieces.packets - 1
        self.joined += pieces.packets - 1
        layers.at = pieces.bytes
        layers.left = pieces.total
        layers.cut = False
        return GO_ON

    cdef Pieces* _find(self, const uint8_t* key) noexcept nogil:
        """The slot of a datagram that has begun, and not too long ago."""
        cdef Pieces* pieces
        cdef int i
        for i in range(MOST_DATAGRAMS):
            pieces = &self.slots[i]
            if pieces.packets and not memcmp(pieces.key, key, KEY_BYTES):
                if self.packet - pieces.newest <= MOST_PACKETS:
                    return pieces
                self._forget(pieces, &self.left_over)
        return NULL

    cdef Pieces* _free_slot(self) noexcept nogil:
        """An empty slot: of all that this packet does not use, the one that began first goes."""
        cdef Pieces* oldest = NULL
        cdef Pieces* pieces
        cdef int i
        for i in range(MOST_DATAGRAMS):
            pieces = &self.slots[i]
            if not pieces.packets:
                return pieces
            if pieces.newest != self.packet and (oldest == NULL or pieces.began < oldest.began):
                oldest = pieces
        self._forget(oldest, &self.left_over)
        return oldest

    cdef void _forget(self, Pieces* pieces, uint64_t* counter) noexcept nogil:
        if not pieces.whole:
            self.waiting -= pieces.packets
            counter[0] += pieces.packets
        pieces.packets = 0
        pieces.end = pieces.total = pieces.have = 0
        pieces.whole = False
        memset(pieces.parts, 0, sizeof(pieces.parts))

    cdef Verdict _add(
        self, Pieces* pieces, const Layers* layers, size_t offset, bint more
    ) noexcept nogil:
        """GO_ON: with it, the datagram is whole. Slots of it are the caller's."""
        cdef size_t end = offset + layers.left
        cdef bint agrees = fits(pieces, layers.at, offset, end, more)
        cdef bint whole = pieces.whole
        if whole and agrees:
            # A copy of what was had already.
            self.joined += 1
            return FRAGMENT
        if not agrees:
            self._forget(pieces, &self.contradicting)
            if not whole:
                return CONTRADICTION
        if not pieces.packets:
            pieces.began = self.packet
        pieces.packets += 1
        pieces.newest = self.packet
        self.waiting += 1
        if not put(pieces, layers.at, offset, end):
            self._forget(pieces, &self.left_over)
            return FRAGMENT
        pieces.end = max(pieces.end, end)
        if not more:
            pieces.total = end
        if pieces.have != pieces.total or not pieces.total:
            return FRAGMENT
        pieces.whole = True
        self.waiting -= 1
        return GO_ON


cdef bint fits(
    const Pieces* pieces, const uint8_t* data, size_t offset, size_t end, bint more
) noexcept nogil:
    """Whether a piece says nothing else than those that are there."""
    cdef size_t at = offset
    cdef size_t part, length
    if pieces.total and (end > pieces.total or (not more and end != pieces.total)):
        return False
    if not more and end < pieces.end:
        return False
    while at < end:
        part = at // PART
        length = min(<size_t>PART, end - at)
        if pieces.parts[part >> 6] >> (part & 63) & 1 and memcmp(
            pieces.bytes + at, data + (at - offset), length
        ):
            return False
        at += PART
    return True


cdef bint put(Pieces* pieces, const uint8_t* data, size_t offset, size_t end) noexcept nogil:
    """Copy what is new of a piece. False: no memory."""
    cdef size_t at = offset
    cdef size_t part, length
    cdef size_t capacity = max(pieces.capacity, <size_t>LEAST_CAPACITY)
    cdef void* grown
    while capacity < end:
        capacity *= 2
    if capacity != pieces.capacity:
        grown = realloc(pieces.bytes, capacity)
        if grown == NULL:
            return False
        pieces.bytes = <uint8_t*>grown
        pieces.capacity = capacity
    while at < end:
        part = at // PART
        length = min(<size_t>PART, end - at)
        if not pieces.parts[part >> 6] >> (part & 63) & 1:
            pieces.parts[part >> 6] |= <uint64_t>1 << (part & 63)
            memcpy(pieces.bytes + at, data + (at - offset), length)
            pieces.have += length
        at += PART
    return True

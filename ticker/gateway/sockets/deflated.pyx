"""Whole frames of ours, deflated (RFC 7692): once for all connections that are due the same bytes.

In: frames, as one send has them. Out: the same, with messages that get shorter deflated in their
place. Law: no message takes over a context, so its deflated bytes are the same for everybody. What
was deflated is remembered by its content, in a ring of KEPT bytes that exists from the first use on;
a message is compared whole before its deflated bytes are taken for it.
"""

from cpython.mem cimport PyMem_RawCalloc, PyMem_RawFree, PyMem_RawMalloc, PyMem_RawRealloc
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memmove

from ticker.gateway.sockets.frames cimport (
    OPCODE_BINARY,
    OPCODE_TEXT,
    SERVER_HEAD,
    write_head,
)
from ticker.shm.counters cimport (
    GATEWAY_DEFLATED, GATEWAY_DEFLATED_BYTES_SAVED, GATEWAY_DEFLATED_SHARED, count,
)
from ticker.shm.header cimport Mapping

import zlib

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>
    static inline uint64_t ticker_hash(const uint8_t *at, size_t length) {
        const uint64_t odd = 0x9E3779B97F4A7C15u;
        uint64_t hash = length * odd, word;
        for (; length >= 8; at += 8, length -= 8) {
            memcpy(&word, at, 8);
            hash = (hash ^ word) * odd;
            hash ^= hash >> 29;
        }
        word = 0;
        memcpy(&word, at, length);
        hash = (hash ^ word) * odd;
        return hash ^ hash >> 32;
    }
    """
    uint64_t hash_of "ticker_hash"(const uint8_t* at, size_t length) nogil

cdef enum:
    PLACES = 8192                # messages that are remembered at most
    KEPT = 1 << 22               # bytes of them
    LONGEST_KEPT = KEPT >> 3     # a longer message is deflated each time
    SHORTEST = 16                # bytes of a message that is worth trying
    COMPRESSED = 0x40            # RSV1 (RFC 7692, section 6)
    TAIL = 4                     # 00 00 ff ff, which each message leaves out (section 7.2.1)

# A window of 4 KB and tables for it: a compressor is copied for each message, with its memory.
cdef enum:
    WINDOW_BITS = 12
cdef size_t LONGEST = 0xFFFFFFFF  # bytes of a message that is deflated
_MEMORY_LEVEL = 5
_LEVEL = 6


cdef inline size_t read_own_head(const uint8_t* data, size_t length, size_t* size) noexcept nogil:
    """The head of a frame of ours: its length, and that of the payload into `size`; 0: these bytes
    begin with no unmasked, uncompressed frame in one piece, or with half a head."""
    cdef size_t wide, i
    if length < 2 or data[0] & 0xF0 != 0x80 or data[1] > 127:
        return 0
    if data[1] < 126:
        size[0] = data[1]
        return 2
    wide = 2 if data[1] == 126 else 8
    if length < 2 + wide:
        return 0
    size[0] = 0
    for i in range(wide):
        size[0] = size[0] << 8 | data[2 + i]
    return 2 + wide


cdef class Deflater:
    """`segment`: the gateway's own, for its counters."""

    def __cinit__(self, Mapping segment not None) -> None:
        self.mapping = segment
        self.counters = segment.counters
        self.beginnings = {}

    def __dealloc__(self) -> None:
        PyMem_RawFree(self.places)
        PyMem_RawFree(self.memory)
        PyMem_RawFree(self.scratch)

    cdef size_t shrink(self, uint8_t* frames, size_t length, uint8_t bits) noexcept nogil:
        """Deflate the messages of whole, unfragmented frames in place, of which the receiver
        remembers 2 ** `bits` bytes; the length of all afterwards, never more than before."""
        cdef uint8_t[SERVER_HEAD] head
        cdef const uint8_t* found = NULL
        cdef size_t at = 0
        cdef size_t end = 0
        cdef size_t size, before
        cdef uint8_t opcode
        cdef uint32_t deflated
        bits = min(bits, <uint8_t>WINDOW_BITS)
        while at < length:
            size = 0
            before = read_own_head(frames + at, length - at, &size)
            if not before or size > length - at - before:
                break  # none of ours; it stays as it is, and all behind it
            opcode = frames[at] & 0x0F
            deflated = 0
            if size >= <size_t>SHORTEST and size <= LONGEST and (
                opcode == OPCODE_TEXT or opcode == OPCODE_BINARY
            ):
                deflated = self._find(frames + at + before, <uint32_t>size, bits, &found)
            if deflated:
                count(self.counters, GATEWAY_DEFLATED_BYTES_SAVED, size - deflated)
                at += before + size
                before = write_head(head, OPCODE_TEXT if opcode == OPCODE_TEXT else OPCODE_BINARY, deflated)
                head[0] |= COMPRESSED
                memcpy(frames + end, head, before)
                memcpy(frames + end + before, found, deflated)
                end += before + deflated
            else:
                if end != at:
                    memmove(frames + end, frames + at, before + size)
                end += before + size
                at += before + size
        if at < length:
            if end != at:
                memmove(frames + end, frames + at, length - at)
            end += length - at
        return end

    cdef uint32_t _find(
        self, const uint8_t* message, uint32_t length, uint8_t bits, const uint8_t** found
    ) noexcept nogil:
        """The deflated bytes of a message, which live until the next call; 0: it gets no shorter."""
        cdef uint64_t hashed = hash_of(message, length) + bits
        cdef Remembered* place
        cdef const uint8_t* kept
        cdef uint32_t deflated
        if self.places == NULL and not self._open():
            return 0
        place = self.places + (hashed & (PLACES - 1))
        if (place.hash == hashed and place.length == length and place.bits == bits
                and self.written - place.at <= KEPT):
            kept = self.memory + (place.at & (KEPT - 1))
            if memcmp(kept, message, length) == 0:
                count(self.counters, GATEWAY_DEFLATED_SHARED, 1)
                found[0] = kept + length
                return place.deflated
        deflated = self._deflate(message, length, bits)
        count(self.counters, GATEWAY_DEFLATED, 1)
        found[0] = self.scratch
        if length <= LONGEST_KEPT:
            place.hash = hashed
            place.length = length
            place.bits = bits
            found[0] = self._keep(place, message, deflated)
        return deflated

    cdef bint _open(self) noexcept nogil:
        self.memory = <uint8_t*>PyMem_RawMalloc(KEPT)
        if self.memory != NULL:
            self.places = <Remembered*>PyMem_RawCalloc(PLACES, sizeof(Remembered))
        return self.places != NULL

    cdef const uint8_t* _keep(
        self, Remembered* place, const uint8_t* message, uint32_t deflated
    ) noexcept nogil:
        """Write the message and its deflated bytes, those of `scratch`, behind the last ones, in one
        piece; the place of the deflated ones."""
        cdef uint64_t length = <uint64_t>place.length + deflated
        cdef uint64_t at = self.written
        cdef uint8_t* kept
        if (at & (KEPT - 1)) + length > KEPT:
            at = (at | (KEPT - 1)) + 1
        kept = self.memory + (at & (KEPT - 1))
        memcpy(kept, message, place.length)
        memcpy(kept + place.length, self.scratch, deflated)
        place.at = at
        place.deflated = deflated
        self.written = at + length
        return kept + place.length

    cdef uint32_t _deflate(
        self, const uint8_t* message, uint32_t length, uint8_t bits
    ) noexcept with gil:
        """Deflate a message into `scratch`: its length, 0 if it gets no shorter."""
        cdef bytes made
        cdef size_t size
        cdef uint8_t* grown
        beginning = self.beginnings.get(bits)
        if beginning is None:
            beginning = zlib.compressobj(_LEVEL, zlib.DEFLATED, -<int>bits, _MEMORY_LEVEL)
            self.beginnings[bits] = beginning
        compressor = beginning.copy()
        made = compressor.compress(message[:length]) + compressor.flush(zlib.Z_SYNC_FLUSH)
        size = <size_t>len(made) - TAIL
        if size >= length:
            return 0
        if size > self.scratch_capacity:
            grown = <uint8_t*>PyMem_RawRealloc(self.scratch, size)
            if grown == NULL:
                return 0
            self.scratch = grown
            self.scratch_capacity = size
        memcpy(self.scratch, <const uint8_t*>made, size)
        return <uint32_t>size

    def shrunk(self, frames: bytes, bits: int) -> bytes:
        """What shrink() makes of frames."""
        cdef bytearray copy = bytearray(frames)
        cdef size_t length = self.shrink(copy, len(copy), bits)
        return bytes(copy[:length])

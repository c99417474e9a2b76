"""Framed messages as MoldUDP64 packets: 20 bytes of header, then message blocks as they are."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

from ticker.checks cimport check
from ticker.endian cimport be16, be48


cdef extern from "endian.h" nogil:
    uint16_t htobe16(uint16_t)
    uint32_t htobe32(uint32_t)
    uint64_t htobe64(uint64_t)


cdef enum:
    HEADER = 20              # session 10, sequence 8, count 2 (MoldUDP64 1.00, 3.1)
    PAYLOAD = 1400           # bytes of message blocks per packet, at most
    END_OF_SESSION = 0xFFFF


cdef inline void put16(uint8_t* at, uint32_t value) noexcept nogil:
    cdef uint16_t word = htobe16(<uint16_t>value)
    memcpy(at, &word, 2)


cdef inline void put32(uint8_t* at, uint32_t value) noexcept nogil:
    cdef uint32_t word = htobe32(value)
    memcpy(at, &word, 4)


cdef inline void put64(uint8_t* at, uint64_t value) noexcept nogil:
    cdef uint64_t word = htobe64(value)
    memcpy(at, &word, 8)


cdef inline void write_header(
    uint8_t* at, const char* session, uint64_t sequence, uint32_t count
) noexcept nogil:
    memcpy(at, session, 10)
    put64(at + 10, sequence)
    put16(at + 18, count)


cdef inline uint64_t first_time(const uint8_t* blocks) noexcept nogil:
    """ns since midnight of the first message (ITCH 5.0: u48 at 5)."""
    return be48(blocks + 2 + 5)


cdef inline size_t measure(
    const uint8_t* blocks, size_t size, size_t room, uint64_t limit, uint32_t* count
) noexcept nogil:
    """Bytes of the whole messages, at most `limit`, that fit into `room`; their count."""
    cdef size_t used = 0, length
    cdef uint32_t messages = 0
    while used < size and messages < limit:
        length = 2 + be16(blocks + used)
        check(used + length <= size)
        if used + length > room:
            break
        used += length
        messages += 1
    count[0] = messages
    return used

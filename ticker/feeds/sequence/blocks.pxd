"""Message blocks: each a length of two bytes and a message, one behind the other."""

from libc.stdint cimport int64_t, uint8_t, uint32_t

from ticker.endian cimport be16, le16
from ticker.feeds.protocol cimport Protocol
from ticker.shm.lineage.origin cimport Origin

cdef enum:
    LEAD = 12                      # messages that the protocol hears of before they come


cdef inline size_t block_length(const uint8_t* at, bint little_endian) noexcept nogil:
    """Bytes of the message of the block at `at`, without the two of its length."""
    return le16(at) if little_endian else be16(at)


cdef inline size_t whole_blocks(
    const uint8_t* data, size_t length, size_t header, bint little_endian, uint32_t* blocks
) noexcept nogil:
    """Bytes of a packet that was cut, up to the end of its last whole block; of so many."""
    cdef uint32_t claimed = blocks[0]
    cdef size_t at = header
    cdef size_t size
    blocks[0] = 0
    while blocks[0] < claimed and length - at >= 2:
        size = 2 + block_length(data + at, little_endian)
        if size > length - at:
            break
        at += size
        blocks[0] += 1
    return at


cdef inline bint blocks_fill(
    const uint8_t* data, size_t length, size_t header, bint little_endian, uint32_t blocks
) noexcept nogil:
    """The blocks fill the packet exactly; its header lies inside it."""
    cdef size_t at = header
    cdef uint32_t i
    for i in range(blocks):
        if length - at < 2:
            return False
        at += 2 + block_length(data + at, little_endian)
        if at > length:
            return False
    return at == length


cdef inline void deliver_blocks(
    Protocol protocol, const uint8_t* at, uint32_t known, uint32_t left, bint little,
    int64_t receive_time,
) noexcept nogil:
    """The messages of whole blocks: the first `known` are passed over, `left` are delivered."""
    cdef Origin* origin = protocol.origin
    cdef const uint8_t* ahead
    cdef uint32_t i, announced
    cdef size_t length
    for i in range(known):
        at += 2 + block_length(at, little)
    ahead = at
    announced = min(left, <uint32_t>LEAD)
    for i in range(announced):
        length = block_length(ahead, little)
        protocol.announce(ahead + 2, length)
        ahead += 2 + length
    for i in range(left):
        if announced < left:
            length = block_length(ahead, little)
            protocol.announce(ahead + 2, length)
            ahead += 2 + length
            announced += 1
        length = block_length(at, little)
        protocol.message(at + 2, length, receive_time)
        origin.sequence += 1
        at += 2 + length

"""The venue's number of a trade, where what makes it one has further parts.

A vendor's trade is told from others by its number, its venue, sometimes more. Such a key has the
number inside, so that clients can be told it:

    bit 63        1: a key of parts; 0: a number, or the hash of an id that is none
    bits 46..62   the other parts, KEY_PARTS bits of them
    bits 0..45    the venue's number
"""

from libc.stdint cimport uint64_t

cdef enum:
    KEY_NUMBER = 46
    KEY_PARTS = 17


cdef inline bint fits_key(uint64_t number, uint64_t parts) noexcept nogil:
    return number >> KEY_NUMBER == 0 and parts >> KEY_PARTS == 0


cdef inline uint64_t key_of(uint64_t number, uint64_t parts) noexcept nogil:
    """Of what fits."""
    return <uint64_t>1 << 63 | parts << KEY_NUMBER | number


cdef inline uint64_t plain_key(uint64_t number) noexcept nogil:
    """A number, or a hash, that is the whole key."""
    return number & ~(<uint64_t>1 << 63)


cdef inline uint64_t own_number(uint64_t key) noexcept nogil:
    """What clients are told: the venue's number; of an id that is none, or 0, the key."""
    cdef uint64_t number = key & ((<uint64_t>1 << KEY_NUMBER) - 1)
    return number if key >> 63 and number else key

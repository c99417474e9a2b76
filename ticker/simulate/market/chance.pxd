"""Seeded chance: SplitMix64 (Steele, Lea and Flood 2014), the same bytes on every machine.

Only integer steps and exactly rounded double operations, so that a seed means one stream.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t


cdef struct Chance:
    uint64_t state


cdef inline uint64_t draw(Chance* chance) noexcept nogil:
    """64 random bits."""
    cdef uint64_t bits
    chance.state += <uint64_t>0x9E3779B97F4A7C15
    bits = chance.state
    bits = (bits ^ (bits >> 30)) * <uint64_t>0xBF58476D1CE4E5B9
    bits = (bits ^ (bits >> 27)) * <uint64_t>0x94D049BB133111EB
    return bits ^ (bits >> 31)


cdef inline uint32_t below(Chance* chance, uint32_t limit) noexcept nogil:
    """An integer of 0 to limit - 1."""
    return <uint32_t>(((draw(chance) >> 32) * limit) >> 32)


cdef inline double bell(Chance* chance) noexcept nogil:
    """About normal, mean 0, deviation 1: the sum of four uniform 16-bit numbers."""
    cdef uint64_t bits = draw(chance)
    cdef int64_t total = <int64_t>(
        (bits & 0xFFFF) + ((bits >> 16) & 0xFFFF) + ((bits >> 32) & 0xFFFF) + (bits >> 48)
    )
    return <double>(total - 131070) * 2.6429e-5

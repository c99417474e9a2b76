"""What the stress runs write: every word derived from one number.

A copy that was made of two publications cannot pass the check.
"""

from libc.stdint cimport uint32_t, uint64_t

from ticker.shm.layout cimport RECORD_WORDS, Record


cdef inline uint64_t word_of(uint64_t number, uint32_t place) noexcept nogil:
    """The word at `place` (not 0) of what publication `number` wrote."""
    return (number + place) * <uint64_t>0x9E3779B97F4A7C15ULL


cdef inline void fill(uint64_t* words, uint64_t number, uint32_t count) noexcept nogil:
    cdef uint32_t place
    words[0] = number
    for place in range(1, count):
        words[place] = word_of(number, place)


cdef inline bint intact(const uint64_t* words, uint32_t count) noexcept nogil:
    """Whether all words come from one publication; a row never published is intact."""
    cdef uint32_t place
    cdef uint64_t wrong = 0
    if not words[0]:
        for place in range(1, count):
            wrong |= words[place]
        return wrong == 0
    for place in range(1, count):
        wrong |= words[place] ^ word_of(words[0], place)
    return wrong == 0


cdef inline void fill_record(Record* record, uint64_t number) noexcept nogil:
    cdef uint64_t* words = <uint64_t*>record
    cdef int place
    for place in range(1, RECORD_WORDS):
        words[place] = word_of(number, place)


cdef inline bint record_intact(const Record* record, uint64_t number) noexcept nogil:
    cdef const uint64_t* words = <const uint64_t*>record
    cdef uint64_t wrong = 0
    cdef int place
    for place in range(1, RECORD_WORDS):
        wrong |= words[place] ^ word_of(number, place)
    return wrong == 0

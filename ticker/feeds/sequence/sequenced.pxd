"""Numbered messages in datagrams on two lines: see sequenced.pyx."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from ticker.endian cimport be16, le16
from ticker.feeds.sequence.gaps cimport Gaps
from ticker.feeds.sequence.reorder cimport ReorderBuffer
from ticker.feeds.session cimport Session


cdef struct Stream:
    uint64_t words[2]              # the name of a session that was replaced
    uint64_t next_sequence         # where it stood


cdef class Sequenced(Session):
    cdef size_t header                  # bytes of a packet before its message blocks
    cdef bint little_endian             # the blocks' lengths are
    cdef Gaps gaps
    cdef ReorderBuffer buffer
    cdef readonly uint64_t known_end    # the stream is known to reach up to here, exclusive
    cdef bint joined
    cdef bint from_start
    cdef bint ending                    # an end of session was seen, at end_sequence
    cdef uint64_t end_sequence
    cdef uint64_t resume_words[2]
    cdef uint64_t resume_sequence       # 0: none
    cdef int64_t quiet_ns
    cdef uint64_t line_end[2]           # what lines A and B brought of it by themselves, exclusive
    cdef Stream past[8]
    cdef int past_used
    cdef uint64_t candidate[2]          # a session that may be about to replace this one
    cdef int candidate_packets

    cdef bint _is_repeated(
        self, const uint64_t* words, uint64_t sequence, uint64_t end, int64_t now_ns
    ) noexcept nogil
    cdef void _note_line(self, int line, uint64_t end) noexcept nogil
    cdef bint _goes_back(self, int line, uint64_t end) noexcept nogil
    cdef bint _is_whole(self, const uint8_t* data, size_t length, uint32_t blocks) noexcept nogil
    cdef void _resume_at(self, const uint64_t* words, uint64_t sequence) noexcept nogil
    cdef bint _take(
        self, const uint64_t* words, const uint8_t* data, size_t length, uint64_t sequence,
        uint32_t messages, bint last, int line, int64_t now_ns,
    ) noexcept nogil
    cdef bint _is_current(
        self, const uint64_t* words, uint64_t sequence, uint64_t end, int line, int64_t now_ns
    ) noexcept nogil
    cdef bint _may_replace(self, const uint64_t* words, uint64_t sequence) noexcept nogil
    cdef void _join(self, const uint64_t* words, uint64_t sequence) noexcept nogil
    cdef void _replace(self, const uint64_t* words) noexcept nogil
    cdef void _begin(self, const uint64_t* words, uint64_t sequence) noexcept nogil
    cdef void _reach(self, uint64_t sequence, int64_t now_ns) noexcept nogil
    cdef void _blocks(
        self, const uint8_t* data, size_t length, uint64_t sequence, uint32_t blocks, int line,
        int64_t now_ns,
    ) noexcept nogil
    cdef void _blocks_with_gaps(
        self, const uint8_t* data, size_t length, uint64_t sequence, uint32_t blocks, int line,
        int64_t now_ns,
    ) noexcept nogil
    cdef void _drop(self, uint64_t end, int64_t now_ns) noexcept nogil
    cdef void _deliver(
        self, const uint8_t* data, uint64_t sequence, uint32_t blocks, int64_t receive_time
    ) noexcept nogil
    cdef void _drain(self) noexcept nogil
    cdef void _lose(self) noexcept nogil
    cdef void _give_up(self, int64_t now_ns) noexcept nogil
    cdef void _settle(self) noexcept nogil


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


cdef inline bint same(const uint64_t* words, const uint64_t* others) noexcept nogil:
    return words[0] == others[0] and words[1] == others[1]

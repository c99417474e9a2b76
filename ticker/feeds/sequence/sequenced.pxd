"""Numbered messages in datagrams on two lines: see sequenced.pyx."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from ticker.feeds.sequence.answers cimport Answers
from ticker.feeds.sequence.candidate cimport Candidate
from ticker.feeds.sequence.gaps cimport Gaps
from ticker.feeds.sequence.past cimport PastSessions
from ticker.feeds.sequence.progress cimport Progress
from ticker.feeds.sequence.reorder cimport ReorderBuffer
from ticker.feeds.session cimport Session


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
    cdef Progress progress              # of the lines
    cdef PastSessions past
    cdef Candidate candidate            # a session that may be about to replace this one
    cdef bint anew                      # the packet being taken says that its stream begins again
    cdef Answers answers                # of the re-request server

    cdef bint _is_repeated(
        self, const uint64_t* words, uint64_t sequence, uint64_t end, int64_t now_ns
    ) noexcept nogil
    cdef bint _is_whole(self, const uint8_t* data, size_t length, uint32_t blocks) noexcept nogil
    cdef void _resume_at(self, const uint64_t* words, uint64_t sequence) noexcept nogil
    cdef bint _take(
        self, const uint64_t* words, const uint8_t* data, size_t length, uint64_t sequence,
        uint32_t messages, bint last, int line, int64_t now_ns,
    ) noexcept nogil
    cdef bint _is_current(
        self, const uint64_t* words, uint64_t sequence, uint64_t end, int line, int64_t now_ns
    ) noexcept nogil
    cdef bint _believes(
        self, const uint64_t* words, const uint8_t* data, size_t length, uint64_t sequence,
        uint32_t messages, int line, int64_t now_ns,
    ) noexcept nogil
    cdef void _change(self, const uint64_t* words, uint64_t sequence, int64_t now_ns) noexcept nogil
    cdef void _count_answer(self, int64_t now_ns) noexcept nogil
    cdef void _vouch(
        self, uint64_t sequence, uint32_t messages, int line, int64_t now_ns
    ) noexcept nogil
    cdef void _withdraw(self) noexcept nogil
    cdef void _join(self, const uint64_t* words, uint64_t sequence) noexcept nogil
    cdef void _replace(self, const uint64_t* words) noexcept nogil
    cdef void _begin(self, const uint64_t* words, uint64_t sequence) noexcept nogil
    cdef void _reach(self, uint64_t sequence, int line, int64_t now_ns) noexcept nogil
    cdef void _blocks(
        self, const uint8_t* data, size_t length, uint64_t sequence, uint32_t blocks, int line,
        int64_t now_ns,
    ) noexcept nogil
    cdef void _blocks_with_gaps(
        self, const uint8_t* data, size_t length, uint64_t sequence, uint32_t blocks, int line,
        int64_t now_ns,
    ) noexcept nogil
    cdef void _drop(
        self, uint64_t sequence, uint64_t end, int line, int64_t now_ns
    ) noexcept nogil
    cdef void _deliver(
        self, const uint8_t* data, uint64_t sequence, uint32_t blocks, int line,
        int64_t receive_time,
    ) noexcept nogil
    cdef void _drain(self) noexcept nogil
    cdef void _lose(self) noexcept nogil
    cdef void _give_up(self, int64_t now_ns) noexcept nogil
    cdef void _settle(self) noexcept nogil


cdef inline bint same(const uint64_t* words, const uint64_t* others) noexcept nogil:
    return words[0] == others[0] and words[1] == others[1]

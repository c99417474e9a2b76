"""What is missing of a sequenced stream, and what to ask for next."""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from ticker.shm.gaps cimport Became, GapLedger


cdef struct Gap:
    uint64_t start             # first missing sequence
    uint64_t end               # one past the last
    uint64_t asked_to          # [start, asked_to) has been asked for
    int64_t detected_ns
    int64_t active_ns          # of the last request, or of the last message that came of it
    int64_t opened_ns          # detected_ns is moved on while a line fills it from below
    int64_t below_ns           # when a line last did, 0: never
    int64_t attempts           # requests since a message came of one
    uint64_t answered          # messages that came since [start, ...) was last asked for
    uint64_t requests          # of full span since then
    uint64_t entry             # its number in the ledger; parts of one gap share it

cdef enum:
    MAX_GAPS = 256
    LONGEST_DOUBTS = 4         # times doubt_ns that a gap is kept which a line fills from below


cdef class Gaps:
    cdef Gap gaps[MAX_GAPS]
    cdef readonly int used
    cdef bint rerequest
    cdef int64_t line_wait_ns
    cdef int64_t timeout_ns
    cdef int64_t quiet_ns
    cdef int64_t attempts
    cdef uint64_t window
    cdef uint64_t span         # messages in one request
    cdef uint64_t widest       # what it is before the server's answers say otherwise
    cdef int64_t vain          # requests without an answer, of gaps that were withdrawn
    cdef bint silent           # the server let a gap be lost
    cdef int64_t doubt_ns      # so long a gap in doubt is kept
    cdef uint64_t confirmed    # the stream is certain to reach up to here, exclusive
    cdef uint64_t said         # how far one more packet says that it reaches
    cdef int said_by           # its line
    cdef uint32_t said_with    # its messages
    cdef int64_t pace_ns       # between two requests without an answer
    cdef int64_t paid_until    # requests up to this time are spent
    cdef int64_t left_until    # the server is not asked before, 0: it is
    cdef int64_t leave_ns      # for how long it is left the next time
    cdef uint64_t withheld     # times that a request had to wait for its second
    cdef GapLedger ledger
    cdef int64_t beyond_ns     # when a line last brought something beyond a gap
    cdef uint64_t channel      # of several streams: this one's number and 1, else 0
    cdef const uint64_t* session # its id, two words
    cdef uint64_t round        # the wire counts from 1 again behind this number, 0: never
    cdef uint64_t dropped_to   # packets were dropped up to here
    cdef int64_t now_ns        # the last time that was said

    # A packet says that the stream reaches `end`; of the server's own, `certain`, one is enough.
    cdef void vouch(self, uint64_t end, uint32_t messages, int line, bint certain) noexcept nogil
    # One packet alone says that there is a gap at all.
    cdef bint is_in_doubt(self, int at) noexcept nogil
    # Nothing confirmed the first gap in time, nor those behind it.
    cdef bint is_forgotten(self, int64_t now_ns) noexcept nogil
    # A line fills the first gap from below, and has for long: what lies beyond the gap was no packet
    # of this stream.
    cdef inline bint is_disproved(self, int64_t now_ns) noexcept nogil:
        cdef int64_t open_for
        if not self.used or self.gaps[0].below_ns != now_ns:
            return False
        open_for = now_ns - self.gaps[0].opened_ns
        return open_for >= self.doubt_ns and (
            now_ns - self.beyond_ns >= self.doubt_ns or open_for >= LONGEST_DOUBTS * self.doubt_ns
        )

    cdef void drop(self, uint64_t known_end) noexcept nogil
    # The server is of no use: not to be asked until the time that is returned.
    cdef int64_t leave(self, int64_t now_ns) noexcept nogil
    cdef uint64_t take_withheld(self) noexcept nogil

    cdef void add(self, uint64_t start, uint64_t end, int line, int64_t now_ns) noexcept nogil
    # [start, end) came, and there was no room for it.
    cdef void dropped(self, uint64_t start, uint64_t end) noexcept nogil
    cdef int64_t fill(
        self, uint64_t start, uint64_t end, bint answer, int64_t now_ns, int* closed
    ) noexcept nogil
    # What is missing below will not come (LOST_UPSTREAM), or has come by other means.
    cdef void forget_below(self, uint64_t sequence, Became what) noexcept nogil
    cdef bint given_up(self, int64_t now_ns) noexcept nogil
    cdef int64_t deadline(self) noexcept nogil
    cdef bint asked(self) noexcept nogil
    cdef void clear(self) noexcept nogil

    cdef void _note(self, Gap* gap, uint64_t messages, bint answer, int64_t now_ns) noexcept nogil
    cdef void _split(self, int at, uint64_t low, uint64_t high, bint answer) noexcept nogil
    cdef void _remove(self, int at) noexcept nogil
    cdef void _set_back(self, int64_t now_ns) noexcept nogil
    cdef bint _is_left(self, int64_t now_ns) noexcept nogil
    cdef uint64_t _wire(self, uint64_t sequence) noexcept nogil
    cdef void _became(self, Gap* gap, Became what, uint64_t messages) noexcept nogil
    cdef bint _exhausted(self, Gap* gap) noexcept nogil
    cdef int64_t _last_chance(self, Gap* gap) noexcept nogil
    cdef int64_t _due(self, Gap* gap, uint64_t on_their_way) noexcept nogil
    cdef uint64_t _allowed(self) noexcept nogil
    cdef uint64_t _on_their_way(self) noexcept nogil
    cdef int64_t _patience(self, Gap* gap) noexcept nogil
    cdef void _take_back(self, Gap* gap, int64_t now_ns) noexcept
    cdef void _learn(self, Gap* gap) noexcept
    cdef int _ask(self, Gap* gap, int64_t now_ns, list asked) except -1

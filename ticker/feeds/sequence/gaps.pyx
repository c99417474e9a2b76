"""The gaps of a sequenced stream: found, filled, asked for, given up.

Law: gaps are sorted and disjoint. Bounded: past MAX_GAPS the newest gap swallows what lies
between it and the next, which then comes twice.

How a gap is asked for: not before the other line had `line_wait_ns` to fill it; then in
requests of `span` messages, at most `window` messages on their way. A server answers a request
with one packet, or some, or as many as it takes (MoldUDP64 leaves it open). What an answer
brings that stops short, silence behind it, is what requests shrink to, so that several can be
on their way; from there `span` grows while answers are whole and shrinks when one is not, which
shows when a later one comes. A gap that no message comes for is asked for again after
`timeout_ns`, `attempts` times in all. After a gap was lost so, the server is taken for gone: it is
left alone, for longer each time, and until it answers again each gap is tried once only. Requests
without an answer are paced, by so many in a second; each answer gives the right to one more.

A gap is in doubt while one packet alone says that the stream reaches beyond it: anybody may have
sent it. A second one confirms it, of the other line, or with a message in either; or an answer of
the server. One in doubt is asked for, but no message is given up for it; after `doubt_ns` it is
forgotten. None is given up while a line fills it from below. If one still does, and nothing came
from beyond for `doubt_ns`, or after four times that, it is disproved: what lies beyond was none of
this stream, or that line will bring it.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memmove

from ticker.checks cimport check
from ticker.feeds.session cimport NEVER
from ticker.shm.gaps cimport FILLED_BY_LINE, LOST_UPSTREAM, RECOVERED, WITHDRAWN, Became, GapLedger

from ticker.errors import FeedError

cdef enum:
    MOST_REQUESTS = 32         # on their way at once
    QUIET_PART = 20            # an answer has ended after this part of the timeout of silence
    MOST_MESSAGES = 65534      # of one request: what its 16 bits hold, less end of session
    BURST = 100                # requests that may be sent at once, without an answer

cdef int64_t SECOND = 1000000000
cdef int64_t FIRST_LEAVE = 500000000
cdef int64_t LONGEST_LEAVE = 60 * SECOND


cdef class Gaps:
    """Times in ns, sequences as the stream counts them. The ledger has what becomes of each gap."""

    def __cinit__(
        self, GapLedger ledger not None, rerequest: bool, line_wait_ns: int, timeout_ns: int, attempts: int, window: int,
        per_second: int, doubt_ns: int,
    ) -> None:
        if timeout_ns < 1 or attempts < 1 or window < 1 or line_wait_ns < 0 or per_second < 1:
            raise FeedError("request timeout, attempts, window and rate must be positive")
        self.ledger = ledger
        self.rerequest = rerequest
        self.line_wait_ns = line_wait_ns
        self.timeout_ns = timeout_ns
        self.quiet_ns = max(1, timeout_ns // QUIET_PART)
        self.attempts = attempts
        self.window = window
        self.widest = min(window, MOST_MESSAGES)
        self.span = self.widest
        self.doubt_ns = max(doubt_ns, timeout_ns)
        self.pace_ns = SECOND // per_second
        self.leave_ns = FIRST_LEAVE

    cdef void vouch(self, uint64_t end, uint32_t messages, int line, bint certain) noexcept nogil:
        if certain:
            self.confirmed = max(self.confirmed, end)
        elif self.said and (
            line != self.said_by
            or (messages or self.said_with) and (end != self.said or messages != self.said_with)
        ):
            self.confirmed = max(self.confirmed, min(end, self.said))
        if end >= self.said and not certain:
            self.said = end
            self.said_by = line
            self.said_with = messages

    cdef bint is_in_doubt(self, int at) noexcept nogil:
        return at < self.used and self.gaps[at].end > self.confirmed

    cdef bint is_forgotten(self, int64_t now_ns) noexcept nogil:
        return self.is_in_doubt(0) and now_ns - self.gaps[0].detected_ns >= self.doubt_ns

    cdef void drop(self, uint64_t known_end) noexcept nogil:
        """All gaps, and what was said beyond `known_end`. A server that was asked in vain, for gaps
        that were taken back at once, is left alone as if one of them were lost."""
        cdef int i
        for i in range(self.used):
            self._became(&self.gaps[i], WITHDRAWN, self.gaps[i].end - self.gaps[i].start)
            if self.now_ns - self.gaps[i].detected_ns < self.doubt_ns:
                self.vain += self.gaps[i].attempts
        self.used = self.dropped_to = self.said = 0
        self.span = self.widest
        self.confirmed = min(self.confirmed, known_end)
        if known_end and self.vain >= self.attempts:
            self.leave(self.now_ns)

    cdef int64_t leave(self, int64_t now_ns) noexcept nogil:
        self.left_until = now_ns + self.leave_ns
        self.leave_ns = min(2 * self.leave_ns, LONGEST_LEAVE)
        self.silent = True
        self.vain = 0
        return self.left_until

    cdef bint _is_left(self, int64_t now_ns) noexcept nogil:
        return now_ns < self.left_until

    cdef uint64_t take_withheld(self) noexcept nogil:
        """How often a request had to wait since the last call."""
        cdef uint64_t withheld = self.withheld
        self.withheld = 0
        return withheld

    cdef void add(self, uint64_t start, uint64_t end, int line, int64_t now_ns) noexcept nogil:
        """[start, end) is missing; it lies beyond all that is known to be missing."""
        cdef Gap* gap
        cdef uint64_t first
        check(start < end and (self.used == 0 or self.gaps[self.used - 1].end <= start))
        self.now_ns = now_ns
        if self.used and (self.used == MAX_GAPS or self.gaps[self.used - 1].end == start):
            gap = &self.gaps[self.used - 1]
            self.ledger.widened(gap.entry, self._wire(end - 1) + 1, end - gap.end)
            gap.end = end
            return
        gap = &self.gaps[self.used]
        gap.start = gap.asked_to = start
        gap.end = end
        gap.detected_ns = gap.active_ns = gap.opened_ns = now_ns
        gap.attempts = gap.answered = gap.requests = gap.below_ns = 0
        first = self._wire(start)
        gap.entry = self.ledger.found(
            first, first + end - start, self.session, self.channel, line, now_ns
        )
        self.used += 1

    cdef uint64_t _wire(self, uint64_t sequence) noexcept nogil:
        """The number as the venue writes it."""
        return (sequence - 1) % self.round + 1 if self.round else sequence

    cdef void dropped(self, uint64_t start, uint64_t end) noexcept nogil:
        cdef int i
        cdef uint64_t low, high
        start = max(start, self.dropped_to)     # the other line's copy of it is the same loss
        for i in range(self.used):
            low = max(start, self.gaps[i].start)
            high = min(end, self.gaps[i].end)
            if low < high:
                self.ledger.dropped(self.gaps[i].entry, high - low)
        self.dropped_to = max(self.dropped_to, end)

    cdef void _became(self, Gap* gap, Became what, uint64_t messages) noexcept nogil:
        if what == LOST_UPSTREAM:
            self.ledger.lost(gap.entry, messages, self.now_ns)
        else:
            self.ledger.became(gap.entry, what, messages, self.now_ns)

    cdef int64_t fill(
        self, uint64_t start, uint64_t end, bint answer, int64_t now_ns, int* closed
    ) noexcept nogil:
        """[start, end) has come. How many of these were missing; -1: there is no room to note
        it, the messages count as not come. `closed`: gaps that are no more."""
        cdef int at = 0
        cdef int64_t filled = 0
        cdef Gap* gap
        cdef uint64_t low, high
        cdef Became what = RECOVERED if answer else FILLED_BY_LINE
        closed[0] = 0
        self.now_ns = now_ns
        while at < self.used and self.gaps[at].end <= start:
            at += 1
        while at < self.used and self.gaps[at].start < end:
            gap = &self.gaps[at]
            low = max(start, gap.start)
            high = min(end, gap.end)
            if low > gap.start and high < gap.end:
                if self.used == MAX_GAPS:
                    return -1
                self._note(gap, high - low, answer, now_ns)
                self._became(gap, what, high - low)
                self._split(at, low, high, answer)
                return high - low
            filled += high - low
            self._note(gap, high - low, answer, now_ns)
            self._became(gap, what, high - low)
            if low == gap.start and high == gap.end:
                self._remove(at)
                closed[0] += 1
                continue
            if low == gap.start:
                gap.start = high
                gap.asked_to = max(gap.asked_to, high)
                gap.below_ns = gap.below_ns if answer else now_ns
                if not answer and gap.end <= self.confirmed:    # a line fills it from below
                    gap.detected_ns = gap.active_ns = now_ns
            else:
                gap.end = low
                gap.asked_to = min(gap.asked_to, low)
            at += 1
        return filled

    cdef void _note(self, Gap* gap, uint64_t messages, bint answer, int64_t now_ns) noexcept nogil:
        """A packet came for this gap."""
        if not answer:
            return
        self.silent = False
        self.vain = self.left_until = 0
        self.leave_ns = FIRST_LEAVE
        self.paid_until = max(self.paid_until - self.pace_ns, now_ns - BURST * self.pace_ns)
        gap.attempts = min(gap.attempts, 1)
        gap.active_ns = now_ns
        gap.answered += messages
        if gap.end > self.confirmed:
            # The server goes on towards an end that nothing else has confirmed yet.
            gap.detected_ns = now_ns

    cdef void _split(self, int at, uint64_t low, uint64_t high, bint answer) noexcept nogil:
        cdef Gap* left = &self.gaps[at]
        memmove(left + 2, left + 1, (self.used - at - 1) * sizeof(Gap))
        self.used += 1
        left[1] = left[0]
        left[1].start = high
        left[1].asked_to = max(left.asked_to, high)
        left.end = low
        left.asked_to = min(left.asked_to, low)
        # The requests go on in the right part. If this was an answer, the one before it was short.
        left.requests = 0
        if answer:
            self.span -= self.span // 16

    cdef void _remove(self, int at) noexcept nogil:
        check(0 <= at < self.used)
        self.used -= 1
        memmove(&self.gaps[at], &self.gaps[at + 1], (self.used - at) * sizeof(Gap))
        if not self.used:
            self.span = self.widest

    cdef void forget_below(self, uint64_t sequence, Became what) noexcept nogil:
        while self.used and self.gaps[0].end <= sequence:
            self._became(&self.gaps[0], what, self.gaps[0].end - self.gaps[0].start)
            self._remove(0)
        if self.used and self.gaps[0].start < sequence:
            self._became(&self.gaps[0], what, sequence - self.gaps[0].start)
            self.gaps[0].start = sequence
            self.gaps[0].asked_to = max(self.gaps[0].asked_to, sequence)

    cdef bint given_up(self, int64_t now_ns) noexcept nogil:
        """The first gap will not be filled. The caller goes on behind it and forgets it."""
        if not self.used:
            return False
        self.now_ns = now_ns
        self._set_back(now_ns)
        if self.is_in_doubt(0):
            return False
        if not self.rerequest or (self._is_left(now_ns) and not self.gaps[0].attempts):
            return now_ns - self.gaps[0].detected_ns >= self.timeout_ns
        if not self._exhausted(&self.gaps[0]) or now_ns - self.gaps[0].active_ns < self.timeout_ns:
            return False
        if not self._is_left(now_ns):
            self.leave(now_ns)
        return True

    cdef void _set_back(self, int64_t now_ns) noexcept nogil:
        """A clock that was set back must not hold a gap open until it is where it was."""
        cdef int i
        for i in range(self.used):
            self.gaps[i].detected_ns = min(self.gaps[i].detected_ns, now_ns)
            self.gaps[i].active_ns = min(self.gaps[i].active_ns, now_ns)
            self.gaps[i].opened_ns = min(self.gaps[i].opened_ns, now_ns)
        self.paid_until = min(self.paid_until, now_ns + self.pace_ns)
        self.left_until = min(self.left_until, now_ns + self.leave_ns)

    cdef bint _exhausted(self, Gap* gap) noexcept nogil:
        return gap.attempts >= (1 if self.silent else self.attempts)

    cdef int64_t deadline(self) noexcept nogil:
        """When something is to be asked for or given up; NEVER without a gap."""
        cdef int64_t soonest = NEVER
        cdef uint64_t on_their_way = self._on_their_way()
        cdef int i
        if not self.used:
            return NEVER
        if self.rerequest:
            for i in range(self.used):
                soonest = min(soonest, self._due(&self.gaps[i], on_their_way))
        if soonest != NEVER:
            soonest = max(soonest, max(self.left_until, self.paid_until))
        return min(soonest, self._last_chance(&self.gaps[0]))

    cdef int64_t _last_chance(self, Gap* gap) noexcept nogil:
        """When the first gap is given up or forgotten; NEVER: it is asked for before that."""
        if self.is_in_doubt(0):
            return gap.detected_ns + self.doubt_ns
        if not self.rerequest:
            return gap.detected_ns + self.timeout_ns
        if self._exhausted(gap) and (
            not gap.answered or self.left_until > gap.active_ns + self.timeout_ns
        ):
            return gap.active_ns + self.timeout_ns
        if not gap.attempts and self.left_until > gap.detected_ns + self.timeout_ns:
            return gap.detected_ns + self.timeout_ns
        return NEVER

    cdef int64_t _due(self, Gap* gap, uint64_t on_their_way) noexcept nogil:
        """When a gap is to be asked for."""
        if self._exhausted(gap) and not gap.answered:
            return NEVER
        if gap.asked_to == gap.start and not gap.attempts:
            return gap.detected_ns + self.line_wait_ns
        if gap.asked_to < gap.end and on_their_way <= self._allowed() // 2:
            return 0
        if gap.asked_to == gap.start:
            return NEVER               # its turn comes when the window has room again
        return gap.active_ns + self._patience(gap)

    cdef uint64_t _allowed(self) noexcept nogil:
        return min(self.window, self.span * MOST_REQUESTS)

    cdef uint64_t _on_their_way(self) noexcept nogil:
        cdef uint64_t messages = 0
        cdef int i
        for i in range(self.used):
            messages += self.gaps[i].asked_to - self.gaps[i].start
        return messages

    cdef bint asked(self) noexcept nogil:
        """Something is certain to be missing, and the server was asked for it."""
        return (self.used and self.gaps[0].attempts > 0
                and (self.gaps[0].answered > 0 or not self.is_in_doubt(0)))

    cdef void clear(self) noexcept nogil:
        """Another stream: nothing is missing or said of it yet. What is certain to be missing of
        the one before is lost."""
        self.forget_below(self.confirmed, LOST_UPSTREAM)
        self.drop(0)
        self.silent = False

    def requests(self, now_ns: int) -> list[tuple[int, int]]:
        """(first sequence, messages) of each request to send now; they count as sent."""
        cdef int64_t now = now_ns
        cdef int i
        asked: list[tuple[int, int]] = []
        if not self.rerequest or self._is_left(now):
            return asked
        for i in range(self.used):
            self._take_back(&self.gaps[i], now)
        for i in range(self.used):
            self._ask(&self.gaps[i], now, asked)
        return asked

    cdef void _take_back(self, Gap* gap, int64_t now_ns) noexcept:
        """What was asked for and did not come can be asked for again."""
        if gap.asked_to == gap.start or now_ns - gap.active_ns < self._patience(gap):
            return
        if gap.answered:
            self._learn(gap)
        elif self._exhausted(gap):
            return
        gap.asked_to = gap.start

    cdef int64_t _patience(self, Gap* gap) noexcept nogil:
        """Only the rest of one answer that has begun is known to be late soon."""
        if gap.answered and gap.asked_to - gap.start <= self.span:
            return self.quiet_ns
        return self.timeout_ns

    cdef void _learn(self, Gap* gap) noexcept:
        """The answers stopped short: ask for a little less than they gave."""
        if gap.requests == 1 and gap.answered < self.span:
            self.span = gap.answered - gap.answered // 8

    cdef int _ask(self, Gap* gap, int64_t now_ns, list asked) except -1:
        cdef uint64_t room, number
        cdef bint first = gap.asked_to == gap.start
        if first and not gap.attempts and now_ns - gap.detected_ns < self.line_wait_ns:
            return 0
        if first and self._exhausted(gap) and not gap.answered:
            return 0
        room = self._on_their_way()
        room = self._allowed() - room if room < self._allowed() else 0
        if not room or gap.asked_to == gap.end:
            return 0
        if self.paid_until > now_ns:
            self.withheld += 1
            return 0
        if first:
            gap.attempts = 1 if gap.answered else gap.attempts + 1
            gap.answered = gap.requests = 0
        else:
            self.span = min(self.span + self.span // 16 + 1, self.widest)
        while room and gap.asked_to < gap.end and self.paid_until <= now_ns:
            self.paid_until = max(self.paid_until, now_ns - BURST * self.pace_ns) + self.pace_ns
            number = min(self.span, room, gap.end - gap.asked_to)
            asked.append((gap.asked_to, number))
            self.ledger.requested(gap.entry)
            gap.asked_to += number
            gap.requests += number == self.span
            room -= number
        gap.active_ns = now_ns
        return 0

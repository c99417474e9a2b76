"""Numbered messages in datagrams on two lines: line arbitration, gaps, changes of session.

Law: each message of a session goes to the protocol once, in order of its sequence, whichever
line brought it first; what cannot be had is counted as lost and the stream goes on. A packet
that is not whole changes nothing. No I/O, no clock.

A session that is framed so (MoldUDP64, IEX-TP) reads its header and hands the packet to `_take`.
Behind the header are message blocks (blocks.pxd); bytes behind the last one make it a bad packet.
The blocks of a packet that brings nothing new are not looked at.

No single packet is believed, as anybody may have sent it (candidate.pyx, gaps.pyx). A packet of
another session replaces the current one when a second confirms it and nothing new of the current
one comes between. Late packets of a session that was replaced do not, but those that go on with it
do. A sender that begins again at 1 under the same name is noticed once nothing current has come for
`quiet_ns` (progress.pyx). A packet far ahead is no sign of life, and no message is given up for it
until something confirms it. A line that then stands lower again takes it back.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from ticker.checks cimport check
from ticker.feeds.sequence.answers cimport Answers
from ticker.feeds.sequence.blocks cimport blocks_fill, deliver_blocks
from ticker.feeds.sequence.candidate cimport Candidate
from ticker.feeds.sequence.gaps cimport Gaps
from ticker.feeds.sequence.past cimport PastSessions
from ticker.feeds.sequence.progress cimport Progress
from ticker.feeds.sequence.reorder cimport Held, ReorderBuffer, payload_of
from ticker.feeds.session cimport LINE_RETRANSMISSION, NEVER, Session
from ticker.shm.counters cimport (
    FEED_BAD_PACKETS, FEED_DUPLICATE_MESSAGES, FEED_GAP_MESSAGES, FEED_GAPS,
    FEED_GAPS_FILLED_BY_LINE, FEED_HEARTBEATS, FEED_LOST_MESSAGES, FEED_MESSAGES,
    FEED_OTHER_SESSION_PACKETS, FEED_RECOVERED_MESSAGES, FEED_REORDER_DROPS, FEED_REQUESTS,
    FEED_REQUESTS_WITHHELD, FEED_SESSIONS, FEED_UNCONFIRMED_PACKETS, count,
)
from ticker.shm.gaps cimport LOST_UPSTREAM

from ticker.errors import FeedError

cdef uint64_t MOST_MESSAGES = <uint64_t>1 << 40  # of a session; garbage beyond


cdef class Sequenced(Session):
    """One stream of numbered messages on lines A and B, and its re-request server if it has one. A
    subclass sets `header` and `little_endian`, and what it resumes at."""

    cdef int _set_up(self, object options) except -1:
        if options.join not in ("live", "start"):
            raise FeedError(f'join {options.join!r}: take "live" or "start"')
        self.gaps = Gaps(
            self.ledger, options.rerequest, options.line_wait_ns, options.request_timeout_ns,
            options.request_attempts, options.request_window, options.requests_per_second,
            options.quiet_ns,
        )
        self.gaps.session = self.session_words
        self.candidate, self.past, self.progress = Candidate(), PastSessions(), Progress()
        self.answers = Answers(options.rerequest)
        self.buffer = ReorderBuffer(options.buffer_bytes)
        self.from_start, self.quiet_ns = options.join == "start", options.quiet_ns
        return 0

    cdef void _resume_at(self, const uint64_t* words, uint64_t sequence) noexcept nogil:
        """Of this session, the predecessor had all before `sequence`."""
        self.resume_words[0], self.resume_words[1] = words[0], words[1]
        self.resume_sequence = sequence

    cdef bint _take(
        self, const uint64_t* words, const uint8_t* data, size_t length, uint64_t sequence,
        uint32_t messages, bint last, int line, int64_t now_ns,
    ) noexcept nogil:
        """A packet of the session `words`, `length` bytes with its header. Without messages it
        is a heartbeat; `last`: the session ends before `sequence`. True: it is whole, of the
        current session, and may have brought something new."""
        cdef uint64_t end = sequence + messages
        if line == LINE_RETRANSMISSION:
            self._count_answer(now_ns)
        if not self.anew and self._is_repeated(words, sequence, end, now_ns):
            self.progress.note(line, end)
            count(self.counters, FEED_DUPLICATE_MESSAGES, messages)
            return False
        if not 0 < sequence < MOST_MESSAGES or not self._is_whole(data, length, messages):
            count(self.counters, FEED_BAD_PACKETS, 1)
            return False
        if not (self._is_current(words, sequence, end, line, now_ns)
                or self._believes(words, data, length, sequence, messages, line, now_ns)):
            count(self.counters, FEED_OTHER_SESSION_PACKETS, 1)
            return False
        if line == LINE_RETRANSMISSION and self.answers.connected and sequence > self.known_end:
            return False
        self.progress.note(line, end)
        if now_ns >= self.deadline:
            self._give_up(now_ns)
        if self.candidate.packets and sequence <= self.next_expected_sequence < end:
            self.candidate.forget()
        if messages:
            self._blocks(data, length, sequence, messages, line, now_ns)
        else:
            count(self.counters, FEED_HEARTBEATS, 1)
            self._reach(sequence, line, now_ns)
            if sequence > self.next_expected_sequence:
                self._vouch(sequence, 0, line, now_ns)
            self.ending = last    # with a heartbeat behind its end, a session is not over
            self.end_sequence = sequence
        if (self.gaps.used == 1 and not self.buffer.used and end <= self.next_expected_sequence
                and self.progress.takes_back(line, end)) or self.gaps.is_disproved(now_ns):
            self._withdraw()
        if self.ending or self.ended or self.gaps.used or self.deadline != NEVER:
            self._settle()
        return True

    cdef bint _is_whole(self, const uint8_t* data, size_t length, uint32_t blocks) noexcept nogil:
        """Else it is no packet of this stream, and none of it is believed."""
        check(length >= self.header)
        return blocks_fill(data, length, self.header, self.little_endian, blocks)

    cdef bint _is_repeated(
        self, const uint64_t* words, uint64_t sequence, uint64_t end, int64_t now_ns
    ) noexcept nogil:
        """Nothing in it is new, as with every packet of the slower line: not worth a look."""
        if not self.joined or not same(words, self.session_words) or not 0 < sequence < end:
            return False
        if end == self.next_expected_sequence:
            self.last_packet_ns = now_ns
            return True
        return (end < self.next_expected_sequence and not self.progress.unsteady
                and now_ns - self.last_packet_ns < self.quiet_ns)

    # -- which stream ------------------------------------------------------------------------

    cdef bint _is_current(
        self, const uint64_t* words, uint64_t sequence, uint64_t end, int line, int64_t now_ns
    ) noexcept nogil:
        """Whether the packet belongs to the current stream, which the first one begins."""
        if self.joined and not self.anew and same(words, self.session_words):
            if end >= self.next_expected_sequence:
                if sequence <= self.next_expected_sequence and line != LINE_RETRANSMISSION:
                    self.last_packet_ns = now_ns
                return True
            return not self.progress.stands_behind(
                line, end, self.last_packet_ns, self.quiet_ns, now_ns)
        if self.joined or line == LINE_RETRANSMISSION or self.candidate.packets:
            return False
        self._join(words, sequence)
        self.progress.unsteady = self.next_expected_sequence == sequence
        self.progress.unsteady_at = end
        self.last_packet_ns = now_ns
        return True

    cdef bint _believes(
        self, const uint64_t* words, const uint8_t* data, size_t length, uint64_t sequence,
        uint32_t messages, int line, int64_t now_ns,
    ) noexcept nogil:
        """A packet says that another stream has begun, or this one again: whether it has. If so,
        the packets before it are taken."""
        cdef bint alive = (self.joined and not same(words, self.session_words)
                           and now_ns - self.last_packet_ns < self.quiet_ns)
        if line == LINE_RETRANSMISSION or alive and sequence + messages <= self.past.next_of(words):
            return False
        if self.candidate.confirmed_by(
            words, sequence, messages, line, alive and not self.ended, self.quiet_ns, now_ns
        ) or not self.joined:
            self._change(words, sequence, now_ns)
            return True
        count(self.counters, FEED_UNCONFIRMED_PACKETS, 1)
        if messages:
            self.candidate.hold(data, length, sequence, messages, now_ns)
        return False

    cdef void _change(self, const uint64_t* words, uint64_t sequence, int64_t now_ns) noexcept nogil:
        """To the candidate; what is held of it is taken."""
        cdef uint64_t first = self.candidate.first
        cdef Held* packet
        self.gaps.now_ns = now_ns
        if not self.joined or (self.progress.unsteady and not self.anew
                               and same(words, self.session_words)
                               and now_ns - self.last_packet_ns < self.quiet_ns):
            self._join(words, first)
        else:
            self._replace(words)
            self.joined_at = sequence
        self.gaps.confirmed = first
        self.last_packet_ns = now_ns
        packet = self.candidate.held.take(<uint64_t>-1)
        while packet != NULL:
            self._blocks(
                payload_of(packet), packet.length, packet.sequence, packet.count, 0,
                packet.receive_time,
            )
            self.candidate.held.release(packet)
            packet = self.candidate.held.take(<uint64_t>-1)
        self.candidate.forget()

    cdef void _join(self, const uint64_t* words, uint64_t sequence) noexcept nogil:
        if not self.joined and not same(words, self.session_words):
            self.leave_session()  # which an image was of, if one was restored
        self.joined = True
        self.joined_at = sequence
        if self.resume_sequence and same(words, self.resume_words):
            self._begin(words, self.resume_sequence)
            return
        self.protocol.begin()
        self._begin(words, 1 if self.from_start else sequence)

    cdef void _replace(self, const uint64_t* words) noexcept nogil:
        """Another stream from here on: from 1, or from where it stood when it was left. Nothing will
        fill the gaps of the one before, so what waits behind those that are certain is taken."""
        cdef uint64_t sequence = 1
        while self.gaps.used and not self.gaps.is_in_doubt(0):
            self._lose()
        if not same(words, self.session_words):
            sequence = max(sequence, self.past.next_of(words))
            self.past.put(self.session_words, self.next_expected_sequence)
            self.leave_session()
        self.protocol.begin()
        self._begin(words, sequence)

    cdef void _begin(self, const uint64_t* words, uint64_t sequence) noexcept nogil:
        count(self.counters, FEED_SESSIONS, 1)
        self.gaps.clear()
        self.buffer.clear()
        self.session_words[0], self.session_words[1] = words[0], words[1]
        self.next_expected_sequence = sequence
        self.known_end = sequence
        self.progress.begin()
        self.ending = False
        self._settle()

    # -- messages ----------------------------------------------------------------------------

    cdef void _reach(self, uint64_t sequence, int line, int64_t now_ns) noexcept nogil:
        """The stream is known to reach up to here: what lies between is missing."""
        if sequence > self.known_end:
            count(self.counters, FEED_GAPS, 1)
            count(self.counters, FEED_GAP_MESSAGES, sequence - self.known_end)
            self.gaps.add(self.known_end, sequence, line, now_ns)
            self.known_end = sequence

    cdef void _blocks(
        self, const uint8_t* data, size_t length, uint64_t sequence, uint32_t blocks, int line,
        int64_t now_ns,
    ) noexcept nogil:
        cdef uint64_t end = sequence + blocks
        if self.gaps.used or sequence > self.next_expected_sequence:
            self._blocks_with_gaps(data, length, sequence, blocks, line, now_ns)
        elif end <= self.next_expected_sequence:
            count(self.counters, FEED_DUPLICATE_MESSAGES, blocks)
        else:
            count(self.counters, FEED_DUPLICATE_MESSAGES, self.next_expected_sequence - sequence)
            self._deliver(data, sequence, blocks, line, now_ns)
            self.known_end = end

    cdef void _blocks_with_gaps(
        self, const uint8_t* data, size_t length, uint64_t sequence, uint32_t blocks, int line,
        int64_t now_ns,
    ) noexcept nogil:
        cdef bint answer = line == LINE_RETRANSMISSION
        cdef bint early = sequence > self.next_expected_sequence
        cdef uint64_t end = sequence + blocks
        cdef uint64_t fresh
        cdef int64_t filled
        cdef int closed
        cdef Held* packet = NULL
        self._reach(sequence, line, now_ns)
        self._vouch(sequence, blocks, line, now_ns)
        if early:
            packet = self.buffer.reserve(length)
            if packet == NULL:
                self._drop(sequence, end, line, now_ns)
                return
        fresh = end - self.known_end if end > self.known_end else 0
        filled = self.gaps.fill(sequence, min(end, self.known_end), answer, now_ns, &closed)
        if filled < 0:
            count(self.counters, FEED_REORDER_DROPS, 1)
            self.gaps.dropped(sequence, end)
            self.buffer.release(packet)
            return
        count(self.counters, FEED_DUPLICATE_MESSAGES, blocks - fresh - <uint64_t>filled)
        if answer:
            if filled:
                self.answers.useless = 0
            count(self.counters, FEED_RECOVERED_MESSAGES, <uint64_t>filled)
        elif closed:
            count(self.counters, FEED_GAPS_FILLED_BY_LINE, closed)
        self.known_end = max(self.known_end, end)
        if not fresh and not filled:
            if packet != NULL:
                self.buffer.release(packet)
        elif early:
            self.buffer.hold(packet, sequence, blocks, data, line, now_ns)
        else:
            self._deliver(data, sequence, blocks, line, now_ns)
            self._drain()

    cdef void _vouch(
        self, uint64_t sequence, uint32_t messages, int line, int64_t now_ns
    ) noexcept nogil:
        """A packet says how far the stream reaches. With what another said, it may be certain."""
        if line != LINE_RETRANSMISSION and sequence > self.next_expected_sequence:
            self.gaps.beyond_ns = now_ns
        self.gaps.vouch(
            sequence + messages, messages, line,
            line == LINE_RETRANSMISSION and self.answers.connected)
        if line != LINE_RETRANSMISSION and sequence <= self.gaps.confirmed:
            self.last_packet_ns = now_ns

    cdef void _count_answer(self, int64_t now_ns) noexcept nogil:
        if self.answers.are_too_many(now_ns):
            self.ignore_until = self.left_until = self.gaps.leave(now_ns)

    cdef void _drop(self, uint64_t sequence, uint64_t end, int line, int64_t now_ns) noexcept nogil:
        """The buffer is full: the newest packet becomes part of what is missing."""
        count(self.counters, FEED_REORDER_DROPS, 1)
        if end > self.known_end:
            self.gaps.add(self.known_end, end, line, now_ns)
            self.known_end = end
        self.gaps.dropped(sequence, end)

    cdef void _deliver(
        self, const uint8_t* data, uint64_t sequence, uint32_t blocks, int line, int64_t received
    ) noexcept nogil:
        """The messages from next_expected_sequence on; the packet is whole and reaches it."""
        cdef uint32_t known = <uint32_t>(self.next_expected_sequence - sequence)
        cdef uint32_t left = blocks - known
        check(sequence <= self.next_expected_sequence < sequence + blocks)
        self._number(self.next_expected_sequence, line, 0)
        deliver_blocks(self.protocol, data + self.header, known, left, self.little_endian, received)
        self.next_expected_sequence += left
        count(self.counters, FEED_MESSAGES, left)

    cdef void _drain(self) noexcept nogil:
        """Packets whose turn has come."""
        cdef Held* packet = self.buffer.take(self.next_expected_sequence)
        while packet != NULL:
            if packet.sequence + packet.count > self.next_expected_sequence:
                self._deliver(
                    payload_of(packet), packet.sequence, packet.count, <int>packet.line,
                    packet.receive_time,
                )
            self.buffer.release(packet)
            packet = self.buffer.take(self.next_expected_sequence)
        self.gaps.forget_below(self.next_expected_sequence, LOST_UPSTREAM)
        check(self.gaps.used or self.known_end == self.next_expected_sequence)

    # -- what does not come ------------------------------------------------------------------

    cdef void _lose(self) noexcept nogil:
        """Go on behind the first gap."""
        cdef uint64_t end = self.gaps.gaps[0].end
        count(self.counters, FEED_LOST_MESSAGES, end - self.next_expected_sequence)
        self.next_expected_sequence = end
        self._drain()

    cdef void _give_up(self, int64_t now_ns) noexcept nogil:
        while self.gaps.given_up(now_ns):
            self._lose()
        if self.gaps.is_forgotten(now_ns):
            self._withdraw()
        self._settle()

    cdef void _withdraw(self) noexcept nogil:
        """Nothing holds of what was said of how far the stream reaches."""
        count(self.counters, FEED_UNCONFIRMED_PACKETS, max(self.buffer.clear(), <uint64_t>1))
        self.known_end = self.next_expected_sequence
        self.joined_at = min(self.joined_at, self.known_end)
        self.gaps.drop(self.known_end)

    cdef void finish(self, int64_t now_ns) noexcept nogil:
        if self.candidate.brought and self.joined:
            # Nothing will come any more that could speak against it.
            self._change(self.candidate.words, self.candidate.first, now_ns)
        self.gaps.now_ns = now_ns
        while self.gaps.used:
            self._lose()
        self._settle()

    cdef void _settle(self) noexcept nogil:
        """What follows from the gaps: the deadline, and whether the session is over."""
        self.deadline = self.gaps.deadline()
        self.left_until = self.gaps.left_until
        self.recovering = self.gaps.asked()
        self.ending = self.ending and self.next_expected_sequence <= self.end_sequence
        self.ended = self.ending and self.next_expected_sequence == self.end_sequence

    def data_to_send(self, now_ns: int) -> list[bytes]:
        """Requests for the re-request server, if the session has one; each counts as sent.

        Gaps that were asked for in vain, as often as the options say, or waited for long enough
        without a server, are given up here.
        """
        self._give_up(now_ns)
        requests = self.gaps.requests(now_ns)
        count(self.counters, FEED_REQUESTS, len(requests))
        count(self.counters, FEED_REQUESTS_WITHHELD, self.gaps.take_withheld())
        self._settle()
        return [self.request(sequence, messages) for sequence, messages in requests]

    def request(self, sequence: int, messages: int) -> bytes:
        """The request for so many messages from `sequence` on; only where there is a server."""
        raise FeedError(f"{type(self).__name__} asks for nothing")

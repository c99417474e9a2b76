"""Numbered messages in datagrams on two lines: line arbitration, gaps, changes of session.

Law: each message of a session goes to the protocol once, in order of its sequence, whichever
line brought it first; what cannot be had is counted as lost and the stream goes on. A packet
that is not whole changes nothing. No I/O, no clock.

A session that is framed so (MoldUDP64, IEX-TP) reads its header and hands the packet to
`_take`; behind the header are message blocks, each a length of two bytes and a message. Bytes
behind the last block make it a bad packet; the blocks of one that brings nothing new are not
looked at.

A packet of another session replaces the current one when it begins at 1, when the current one
has ended or is quiet, or when it is the third in a row; late packets of a session that was
replaced do not. A sender that begins again at 1 under the same name is noticed once nothing
current has come for `quiet_ns` and a line goes back behind what it brought itself: a slower line
whose packets lay in its socket while the process stood still has only not got there yet.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memmove

from ticker.checks cimport check
from ticker.feeds.sequence.gaps cimport Gaps
from ticker.feeds.protocol cimport Protocol
from ticker.feeds.sequence.reorder cimport Held, ReorderBuffer, payload_of
from ticker.feeds.session cimport LINE_RETRANSMISSION, NEVER, Session
from ticker.shm.counters cimport (
    FEED_BAD_PACKETS,
    FEED_DUPLICATE_MESSAGES,
    FEED_GAP_MESSAGES,
    FEED_GAPS,
    FEED_GAPS_FILLED_BY_LINE,
    FEED_HEARTBEATS,
    FEED_LOST_MESSAGES,
    FEED_MESSAGES,
    FEED_OTHER_SESSION_PACKETS,
    FEED_RECOVERED_MESSAGES,
    FEED_REORDER_DROPS,
    FEED_REQUESTS,
    FEED_SESSIONS,
    count,
)
from ticker.shm.header cimport Mapping

from ticker.errors import FeedError
from ticker.feeds.session import SessionOptions

cdef enum:
    LEAD = 12                      # messages that the protocol hears of before they come
    PACKETS_TO_REPLACE = 3
    PAST_SESSIONS = 8

# No session has as many messages; a number above it is garbage, not a gap.
cdef uint64_t MOST_MESSAGES = <uint64_t>1 << 40


cdef class Sequenced(Session):
    """One stream of numbered messages on lines A and B, and its re-request server if it has one.

    A subclass sets `header` and `little_endian`, and what it resumes at.
    """

    def __init__(
        self, Protocol protocol not None, Mapping mapping not None,
        options: SessionOptions | None = None,
    ) -> None:
        super().__init__(protocol, mapping, options)
        options = options or SessionOptions()
        if options.join not in ("live", "start"):
            raise FeedError(f'join {options.join!r}: take "live" or "start"')
        self.gaps = Gaps(
            options.rerequest, options.line_wait_ns, options.request_timeout_ns,
            options.request_attempts, options.request_window,
        )
        self.buffer = ReorderBuffer(options.buffer_bytes)
        self.from_start = options.join == "start"
        self.quiet_ns = options.quiet_ns

    cdef void _resume_at(self, const uint64_t* words, uint64_t sequence) noexcept nogil:
        """Of this session, the predecessor had all before `sequence`."""
        self.resume_words[0] = words[0]
        self.resume_words[1] = words[1]
        self.resume_sequence = sequence

    cdef bint _take(
        self, const uint64_t* words, const uint8_t* data, size_t length, uint64_t sequence,
        uint32_t messages, bint last, int line, int64_t now_ns,
    ) noexcept nogil:
        """A packet of the session `words`, `length` bytes with its header. Without messages it
        is a heartbeat; `last`: the session ends before `sequence`. True: it is whole, of the
        current session, and may have brought something new."""
        cdef uint64_t end = sequence + messages
        if self._is_repeated(words, sequence, end, now_ns):
            self._note_line(line, end)
            count(self.counters, FEED_DUPLICATE_MESSAGES, messages)
            return False
        if not 0 < sequence < MOST_MESSAGES or not self._is_whole(data, length, messages):
            count(self.counters, FEED_BAD_PACKETS, 1)
            return False
        if not self._is_current(words, sequence, end, line, now_ns):
            count(self.counters, FEED_OTHER_SESSION_PACKETS, 1)
            return False
        self._note_line(line, end)
        if now_ns >= self.deadline:
            self._give_up(now_ns)
        if messages:
            self._blocks(data, length, sequence, messages, line, now_ns)
        else:
            count(self.counters, FEED_HEARTBEATS, 1)
            self._reach(sequence, now_ns)
            if last:
                self.ending = True
                self.end_sequence = sequence
        if self.ending or self.gaps.used or self.deadline != NEVER:
            self._settle()
        return True

    cdef bint _is_whole(self, const uint8_t* data, size_t length, uint32_t blocks) noexcept nogil:
        """The message blocks fill the packet exactly: what does not add up is no packet of this
        stream, and none of it is believed."""
        cdef size_t at = self.header
        cdef uint32_t i
        check(length >= at)
        for i in range(blocks):
            if length - at < 2:
                return False
            at += 2 + block_length(data + at, self.little_endian)
            if at > length:
                return False
        return at == length

    cdef bint _is_repeated(
        self, const uint64_t* words, uint64_t sequence, uint64_t end, int64_t now_ns
    ) noexcept nogil:
        """Nothing in it is new, as with every packet of the slower line: not worth a look."""
        if not self.joined or not same(words, self.session_words) or not 0 < sequence < end:
            return False
        if end == self.next_expected_sequence:
            self.last_packet_ns = now_ns
            return True
        return (end < self.next_expected_sequence
                and now_ns - self.last_packet_ns < self.quiet_ns)

    # -- which stream ------------------------------------------------------------------------

    cdef bint _is_current(
        self, const uint64_t* words, uint64_t sequence, uint64_t end, int line, int64_t now_ns
    ) noexcept nogil:
        """Whether the packet belongs to the current stream, which it may begin or replace."""
        cdef bint known = self.joined and same(words, self.session_words)
        cdef bint quiet = now_ns - self.last_packet_ns >= self.quiet_ns
        if known and end >= self.next_expected_sequence:
            self.last_packet_ns = now_ns
            return True
        if known and not (quiet and self._goes_back(line, end)):
            return True
        if line == LINE_RETRANSMISSION:
            return False
        if not self.joined:
            self._join(words, sequence)
        elif known or quiet or self._may_replace(words, sequence):
            self._replace(words)
            self.joined_at = sequence
        else:
            return False
        self.last_packet_ns = now_ns
        return True

    cdef void _note_line(self, int line, uint64_t end) noexcept nogil:
        if 0 <= line < 2 and end > self.line_end[line]:
            self.line_end[line] = end

    cdef bint _goes_back(self, int line, uint64_t end) noexcept nogil:
        return 0 <= line < 2 and end < self.line_end[line]

    cdef bint _may_replace(self, const uint64_t* words, uint64_t sequence) noexcept nogil:
        cdef int i
        for i in range(self.past_used):
            if same(words, self.past[i].words):
                return False
        if self.ended or sequence == 1:
            return True
        if not same(words, self.candidate):
            self.candidate[0] = words[0]
            self.candidate[1] = words[1]
            self.candidate_packets = 0
        self.candidate_packets += 1
        return self.candidate_packets >= PACKETS_TO_REPLACE

    cdef void _join(self, const uint64_t* words, uint64_t sequence) noexcept nogil:
        self.joined = True
        self.joined_at = sequence
        if self.resume_sequence and same(words, self.resume_words):
            sequence = self.resume_sequence
            self._begin(words, sequence)
            return
        self.protocol.begin()
        self._begin(words, 1 if self.from_start else sequence)

    cdef void _replace(self, const uint64_t* words) noexcept nogil:
        """Another stream from here on: from 1, or from where it stood when it was left."""
        cdef uint64_t sequence = 1
        cdef Stream left
        cdef int i
        left.words[0] = self.session_words[0]
        left.words[1] = self.session_words[1]
        left.next_sequence = self.next_expected_sequence
        if not same(words, self.session_words):
            for i in range(self.past_used):
                if same(words, self.past[i].words):
                    sequence = self.past[i].next_sequence
            memmove(&self.past[1], &self.past[0], (PAST_SESSIONS - 1) * sizeof(Stream))
            self.past[0] = left
            self.past_used = min(self.past_used + 1, PAST_SESSIONS)
        self.protocol.begin()
        self._begin(words, sequence)

    cdef void _begin(self, const uint64_t* words, uint64_t sequence) noexcept nogil:
        count(self.counters, FEED_SESSIONS, 1)
        self.gaps.clear()
        self.buffer.clear()
        self.session_words[0] = words[0]
        self.session_words[1] = words[1]
        self.next_expected_sequence = sequence
        self.known_end = sequence
        self.line_end[0] = self.line_end[1] = 0
        self.ending = False
        self.candidate_packets = 0
        self._settle()

    # -- messages ----------------------------------------------------------------------------

    cdef void _reach(self, uint64_t sequence, int64_t now_ns) noexcept nogil:
        """The stream is known to reach up to here: what lies between is missing."""
        if sequence > self.known_end:
            count(self.counters, FEED_GAPS, 1)
            count(self.counters, FEED_GAP_MESSAGES, sequence - self.known_end)
            self.gaps.add(self.known_end, sequence, now_ns)
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
            self._deliver(data, sequence, blocks, now_ns)
            self.known_end = end

    cdef void _blocks_with_gaps(
        self, const uint8_t* data, size_t length, uint64_t sequence, uint32_t blocks, int line,
        int64_t now_ns,
    ) noexcept nogil:
        cdef bint answer = line == LINE_RETRANSMISSION
        cdef bint early = sequence > self.next_expected_sequence
        cdef uint64_t end = sequence + blocks
        cdef uint64_t known = self.known_end
        cdef uint64_t fresh
        cdef int64_t filled
        cdef int closed
        cdef Held* packet = NULL
        self._reach(sequence, now_ns)
        if early:
            packet = self.buffer.reserve(length)
            if packet == NULL:
                self._drop(end, now_ns)
                return
        fresh = end - self.known_end if end > self.known_end else 0
        filled = self.gaps.fill(sequence, min(end, self.known_end), answer, now_ns, &closed)
        if filled < 0:
            count(self.counters, FEED_REORDER_DROPS, 1)
            self.buffer.release(packet)
            return
        count(self.counters, FEED_DUPLICATE_MESSAGES, blocks - fresh - <uint64_t>filled)
        if answer:
            count(self.counters, FEED_RECOVERED_MESSAGES, <uint64_t>filled)
        elif closed:
            count(self.counters, FEED_GAPS_FILLED_BY_LINE, closed)
        self.known_end = max(self.known_end, end)
        if not fresh and not filled:
            if packet != NULL:
                self.buffer.release(packet)
        elif early:
            self.buffer.hold(packet, sequence, blocks, data, now_ns)
        else:
            self._deliver(data, sequence, blocks, now_ns)
            self._drain()

    cdef void _drop(self, uint64_t end, int64_t now_ns) noexcept nogil:
        """The buffer is full: the newest packet becomes part of what is missing."""
        count(self.counters, FEED_REORDER_DROPS, 1)
        if end > self.known_end:
            self.gaps.add(self.known_end, end, now_ns)
            self.known_end = end

    cdef void _deliver(
        self, const uint8_t* data, uint64_t sequence, uint32_t blocks, int64_t receive_time
    ) noexcept nogil:
        """The messages from next_expected_sequence on; the packet is whole and reaches it."""
        cdef const uint8_t* at = data + self.header
        cdef const uint8_t* ahead
        cdef bint little = self.little_endian
        cdef uint32_t i, left, announced
        cdef size_t length
        check(sequence <= self.next_expected_sequence < sequence + blocks)
        left = blocks - <uint32_t>(self.next_expected_sequence - sequence)
        for i in range(blocks - left):
            at += 2 + block_length(at, little)
        ahead = at
        announced = min(left, <uint32_t>LEAD)
        for i in range(announced):
            length = block_length(ahead, little)
            self.protocol.announce(ahead + 2, length)
            ahead += 2 + length
        for i in range(left):
            if announced < left:
                length = block_length(ahead, little)
                self.protocol.announce(ahead + 2, length)
                ahead += 2 + length
                announced += 1
            length = block_length(at, little)
            self.protocol.message(at + 2, length, receive_time)
            at += 2 + length
        self.next_expected_sequence += left
        count(self.counters, FEED_MESSAGES, left)

    cdef void _drain(self) noexcept nogil:
        """Packets whose turn has come."""
        cdef Held* packet = self.buffer.take(self.next_expected_sequence)
        while packet != NULL:
            if packet.sequence + packet.count > self.next_expected_sequence:
                self._deliver(
                    payload_of(packet), packet.sequence, packet.count, packet.receive_time
                )
            self.buffer.release(packet)
            packet = self.buffer.take(self.next_expected_sequence)
        self.gaps.forget_below(self.next_expected_sequence)
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
        self._settle()

    cdef void finish(self, int64_t now_ns) noexcept nogil:
        while self.gaps.used:
            self._lose()
        self._settle()

    cdef void _settle(self) noexcept nogil:
        """What follows from the gaps: the deadline, and whether the session is over."""
        self.deadline = self.gaps.deadline()
        self.recovering = self.gaps.asked()
        if self.ending and self.next_expected_sequence > self.end_sequence:
            self.ending = False
        self.ended = self.ending and self.next_expected_sequence == self.end_sequence

    def data_to_send(self, now_ns: int) -> list[bytes]:
        """Requests for the re-request server, if the session has one; each counts as sent.

        Gaps that were asked for in vain, as often as the options say, or waited for long enough
        without a server, are given up here.
        """
        self._give_up(now_ns)
        requests = self.gaps.requests(now_ns)
        count(self.counters, FEED_REQUESTS, len(requests))
        self._settle()
        return [self.request(sequence, messages) for sequence, messages in requests]

    def request(self, sequence: int, messages: int) -> bytes:
        """The request for so many messages from `sequence` on; only where there is a server."""
        raise FeedError(f"{type(self).__name__} asks for nothing")

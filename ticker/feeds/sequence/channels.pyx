"""Several streams of numbered messages in one session, each by itself.

Law: as in sequenced.pyx, for each stream. One that counts from its first number again while all
others are quiet begins a new session; while one of them is not, only this stream begins anew.
No I/O, no clock.
"""

from libc.stdint cimport int64_t, uint64_t

from ticker.feeds.session cimport LINE_RETRANSMISSION, NEVER

from dataclasses import replace


cdef enum:
    LEAST_BUFFER = 1 << 18         # bytes of each stream


cdef class Channel(Sequenced):
    """One stream: its lines and its gaps. A subclass sets `first`, if that is not 1."""

    def __init__(self, Channels feed not None, number: int) -> None:
        super().__init__(feed.protocol, feed.mapping, feed.options, feed.ledger)
        self.owner = feed
        self.number = number
        self.gaps.channel = number + 1
        self.first = 1
        # Answers come by lines that anybody can send to.
        self.answers.connected = False

    cdef bint is_quiet(self, int64_t now_ns) noexcept nogil:
        return now_ns - self.last_packet_ns >= self.quiet_ns

    cdef void _join(self, const uint64_t* words, uint64_t sequence) noexcept nogil:
        self.joined = True
        self.joined_at = sequence
        self.owner._joined()
        self._begin(words, self.first if self.from_start else sequence)

    cdef void leave(self) noexcept nogil:
        """The next packet joins anew, with those that are held."""
        self.joined = False
        self.gaps.clear()
        self.buffer.clear()
        self.known_end = self.next_expected_sequence
        self._settle()


cdef class Channels(Session):
    """All streams of one feed. `next_expected_sequence` only counts packets that brought
    something. A successor begins anew: several streams have no one number.

    Of `buffer_bytes` each stream has an eighth.
    """

    cdef int _set_up(self, object options) except -1:
        self.options = replace(
            options, resume=None, buffer_bytes=max(options.buffer_bytes // 8, LEAST_BUFFER)
        )
        self.known = []
        self.next_expected_sequence = 1
        return 0

    cdef Channel _make(self, int number):
        """The stream of a number that was not heard of before."""
        return Channel(self, number)

    cdef bint _ready(self, int number) noexcept nogil:
        """There is a stream of this number."""
        return self.streams[number] != NULL or self._create(number)

    cdef bint _create(self, int number) noexcept with gil:
        try:
            stream = self._make(number)
        except MemoryError:
            return False
        self.known.append(stream)
        self.streams[number] = <void*>stream
        self.numbers[self.used] = number
        self.used += 1
        return True

    cdef void _took(
        self, int number, uint64_t before, int64_t deadline, int line, int64_t now_ns
    ) noexcept nogil:
        """A stream has taken a packet; until then it stood `before` and had this deadline."""
        if (<Channel>self.streams[number]).next_expected_sequence != before:
            self.next_expected_sequence += 1
        if (line != LINE_RETRANSMISSION
                and (<Channel>self.streams[number]).last_packet_ns == now_ns):
            self.last_packet_ns = now_ns
        if (deadline != NEVER or (<Channel>self.streams[number]).deadline != NEVER
                or self.ended != (<Channel>self.streams[number]).ended):
            self._settle()

    cdef void _joined(self) noexcept nogil:
        """The first stream was joined: a session begins for the protocol."""
        if not self.started:
            self.started = True
            self.protocol.begin()

    cdef void _began_again(self, Channel stream, int64_t now_ns) noexcept nogil:
        """A stream counts from its first number: with all of them, or by itself."""
        cdef int i, number
        for i in range(self.used):
            number = self.numbers[i]
            if (number != stream.number and (<Channel>self.streams[number]).joined
                    and not (<Channel>self.streams[number]).is_quiet(now_ns)):
                self._clear_channel(stream, now_ns)
                return
        self.protocol.begin()
        for i in range(self.used):
            if self.numbers[i] != stream.number:
                (<Channel>self.streams[self.numbers[i]]).leave()

    cdef void _clear_channel(self, Channel stream, int64_t now_ns) noexcept nogil:
        """Tell the protocol that this stream's orders are gone, as the venue itself would."""

    cdef void _settle(self) noexcept nogil:
        """The soonest deadline of all streams, and what is true of any or of all of them."""
        cdef int i, number
        cdef int64_t deadline = NEVER
        cdef int64_t left_until = 0
        cdef bint recovering = False
        cdef bint ended = self.used > 0
        for i in range(self.used):
            number = self.numbers[i]
            deadline = min(deadline, (<Channel>self.streams[number]).deadline)
            left_until = max(left_until, (<Channel>self.streams[number]).left_until)
            recovering = recovering or (<Channel>self.streams[number]).recovering
            ended = ended and (<Channel>self.streams[number]).ended
        self.deadline = deadline
        self.left_until = left_until
        self.recovering = recovering
        self.ended = ended

    cdef void finish(self, int64_t now_ns) noexcept nogil:
        cdef int i
        for i in range(self.used):
            (<Channel>self.streams[self.numbers[i]]).finish(now_ns)
        self.next_expected_sequence += 1
        self._settle()

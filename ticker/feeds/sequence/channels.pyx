"""Several streams of numbered messages in one session, each by itself.

Law: as in sequenced.pyx, for each stream. One that counts from its first number again while all
others are quiet begins a new session; while one of them is not, only this stream begins anew.
No I/O, no clock.

A successor with an image of its predecessor's state goes on where the streams of the image stood:
what came since is a gap of each. It has caught up when each stream has reached what its predecessor
had, which is in memory that outlives both (`places`), and what its first packet says.
"""

from libc.stdint cimport UINT64_MAX, int64_t, uint64_t

from ticker.feeds.session cimport LINE_RETRANSMISSION, NEVER
from ticker.shm.atomics cimport load_relaxed, store_release
from ticker.shm.counters cimport FEED_LOST_MESSAGES, count
from ticker.shm.gaps cimport LOST_UPSTREAM

import struct
from dataclasses import replace

from ticker.errors import FeedError

cdef enum:
    LEAST_BUFFER = 1 << 18         # bytes of each stream

# Of an image: how often a stream began again; then of each stream number, flags, place, and when
# its sender began to count.
STATE_HEAD = struct.Struct("=Q")
STATE = struct.Struct("=HHQq")

# How long what came since the predecessor's image waits for a connection to the server that has it.
cdef int64_t PATIENCE = 2_000_000_000


def beginnings_of(state: bytes) -> int:
    """How often one of the streams had begun again when an image said this of them."""
    return STATE_HEAD.unpack_from(state)[0] if len(state) >= STATE_HEAD.size else 0


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
        if self.resumes_at:
            self._begin(words, self.resumes_at)
        else:
            self._begin(words, self.first if self.from_start else sequence)

    cdef void _begin(self, const uint64_t* words, uint64_t sequence) noexcept nogil:
        if not self.resumes_at:
            self.caught_up_at = 0
        elif not self.gaps.rerequest:
            self.asks_from = self.arrived_ns + PATIENCE
        self.resumes_at = 0
        Sequenced._begin(self, words, sequence)

    cdef int image_flags(self) noexcept nogil:
        return 0

    cdef uint64_t told_until(self) noexcept nogil:
        cdef uint64_t place = 0
        if self.owner.places != NULL:
            place = load_relaxed(&self.owner.places[self.number])
        return place if place else UINT64_MAX

    cdef void resume(self, uint64_t place, int flags, uint64_t reached) noexcept nogil:
        """The next packet joins, and what lies between this place and it is a gap."""
        self.resumes_at = self.next_expected_sequence = self.known_end = place
        self.caught_up_at = max(place, reached)

    cdef void leave(self) noexcept nogil:
        """The next packet joins anew, with those that are held."""
        self.joined = False
        self.resumes_at = self.caught_up_at = 0
        self.gaps.clear()
        self.buffer.clear()
        self.known_end = self.next_expected_sequence
        self._settle()

    # -- what does not come ------------------------------------------------------------------

    cdef void _give_up(self, int64_t now_ns) noexcept nogil:
        if now_ns >= self.asks_from:
            Sequenced._give_up(self, now_ns)

    cdef void _settle(self) noexcept nogil:
        Sequenced._settle(self)
        if self.deadline != NEVER:
            self.deadline = max(self.deadline, self.asks_from)

    def data_to_send(self, now_ns: int) -> list[bytes]:
        return Sequenced.data_to_send(self, now_ns) if now_ns >= self.asks_from else []

    cdef void _hurt(self, uint64_t position) noexcept nogil:
        pass

    cdef void _go_on_at(self, uint64_t position) noexcept nogil:
        self.next_expected_sequence = position
        self.known_end = max(self.known_end, position)
        self.gaps.forget_below(position, LOST_UPSTREAM)
        self._drain()
        self._settle()

    cdef bint refuse_range(self, uint64_t start, uint64_t end, int64_t now_ns) noexcept nogil:
        cdef bint any_lost = False
        self.gaps.now_ns = now_ns
        # Only from the first gap on can the stream go on; what is refused behind it waits for
        # its turn and is then refused again.
        while (self.gaps.used and self.gaps.gaps[0].start < end
                and self.gaps.gaps[0].end > start):
            if self.gaps.is_in_doubt(0):
                # It has none of these, and one packet alone said that there are any.
                self._withdraw()
            elif self.gaps.gaps[0].end > end:
                count(self.counters, FEED_LOST_MESSAGES, end - self.next_expected_sequence)
                self._hurt(end)
                self._go_on_at(end)
            else:
                self._lose()
            any_lost = True
        self._settle()
        return any_lost

    def ask_for_fewer(self, messages: int) -> None:
        """The server sends less than so many messages for one request. Several requests are on
        their way at once: of those that were larger, this is no news."""
        cdef uint64_t refused = messages
        if refused > self.gaps.widest:
            return
        self.gaps.widest = max(<uint64_t>1, refused // 2)
        self.gaps.span = min(self.gaps.span, self.gaps.widest)
        self.forget_requests()
        self._settle()

    def forget_requests(self) -> None:
        """None of what was asked for will come of it: as if it had not been asked for."""
        cdef int i
        for i in range(self.gaps.used):
            self.gaps.gaps[i].asked_to = self.gaps.gaps[i].start
            self.gaps.gaps[i].attempts = 0
            self.gaps.gaps[i].answered = 0
            self.gaps.gaps[i].requests = 0


cdef class Channels(Session):
    """All streams of one feed. `next_expected_sequence` only counts packets that brought
    something, those of its predecessors among them. Without an image a successor begins anew:
    several streams have no one number.

    Of `buffer_bytes` each stream has an eighth.
    """

    counts_messages = False

    cdef int _set_up(self, object options) except -1:
        self.options = replace(
            options, resume=None, buffer_bytes=max(options.buffer_bytes // 8, LEAST_BUFFER)
        )
        self.known = []
        self.next_expected_sequence = max(1, options.resume[1] if options.resume else 1)
        if options.places is not None:
            self._keep_places(options.places)
        return 0

    cdef int _keep_places(self, object view) except -1:
        cdef uint64_t[::1] places = view
        if places.shape[0] <= CHANNELS:
            raise FeedError(f"the places of streams are {places.shape[0]} words")
        self.places_view = view
        self.places = &places[0]
        self.beginnings = self.places[CHANNELS]
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
        self.joined_at = 1
        if not self.started:
            self.started = True
            self.protocol.begin()

    cdef void _began_again(self, Channel stream, int64_t now_ns) noexcept nogil:
        """A stream counts from its first number: with all of them, or by itself."""
        cdef int i, number
        # An image of before is of no use to a successor.
        self.beginnings += 1
        if self.places != NULL:
            store_release(&self.places[CHANNELS], self.beginnings)
        for i in range(self.used):
            number = self.numbers[i]
            if (number != stream.number and (<Channel>self.streams[number]).joined
                    and not (<Channel>self.streams[number]).is_quiet(now_ns)):
                self._clear_channel(stream, now_ns)
                return
        if self.protocol.market is not None:
            # Of a rebuild: what it has so far, and what readers saw, are of the session before.
            self.protocol.market.takeover.end_session(False)
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

    cdef void save_resume_point(self) noexcept nogil:
        cdef int i
        if self.places != NULL:
            for i in range(self.used):
                store_release(
                    &self.places[self.numbers[i]],
                    (<Channel>self.streams[self.numbers[i]]).next_expected_sequence,
                )
        Session.save_resume_point(self)

    cdef void _reach(self, bint reachable, bint anew) noexcept:
        cdef Channel stream
        self.reachable = reachable
        for stream in self.known:
            stream.gaps.rerequest = reachable
            if reachable and anew:
                stream.asks_from = 0
            stream._settle()
        self._settle()

    # -- the state of a predecessor ------------------------------------------------------------

    def image_state(self) -> bytes | None:
        cdef Channel stream
        cdef int flags
        state = STATE_HEAD.pack(self.beginnings)
        for stream in self.known:
            flags = stream.image_flags()
            if flags < 0:
                return None
            if stream.joined or stream.resumes_at:
                state += STATE.pack(
                    stream.number, flags, stream.next_expected_sequence, stream.began_ns
                )
        return state

    def restore_image(self, state: bytes) -> None:
        if len(state) < STATE_HEAD.size or (len(state) - STATE_HEAD.size) % STATE.size:
            raise FeedError("an image's streams have another length")
        for number, flags, place, began in STATE.iter_unpack(state[STATE_HEAD.size:]):
            if not 0 <= number < CHANNELS or not place:
                raise FeedError(f"an image of stream {number} at {place}")
            if self._ready(number):
                self._resume(number, place, flags, began)
        self.started = True

    cdef void _resume(self, int number, uint64_t place, int flags, int64_t began) noexcept:
        (<Channel>self.streams[number]).began_ns = began
        (<Channel>self.streams[number]).resume(
            place, flags, load_relaxed(&self.places[number]) if self.places != NULL else 0
        )

    def has_caught_up(self, resume: tuple[bytes, int] | None, now_ns: int) -> bool:
        cdef Channel stream
        cdef bint late
        if not self.last_packet_ns:
            return False
        self.heard_ns = min(self.heard_ns or now_ns, now_ns)
        late = now_ns - self.heard_ns >= self.options.quiet_ns
        for stream in self.known:
            if stream.resumes_at:
                if not late:
                    return False
                # It begins anew when it is heard.
                stream.leave()
                self.skipped = True
            elif stream.joined and stream.next_expected_sequence < max(
                stream.joined_at, stream.caught_up_at
            ):
                return False
        return True

    cdef void finish(self, int64_t now_ns) noexcept nogil:
        cdef int i
        for i in range(self.used):
            (<Channel>self.streams[self.numbers[i]]).finish(now_ns)
        self.next_expected_sequence += 1
        self._settle()

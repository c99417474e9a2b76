"""One Cboe unit: its lines arbitrated per message, its gaps and, if there is a spin server, its
image.

A unit that lost messages goes on, but its book lacks them. With a spin server what comes from
then on is kept beside, until an image comes: it replaces the book, and what is kept beyond it
is done once more, for the book alone. Bounded: when the room is used up, it begins anew, and a
later image is needed.

A unit that goes on from its predecessor's state waits for no image: it asks the proxy for what came
since, as soon as a connection is logged in. What the proxy does not send is lost, as ever.

Law: as in sequenced.pyx. Inside, a message has a position that never wraps: the times its number
went round, and the number; numbers go from 4294967295 to 1.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from ticker.feeds.sequence.channels cimport Channel, Channels
from ticker.checks cimport check
from ticker.endian cimport le16
from ticker.feeds.sequence.reorder cimport Held, ReorderBuffer, payload_of
from ticker.feeds.sequence.sequenced cimport Sequenced
from ticker.feeds.session cimport LINE_RETRANSMISSION
from ticker.shm.gaps cimport RECOVERED
from ticker.shm.counters cimport (
    FEED_BAD_PACKETS,
    FEED_IMAGES,
    FEED_MESSAGES,
    count,
)
from ticker.shm.lineage.origin cimport Origin, number_from

from ticker.feeds.cboe.frames import GAP_REQUEST, TYPE_GAP_REQUEST, frame

cdef enum:
    HEADER = 8
    LEAD = 12                      # messages that the protocol hears of before they come
    MOST_ASKED = 100               # messages of one Gap Request; the proxy may want fewer
    END_OF_SESSION = 0x2D

cdef enum:                         # what an image says of a unit
    IMAGE_DAMAGED = 1
    IMAGE_OVER = 2

# One round of numbers; and how far ahead of what is expected a packet can be true.
cdef uint64_t ROUND = 0xFFFFFFFF
cdef uint64_t FURTHEST = 1 << 28


cdef uint64_t position_of(uint64_t near, uint32_t sequence) noexcept nogil:
    """The position of a number, in the round that brings it closest to `near`."""
    cdef uint64_t position = (near - 1) // ROUND * ROUND + sequence
    if position > near + ROUND // 2:
        return position - ROUND if position > 2 * ROUND else position
    if position + ROUND // 2 < near:
        return position + ROUND
    return position


cdef class UnitStream(Channel):
    """One unit: its lines, its gaps and, if there is a spin server, its image."""

    def __init__(self, Channels feed not None, number: int, reachable: bool) -> None:
        options = feed.options
        super().__init__(feed, number)
        self.gaps.rerequest = reachable
        self.header = HEADER
        self.first = ROUND + 1
        self.image_timeout_ns = options.image_timeout_ns
        self.kept = ReorderBuffer(options.buffer_bytes)
        self.gaps.widest = min(self.gaps.widest, <uint64_t>MOST_ASKED)
        self.gaps.span = self.gaps.widest
        self.session_words[0] = number
        self.gaps.round = ROUND

    cdef void packet(
        self, const uint8_t* data, size_t length, uint32_t sequence, uint32_t messages, int line,
        int64_t now_ns,
    ) noexcept nogil:
        """A packet of this unit; its header says `length`, and a sequence that is not 0."""
        cdef uint64_t words[2]
        cdef bint placed = self.joined or self.resumes_at > 0
        cdef uint64_t near = self.next_expected_sequence if placed else ROUND + 1
        self.arriving = position_of(near, sequence)
        self.arrived_ns = now_ns
        words[0] = self.number
        words[1] = 0
        if placed and self.arriving > near + FURTHEST:
            # Too far ahead to be true, unless it is behind by more than half a round.
            if (line == LINE_RETRANSMISSION or not self.joined or not self.is_quiet(now_ns)
                    or not self._is_whole(data, length, messages)):
                count(self.counters, FEED_BAD_PACKETS, 1)
                return
            self.anew = True
        self._take(words, data, length, self.arriving, messages, False, line, now_ns)
        self.anew = False
        self.ended = self.over and not self.gaps.used

    cdef bint _is_whole(self, const uint8_t* data, size_t length, uint32_t blocks) noexcept nogil:
        """The messages fill the datagram exactly."""
        cdef size_t at = HEADER
        cdef uint32_t i
        for i in range(blocks):
            if length - at < 2 or data[at] < 2 or data[at] > length - at:
                return False
            at += data[at]
        return at == length

    cdef void _replace(self, const uint64_t* words) noexcept nogil:
        """The unit counts from 1 again."""
        self._begin(words, (self.arriving - 1) // ROUND * ROUND + 1)
        self.owner._began_again(self, self.arrived_ns)

    cdef void _begin(self, const uint64_t* words, uint64_t sequence) noexcept nogil:
        cdef bint resumes = self.resumes_at > 0
        if not resumes:
            self.over = self.damaged = False
            self.kept.clear()
        self.waiting = self.image_timeout_ns > 0 and not resumes
        Channel._begin(self, words, sequence)
        if self.waiting:
            # One message short of what it begins with: nothing is delivered, all is kept.
            self.known_end = self.arriving
            self.next_expected_sequence = self.arriving - 1
            self.waits_until = self.arrived_ns + self.image_timeout_ns
            self._settle()

    cdef int image_flags(self) noexcept nogil:
        if self.waiting:
            return -1
        return IMAGE_DAMAGED * self.damaged + IMAGE_OVER * self.over

    cdef void resume(self, uint64_t place, int flags, uint64_t reached) noexcept nogil:
        Channel.resume(self, place, flags, reached)
        self.over = flags & IMAGE_OVER != 0
        if flags & IMAGE_DAMAGED:
            self._hurt(place)

    cdef void leave(self) noexcept nogil:
        self.waiting = self.over = self.damaged = False
        self.kept.clear()
        Channel.leave(self)

    cdef void _blocks(
        self, const uint8_t* data, size_t length, uint64_t sequence, uint32_t blocks, int line,
        int64_t now_ns,
    ) noexcept nogil:
        cdef uint64_t expected = self.next_expected_sequence
        if self.waiting:
            # Kept, even if it begins before the first message that was seen.
            self.next_expected_sequence = min(expected, sequence - 1)
        Sequenced._blocks(self, data, length, sequence, blocks, line, now_ns)
        if self.waiting:
            self.next_expected_sequence = expected

    cdef void _deliver(
        self, const uint8_t* data, uint64_t sequence, uint32_t blocks, int line,
        int64_t receive_time,
    ) noexcept nogil:
        """The messages from next_expected_sequence on; the packet is whole and reaches it."""
        cdef const uint8_t* at = data + HEADER
        cdef const uint8_t* ahead
        cdef uint32_t i, left, announced
        cdef Origin* origin = self.protocol.origin
        check(sequence <= self.next_expected_sequence < sequence + blocks)
        self.protocol.unit = self.number
        number_from(
            origin, (self.next_expected_sequence - 1) % ROUND + 1, line, self.number,
            self.session_words,
        )
        self._note_told(self.next_expected_sequence)
        left = blocks - <uint32_t>(self.next_expected_sequence - sequence)
        for i in range(blocks - left):
            at += at[0]
        if self.damaged:
            self._keep(at, le16(data) - <size_t>(at - data), left, receive_time)
        ahead = at
        announced = min(left, <uint32_t>LEAD)
        for i in range(announced):
            self.protocol.announce(ahead, ahead[0])
            ahead += ahead[0]
        for i in range(left):
            if announced < left:
                self.protocol.announce(ahead, ahead[0])
                ahead += ahead[0]
                announced += 1
            self.protocol.message(at, at[0], receive_time)
            origin.sequence += 1
            self.over = at[1] == END_OF_SESSION
            at += at[0]
        self.next_expected_sequence += left
        count(self.counters, FEED_MESSAGES, left)

    # -- what does not come ------------------------------------------------------------------

    cdef void _give_up(self, int64_t now_ns) noexcept nogil:
        if not self.waiting:
            Channel._give_up(self, now_ns)
        elif now_ns >= self.waits_until:
            self._stop_waiting()

    cdef void _stop_waiting(self) noexcept nogil:
        """There is no image: go on from the first message that was seen."""
        self._hurt(self.next_expected_sequence + 1)
        self._go_on_at(self.next_expected_sequence + 1)

    cdef void _go_on_at(self, uint64_t position) noexcept nogil:
        self.waiting = False
        Channel._go_on_at(self, position)

    cdef void finish(self, int64_t now_ns) noexcept nogil:
        if self.waiting:
            self._stop_waiting()
        Sequenced.finish(self, now_ns)

    cdef void _settle(self) noexcept nogil:
        Channel._settle(self)
        if self.waiting:
            self.deadline = self.waits_until
            self.recovering = True
        self.ended = self.over and not self.gaps.used

    cdef bint refuse(self, uint32_t sequence, uint32_t messages, int64_t now_ns) noexcept nogil:
        """The proxy will not send these."""
        cdef uint64_t start = position_of(self.next_expected_sequence, sequence)
        if self.waiting or not self.joined:
            return False
        return self.refuse_range(start, start + messages, now_ns)

    cdef bint take_image(
        self, const uint8_t* data, size_t length, uint32_t sequence, int64_t now_ns
    ) noexcept nogil:
        """Replace the unit's orders by these, then go on behind `sequence`; or, if the unit has
        gone on already, do what is kept of that once more."""
        cdef uint64_t near = self.next_expected_sequence if self.joined else ROUND + 1
        cdef uint64_t end = position_of(near, sequence) + 1
        cdef size_t at = 0
        if self.damaged and not self.kept_from <= end <= self.next_expected_sequence:
            return False
        if self.joined and not self.damaged and end <= self.next_expected_sequence:
            return False
        while at < length:
            if length - at < 2 or data[at] < 2 or data[at] > length - at:
                return False
            at += data[at]
        if not self.joined:
            self.owner._joined()
            self.joined = True
            self.joined_at = self.known_end = end
        self.owner._clear_channel(self, now_ns)
        at = 0
        self.protocol.origin.sequence = 0
        while at < length:
            self.protocol.message(data + at, data[at], now_ns)
            at += data[at]
        count(self.counters, FEED_IMAGES, 1)
        if self.damaged:
            self._heal(end)
        else:
            self.gaps.forget_below(end, RECOVERED)
            self._go_on_at(end)
        return True

    # -- what an image has to make good --------------------------------------------------------

    cdef void _lose(self) noexcept nogil:
        self._hurt(self.gaps.gaps[0].end)
        Sequenced._lose(self)

    cdef void _hurt(self, uint64_t position) noexcept nogil:
        """What lies before this position, and was not delivered, never will be."""
        if self.image_timeout_ns:
            self.damaged = True
            self.kept.clear()
            self.kept_from = position

    cdef void _keep(
        self, const uint8_t* messages, size_t length, uint32_t count, int64_t receive_time
    ) noexcept nogil:
        """These are about to be delivered, from next_expected_sequence on."""
        cdef Held* packet = self.kept.reserve(length)
        if packet == NULL:
            self.kept.clear()
            self.kept_from = self.next_expected_sequence + count
        else:
            self.kept.hold(packet, self.next_expected_sequence, count, messages, 0, receive_time)

    cdef void _heal(self, uint64_t position) noexcept nogil:
        """The book is an image's, of all before this position."""
        cdef Held* packet = self.kept.take(<uint64_t>-1)
        cdef const uint8_t* at
        cdef uint32_t i
        self.damaged = False
        while packet != NULL:
            at = payload_of(packet)
            for i in range(packet.count):
                if packet.sequence + i >= position:
                    self.protocol.rebuild(at, at[0], packet.receive_time)
                at += at[0]
            self.kept.release(packet)
            packet = self.kept.take(<uint64_t>-1)

    def data_to_send(self, now_ns: int) -> list[bytes]:
        if self.waiting:
            self._give_up(now_ns)
            return []
        return Channel.data_to_send(self, now_ns)

    def request(self, sequence: int, messages: int) -> bytes:
        """A Gap Request, framed (17 bytes). Its count passes over 0, as positions do."""
        number = number_of(sequence)
        return frame(GAP_REQUEST.pack(9, TYPE_GAP_REQUEST, self.number, number, messages))

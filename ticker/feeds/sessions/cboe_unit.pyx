"""Cboe sequenced units: many streams of numbered messages on the same lines, each by itself.

    header    0        2       3      4          8
              | length | count | unit | sequence | count x message, each with its length first

Integers are little-endian; the length is of the whole datagram. Count 0 is a heartbeat with the
sequence of the message to come next. Sequence 0 is of no stream: a heartbeat outside of trading
hours or on the gap line, or messages that are not sequenced and say nothing about a price.
Numbers go from 4294967295 to 1. Source: Cboe US Equities Multicast PITCH 2.41.

Law: as in sequenced.pyx, for each unit. The lines frame the same messages differently, so every
message is arbitrated, not every packet. Inside, a message has a position that never wraps: the
times its number went round, and the number.

What both lines lost is asked for by a Gap Request to a proxy (TCP); the answer comes on the gap
line, maybe before the proxy's response, and with what others asked for. What the proxy refuses
is lost at once; where a quota is used up, or nobody is logged in, a gap is waited for like
without a proxy. See cboe_tcp.py for the dialogues.

With a spin server a unit that is joined late waits for an image of its orders; what comes
meanwhile is kept, and what lies beyond the image follows it. No image in time: it goes on
without one.

A unit whose number goes back while it is quiet has begun again. If all of them are quiet, that
is a new session; if not, only this unit's orders are dropped.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memset

from ticker.feeds.checks cimport check
from ticker.feeds.endian cimport le16, le32
from ticker.feeds.protocol cimport Protocol
from ticker.feeds.sequenced cimport Sequenced
from ticker.feeds.session cimport LINE_RETRANSMISSION, NEVER, Session
from ticker.shm.counters cimport (
    FEED_BAD_PACKETS,
    FEED_BYTES,
    FEED_HEARTBEATS,
    FEED_IMAGES,
    FEED_LOST_MESSAGES,
    FEED_MESSAGES,
    FEED_OTHER_SESSION_PACKETS,
    FEED_PACKETS,
    FEED_PACKETS_LINE_A,
    FEED_PACKETS_LINE_B,
    FEED_PACKETS_RETRANSMITTED,
    FEED_REQUESTS_REFUSED,
    count,
)
from ticker.shm.header cimport Mapping

import struct
from dataclasses import replace

from ticker.feeds.session import SessionOptions

cdef enum:
    HEADER = 8
    LEAD = 12                      # messages that the protocol hears of before they come
    MOST_ASKED = 100               # messages of one Gap Request; the proxy may want fewer
    LEAST_BUFFER = 1 << 18         # bytes of each unit
    UNIT_CLEAR = 0x97
    END_OF_SESSION = 0x2D
    LINE_A = 0
    LINE_B = 1

# One round of numbers; and how far ahead of what is expected a packet can be true.
cdef uint64_t ROUND = 0xFFFFFFFF
cdef uint64_t FURTHEST = 1 << 28
SECOND = 1_000_000_000
# How long no request is sent after a refusal: the second's, the minute's, the day's quota.
QUOTAS = {"S": SECOND, "M": 60 * SECOND, "D": 86_400 * SECOND}

GAP_REQUEST = struct.Struct("<HBBIBBBIH")


cdef inline uint64_t position_of(uint64_t near, uint32_t sequence) noexcept nogil:
    """The position of a number, in the round that brings it closest to `near`."""
    cdef uint64_t position = (near - 1) // ROUND * ROUND + sequence
    if position > near + ROUND // 2:
        return position - ROUND if position > 2 * ROUND else position
    if position + ROUND // 2 < near:
        return position + ROUND
    return position


cdef inline uint32_t number_of(uint64_t position) noexcept nogil:
    return <uint32_t>((position - 1) % ROUND + 1)


cdef class UnitStream(Sequenced):
    """One unit: its lines, its gaps and, if there is a spin server, its image."""

    def __init__(self, CboeUnit feed not None, unit: int) -> None:
        options = feed.options
        super().__init__(feed.protocol, feed.mapping, options)
        self.owner = feed
        self.gaps.rerequest = feed.reachable
        self.header = HEADER
        self.unit = unit
        self.image_timeout_ns = options.image_timeout_ns
        self.gaps.widest = min(self.gaps.widest, <uint64_t>MOST_ASKED)
        self.gaps.span = self.gaps.widest
        self.session_words[0] = unit

    cdef void packet(
        self, const uint8_t* data, size_t length, uint32_t sequence, uint32_t messages, int line,
        int64_t now_ns,
    ) noexcept nogil:
        """A packet of this unit; its header says `length`, and a sequence that is not 0."""
        cdef uint64_t words[2]
        cdef uint64_t near = self.next_expected_sequence if self.joined else ROUND + 1
        self.arriving = position_of(near, sequence)
        self.arrived_ns = now_ns
        words[0] = self.unit
        words[1] = 0
        if self.joined and self.arriving > near + FURTHEST:
            # Too far ahead to be true, unless it is behind by more than half a round.
            if (line == LINE_RETRANSMISSION or not self._is_quiet(now_ns)
                    or not self._is_whole(data, length, messages)):
                count(self.counters, FEED_BAD_PACKETS, 1)
                return
            self._replace(words)
        self._take(words, data, length, self.arriving, messages, False, line, now_ns)
        self.ended = self.over and not self.gaps.used

    cdef bint _is_quiet(self, int64_t now_ns) noexcept nogil:
        return now_ns - self.last_packet_ns >= self.quiet_ns

    cdef bint _is_whole(self, const uint8_t* data, size_t length, uint32_t blocks) noexcept nogil:
        """The messages fill the datagram exactly."""
        cdef size_t at = HEADER
        cdef uint32_t i
        for i in range(blocks):
            if length - at < 2 or data[at] < 2 or data[at] > length - at:
                return False
            at += data[at]
        return at == length

    cdef void _join(self, const uint64_t* words, uint64_t sequence) noexcept nogil:
        self.joined = True
        self.joined_at = sequence
        self.owner._joined()
        self._begin(words, ROUND + 1 if self.from_start else sequence)

    cdef void _replace(self, const uint64_t* words) noexcept nogil:
        """The unit counts from 1 again."""
        self._begin(words, (self.arriving - 1) // ROUND * ROUND + 1)
        self.owner._began_again(self, self.arrived_ns)

    cdef void _begin(self, const uint64_t* words, uint64_t sequence) noexcept nogil:
        self.over = False
        self.waiting = self.image_timeout_ns > 0
        Sequenced._begin(self, words, sequence)
        if self.waiting:
            # One message short of what it begins with: nothing is delivered, all is kept.
            self.known_end = self.arriving
            self.next_expected_sequence = self.arriving - 1
            self.waits_until = self.arrived_ns + self.image_timeout_ns
            self._settle()

    cdef void leave(self) noexcept nogil:
        """Whatever comes next joins anew."""
        self.joined = self.waiting = self.over = False
        self.gaps.clear()
        self.buffer.clear()
        self.known_end = self.next_expected_sequence
        self._settle()

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
        self, const uint8_t* data, uint64_t sequence, uint32_t blocks, int64_t receive_time
    ) noexcept nogil:
        """The messages from next_expected_sequence on; the packet is whole and reaches it."""
        cdef const uint8_t* at = data + HEADER
        cdef const uint8_t* ahead
        cdef uint32_t i, left, announced
        check(sequence <= self.next_expected_sequence < sequence + blocks)
        self.protocol.unit = self.unit
        left = blocks - <uint32_t>(self.next_expected_sequence - sequence)
        for i in range(blocks - left):
            at += at[0]
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
            self.over = at[1] == END_OF_SESSION
            at += at[0]
        self.next_expected_sequence += left
        count(self.counters, FEED_MESSAGES, left)

    # -- what does not come ------------------------------------------------------------------

    cdef void _give_up(self, int64_t now_ns) noexcept nogil:
        if not self.waiting:
            if now_ns >= self.asks_from:
                Sequenced._give_up(self, now_ns)
        elif now_ns >= self.waits_until:
            self._stop_waiting()

    cdef void _stop_waiting(self) noexcept nogil:
        """There is no image: go on from the first message that was seen."""
        self._go_on_at(self.next_expected_sequence + 1)

    cdef void _go_on_at(self, uint64_t position) noexcept nogil:
        self.waiting = False
        self.next_expected_sequence = position
        self.known_end = max(self.known_end, position)
        self.gaps.forget_below(position)
        self._drain()
        self._settle()

    cdef void finish(self, int64_t now_ns) noexcept nogil:
        if self.waiting:
            self._stop_waiting()
        Sequenced.finish(self, now_ns)

    cdef void _settle(self) noexcept nogil:
        Sequenced._settle(self)
        if self.waiting:
            self.deadline = self.waits_until
            self.recovering = True
        elif self.deadline != NEVER:
            self.deadline = max(self.deadline, self.asks_from)
        self.ended = self.over and not self.gaps.used

    cdef bint refuse(self, uint32_t sequence, uint32_t messages, int64_t now_ns) noexcept nogil:
        """The proxy will not send these: what is missing of them is lost. False: nothing is."""
        cdef uint64_t start = position_of(self.next_expected_sequence, sequence)
        cdef uint64_t end = start + messages
        cdef bint any_lost = False
        if self.waiting or not self.joined:
            return False
        # Only from the first gap on can the stream go on; what is refused behind it waits for
        # its turn and is then refused again.
        while (self.gaps.used and self.gaps.gaps[0].start < end
                and self.gaps.gaps[0].end > start):
            if self.gaps.gaps[0].end > end:
                count(self.counters, FEED_LOST_MESSAGES, end - self.next_expected_sequence)
                self._go_on_at(end)
            else:
                self._lose()
            any_lost = True
        self._settle()
        return any_lost

    def ask_for_fewer(self) -> None:
        """The proxy takes smaller requests only."""
        self.gaps.widest = max(<uint64_t>1, self.gaps.widest // 2)
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

    cdef bint take_image(
        self, const uint8_t* data, size_t length, uint32_t sequence, int64_t now_ns
    ) noexcept nogil:
        """Replace the unit's orders by these, then go on behind `sequence`."""
        cdef uint64_t near = self.next_expected_sequence if self.joined else ROUND + 1
        cdef uint64_t end = position_of(near, sequence) + 1
        cdef size_t at = 0
        if self.joined and end <= self.next_expected_sequence:
            return False
        while at < length:
            if length - at < 2 or data[at] < 2 or data[at] > length - at:
                return False
            at += data[at]
        if not self.joined:
            self.owner._joined()
            self.joined = True
            self.joined_at = self.known_end = end
        self.owner._clear_unit(self, now_ns)
        at = 0
        while at < length:
            self.protocol.message(data + at, data[at], now_ns)
            at += data[at]
        count(self.counters, FEED_IMAGES, 1)
        self._go_on_at(end)
        return True

    def data_to_send(self, now_ns: int) -> list[bytes]:
        if self.waiting or now_ns < self.asks_from:
            self._give_up(now_ns)
            return []
        return Sequenced.data_to_send(self, now_ns)

    def request(self, sequence: int, messages: int) -> bytes:
        """A Gap Request (17 bytes). Its count passes over 0, as positions do."""
        number = number_of(sequence)
        return GAP_REQUEST.pack(17, 1, 0, 0, 9, 3, self.unit, number, messages)


cdef class CboeUnit(Session):
    """All units of one feed.

    Options of its own: `image_timeout_ns`, how long a unit waits for its image; 0: it does not.
    `buffer_bytes` is for each unit an eighth of what is given.
    """

    def __init__(
        self, Protocol protocol not None, Mapping mapping not None,
        options: SessionOptions | None = None,
    ) -> None:
        super().__init__(protocol, mapping, options)
        options = options or SessionOptions()
        self.options = replace(
            options, resume=None, buffer_bytes=max(options.buffer_bytes // 8, LEAST_BUFFER)
        )
        self.known = []
        self.reachable = options.rerequest
        self.next_expected_sequence = 1

    cdef void receive(
        self, const uint8_t* data, size_t length, int line, int64_t receive_time
    ) noexcept nogil:
        cdef uint64_t before
        cdef uint32_t sequence, messages
        cdef int64_t deadline
        cdef int unit
        count(self.counters, FEED_PACKETS, 1)
        count(self.counters, FEED_BYTES, length)
        if line == LINE_A:
            count(self.counters, FEED_PACKETS_LINE_A, 1)
        elif line == LINE_B:
            count(self.counters, FEED_PACKETS_LINE_B, 1)
        else:
            count(self.counters, FEED_PACKETS_RETRANSMITTED, 1)
        if length < HEADER or le16(data) != length or (data[2] == 0) != (length == HEADER):
            count(self.counters, FEED_BAD_PACKETS, 1)
            return
        messages = data[2]
        unit = data[3]
        sequence = le32(data + 4)
        if not sequence:
            if messages:
                count(self.counters, FEED_OTHER_SESSION_PACKETS, 1)
                return
            count(self.counters, FEED_HEARTBEATS, 1)
            if line != LINE_RETRANSMISSION:
                self.last_packet_ns = receive_time
            return
        if not unit or not self._ready(unit):
            count(self.counters, FEED_BAD_PACKETS, 1)
            return
        before = (<UnitStream>self.streams[unit]).next_expected_sequence
        deadline = (<UnitStream>self.streams[unit]).deadline
        (<UnitStream>self.streams[unit]).packet(
            data, length, sequence, messages, line, receive_time
        )
        if (<UnitStream>self.streams[unit]).next_expected_sequence != before:
            self.next_expected_sequence += 1
        if line != LINE_RETRANSMISSION and (
            (<UnitStream>self.streams[unit]).last_packet_ns == receive_time
        ):
            self.last_packet_ns = receive_time
        if deadline != NEVER or (<UnitStream>self.streams[unit]).deadline != NEVER:
            self._settle()
        elif self.ended != (<UnitStream>self.streams[unit]).ended:
            self._settle()

    cdef bint _ready(self, int unit) noexcept nogil:
        """There is a stream for this unit."""
        return self.streams[unit] != NULL or self._create(unit)

    cdef bint _create(self, int unit) noexcept with gil:
        try:
            stream = UnitStream(self, unit)
        except MemoryError:
            return False
        self.known.append(stream)
        self.streams[unit] = <void*>stream
        self.numbers[self.used] = unit
        self.used += 1
        return True

    cdef void _joined(self) noexcept nogil:
        """The first unit was joined: a session begins for the protocol."""
        if not self.started:
            self.started = True
            self.protocol.restart()

    cdef void _began_again(self, UnitStream stream, int64_t now_ns) noexcept nogil:
        """A unit counts from 1: with all of them, or by itself."""
        cdef int i, unit
        for i in range(self.used):
            unit = self.numbers[i]
            if (unit != stream.unit and (<UnitStream>self.streams[unit]).joined
                    and not (<UnitStream>self.streams[unit])._is_quiet(now_ns)):
                self._clear_unit(stream, now_ns)
                return
        self.protocol.restart()
        for i in range(self.used):
            if self.numbers[i] != stream.unit:
                (<UnitStream>self.streams[self.numbers[i]]).leave()

    cdef void _clear_unit(self, UnitStream stream, int64_t now_ns) noexcept nogil:
        """What the unit's own Unit Clear would do."""
        cdef uint8_t[6] message
        memset(message, 0, sizeof(message))
        message[0] = sizeof(message)
        message[1] = UNIT_CLEAR
        self.protocol.unit = stream.unit
        self.protocol.message(message, sizeof(message), now_ns)

    cdef void _settle(self) noexcept nogil:
        """The soonest deadline of all units, and what is true of any or of all of them."""
        cdef int i, unit
        cdef int64_t deadline = NEVER
        cdef bint recovering = False
        cdef bint ended = self.used > 0
        for i in range(self.used):
            unit = self.numbers[i]
            deadline = min(deadline, (<UnitStream>self.streams[unit]).deadline)
            recovering = recovering or (<UnitStream>self.streams[unit]).recovering
            ended = ended and (<UnitStream>self.streams[unit]).ended
        self.deadline = deadline
        self.recovering = recovering
        self.ended = ended

    cdef void finish(self, int64_t now_ns) noexcept nogil:
        cdef int i
        for i in range(self.used):
            (<UnitStream>self.streams[self.numbers[i]]).finish(now_ns)
        self.next_expected_sequence += 1
        self._settle()

    # -- the gap request proxy -----------------------------------------------------------------

    def data_to_send(self, now_ns: int) -> list[bytes]:
        """Gap Requests (17 bytes each) for the proxy; each counts as sent at now_ns."""
        cdef UnitStream stream
        if self.reachable and self.refused_until and now_ns >= self.refused_until:
            self.set_reachable(True)
        requests: list[bytes] = []
        for stream in self.known:
            if stream.deadline <= now_ns:
                requests += stream.data_to_send(now_ns)
        self._settle()
        return requests

    def set_reachable(self, reachable: bool) -> None:
        """Somebody is logged in to the proxy, or nobody is any more: then a gap is only left to
        the lines, for `request_timeout_ns`."""
        cdef UnitStream stream
        self.reachable = reachable
        self.refused_until = 0
        for stream in self.known:
            stream.gaps.rerequest = reachable
            stream._settle()
        self._settle()

    def gap_response(
        self, unit: int, sequence: int, messages: int, status: str, now_ns: int
    ) -> None:
        """What the proxy says to a request. `A` tells nothing new: the messages come, or are
        asked for again. Out of range (`O`), an invalid unit (`I`): they never will. Of a unit
        that is unavailable (`U`) they may later."""
        cdef UnitStream stream
        if status == "A":
            return
        count(self.counters, FEED_REQUESTS_REFUSED, 1)
        if status in QUOTAS:
            self._spare_the_quota(status, now_ns)
        if not 0 <= unit < UNITS or self.streams[unit] == NULL:
            return
        stream = <UnitStream>self.streams[unit]
        if status == "C":
            stream.ask_for_fewer()
        elif status in ("O", "I"):
            stream.refuse(sequence, messages, now_ns)
            self.next_expected_sequence += 1
        self._settle()

    def _spare_the_quota(self, status: str, now_ns: int) -> None:
        """For the rest of the second, gaps wait. Longer is too long: they are lost meanwhile."""
        cdef UnitStream stream
        self.refused_until = now_ns + QUOTAS[status]
        for stream in self.known:
            if status == "S":
                stream.asks_from = self.refused_until
                stream.forget_requests()
            else:
                stream.gaps.rerequest = False
            stream._settle()

    # -- the spin server -----------------------------------------------------------------------

    def wants_image(self, unit: int) -> int | None:
        """The least sequence that an image of this unit must have to be of use. None: the unit
        wants none, now; 0: any will do."""
        cdef UnitStream stream
        if not 0 < unit < UNITS:
            return None
        if not self._ready(unit):
            return None
        stream = <UnitStream>self.streams[unit]
        if not stream.image_timeout_ns or (stream.joined and not stream.waiting):
            return None
        if not stream.joined:
            return 0
        return number_of(stream.next_expected_sequence)

    def apply_image(self, unit: int, sequence: int, messages: bytes, now_ns: int) -> bool:
        """The orders of a unit after its message `sequence`: messages without headers. What was
        kept of the lines beyond it follows. False: it is too old, or none is wanted."""
        cdef const uint8_t* data = messages
        cdef size_t length = len(messages)
        cdef UnitStream stream
        if self.wants_image(unit) is None or not 0 <= sequence <= ROUND:
            return False
        stream = <UnitStream>self.streams[unit]
        if not stream.take_image(data, length, sequence, now_ns):
            return False
        self.next_expected_sequence += 1
        self._settle()
        return True

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
is lost at once; where a quota is used up, or no connection is logged in, a gap is waited for like
without a proxy. See cboe/dialogue.py for the dialogues.

With a spin server a unit that is joined late waits for an image of its orders; what comes
meanwhile is kept, and what lies beyond the image follows it. No image in time: it goes on
without one, and takes a later one. So does a unit that lost messages (unit_stream.pyx).

A unit whose number goes back while it is quiet has begun again. If all of them are quiet, that
is a new session; if not, only this unit's orders are dropped.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from ticker.feeds.sequence.channels cimport CHANNELS, Channel, Channels
from ticker.endian cimport le16, le32, put_le16
from ticker.feeds.session cimport LINE_RETRANSMISSION
from ticker.feeds.cboe.unit_stream cimport UnitStream, number_of
from ticker.shm.counters cimport (
    FEED_BAD_PACKETS,
    FEED_HEARTBEATS,
    FEED_OTHER_SESSION_PACKETS,
    FEED_REQUESTS_REFUSED,
    count,
)


cdef enum:
    HEADER = 8
    UNIT_CLEAR = 0x97

cdef uint32_t GREATEST_NUMBER = 0xFFFFFFFF
SECOND = 1_000_000_000
# How long no request is sent after a refusal: the second's, the minute's, the day's quota.
QUOTAS = {"S": SECOND, "M": 60 * SECOND, "D": 86_400 * SECOND}


cdef class CboeUnit(Channels):
    """All units of one feed.

    Options of its own: `units`, those that count, all if none is named; `image_timeout_ns`, how
    long a unit waits for its image; 0: it does not.
    """

    cdef int _set_up(self, object options) except -1:
        Channels._set_up(self, options)
        for unit in range(1, CHANNELS):
            self.wanted[unit] = not self.options.units or unit in self.options.units
        self.reachable = self.options.rerequest
        return 0

    cdef Channel _make(self, int number):
        return UnitStream(self, number, self.reachable)

    cdef void receive(
        self, const uint8_t* data, size_t length, int line, int64_t receive_time
    ) noexcept nogil:
        cdef uint64_t before
        cdef uint32_t sequence, messages
        cdef int64_t deadline
        cdef int unit
        self._count_packet(length, line)
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
        if not self._ready(unit):
            count(self.counters, FEED_OTHER_SESSION_PACKETS if unit else FEED_BAD_PACKETS, 1)
            return
        before = (<UnitStream>self.streams[unit]).next_expected_sequence
        deadline = (<UnitStream>self.streams[unit]).deadline
        (<UnitStream>self.streams[unit]).packet(
            data, length, sequence, messages, line, receive_time
        )
        self._took(unit, before, deadline, line, receive_time)

    cdef size_t mend(self, uint8_t* data, size_t length) noexcept nogil:
        cdef uint8_t claimed, messages = 0
        cdef size_t at = HEADER
        if length < HEADER:
            return 0
        claimed = data[2]
        while messages < claimed and at < length and 0 < data[at] <= length - at:
            at += data[at]
            messages += 1
        put_le16(data, <uint16_t>at)
        data[2] = messages
        return at if messages else 0

    cdef bint _ready(self, int unit) noexcept nogil:
        """There is a stream for this unit, which is one of this feed's."""
        return self.wanted[unit] and Channels._ready(self, unit)

    cdef void _clear_channel(self, Channel stream, int64_t now_ns) noexcept nogil:
        """What the unit's own Unit Clear would do."""
        cdef uint8_t[6] message
        memset(message, 0, sizeof(message))
        message[0] = sizeof(message)
        message[1] = UNIT_CLEAR
        self.protocol.unit = stream.number
        self.protocol.origin.sequence = 0
        self.protocol.message(message, sizeof(message), now_ns)

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
        """A connection is logged in to the proxy, or none is any more: then a gap is only left to
        the lines, for `request_timeout_ns`."""
        cdef bint spared = self.refused_until > 0
        self.refused_until = 0
        self._reach(reachable, not spared)

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
        if not 0 <= unit < CHANNELS or self.streams[unit] == NULL:
            return
        stream = <UnitStream>self.streams[unit]
        if status == "C":
            stream.ask_for_fewer(messages)
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
        if not 0 < unit < CHANNELS:
            return None
        if not self._ready(unit):
            return None
        stream = <UnitStream>self.streams[unit]
        if not stream.image_timeout_ns or stream.resumes_at:
            return None
        if stream.damaged:
            return number_of(stream.kept_from - 1)
        if stream.joined and not stream.waiting:
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
        if self.wants_image(unit) is None or not 0 <= sequence <= GREATEST_NUMBER:
            return False
        stream = <UnitStream>self.streams[unit]
        if not stream.take_image(data, length, sequence, now_ns):
            return False
        self.next_expected_sequence += 1
        self._settle()
        return True

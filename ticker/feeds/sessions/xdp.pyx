"""NYSE XDP (Pillar) channels: many streams of numbered messages, each on lines of its own.

    packet header  0      2      3       4          8           12
                   | size | flag | count | sequence | send s    | send ns | count x message

Integers are little-endian; the size is of the whole packet. A message begins with its own size,
which counts itself. Source: NYSE XDP Common 2.3c.

Law: as in sequenced.pyx, for each channel. Nothing in a packet names its channel, only where it
was sent to: the transport says it, in the bits of `line` above the lowest eight.

The delivery flag says what a packet is: 1 heartbeat (its sequence is of the message to come),
10 and 11 original messages, 12 a sequence reset, 13 and 15 retransmitted messages, 17 to 20 a
refresh, 21 what cannot be retransmitted. A reset is alone in its packet and counts as message 1;
its source time tells it from its copy on the other line, and what was sent before it from what
follows. If all channels are quiet but this one, a new session begins; if not, only this channel
does. Of a refresh only the symbol index mappings are taken: it is an image, and orders of an
image among live ones would come twice.

What both lines lost is asked for by a Retransmission Request to the request server, where one is
connected (pillar/requests.py). It comes on the lines for retransmissions, with what others asked for.
What the server refuses is lost at once. Without a server a gap is given up after
`request_timeout_ns`.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from ticker.feeds.sequence.channels cimport CHANNELS, Channel, Channels
from ticker.feeds.sequence.sequenced cimport same
from ticker.checks cimport check
from ticker.endian cimport le16, le32, put_le16
from ticker.feeds.session cimport CHANNEL_SHIFT, LINE_RETRANSMISSION, MOST_CHANNEL
from ticker.shm.counters cimport (
    FEED_BAD_PACKETS,
    FEED_DUPLICATE_MESSAGES,
    FEED_MESSAGES,
    FEED_OTHER_SESSION_PACKETS,
    FEED_REQUESTS_REFUSED,
    count,
)
from ticker.shm.lineage.origin cimport Origin

from dataclasses import replace

from ticker.feeds.pillar.requests import ACCEPTED, ASKED, TOO_MANY

cdef enum:
    HEADER = 16
    MESSAGE_HEADER = 4
    LEAD = 12                      # messages that the protocol hears of before they come
    MOST_ASKED = 1000              # messages of one request; the server may want fewer
    # delivery flags
    HEARTBEAT = 1
    FAILOVER = 10
    ORIGINAL = 11
    RESET = 12
    RETRANSMISSION = 13
    RETRANSMISSION_PART = 15
    REFRESH = 17
    REFRESH_LAST = 20
    # message types
    SEQUENCE_RESET = 1
    SYMBOL_INDEX_MAPPING = 3
    SEQUENCE_RESET_BYTES = 14

cdef int64_t SECOND = 1000000000


cdef inline int64_t time_at(const uint8_t* at) noexcept nogil:
    """Seconds and nanoseconds, in ns since the epoch."""
    return le32(at) * SECOND + le32(at + 4)


cdef class XdpChannel(Channel):
    """One channel: its lines and its gaps."""

    def __init__(self, Channels feed not None, number: int) -> None:
        super().__init__(feed, number)
        self.header = HEADER
        self.gaps.rerequest = (<Xdp>feed).reachable
        self.gaps.widest = min(self.gaps.widest, <uint64_t>MOST_ASKED)
        self.gaps.span = self.gaps.widest

    def request(self, sequence: int, messages: int) -> bytes:
        """Of a request: for the dialogue, which makes a message of it."""
        return ASKED.pack(self.number, sequence, sequence + messages - 1)

    cdef void packet(
        self, const uint8_t* data, size_t length, int line, int64_t now_ns
    ) noexcept nogil:
        """A packet of sequenced messages, or a heartbeat; its header lies inside it."""
        cdef int64_t sent = time_at(data + 8)
        self.arrived_ns = now_ns
        if (self.candidate.packets and sent >= <int64_t>self.candidate.words[0]
                and le32(data + 4) == 2 != self.next_expected_sequence):
            # What follows the reset that was heard of.
            self._take(self.candidate.words, data, length, 2, data[3], False, line, now_ns)
            return
        if self.joined and sent < self.began_ns and line != LINE_RETRANSMISSION:
            if not self.is_quiet(now_ns):
                # Sent before the reset: the slower line's.
                count(self.counters, FEED_OTHER_SESSION_PACKETS, 1)
                return
            # Nothing came since: the time that it began at was wrong.
            self.began_ns = sent
        if not self.joined and not self.resumes_at:
            self.began_ns = sent
        self._take(
            self.session_words, data, length, le32(data + 4), data[3], False, line, now_ns
        )

    cdef void reset(
        self, const uint8_t* data, size_t length, int line, int64_t now_ns
    ) noexcept nogil:
        """A Sequence Number Reset: 1 is the number of its only message."""
        cdef uint64_t words[2]
        cdef int64_t began
        if (data[3] != 1 or length < HEADER + SEQUENCE_RESET_BYTES
                or le16(data + HEADER) < SEQUENCE_RESET_BYTES
                or not self._is_whole(data, length, 1) or le32(data + 4) != 1
                or le16(data + HEADER + 2) != SEQUENCE_RESET):
            count(self.counters, FEED_BAD_PACKETS, 1)
            return
        began = time_at(data + HEADER + 4)
        words[0] = <uint64_t>began
        words[1] = 0
        self.arrived_ns = now_ns
        if self.joined and began <= self.began_ns:
            if began == self.began_ns:
                count(self.counters, FEED_DUPLICATE_MESSAGES, 1)
            else:
                count(self.counters, FEED_OTHER_SESSION_PACKETS, 1)
            return
        if not self.joined:
            self.began_ns = began
            self.told = True
        self._take(words, data, length, 1, 1, False, line, now_ns)
        self.told = False

    cdef bint _is_whole(self, const uint8_t* data, size_t length, uint32_t blocks) noexcept nogil:
        """The messages fill the packet exactly: what does not add up is not believed."""
        cdef size_t at = HEADER
        cdef size_t size
        cdef uint32_t i
        check(length >= HEADER)
        for i in range(blocks):
            if length - at < MESSAGE_HEADER:
                return False
            size = le16(data + at)
            if size < MESSAGE_HEADER or size > length - at:
                return False
            at += size
        return at == length

    cdef void _replace(self, const uint64_t* words) noexcept nogil:
        """The channel counts from 1 again; a reset says since when."""
        if not same(words, self.session_words):
            self.began_ns = <int64_t>words[0]
            self.told = True
        self._begin(words, 1)
        self.owner._began_again(self, self.arrived_ns)
        self.told = False

    cdef void _deliver(
        self, const uint8_t* data, uint64_t sequence, uint32_t blocks, int line,
        int64_t receive_time,
    ) noexcept nogil:
        """The messages from next_expected_sequence on; the packet is whole and reaches it."""
        cdef const uint8_t* at = data + HEADER
        cdef const uint8_t* ahead
        cdef uint32_t i, left, announced
        cdef size_t size
        cdef Origin* origin = self.protocol.origin
        check(sequence <= self.next_expected_sequence < sequence + blocks)
        self.protocol.unit = self.number
        self._number(self.next_expected_sequence, line, self.number)
        left = blocks - <uint32_t>(self.next_expected_sequence - sequence)
        for i in range(blocks - left):
            at += le16(at)
        ahead = at
        announced = min(left, <uint32_t>LEAD)
        for i in range(announced):
            size = le16(ahead)
            self.protocol.announce(ahead, size)
            ahead += size
        for i in range(left):
            if announced < left:
                size = le16(ahead)
                self.protocol.announce(ahead, size)
                ahead += size
                announced += 1
            size = le16(at)
            self.protocol.message(at, size, receive_time)
            origin.sequence += 1
            at += size
        self.next_expected_sequence += left
        count(self.counters, FEED_MESSAGES, left)


cdef class Xdp(Channels):
    """All channels of one feed."""

    channels_by_destination = True

    cdef int _set_up(self, object options) except -1:
        Channels._set_up(self, options)
        self.options = replace(self.options, rerequest=False)
        return 0

    cdef Channel _make(self, int number):
        return XdpChannel(self, number)

    @property
    def channel_numbers(self) -> list[int]:
        """The channels that were heard of, in that order."""
        return [self.numbers[i] for i in range(self.used)]

    cdef void receive(
        self, const uint8_t* data, size_t length, int line, int64_t receive_time
    ) noexcept nogil:
        cdef int channel = (line >> CHANNEL_SHIFT) & MOST_CHANNEL
        cdef uint8_t flag
        line &= (1 << CHANNEL_SHIFT) - 1
        self._count_packet(length, line)
        if length < HEADER or not HEADER <= le16(data) <= length or not self._ready(channel):
            count(self.counters, FEED_BAD_PACKETS, 1)
            return
        length = le16(data)
        flag = data[2]
        if flag == RETRANSMISSION or flag == RETRANSMISSION_PART:
            line = LINE_RETRANSMISSION
        if flag == RESET or line == LINE_RETRANSMISSION or FAILOVER <= flag <= ORIGINAL:
            self._sequenced(data, length, channel, line, receive_time)
        elif flag == HEARTBEAT:
            if data[3]:
                count(self.counters, FEED_BAD_PACKETS, 1)
            else:
                self._sequenced(data, length, channel, line, receive_time)
        elif REFRESH <= flag <= REFRESH_LAST:
            self._refresh(data, length, channel, receive_time)
        else:
            count(self.counters, FEED_OTHER_SESSION_PACKETS, 1)

    cdef size_t mend(self, uint8_t* data, size_t length) noexcept nogil:
        cdef uint8_t claimed, messages = 0
        cdef size_t at = HEADER
        if length < HEADER:
            return 0
        claimed = data[3]
        while (messages < claimed and length - at >= MESSAGE_HEADER
                and MESSAGE_HEADER <= le16(data + at) <= length - at):
            at += le16(data + at)
            messages += 1
        put_le16(data, <uint16_t>at)
        data[3] = messages
        return at if messages else 0

    cdef void _sequenced(
        self, const uint8_t* data, size_t length, int channel, int line, int64_t now_ns
    ) noexcept nogil:
        cdef uint64_t before = (<XdpChannel>self.streams[channel]).next_expected_sequence
        cdef int64_t deadline = (<XdpChannel>self.streams[channel]).deadline
        if data[2] == RESET:
            (<XdpChannel>self.streams[channel]).reset(data, length, line, now_ns)
        else:
            (<XdpChannel>self.streams[channel]).packet(data, length, line, now_ns)
        self._took(channel, before, deadline, line, now_ns)

    cdef void _refresh(
        self, const uint8_t* data, size_t length, int channel, int64_t now_ns
    ) noexcept nogil:
        cdef const uint8_t* at = data + HEADER
        cdef uint32_t i
        if not (<XdpChannel>self.streams[channel])._is_whole(data, length, data[3]):
            count(self.counters, FEED_BAD_PACKETS, 1)
            return
        count(self.counters, FEED_OTHER_SESSION_PACKETS, 1)
        self.protocol.unit = channel
        self.protocol.origin.sequence = 0
        for i in range(data[3]):
            if le16(at + 2) == SYMBOL_INDEX_MAPPING:
                self.protocol.message(at, le16(at), now_ns)
                self.next_expected_sequence += 1
            at += le16(at)

    cdef void _clear_channel(self, Channel stream, int64_t now_ns) noexcept nogil:
        """Tell the protocol what the reset, if it came, is about to tell it."""
        cdef uint8_t[SEQUENCE_RESET_BYTES] message
        if (<XdpChannel>stream).told:
            return
        memset(message, 0, sizeof(message))
        message[0] = sizeof(message)
        message[2] = SEQUENCE_RESET
        self.protocol.unit = stream.number
        self.protocol.origin.sequence = 0
        self.protocol.message(message, sizeof(message), now_ns)

    def data_to_send(self, now_ns: int) -> list[bytes]:
        """The requests that are due (ASKED); gaps that were waited for long enough are given up
        here."""
        cdef XdpChannel stream
        cdef uint64_t before
        requests: list[bytes] = []
        for stream in self.known:
            if stream.deadline <= now_ns:
                before = stream.next_expected_sequence
                requests += stream.data_to_send(now_ns)
                if stream.next_expected_sequence != before:
                    self.next_expected_sequence += 1
        self._settle()
        return requests

    def set_reachable(self, reachable: bool) -> None:
        """The request server is connected, or no more: then a gap is only left to the lines."""
        self._reach(reachable, True)

    def request_response(
        self, channel: int, begin: int, end: int, status: str, now_ns: int
    ) -> None:
        """What the server says to a request for the messages `begin` to `end`. If it accepts it,
        they come, or are asked for again; if not, they never will."""
        cdef XdpChannel stream
        if status == ACCEPTED:
            return
        count(self.counters, FEED_REQUESTS_REFUSED, 1)
        if not 0 <= channel < CHANNELS or self.streams[channel] == NULL:
            return
        stream = <XdpChannel>self.streams[channel]
        if status == TOO_MANY and begin < end:
            stream.ask_for_fewer(end - begin + 1)
        elif 0 < begin <= end and stream.joined:
            stream.refuse_range(begin, end + 1, now_ns)
            self.next_expected_sequence += 1
        self._settle()

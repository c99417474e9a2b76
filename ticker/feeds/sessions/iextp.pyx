"""IEX-TP 1.x: sequenced messages in datagrams, on two lines.

    segment    0       1        2          4         8         12        14
               | ver 1 | unused | protocol | channel | session | payload | count |
               16              24               32          40
               | stream offset | first sequence | send time | count x (length, message)

Source: IEX Transport Protocol 1.0, as two open decoders and real captures have it. Integers are
little-endian, the send time is ns since the epoch. Count 0 is a heartbeat with the sequence of
the message to come next. Which packet counts, and what becomes of gaps: sequenced.pyx. The two
lines need not cut their segments alike.

A stream is a session id on a channel. The test facility begins again at sequence 1 under the
same id: that is told by the send time, which is then later by `quiet_ns` or more although the
sequence went back (the slower line sends nothing as late as that).

Nothing is asked for: the layout of IEX's gap fill requests could not be verified. What both
lines lost is counted, and given up after `request_timeout_ns`.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from ticker.endian cimport le16, le64, put_le16
from ticker.feeds.protocol cimport Protocol
from ticker.feeds.sequence.blocks cimport whole_blocks
from ticker.feeds.sequence.sequenced cimport Sequenced, same
from ticker.feeds.session cimport LINE_RETRANSMISSION
from ticker.shm.counters cimport FEED_BAD_PACKETS, FEED_OTHER_SESSION_PACKETS, count

from dataclasses import replace


cdef enum:
    HEADER = 40
    VERSION = 1
    NAME_BYTES = 8                 # channel and session id, as they are in the header


cdef class IexTp(Sequenced):
    """One IEX-TP stream on lines A and B. A protocol that names its `message_protocol` (TOPS
    1.6: 0x8003, DEEP 1.0: 0x8004) gets segments of that one only."""

    cdef int _set_up(self, object options) except -1:
        cdef uint64_t[2] words
        Sequenced._set_up(self, replace(options, rerequest=False))
        self.header = HEADER
        self.little_endian = True
        self.message_protocol = getattr(self.protocol, "message_protocol", 0)
        if options.resume is not None:
            name, sequence = options.resume
            words[0] = int.from_bytes(name[:NAME_BYTES].ljust(NAME_BYTES, b"\0"), "little")
            words[1] = 0
            self._resume_at(words, sequence)
        return 0

    cdef void receive(
        self, const uint8_t* data, size_t length, int line, int64_t receive_time
    ) noexcept nogil:
        cdef uint64_t[2] words
        cdef uint64_t sequence
        cdef uint32_t messages
        cdef int64_t send_time
        self._count_packet(length, line)
        if length < HEADER or data[0] != VERSION or length - HEADER != le16(data + 12):
            count(self.counters, FEED_BAD_PACKETS, 1)
            return
        if self.message_protocol and le16(data + 2) != self.message_protocol:
            count(self.counters, FEED_OTHER_SESSION_PACKETS, 1)
            return
        words[0] = le64(data + 4)
        words[1] = 0
        messages = le16(data + 14)
        sequence = le64(data + 24)
        send_time = <int64_t>le64(data + 32)
        self.anew = self._begins_again(words, sequence, send_time, line)
        if self._take(
            words, data, length, sequence, messages, False, line, receive_time
        ) and line != LINE_RETRANSMISSION:
            self.newest_send_time = max(self.newest_send_time, send_time)
        self.anew = False

    cdef size_t mend(self, uint8_t* data, size_t length) noexcept nogil:
        cdef uint32_t messages
        if length < HEADER:
            return 0
        messages = le16(data + 14)
        length = whole_blocks(data, length, HEADER, True, &messages)
        put_le16(data + 12, <uint16_t>(length - HEADER))
        put_le16(data + 14, <uint16_t>messages)
        return length if messages else 0

    cdef void _begin(self, const uint64_t* words, uint64_t sequence) noexcept nogil:
        Sequenced._begin(self, words, sequence)
        self.newest_send_time = 0

    cdef bint _begins_again(
        self, const uint64_t* words, uint64_t sequence, int64_t send_time, int line
    ) noexcept nogil:
        """The sender has started over, and not only this line fallen behind."""
        return (
            self.joined and 0 < sequence < self.next_expected_sequence
            and same(words, self.session_words) and line != LINE_RETRANSMISSION
            and self.newest_send_time > 0 and send_time > self.newest_send_time
            and send_time - self.newest_send_time >= self.quiet_ns
        )

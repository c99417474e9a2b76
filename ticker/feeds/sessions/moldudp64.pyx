"""MoldUDP64 1.00: sequenced messages in datagrams, on two lines, with retransmission.

    downstream packet            0          10         18      20
                                 | session  | sequence | count | count x (length, message)
    request                      | session  | sequence | count |

Source: Nasdaq MoldUDP64 protocol specification 1.00. Integers are big-endian. Count 0 is a
heartbeat, 0xFFFF the end of session; both carry the sequence of the message to come next.
Which packet counts, and what becomes of gaps: sequenced.pyx.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

from ticker.endian cimport be16, be64, put_be16
from ticker.feeds.sequence.blocks cimport whole_blocks
from ticker.feeds.sequence.sequenced cimport Sequenced
from ticker.feeds.session cimport LINE_RETRANSMISSION
from ticker.shm.counters cimport FEED_BAD_PACKETS, count


cdef enum:
    HEADER = 20
    SESSION_BYTES = 10
    END_OF_SESSION = 0xFFFF


cdef inline void read_session(uint64_t* words, const uint8_t* data) noexcept nogil:
    words[0] = 0
    words[1] = 0
    memcpy(words, data, SESSION_BYTES)


cdef class MoldUDP64(Sequenced):
    """One MoldUDP64 stream on lines A and B, and its re-request server."""

    cdef int _set_up(self, object options) except -1:
        cdef uint64_t[2] words
        Sequenced._set_up(self, options)
        self.header = HEADER
        if options.resume is not None:
            name, sequence = options.resume
            padded = name[:SESSION_BYTES].ljust(SESSION_BYTES, b"\0")
            read_session(words, padded)
            self._resume_at(words, sequence)
            if options.join == "start":
                # All that is known is of that session, up to there.
                self.session_words = words
        return 0

    cdef void receive(
        self, const uint8_t* data, size_t length, int line, int64_t receive_time
    ) noexcept nogil:
        cdef uint64_t[2] words
        cdef uint32_t blocks
        self._count_packet(length, line)
        if length < HEADER:
            count(self.counters, FEED_BAD_PACKETS, 1)
            if line == LINE_RETRANSMISSION:
                self._count_answer(receive_time)
            return
        read_session(words, data)
        blocks = be16(data + 18)
        self._take(
            words, data, length, be64(data + 10), 0 if blocks == END_OF_SESSION else blocks,
            blocks == END_OF_SESSION, line, receive_time,
        )

    cdef size_t mend(self, uint8_t* data, size_t length) noexcept nogil:
        cdef uint32_t blocks
        if length < HEADER:
            return 0
        blocks = be16(data + 18)
        if blocks == END_OF_SESSION:
            return HEADER
        length = whole_blocks(data, length, HEADER, False, &blocks)
        put_be16(data + 18, <uint16_t>blocks)
        return length if blocks else 0

    def request(self, sequence: int, messages: int) -> bytes:
        """20 bytes for the re-request server (section 3)."""
        session = (<const char*>self.session_words)[:SESSION_BYTES]
        return session + sequence.to_bytes(8, "big") + messages.to_bytes(2, "big")

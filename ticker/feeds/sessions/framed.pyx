"""No session at all: the transport says where a message ends (WebSocket, HTTP).

Each chunk is one message. An empty one is a sign of life and nothing else.
"""

from libc.stdint cimport int64_t, uint8_t

from ticker.feeds.session cimport Session
from ticker.shm.counters cimport (
    FEED_BYTES,
    FEED_HEARTBEATS,
    FEED_MESSAGES,
    FEED_PACKETS,
    count,
)


cdef class Framed(Session):
    """Hands on what it is given; there is no sequence here, hence no gap."""

    cdef void receive(
        self, const uint8_t* data, size_t length, int line, int64_t receive_time
    ) noexcept nogil:
        self.last_packet_ns = receive_time
        if not length:
            count(self.counters, FEED_HEARTBEATS, 1)
            return
        count(self.counters, FEED_PACKETS, 1)
        count(self.counters, FEED_BYTES, length)
        count(self.counters, FEED_MESSAGES, 1)
        self.next_expected_sequence += 1
        self.protocol.message(data, length, receive_time)

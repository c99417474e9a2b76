"""A decoder with somebody who looks on, for tools: each message is decoded, then told.

Law: what the decoder hears, and when, is what it hears without the tap.
"""

from libc.stdint cimport int64_t, uint8_t, uint64_t

from ticker.feeds.tracing.around cimport Around
from ticker.feeds.protocol cimport Protocol
from ticker.feeds.sequence.channels cimport Channel, Channels
from ticker.feeds.sequence.sequenced cimport Sequenced
from ticker.feeds.session cimport Session

from ticker.feeds.sessions.cboe_unit import CboeUnit


cdef class Tap(Around):
    """`heard(message, channel, receive_time)` is called behind each message; it must not raise.
    The channel is 0 where the feed has one stream."""

    def __init__(self, Protocol decoder not None, heard: object) -> None:
        super().__init__(decoder)
        self.heard = heard

    cdef void message(self, const uint8_t* data, size_t length, int64_t receive_time) noexcept nogil:
        Around.message(self, data, length, receive_time)
        with gil:
            self.heard(data[:length], self.unit, receive_time)


cdef uint64_t ROUND = 0xFFFFFFFF    # Cboe's numbers: 1 follows it


def next_number(Session session not None, channel: int) -> int:
    """What a stream of a session expects next, as its venue counts; of one that decodes a packet:
    the number of the packet's first message that is new."""
    cdef Channel stream
    cdef uint64_t number = session.next_expected_sequence
    if isinstance(session, Channels):
        for stream in (<Channels>session).known:
            if stream.number == channel:
                number = stream.next_expected_sequence
        if isinstance(session, CboeUnit):
            number = (number - 1) % ROUND + 1
    return number


def numbers_packets(Session session not None) -> bool:
    """Whether it is a session of numbered packets, which `next_number` can tell."""
    return isinstance(session, (Sequenced, Channels))

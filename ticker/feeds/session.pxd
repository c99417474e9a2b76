"""What every session is to its transport: packets or stream bytes in, messages out."""

from libc.stdint cimport int64_t, uint8_t, uint64_t

from ticker.feeds.protocol cimport Protocol
from ticker.shm.gaps cimport GapLedger
from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport FeedState
from ticker.shm.lineage.origin cimport number_from, tell_from

cdef extern from "<stdint.h>":
    const int64_t NEVER "INT64_MAX"          # a deadline that does not come

cpdef enum Line:
    LINE_A = 0
    LINE_B = 1
    LINE_RETRANSMISSION = 2

cpdef enum:
    # Of a feed whose packets do not name their channel, the transport says it beside the Line.
    CHANNEL_SHIFT = 8
    MOST_CHANNEL = 255


cdef class Session:
    """Frames, sequences and arbitrates what one or more lines bring.

    No I/O and no clock: times come in, requests to send come out of `data_to_send`.
    The bytes at `data` belong to the caller and live until the call returns.
    """

    cdef Protocol protocol
    cdef Mapping mapping                     # keeps `counters` and `feed` alive
    cdef uint64_t* counters
    cdef FeedState* feed
    cdef readonly GapLedger ledger
    cdef readonly uint64_t next_expected_sequence
    cdef readonly uint64_t joined_at         # what the stream had reached then, 0: not joined yet
    cdef readonly int64_t last_packet_ns     # receive time of the last packet up to date, 0: none
    cdef readonly bint ended                 # the sender said so, and all before it came
    cdef readonly bint recovering            # waits for an answer of the re-request server
    cdef uint64_t session_words[2]           # the session's id, NUL padded
    cdef readonly int64_t ignore_until       # the re-request server is not read before, 0: it is
    cdef readonly int64_t left_until         # ... is not asked before, 0: it is
    cdef int64_t deadline                    # then `data_to_send` has something to do, or NEVER

    # What a session is made of, by its options; the fields above are set. A subclass calls that of
    # its base first.
    cdef int _set_up(self, object options) except -1
    # One datagram (or one chunk of a stream) of a Line, with its channel above CHANNEL_SHIFT.
    cdef void receive(
        self, const uint8_t* data, size_t length, int line, int64_t receive_time
    ) noexcept nogil
    # Make a packet of the whole messages of one that was cut short, in place; its length, 0: it
    # has none. What a session that does not know how gets is what there is.
    cdef size_t mend(self, uint8_t* data, size_t length) noexcept nogil
    # A datagram of a Line, into the counters.
    cdef void _count_packet(self, size_t length, int line) noexcept nogil
    # No more bytes will come: what waits behind a gap goes on without what is missing.
    cdef void finish(self, int64_t now_ns) noexcept nogil
    # After every flush: where a successor goes on.
    cdef void save_resume_point(self) noexcept nogil
    # The first message that readers of a predecessor were not told of; UINT64_MAX: not known.
    cdef uint64_t told_until(self) noexcept nogil
    # The next message has this number of a channel.
    cdef inline void _number(self, uint64_t sequence, int line, int channel) noexcept nogil:
        number_from(self.protocol.origin, sequence, line, channel, self.session_words)
        self._note_told(sequence)
    # The protocol's origin has the number of the next message, and here is that of its stream.
    cdef inline void _note_told(self, uint64_t number) noexcept nogil:
        if self.protocol.market is not None and not self.protocol.market.publisher.publishing:
            tell_from(self.protocol.origin, number, self.told_until())

    # This session is over, and another one begins.
    cdef void leave_session(self) noexcept nogil

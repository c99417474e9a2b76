"""A decoder whose messages are kept where they make trades of some rows.

In: the messages of a feed. Out: those that made trades, to a TraceWriter. A feed's worker puts it
between its session and its decoder while somebody traces, so that it costs nothing else.

Law: what the decoder hears, and when, is what it hears without it. A trade that the filter held may
be made by a later message, so nothing is kept of a row that has one.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t

from ticker.feeds.market.publisher cimport Entry
from ticker.feeds.tracing.around cimport Around
from ticker.feeds.protocol cimport Protocol
from ticker.feeds.sequence.channels cimport Channel, Channels
from ticker.feeds.session cimport Session
from ticker.shm.layout cimport ROW_HELD
from ticker.shm.lineage.traces cimport MOST_TRACED, TraceWriter


cdef class TracingTap(Around):
    """Around `decoder`, into `writer`."""

    def __init__(self, Protocol decoder not None, TraceWriter writer not None) -> None:
        super().__init__(decoder)
        self.writer = writer

    def follow(self, rows: list[int]) -> None:
        """Trace these rows from now on, the first of them if there are too many."""
        cdef uint32_t place
        wanted = rows[:MOST_TRACED]
        for place, row in enumerate(wanted):
            if place >= self.count or self.rows[place] != <uint32_t>row:
                self.writer.clear(place)
            self.rows[place] = row
        for place in range(<uint32_t>len(wanted), self.count):
            self.writer.clear(place)
        self.count = <uint32_t>len(wanted)

    cdef void message(self, const uint8_t* data, size_t length, int64_t receive_time) noexcept nogil:
        cdef const Entry* entry
        cdef uint32_t place
        for place in range(self.count):
            entry = self.market.publisher.entries + self.rows[place]
            self.seqs[place] = entry.values.seq
            self.held[place] = entry.values.flags & ROW_HELD != 0
        Around.message(self, data, length, receive_time)
        for place in range(self.count):
            entry = self.market.publisher.entries + self.rows[place]
            if entry.values.seq != self.seqs[place] and not self.held[place]:
                self.writer.keep(
                    place, self.rows[place], self.seqs[place] + 1, entry.values.seq, receive_time,
                    self.origin, data, length,
                )


def put_between(Session session not None, Protocol protocol not None) -> None:
    """Let a session pass its messages to this decoder from now on, also those of its streams."""
    cdef Channel stream
    session.protocol = protocol
    if isinstance(session, Channels):
        for stream in (<Channels>session).known:
            stream.protocol = protocol

"""The base of all sessions: what they are given, and where a successor goes on.

Law: bytes and times in, calls on the protocol and requests to send out. No socket, no clock.
"""

from libc.stdint cimport UINT64_MAX, int64_t, uint8_t, uint64_t
from libc.string cimport memcpy

from dataclasses import dataclass

from ticker.errors import FeedError
from ticker.feeds.protocol cimport Protocol
from ticker.shm.atomics cimport load_acquire, load_relaxed, store_release
from ticker.shm.counters cimport (
    FEED_BYTES,
    FEED_PACKETS,
    FEED_PACKETS_LINE_A,
    FEED_PACKETS_LINE_B,
    FEED_PACKETS_RETRANSMITTED,
    count,
)
from ticker.shm.gaps cimport GapLedger
from ticker.shm.header cimport Mapping

DEADLINE_NEVER = NEVER


@dataclass(frozen=True, kw_only=True)
class SessionOptions:
    """How a session joins its stream, and how long it waits for what is missing. Times in ns."""

    join: str = "live"
    """`live`: from the first packet seen on; `start`: from sequence 1, the rest is a gap."""
    resume: tuple[bytes, int] | None = None
    """Session id and next sequence of a predecessor; goes before `join` for that session."""
    rerequest: bool = False
    """A re-request server takes what `data_to_send` gives."""
    line_wait_ns: int = 1_000_000
    """A gap is first left to the other line for this long."""
    request_timeout_ns: int = 100_000_000
    """Without an answer for this long a request is repeated; without a server, the gap is lost."""
    request_attempts: int = 5
    """Requests without any answer until the gap is declared lost."""
    request_window: int = 8192
    """Messages asked for and not yet there, at most."""
    requests_per_second: int = 1000
    """Requests without an answer, at most; an answer gives the right to one more."""
    buffer_bytes: int = 32 << 20
    """Packets beyond a gap are kept in so much memory; when it is full the newest is dropped
    (and requested later)."""
    quiet_ns: int = 3_000_000_000
    """After so long without a current packet a stream is quiet, and others may replace it. So long
    is what one packet says kept, until something confirms it."""
    image_timeout_ns: int = 0
    """A server of images takes part: joined late, a stream waits for one for this long."""
    units: tuple[int, ...] = ()
    """The streams that count, where the lines carry several; none: all of them."""
    places: memoryview | None = None
    """256 words for the numbers that the streams have reached, and one for how often one of them
    began again, for a successor (images/places.py); None: a successor begins anew."""


cdef class Session:
    """A subclass lives in ticker/feeds/sessions/<name>.pyx and is found by that name."""

    counts_messages = True
    """`next_expected_sequence` is the number of a message."""

    def __init__(
        self, Protocol protocol not None, Mapping mapping not None,
        options: SessionOptions | None = None, GapLedger ledger = None,
    ) -> None:
        if not mapping.writable:
            raise FeedError("a session counts into its feed's own, writable segment")
        self.protocol = protocol
        self.mapping = mapping
        self.counters = mapping.counters
        self.feed = mapping.feed_state()
        self.ledger = GapLedger(mapping) if ledger is None else ledger
        self.deadline = NEVER
        self._set_up(SessionOptions() if options is None else options)

    cdef int _set_up(self, object options) except -1:
        return 0

    cdef void receive(
        self, const uint8_t* data, size_t length, int line, int64_t receive_time
    ) noexcept nogil:
        pass

    cdef void finish(self, int64_t now_ns) noexcept nogil:
        pass

    cdef size_t mend(self, uint8_t* data, size_t length) noexcept nogil:
        return length

    cdef void _count_packet(self, size_t length, int line) noexcept nogil:
        count(self.counters, FEED_PACKETS, 1)
        count(self.counters, FEED_BYTES, length)
        if line == LINE_A:
            count(self.counters, FEED_PACKETS_LINE_A, 1)
        elif line == LINE_B:
            count(self.counters, FEED_PACKETS_LINE_B, 1)
        else:
            count(self.counters, FEED_PACKETS_RETRANSMITTED, 1)

    cdef void save_resume_point(self) noexcept nogil:
        cdef int i
        if (load_relaxed(&self.feed.resume_session[0]) != self.session_words[0]
                or load_relaxed(&self.feed.resume_session[1]) != self.session_words[1]):
            # A writer that dies in between must not leave one session's number with the
            # other's name: 0 is "none".
            store_release(&self.feed.resume_sequence, 0)
            for i in range(2):
                store_release(&self.feed.resume_session[i], self.session_words[i])
        store_release(&self.feed.resume_sequence, self.next_expected_sequence)
        store_release(&self.feed.last_message_ns, <uint64_t>self.last_packet_ns)

    cdef uint64_t told_until(self) noexcept nogil:
        cdef uint64_t sequence = load_acquire(&self.feed.resume_sequence)
        if (load_relaxed(&self.feed.resume_session[0]) != self.session_words[0]
                or load_relaxed(&self.feed.resume_session[1]) != self.session_words[1]):
            return 0
        return sequence if sequence else UINT64_MAX

    cdef void leave_session(self) noexcept nogil:
        cdef uint64_t first = load_relaxed(&self.feed.resume_session[0])
        cdef uint64_t second = load_relaxed(&self.feed.resume_session[1])
        if self.protocol.market is not None and self.session_words[0]:
            self.protocol.market.takeover.end_session(
                first and (first != self.session_words[0] or second != self.session_words[1])
            )

    def image_state(self) -> bytes | None:
        """What an image needs of a session of several streams; None: it cannot be said now."""
        return b""

    def restore_image(self, state: bytes) -> None:
        """Go on where the streams of an image stood. Raises FeedError."""
        if state:
            raise FeedError("an image of several streams, for a session of one")

    @property
    def beginnings(self) -> int:
        """How often one of several streams began again: an image is of the time in between."""
        return 0

    @property
    def skipped(self) -> bool:
        """A stream of the image did not come, so that its messages since are missing."""
        return False

    def has_caught_up(self, resume: tuple[bytes, int] | None, now_ns: int) -> bool:
        """Whether a rebuild has reached the place of the predecessor (`resume`: its session and
        next sequence), and that of the first packet of the lines."""
        target = self.joined_at
        if resume and resume[0] == self.session_id:
            target = max(target, resume[1])
        return 0 < target <= self.next_expected_sequence

    def data_to_send(self, now_ns: int) -> list[bytes]:
        """Datagrams for the re-request server, each one request; calling this marks them sent."""
        return []

    def next_deadline(self, now_ns: int) -> int:
        """When `data_to_send` must be called next, ns; DEADLINE_NEVER while nothing is missing."""
        return self.deadline

    @property
    def session_id(self) -> bytes:
        """The current session as the wire names it; empty before the first packet."""
        cdef char text[16]
        memcpy(text, self.session_words, 16)
        return text[:16].rstrip(b"\0")

    def receive_data(self, data: bytes, line: int = LINE_A, receive_time: int = 0) -> None:
        """`receive` for callers in Python: one datagram, or one chunk of a stream."""
        cdef const uint8_t* start = data
        cdef size_t length = len(data)
        if self.protocol.market is not None:
            self.protocol.market.look(receive_time)
        self.receive(start, length, line, receive_time)

    def mend_packet(self, packet: bytes) -> bytes:
        """`mend` for callers in Python: the packet that was cut is not changed."""
        cdef bytearray copy = bytearray(packet)
        cdef uint8_t* start = copy
        return bytes(copy[:self.mend(start, len(copy))])

    def end_of_data(self, now_ns: int = 0) -> None:
        """`finish` for callers in Python."""
        self.finish(now_ns)

    def save(self) -> None:
        """`save_resume_point` for callers in Python."""
        self.save_resume_point()


def session_before(Mapping mapping not None) -> bytes:
    """Session id of the rows in a feed's segment, of its last writer or restored; empty: unknown."""
    cdef char text[16]
    cdef uint64_t words[2]
    cdef int i
    for i in range(2):
        words[i] = load_relaxed(&mapping.feed_state().resume_session[i])
    memcpy(text, words, 16)
    return text[:16].rstrip(b"\0")


def resume_point(Mapping mapping not None) -> tuple[bytes, int] | None:
    """Session id and next sequence that the last writer of a feed's segment left, or None."""
    sequence = load_relaxed(&mapping.feed_state().resume_sequence)
    return (session_before(mapping), sequence) if sequence else None

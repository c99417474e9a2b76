"""FIX 4.2 and 4.4: frames out of a byte stream, and the short way for market data in sequence.

Law: bytes and times in, calls out. A frame goes the short way (no Python) only if nothing about
it needs a decision: market data (35=W, X), expected sequence, right identity and time, no
possible duplicate, nothing held back. Everything else goes to the dialogue (fix/dialogue.py), which
knows the rules.

A garbled frame (wrong BeginString, BodyLength, MsgType position or CheckSum) is counted and left
out, and the sequence does not advance, so that the next good frame shows the gap (FIX 4.4
volume 2, "Garbled messages"). What it claims to be long is skipped with it; the next frame is
looked for after that.
"""

from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcmp, memcpy, memmove

from ticker.feeds.fix.fields cimport (
    FRAME_CUT,
    FRAME_WHOLE,
    Frame,
    FrameState,
    Header,
    find_start,
    read_frame,
    read_header,
)
from ticker.feeds.fix.group cimport NO_REASON, EntryGroup
from ticker.feeds.session cimport NEVER, Session
from ticker.shm.counters cimport (
    FEED_BAD_PACKETS,
    FEED_BYTES,
    FEED_DUPLICATE_MESSAGES,
    FEED_GAP_MESSAGES,
    FEED_GAPS,
    FEED_MEMORY_FAILURES,
    FEED_MESSAGES,
    FEED_PACKETS,
    FEED_SESSIONS,
    FEED_UNREAD_BYTES,
    count,
)
from ticker.shm.counters import FEED_COUNTERS

from ticker.feeds.fix.dialogue import Dialogue
from ticker.feeds.fix.events import Event
from ticker.feeds.fix.initiator import FixOptions, Phase

cdef enum:
    BLOCK = 32                   # messages between two flushes
    LONGEST = 1 << 20            # the greatest BodyLength that is believed
    SNAPSHOT = 0x57              # W
    INCREMENTAL = 0x58           # X

cdef dict COUNTERS = {name: number for number, name in enumerate(FEED_COUNTERS)}


cdef class Fix(Session):
    """One FIX session. Without FixOptions it only overhears a capture."""

    cdef int _set_up(self, object options) except -1:
        self.longest = LONGEST
        self.passive = self.open = True
        group = getattr(self.protocol, "group", None)
        self.group = group if isinstance(group, EntryGroup) else None
        if isinstance(options, FixOptions):
            self.dialogue = Dialogue(self, options)
            self._identify(options)
            self.next_expected_sequence = options.next_sequence_in
        return 0

    cdef int _identify(self, options: FixOptions) except -1:
        """What frames of the other side must say, and how far its clock may be off."""
        self.begin_text = options.begin_string.encode()
        self.sender_text = options.target.encode()
        self.target_text = options.sender.encode()
        self.begin_string = self.begin_text
        self.sender = self.sender_text
        self.target = self.target_text
        self.begin_length = len(self.begin_text)
        self.sender_length = len(self.sender_text)
        self.target_length = len(self.target_text)
        self.tolerance_ns = options.tolerance_ns
        self.passive = self.open = False
        return 0

    def __dealloc__(self) -> None:
        free(self.cut)

    cdef void receive(
        self, const uint8_t* data, size_t length, int line, int64_t receive_time
    ) noexcept nogil:
        cdef const uint8_t* rest
        count(self.counters, FEED_PACKETS, 1)
        count(self.counters, FEED_BYTES, length)
        if not self.open:
            return
        if not self.cut_length:
            rest = self._walk(data, data + length, receive_time)
            length -= <size_t>(rest - data)
            if self.open:
                self._keep(rest, length)
        elif self._reserve(self.cut_length + length):
            memcpy(self.cut + self.cut_length, data, length)
            self.cut_length += length
            rest = self._walk(self.cut, self.cut + self.cut_length, receive_time)
            self.cut_length -= <size_t>(rest - self.cut)
            memmove(self.cut, rest, self.cut_length)
        if not self.open:
            self.cut_length = 0
        self._flush(receive_time)

    cdef void finish(self, int64_t now_ns) noexcept nogil:
        count(self.counters, FEED_UNREAD_BYTES, self.cut_length)
        self.cut_length = 0

    cdef void _keep(self, const uint8_t* data, size_t length) noexcept nogil:
        """Less than one frame, so its size is bounded by `longest`."""
        if length and self._reserve(length):
            memcpy(self.cut, data, length)
            self.cut_length = length

    cdef bint _reserve(self, size_t length) noexcept nogil:
        cdef void* grown
        if length <= self.cut_capacity:
            return True
        grown = realloc(self.cut, 2 * length)
        if grown == NULL:
            # The frame is lost, as a garbled one is.
            count(self.counters, FEED_MEMORY_FAILURES, 1)
            self.cut_length = 0
            return False
        self.cut = <uint8_t*>grown
        self.cut_capacity = 2 * length
        return True

    cdef const uint8_t* _walk(
        self, const uint8_t* data, const uint8_t* end, int64_t receive_time
    ) noexcept nogil:
        """All whole frames; where the first one that is cut begins."""
        cdef Frame frame
        cdef FrameState state
        cdef const uint8_t* start
        cdef unsigned frames = 0
        while data < end and self.open:
            start = find_start(data, end)
            if start != data:
                # A capture may have anything between its frames: line ends, times of a log.
                count(self.counters, FEED_BAD_PACKETS, not self.passive)
                if not self.passive and not self.express:
                    self._stray()
                data = start
                continue
            state = read_frame(data, end, self.longest, &frame)
            if state == FRAME_WHOLE:
                self._frame(&frame, receive_time)
                frames += 1
                if frames % BLOCK == 0:
                    self._flush(receive_time)
            elif state == FRAME_CUT:
                break
            else:
                count(self.counters, FEED_BAD_PACKETS, 1)
                if not self.passive and not self.express:
                    self._stray()
            data = find_start(frame.after, end) if state != FRAME_WHOLE else frame.after
        return data

    cdef void _frame(self, Frame* frame, int64_t receive_time) noexcept nogil:
        cdef Header header
        count(self.counters, FEED_MESSAGES, 1)
        self.last_packet_ns = receive_time
        read_header(frame.body, frame.body_length, &header)
        if self.passive:
            self._overhear(frame, &header, receive_time)
        elif self.express and self._in_order(frame, &header, receive_time):
            self.next_expected_sequence += 1
            self._tell_decoder(&header)
            self.protocol.message(frame.body, frame.body_length, receive_time)
            if self._is_to_be_judged():
                self._judge(frame.body, frame.body_length)
        else:
            self._decide(frame, receive_time)

    cdef bint _in_order(self, Frame* frame, Header* header, int64_t receive_time) noexcept nogil:
        """Whether nothing about this frame needs a decision."""
        cdef int64_t age = receive_time - header.sending_time
        if header.kind != SNAPSHOT and header.kind != INCREMENTAL:
            return False
        return (
            header.whole and header.sequence == self.next_expected_sequence
            and not header.possible_duplicate
            and -self.tolerance_ns <= age <= self.tolerance_ns
            and same(header.sender.value, header.sender.length, self.sender, self.sender_length)
            and same(header.target.value, header.target.length, self.target, self.target_length)
            and same(
                frame.begin_string, frame.begin_string_length, self.begin_string,
                self.begin_length,
            )
        )

    cdef void _tell_decoder(self, const Header* header) noexcept nogil:
        """The header of the message that comes next need not be read twice. (One that was sent
        again has two times.)"""
        if self.group is not None and header.whole and not header.possible_duplicate:
            self.group.header_end = header.end
            self.group.header_sent = header.sending_time

    cdef void _overhear(self, Frame* frame, Header* header, int64_t receive_time) noexcept nogil:
        """A frame of a capture. Sequences are only looked at: a capture may begin anywhere,
        and hold several sessions one after another."""
        cdef uint64_t expected = self.next_expected_sequence
        if header.sequence < expected and header.possible_duplicate:
            count(self.counters, FEED_DUPLICATE_MESSAGES, 1)
            return
        if not expected or header.sequence < expected:
            count(self.counters, FEED_SESSIONS, 1)
        elif header.sequence > expected:
            count(self.counters, FEED_GAPS, 1)
            count(self.counters, FEED_GAP_MESSAGES, header.sequence - expected)
        self.next_expected_sequence = header.sequence + 1
        self._tell_decoder(header)
        self.protocol.message(frame.body, frame.body_length, receive_time)

    cdef void _flush(self, int64_t publish_time) noexcept nogil:
        if self.protocol.market is not None:
            self.protocol.market.flush(publish_time)

    cdef void _decide(self, Frame* frame, int64_t receive_time) noexcept nogil:
        with gil:
            self.dialogue.heard.handle(
                frame.begin_string[:frame.begin_string_length], frame.body[:frame.body_length],
                receive_time,
            )

    cdef bint _is_to_be_judged(self) noexcept nogil:
        """The decoder has refused a message, or cannot go on with what it has."""
        return self.group is not None and (
            self.group.reason != NO_REASON or self.group.doubtful
        )

    cdef void _judge(self, const uint8_t* body, size_t length) noexcept nogil:
        with gil:
            self.dialogue.heard.judged(body[:length])

    cdef void _stray(self) noexcept nogil:
        with gil:
            self.dialogue.heard.garbled()

    # For the dialogue

    def deliver(self, body: bytes, now_ns: int) -> None:
        """A message to the protocol."""
        cdef const uint8_t* data = body
        self.protocol.message(data, len(body), now_ns)
        if self._is_to_be_judged():
            self.dialogue.heard.judged(body)

    def count(self, name: str, by: int = 1) -> None:
        """Add to one of the feed's counters (counters.pyx)."""
        count(self.counters, COUNTERS[name], by)

    def set_open(self, open_: bool) -> None:
        """Whether bytes are taken; closing forgets a frame that is not whole."""
        self.open = open_
        if not open_:
            self.express = False

    def set_express(self, express: bool, recovering: bool = False) -> None:
        """Open or close the short way; `recovering` as Session has it."""
        self.express = express
        self.recovering = recovering

    def forget_cut(self) -> None:
        """A new connection: the last one's cut frame will never be whole."""
        self.cut_length = 0

    def expect_sequence(self, sequence: int) -> None:
        """Set `next_expected_sequence`."""
        self.next_expected_sequence = sequence

    # For the driver: the dialogue's own side. Nobody talks with a capture.

    def connected(self, now_ns: int) -> None:
        """The transport is there: log on."""
        self.dialogue.connected(now_ns)

    def disconnected(self) -> None:
        """The transport is gone."""
        self.dialogue.disconnected()

    def logout(self, now_ns: int, text: str = "") -> None:
        """Say good-bye; the other side's answer, or its lack, closes."""
        self.dialogue.logout(now_ns, text)

    def data_to_send(self, now_ns: int) -> list[bytes]:
        """Frames to send now, in order; what time alone brings about is among them."""
        return self.dialogue.data_to_send(now_ns) if self.dialogue is not None else []

    def next_deadline(self, now_ns: int) -> int:
        """When `data_to_send` must be called next, ns."""
        return self.dialogue.next_deadline(now_ns) if self.dialogue is not None else NEVER

    def take_events(self) -> list[Event]:
        """What happened since the last call."""
        return self.dialogue.initiator.take_events()

    @property
    def should_close(self) -> bool:
        """The connection has no use any more."""
        return self.dialogue.initiator.should_close

    @property
    def logged_on(self) -> bool:
        return self.dialogue.initiator.phase is Phase.LOGGED_ON

    @property
    def next_sequence_out(self) -> int:
        """The number of the next message that is sent."""
        return self.dialogue.initiator.next_sequence_out


cdef inline bint same(
    const uint8_t* value, size_t length, const char* text, size_t text_length
) noexcept nogil:
    return length == text_length and not memcmp(value, text, length)

"""SoupBinTCP 3.00, as the client: sequenced messages in a TCP stream.

    +-------------------+--------+---------------------+----
    | u16 length n, BE  | type 1 | payload of n-1 bytes | ...
    +-------------------+--------+---------------------+----

    to the server    L login request   R heartbeat   O logout request
    from it          A accepted   J rejected   S sequenced   H heartbeat   Z end of session
    either way       + debug   U unsequenced

Law: a sequenced message has no number of its own: the first after a login has the one that the
acceptance says, each next one more. What came before is skipped and counted, what the server no
longer has is a gap, counted and lost at once: there is no other server to ask. After a disconnect the
login asks for the next message of the same session; where that session is gone, for the current
one from its start (`join="live"`: from its newest message). A stream that makes no sense is left
and logged in to again. No socket, no clock. Source: Nasdaq SoupBinTCP 3.00.

A packet cut by a chunk's end is kept until its rest comes.
"""

from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memcpy

from ticker.endian cimport be16
from ticker.feeds.session cimport NEVER, Session
from ticker.shm.counters cimport (
    FEED_BAD_PACKETS,
    FEED_BYTES,
    FEED_DUPLICATE_MESSAGES,
    FEED_GAP_MESSAGES,
    FEED_GAPS,
    FEED_HEARTBEATS,
    FEED_LOST_MESSAGES,
    FEED_MESSAGES,
    FEED_OTHER_SESSION_PACKETS,
    FEED_PACKETS,
    FEED_SESSIONS,
    count,
)
from ticker.shm.gaps cimport LOST_UPSTREAM

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from ticker.errors import FeedError
from ticker.feeds.session import SessionOptions

cdef enum:
    PREFIX = 2
    AHEAD = 12                   # packets between the announced one and the decoded one
    SESSION_BYTES = 10
    SEQUENCE_DIGITS = 20
    ACCEPTED = 0x41              # A
    DEBUG = 0x2B                 # +
    HEARTBEAT = 0x48             # H
    REJECTED = 0x4A              # J
    SEQUENCED = 0x53             # S
    UNSEQUENCED = 0x55           # U
    END_OF_SESSION = 0x5A        # Z

cdef enum:
    DISCONNECTED = 0
    LOGGING_IN = 1
    LOGGED_IN = 2
    ENDED = 3

REASONS = {"A": "not authorized: check username and password",
           "S": "session not available"}
CLIENT_HEARTBEAT = b"\x00\x01R"
LOGOUT_REQUEST = b"\x00\x01O"


class Phase(Enum):
    """How far a connection is."""

    DISCONNECTED = 0
    LOGGING_IN = 1
    LOGGED_IN = 2
    ENDED = 3


class Event(NamedTuple):
    """What an operator may want to know: login_accepted, login_rejected, credentials_refused,
    end_of_session, silent, garbled, debug."""

    kind: str
    text: str


@dataclass(frozen=True, kw_only=True)
class SoupOptions(SessionOptions):
    """Who logs in, and to what. Times in ns."""

    username: str = ""
    """At most 6 ASCII characters."""
    password: str = ""
    """At most 10."""
    session: str = ""
    """Empty: the current one."""
    heartbeat_ns: int = 1_000_000_000
    """Nothing sent for so long: a heartbeat is."""
    silence_ns: int = 15_000_000_000
    """Nothing heard for so long: the server is taken for dead."""
    reached: tuple[bytes, int] | None = None
    """Of a rebuild: session and next sequence of the predecessor, to catch up with."""


def field(text: str, width: int, what: str) -> bytes:
    """Padded with spaces on the right. Raises FeedError."""
    raw = text.encode("ascii", "replace")
    if len(raw) > width or not text.isascii():
        raise FeedError(f"soupbintcp {what}: {len(text)} characters; at most {width}, ASCII")
    return raw.ljust(width)


cdef class SoupBinTcp(Session):
    """One login after another to one stream."""

    cdef int _set_up(self, object options) except -1:
        self.options = options if isinstance(options, SoupOptions) else SoupOptions()
        field(self.options.username, 6, "username")
        field(self.options.password, 10, "password")
        field(self.options.session, SESSION_BYTES, "session")
        self.heartbeat_ns = self.options.heartbeat_ns
        self.silence_ns = self.options.silence_ns
        self.out = []
        self.events = []
        self._want_current()
        self.wanted_session = self.options.session.strip().encode("ascii")
        if self.options.resume is not None:
            name, sequence = self.options.resume
            self._set_session(name)
            self.next_expected_sequence = sequence
            self.wanted_session = name
            self.wanted_sequence = sequence
        if self.options.reached is not None:
            self.target_session, self.target = self.options.reached
        return 0

    def _want_current(self) -> None:
        """Log in to what the server has, from its start or at its end."""
        self.wanted_session = b""
        self.wanted_sequence = 1 if self.options.join == "start" else 0

    def _set_session(self, name: bytes) -> None:
        cdef bytes padded = name[:16].ljust(16, b"\0")
        memcpy(self.session_words, <const char*>padded, 16)

    # -- the connection ------------------------------------------------------------------------

    @property
    def phase(self) -> Phase:
        """How far the connection is."""
        return Phase(self.phase_number)

    @property
    def caught_up(self) -> bool:
        """Logged in, and as far as the predecessor was, if that was in this session."""
        if self.phase_number < LOGGED_IN:
            return False
        return (not self.target or self.session_id != self.target_session
                or self.next_expected_sequence >= self.target)

    def connected(self, now_ns: int) -> None:
        """A connection is up: log in."""
        self.phase_number = LOGGING_IN
        self.should_close = False
        self.cut_length = 0
        self.heard_ns = now_ns
        self.out = [self._login()]
        self.said_ns = now_ns
        self._set_deadline()

    def _login(self) -> bytes:
        return (
            b"\x00\x2fL" + field(self.options.username, 6, "username")
            + field(self.options.password, 10, "password")
            + self.wanted_session.rjust(SESSION_BYTES)
            + str(self.wanted_sequence).encode("ascii").rjust(SEQUENCE_DIGITS)
        )

    def disconnected(self) -> None:
        """The connection is gone; the next one goes on where it was."""
        if self.phase_number >= LOGGED_IN:
            self.wanted_session = self.session_id
            self.wanted_sequence = self.next_expected_sequence
        self.phase_number = DISCONNECTED
        self.cut_length = 0
        self.out = []
        self.recovering = False
        self.deadline = NEVER

    def logout(self, now_ns: int) -> None:
        """Say good-bye; the server closes the connection."""
        if self.phase_number >= LOGGED_IN:
            self.out.append(LOGOUT_REQUEST)
        self.should_close = True

    def take_events(self) -> list[Event]:
        """What happened since the last call."""
        events, self.events = self.events, []
        return events

    def data_to_send(self, now_ns: int) -> list[bytes]:
        """Packets for the server, and a heartbeat when one is due; each counts as sent now."""
        if self.phase_number == DISCONNECTED:
            return []
        if now_ns - self.heard_ns >= self.silence_ns and not self.should_close:
            self.should_close = True
            self.events.append(Event("silent", f"for {self.silence_ns / 1e9:g} s"))
        if now_ns - self.said_ns >= self.heartbeat_ns and self.phase_number >= LOGGED_IN:
            self.out.append(CLIENT_HEARTBEAT)
        found, self.out = self.out, []
        if found:
            self.said_ns = now_ns
        self._set_deadline()
        return found

    def _set_deadline(self) -> None:
        self.deadline = self.heard_ns + self.silence_ns
        if self.phase_number >= LOGGED_IN:
            self.deadline = min(self.deadline, self.said_ns + self.heartbeat_ns)
        if self.should_close:
            self.deadline = NEVER

    # -- the stream ----------------------------------------------------------------------------

    cdef void receive(
        self, const uint8_t* data, size_t length, int line, int64_t receive_time
    ) noexcept nogil:
        cdef const uint8_t* end = data + length
        count(self.counters, FEED_BYTES, length)
        if not length or self.phase_number == DISCONNECTED or self.should_close:
            return
        self.heard_ns = receive_time
        self.last_packet_ns = receive_time
        if self.cut_length:
            data = self._complete(data, end, receive_time)
        data = self._walk(data, end, receive_time)
        if not self.should_close and data < end:
            # Less than one packet, so it fits.
            self.cut_length = <size_t>(end - data)
            memcpy(self.cut, data, self.cut_length)

    cdef const uint8_t* _complete(
        self, const uint8_t* data, const uint8_t* end, int64_t receive_time
    ) noexcept nogil:
        """Finish the packet that the last chunk cut, as far as this chunk goes."""
        cdef size_t whole, part
        while data < end:
            whole = PREFIX + be16(self.cut) if self.cut_length >= PREFIX else PREFIX
            part = min(whole - self.cut_length, <size_t>(end - data))
            memcpy(self.cut + self.cut_length, data, part)
            self.cut_length += part
            data += part
            if self.cut_length >= PREFIX and self.cut_length == <size_t>PREFIX + be16(self.cut):
                self.cut_length = 0
                self._walk(self.cut, self.cut + PREFIX + be16(self.cut), receive_time)
                break
        return data

    cdef const uint8_t* _walk(
        self, const uint8_t* data, const uint8_t* end, int64_t receive_time
    ) noexcept nogil:
        """All whole packets; where the rest begins. `ahead` runs before it and announces."""
        cdef const uint8_t* ahead = data
        cdef size_t announced = 0
        while not self.should_close:
            while announced < AHEAD and is_whole(ahead, end):
                if be16(ahead) > 1 and ahead[PREFIX] == SEQUENCED:
                    self.protocol.announce(ahead + PREFIX + 1, <size_t>be16(ahead) - 1)
                ahead += PREFIX + be16(ahead)
                announced += 1
            if not announced:
                break
            if be16(data):
                self._packet(
                    data[PREFIX], data + PREFIX + 1, <size_t>be16(data) - 1, receive_time
                )
            else:
                self._garbled()
            data += PREFIX + be16(data)
            announced -= 1
        return data

    cdef void _packet(
        self, uint8_t kind, const uint8_t* payload, size_t length, int64_t receive_time
    ) noexcept nogil:
        count(self.counters, FEED_PACKETS, 1)
        if kind == SEQUENCED and self.phase_number >= LOGGED_IN:
            self._message(payload, length, receive_time)
        elif kind == HEARTBEAT:
            count(self.counters, FEED_HEARTBEATS, 1)
        elif kind == UNSEQUENCED:
            count(self.counters, FEED_OTHER_SESSION_PACKETS, 1)
        elif (kind == ACCEPTED or kind == REJECTED or kind == END_OF_SESSION
                or kind == DEBUG):
            self._dialogue(kind, payload, length)
        else:
            self._garbled()

    cdef void _message(
        self, const uint8_t* payload, size_t length, int64_t receive_time
    ) noexcept nogil:
        cdef uint64_t sequence = self.arriving
        self.arriving += 1
        if sequence < self.next_expected_sequence:
            count(self.counters, FEED_DUPLICATE_MESSAGES, 1)
            return
        self._number(sequence, 0, 0)
        self.protocol.message(payload, length, receive_time)
        self.next_expected_sequence = self.arriving
        count(self.counters, FEED_MESSAGES, 1)

    cdef void _garbled(self) noexcept nogil:
        """This cannot be a SoupBinTCP stream, or not at this place."""
        count(self.counters, FEED_BAD_PACKETS, 1)
        self.should_close = True
        with gil:
            self.events.append(Event("garbled", "the stream makes no sense; logging in again"))

    # -- what the server says of the session ---------------------------------------------------

    cdef void _dialogue(
        self, uint8_t kind, const uint8_t* payload, size_t length
    ) noexcept with gil:
        cdef bytes text = (<const char*>payload)[:length]
        if kind == DEBUG:
            self.events.append(Event("debug", text[:200].decode("ascii", "replace")))
        elif kind == END_OF_SESSION and self.phase_number >= LOGGED_IN:
            self.ended = True
            self.phase_number = ENDED
            self.events.append(Event("end_of_session", self.session_id.decode("ascii", "replace")))
        elif kind == ACCEPTED and self.phase_number == LOGGING_IN:
            self._accepted(text)
        elif kind == REJECTED and self.phase_number == LOGGING_IN:
            self._rejected(text)
        else:
            self._garbled()

    def _accepted(self, text: bytes) -> None:
        """Session (10) and sequence of the next message (20 digits)."""
        name = text[:SESSION_BYTES].strip()
        digits = text[SESSION_BYTES:SESSION_BYTES + SEQUENCE_DIGITS].strip()
        if len(text) != SESSION_BYTES + SEQUENCE_DIGITS or not digits.isdigit() or not name:
            self._garbled()
            return
        sequence = int(digits)
        if not 0 < sequence < 1 << 62:
            self._garbled()
            return
        if name != self.session_id or not self.next_expected_sequence:
            self._begin(name, sequence)
        elif sequence > self.next_expected_sequence:
            self._lose(self.next_expected_sequence, sequence)
            self.next_expected_sequence = sequence
        self.arriving = sequence
        self.joined_at = self.joined_at or sequence
        self.ended = False
        self.phase_number = LOGGED_IN
        self.events.append(Event("login_accepted", f"session {name.decode('ascii', 'replace')}, "
                                                   f"next {sequence}"))

    def _begin(self, name: bytes, sequence: int) -> None:
        """Another session than before."""
        count(self.counters, FEED_SESSIONS, 1)
        self.leave_session()
        self._set_session(name)
        first = 1 if self.options.join == "start" else sequence
        if sequence > first:
            self._lose(first, sequence)
        self.next_expected_sequence = sequence
        self.protocol.begin()

    def _lose(self, start: int, end: int) -> None:
        """The server begins behind these: it has them no more."""
        cdef uint64_t gap = self.ledger.found(start, end, self.session_words, 0, 0, self.heard_ns)
        self.ledger.became(gap, LOST_UPSTREAM, end - start, self.heard_ns)
        count(self.counters, FEED_GAPS, 1)
        count(self.counters, FEED_GAP_MESSAGES, end - start)
        count(self.counters, FEED_LOST_MESSAGES, end - start)

    def _rejected(self, text: bytes) -> None:
        reason = text[:1].decode("ascii", "replace")
        self.events.append(Event("login_rejected", REASONS.get(reason, f"reason {reason!r}")))
        if reason == "A":
            self.events.append(Event("credentials_refused", self.options.username))
        elif reason == "S":
            # The session that we know is over: take what there is now.
            self._want_current()
        self.should_close = True


cdef inline bint is_whole(const uint8_t* data, const uint8_t* end) noexcept nogil:
    return end - data >= PREFIX and end - data - PREFIX >= be16(data)

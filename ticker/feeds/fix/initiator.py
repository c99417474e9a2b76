"""The initiator's side of a FIX session: its outgoing messages.

Law: messages in, frames to send and events out. Sequence numbers are used in the order of sending.
Application messages are kept, because the venue may request them again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from ticker.feeds.fix.dictionary import LAST_REASON, REASONS, Dictionary, Problem
from ticker.feeds.fix.events import Event, Events
from ticker.feeds.fix.group import EntryGroup
from ticker.feeds.fix.message import Fields, Message, encode, utc_timestamp
from ticker.feeds.fix.requests import Subscription
from ticker.feeds.session import DEADLINE_NEVER
from ticker.shm.gaps import GapLedger

SECOND = 1_000_000_000

REVERSED = {115: 128, 116: 129, 144: 145, 128: 115, 129: 116, 145: 144}
"""Routing fields of a message, with their names in its answer."""


class Phase(Enum):
    """The phase of a connection."""

    DISCONNECTED = "disconnected"
    LOGGING_ON = "logging on"
    LOGGED_ON = "logged on"
    LOGGING_OUT = "logging out"


@dataclass(frozen=True, kw_only=True)
class FixOptions:
    """The identities of both sides, and the timeouts in ns."""

    sender: str
    target: str
    begin_string: str = "FIX.4.4"
    heartbeat_ns: int = 30 * SECOND
    username: str = ""
    password: str = ""
    logon_fields: tuple[tuple[int, str], ...] = ()
    """Further fields of the Logon that the venue needs."""
    reset_on_logon: bool = False
    """Both sides start at 1 with every Logon (141=Y)."""
    reset_on_disconnect: bool = False
    next_sequence_out: int = 1
    next_sequence_in: int = 1
    subscription: Subscription = field(default_factory=Subscription)
    tolerance_ns: int = 120 * SECOND
    """The greatest error of SendingTime."""
    logon_timeout_ns: int = 10 * SECOND
    logout_timeout_ns: int = 2 * SECOND
    request_timeout_ns: int = 5 * SECOND
    request_attempts: int = 3
    held_messages: int = 10_000
    held_bytes: int = 16 << 20
    """Limit of the messages that wait behind a gap; further ones come again with the gap."""
    refresh_wait_ns: int = 5 * SECOND
    """Wait before all books are requested anew because one is in doubt; it doubles each time, up to
    60 times as long."""
    sent_messages: int = 1000
    """Number of own application messages that can be sent again; a gap fill replaces older ones."""
    dictionary: Dictionary = field(default_factory=Dictionary)


class Stream(Protocol):
    """The session (sessions/fix.pyx) as seen from outside of the fast path: the expected sequence
    numbers, and whether the fast path is open."""

    @property
    def next_expected_sequence(self) -> int: ...
    @property
    def last_packet_ns(self) -> int: ...
    @property
    def group(self) -> EntryGroup | None: ...
    @property
    def ledger(self) -> GapLedger: ...
    def expect_sequence(self, sequence: int) -> None: ...
    def set_open(self, open_: bool) -> None: ...
    def set_express(self, express: bool, recovering: bool = False) -> None: ...
    def forget_cut(self) -> None: ...
    def deliver(self, body: bytes, now_ns: int) -> None: ...
    def count(self, name: str, by: int = 1) -> None: ...


@dataclass(frozen=True)
class Sent:
    """An own application message, to be sent again."""

    kind: str
    time: bytes
    fields: Fields


class Initiator:
    """The outgoing messages of an initiator, with their sequence numbers."""

    def __init__(self, stream: Stream, options: FixOptions) -> None:
        self.stream = stream
        self.options = options
        self.sender = options.sender.encode()
        self.target = options.target.encode()
        self.begin_string = options.begin_string.encode()
        self.phase = Phase.DISCONNECTED
        self.should_close = False
        self.next_sequence_out = options.next_sequence_out
        self.now = 0
        """The current time, ns."""
        self.last_sent = 0
        self.deadline = DEADLINE_NEVER
        """The deadline of an answer to a Logon or a Logout, ns."""
        self._events = Events()
        self._outgoing: list[bytes] = []
        self._sent: dict[int, Sent] = {}

    # A connection

    def begin(self, now_ns: int) -> None:
        """Log on over a new transport."""
        self.stream.forget_cut()
        self.stream.set_open(True)
        self.should_close = False
        self._outgoing.clear()
        self.now = now_ns
        self.last_sent = 0
        if self.options.reset_on_logon:
            self.reset_sequences()
        self.phase = Phase.LOGGING_ON
        self.deadline = now_ns + self.options.logon_timeout_ns
        self._send_logon(self.options.reset_on_logon)

    def end(self) -> None:
        """The transport is gone."""
        self.phase = Phase.DISCONNECTED
        self.stream.set_open(False)
        self.stream.set_express(False)
        self.deadline = DEADLINE_NEVER
        if self.options.reset_on_disconnect:
            self.reset_sequences()

    def close(self, reason: str) -> None:
        """Ask for the end of the connection."""
        self.should_close = True
        self.phase = Phase.DISCONNECTED
        self.stream.set_open(False)
        self.tell("closed", reason)

    def reset_sequences(self) -> None:
        """Both sides start at 1."""
        self.next_sequence_out = 1
        self.stream.expect_sequence(1)
        self._sent.clear()

    def answer_reset(self) -> None:
        """Start over as the other side did, with a Logon that says so."""
        self.next_sequence_out = 1
        self._sent.clear()
        self._send_logon(True)

    # What comes out

    def take_frames(self) -> list[bytes]:
        """Frames to send, in order."""
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    @property
    def has_frames(self) -> bool:
        return bool(self._outgoing)

    def tell(self, kind: str, text: str = "") -> None:
        """Report an event to the operator."""
        self._events.tell(kind, text, self.now)

    def take_events(self) -> list[Event]:
        """The events since the last call."""
        return self._events.take()

    # Sending

    def send(self, kind: str, fields: Fields) -> None:
        """A message under the next number; it is not kept."""
        sequence = self.next_sequence_out
        self.next_sequence_out += 1
        self._put(kind, sequence, fields)

    def _put(self, kind: str, sequence: int, fields: Fields, original: bytes = b"") -> None:
        """A frame with this sequence number; sent again if it has an original sending time."""
        again: Fields = [(43, b"Y")] if original else []
        since: Fields = [(122, original)] if original else []
        head: Fields = [(35, kind.encode()), (34, b"%d" % sequence), *again]
        head += [(49, self.sender), (52, utc_timestamp(self.now)), (56, self.target), *since]
        self._outgoing.append(encode(self.begin_string, head + fields))
        self.last_sent = self.now

    def send_application(self, kind: str, fields: Fields) -> None:
        """An application message, kept for a resend request."""
        self._sent[self.next_sequence_out] = Sent(kind, utc_timestamp(self.now), fields)
        while len(self._sent) > self.options.sent_messages:
            del self._sent[next(iter(self._sent))]
        self.send(kind, fields)

    def forget_sent(self) -> None:
        """Forget all sent application messages."""
        self._sent.clear()

    def send_again(self, begin: int, end: int) -> None:
        """Own messages from `begin` to `end` (0: the last one); a gap fill for those not kept."""
        last = self.next_sequence_out - 1
        end = min(end or last, last)
        next_ = max(begin, 1)
        for sequence in [number for number in self._sent if next_ <= number <= end]:
            self._fill_gap(next_, sequence)
            sent = self._sent[sequence]
            self._put(sent.kind, sequence, sent.fields, sent.time)
            next_ = sequence + 1
        self._fill_gap(next_, end + 1)

    def _fill_gap(self, begin: int, new: int) -> None:
        """One gap fill for own messages that are not sent again: [begin, new)."""
        if begin < new:
            fields: Fields = [(36, b"%d" % new), (123, b"Y")]
            self._put("4", begin, fields, utc_timestamp(self.now))

    def _send_logon(self, reset: bool) -> None:
        options = self.options
        fields: Fields = [(98, b"0"), (108, b"%d" % (options.heartbeat_ns // SECOND))]
        if reset:
            fields.append((141, b"Y"))
        if self.begin_string == b"FIX.4.2" and options.password:
            password = options.password.encode()
            fields += [(95, b"%d" % len(password)), (96, password)]
        elif options.password or options.username:
            fields += [(553, options.username.encode()), (554, options.password.encode())]
        fields += [(tag, value.encode()) for tag, value in options.logon_fields]
        self.send("A", [(tag, value) for tag, value in fields if value])

    def send_logout(self, text: str = "") -> None:
        """Log out, once; the other side's answer, or its absence, closes the connection."""
        if self.phase is Phase.LOGGING_OUT:
            return
        self.send("5", [(58, text.encode())] if text else [])
        self.phase = Phase.LOGGING_OUT
        self.deadline = self.now + self.options.logout_timeout_ns
        self.stream.set_express(False)

    def reject(self, message: Message, problem: Problem) -> None:
        """A session-level Reject (3), routed back to the message's sender."""
        fields: Fields = [
            (answer, message.get(tag)) for tag, answer in REVERSED.items() if message.get(tag)
        ]
        fields += [(45, message.get(34)), (58, REASONS[problem.reason].encode())]
        if problem.tag is not None:
            fields.append((371, b"%d" % problem.tag))
        fields.append((372, message.kind.encode()))
        if problem.reason <= LAST_REASON.get(self.begin_string, problem.reason):
            fields.append((373, b"%d" % problem.reason))
        self.send("3", fields)
        self.tell("rejected", f"35={message.kind}: {REASONS[problem.reason]} {problem.tag or ''}")

    def refuse_type(self, message: Message) -> None:
        """BusinessMessageReject, for a valid FIX message that this side does not support."""
        fields: Fields = [(45, message.get(34)), (58, b"Unsupported Message Type")]
        self.send("j", [*fields, (372, message.kind.encode()), (380, b"3")])

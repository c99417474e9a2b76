"""FIX 4.2 and 4.4, the session as its initiator: logon to logout, by the rules of volume 2.

Law: bytes and times in, bytes to send and events out. No socket, no clock, no file: whoever
drives it connects, sends what `data_to_send` gives, closes when `should_close` says so, and
keeps `next_sequence_out` and `next_expected_sequence` somewhere safe before it sends.

What is in sequence takes the short way (fix_stream.pyx). A gap is asked for once, what comes
after it is held until it is filled, at most `held_messages`; the rest comes again with the gap.
A gap that nobody fills is given up after `request_attempts`, counted as lost, and what was
subscribed is asked for anew.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from ticker.errors import DecodeError
from ticker.feeds.fix_dictionary import (
    COMP_ID,
    INCORRECT_VALUE,
    REASONS,
    REQUIRED_MISSING,
    SENDING_TIME,
    Dictionary,
    Problem,
)
from ticker.feeds.fix_fields import timestamp
from ticker.feeds.fix_message import Fields, Message, encode, utc_timestamp
from ticker.feeds.fix_requests import Subscription
from ticker.feeds.fix_stream import FixStream
from ticker.feeds.protocol import Protocol
from ticker.feeds.session import DEADLINE_NEVER
from ticker.shm.header import Mapping

SECOND = 1_000_000_000

REVERSED = {115: 128, 116: 129, 144: 145, 128: 115, 129: 116, 145: 144}
"""Routing fields of a message, and what its answer calls them."""


class Phase(Enum):
    """Where a connection is in its life."""

    DISCONNECTED = "disconnected"
    LOGGING_ON = "logging on"
    LOGGED_ON = "logged on"
    LOGGING_OUT = "logging out"


@dataclass(frozen=True, kw_only=True)
class FixOptions:
    """Who talks to whom, and how patiently. Times in ns."""

    sender: str
    target: str
    begin_string: str = "FIX.4.4"
    heartbeat_ns: int = 30 * SECOND
    username: str = ""
    password: str = ""
    logon_fields: tuple[tuple[int, str], ...] = ()
    """More fields of the Logon, as the venue wants them."""
    reset_on_logon: bool = False
    """Both sides start at 1 with every Logon (141=Y)."""
    reset_on_disconnect: bool = False
    next_sequence_out: int = 1
    next_sequence_in: int = 1
    subscription: Subscription = field(default_factory=Subscription)
    tolerance_ns: int = 120 * SECOND
    """How far SendingTime may be off."""
    logon_timeout_ns: int = 10 * SECOND
    logout_timeout_ns: int = 2 * SECOND
    request_timeout_ns: int = 5 * SECOND
    request_attempts: int = 3
    held_messages: int = 10_000
    sent_messages: int = 1000
    """Own application messages that can be sent again; older ones are filled by a gap fill."""
    dictionary: Dictionary = field(default_factory=Dictionary)


@dataclass(frozen=True)
class Event:
    """Something that an operator wants to know: `kind` is logged_on, logged_out, rejected,
    request_rejected, gap_lost or closed."""

    kind: str
    text: str = ""


@dataclass(frozen=True)
class Sent:
    """An own application message, to be sent again."""

    kind: str
    time: bytes
    fields: Fields


class Fix(FixStream):
    """One FIX session. Without FixOptions it only overhears a capture."""

    def __init__(self, protocol: Protocol, mapping: Mapping, options: object = None) -> None:
        super().__init__(protocol, mapping)
        self.phase = Phase.DISCONNECTED
        self.should_close = False
        self.next_sequence_out = 1
        self._events: list[Event] = []
        self._outgoing: list[bytes] = []
        if not isinstance(options, FixOptions):
            return
        self.options = options
        self.sender = options.sender.encode()
        self.target = options.target.encode()
        self.begin_string = options.begin_string.encode()
        self.identify(self.begin_string, self.target, self.sender, options.tolerance_ns)
        self.next_sequence_out = options.next_sequence_out
        self.expect_sequence(options.next_sequence_in)
        self._forget()
        self._handlers: dict[str, Callable[[Message], None]] = {
            "0": self._on_heartbeat,
            "1": self._on_test_request,
            "2": self._on_resend_request,
            "3": self._on_reject,
            "4": self._on_sequence_reset,
            "5": self._on_logout,
            "A": self._on_logon,
        }
        self._sent: dict[int, Sent] = {}
        self._requests = 0

    def _forget(self) -> None:
        """What is of one connection only."""
        self._held: dict[int, Message | None] = {}
        self._gap_end = 0
        self._gap_deadline = DEADLINE_NEVER
        self._gap_attempts = 0
        self._now = 0
        self._last_sent = 0
        self._tested_at = 0
        self._deadline = DEADLINE_NEVER
        self._refresh = False

    # The driver's side

    def connected(self, now_ns: int) -> None:
        """The transport is there: log on."""
        self._forget()
        self.forget_cut()
        self.set_open(True)
        self.should_close = False
        self._outgoing.clear()
        self._now = now_ns
        if self.options.reset_on_logon:
            self._reset_sequences()
        self.phase = Phase.LOGGING_ON
        self._deadline = now_ns + self.options.logon_timeout_ns
        self._send_logon(self.options.reset_on_logon)

    def disconnected(self) -> None:
        """The transport is gone."""
        self.phase = Phase.DISCONNECTED
        self.set_open(False)
        self.set_express(False)
        self._forget()
        if self.options.reset_on_disconnect:
            self._reset_sequences()

    def logout(self, now_ns: int, text: str = "") -> None:
        """Say good-bye; the other side's answer, or its lack, closes."""
        self._now = now_ns
        if self.phase is Phase.LOGGED_ON:
            self._send_logout(text)
        else:
            self._close("stopped")

    def data_to_send(self, now_ns: int) -> list[bytes]:
        """Frames to send now, in order; what time alone brings about is among them."""
        if self.phase is not Phase.DISCONNECTED:
            self._now = now_ns
            self._look_at_the_time(now_ns)
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    def next_deadline(self, now_ns: int) -> int:
        """When `data_to_send` must be called next, ns."""
        if self._outgoing:
            return now_ns
        if self.phase is Phase.LOGGED_ON:
            beat = self._last_sent + self.options.heartbeat_ns
            return min(beat, self._silence_deadline(), self._gap_deadline)
        return self._deadline if self.phase is not Phase.DISCONNECTED else DEADLINE_NEVER

    def take_events(self) -> list[Event]:
        """What happened since the last call."""
        events, self._events = self._events, []
        return events

    @property
    def logged_on(self) -> bool:
        return self.phase is Phase.LOGGED_ON

    # What time brings about

    def _silence_deadline(self) -> int:
        heard = max(self.last_packet_ns, self._heard_from)
        if self._tested_at > heard:
            return self._tested_at + self.options.heartbeat_ns
        return heard + self.options.heartbeat_ns * 6 // 5

    def _look_at_the_time(self, now: int) -> None:
        if self.phase is not Phase.LOGGED_ON:
            if now >= self._deadline:
                self._close(f"no answer while {self.phase.value}")
            return
        heard = max(self.last_packet_ns, self._heard_from)
        if now >= self._silence_deadline():
            if self._tested_at > heard:
                self._close("no answer to the test request")
                return
            self._tested_at = now
            self._send("1", [(112, b"TEST")])
        if now >= self._last_sent + self.options.heartbeat_ns:
            self._send("0", [])
        if now >= self._gap_deadline:
            self._repeat_or_give_up()

    # Sending

    def _send(self, kind: str, fields: Fields) -> None:
        sequence = self.next_sequence_out
        self.next_sequence_out += 1
        self._put(kind, sequence, fields)

    def _put(self, kind: str, sequence: int, fields: Fields, original: bytes = b"") -> None:
        """A frame with this sequence number; sent again if it has an original sending time."""
        again: Fields = [(43, b"Y")] if original else []
        since: Fields = [(122, original)] if original else []
        head: Fields = [(35, kind.encode()), (34, b"%d" % sequence), *again]
        head += [(49, self.sender), (52, utc_timestamp(self._now)), (56, self.target), *since]
        self._outgoing.append(encode(self.begin_string, head + fields))
        self._last_sent = self._now

    def send_application(self, kind: str, fields: Fields) -> None:
        """An application message, kept for a resend request."""
        self._sent[self.next_sequence_out] = Sent(kind, utc_timestamp(self._now), fields)
        while len(self._sent) > self.options.sent_messages:
            del self._sent[next(iter(self._sent))]
        self._send(kind, fields)

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
        self._send("A", [(tag, value) for tag, value in fields if value])

    def _send_logout(self, text: str = "") -> None:
        if self.phase is Phase.LOGGING_OUT:
            return
        self._send("5", [(58, text.encode())] if text else [])
        self.phase = Phase.LOGGING_OUT
        self._deadline = self._now + self.options.logout_timeout_ns
        self.set_express(False)

    def _reject(self, message: Message, problem: Problem) -> None:
        """A session-level Reject (3), routed back the way that the message came."""
        fields: Fields = [
            (answer, message.get(tag)) for tag, answer in REVERSED.items() if message.get(tag)
        ]
        fields += [(45, message.get(34)), (58, REASONS[problem.reason].encode())]
        if problem.tag is not None:
            fields.append((371, b"%d" % problem.tag))
        fields += [(372, message.kind.encode()), (373, b"%d" % problem.reason)]
        self._send("3", fields)
        self._tell("rejected", f"35={message.kind}: {REASONS[problem.reason]} {problem.tag or ''}")

    def _close(self, reason: str) -> None:
        self.should_close = True
        self.phase = Phase.DISCONNECTED
        self.set_open(False)
        self._tell("closed", reason)

    def _tell(self, kind: str, text: str = "") -> None:
        self._events.append(Event(kind, text))

    def _reset_sequences(self) -> None:
        self.next_sequence_out = 1
        self.expect_sequence(1)
        self._sent.clear()

    # Receiving

    def garbled(self) -> None:
        """Only before the logon does a garbled frame end the connection."""
        if self.phase is Phase.LOGGING_ON:
            self._close("the answer to the logon is garbled")

    def handle(self, begin_string: bytes, body: bytes, now_ns: int) -> None:
        """A whole frame that needs a decision."""
        self._now = now_ns
        try:
            message = Message(begin_string, body, now_ns)
        except DecodeError:
            self.count("bad_packets")
            self.garbled()
            return
        if self.phase is Phase.LOGGING_ON:
            self._first(message)
        elif self.phase is not Phase.DISCONNECTED:
            self._next(message)
            self._go_on()

    def _first(self, message: Message) -> None:
        """The first message must be the answer to the Logon."""
        sequence = message.number(34)
        if message.kind == "5":
            self._refused(message, sequence)
        elif message.kind != "A" or message.begin_string != self.begin_string:
            self._close("the first message is no Logon of this version")
        elif self._stranger(message) or self._untimely(message) or sequence is None:
            self._close("the Logon is from somebody else, or from another time")
        elif (problem := self.options.dictionary.check(message)) is not None:
            self.phase = Phase.LOGGED_ON
            self._reject(message, problem)
            self._send_logout()
            self._close(f"the Logon is wrong: {REASONS[problem.reason]}")
        else:
            self._log_on(message, sequence)

    def _log_on(self, message: Message, sequence: int) -> None:
        self.phase = Phase.LOGGED_ON
        self._heard_from = self._now
        if message.flag(141):
            self.expect_sequence(sequence)
            if not self.options.reset_on_logon:
                self._answer_reset()
        if sequence < self.next_expected_sequence and not message.flag(43):
            self._too_low(sequence)
            return
        self.count("sessions")
        self._tell("logged_on")
        self._done(sequence)
        self._go_on()
        self._subscribe()

    def _refused(self, message: Message, sequence: int | None) -> None:
        """A Logout instead of a Logon. If it says which number it expects, the next try has it."""
        self._tell("logged_out", message.text(58))
        expects = re.search(r"expect\w*\D{0,20}?(\d{1,15})", message.text(58), re.IGNORECASE)
        if expects and "too low" in message.text(58).lower():
            self.next_sequence_out = max(int(expects[1]), 1)
        if sequence == self.next_expected_sequence:
            self.expect_sequence(sequence + 1)
        self._close("the logon was refused")

    def _next(self, message: Message) -> None:
        """A message of a session that is logged on: version, sequence, then all else."""
        if message.begin_string != self.begin_string:
            self._send_logout("Incorrect BeginString")
            return
        sequence = message.number(34)
        if sequence is None:
            self._send_logout("MsgSeqNum missing")
            return
        if self._ignores_sequence(message):
            self._process(message, sequence)
        elif sequence > self.next_expected_sequence:
            self._hold(sequence, message)
        elif sequence == self.next_expected_sequence:
            self._process(message, sequence)
        elif message.flag(43):
            self._repeated(message)
        else:
            self._too_low(sequence)

    def _ignores_sequence(self, message: Message) -> bool:
        """Resend requests and logouts are answered whatever is missing before them (volume 2,
        "Message recovery"); a SequenceReset that is no gap fill says what comes next."""
        if message.kind == "A":
            return message.flag(141)
        return message.kind in ("2", "5") or (message.kind == "4" and not message.flag(123))

    def _process(self, message: Message, sequence: int) -> None:
        problem = self.options.dictionary.check(message)
        if problem is None and self._stranger(message):
            problem = Problem(COMP_ID)
        elif problem is None and not message.flag(43) and self._untimely(message):
            problem = Problem(SENDING_TIME)
        if problem is not None:
            self._reject(message, problem)
            self._done(sequence)
            if problem.reason in (COMP_ID, SENDING_TIME) and problem.tag is None:
                self._send_logout()
            return
        if message.flag(43):
            self.count("recovered_messages")
        handler = self._handlers.get(message.kind)
        if handler is not None:
            handler(message)
        else:
            self._done(sequence)
            self._application(message)

    def _repeated(self, message: Message) -> None:
        """A possible duplicate of what was there before: left out, if it is one."""
        self.count("duplicate_messages")
        if message.kind == "4":
            return
        if not message.get(122):
            self._reject(message, Problem(REQUIRED_MISSING, 122))
        elif _time(message.get(122)) > _time(message.get(52)):
            self._reject(message, Problem(SENDING_TIME))
            self._send_logout()

    def _too_low(self, sequence: int) -> None:
        text = f"MsgSeqNum too low, expecting {self.next_expected_sequence} but received {sequence}"
        self._send_logout(text)
        self._close(text)

    def _stranger(self, message: Message) -> bool:
        return message.get(49) != self.target or message.get(56) != self.sender

    def _untimely(self, message: Message) -> bool:
        return abs(message.received - _time(message.get(52))) > self.tolerance_ns

    # Gaps

    def _done(self, sequence: int) -> None:
        """This number is used up; out of turn it is remembered for when its turn comes."""
        if sequence == self.next_expected_sequence:
            self.expect_sequence(sequence + 1)
        elif sequence > self.next_expected_sequence:
            self._hold(sequence, None)

    def _hold(self, sequence: int, message: Message | None) -> None:
        if len(self._held) < self.options.held_messages:
            self._held[sequence] = message
        else:
            self.count("reorder_drops")
        if sequence > self._gap_end:
            self._seen_gap(sequence)

    def _seen_gap(self, sequence: int) -> None:
        """Something is missing before `sequence`; ask once, to infinity, as most engines do."""
        if self._gap_end:
            return
        self.count("gaps")
        self.count("gap_messages", sequence - self.next_expected_sequence)
        self._gap_end = sequence
        self._gap_attempts = 0
        self._request_gap()

    def _request_gap(self) -> None:
        self.count("requests")
        self._gap_attempts += 1
        self._gap_deadline = self._now + self.options.request_timeout_ns
        self._send("2", [(7, b"%d" % self.next_expected_sequence), (16, b"0")])

    def _go_on(self) -> None:
        """What was held and is next; then see whether the gap is closed, or there is another."""
        before = self.next_expected_sequence
        while self.phase is not Phase.DISCONNECTED:
            sequence = self.next_expected_sequence
            if sequence not in self._held:
                break
            message = self._held.pop(sequence)
            if message is None:
                self.expect_sequence(sequence + 1)
            else:
                self._process(message, sequence)
        if self._gap_end and self.next_expected_sequence > before:
            self._gap_deadline = self._now + self.options.request_timeout_ns
            self._gap_attempts = 1
        if self._gap_end and self.next_expected_sequence > self._gap_end - 1:
            self._close_gap()
        express = self.phase is Phase.LOGGED_ON and not self._held
        self.set_express(express, bool(self._gap_end))

    def _close_gap(self) -> None:
        self._gap_end = 0
        self._gap_deadline = DEADLINE_NEVER
        self._held = {
            sequence: message
            for sequence, message in self._held.items()
            if sequence >= self.next_expected_sequence
        }
        if self._held:
            self._seen_gap(min(self._held))
        elif self._refresh:
            self._refresh = False
            self._subscribe()

    def _repeat_or_give_up(self) -> None:
        if self._gap_attempts < self.options.request_attempts:
            self._request_gap()
            return
        resume = min(self._held, default=self._gap_end)
        lost = resume - self.next_expected_sequence
        self.count("lost_messages", lost)
        self._tell("gap_lost", f"{lost} messages from {self.next_expected_sequence}")
        self._refresh = True
        self.expect_sequence(resume)
        self._go_on()

    # Session messages

    def _on_heartbeat(self, message: Message) -> None:
        self.count("heartbeats")
        self._done(message.number(34) or 0)

    def _on_test_request(self, message: Message) -> None:
        self._done(message.number(34) or 0)
        self._send("0", [(112, message.get(112))])

    def _on_reject(self, message: Message) -> None:
        self._done(message.number(34) or 0)
        self._tell("rejected", f"message {message.text(45)}: {message.text(58)}")

    def _on_logon(self, message: Message) -> None:
        sequence = message.number(34) or 0
        if message.flag(141):
            self.expect_sequence(sequence)
            self._held.clear()
            self._gap_end = 0
            self._gap_deadline = DEADLINE_NEVER
            self._answer_reset()
            self._done(sequence)
            self._subscribe()
        else:
            self._done(sequence)

    def _answer_reset(self) -> None:
        """The other side started over: so does this one, with a Logon that says so."""
        self.next_sequence_out = 1
        self._sent.clear()
        self._send_logon(True)

    def _on_logout(self, message: Message) -> None:
        self._tell("logged_out", message.text(58))
        if message.number(34) == self.next_expected_sequence:
            self.expect_sequence(self.next_expected_sequence + 1)
        self._send_logout()
        self._close("logged out")

    def _on_sequence_reset(self, message: Message) -> None:
        new = message.number(36) or 0
        fills = message.flag(123)
        expected = self.next_expected_sequence
        if new < expected or (fills and new == expected):
            self._reject(message, Problem(INCORRECT_VALUE))
            if fills:
                self.expect_sequence(expected + 1)
            return
        if new > expected:
            # What was skipped may have been market data: the books are asked for anew.
            self._refresh = bool(self._gap_end) or not fills
            if not fills:
                self.count("lost_messages", new - expected)
            self.expect_sequence(new)
            self._held = {number: held for number, held in self._held.items() if number >= new}
        if self._refresh and not self._gap_end:
            self._refresh = False
            self._subscribe()

    def _on_resend_request(self, message: Message) -> None:
        begin = message.number(7) or 0
        end = message.number(16) or 0
        last = self.next_sequence_out - 1
        end = min(end or last, last)
        next_ = max(begin, 1)
        for sequence in [number for number in self._sent if next_ <= number <= end]:
            self._fill_gap(next_, sequence)
            sent = self._sent[sequence]
            self._put(sent.kind, sequence, sent.fields, sent.time)
            next_ = sequence + 1
        self._fill_gap(next_, end + 1)
        self._done(message.number(34) or 0)

    def _fill_gap(self, begin: int, new: int) -> None:
        """One gap fill for own messages that are not sent again: [begin, new)."""
        if begin < new:
            fields: Fields = [(36, b"%d" % new), (123, b"Y")]
            self._put("4", begin, fields, utc_timestamp(self._now))

    # Application messages

    def _application(self, message: Message) -> None:
        if message.kind not in self.options.dictionary.messages:
            self.count("unknown_types")
            self._refuse_type(message)
        elif message.kind == "Y":
            self._tell(
                "request_rejected",
                f"{message.text(262)}: reason {message.text(281)} {message.text(58)}",
            )
        elif message.kind == "j":
            self._tell("rejected", f"35={message.text(372)}: {message.text(58)}")
        else:
            self.on_application(message)

    def on_application(self, message: Message) -> None:
        """An application message in its turn: to the decoder."""
        self.deliver(message.body, message.received)

    def _refuse_type(self, message: Message) -> None:
        """BusinessMessageReject: a message that FIX knows, and this side has no use for."""
        fields: Fields = [(45, message.get(34)), (58, b"Unsupported Message Type")]
        self._send("j", [*fields, (372, message.kind.encode()), (380, b"3")])

    def _subscribe(self) -> None:
        """Ask for all that is subscribed; the answer replaces the books."""
        if self.phase is not Phase.LOGGED_ON:
            return
        self._sent.clear()
        for fields in self.options.subscription.requests(f"{self._now}-{self._requests}"):
            self._requests += 1
            self.send_application("V", fields)

    _heard_from = 0


def _time(value: bytes) -> int:
    """A UTCTimestamp in ns, 0 if it is none."""
    try:
        return timestamp(value)
    except DecodeError:
        return 0

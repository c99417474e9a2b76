"""FIX 4.2 and 4.4, the session as its initiator: logon to logout, by the rules of volume 2.

Law: bytes and times in, bytes to send and events out. No socket, no clock, no file: whoever
drives it connects, sends what `data_to_send` gives, closes when `should_close` says so, and
keeps `next_sequence_out` and `next_expected_sequence` somewhere safe before it sends.

What is in sequence takes the short way (fix/stream.pyx). A gap is asked for once, what comes
after it is held until it is filled, at most `held_messages` and `held_bytes` of it; the rest comes
again with the gap. A gap that nobody fills is given up after `request_attempts`, counted as lost,
and what was subscribed is asked for anew.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ticker.errors import DecodeError
from ticker.feeds.fix.dictionary import (
    COMP_ID,
    INCORRECT_VALUE,
    LENIENT,
    REASONS,
    REQUIRED_MISSING,
    SENDING_TIME,
    Problem,
)
from ticker.feeds.fix.fields import header
from ticker.feeds.fix.held import Frame
from ticker.feeds.fix.initiator import FixInitiator, Phase
from ticker.feeds.fix.message import Fields, Message
from ticker.feeds.fix.values import timestamp
from ticker.feeds.protocol import Protocol
from ticker.feeds.session import DEADLINE_NEVER
from ticker.shm.header import Mapping


class Fix(FixInitiator):
    """One FIX session. Without FixOptions it only overhears a capture."""

    def __init__(self, protocol: Protocol, mapping: Mapping, options: object = None) -> None:
        super().__init__(protocol, mapping, options)
        self._handlers: dict[str, Callable[[Message], None]] = {
            "0": self._on_heartbeat,
            "1": self._on_test_request,
            "2": self._on_resend_request,
            "3": self._on_reject,
            "4": self._on_sequence_reset,
            "5": self._on_logout,
            "A": self._on_logon,
        }

    # Receiving

    def garbled(self) -> None:
        """Only before the logon does a garbled frame end the connection."""
        if self.phase is Phase.LOGGING_ON:
            self._close("the answer to the logon is garbled")

    def handle(self, begin_string: bytes, body: bytes, now_ns: int) -> None:
        """A whole frame that needs a decision."""
        self._now = now_ns
        frame = Frame(begin_string, body, now_ns)
        kind, sequence, _ = header(body)
        if kind in LENIENT and self.phase is Phase.LOGGED_ON:
            if sequence > self.next_expected_sequence and begin_string == self.begin_string:
                self._hold(sequence, frame)
            else:
                self._next(frame.message())
            self._go_on()
            return
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
            self._hold(sequence, Frame(message.begin_string, message.body, message.received))
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

    def _hold(self, sequence: int, frame: Frame | None) -> None:
        if not self._held.hold(sequence, frame):
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
            frame = self._held.take(sequence)
            if frame is None:
                self.expect_sequence(sequence + 1)
                continue
            self._process(frame.message(), sequence)
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
        self._held.forget_below(self.next_expected_sequence)
        if self._held:
            self._seen_gap(self._held.first(0))
        elif self._refresh:
            self._refresh = False
            self._subscribe()

    def _repeat_or_give_up(self) -> None:
        if self._gap_attempts < self.options.request_attempts:
            self._request_gap()
            return
        resume = self._held.first(self._gap_end)
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
            self._held.forget_below(new)
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

    def judged(self, body: bytes) -> None:
        """What the decoder says of the newest message: refused, and why; a book in doubt."""
        group = self.group
        if group is None or self.phase is not Phase.LOGGED_ON:
            return
        self._now = max(self._now, self.last_packet_ns)
        if group.refused:
            # Of what cannot be read, the header can: it has come so far.
            message = Message(self.begin_string, body[: header(body)[2]], self._now)
            self._reject(message, Problem(group.reason, group.tag or None))
        if group.doubtful:
            group.doubtful = False
            self._doubt()

    def _refuse_type(self, message: Message) -> None:
        """BusinessMessageReject: a message that FIX knows, and this side has no use for."""
        fields: Fields = [(45, message.get(34)), (58, b"Unsupported Message Type")]
        self._send("j", [*fields, (372, message.kind.encode()), (380, b"3")])


def _time(value: bytes) -> int:
    """A UTCTimestamp in ns, 0 if it is none."""
    try:
        return timestamp(value)
    except DecodeError:
        return 0

"""The venue's messages, by the rules of FIX volume 2: logon, sequence, resends, resets, logout.
Market data in sequence is not handled here.

Law: frames in, calls on the initiator, the gap and the decoder out.
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
from ticker.feeds.fix.gap import Gap
from ticker.feeds.fix.held import Frame
from ticker.feeds.fix.initiator import Initiator, Phase
from ticker.feeds.fix.message import Message
from ticker.feeds.fix.subscriptions import Subscriptions
from ticker.feeds.fix.values import timestamp


class Heard:
    """Handles the incoming frames, one after the other."""

    def __init__(self, initiator: Initiator, subscriptions: Subscriptions, gap: Gap) -> None:
        self.initiator = initiator
        self.subscriptions = subscriptions
        self.gap = gap
        self.stream = initiator.stream
        self.dictionary = initiator.options.dictionary
        self.logged_on_at = 0
        """ns, 0: not yet."""
        self.application: Callable[[Message], None] = self._deliver
        """Gets each application message in its turn."""
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
        """A garbled frame ends the connection only before the logon."""
        if self.initiator.phase is Phase.LOGGING_ON:
            self.initiator.close("the answer to the logon is garbled")

    def handle(self, begin_string: bytes, body: bytes, now_ns: int) -> None:
        """Handle a whole frame outside of the fast path."""
        self.initiator.now = now_ns
        frame = Frame(begin_string, body, now_ns)
        kind, sequence, _ = header(body)
        if kind in LENIENT and self.initiator.phase is Phase.LOGGED_ON:
            right = begin_string == self.initiator.begin_string
            if right and sequence > self.stream.next_expected_sequence:
                self.gap.hold(sequence, frame)
            else:
                self._next(frame.message())
            self.go_on()
            return
        try:
            message = Message(begin_string, body, now_ns)
        except DecodeError:
            self.stream.count("bad_packets")
            self.garbled()
            return
        if self.initiator.phase is Phase.LOGGING_ON:
            self._first(message)
        elif self.initiator.phase is not Phase.DISCONNECTED:
            self._next(message)
            self.go_on()

    def _first(self, message: Message) -> None:
        """The first message must be the answer to the Logon."""
        sequence = message.number(34)
        if message.kind == "5":
            self._refused(message, sequence)
        elif message.kind != "A" or message.begin_string != self.initiator.begin_string:
            self.initiator.close("the first message is no Logon of this version")
        elif self._stranger(message) or self._untimely(message) or sequence is None:
            self.initiator.close("the Logon is from somebody else, or from another time")
        elif (problem := self.dictionary.check(message)) is not None:
            self.initiator.phase = Phase.LOGGED_ON
            self.initiator.reject(message, problem)
            self.initiator.send_logout()
            self.initiator.close(f"the Logon is wrong: {REASONS[problem.reason]}")
        else:
            self._log_on(message, sequence)

    def _log_on(self, message: Message, sequence: int) -> None:
        self.initiator.phase = Phase.LOGGED_ON
        self.logged_on_at = self.initiator.now
        if message.flag(141):
            self.stream.expect_sequence(sequence)
            if not self.initiator.options.reset_on_logon:
                self.initiator.answer_reset()
        if sequence < self.stream.next_expected_sequence and not message.flag(43):
            self._too_low(sequence)
            return
        self.stream.count("sessions")
        self.initiator.tell("logged_on")
        self.gap.done(sequence)
        self.go_on()
        self.subscriptions.ask()

    def _refused(self, message: Message, sequence: int | None) -> None:
        """A Logout in place of a Logon. If it names the expected number, the next try uses it."""
        self.initiator.tell("logged_out", message.text(58))
        expects = re.search(r"expect\w*\D{0,20}?(\d{1,15})", message.text(58), re.IGNORECASE)
        if expects and "too low" in message.text(58).lower():
            self.initiator.next_sequence_out = max(int(expects[1]), 1)
        if sequence == self.stream.next_expected_sequence:
            self.stream.expect_sequence(sequence + 1)
        self.initiator.close("the logon was refused")

    def _next(self, message: Message) -> None:
        """A message after the logon: checks the version and the sequence, then the rest."""
        if message.begin_string != self.initiator.begin_string:
            self.initiator.send_logout("Incorrect BeginString")
            return
        sequence = message.number(34)
        if sequence is None:
            self.initiator.send_logout("MsgSeqNum missing")
            return
        if self._ignores_sequence(message):
            self._process(message, sequence)
        elif sequence > self.stream.next_expected_sequence:
            self.gap.hold(sequence, Frame(message.begin_string, message.body, message.received))
        elif sequence == self.stream.next_expected_sequence:
            self._process(message, sequence)
        elif message.flag(43):
            self._repeated(message)
        else:
            self._too_low(sequence)

    def _ignores_sequence(self, message: Message) -> bool:
        """Resend requests and logouts are answered even in a gap (volume 2,
        "Message recovery"); a SequenceReset that is no gap fill says what comes next."""
        if message.kind == "A":
            return message.flag(141)
        return message.kind in ("2", "5") or (message.kind == "4" and not message.flag(123))

    def _process(self, message: Message, sequence: int) -> None:
        problem = self.dictionary.check(message)
        if problem is None and self._stranger(message):
            problem = Problem(COMP_ID)
        elif problem is None and not message.flag(43) and self._untimely(message):
            problem = Problem(SENDING_TIME)
        if problem is not None:
            self.initiator.reject(message, problem)
            self.gap.done(sequence)
            if problem.reason in (COMP_ID, SENDING_TIME) and problem.tag is None:
                self.initiator.send_logout()
            return
        if message.flag(43):
            self.stream.count("recovered_messages")
        handler = self._handlers.get(message.kind)
        if handler is not None:
            handler(message)
        else:
            self.gap.done(sequence)
            self._application(message)

    def _repeated(self, message: Message) -> None:
        """Whether a possible duplicate is one; then it is ignored."""
        self.stream.count("duplicate_messages")
        if message.kind == "4":
            return
        if not message.get(122):
            self.initiator.reject(message, Problem(REQUIRED_MISSING, 122))
        elif _time(message.get(122)) > _time(message.get(52)):
            self.initiator.reject(message, Problem(SENDING_TIME))
            self.initiator.send_logout()

    def _too_low(self, sequence: int) -> None:
        expected = self.stream.next_expected_sequence
        text = f"MsgSeqNum too low, expecting {expected} but received {sequence}"
        self.initiator.send_logout(text)
        self.initiator.close(text)

    def _stranger(self, message: Message) -> bool:
        return message.get(49) != self.initiator.target or message.get(56) != self.initiator.sender

    def _untimely(self, message: Message) -> bool:
        return abs(message.received - _time(message.get(52))) > self.initiator.options.tolerance_ns

    def go_on(self) -> None:
        """Handle the held messages that are next; then the gap is closed, or another is open."""
        before = self.stream.next_expected_sequence
        held = self.gap.held
        while self.initiator.phase is not Phase.DISCONNECTED:
            sequence = self.stream.next_expected_sequence
            if sequence not in held:
                break
            frame = held.take(sequence)
            if frame is None:
                self.stream.expect_sequence(sequence + 1)
                continue
            self._process(frame.message(), sequence)
        self.gap.went_on(before)
        express = self.initiator.phase is Phase.LOGGED_ON and not held
        self.stream.set_express(express, bool(self.gap.end))

    # Session messages

    def _on_heartbeat(self, message: Message) -> None:
        self.stream.count("heartbeats")
        self.gap.done(message.number(34) or 0)

    def _on_test_request(self, message: Message) -> None:
        self.gap.done(message.number(34) or 0)
        self.initiator.send("0", [(112, message.get(112))])

    def _on_reject(self, message: Message) -> None:
        self.gap.done(message.number(34) or 0)
        self._told_no(message, f"message {message.text(45)}: {message.text(58)}")

    def _on_logon(self, message: Message) -> None:
        sequence = message.number(34) or 0
        if message.flag(141):
            self.stream.expect_sequence(sequence)
            self.gap.abandon()
            self.initiator.answer_reset()
            self.gap.done(sequence)
            self.subscriptions.ask()
        else:
            self.gap.done(sequence)

    def _on_logout(self, message: Message) -> None:
        self.initiator.tell("logged_out", message.text(58))
        if message.number(34) == self.stream.next_expected_sequence:
            self.stream.expect_sequence(self.stream.next_expected_sequence + 1)
        self.initiator.send_logout()
        self.initiator.close("logged out")

    def _on_sequence_reset(self, message: Message) -> None:
        new = message.number(36) or 0
        fills = message.flag(123)
        expected = self.stream.next_expected_sequence
        if new < expected or (fills and new == expected):
            self.initiator.reject(message, Problem(INCORRECT_VALUE))
            if fills:
                self.stream.expect_sequence(expected + 1)
            return
        if new > expected:
            self.gap.skip_to(new, fills=fills)
        self.gap.settle()

    def _on_resend_request(self, message: Message) -> None:
        self.initiator.send_again(message.number(7) or 0, message.number(16) or 0)
        self.gap.done(message.number(34) or 0)

    # Application messages

    def _application(self, message: Message) -> None:
        if message.kind not in self.dictionary.messages:
            self.stream.count("unknown_types")
            self.initiator.refuse_type(message)
        elif message.kind == "Y":
            text = f"{message.text(262)}: reason {message.text(281)} {message.text(58)}"
            self.stream.count("refusals")
            self.initiator.tell("request_rejected", text)
        elif message.kind == "j":
            self._told_no(message, f"35={message.text(372)}: {message.text(58)}")
        else:
            self.application(message)

    def _told_no(self, message: Message, text: str) -> None:
        """The venue rejected a message of ours; find out whether it was a market data request."""
        asked = message.text(372) == "V"
        if asked:
            self.stream.count("refusals")
        self.initiator.tell("request_rejected" if asked else "rejected", text)

    def _deliver(self, message: Message) -> None:
        """An application message in its turn: to the decoder."""
        self.stream.deliver(message.body, message.received)

    def judged(self, body: bytes) -> None:
        """The decoder's verdict on the newest message: refused, with the reason; or a doubtful
        book."""
        group = self.stream.group
        if group is None or self.initiator.phase is not Phase.LOGGED_ON:
            return
        now = self.initiator.now = max(self.initiator.now, self.stream.last_packet_ns)
        if group.refused:
            # The header of an unreadable message was read before, so it is readable.
            message = Message(self.initiator.begin_string, body[: header(body)[2]], now)
            self.initiator.reject(message, Problem(group.reason, group.tag or None))
        if group.doubtful:
            group.doubtful = False
            self.subscriptions.doubt()


def _time(value: bytes) -> int:
    """A UTCTimestamp in ns, 0 if it is none."""
    try:
        return timestamp(value)
    except DecodeError:
        return 0

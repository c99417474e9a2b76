"""The initiator's own side of a FIX session: what it says, and what time alone brings about.

Law: bytes and times in, bytes to send and events out, as in sessions/fix.py, which adds what the
other side says. Numbers are used up in the order of sending; an application message is kept, for
whoever asks for it again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from ticker.feeds.fix.dictionary import LAST_REASON, REASONS, Dictionary, Problem
from ticker.feeds.fix.events import Event, Events
from ticker.feeds.fix.held import Held
from ticker.feeds.fix.message import Fields, Message, encode, utc_timestamp
from ticker.feeds.fix.requests import Subscription
from ticker.feeds.fix.stream import FixStream
from ticker.feeds.protocol import Protocol
from ticker.feeds.session import DEADLINE_NEVER
from ticker.shm.header import Mapping

SECOND = 1_000_000_000

MOST_REFRESH_WAITS = 60

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
    held_bytes: int = 16 << 20
    """Of messages that wait behind a gap; what is more comes again with the gap."""
    refresh_wait_ns: int = 5 * SECOND
    """Between two times that all is asked for anew because a book is in doubt; twice as long each
    time, up to 60 times as long."""
    sent_messages: int = 1000
    """Own application messages that can be sent again; older ones are filled by a gap fill."""
    dictionary: Dictionary = field(default_factory=Dictionary)


@dataclass(frozen=True)
class Sent:
    """An own application message, to be sent again."""

    kind: str
    time: bytes
    fields: Fields


class FixInitiator(FixStream):
    """What an initiator says, and when; what it hears is handled by who derives from it."""

    def __init__(self, protocol: Protocol, mapping: Mapping, options: object = None) -> None:
        super().__init__(protocol, mapping)
        self.phase = Phase.DISCONNECTED
        self.should_close = False
        self.next_sequence_out = 1
        self._events = Events()
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
        self._sent: dict[int, Sent] = {}
        self._requests = 0
        self._refreshed = 0
        self._refresh_wait = options.refresh_wait_ns

    def _forget(self) -> None:
        """What is of one connection only."""
        self._held = Held(self.options.held_messages, self.options.held_bytes)
        self._refresh_at = DEADLINE_NEVER
        self._subscribed: list[Fields] = []
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
            return min(beat, self._silence_deadline(), self._gap_deadline, self._refresh_at)
        return self._deadline if self.phase is not Phase.DISCONNECTED else DEADLINE_NEVER

    def take_events(self) -> list[Event]:
        """What happened since the last call."""
        return self._events.take()

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
        if now >= self._refresh_at:
            self._refresh_in_doubt(now)

    def _doubt(self) -> None:
        """A book can no longer be told: all is asked for anew, but not too often."""
        if self._refresh_at == DEADLINE_NEVER:
            self._refresh_at = max(self._now, self._refreshed + self._refresh_wait)

    def _refresh_in_doubt(self, now: int) -> None:
        if self._gap_end:
            # What is missing may say it; the end of the gap asks anew, if it must.
            self._refresh_at = now + self.options.request_timeout_ns
            return
        first = self.options.refresh_wait_ns
        calm = now - self._refreshed > 2 * MOST_REFRESH_WAITS * first
        self._refresh_wait = (
            first if calm else min(2 * self._refresh_wait, MOST_REFRESH_WAITS * first)
        )
        self._refreshed = now
        self._tell("asked_anew", "a book was in doubt")
        self._subscribe()

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
        fields.append((372, message.kind.encode()))
        if problem.reason <= LAST_REASON.get(self.begin_string, problem.reason):
            fields.append((373, b"%d" % problem.reason))
        self._send("3", fields)
        self._tell("rejected", f"35={message.kind}: {REASONS[problem.reason]} {problem.tag or ''}")

    def _close(self, reason: str) -> None:
        self.should_close = True
        self.phase = Phase.DISCONNECTED
        self.set_open(False)
        self._tell("closed", reason)

    def _tell(self, kind: str, text: str = "") -> None:
        self._events.tell(kind, text, self._now)

    def _reset_sequences(self) -> None:
        self.next_sequence_out = 1
        self.expect_sequence(1)
        self._sent.clear()

    def _answer_reset(self) -> None:
        """The other side started over: so does this one, with a Logon that says so."""
        self.next_sequence_out = 1
        self._sent.clear()
        self._send_logon(True)

    def _fill_gap(self, begin: int, new: int) -> None:
        """One gap fill for own messages that are not sent again: [begin, new)."""
        if begin < new:
            fields: Fields = [(36, b"%d" % new), (123, b"Y")]
            self._put("4", begin, fields, utc_timestamp(self._now))

    def _subscribe(self) -> None:
        """Ask for all that is subscribed; the answer replaces the books."""
        if self.phase is not Phase.LOGGED_ON:
            return
        self._sent.clear()
        self._refresh_at = DEADLINE_NEVER
        for fields in self._subscribed:
            # Two subscriptions to a symbol would tell each trade twice.
            self._send("V", [(tag, b"2" if tag == 263 else value) for tag, value in fields])
        self._subscribed = []
        for fields in self.options.subscription.requests(f"{self._now}-{self._requests}"):
            self._requests += 1
            self._subscribed.append(fields)
            self.send_application("V", fields)

    def _repeat_or_give_up(self) -> None:
        """The deadline of a gap has passed."""

    _heard_from = 0

"""FIX 4.2 and 4.4, the dialogue of an initiator with its venue: logon to logout.

Law: bytes and times in, bytes to send and events out. No socket, no clock, no file: the owner that
drives it connects, sends what `data_to_send` gives, closes when `should_close` says so, and
keeps `next_sequence_out` and `next_expected_sequence` somewhere safe before it sends.

Messages in sequence take the fast path (sessions/fix.pyx). All others are handled here by the rules
of volume 2 (heard.py), held behind a gap (gap.py), and answered (initiator.py).
"""

from __future__ import annotations

from ticker.feeds.fix.gap import Gap
from ticker.feeds.fix.heard import Heard
from ticker.feeds.fix.initiator import FixOptions, Initiator, Phase, Stream
from ticker.feeds.fix.subscriptions import Subscriptions
from ticker.feeds.session import DEADLINE_NEVER


class Dialogue:
    """Both sides of the dialogue, and the actions at deadlines."""

    def __init__(self, stream: Stream, options: FixOptions) -> None:
        self.stream = stream
        self.options = options
        self.initiator = Initiator(stream, options)
        self.subscriptions = Subscriptions(self.initiator)
        self.gap = Gap(self.initiator, self.subscriptions)
        self.heard = Heard(self.initiator, self.subscriptions, self.gap)
        self.tested_at = 0
        """The time of the last test request, ns, 0: none yet."""

    def _forget(self) -> None:
        """Forget the state of one connection."""
        self.gap.forget()
        self.subscriptions.forget()
        self.tested_at = 0

    def connected(self, now_ns: int) -> None:
        """Log on over a new transport."""
        self._forget()
        self.initiator.begin(now_ns)

    def disconnected(self) -> None:
        """The transport is gone."""
        self.initiator.end()
        self._forget()

    def logout(self, now_ns: int, text: str = "") -> None:
        """Log out; the other side's answer, or its absence, closes the connection."""
        self.initiator.now = now_ns
        if self.initiator.phase is Phase.LOGGED_ON:
            self.initiator.send_logout(text)
        else:
            self.initiator.close("stopped")

    def data_to_send(self, now_ns: int) -> list[bytes]:
        """Frames to send now, in order, those of passed deadlines included."""
        if self.initiator.phase is not Phase.DISCONNECTED:
            self.initiator.now = now_ns
            self._look_at_the_time(now_ns)
        return self.initiator.take_frames()

    def next_deadline(self, now_ns: int) -> int:
        """When `data_to_send` must be called next, ns."""
        initiator = self.initiator
        if initiator.has_frames:
            return now_ns
        if initiator.phase is Phase.LOGGED_ON:
            beat = initiator.last_sent + self.options.heartbeat_ns
            refresh_at = self.subscriptions.refresh_at
            return min(beat, self._silence_deadline(), self.gap.deadline, refresh_at)
        return initiator.deadline if initiator.phase is not Phase.DISCONNECTED else DEADLINE_NEVER

    @property
    def _last_heard(self) -> int:
        return max(self.stream.last_packet_ns, self.heard.logged_on_at)

    def _silence_deadline(self) -> int:
        if self.tested_at > self._last_heard:
            return self.tested_at + self.options.heartbeat_ns
        return self._last_heard + self.options.heartbeat_ns * 6 // 5

    def _look_at_the_time(self, now: int) -> None:
        initiator = self.initiator
        if initiator.phase is not Phase.LOGGED_ON:
            if now >= initiator.deadline:
                initiator.close(f"no answer while {initiator.phase.value}")
            return
        if now >= self._silence_deadline():
            if self.tested_at > self._last_heard:
                initiator.close("no answer to the test request")
                return
            self.tested_at = now
            initiator.send("1", [(112, b"TEST")])
        if now >= initiator.last_sent + self.options.heartbeat_ns:
            initiator.send("0", [])
        if now >= self.gap.deadline and self.gap.give_up():
            self.heard.go_on()
        if now >= self.subscriptions.refresh_at:
            if self.gap.end:
                # The missing messages may have it; the end of the gap requests the books, if
                # needed.
                self.subscriptions.refresh_at = now + self.options.request_timeout_ns
            else:
                self.subscriptions.ask_anew(now)

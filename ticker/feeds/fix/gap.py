"""A gap in the other side's sequence numbers: it is requested, and later messages wait.

At most `held_messages` and `held_bytes` wait; further ones come again with the gap. A gap that
stays open is given up after `request_attempts` and counted as lost; then the subscriptions are
requested anew.
"""

from __future__ import annotations

from ticker.feeds.fix.held import Frame, Held
from ticker.feeds.fix.initiator import Initiator
from ticker.feeds.fix.subscriptions import Subscriptions
from ticker.feeds.session import DEADLINE_NEVER


class Gap:
    """The current gap, if there is one, and the messages that wait behind it."""

    def __init__(self, initiator: Initiator, subscriptions: Subscriptions) -> None:
        self.initiator = initiator
        self.subscriptions = subscriptions
        self.stream = initiator.stream
        self.end = 0
        self._entry = 0
        self._decided = 0
        self.forget()

    def forget(self) -> None:
        """Forget the gap, for a new connection."""
        # What is missing still is found missing again.
        self._account("withdrawn", self.end)
        options = self.initiator.options
        self.held = Held(options.held_messages, options.held_bytes)
        self.end = 0
        """The first number after the gap; 0: nothing is missing."""
        self.deadline = DEADLINE_NEVER
        self.refresh = False
        """Once the gap is closed, all subscriptions are requested anew."""
        self._attempts = 0

    def abandon(self) -> None:
        """Drop the gap and the waiting messages: the other side started over."""
        self.held.clear()
        self._account("lost_upstream", self.end)
        self.end = 0
        self.deadline = DEADLINE_NEVER

    def done(self, sequence: int) -> None:
        """Mark a number as done; one out of turn is remembered until its turn."""
        if sequence == self.stream.next_expected_sequence:
            self.stream.expect_sequence(sequence + 1)
        elif sequence > self.stream.next_expected_sequence:
            self.hold(sequence, None)

    def hold(self, sequence: int, frame: Frame | None) -> None:
        """Hold a message whose turn has not come."""
        if not self.held.hold(sequence, frame):
            self.stream.count("reorder_drops")
        if sequence > self.end:
            self._seen(sequence)

    def _seen(self, sequence: int) -> None:
        """Messages before `sequence` are missing: request them once, to infinity, as most engines
        do."""
        if self.end:
            return
        self.stream.count("gaps")
        self.stream.count("gap_messages", sequence - self.stream.next_expected_sequence)
        self.end = sequence
        self._decided = self.stream.next_expected_sequence
        self._entry = self.stream.ledger.found_from_python(
            self._decided, sequence, self.initiator.now
        )
        self._attempts = 0
        self._request()

    def _request(self) -> None:
        self.stream.count("requests")
        self.stream.ledger.requested_from_python(self._entry)
        self._attempts += 1
        self.deadline = self.initiator.now + self.initiator.options.request_timeout_ns
        fields = [(7, b"%d" % self.stream.next_expected_sequence), (16, b"0")]
        self.initiator.send("2", fields)

    def went_on(self, before: int) -> None:
        """Whether the gap is closed, now that all numbers since `before` are done."""
        reached = self.stream.next_expected_sequence
        self._account("recovered", reached)
        if self.end and reached > before:
            self.deadline = self.initiator.now + self.initiator.options.request_timeout_ns
            self._attempts = 1
        if self.end and reached > self.end - 1:
            self._close()

    def _close(self) -> None:
        self.end = 0
        self.deadline = DEADLINE_NEVER
        self.held.forget_below(self.stream.next_expected_sequence)
        if self.held:
            self._seen(self.held.first(0))
        else:
            self.settle()

    def skip_to(self, new: int, *, fills: bool) -> None:
        """Skip to the next number, which the other side has set beyond the expected one."""
        # The skipped messages may have been market data: the books are requested anew.
        self.refresh = bool(self.end) or not fills
        self._account("recovered", self.stream.next_expected_sequence)
        if not fills:
            self.stream.count("lost_messages", new - self.stream.next_expected_sequence)
            self._account("lost_upstream", new)
            self._never_came(max(self.stream.next_expected_sequence, self.end), new)
        self.stream.expect_sequence(new)
        self.held.forget_below(new)

    def settle(self) -> None:
        """Request the subscriptions anew if this waited for the end of the gap, and it is
        closed."""
        if self.refresh and not self.end:
            self.refresh = False
            self.subscriptions.ask()

    def give_up(self) -> bool:
        """Request the gap once more, after a deadline. True: after the last attempt; it is lost."""
        if self._attempts < self.initiator.options.request_attempts:
            self._request()
            return False
        resume = self.held.first(self.end)
        lost = resume - self.stream.next_expected_sequence
        self.stream.count("lost_messages", lost)
        self.initiator.tell(
            "gap_lost", f"{lost} messages from {self.stream.next_expected_sequence}"
        )
        self._account("recovered", self.stream.next_expected_sequence)
        self._account("lost_upstream", resume)
        self.refresh = True
        self.stream.expect_sequence(resume)
        return True

    def _never_came(self, start: int, end: int) -> None:
        """Numbers that the other side passes over, and that nobody knew to be missing."""
        if start < end:
            ledger, now = self.stream.ledger, self.initiator.now
            gap = ledger.found_from_python(start, end, now)
            ledger.became_from_python(gap, "lost_upstream", end - start, now)

    def _account(self, became: str, reached: int) -> None:
        """Report the outcome of the missing numbers below `reached`, if not reported yet."""
        messages = min(reached, self.end) - self._decided
        if self.end and messages > 0:
            self.stream.ledger.became_from_python(self._entry, became, messages, self.initiator.now)
            self._decided += messages

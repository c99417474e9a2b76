"""The subscriptions at a FIX venue, and their renewal when a book is no longer known."""

from __future__ import annotations

from ticker.feeds.fix.initiator import Initiator, Phase
from ticker.feeds.fix.message import Fields
from ticker.feeds.session import DEADLINE_NEVER

MOST_REFRESH_WAITS = 60


class Subscriptions:
    """The open requests, and the time of the next ones."""

    def __init__(self, initiator: Initiator) -> None:
        self.initiator = initiator
        self.refresh_at = DEADLINE_NEVER
        self._standing: list[Fields] = []
        self._requests = 0
        self._refreshed = 0
        self._refresh_wait = initiator.options.refresh_wait_ns

    def forget(self) -> None:
        """Forget the open requests, for a new connection."""
        self.refresh_at = DEADLINE_NEVER
        self._standing = []

    def ask(self) -> None:
        """Request all subscriptions; the answers replace the books."""
        initiator = self.initiator
        if initiator.phase is not Phase.LOGGED_ON:
            return
        initiator.forget_sent()
        self.refresh_at = DEADLINE_NEVER
        for fields in self._standing:
            # With two subscriptions to a symbol, each trade would come twice.
            initiator.send("V", [(tag, b"2" if tag == 263 else value) for tag, value in fields])
        self._standing = []
        wanted = initiator.options.subscription
        for fields in wanted.requests(f"{initiator.now}-{self._requests}"):
            self._requests += 1
            self._standing.append(fields)
            initiator.send_application("V", fields)

    def doubt(self) -> None:
        """Plan to request all books anew, because one is no longer known; but not too often."""
        if self.refresh_at == DEADLINE_NEVER:
            self.refresh_at = max(self.initiator.now, self._refreshed + self._refresh_wait)

    def ask_anew(self, now: int) -> None:
        """Request all anew; called at `refresh_at`."""
        first = self.initiator.options.refresh_wait_ns
        calm = now - self._refreshed > 2 * MOST_REFRESH_WAITS * first
        self._refresh_wait = (
            first if calm else min(2 * self._refresh_wait, MOST_REFRESH_WAITS * first)
        )
        self._refreshed = now
        self.initiator.tell("asked_anew", "a book was in doubt")
        self.ask()

"""The events of a FIX session for the operator, limited in rate.

Law: a kind of event is reported at most PER_MINUTE times a minute. The first one of the next minute
has the number of those left out.
"""

from __future__ import annotations

from dataclasses import dataclass

MINUTE = 60_000_000_000
PER_MINUTE = 10


@dataclass(frozen=True)
class Event:
    """An event for the operator. `kind` is logged_on, logged_out, rejected, request_rejected,
    gap_lost, asked_anew or closed."""

    kind: str
    text: str = ""


class Events:
    """The events that have not been taken yet."""

    def __init__(self) -> None:
        self._untaken: list[Event] = []
        self._began: dict[str, int] = {}
        self._told: dict[str, int] = {}

    def tell(self, kind: str, text: str, now_ns: int) -> None:
        """Report an event at `now_ns`."""
        if not 0 <= now_ns - self._began.get(kind, -MINUTE) < MINUTE:
            untold = self._told.get(kind, 0) - PER_MINUTE
            if untold > 0:
                text = f"{text} (and {untold} more in the minute before)".lstrip()
            self._began[kind] = now_ns
            self._told[kind] = 0
        self._told[kind] += 1
        if self._told[kind] <= PER_MINUTE:
            self._untaken.append(Event(kind, text))

    def take(self) -> list[Event]:
        """The events since the last call."""
        untaken, self._untaken = self._untaken, []
        return untaken

"""Log lines that strangers can cause, limited in rate for each kind.

Law: no clock; `steady_ns` is passed in.
"""

from __future__ import annotations

from collections import Counter

import structlog

from ticker.gateway.access.pace import Pace
from ticker.gateway.access.problems import FORBIDDEN_ORIGIN, UNKNOWN_HOST, Refusal

EVERY = 60.0  # s
NOTED = {FORBIDDEN_ORIGIN: "page refused", UNKNOWN_HOST: "host refused"}
"""The refusals that are logged, because a setting of the operator may cause them."""


class Notes:
    """The first line of each kind at once, then one a minute with the count."""

    def __init__(self) -> None:
        self.pace = Pace()
        self.unsaid: Counter[str] = Counter()

    def refused(self, refusal: Refusal, steady_ns: int) -> None:
        """Log the refusal, where it is one of NOTED and it is time for a line."""
        event = NOTED.get(refusal.kind)
        if event is not None:
            self.warn(event, steady_ns, reason=refusal.detail)

    def warn(self, event: str, steady_ns: int, **facts: object) -> None:
        """Log the event, if it is time for a line of its kind."""
        if self.pace.take([event], 1 / EVERY, 1, steady_ns):
            self.unsaid[event] += 1
            return
        more = self.unsaid.pop(event, 0)
        structlog.get_logger().warning(event, **facts, **({"more_since": more} if more else {}))

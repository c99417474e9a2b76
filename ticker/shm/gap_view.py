"""A gap in a feed's sequence numbers, as readers of its ledger see it (gaps.pyx)."""

from __future__ import annotations

from typing import NamedTuple

from ticker.units import format_timestamp

LINES = ("a", "b", "retransmission")
"""By Line (feeds/session.pxd)."""


class GapView(NamedTuple):
    """A gap, or the sums of a feed's gaps: numbers of sequences, times in ns since the epoch, UTC.

    `channel` is -1 where a feed has one stream. `ticks` were published by the feed between
    `detected_ns` and a second after `closed_ns`; meanwhile all gateways together put
    `conflated` ticks into newer ones, left `lagged` trades out for clients, and were `lapped` by
    so many records.
    """

    number: int
    start: int
    end: int
    session: bytes
    channel: int
    line: str
    detected_ns: int
    closed_ns: int
    missing: int
    filled_by_line: int
    recovered: int
    lost_upstream: int
    lost_downstream: int
    withdrawn: int
    requests: int
    ticks: int
    conflated: int
    lagged: int
    lapped: int

    @property
    def open(self) -> int:
        """The missing numbers without an outcome yet."""
        decided = self.filled_by_line + self.recovered + self.withdrawn
        return self.missing - decided - self.lost_upstream - self.lost_downstream

    @property
    def state(self) -> str:
        """open; lost, if any number of it is; withdrawn; or filled."""
        if self.open:
            return "open"
        if self.lost_upstream or self.lost_downstream:
            return "lost"
        return "withdrawn" if self.withdrawn else "filled"

    def sums(self) -> dict[str, int]:
        """The missing numbers by outcome."""
        return {
            "missing": self.missing,
            "filled_by_line": self.filled_by_line,
            "recovered": self.recovered,
            "lost_upstream": self.lost_upstream,
            "lost_downstream": self.lost_downstream,
            "withdrawn": self.withdrawn,
            "open": self.open,
            "requests": self.requests,
        }

    def as_json(self) -> dict[str, object]:
        """For people and programs: times as text, the last number instead of the one behind it."""
        session = self.session.decode("ascii", "replace")
        return {
            "number": self.number,
            "first": self.start,
            "last": self.end - 1,
            "session": session.strip() if session.isprintable() and session.strip() else None,
            "channel": self.channel if self.channel >= 0 else None,
            "line": self.line,
            "state": self.state,
            "detected_timestamp": format_timestamp(self.detected_ns),
            "closed_timestamp": format_timestamp(self.closed_ns) if self.closed_ns else None,
            **self.sums(),
            "ticks": self.ticks,
            "conflated": self.conflated,
            "lagged": self.lagged,
            "lapped": self.lapped,
        }

"""A feed worker's answer to the wish that messages of some symbols are kept.

In: the file of the wish (shm/private/tracing.py), looked at once a second. Out: the messages, in a
file of this feed. While nobody traces, nothing is between the session and its decoder.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

import structlog

from ticker.errors import SegmentError
from ticker.feeds.protocol import Protocol
from ticker.feeds.session import Session
from ticker.feeds.tracing.tap import TracingTap, put_between
from ticker.shm.header import Mapping
from ticker.shm.lineage.traces import TraceWriter
from ticker.shm.lineage.trail import rows_of
from ticker.shm.private.tracing import messages_path, traced, wish_path

log = structlog.get_logger()

LOOK = 1_000_000_000
"""ns between two looks at the wish."""


class Tracing:
    """Of one feed, by its name, in a server's instance; None: nobody can wish anything."""

    def __init__(
        self,
        instance: str | None,
        feed: str,
        mapping: Mapping,
        protocol: Protocol,
        session: Session,
    ) -> None:
        self.feed = feed
        self.instance = instance
        self.mapping = mapping
        self.protocol = protocol
        self.session = session
        self.tap: TracingTap | None = None
        self.rows: list[int] = []
        self._due = 0
        self._wish: dict[str, int] = {}
        self._seen: tuple[int, int] | None = None
        """Which file the wish was read from."""

    def look(self, now: int) -> None:
        """Begin, go on or end, as the wish is; `now` by the wall clock, ns."""
        if self.instance is None or self._due - LOOK <= now < self._due:
            return
        self._due = now + LOOK
        self._read(self.instance)
        symbols = [symbol for symbol, until in self._wish.items() if until > now]
        rows = [row for symbol in symbols for row in rows_of(self.mapping, symbol)]
        if rows == self.rows:
            return
        try:
            self._follow(rows, messages_path(self.instance, self.feed))
        except (OSError, SegmentError) as error:
            log.error("messages cannot be traced", feed=self.feed, reason=str(error))
        self.rows = rows

    def close(self) -> None:
        """End it."""
        if self.instance is not None:
            self._follow([], messages_path(self.instance, self.feed))

    def _read(self, instance: str) -> None:
        try:
            status = wish_path(instance).stat()
        except OSError:
            self._wish, self._seen = {}, None
            return
        if self._seen != (status.st_ino, status.st_mtime_ns):
            self._seen = status.st_ino, status.st_mtime_ns
            self._wish = traced(instance)

    def _follow(self, rows: list[int], path: Path) -> None:
        if rows and self.tap is None:
            self.tap = TracingTap(self.protocol, TraceWriter(path))
            put_between(self.session, self.tap)
        if self.tap is not None:
            self.tap.follow(rows)
        if not rows and self.tap is not None:
            put_between(self.session, self.protocol)
            self.tap = None
            with contextlib.suppress(OSError):
                path.unlink()

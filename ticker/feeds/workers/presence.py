"""A feed in its segment: taken over from its predecessor, kept alive, and left again."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import structlog

from ticker.clock import Clock
from ticker.config import FeedConfig
from ticker.feeds.session import resume_point
from ticker.shm import counters
from ticker.shm.counters import Heartbeat
from ticker.shm.doorbell import DoorbellRinger, Onlooker
from ticker.shm.header import KIND_FEED, KIND_GATEWAY, Mapping
from ticker.shm.layout import StaleReason
from ticker.shm.segment import attach

log = structlog.get_logger()

SECOND = 1_000_000_000
BEAT = SECOND // 10
"""ns between two signs of life."""


class Context(Protocol):
    """Whose memory a feed is served in, and who reads it."""

    def attach(self) -> Mapping:
        """The segment, writable. Raises SegmentError."""

    def ringer(self) -> DoorbellRinger | None:
        """What wakes the readers; None: no reader has to be woken."""

    @property
    def timetable(self) -> Path | None:
        """The file that says when the feed's market is open; None: nobody says it."""


@dataclass(frozen=True)
class FeedContext:
    """What a feed worker is given by its supervisor beside its own configuration."""

    segment: str
    """Name of the feed's segment; it exists and is attached writable."""
    boot_id: int
    """Of this life of the server; segments of another one are refused."""
    instance: str = "default"
    gateways: tuple[tuple[str, int], ...] = ()
    """Segment name and eventfd (inherited, non-blocking) of each gateway slot."""
    timetable: Path | None = None
    """File of the markets' hours (shm/timetable.py)."""

    def attach(self) -> Mapping:
        """Raises SegmentError: it is not there, or not the expected one."""
        return attach(self.segment, KIND_FEED, boot_id=self.boot_id, writable=True)

    def ringer(self) -> DoorbellRinger:
        """The doors of all gateways; their segments are the supervisor's work and exist by now."""
        return DoorbellRinger(
            [(attach(name, KIND_GATEWAY, boot_id=self.boot_id), fd) for name, fd in self.gateways]
        )


@dataclass(frozen=True)
class PrivateContext:
    """A feed in memory of this process alone."""

    segment: Mapping
    look: Callable[[], None] | None = None
    """Called after each publication; must not raise."""
    timetable: Path | None = None

    def attach(self) -> Mapping:
        return self.segment

    def ringer(self) -> DoorbellRinger | None:
        return None if self.look is None else Onlooker([], self.look)


class Presence:
    """A feed's segment. This process is its writer now."""

    def __init__(self, config: FeedConfig, segment: Mapping, clock: Clock) -> None:
        self.feed = config.name
        self.segment = segment
        self.resume = resume_point(self.segment)
        """Where a predecessor's session stood."""
        self.heartbeat = Heartbeat(self.segment)
        self.epoch = self.heartbeat.take_over(os.getpid(), clock())
        self.state = counters.STARTING
        self.heartbeat.set_state(self.state)

    def set_patience(self, config: FeedConfig, silence: int) -> None:
        """Let readers know from when on the feed is stale (ns; 0: its worker alone says so), and
        one of its symbols quiet."""
        self.heartbeat.set_patience(silence, int(config.quiet_after * SECOND))

    def started(self, rows: int, **more: object) -> None:
        """Say that the work begins, with so many rows of a predecessor."""
        log.info("feed started", feed=self.feed, epoch=self.epoch, rows=rows, **more)

    def show(self, state: int, why: int = 0) -> None:
        """A FeedLiveness (layout.pxd), told where it is another one; and why it is stale
        (StaleReason)."""
        self.heartbeat.set_why(why if state == counters.STALE else 0)
        if state != self.state:
            self.state = state
            self.heartbeat.set_state(state)
            log.info("feed " + self.heartbeat.state, feed=self.feed)

    def not_started(self) -> None:
        """Let readers know that nobody feeds this feed, because its worker cannot start."""
        self.heartbeat.set_why(StaleReason.WHY_NOT_STARTED)
        self.heartbeat.set_state(counters.STALE)
        self.heartbeat.leave()

    def stopped(self) -> None:
        """Let readers know that no worker feeds this feed now."""
        self.heartbeat.set_why(0)
        self.heartbeat.set_state(counters.STALE)
        log.info("feed stopped", feed=self.feed)

"""A feed's ownership of its segment: taken over from a predecessor, kept alive, released."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import structlog

from ticker.clock import Clock
from ticker.config import FeedConfig
from ticker.feeds.images.files import ImageFiles
from ticker.feeds.session import resume_point, session_before
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
    """The memory of a feed, and its readers."""

    def attach(self) -> Mapping:
        """The segment, writable. Raises SegmentError."""

    def ringer(self) -> DoorbellRinger | None:
        """The ringer that wakes the readers; None: no reader has to be woken."""

    def images(self, config: FeedConfig) -> ImageFiles | None:
        """The files of the feed's images; None: it has none."""

    @property
    def timetable(self) -> Path | None:
        """The file with the hours of the feed's market, if there is one."""

    @property
    def instance(self) -> str | None:
        """Of the server; None: there is none, in which symbols could be traced."""


@dataclass(frozen=True)
class FeedContext:
    """The resources that a feed worker gets from the supervisor, beside its configuration."""

    segment: str
    """Name of the feed's segment; it exists and is attached writable."""
    boot_id: int
    """Names this run of the server; segments of another run are refused."""
    instance: str = "default"
    gateways: tuple[tuple[str, int], ...] = ()
    """Segment name and eventfd (inherited, non-blocking) of each gateway slot."""
    timetable: Path | None = None
    """File of the markets' hours (shm/timetable.py)."""
    folder: Path | None = None
    """In memory, for the feed's images."""

    def images(self, config: FeedConfig) -> ImageFiles | None:
        if self.folder is None:
            return None
        return ImageFiles(self.folder, self.segment, self.boot_id, config)

    def attach(self) -> Mapping:
        """Raises SegmentError: it is not there, or not the expected one."""
        return attach(self.segment, KIND_FEED, boot_id=self.boot_id, writable=True)

    def ringer(self) -> DoorbellRinger:
        """The doorbells of all gateways; the supervisor has created their segments before."""
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
    instance: str | None = None

    def images(self, config: FeedConfig) -> ImageFiles | None:  # noqa: ARG002
        return None

    def attach(self) -> Mapping:
        return self.segment

    def ringer(self) -> DoorbellRinger | None:
        return None if self.look is None else Onlooker([], self.look)


class Presence:
    """A feed's segment, with this process as its writer."""

    def __init__(self, config: FeedConfig, segment: Mapping, clock: Clock) -> None:
        self.feed = config.name
        self.segment = segment
        self.resume = resume_point(self.segment)
        """The position of a predecessor's session."""
        self.before = session_before(self.segment)
        """Session id of the rows that are there."""
        self.heartbeat = Heartbeat(self.segment)
        self.epoch = self.heartbeat.take_over(os.getpid(), clock())
        self.state = counters.STARTING
        self.heartbeat.set_state(self.state)

    def set_patience(self, config: FeedConfig, silence: int) -> None:
        """Publish the silence after which the feed is stale (ns; 0: only its worker decides), and
        that after which a symbol is quiet."""
        self.heartbeat.set_patience(silence, int(config.quiet_after * SECOND))

    def started(self, rows: int, **more: object) -> None:
        """Log the start, with the number of rows of a predecessor."""
        log.info("feed started", feed=self.feed, epoch=self.epoch, rows=rows, **more)

    def show(self, state: int, why: int = 0) -> None:
        """Publish a FeedLiveness (layout.pxd), and the reason if it is stale (StaleReason). A
        change is logged."""
        self.heartbeat.set_why(why if state == counters.STALE else 0)
        if state != self.state:
            self.state = state
            self.heartbeat.set_state(state)
            log.info("feed " + self.heartbeat.state, feed=self.feed)

    def not_started(self) -> None:
        """Let readers know that the feed's worker cannot start."""
        self.heartbeat.set_why(StaleReason.WHY_NOT_STARTED)
        self.heartbeat.set_state(counters.STALE)
        self.heartbeat.leave()

    def stopped(self) -> None:
        """Let readers know that the feed has no worker now."""
        self.heartbeat.set_why(0)
        self.heartbeat.set_state(counters.STALE)
        log.info("feed stopped", feed=self.feed)

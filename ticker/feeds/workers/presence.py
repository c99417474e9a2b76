"""A feed in its segment: taken over from whoever had it, with its signs of life, and left again."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import date
from typing import Any

import structlog

from ticker.clock import Clock
from ticker.config import FeedConfig, session_date
from ticker.feeds.session import resume_point
from ticker.feeds.workers.pipeline import Pipeline, build
from ticker.shm import counters
from ticker.shm.counters import Heartbeat
from ticker.shm.doorbell import DoorbellRinger
from ticker.shm.header import KIND_FEED, KIND_GATEWAY, Mapping
from ticker.shm.segment import attach

log = structlog.get_logger()

SECOND = 1_000_000_000
BEAT = SECOND // 10
"""ns between two signs of life."""
SILENCES = 2.5
"""A feed that is silent for so many of its heartbeats is stale. Whoever looks twice a second
notices within three, from heartbeats of a second on."""


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


class Presence:
    """A feed's segment, of which this process is the writer now.

    Raises:
        SegmentError: the segment is not there or not the expected one.
    """

    def __init__(self, config: FeedConfig, context: FeedContext, clock: Clock) -> None:
        self.feed = config.name
        self.segment = attach(context.segment, KIND_FEED, boot_id=context.boot_id, writable=True)
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

    def show(self, state: int) -> None:
        """A FeedLiveness (layout.pxd), told where it is another one."""
        if state != self.state:
            self.state = state
            self.heartbeat.set_state(state)
            log.info("feed " + self.heartbeat.state, feed=self.feed)

    def stopped(self) -> None:
        """Let readers know that nobody feeds this feed now."""
        self.heartbeat.set_state(counters.STALE)
        log.info("feed stopped", feed=self.feed)


def build_feed(
    config: FeedConfig, segment: Mapping, session: str | None, day: date, **more: Any
) -> Pipeline:
    """The pipeline of a configured feed (`pipeline.build`) on a day; `more` goes to it as it is."""
    return build(
        segment,
        config.protocol,
        session,
        session_date(config, day),
        venue=config.venue,
        currency=config.currency,
        timezone=config.timezone,
        symbology=config.symbology,
        rules=config.filter,
        **more,
    )


def silence_ns(heartbeat: float) -> int:
    """Of a venue that sends something every `heartbeat` s: silence that makes its feed stale."""
    return int(SILENCES * heartbeat * SECOND)


def ringer_of(context: FeedContext) -> DoorbellRinger:
    """The doors of all gateways; their segments are the supervisor's work and exist by now."""
    return DoorbellRinger(
        [(attach(name, KIND_GATEWAY, boot_id=context.boot_id), fd) for name, fd in context.gateways]
    )

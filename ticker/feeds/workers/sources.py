"""The source of a configured feed: its kind, its session, its lines, its symbology.

Law: this is decided only here. `ticker serve`, `ticker feed test` and the supervisor ask this
module, so a feed is the same for all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Any, Protocol
from urllib.parse import urlsplit

from ticker.clock import Clock, steady_ns
from ticker.config import FeedConfig, parse_address, session_date
from ticker.config.pillar import PillarConfig
from ticker.config.pitch import PitchConfig
from ticker.feeds.images.image import Image
from ticker.feeds.images.keeper import Keeper
from ticker.feeds.session import CHANNEL_SHIFT, Session
from ticker.feeds.session import Line as LineKind
from ticker.feeds.workers.mappings import load_mapping
from ticker.feeds.workers.pipeline import (
    Pipeline,
    build,
    default_session,
    follow_days,
    load_protocol,
    load_session,
)
from ticker.feeds.workers.vigil import Findings
from ticker.shm.doorbell import DoorbellRinger
from ticker.shm.header import Mapping
from ticker.symbology import default_symbology

SECOND = 1_000_000_000
SILENCES = 2.5
"""Number of silent heartbeats after which a feed is stale. A reader that looks twice a second
notices within three heartbeats, if these are a second or more."""
STREAM_SESSIONS = {"tcp": "jsonstream"}
"""The session of each kind of URL; `framed` if the transport separates messages."""

Line = tuple[str, int, int]
"""Address, port, and the Line (session.pxd) of packets from there."""


class Kind(Enum):
    """The kind of transport of a feed."""

    DATAGRAMS = "datagrams"
    STREAM = "stream"
    SOUP = "soupbintcp"
    FIX = "fix"


@dataclass(frozen=True)
class Plan:
    """The decisions about a configured feed.

    Attributes:
        lines: for datagrams all addresses to listen on; for a TCP session its server and the
        backup; empty for a feed with a url.
        symbology: the convention of the feed's symbols.
    """

    kind: Kind
    session: str
    lines: tuple[Line, ...]
    symbology: str


@dataclass(frozen=True)
class Place:
    """The place and time of a feed's service; every source gets one.

    Attributes:
        resume: session id and next sequence of a predecessor, None: there was none.
        before: session id of the rows that were found, of a predecessor or restored; empty:
            unknown.
        image: of the predecessor's state: a rebuild goes on from it; None: from the start.
        places: of the feed's streams, for a successor (images/places.py); None: it has one stream,
            or nobody can be asked for what is missing.
    """

    config: FeedConfig
    plan: Plan
    segment: Mapping
    day: date
    clock: Clock
    ringer: DoorbellRinger | None = None
    resume: tuple[bytes, int] | None = None
    before: bytes = b""
    image: Image | None = None
    places: memoryview | None = None
    steady: Clock = steady_ns

    def rebuild_from(self) -> tuple[bytes, int] | None:
        """Session id and sequence that a rebuild begins at; None: the session's start."""
        return None if self.image is None else (self.image.session, self.image.sequence)

    def build(self, **more: Any) -> Pipeline:
        """The pipeline of the feed (`pipeline.build`); `more` is passed on to it."""
        config = self.config
        pipeline = build(
            self.segment,
            config.protocol,
            self.plan.session,
            session_date(config, self.day),
            venue=config.venue,
            currency=config.currency,
            timezone=config.timezone,
            symbology=self.plan.symbology,
            rules=config.filter,
            ringer=self.ringer,
            **more,
        )
        if config.date == "today":
            follow_days(pipeline, config.timezone, by_receive_time=True)
        return pipeline


class Life(Protocol):
    """The worker of a source, as the source sees it."""

    @property
    def stopping(self) -> bool:
        """Whether `run` has to end."""

    @property
    def next_beat(self) -> int:
        """When `turn` must be called next, ns."""

    @property
    def clock(self) -> Clock: ...

    def turn(self, now: int) -> bool:
        """Beat if it is time: sign of life, state, calendar. Returns whether it was time."""


class Source(Protocol):
    """The source of a feed: it brings the feed's bytes into its pipeline.

    Attributes:
        rebuilds: a successor processes the session again, and publishes once it has caught up.
        keeps_images: a successor needs the images of this worker.
        silence_ns: silence of the venue after which the feed is stale.
        told: facts about the source for the log line of the start.
        findings: the unusable messages.
        keeper: to be called where nothing waits to be published; it makes images. None: there are
            none.
    """

    pipeline: Pipeline
    keeper: Keeper | None
    rebuilds: bool
    keeps_images: bool
    silence_ns: int
    told: dict[str, object]
    findings: Findings

    @property
    def heard(self) -> int:
        """The time of the last usable message, ns; 0: none yet. Heartbeats are usable if the
        venue's protocol defines them."""

    @property
    def joined(self) -> bool:
        """Whether bytes can come now; False before there is a connection."""

    @property
    def recovering(self) -> bool:
        """Whether missed messages are being recovered."""

    def run(self, life: Life) -> None:
        """Receive and publish until `life.stopping`. Raises FeedError, ConfigError."""

    def close(self) -> None:
        """Close everything that was opened."""


def plan_of(config: FeedConfig) -> Plan:
    """The plan of a feed. Raises FeedError: its protocol or session does not exist."""
    kind, session = _kind_and_session(config)
    lines = [(*parse_address(line), number) for number, line in enumerate(config.lines)]
    return Plan(
        kind,
        session,
        (*lines, *further_lines(config)),
        symbology_of(config),
    )


def load_code(config: FeedConfig) -> None:
    """Import the protocol and the session of a feed, so that its workers need not.

    Raises:
        FeedError: its protocol is not there, or no session.
    """
    load_protocol(config.protocol)
    load_session(plan_of(config).session)


def symbology_of(config: FeedConfig) -> str:
    """The symbology of a feed: that of its configuration, else of its mapping, else of its
    protocol. Raises ConfigError: its mapping does not exist, or is refused."""
    if config.symbology is None and config.mapping is not None:
        return load_mapping(config.mapping).symbology or default_symbology(config.protocol)
    return config.symbology or default_symbology(config.protocol)


def _kind_and_session(config: FeedConfig) -> tuple[Kind, str]:
    if config.url is not None:
        scheme = urlsplit(config.url).scheme
        return Kind.STREAM, config.session or STREAM_SESSIONS.get(scheme, "framed")
    session = config.session or default_session(config.protocol)
    if config.fix is not None:
        return Kind.FIX, "fix"
    return (Kind.SOUP if session == "soupbintcp" else Kind.DATAGRAMS), session


def further_lines(config: FeedConfig) -> list[Line]:
    """A feed's addresses beside `lines`: other units, gap lines, and other channels, whose line has
    the channel above CHANNEL_SHIFT."""
    pitch = config.pitch or PitchConfig()
    pillar = config.pillar or PillarConfig()
    found = [(parse_address(a), line) for each in pitch.more_lines for line, a in enumerate(each)]
    found += [(parse_address(address), LineKind.LINE_RETRANSMISSION) for address in pitch.gap_lines]
    found += [
        (parse_address(address), LineKind.LINE_RETRANSMISSION | channel << CHANNEL_SHIFT)
        for channel, address in enumerate(pillar.gap_lines)
    ]
    for channel, lines in enumerate(pillar.more_lines, 1):
        found += [
            (parse_address(a), line | channel << CHANNEL_SHIFT) for line, a in enumerate(lines)
        ]
    return [(*address, line) for address, line in found]


def has_places(config: FeedConfig) -> bool:
    """Whether the feed has several streams, and a server for what a successor missed of them."""
    proxy = config.pitch is not None and config.pitch.gap_proxy is not None
    server = config.pillar is not None and config.pillar.request_server is not None
    return (proxy or server) and config.rebuild and config.image_interval > 0


def is_another(session: Session, before: bytes) -> bool:
    """Whether a rebuild is in another session than the rows are."""
    return bool(before) and session.session_id != before


def silence_ns(heartbeat: float) -> int:
    """The silence after which a feed is stale, of a venue that sends every `heartbeat` s."""
    return int(SILENCES * heartbeat * SECOND)

"""Which source a configured feed has: its kind, its session, its lines, its symbols' spelling.

Law: this is decided here and nowhere else. `ticker serve`, `ticker feed test` and the supervisor
ask here, so a feed is the same feed for all of them.
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
"""A feed that is silent for so many of its heartbeats is stale. A reader that looks twice a second
notices within three, from heartbeats of a second on."""
STREAM_SESSIONS = {"tcp": "jsonstream"}
"""The session of each kind of URL; `framed`, where the transport says what a message is."""

Line = tuple[str, int, int]
"""Address, port, and the Line (session.pxd) that packets from there are of."""


class Kind(Enum):
    """What a feed's bytes come by."""

    DATAGRAMS = "datagrams"
    STREAM = "stream"
    SOUP = "soupbintcp"
    FIX = "fix"


@dataclass(frozen=True)
class Plan:
    """What is decided about a configured feed.

    Attributes:
        lines: of datagrams all that is listened on, of a session its server and the backup;
            empty for a feed with a url.
        symbology: how the feed writes its symbols.
    """

    kind: Kind
    session: str
    lines: tuple[Line, ...]
    symbology: str


@dataclass(frozen=True)
class Place:
    """Where and from when on a feed is served: what every source is made of.

    Attributes:
        resume: session id and next sequence of a predecessor, None: there was none.
    """

    config: FeedConfig
    plan: Plan
    segment: Mapping
    day: date
    clock: Clock
    ringer: DoorbellRinger | None = None
    resume: tuple[bytes, int] | None = None
    steady: Clock = steady_ns

    def build(self, **more: Any) -> Pipeline:
        """The pipeline of the feed (`pipeline.build`); `more` goes to it as it is."""
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
    """A source's worker, as the source sees it."""

    @property
    def stopping(self) -> bool:
        """It is time to leave `run`."""

    @property
    def next_beat(self) -> int:
        """When `turn` must be called next, ns."""

    @property
    def clock(self) -> Clock: ...

    def turn(self, now: int) -> bool:
        """Beat, if it is time: signs of life, state, calendar. Whether it was."""


class Source(Protocol):
    """What brings a feed's bytes into its pipeline.

    Attributes:
        rebuilds: a successor computes the session again, and shows it when it has caught up.
        silence_ns: silence of the venue that makes the feed stale.
        told: what the log says of the source when the feed starts.
        findings: what came of no use.
    """

    pipeline: Pipeline
    rebuilds: bool
    silence_ns: int
    told: dict[str, object]
    findings: Findings

    @property
    def heard(self) -> int:
        """When something of use came last, ns; 0: nothing yet. Heartbeats are of use where the
        venue's protocol defines them."""

    @property
    def joined(self) -> bool:
        """Bytes may come now. False: none do before there is a connection."""

    @property
    def recovering(self) -> bool:
        """What was missed is on its way."""

    def run(self, life: Life) -> None:
        """Receive and publish until `life.stopping`. Raises FeedError, ConfigError."""

    def close(self) -> None:
        """Give back all that was opened."""


def plan_of(config: FeedConfig) -> Plan:
    """What is decided about a feed. Raises FeedError: its protocol is not there, or no session."""
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
    """How a feed writes its symbols: as its configuration says, else its mapping, else its
    protocol. Raises ConfigError: its mapping is not there, or is refused."""
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
    """What a feed hears beside `lines`: other units, gap lines, and other channels, whose line
    has the channel above CHANNEL_SHIFT."""
    pitch = config.pitch or PitchConfig()
    pillar = config.pillar or PillarConfig()
    found = [(parse_address(a), line) for each in pitch.more_lines for line, a in enumerate(each)]
    found += [(parse_address(address), LineKind.LINE_RETRANSMISSION) for address in pitch.gap_lines]
    for channel, lines in enumerate(pillar.more_lines, 1):
        found += [
            (parse_address(a), line | channel << CHANNEL_SHIFT) for line, a in enumerate(lines)
        ]
    return [(*address, line) for address, line in found]


def is_another(session: Session, resume: tuple[bytes, int] | None) -> bool:
    """A rebuild computed another session than the one that the predecessor was in."""
    return resume is not None and session.session_id != resume[0]


def silence_ns(heartbeat: float) -> int:
    """Of a venue that sends something every `heartbeat` s: silence that makes its feed stale."""
    return int(SILENCES * heartbeat * SECOND)

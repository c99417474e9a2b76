"""[[feeds]] of ticker.toml: the addresses of each exchange's packets, and how to read them.

feed_problems.py has the checks.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from ticker.config.filter import FilterConfig
from ticker.config.pillar import PillarConfig
from ticker.config.pitch import PitchConfig
from ticker.config.section import Count, Name, ProtocolName, Seconds, Section, Text

Symbology = Literal["none", "nasdaq", "cqs", "cms", "act", "dash"]
EntryKind = Annotated[str, Meta(pattern=r"^[0-9A-Z]\Z")]


class SimulatorConfig(Section, frozen=True, kw_only=True):
    """The simulated exchange that the supervisor starts for a feed; `rate` in messages/s."""

    symbols: Annotated[int, Meta(ge=1, le=60_000)] = 200
    rate: Count = 2000
    loss: Annotated[float, Meta(ge=0, lt=1)] = 0.001
    seed: Annotated[int, Meta(ge=0)] = 1


class FixConfig(Section, frozen=True, kw_only=True):
    """A FIX session as its initiator, with its subscriptions. `lines` of the feed are the venue's
    address and its backup's. The environment variable `password_env` has the password."""

    sender: Text
    target: Text
    begin_string: Literal["FIX.4.2", "FIX.4.4"] = "FIX.4.4"
    heartbeat: Annotated[int, Meta(ge=1, le=3600)] = 30
    username: str = ""
    password_env: str | None = None
    logon_fields: dict[str, Text] = msgspec.field(default_factory=dict)
    reset_on_logon: bool = False
    sequence_file: str | None = None
    tls: bool = False
    tls_name: str | None = None
    tls_ca: str | None = None
    symbols: Annotated[tuple[Text | dict[str, Text], ...], Meta(min_length=1)]
    symbols_per_request: Count = 100
    depth: Annotated[int, Meta(ge=0)] = 0
    entries: tuple[EntryKind, ...] = ("0", "1", "2")
    incremental: bool = True
    aggregated: bool | None = None
    size_decimals: Annotated[int, Meta(ge=0, le=18)] = 0
    price_decimals: Annotated[int, Meta(ge=0, le=9)] | None = None


class SoupBinTcpConfig(Section, frozen=True, kw_only=True):
    """A SoupBinTCP login. `lines` of the feed are the server's address and its backup's. An empty
    `session` means the current one. After `silence` s without a message the feed disconnects."""

    username: Annotated[str, Meta(pattern=r"^[\x20-\x7e]{0,6}\Z")] = ""
    password_env: str | None = None
    session: Annotated[str, Meta(pattern=r"^[\x21-\x7e]{0,10}\Z")] = ""
    silence: Seconds = 15.0


class FeedConfig(Section, frozen=True, kw_only=True):
    """One exchange feed: its addresses, its protocol and session, and its sizes.

    `protocol` is the name of one of ticker's protocols, or a file: "./mine.py". Without `session`
    it is the protocol's usual one. With `from = "bus"` the feed of this name comes from another box
    of the cluster, and has neither protocol nor lines; only its hours need a venue. Every
    `image_interval` s a feed that can rebuild has an image of its book made; 0: none.
    """

    name: Name
    origin: Literal["exchange", "bus"] = msgspec.field(default="exchange", name="from")
    protocol: ProtocolName = ""
    session: Name | None = None
    venue: Annotated[str, Meta(pattern=r"^[A-Z0-9]{4}\Z")] = ""
    lines: Annotated[tuple[str, ...], Meta(max_length=2)] = ()
    url: str | None = None
    mapping: str | None = None
    symbols: tuple[str, ...] = ()
    credentials: dict[str, str] = msgspec.field(default_factory=dict)
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    tls_ca: str | None = None
    redirects: Literal["same_origin", "none"] = "same_origin"
    proxy: str | None = None
    poll_interval: Seconds = 1.0
    stale_after: Seconds | None = None
    batch: Count = 100
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}\Z")] = "USD"
    interface: str = "127.0.0.1"
    source: tuple[str, ...] = ()
    rerequest: str | None = None
    required: bool = True
    rows: Annotated[int, Meta(ge=1, le=1 << 20)] = 16_384
    rings: Annotated[int, Meta(ge=1, le=64)] = 4
    ring_capacity: Annotated[int, Meta(ge=2, le=1 << 24)] = 65_536
    date: str = "today"
    heartbeat: Seconds = 1.0
    request_timeout: Seconds = 0.1
    request_attempts: Count = 5
    rebuild: bool = True
    image_interval: Annotated[float, Meta(ge=0, le=86_400)] = 5.0
    timezone: str = "America/New_York"
    symbology: Symbology | None = None
    quiet_after: Seconds = 60.0
    calendar: str | None = None
    pre_open: str | None = None
    post_close: str | None = None
    simulator: SimulatorConfig | None = None
    fix: FixConfig | None = None
    soupbintcp: SoupBinTcpConfig | None = None
    pitch: PitchConfig | None = None
    pillar: PillarConfig | None = None
    filter: FilterConfig = FilterConfig()


def from_bus(feed: FeedConfig) -> bool:
    """Whether another box has the lines of this feed."""
    return feed.origin == "bus"


def session_date(feed: FeedConfig, now: date) -> date:
    """The day of times that count from midnight. `now`: today in the feed's time zone."""
    return now if feed.date == "today" else date.fromisoformat(feed.date)


def addresses(feed: FeedConfig) -> Iterator[tuple[str, str]]:
    """(key, address) of all addresses that a feed listens on or connects to, except a url."""
    for index, line in enumerate(feed.lines):
        yield f"lines[{index}]", line
    if feed.rerequest is not None:
        yield "rerequest", feed.rerequest
    if feed.pitch is not None:
        yield from feed.pitch.addresses()
    if feed.pillar is not None:
        yield from feed.pillar.addresses()


def is_file_name(protocol: str) -> bool:
    """Whether a protocol is named by a file of the user's own, Python or compiled."""
    return protocol.endswith((".py", ".so"))

"""[[feeds]] of ticker.toml: where each exchange's packets come from, and how to read them.

Law: a message starts with the key within the feed, says what is wrong with it and what would do.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from ticker.config.address import is_ipv4, parse_address
from ticker.config.calendar import calendar_problems
from ticker.config.filter import FilterConfig, filter_problems
from ticker.config.pillar import PillarConfig, pillar_problems
from ticker.config.pitch import PitchConfig, pitch_problems
from ticker.config.section import Count, Name, ProtocolName, Seconds, Section, Text
from ticker.errors import ConfigError

PACKAGE = Path(__file__).resolve().parent.parent
MAPPINGS = PACKAGE / "feeds" / "mappings"
SCHEMES = ("ws", "wss", "http", "https", "tcp")

Symbology = Literal["none", "nasdaq", "cqs", "cms", "act", "dash"]
EntryKind = Annotated[str, Meta(pattern=r"^[0-9A-Z]\Z")]


class SimulatorConfig(Section, frozen=True, kw_only=True):
    """The simulated exchange that the supervisor starts for a feed; `rate` in messages/s."""

    symbols: Annotated[int, Meta(ge=1, le=60_000)] = 200
    rate: Count = 2000
    loss: Annotated[float, Meta(ge=0, lt=1)] = 0.001
    seed: Annotated[int, Meta(ge=0)] = 1


class FixConfig(Section, frozen=True, kw_only=True):
    """A FIX session as its initiator, and what it subscribes to; `lines` of the feed are the
    venue's address and its backup's. The password is in the environment variable `password_env`."""

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
    symbols: Annotated[tuple[Text, ...], Meta(min_length=1)]
    symbols_per_request: Count = 100
    depth: Annotated[int, Meta(ge=0)] = 0
    entries: tuple[EntryKind, ...] = ("0", "1", "2")
    incremental: bool = True
    aggregated: bool | None = None
    size_decimals: Annotated[int, Meta(ge=0, le=18)] = 0


class SoupBinTcpConfig(Section, frozen=True, kw_only=True):
    """A SoupBinTCP login; `lines` of the feed are the server's address and its backup's. Without a
    `session` it is the current one. `silence`: s after which the server is taken for dead."""

    username: Annotated[str, Meta(pattern=r"^[\x20-\x7e]{0,6}\Z")] = ""
    password_env: str | None = None
    session: Annotated[str, Meta(pattern=r"^[\x21-\x7e]{0,10}\Z")] = ""
    silence: Seconds = 15.0


class FeedConfig(Section, frozen=True, kw_only=True):
    """One exchange feed: where its packets come from, how to read them, how much to keep.

    A protocol is one of ticker's own by its name, or a file: "./mine.py". Without a session it is
    the protocol's own.
    """

    name: Name
    protocol: ProtocolName
    session: Name | None = None
    venue: Annotated[str, Meta(pattern=r"^[A-Z0-9]{4}\Z")]
    lines: Annotated[tuple[str, ...], Meta(max_length=2)] = ()
    url: str | None = None
    mapping: str | None = None
    symbols: tuple[str, ...] = ()
    credentials: dict[str, str] = msgspec.field(default_factory=dict)
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    tls_ca: str | None = None
    poll_interval: Seconds = 1.0
    batch: Count = 100
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}\Z")] = "USD"
    interface: str = "127.0.0.1"
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


def session_date(feed: FeedConfig, now: date) -> date:
    """The day that times since midnight count from; `now`: today in the feed's time zone."""
    return now if feed.date == "today" else date.fromisoformat(feed.date)


def feed_problems(feed: FeedConfig) -> Iterator[str]:
    """What is wrong with a feed by itself: the key within it, and what would do."""
    if re.fullmatch(r"gateway[0-9]+", feed.name):
        yield f"name: {feed.name!r} is kept for the gateways' own shared memory"
    for key, folder in (("protocol", "protocols"), ("session", "sessions")):
        name = getattr(feed, key)
        known = modules(folder)
        if key == "protocol" and is_file_name(name):
            if not Path(name).is_file():
                yield f"protocol: no file {name}; it is looked for beside the configuration"
            continue
        if name is not None and name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            advice = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
            yield f"{key}: no {key} {name!r}, {advice}"
    yield from _url_problems(feed)
    for where, address in addresses(feed):
        try:
            parse_address(address)
        except ConfigError as error:
            yield f"{where}: {error}"
    if not is_ipv4(feed.interface):
        yield f"interface: {feed.interface!r} is no IPv4 address of this machine, like 127.0.0.1"
    if feed.ring_capacity & (feed.ring_capacity - 1):
        above = 1 << feed.ring_capacity.bit_length()
        yield f"ring_capacity: {feed.ring_capacity} is no power of two; take {above}"
    yield from _fix_problems(feed)
    simulated = feed.simulator is not None
    yield from pitch_problems(feed.protocol, feed.rerequest, feed.pitch, simulated)
    yield from pillar_problems(feed.protocol, feed.pillar, simulated)
    if feed.soupbintcp is not None and feed.session != "soupbintcp":
        yield 'soupbintcp: only with session = "soupbintcp"'
    if feed.session == "soupbintcp" and feed.rerequest is not None:
        yield "rerequest: not with soupbintcp, whose server sends again what a login asks for"
    yield from filter_problems(feed.filter)
    if feed.date != "today" and not _is_date(feed.date):
        yield f'date: {feed.date!r} is neither "today" nor a date, like 2026-03-29'
    if not _is_timezone(feed.timezone):
        yield f"timezone: no time zone {feed.timezone!r} here; take one like America/New_York"
    yield from calendar_problems(feed)


def _url_problems(feed: FeedConfig) -> Iterator[str]:
    """A feed has lines or a url, and what goes with it."""
    if feed.url is None:
        if not feed.lines:
            yield "lines: missing the key; name one line or two, or a url"
        for key in ("mapping", "symbols", "credentials", "headers", "tls_ca"):
            if getattr(feed, key):
                yield f"{key}: only for a feed with a url"
        return
    if feed.lines or feed.rerequest is not None:
        yield "url: not together with lines or rerequest"
    parts = urlsplit(feed.url)
    if feed.simulator is not None and not _can_be_simulated(feed):
        yield 'simulator: of a url only ws://127.0.0.1:PORT/ with mapping = "alpaca"'
    if parts.scheme not in SCHEMES or not parts.hostname:
        schemes = ", ".join(f"{scheme}://" for scheme in SCHEMES)
        yield f"url: {feed.url!r} is no address; begin with one of {schemes}"
    elif parts.scheme == "tcp" and not _port_of(feed.url):
        yield f"url: {feed.url!r} has no port, like tcp://127.0.0.1:9000"
    if feed.tls_ca is not None and parts.scheme not in ("https", "wss"):
        yield f"tls_ca: only for https:// and wss://, not {parts.scheme}://"
    if "${symbol" in feed.url and not feed.symbols:
        yield "symbols: missing the key; the url asks for them"
    if feed.mapping is not None and not _is_mapping(feed.mapping):
        known = sorted(path.stem for path in MAPPINGS.glob("*.toml"))
        near = difflib.get_close_matches(feed.mapping, known, n=1, cutoff=0.5)
        advice = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
        yield f"mapping: no mapping {feed.mapping!r}, {advice}; or name a .toml file"


def _can_be_simulated(feed: FeedConfig) -> bool:
    """`ticker simulate vendor` is a plain WebSocket server on this machine, of one dialect."""
    parts = urlsplit(feed.url or "")
    address = parts.scheme == "ws" and is_ipv4(parts.hostname or "") and _port_of(feed.url or "")
    return bool(address) and feed.mapping == "alpaca"


def _is_mapping(name: str) -> bool:
    return Path(name).is_file() if name.endswith(".toml") else (MAPPINGS / f"{name}.toml").is_file()


def _port_of(url: str) -> int | None:
    try:
        return urlsplit(url).port
    except ValueError:
        return None


def _fix_problems(feed: FeedConfig) -> Iterator[str]:
    """A FIX session has its table, and nothing else has."""
    if (feed.session == "fix" or feed.protocol == "fix") and feed.fix is None:
        yield "fix: missing the table; it says sender, target and symbols"
    if feed.fix is None:
        return
    if feed.protocol != "fix":
        yield f"fix: only for protocol fix, not {feed.protocol}"
    for tag in feed.fix.logon_fields:
        if not re.fullmatch(r"[1-9][0-9]{0,5}", tag):
            yield f'fix.logon_fields: {tag!r} is no tag, like 1137 = "9"'
    if feed.fix.tls_ca is not None and not feed.fix.tls:
        yield "fix.tls_ca: only with tls = true"


def addresses(feed: FeedConfig) -> Iterator[tuple[str, str]]:
    """(key, address) of all that a feed listens on or talks to, but a url."""
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


def modules(folder: str) -> list[str]:
    """The names of the modules in ticker/feeds/<folder>, without importing any of them."""
    paths = (PACKAGE / "feeds" / folder).iterdir()
    names = {path.name.split(".")[0] for path in paths if path.suffix in (".py", ".pyx", ".so")}
    return sorted(names - {"__init__"})


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _is_timezone(text: str) -> bool:
    try:
        ZoneInfo(text)
    except (ValueError, OSError, KeyError):
        return False
    return True

"""The checks of [[feeds]] in ticker.toml.

Law: a message starts with the key within the feed, says what is wrong with it, and gives a value
that works. feeds/workers/known.py checks that a protocol, session or mapping exists.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import msgspec

from ticker.config.address import is_ipv4, parse_address
from ticker.config.calendar import calendar_problems
from ticker.config.feeds import FeedConfig, addresses, from_bus
from ticker.config.filter import filter_problems
from ticker.config.pillar import pillar_problems
from ticker.config.pitch import pitch_problems
from ticker.errors import ConfigError

SCHEMES = ("ws", "wss", "http", "https", "tcp")
MOST_SOURCES = 16
"""The kernel's limit of sources for one multicast group."""


def feed_problems(feed: FeedConfig) -> Iterator[str]:
    """The faults of one feed; each message has the key, and a value that works."""
    if re.fullmatch(r"gateway[0-9]+|store|recorder|relay|mirror|private", feed.name):
        yield f"name: {feed.name!r} is reserved for the server's shared memory; take another name"
    if from_bus(feed):
        yield from _bus_problems(feed)
        return
    yield from _url_problems(feed)
    for where, address in addresses(feed):
        try:
            parse_address(address)
        except ConfigError as error:
            yield f"{where}: {error}"
    if not is_ipv4(feed.interface):
        yield f"interface: {feed.interface!r} is no IPv4 address of this machine, like 127.0.0.1"
    yield from _source_problems(feed)
    if feed.ring_capacity & (feed.ring_capacity - 1):
        above = 1 << feed.ring_capacity.bit_length()
        yield f"ring_capacity: {feed.ring_capacity} is not a power of two; take {above}"
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


OF_BUS = frozenset(
    {"name", "origin", "venue", "required", "rows", "rings", "ring_capacity", "timezone",
     "calendar", "pre_open", "post_close"}
)  # fmt: skip
"""The keys of a feed from the bus."""


def _bus_problems(feed: FeedConfig) -> Iterator[str]:
    """A feed from the bus has what its segment and its market's hours need, and nothing else."""
    for field in msgspec.structs.fields(FeedConfig):
        default = (
            field.default_factory()
            if field.default is msgspec.NODEFAULT and field.default_factory is not msgspec.NODEFAULT
            else field.default
        )
        if field.name not in OF_BUS and getattr(feed, field.name) != default:
            yield f'{field.encode_name}: not with from = "bus"; the box that has the lines has it'
    if feed.ring_capacity & (feed.ring_capacity - 1):
        above = 1 << feed.ring_capacity.bit_length()
        yield f"ring_capacity: {feed.ring_capacity} is not a power of two; take {above}"
    if not _is_timezone(feed.timezone):
        yield f"timezone: no time zone {feed.timezone!r} here; take one like America/New_York"
    yield from calendar_problems(feed)


def _url_problems(feed: FeedConfig) -> Iterator[str]:
    """A feed has either lines or a url, and only the keys that go with it."""
    if feed.url is None:
        if not feed.lines:
            yield "lines: missing the key; name one line or two, or a url"
        for key in (
            "mapping",
            "symbols",
            "credentials",
            "headers",
            "tls_ca",
            "proxy",
            "stale_after",
        ):
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
    if feed.proxy and (parts.scheme == "tcp" or urlsplit(feed.proxy).scheme != "http"):
        yield f"proxy: {feed.proxy!r}; of http, https, ws and wss only, one like http://10.0.0.1:3128"
    if "${symbol" in feed.url and not feed.symbols:
        yield "symbols: missing the key; the url asks for them"


def _can_be_simulated(feed: FeedConfig) -> bool:
    """Whether `ticker simulate vendor` can play this vendor: it is a plain WebSocket server on this
    machine, and speaks one vendor's JSON."""
    parts = urlsplit(feed.url or "")
    address = parts.scheme == "ws" and is_ipv4(parts.hostname or "") and _port_of(feed.url or "")
    return bool(address) and feed.mapping == "alpaca"


def _port_of(url: str) -> int | None:
    try:
        return urlsplit(url).port
    except ValueError:
        return None


TAG = re.compile(r"[1-9][0-9]{0,5}")


def _instrument_problems(fields: dict[str, str]) -> Iterator[str]:
    """The faults of a FIX instrument that is named by several tags."""
    if not {"55", "48"} & fields.keys():
        yield f"fix.symbols: {fields} names nothing; say 55 (Symbol) or 48 (SecurityID)"
    for tag in fields:
        if not TAG.fullmatch(tag):
            yield f'fix.symbols: {tag!r} is no tag, like {{ 55 = "BRK", 65 = "A" }}'


def _fix_problems(feed: FeedConfig) -> Iterator[str]:
    """A FIX feed needs the table `fix`; other feeds must not have it."""
    if (feed.session == "fix" or feed.protocol == "fix") and feed.fix is None:
        yield "fix: missing the table; it says sender, target and symbols"
    if feed.fix is None:
        return
    if feed.protocol != "fix":
        yield f"fix: only for protocol fix, not {feed.protocol}"
    for symbol in feed.fix.symbols:
        if isinstance(symbol, dict):
            yield from _instrument_problems(symbol)
    for tag in feed.fix.logon_fields:
        if not TAG.fullmatch(tag):
            yield f'fix.logon_fields: {tag!r} is no tag, like 1137 = "9"'
    if feed.fix.tls_ca is not None and not feed.fix.tls:
        yield "fix.tls_ca: only with tls = true"


def _source_problems(feed: FeedConfig) -> Iterator[str]:
    for index, source in enumerate(feed.source):
        if not is_ipv4(source):
            yield f"source[{index}]: {source!r} is no IPv4 address, like 192.0.2.1"
    if len(feed.source) > MOST_SOURCES:
        yield f"source: {len(feed.source)} addresses; a feed has at most {MOST_SOURCES}"
    if feed.source and (feed.url or feed.fix or feed.session == "soupbintcp"):
        yield "source: only for lines of datagrams; a connection has one sender"


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

"""ticker.toml: its types, its defaults, and what is refused.

Law: a message starts with the path of the offending key (`feeds[0].lines`), says what is wrong
with it and what would do. Nothing here opens a socket or imports a feed.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
import tomllib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from ticker.config.access import (
    AccessConfig,
    AuthConfig,
    JwtConfig,
    TlsConfig,
    TokenConfig,
    access_problems,
)
from ticker.config.calendar import calendar_problems
from ticker.config.filter import FilterConfig, filter_problems
from ticker.config.pitch import PitchConfig, pitch_problems
from ticker.config.section import Count, Name, Port, ProtocolName, Seconds, Section, Text
from ticker.errors import ConfigError

PACKAGE = Path(__file__).resolve().parent.parent
SHIPPED = PACKAGE / "ticker.toml"
MAPPINGS = PACKAGE / "feeds" / "mappings"
SCHEMES = ("ws", "wss", "http", "https", "tcp")

Symbology = Literal["none", "nasdaq", "cqs", "cms", "act", "dash"]
EntryKind = Annotated[str, Meta(pattern=r"^[0-9A-Z]\Z")]


class ServerConfig(Section, frozen=True, kw_only=True):
    """The server as a whole; `instance` names its shared memory, port 0 takes a free one."""

    instance: Name = "default"
    host: str = "127.0.0.1"
    port: Port = 8700
    gateways: Annotated[int, Meta(ge=1, le=64)] = 1
    log: Literal["auto", "pretty", "json"] = "auto"


class GatewayConfig(Section, frozen=True, kw_only=True):
    """What a gateway worker grants to its clients; times in seconds, sizes in bytes."""

    flush_interval: Annotated[float, Meta(ge=0.001, le=60)] = 0.1
    max_symbols: Count = 1024
    max_message: Annotated[int, Meta(ge=128)] = 65_536
    max_outbound: Annotated[int, Meta(ge=4096)] = 262_144
    slow_timeout: Seconds = 10.0
    ping_interval: Seconds = 45.0
    heartbeat: Seconds = 5.0
    retry_after: Seconds = 2.0
    trades_kept: Annotated[int, Meta(ge=16, le=1 << 22)] = 16_384
    commands_per_second: Count = 10
    commands_burst: Count = 50
    requests_per_second: Count = 200
    requests_burst: Count = 500
    max_connections: Count = 18_000
    restart_spread: Annotated[float, Meta(ge=0, le=3600)] = 10.0


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
    filter: FilterConfig = FilterConfig()


class DirectoryConfig(Section, frozen=True, kw_only=True):
    """A CSV file with names of symbols; a relative path starts where the configuration is, or at
    the shipped files."""

    file: str | None = None


class Config(Section, frozen=True, kw_only=True):
    """All of ticker.toml."""

    server: ServerConfig = ServerConfig()
    gateway: GatewayConfig = GatewayConfig()
    tls: TlsConfig | None = None
    access: AccessConfig = AccessConfig()
    auth: AuthConfig | None = None
    directory: DirectoryConfig = DirectoryConfig()
    feeds: tuple[FeedConfig, ...] = ()


def load(path: Path | None = None) -> Config:
    """The configuration in the file at `path`, or the shipped one.

    Raises:
        ConfigError: unreadable, not TOML, or refused; the message names file and key.
    """
    path = path or SHIPPED
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise ConfigError(f"{path}: cannot be read ({reason}); name a file by --config") from None
    try:
        return _located(parse(text, path.parent), path)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def _located(config: Config, path: Path) -> Config:
    """With the directory's file where the configuration means it."""
    if config.directory.file is None:
        return config
    file = path.absolute().parent / config.directory.file
    if not file.is_file() and (PACKAGE / config.directory.file).is_file():
        file = PACKAGE / config.directory.file
    return msgspec.structs.replace(config, directory=DirectoryConfig(file=str(file)))


def parse(text: str, folder: Path | None = None) -> Config:
    """The configuration that a TOML text says; files of protocols are looked for from `folder`.

    Raises:
        ConfigError: as `load`.
    """
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"not TOML: {error}") from None
    except RecursionError:
        raise ConfigError("not TOML that can be read: nested too deeply") from None
    problems = list(_unknown_keys(tree, Config, ""))
    if not problems:
        config = _in_folder(_convert(tree), folder or Path())
        problems = list(_problems(config))
    if problems:
        raise ConfigError("; ".join(problems))
    return config


def parse_address(text: str) -> tuple[str, int]:
    """`"239.192.0.1:26477"` as (host, port). Raises ConfigError."""
    host, colon, port = text.rpartition(":")
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        colon = ""
    if not colon or not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) < 65_536:
        raise ConfigError(f"{text!r}: not an IPv4 address and port, like 239.192.0.1:26477")
    return host, int(port)


def session_date(feed: FeedConfig, now: date) -> date:
    """The day that times since midnight count from; `now`: today in the feed's time zone."""
    return now if feed.date == "today" else date.fromisoformat(feed.date)


def _convert(tree: dict[str, Any]) -> Config:
    try:
        return msgspec.convert(tree, Config, strict=True)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$")
        path = where.rstrip("`").lstrip(".") or "the file"
        what = what.replace("Object missing required field", "missing the key")
        raise ConfigError(f"{path}: {what[0].lower()}{what[1:]}") from None


def _in_folder(config: Config, folder: Path) -> Config:
    feeds = tuple(
        msgspec.structs.replace(feed, protocol=str(folder / feed.protocol))
        if is_file_name(feed.protocol)
        else feed
        for feed in config.feeds
    )
    return msgspec.structs.replace(config, feeds=feeds)


def _unknown_keys(tree: object, struct: type[Section], path: str) -> Iterator[str]:
    """A message for each key, at any depth, that is no field of its struct."""
    if not isinstance(tree, dict):
        return
    fields = {field.encode_name: field.type for field in msgspec.structs.fields(struct)}
    for key, value in tree.items():
        here = f"{path}.{key}" if path else key
        if key not in fields:
            near = difflib.get_close_matches(key, fields, n=1, cutoff=0.5)
            advice = f"did you mean {near[0]}?" if near else f"known: {', '.join(sorted(fields))}"
            yield f"{here}: unknown key, {advice}"
            continue
        inner = _TABLES.get((struct, key))
        if inner and isinstance(value, list):
            for index, item in enumerate(value):
                yield from _unknown_keys(item, inner, f"{here}[{index}]")
        elif inner:
            yield from _unknown_keys(value, inner, here)


_TABLES: dict[tuple[type[Section], str], type[Section]] = {
    (Config, "server"): ServerConfig,
    (Config, "gateway"): GatewayConfig,
    (Config, "tls"): TlsConfig,
    (Config, "access"): AccessConfig,
    (Config, "auth"): AuthConfig,
    (AuthConfig, "tokens"): TokenConfig,
    (AuthConfig, "jwt"): JwtConfig,
    (Config, "directory"): DirectoryConfig,
    (Config, "feeds"): FeedConfig,
    (FeedConfig, "simulator"): SimulatorConfig,
    (FeedConfig, "fix"): FixConfig,
    (FeedConfig, "soupbintcp"): SoupBinTcpConfig,
    (FeedConfig, "pitch"): PitchConfig,
    (FeedConfig, "filter"): FilterConfig,
}


def _problems(config: Config) -> Iterator[str]:
    """What the types cannot say: each key by itself, then keys against each other."""
    if not _is_ipv4(config.server.host):
        yield f"server.host: {config.server.host!r} is no IPv4 address, like 127.0.0.1"
    if config.gateway.max_outbound < config.gateway.max_message:
        yield "gateway.max_outbound: smaller than max_message, so an answer may not fit"
    yield from access_problems(config.server.host, config.tls, config.access, config.auth)
    for index, feed in enumerate(config.feeds):
        for problem in _feed_problems(feed):
            yield f"feeds[{index}].{problem}"
    yield from _clashes(config)


def _feed_problems(feed: FeedConfig) -> Iterator[str]:
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
    for where, address in _addresses(feed):
        try:
            parse_address(address)
        except ConfigError as error:
            yield f"{where}: {error}"
    if not _is_ipv4(feed.interface):
        yield f"interface: {feed.interface!r} is no IPv4 address of this machine, like 127.0.0.1"
    if feed.ring_capacity & (feed.ring_capacity - 1):
        above = 1 << feed.ring_capacity.bit_length()
        yield f"ring_capacity: {feed.ring_capacity} is no power of two; take {above}"
    yield from _fix_problems(feed)
    simulated = feed.simulator is not None
    yield from pitch_problems(feed.protocol, feed.rerequest, feed.pitch, simulated)
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
    address = parts.scheme == "ws" and _is_ipv4(parts.hostname or "") and _port_of(feed.url or "")
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


def _clashes(config: Config) -> Iterator[str]:
    """Names and addresses that two things want at once."""
    names: dict[str, int] = {}
    taken: dict[str, str] = {}
    for index, feed in enumerate(config.feeds):
        if feed.name in names:
            yield f"feeds[{index}].name: {feed.name!r} is the name of feeds[{names[feed.name]}] too"
        names.setdefault(feed.name, index)
        for key, address in _addresses(feed):
            where = f"feeds[{index}].{key}"
            if address in taken:
                yield f"{where}: {address} is taken by {taken[address]}"
            taken.setdefault(address, where)


def _addresses(feed: FeedConfig) -> Iterator[tuple[str, str]]:
    for index, line in enumerate(feed.lines):
        yield f"lines[{index}]", line
    if feed.rerequest is not None:
        yield "rerequest", feed.rerequest
    if feed.pitch is not None:
        yield from feed.pitch.addresses()


def is_file_name(protocol: str) -> bool:
    """Whether a protocol is named by a file of the user's own, Python or compiled."""
    return protocol.endswith((".py", ".so"))


def modules(folder: str) -> list[str]:
    """The names of the modules in ticker/feeds/<folder>, without importing any of them."""
    paths = (PACKAGE / "feeds" / folder).iterdir()
    names = {path.name.split(".")[0] for path in paths if path.suffix in (".py", ".pyx", ".so")}
    return sorted(names - {"__init__"})


def _is_ipv4(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


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

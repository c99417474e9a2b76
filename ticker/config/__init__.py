"""ticker.toml: its types, its defaults, and its checks.

Law: a message starts with the path of the offending key (`feeds[0].lines`), says what is wrong with
it, and gives a value that works. Nothing here opens a socket or imports a feed.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from ticker.config.access import (
    AccessConfig,
    AuthConfig,
    JwtConfig,
    Rights,
    TlsConfig,
    TokenConfig,
    access_problems,
)
from ticker.config.address import is_ipv4, parse_address
from ticker.config.cluster import ClusterConfig, KafkaConfig, LogConfig, cluster_problems
from ticker.config.depth import DepthConfig, depth_problems
from ticker.config.feed_problems import feed_problems
from ticker.config.feeds import (
    FeedConfig,
    FixConfig,
    SimulatorConfig,
    SoupBinTcpConfig,
    addresses,
    from_bus,
    is_file_name,
    session_date,
)
from ticker.config.filter import FilterConfig
from ticker.config.pillar import PillarConfig
from ticker.config.pitch import PitchConfig
from ticker.config.record import RecordConfig, record_problems
from ticker.config.redis import RedisConfig
from ticker.config.section import Count, Name, Port, Seconds, Section
from ticker.config.store import StoreConfig, store_problems
from ticker.errors import ConfigError

__all__ = [
    "SHIPPED",
    "ClusterConfig",
    "Config",
    "DepthConfig",
    "DirectoryConfig",
    "FeedConfig",
    "FixConfig",
    "GatewayConfig",
    "KafkaConfig",
    "LogConfig",
    "RecordConfig",
    "RedisConfig",
    "ServerConfig",
    "SimulatorConfig",
    "SoupBinTcpConfig",
    "StoreConfig",
    "from_bus",
    "is_file_name",
    "load",
    "parse",
    "parse_address",
    "session_date",
]

PACKAGE = Path(__file__).resolve().parent.parent
SHIPPED = PACKAGE / "ticker.toml"

FeedCheck = Callable[[FeedConfig], Iterator[str]]
"""A further check of a feed: one message for each fault, which starts with the key in the feed."""


class ServerConfig(Section, frozen=True, kw_only=True):
    """The server as a whole. `instance` names its shared memory; port 0 means any free port."""

    instance: Name = "default"
    host: str = "127.0.0.1"
    port: Port = 8700
    gateways: Annotated[int, Meta(ge=1, le=64)] = 1
    log: Literal["auto", "pretty", "json"] = "auto"


class GatewayConfig(Section, frozen=True, kw_only=True):
    """The limits of a gateway worker for its clients; times in seconds, sizes in bytes.

    `pace`: "adaptive" flushes a client once in `flush_floor` at most while the worker has CPU to
    spare, and once in `flush_ceiling` when it is overloaded; `flush_interval` is the longest
    interval below saturation. "fixed" flushes once in `flush_interval`. `flush_ceiling` 0: four
    intervals. `immediate`: a client may ask for each change as it comes. `compression`: clients may
    ask for permessage-deflate.
    """

    pace: Literal["adaptive", "fixed"] = "adaptive"
    flush_interval: Annotated[float, Meta(ge=0.001, le=60)] = 0.1
    flush_floor: Annotated[float, Meta(ge=0.001, le=60)] = 0.01
    flush_ceiling: Annotated[float, Meta(ge=0, le=240)] = 0.0
    immediate: bool = True
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
    sender: Literal["auto", "send", "io_uring"] = "auto"
    compression: bool = False


class DirectoryConfig(Section, frozen=True, kw_only=True):
    """A CSV file with names of symbols. A relative path starts at the folder of the configuration,
    or at the shipped files."""

    file: str | None = None


Watchlist = Annotated[
    tuple[Annotated[str, Meta(pattern=r"^[ -~]{1,23}\Z")], ...], Meta(min_length=1)
]


class Config(Section, frozen=True, kw_only=True):
    """All of ticker.toml. `watchlists` are lists of symbols by name, for clients to subscribe by
    `@name`."""

    server: ServerConfig = ServerConfig()
    gateway: GatewayConfig = GatewayConfig()
    tls: TlsConfig | None = None
    access: AccessConfig = AccessConfig()
    auth: AuthConfig | None = None
    directory: DirectoryConfig = DirectoryConfig()
    depth: DepthConfig = DepthConfig()
    store: StoreConfig = StoreConfig()
    record: RecordConfig = RecordConfig()
    cluster: ClusterConfig | None = None
    watchlists: dict[Name, Watchlist] = msgspec.field(default_factory=dict)
    feeds: tuple[FeedConfig, ...] = ()

    @property
    def bus(self) -> ClusterConfig | None:
        """The bus between boxes; None: this is a box alone."""
        return self.cluster if self.cluster is not None and self.cluster.servers else None

    @property
    def mirror(self) -> RedisConfig | None:
        """The Redis that this box writes; None: it writes none."""
        redis = self.cluster.redis if self.cluster is not None else None
        return None if redis is None or redis.fallback else redis


ConfigCheck = Callable[[Config], Iterator[str]]
"""A further check of a configuration: one message for each fault, which starts with its key."""


def no_check(_: FeedConfig) -> Iterator[str]:
    """Finds nothing wrong."""
    return iter(())


def no_faults(_: Config) -> Iterator[str]:
    """Finds nothing wrong."""
    return iter(())


def load(
    path: Path | None = None, check: FeedCheck = no_check, whole: ConfigCheck = no_faults
) -> Config:
    """The configuration in the file at `path`, or the shipped one. `check` refuses feeds with an
    unknown protocol, session or mapping. `whole` checks everything else that this module does not
    know.

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
        here = partial(_located, path=path)
        return here(parse(text, path.parent, check, lambda config: whole(here(config))))
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def _located(config: Config, path: Path) -> Config:
    """The configuration with the path of the directory's file resolved."""
    if config.directory.file is None:
        return config
    file = path.absolute().parent / config.directory.file
    if not file.is_file() and (PACKAGE / config.directory.file).is_file():
        file = PACKAGE / config.directory.file
    return msgspec.structs.replace(config, directory=DirectoryConfig(file=str(file)))


def parse(
    text: str,
    folder: Path | None = None,
    check: FeedCheck = no_check,
    whole: ConfigCheck = no_faults,
) -> Config:
    """The configuration in a TOML text. `folder` is the base of relative protocol and mapping
    files; `check` and `whole` are those of `load`.

    Raises:
        ConfigError: as `load`.
    """
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"not TOML: {error}") from None
    except RecursionError:
        raise ConfigError("not TOML that can be read: nested too deeply") from None
    problems = [*_unknown_keys(tree, Config, ""), *_missing_keys(tree)]
    if not problems:
        config = _in_folder(_convert(tree), folder or Path())
        problems = [*_problems(config, check), *whole(config)]
    if problems:
        raise ConfigError("; ".join(problems))
    return config


def _convert(tree: dict[str, Any]) -> Config:
    try:
        return msgspec.convert(tree, Config, strict=True)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$")
        path = where.rstrip("`").lstrip(".") or "the file"
        what = what.replace("Object missing required field", "missing the key")
        raise ConfigError(f"{path}: {what[0].lower()}{what[1:]}") from None


def _in_folder(config: Config, folder: Path) -> Config:
    """With the files of protocols and mappings, which are relative to the folder."""
    feeds = tuple(_feed_in_folder(feed, folder) for feed in config.feeds)
    return msgspec.structs.replace(config, feeds=feeds)


def _feed_in_folder(feed: FeedConfig, folder: Path) -> FeedConfig:
    files = {}
    if is_file_name(feed.protocol):
        files["protocol"] = str(folder / feed.protocol)
    if feed.mapping is not None and feed.mapping.endswith(".toml"):
        files["mapping"] = str(folder / feed.mapping)
    return msgspec.structs.replace(feed, **files) if files else feed


def _unknown_keys(tree: object, struct: type[Section], path: str) -> Iterator[str]:
    """A message for each key, at any depth, that its struct does not have."""
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


def _missing_keys(tree: dict[str, Any]) -> Iterator[str]:
    """A feed of an exchange needs a protocol and a venue; one from the bus has them elsewhere."""
    feeds = tree.get("feeds")
    for index, feed in enumerate(feeds if isinstance(feeds, list) else ()):
        if isinstance(feed, dict) and "name" in feed and feed.get("from") != "bus":
            missing = [key for key in ("protocol", "venue") if key not in feed]
            if missing:
                yield f"feeds[{index}]: missing the key `{missing[0]}`"


_TABLES: dict[tuple[type[Section], str], type[Section]] = {
    (Config, "server"): ServerConfig,
    (Config, "gateway"): GatewayConfig,
    (Config, "tls"): TlsConfig,
    (Config, "access"): AccessConfig,
    (Config, "auth"): AuthConfig,
    (AuthConfig, "tokens"): TokenConfig,
    (AuthConfig, "default"): Rights,
    (AuthConfig, "jwt"): JwtConfig,
    (Config, "directory"): DirectoryConfig,
    (Config, "depth"): DepthConfig,
    (Config, "store"): StoreConfig,
    (Config, "record"): RecordConfig,
    (Config, "cluster"): ClusterConfig,
    (ClusterConfig, "redis"): RedisConfig,
    (Config, "feeds"): FeedConfig,
    (FeedConfig, "simulator"): SimulatorConfig,
    (FeedConfig, "fix"): FixConfig,
    (FeedConfig, "soupbintcp"): SoupBinTcpConfig,
    (FeedConfig, "pitch"): PitchConfig,
    (FeedConfig, "pillar"): PillarConfig,
    (FeedConfig, "filter"): FilterConfig,
}


def _problems(config: Config, check: FeedCheck) -> Iterator[str]:
    """The checks beyond the types: first each key by itself, then keys together."""
    if not is_ipv4(config.server.host):
        yield f"server.host: {config.server.host!r} is no IPv4 address, like 127.0.0.1"
    if config.gateway.max_outbound < config.gateway.max_message:
        yield "gateway.max_outbound: smaller than max_message, so an answer may not fit"
    if 0 < config.gateway.flush_ceiling < config.gateway.flush_interval:
        yield "gateway.flush_ceiling: shorter than flush_interval; give a longer one, or 0"
    yield from depth_problems(config.depth)
    yield from store_problems(config.store)
    yield from record_problems(config.record, tuple(feed.name for feed in config.feeds))
    yield from access_problems(config.server.host, config.tls, config.access, config.auth)
    bus_feeds = tuple(index for index, feed in enumerate(config.feeds) if from_bus(feed))
    keepers = tuple(
        name
        for name, on in (("store", config.store.enabled), ("record", config.record.enabled))
        if on
    )
    yield from cluster_problems(config.cluster, bus_feeds, keepers)
    for index, feed in enumerate(config.feeds):
        for problem in (*check(feed), *feed_problems(feed)):
            yield f"feeds[{index}].{problem}"
    yield from _clashes(config)


def _clashes(config: Config) -> Iterator[str]:
    """Names and addresses that are used twice."""
    names: dict[str, int] = {}
    taken: dict[str, str] = {}
    for index, feed in enumerate(config.feeds):
        if feed.name in names:
            yield f"feeds[{index}].name: {feed.name!r} is the name of feeds[{names[feed.name]}] too"
        names.setdefault(feed.name, index)
        for key, address in addresses(feed):
            where = f"feeds[{index}].{key}"
            if address in taken:
                yield f"{where}: {address} is taken by {taken[address]}"
            taken.setdefault(address, where)

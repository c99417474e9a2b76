"""The files and variables that a configuration names: mappings, certificates, keys, credentials.

They are read here as the workers read them, so that `ticker check` and the first start report all
faults at once. If a worker finds a fault later, only its feed is down.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from ticker.config import Config, FeedConfig, RedisConfig, from_bus
from ticker.errors import TickerError
from ticker.feeds.json.mapping import Stream
from ticker.feeds.transports.dialogue import Dialogue
from ticker.feeds.transports.tls import client_context
from ticker.feeds.workers.credentials import read_credentials, read_password
from ticker.feeds.workers.known import name_problems
from ticker.feeds.workers.mappings import load_mapping
from ticker.feeds.workers.sources import load_code
from ticker.gateway.access.keys import WatchedKeys
from ticker.gateway.prices.directory import SymbolDirectory
from ticker.gateway.sockets.sender import check as check_sender
from ticker.gateway.sockets.tls import server_context
from ticker.store.past import reader_of

PLACE = re.compile(r"\$\{([^{}]*)\}")
OF_SYMBOLS = frozenset({"symbol", "symbols"})


def feed_faults(feed: FeedConfig) -> Iterator[str]:
    """The faults that a feed's worker would meet, each with its key within the feed."""
    if from_bus(feed):
        return
    unknown = list(name_problems(feed))
    yield from unknown
    if not unknown:
        yield from _tried("protocol: ", load_code, feed)
    for name, value in feed.credentials.items():
        yield from _tried("", read_credentials, {name: value})
    if feed.mapping is not None and not any(each.startswith("mapping") for each in unknown):
        yield from _mapping_faults(feed, feed.mapping)
    yield from _place_faults(feed)
    if urlsplit(feed.url or "").scheme in ("https", "wss"):
        yield from _tried("tls_ca: ", client_context, feed.tls_ca)
    yield from _session_faults(feed)


def _mapping_faults(feed: FeedConfig, name: str) -> Iterator[str]:
    """The faults of the mapping, and of the credentials that its messages need."""
    try:
        mapping = load_mapping(name)
    except TickerError as error:
        yield f"mapping: {error}"
        return
    polled = urlsplit(feed.url or "").scheme in ("http", "https")
    stream = Stream() if polled else mapping.stream
    yield from _tried("", Dialogue, stream, feed.symbols, dict.fromkeys(feed.credentials, ""))


def _place_faults(feed: FeedConfig) -> Iterator[str]:
    """Each `${name}` in the url or in headers must be a credential of the feed."""
    written = [("url", feed.url or ""), *((f"headers.{k}", v) for k, v in feed.headers.items())]
    for key, text in written:
        for name in PLACE.findall(text):
            if name not in feed.credentials and not (key == "url" and name in OF_SYMBOLS):
                yield f"{key}: ${{{name}}} is no credential of the feed; add credentials.{name}"


def _session_faults(feed: FeedConfig) -> Iterator[str]:
    """The faults of the sessions' logins."""
    tables = (("fix", feed.fix), ("soupbintcp", feed.soupbintcp), ("pitch", feed.pitch))
    for key, table in tables:
        if table is not None and table.password_env is not None:
            yield from _tried("", read_password, key, table.password_env)
    if feed.fix is None:
        return
    if feed.fix.tls:
        yield from _tried("fix.tls_ca: ", client_context, feed.fix.tls_ca)
    if feed.fix.sequence_file is not None:
        folder = Path(feed.fix.sequence_file).absolute().parent
        if not os.access(folder, os.W_OK | os.X_OK):
            yield f"fix.sequence_file: {folder} is not a writable folder; create or name one"


def server_faults(config: Config) -> Iterator[str]:
    """The faults that gateways would meet, each with its key."""
    tls, auth, directory = config.tls, config.auth, config.directory.file
    if config.store.enabled and config.store.url is not None:
        yield from _tried("", reader_of, config.store, Path())
    if tls is not None and Path(tls.certificate).is_file() and Path(tls.key).is_file():
        yield from _tried("", server_context, tls)
    if auth is not None and (auth.jwt is None or Path(auth.jwt.key_file).is_file()):
        yield from _tried("", WatchedKeys(auth).authenticator)
    if config.bus is not None:
        # Imported late: it loads ciphers, which a box alone does not need.
        from ticker.cluster.log.engines import check_login

        yield from _tried("cluster.", check_login, config.bus)
    if config.cluster is not None and config.cluster.redis is not None:
        yield from _redis_faults(config.cluster.redis)
    yield from _tried("", check_sender, config.gateway.sender)
    if directory is not None:
        yield from _tried("", SymbolDirectory, Path(directory))


def _redis_faults(redis: RedisConfig) -> Iterator[str]:
    """Imported late, as only a mirror needs the package."""
    try:
        from ticker.mirror.redis_server import RedisServer
    except ImportError:
        yield "cluster.redis: the mirror needs redis-py: pip install 'ticker[redis]'"
        return
    yield from _tried("", RedisServer, redis)


def warnings(config: Config) -> Iterator[str]:
    """Warnings of secrets that every user of this machine can read."""
    files = [] if config.tls is None else [("tls.key", config.tls.key)]
    jwt = config.auth.jwt if config.auth is not None else None
    if jwt is not None and "HS256" in jwt.algorithms:
        files.append(("auth.jwt.key_file", jwt.key_file))
    cluster = config.cluster
    if cluster is not None:
        secrets = {"tls_key": cluster.tls_key, "credentials_file": cluster.credentials_file}
        if cluster.redis is not None:
            secrets["redis.tls_key"] = cluster.redis.tls_key
        files += [(f"cluster.{key}", path) for key, path in secrets.items() if path is not None]
    for key, path in files:
        try:
            mode = Path(path).stat().st_mode
        except OSError:
            continue
        if mode & stat.S_IROTH:
            yield f"{key}: {path} can be read by every user of this machine; chmod 600 {path}"


def _tried(key: str, read: Callable[..., object], *arguments: object) -> Iterator[str]:
    """The fault that `read` raises, if any."""
    try:
        read(*arguments)
    except TickerError as error:
        yield f"{key}{error}"

"""The current configuration: read again at SIGHUP, and refused if it is wrong.

Law: workers get only a configuration that was checked here. A changed key takes effect at once,
with new gateway workers (`ticker restart`), or with the next start of the server; changed keys that
must wait are named. Feeds come, go and change at once, each with its own worker alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum

import msgspec
import structlog

from ticker.config import Config, FeedConfig
from ticker.errors import ConfigError, SegmentError
from ticker.gateway.access.keys import WatchedKeys
from ticker.gateway.sockets.tls import server_context
from ticker.supervisor.feeds.changes import FeedChanges, feed_changes
from ticker.supervisor.outcome import Outcome, tell

LIVE = (
    "access",
    "auth",
    "tls.certificate",
    "tls.key",
    "gateway.commands_burst",
    "gateway.commands_per_second",
    "gateway.compression",
    "gateway.max_symbols",
    "gateway.requests_burst",
    "gateway.requests_per_second",
    "gateway.restart_spread",
    "watchlists",
)
FIXED = ("server", "depth", "store", "record", "cluster")


class Effect(Enum):
    """When a changed key takes effect."""

    NOW = "reloaded"
    WORKERS = "ticker restart"
    SERVER = "a restart of the server"


class Current:
    """The configuration of a running server.

    Attributes:
        read: reads it from its file.
        faults: finds the faults that a feed's worker would meet.
        change_feeds: changes feeds, their workers and their segments to the new configuration.
    """

    def __init__(
        self,
        config: Config,
        read: Callable[[], Config] | None,
        faults: Callable[[FeedConfig], Iterator[str]] = lambda _: iter(()),
    ) -> None:
        self.config = config
        self.read = read
        self.faults = faults
        self.change_feeds: Callable[[FeedChanges], None] = lambda _: None
        self.reloads = 0

    def reload(self) -> bool:
        """Take the file's new contents; False, with the reason in the log, if they are wrong."""
        if self.read is None:
            return True
        self.reloads += 1
        instance = self.config.server.instance
        try:
            new = self.read()
            check_files(new)
            feeds = feed_changes(self.config.feeds, new.feeds)
            self._check_feeds(new, feeds)
            self.change_feeds(feeds)
        except (ConfigError, SegmentError) as error:
            structlog.get_logger().error(
                "configuration not reloaded, the old one stays in force", reason=str(error)
            )
            tell(instance, Outcome(number=self.reloads, refused=str(error)))
            return False
        new = msgspec.structs.replace(new, feeds=self.config.feeds)
        found = self._found(new, feeds)
        self.config = msgspec.structs.replace(
            new, feeds=feeds.feeds, **{name: getattr(self.config, name) for name in FIXED}
        )
        tell(instance, Outcome(number=self.reloads, now=found.pop(Effect.NOW.value), waits=found))
        return True

    def _check_feeds(self, new: Config, feeds: FeedChanges) -> None:
        """Refuse a feed whose worker could not start.

        Raises:
            ConfigError: all that is wrong.
        """
        touched = {feed.name for feed in (*feeds.added, *feeds.changed)}
        problems = [
            f"feeds[{index}].{problem}"
            for index, feed in enumerate(new.feeds)
            if feed.name in touched
            for problem in self.faults(feed)
        ]
        if problems:
            raise ConfigError("; ".join(problems))

    def _found(self, new: Config, feeds: FeedChanges) -> dict[str, tuple[str, ...]]:
        """What has changed, by its Effect's words; the log is told of it."""
        found = dict(changes(self.config, new))
        by_effect = {
            effect: tuple(key for key, its in found.items() if its is effect) for effect in Effect
        }
        by_effect[Effect.NOW] += feeds.now
        by_effect[Effect.SERVER] += feeds.waits
        log = structlog.get_logger()
        log.info("configuration reloaded", changed=by_effect[Effect.NOW])
        for effect in (Effect.WORKERS, Effect.SERVER):
            if by_effect[effect]:
                log.warning("changed keys wait", keys=by_effect[effect], until=effect.value)
        return {effect.value: keys for effect, keys in by_effect.items()}


def check_files(config: Config) -> None:
    """Read all files that gateway workers will read, so that either all workers take the
    configuration or none does.

    Raises:
        ConfigError: a certificate or a key file is not usable.
    """
    if config.auth is not None:
        WatchedKeys(config.auth).authenticator()
    if config.tls is not None:
        server_context(config.tls)


def changes(
    old: msgspec.Struct, new: msgspec.Struct, path: str = ""
) -> Iterator[tuple[str, Effect]]:
    """The keys whose values differ, and when each takes effect. A table that is added or removed,
    and an array, count as one key."""
    for field in msgspec.structs.fields(old):
        before, after = getattr(old, field.name), getattr(new, field.name)
        key = f"{path}{field.encode_name}"
        if before == after:
            continue
        if isinstance(before, msgspec.Struct) and isinstance(after, msgspec.Struct):
            yield from changes(before, after, f"{key}.")
        else:
            yield key, _effect(key, whole=(before is None) != (after is None))


def _effect(key: str, *, whole: bool) -> Effect:
    if _is_of(key, FIXED):
        return Effect.SERVER
    # Rights of clients are added or removed at once; TLS only with new workers.
    now = key == "auth" or (_is_of(key, LIVE) and not whole)
    return Effect.NOW if now else Effect.WORKERS


def _is_of(key: str, tables: tuple[str, ...]) -> bool:
    return any(key == each or key.startswith(f"{each}.") for each in tables)

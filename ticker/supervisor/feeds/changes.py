"""The changes of feeds by a new configuration.

Law: pure; a feed is the same by its name. The size of its segment stays until the server starts
again, since gateways have it mapped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from ticker.config import FeedConfig

SIZES = ("rows", "rings", "ring_capacity")
OF_GATEWAYS = frozenset({"required"})
"""Keys that a feed's worker has no use for."""


@dataclass(frozen=True)
class FeedChanges:
    """Feeds that are added, removed, or get a new worker; and the changed keys in words, those that
    took effect and those that wait.

    Attributes:
        feeds: all feeds from now on, in the order of the configuration.
    """

    feeds: tuple[FeedConfig, ...]
    added: tuple[FeedConfig, ...]
    changed: tuple[FeedConfig, ...]
    removed: tuple[str, ...]
    now: tuple[str, ...]
    waits: tuple[str, ...]


def feed_changes(old: Sequence[FeedConfig], new: Sequence[FeedConfig]) -> FeedChanges:
    """From the feeds that run to those of a configuration that was read again."""
    before = {feed.name: feed for feed in old}
    feeds, added, changed = [], [], []
    now, waits = [], []
    for feed in new:
        known = before.pop(feed.name, None)
        if known is None:
            feeds.append(feed)
            added.append(feed)
            now.append(f"feed {feed.name} (added)")
            continue
        kept = msgspec.structs.replace(feed, **{key: getattr(known, key) for key in SIZES})
        waits += [f"feeds.{feed.name}.{key}" for key in _differing(kept, feed)]
        keys = _differing(known, kept)
        now += [f"feeds.{feed.name}.{key}" for key in keys]
        feeds.append(kept)
        if set(keys) - OF_GATEWAYS:
            changed.append(kept)
    now += [f"feed {name} (removed)" for name in before]
    return FeedChanges(
        tuple(feeds), tuple(added), tuple(changed), tuple(before), tuple(now), tuple(waits)
    )


def _differing(one: FeedConfig, other: FeedConfig) -> list[str]:
    names = [field.name for field in msgspec.structs.fields(FeedConfig)]
    return [name for name in names if getattr(one, name) != getattr(other, name)]

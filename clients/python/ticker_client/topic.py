"""What can be subscribed: a channel, and what a channel has besides."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from msgspec import UNSET

from .messages import (
    Cancel,
    Channel,
    Correction,
    Depth,
    Interval,
    Lagged,
    LiveBar,
    Movers,
    Snapshot,
    Status,
    Subscribed,
    Update,
)

ALL, WATCHLIST = "*", "@"
Event = Snapshot | Update | Correction | Cancel | Lagged | Status | LiveBar | Depth | Movers


class Topic(NamedTuple):
    """A channel. `interval` is of `bars`, `levels` and `venue` are of `depth`, `limit` of `movers`.
    A connection has one book of a symbol on a venue, and one list of movers."""

    channel: Channel
    interval: Interval | None = None
    levels: int | None = None
    venue: str | None = None
    limit: int | None = None

    @property
    def name(self) -> str:
        """Topics with one name share what the server sends."""
        return name_of(self.channel, self.interval, self.venue)

    def words(self) -> dict[str, object]:
        """Its fields of a command."""
        return {name: value for name, value in self._asdict().items() if value is not None}


def name_of(channel: str, interval: str | None, venue: str | None) -> str:
    """The name of a topic."""
    return " ".join(part for part in (channel, interval, venue) if part)


def name_in(message: Subscribed | Event) -> str:
    """The name of the topic that a message is of; a `lagged` is of trades, or of bars."""
    if isinstance(message, Depth):
        return name_of("depth", None, message.venue or None)
    if isinstance(message, LiveBar):
        return name_of("bars", message.interval, None)
    if isinstance(message, Movers):
        return "movers"
    if isinstance(message, Subscribed):
        return name_of(message.channel or "price", message.interval or None, message.venue or None)
    channel = getattr(message, "channel", UNSET)
    return "trades" if isinstance(message, Lagged) else str(channel or "price")


def symbol_in(message: Event) -> str:
    """The symbol that a message is of; empty: of none."""
    return getattr(message, "symbol", UNSET) or ""


def is_group(name: str) -> bool:
    """Whether a name stands for several symbols: `*` for all, `@tech` for a watchlist."""
    return name == ALL or name.startswith(WATCHLIST)


def apart(names: Iterable[str]) -> list[list[str]]:
    """The names as commands have them: symbols together, each group by itself, so that the answer
    tells which symbols it has."""
    names = list(names)
    symbols = [name for name in names if not is_group(name)]
    return [*([symbols] if symbols else []), *([name] for name in names if is_group(name))]

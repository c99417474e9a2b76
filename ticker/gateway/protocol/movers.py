"""The channel `movers`: lists that are made anew about once a second, and who watches which.

In: commands, and the time. Out: frames for the hub, which sends the newest of them to all who watch
the list, at the pace of each. A list has so many symbols of each kind, of those that a token shows:
clients with equal wishes share it. A connection has one list.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from msgspec import UNSET

from ticker.gateway.access.auth import Grant
from ticker.gateway.hub.fields import Channel
from ticker.gateway.hub.hub import Hub
from ticker.gateway.movers.ranking import Lists, Ranked, Ranking, percent
from ticker.gateway.protocol.answers import Symbols, acknowledged
from ticker.gateway.protocol.codec import Codec, moment
from ticker.gateway.protocol.codes import Code
from ticker.gateway.protocol.commands import CommandError
from ticker.gateway.protocol.depths import too_many
from ticker.gateway.protocol.messages import Mover, Movers, Reconnect, Unsubscribe
from ticker.gateway.sockets.connection import ConnectionTable
from ticker.units import format_price, format_size

CHANNEL = int(Channel.CHANNEL_MOVERS)
USUAL, MOST_LISTED = 10, 25
"""Symbols of each list: where a command names no `limit`, and the largest `limit`."""


@dataclass
class List:
    """One list. `codecs`: those of its watchers so far; `newest`: the message of its frames."""

    number: int
    limit: int
    grant: Grant
    codecs: dict[int, Codec] = field(default_factory=dict)
    newest: Movers | None = None


class MoverLists:
    """The lists of one worker."""

    def __init__(self, ranking: Ranking, hub: Hub, connections: ConnectionTable) -> None:
        self.ranking = ranking
        self.hub = hub
        self.connections = connections
        self.lists: dict[tuple[int, str | None], List] = {}
        self.free: list[int] = []

    def change(
        self,
        number: int,
        codec: Codec,
        command: Symbols,
        grant: Grant,
        most: int,
        now_ns: int,
    ) -> None:
        """Subscribe a connection to a list in the place of the one that it has, or unsubscribe it.
        `most`: its subscriptions, on all channels.

        Raises:
            CommandError: nothing has changed.
        """
        _check(command)
        subscriptions = self.hub.subscriptions
        held = subscriptions.subscribed(number, CHANNEL)
        if isinstance(command, Unsubscribe):
            subscriptions.unsubscribe(number, held, CHANNEL)
            self.connections.send(number, codec.frame(acknowledged(command, [], [], {})))
            return
        if not held and subscriptions.count_of(number) >= most:
            raise too_many("the list", most, command.id)
        limit = USUAL if command.limit is None else command.limit
        wanted = self._opened(limit, grant, codec, now_ns)
        subscriptions.unsubscribe(number, [each for each in held if each != wanted], CHANNEL)
        before = codec.frame(acknowledged(command, [], [], {"limit": limit}))
        self.hub.subscribe(number, [wanted], CHANNEL, now_ns, None, before)

    def look(self, now_ns: int) -> None:
        """Make the lists anew that somebody watches, and drop the others."""
        if not self.lists or not self.ranking.is_due(now_ns):
            return
        for key, each in list(self.lists.items()):
            if not self.hub.subscriptions.watchers(each.number, CHANNEL):
                del self.lists[key]
                self.hub.movers.clear(each.number)
                self.free.append(each.number)
            else:
                self._make(each, now_ns)

    def _opened(self, limit: int, grant: Grant, codec: Codec, now_ns: int) -> int:
        """The number of the list of this wish, with a frame in this encoding."""
        key = (limit, None if grant.symbols is None else grant.symbols.pattern)
        found = self.lists.get(key)
        if found is None:
            number = self.free.pop() if self.free else len(self.lists)
            found = self.lists[key] = List(number, limit, grant)
            self.hub.reserve(number + 1)
        if codec.number not in found.codecs:
            found.codecs[codec.number] = codec
            if found.newest is not None:
                self._put(found, codec, found.newest)
        if found.newest is None:
            self._make(found, now_ns)
        return found.number

    def _make(self, wanted: List, now_ns: int) -> None:
        """Encode a list, where it has changed, in all encodings of its watchers."""
        lists = self.ranking.lists(wanted.limit, wanted.grant.sees, now_ns)
        before = wanted.newest
        message = _message(lists, wanted.limit, now_ns)
        if before is not None and _same(message, before):
            return
        wanted.newest = message
        for codec in wanted.codecs.values():
            self._put(wanted, codec, message)
        self.hub.renew(wanted.number, CHANNEL)

    def _put(self, wanted: List, codec: Codec, message: Movers) -> None:
        frame = codec.frame(message)
        head = len(frame) - len(codec.encode(message))
        self.hub.movers.put(wanted.number, codec.number, frame, head)


def _same(one: Movers, other: Movers) -> bool:
    """Whether they show the same, at whatever time."""
    return all(
        getattr(one, kind) == getattr(other, kind) for kind in ("gainers", "losers", "most_active")
    )


def _check(command: Symbols) -> None:
    names: Sequence[str] | dict[str, object] | None
    if isinstance(command, Reconnect):
        field_name, names = "last_seen", command.last_seen
    else:
        field_name = "symbol" if command.symbol is not None else "symbols"
        names = command.symbols if command.symbol is None else [command.symbol]
    if names:
        said = "the channel `movers` is of the whole market and names none; leave them out"
        raise CommandError(Code.INVALID_SYNTAX, f"{field_name}: {said}", command.id)


def _message(lists: Lists, limit: int, now_ns: int) -> Movers:
    return Movers(
        timestamp=moment(now_ns),
        limit=limit,
        gainers=[*map(_mover, lists.gainers)],
        losers=[*map(_mover, lists.losers)],
        most_active=[*map(_mover, lists.most_active)],
    )


def _mover(ranked: Ranked) -> Mover:
    view, price, base = ranked
    return Mover(
        symbol=view.symbol,
        price=Decimal(format_price(price)),
        base=UNSET if base is None else Decimal(format_price(base)),
        change=UNSET if base is None else Decimal(format_price(price - base)),
        change_percent=UNSET if base is None else Decimal(percent(price - base, base)),
        volume=Decimal(format_size(view.volume, view.size_exponent)),
        trades=view.trades,
        timestamp=moment(view.price_time),
    )

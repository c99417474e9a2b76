"""The feeds that a gateway worker reads: those of its start, and the changes by reloads.

In: the supervisor's roster. Out: calls on all objects with a place for each feed. Law: a feed on
the roster has a segment. The supervisor creates it before it tells the gateways, and removes it
when the feed's worker has ended.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import structlog

from ticker.clock import Clock
from ticker.config import Config
from ticker.errors import SegmentError
from ticker.gateway.context import GatewayContext
from ticker.gateway.hub.intake import Intake
from ticker.gateway.hub.sales import Sales
from ticker.gateway.hub.subscriptions import Subscriptions
from ticker.gateway.prices.board import Board
from ticker.gateway.rest.http import Elsewhere
from ticker.gateway.rest.status import Status
from ticker.shm import segment
from ticker.shm.counters import Counters, Heartbeat
from ticker.shm.header import KIND_FEED, Mapping
from ticker.shm.private.roster import read_roster
from ticker.shm.shards.sharding import Sharding
from ticker.shm.shards.watchers import WatcherCounts
from ticker.shm.timetable import Timetable


@dataclass(frozen=True)
class Attached:
    """A feed's segment; another one of that name has another serial."""

    name: str
    mapping: Mapping
    serial: int


class Feeds:
    """The segments of the feeds, by the number that each has on the board.

    Attributes:
        timetable: answers for the feeds in the board's order, with a place for each removed one.
        current: answers for those that are read now, in the order of `pairs`.
    """

    def __init__(self, context: GatewayContext) -> None:
        self.context = context
        self.places: list[Attached | None] = [
            self._attach(name, shared, context.serials.get(name, 0))
            for name, shared in context.feeds
        ]
        names = [name for name, _ in context.feeds]
        self.timetable = Timetable(names, context.timetable)
        self.current = Timetable(names, context.timetable)
        self._states: list[tuple[str, str]] = []

    def changed(self) -> bool:
        """Whether a feed's worker says another state of it than at the last call."""
        before = self._states
        self._states = [(name, Heartbeat(mapping).state) for name, mapping in self.pairs()]
        return self._states != before

    def pairs(self) -> list[tuple[str, Mapping]]:
        """(name, mapping) of each feed that is read."""
        return [(each.name, each.mapping) for each in self.places if each is not None]

    def look(self) -> None:
        """Read the markets' hours again, if they are others."""
        self.timetable.look()
        self.current.look()

    def follow(
        self,
        required: Collection[str],
        board: Board,
        sales: Sales,
        intake: Intake,
        status: Status,
    ) -> None:
        """Read the feeds of the roster from now on, and no others; `required` as in Status."""
        wanted = read_roster(self.context.instance)
        if wanted is not None:
            self._leave(wanted, board, sales, intake)
            here = {place.name for place in self.places if place is not None}
            for name, serial in wanted.items():
                if name not in here:
                    self._join(name, serial, board, sales, intake)
        self.timetable.follow([place.name if place else "" for place in self.places])
        self.current.follow([name for name, _ in self.pairs()])
        status.follow(self.pairs(), required)

    def _leave(self, wanted: dict[str, int], board: Board, sales: Sales, intake: Intake) -> None:
        for number, place in enumerate(self.places):
            if place is not None and place.serial != wanted.get(place.name):
                intake.remove_feed(number)
                sales.renew(board.remove_feed(number))
                segment.forget(segment.feed_name(self.context.instance, place.name))
                self.places[number] = None

    def _join(self, name: str, serial: int, board: Board, sales: Sales, intake: Intake) -> None:
        shared = segment.feed_name(self.context.instance, name)
        try:
            place = self._attach(name, shared, serial)
        except SegmentError as error:  # removed again already: the next reload says so
            structlog.get_logger().warning("a feed is not read", feed=name, reason=str(error))
            return
        self.places.append(place)
        number = board.add_feed(name, place.mapping)
        sales.add_feed(place.mapping)
        intake.add_feed(number, place.mapping)

    def _attach(self, name: str, shared: str, serial: int) -> Attached:
        mapping = segment.attach(shared, KIND_FEED, boot_id=self.context.boot_id)
        return Attached(name, mapping, serial)


def count_watchers(
    config: Config, segment: Mapping, board: Board, subscriptions: Subscriptions
) -> WatcherCounts | None:
    """Count in the gateway's own segment who watches which shards of the bus; None: no bridge asks
    for it."""
    bus = config.bus
    if bus is None or bus.interest == "all":
        return None
    watchers = WatcherCounts(segment, Sharding(bus.shards, bus.pinned), board.name)
    subscriptions.count_watchers(watchers)
    return watchers


def read_elsewhere(config: Config, counters: Counters, steady: Clock) -> Elsewhere | None:
    """What reads prices of symbols that no feed here has, from a Redis; None: nothing does."""
    redis = config.cluster.redis if config.cluster is not None else None
    if redis is None or not redis.fallback:
        return None
    from ticker.gateway.rest.serving import elsewhere  # it needs a package that others do without

    return elsewhere.Elsewhere(redis, counters, steady).read

"""The workers of feeds, and their changes by a reload.

In: feeds that are added, changed and removed (feeds/changes.py). Out: segments and slots. Law: a
changed feed affects only its own worker, and no gateway. An added feed has its segment before
gateways are told. The segment of a removed feed is removed after its worker has ended. A feed that
comes back before that has the same segment, and its worker gets a successor.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import msgspec

from ticker.cluster.context import BridgeContext
from ticker.config import ClusterConfig, Config, FeedConfig, from_bus
from ticker.errors import ConfigError, SegmentError
from ticker.feeds.workers.presence import FeedContext
from ticker.shm.counters import Heartbeat
from ticker.shm.private.roster import write_roster
from ticker.shm.segment import private_folder
from ticker.shm.timetable import timetable_path
from ticker.supervisor.arbiter import Arbiter
from ticker.supervisor.beside import (
    MirrorMain,
    RecorderMain,
    RelayMain,
    StoreMain,
    calendar_slot,
    mirror_slot,
    recorder_slot,
    relay_slot,
    store_slot,
)
from ticker.supervisor.feeds import calendar
from ticker.supervisor.feeds.changes import SIZES, FeedChanges
from ticker.supervisor.feeds.simulators import simulator_command
from ticker.supervisor.instance import Instance
from ticker.supervisor.slot import Slot, Stage

FeedMain = Callable[[FeedConfig, FeedContext], None]
BridgeMain = Callable[[ClusterConfig, str, BridgeContext], None]


@dataclass(frozen=True)
class Mains:
    """The code of the workers; None: there are none of these.

    Attributes:
        feed: of a feed with lines.
        bridge: of a feed from the bus.
    """

    feed: FeedMain
    bridge: BridgeMain | None = None
    store: StoreMain | None = None
    recorder: RecorderMain | None = None
    relay: RelayMain | None = None
    mirror: MirrorMain | None = None


class FeedSlots:
    """Which slots there are for the feeds that run.

    Attributes:
        feeds: those that run, by name; their workers are started from what is here then.
    """

    def __init__(
        self,
        instance: Instance,
        config: Config,
        mains: Mains,
    ) -> None:
        self.instance = instance
        self.config = config
        self.mains = mains
        self.feeds = {feed.name: feed for feed in config.feeds}
        self.workers = {feed.name: self._worker(feed.name) for feed in config.feeds}
        self.simulators = {
            feed.name: self._simulator(feed.name) for feed in config.feeds if feed.simulator
        }
        self.leaving: dict[str, tuple[Slot, FeedConfig]] = {}
        """Removed feeds whose workers may not have ended."""
        self.calendar = self._calendar()
        readers = [
            store_slot(instance, self._configured, mains.store),
            recorder_slot(instance, self._configured, mains.recorder),
            relay_slot(instance, self._configured, mains.relay),
            mirror_slot(instance, self._configured, mains.mirror),
        ]
        self.readers = [slot for slot in readers if slot is not None]

    def beside(self) -> list[Slot]:
        """The slots that stand beside those of the feeds, in the order in which they start."""
        calendars = [self.calendar] if self.calendar is not None else []
        return [*self.simulators.values(), *calendars, *self.readers]

    def change(self, changes: FeedChanges, arbiter: Arbiter) -> None:
        """Bring workers and segments to the feeds that are to run.

        Raises:
            SegmentError: no room for those that are added, or one of them has just been removed and
                has another size; nothing has changed.
        """
        self._make_room(changes)
        markets = calendar.markets_of(tuple(self.feeds.values()))
        before, self.feeds = self.feeds, {feed.name: feed for feed in changes.feeds}
        for name in changes.removed:
            self.leaving[name] = self.workers[name], before[name]
            self.remove(name, arbiter)
        for feed in changes.changed:
            arbiter.renew(self.workers[feed.name])
            self._change_simulator(before[feed.name], feed, arbiter)
        for feed in changes.added:
            slot, _ = self.leaving.pop(feed.name, (None, None))
            if slot is None or not arbiter.take_back(slot):
                slot = self._worker(feed.name)
                arbiter.add(slot)
            self.workers[feed.name] = slot
            self._change_simulator(None, feed, arbiter)
        if markets != calendar.markets_of(changes.feeds):
            self._change_calendar(arbiter)
        if changes.added or changes.removed:
            for slot in self.readers:
                arbiter.renew(slot)

    def remove(self, name: str, arbiter: Arbiter) -> None:
        """End a feed's worker and its simulated exchange; its segment goes with the worker."""
        arbiter.remove(self.workers.pop(name), partial(self.instance.remove_feed, name))
        self._end_simulator(name, arbiter)

    def _make_room(self, changes: FeedChanges) -> None:
        instance, made = self.instance, []
        try:
            for feed in changes.added:
                if self._has_segment(feed):
                    continue
                instance.add_feed(feed, self.config.store.symbol_days)
                made.append(feed.name)
            names = [feed.name for feed in changes.feeds]
            write_roster(instance.name, {name: instance.serials[name] for name in names})
        except (OSError, SegmentError) as error:
            for name in made:
                instance.remove_feed(name)
            raise SegmentError(f"feeds cannot be changed: {error}") from None

    def _has_segment(self, feed: FeedConfig) -> bool:
        """Whether a feed that is added has its segment still, since the worker that was told to end
        when it was removed has not ended yet.

        Raises:
            SegmentError: its size is another one.
        """
        if feed.name not in self.instance.feeds:
            return False
        _, known = self.leaving[feed.name]
        if any(getattr(known, size) != getattr(feed, size) for size in SIZES):
            raise SegmentError(
                f"feed {feed.name}: was removed a moment ago, and its worker has not ended; reload "
                "again in some seconds to add it with another size"
            )
        return True

    def _worker(self, name: str) -> Slot:
        instance = self.instance
        doors = tuple(
            (instance.gateway_segment(index), fd) for index, fd in enumerate(instance.doorbells)
        )
        context = FeedContext(
            timetable=timetable_path(instance.name),
            segment=instance.feed_segment(name),
            boot_id=instance.boot_id,
            instance=instance.name,
            gateways=doors,
            folder=private_folder(instance.name),
        )

        def run() -> None:
            instance.keep_only(None)
            self._serve(self.feeds[name], context)

        return Slot(f"feed {name}", Stage.FEED, run, Heartbeat(instance.feeds[name]))

    def _serve(self, feed: FeedConfig, context: FeedContext) -> None:
        cluster = self.config.bus
        if not from_bus(feed):
            self.mains.feed(feed, context)
        elif self.mains.bridge is not None and cluster is not None:
            bridge = BridgeContext(
                context.segment, context.boot_id, context.instance, context.gateways
            )
            self.mains.bridge(cluster, feed.name, bridge)
        else:
            raise ConfigError(
                f"feed {feed.name}: comes from the bus, and the server was started without "
                "[cluster]; start it again"
            )

    def _simulator(self, name: str) -> Slot:
        def run() -> None:
            self.instance.keep_only(None)
            command = simulator_command(self.feeds[name])
            os.execv(command[0], command)

        return Slot(f"simulator {name}", Stage.SIMULATOR, run, vital=False)

    def _change_simulator(
        self, before: FeedConfig | None, feed: FeedConfig, arbiter: Arbiter
    ) -> None:
        """The exchange of a feed that has changed, or that is new (`before` is None)."""
        if feed.simulator is None:
            self._end_simulator(feed.name, arbiter)
        elif feed.name not in self.simulators:
            self.simulators[feed.name] = self._simulator(feed.name)
            arbiter.add(self.simulators[feed.name])
        elif before is None or simulator_command(before) != simulator_command(feed):
            arbiter.renew(self.simulators[feed.name])

    def _end_simulator(self, name: str, arbiter: Arbiter) -> None:
        slot = self.simulators.pop(name, None)
        if slot is not None:
            arbiter.remove(slot, lambda: None)

    def _configured(self) -> Config:
        """The configuration with the feeds that run now."""
        return msgspec.structs.replace(self.config, feeds=tuple(self.feeds.values()))

    def _calendar(self) -> Slot | None:
        return calendar_slot(self.instance, self._configured)

    def _change_calendar(self, arbiter: Arbiter) -> None:
        before, self.calendar = self.calendar, self._calendar()
        if before is None and self.calendar is not None:
            arbiter.add(self.calendar)
        elif before is not None and self.calendar is None:
            arbiter.remove(before, lambda: None)
        elif before is not None:
            self.calendar = before
            arbiter.renew(before)

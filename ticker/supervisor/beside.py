"""The workers that stand beside the feeds: the calendar, the store, the recorder, the relay
and the mirror.

Each of them reads all feeds, and is started anew when feeds come or go; `configured` says the
configuration with the feeds that there are then.
"""

from __future__ import annotations

from collections.abc import Callable

from ticker.clock import now_ns
from ticker.cluster.context import RelayContext
from ticker.config import Config, from_bus
from ticker.mirror.context import MirrorContext
from ticker.record.context import RecorderContext
from ticker.shm.counters import Heartbeat
from ticker.shm.segment import private_gateway
from ticker.shm.timetable import timetable_path
from ticker.store.context import StoreContext
from ticker.supervisor.feeds import calendar
from ticker.supervisor.instance import Instance
from ticker.supervisor.slot import Slot, Stage

Configured = Callable[[], Config]
StoreMain = Callable[[Config, StoreContext], None]
RecorderMain = Callable[[Config, RecorderContext], None]
RelayMain = Callable[[Config, RelayContext], None]
MirrorMain = Callable[[Config, MirrorContext], None]


def calendar_slot(instance: Instance, configured: Configured) -> Slot | None:
    """The calendar's slot; None where no feed follows a calendar. Nobody else looks at its signs of
    life, so they are in memory without a name, which its worker inherits."""
    if not calendar.markets_of(configured().feeds):
        return None
    heartbeat = Heartbeat(private_gateway(now_ns()))

    def run() -> None:
        instance.keep_only(None)
        markets = calendar.markets_of(configured().feeds)
        calendar.run(markets, timetable_path(instance.name), heartbeat)

    return Slot("calendar", Stage.FEED, run, heartbeat, vital=False)


def store_slot(instance: Instance, configured: Configured, main: StoreMain | None) -> Slot | None:
    """The store's slot, if it is on. The thread that beats does not wait for the disk."""
    folder = instance.folder
    if main is None or folder is None or instance.store is None:
        return None

    def run() -> None:
        instance.keep_only(None)
        config = configured()
        context = StoreContext(
            segment=instance.store_segment,
            boot_id=instance.boot_id,
            feeds=tuple((feed.name, instance.feed_segment(feed.name)) for feed in config.feeds),
            folder=folder,
            instance=instance.name,
            bars=instance.bars_segment,
            gateways=tuple(
                (instance.gateway_segment(index), fd) for index, fd in enumerate(instance.doorbells)
            ),
            timezones={feed.name: feed.timezone for feed in config.feeds},
        )
        main(config, context)

    return Slot("store", Stage.STORE, run, Heartbeat(instance.store), vital=False)


def recorder_slot(
    instance: Instance, configured: Configured, main: RecorderMain | None
) -> Slot | None:
    """The recorder's slot, if it is on."""
    folder = instance.recordings
    if main is None or folder is None or instance.recorder is None:
        return None

    def run() -> None:
        instance.keep_only(None)
        config = configured()
        chosen = config.record.feeds
        context = RecorderContext(
            segment=instance.recorder_segment,
            boot_id=instance.boot_id,
            feeds=tuple(
                (feed.name, instance.feed_segment(feed.name), feed.timezone)
                for feed in config.feeds
                if not chosen or feed.name in chosen
            ),
            folder=folder,
        )
        main(config, context)

    return Slot("recorder", Stage.STORE, run, Heartbeat(instance.recorder), vital=False)


def relay_slot(instance: Instance, configured: Configured, main: RelayMain | None) -> Slot | None:
    """The relay's slot, where there is a bus and this box publishes."""
    if main is None or instance.relay is None:
        return None

    def run() -> None:
        instance.keep_only(None)
        config = configured()
        context = RelayContext(
            segment=instance.relay_segment,
            boot_id=instance.boot_id,
            instance=instance.name,
            feeds=tuple(
                (feed.name, instance.feed_segment(feed.name))
                for feed in config.feeds
                if not from_bus(feed)
            ),
        )
        main(config, context)

    return Slot("relay", Stage.STORE, run, Heartbeat(instance.relay), vital=False)


def mirror_slot(instance: Instance, configured: Configured, main: MirrorMain | None) -> Slot | None:
    """The mirror's slot, where there is a Redis."""
    if main is None or instance.mirror is None:
        return None

    def run() -> None:
        instance.keep_only(None)
        config = configured()
        context = MirrorContext(
            segment=instance.mirror_segment,
            boot_id=instance.boot_id,
            instance=instance.name,
            feeds=tuple((feed.name, instance.feed_segment(feed.name)) for feed in config.feeds),
            timetable=timetable_path(instance.name),
        )
        main(config, context)

    return Slot("mirror", Stage.STORE, run, Heartbeat(instance.mirror), vital=False)

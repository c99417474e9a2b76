"""A server from its configuration: its workers, and the resources of each."""

from __future__ import annotations

import codecs
import os
import resource
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from ticker import log
from ticker.config import Config
from ticker.errors import ConfigError
from ticker.gateway.context import GatewayContext
from ticker.shm.counters import Heartbeat
from ticker.shm.timetable import timetable_path
from ticker.store.past import Past, reader_of
from ticker.supervisor.arbiter import Arbiter, asked_later
from ticker.supervisor.beside import MirrorMain, RecorderMain
from ticker.supervisor.feed_slots import FeedMain, FeedSlots, Mains
from ticker.supervisor.instance import Instance, opened
from ticker.supervisor.reload import Current
from ticker.supervisor.rolling import Rolling
from ticker.supervisor.slot import Patience, Slot, Stage
from ticker.supervisor.surroundings import feed_faults, warnings
from ticker.supervisor.system.systemd import Service

DESCRIPTORS = 256
"""Files that a gateway opens beside its connections."""
GatewayMain = Callable[[Config, GatewayContext], None]


def serve(
    config: Config,
    announce: Callable[[str], None],
    *,
    mains: Mains,
    gateway_main: GatewayMain,
    reload: Callable[[], Config] | None = None,
    patience: Patience | None = None,
) -> int:
    """Run a server until a signal ends it; returns the exit code.

    `announce` gets one line with the address, once everything is up. `reload` reads the
    configuration again, at SIGHUP and before a rolling restart.

    Raises:
        InstanceError, GatewayError, SegmentError: it cannot start.
    """
    _raise_file_limit(config)
    service = Service(os.environ)
    with asked_later(), opened(config, service.sockets) as instance:
        current = Current(config, reload, feed_faults)
        feeds = FeedSlots(instance, config, mains)
        gateways = _gateways(instance, current, gateway_main)
        patience = patience or Patience()
        drain = patience.drain[Stage.GATEWAY]
        where = _where(config, *instance.address)

        def ready() -> None:
            announce(f"ticker: {where}")
            service.ready(where)

        def beat() -> None:
            service.beat()
            instance.answer()

        def drained() -> None:
            service.stopping()
            instance.close_listeners()

        slots = [*gateways, *feeds.workers.values(), *feeds.beside()]
        arbiter = Arbiter(
            slots,
            orphaned=instance.remove_if_orphaned,
            drain=drained,
            ready=ready,
            beat=beat,
            reload=current.reload,
            rolling=Rolling(
                gateways,
                boot=patience.boot,
                drain=lambda: current.config.gateway.restart_spread + drain,
            ),
            patience=patience,
        )
        current.change_feeds = partial(feeds.change, arbiter=arbiter)
        return arbiter.run()


def start(
    config: Config,
    announce: Callable[[str], None],
    *,
    feed_main: FeedMain | None = None,
    reload: Callable[[], Config] | None = None,
) -> int:
    """Run a server in the foreground, with the workers of this package; its exit code.

    `feed_main`: serves its feeds, if they do not come from their configuration; `announce` and
    `reload` as in `serve`.

    Raises:
        InstanceError, GatewayError, SegmentError, ConfigError: it cannot start.
    """
    log.configure(config.server.log)
    from ticker.feeds.workers import worker as feed_worker
    from ticker.gateway import worker as gateway_worker
    from ticker.store import worker as store_worker

    for warning in warnings(config):
        structlog.get_logger().warning("a secret is open", reason=warning)
    if config.store.enabled and config.store.url is not None:
        reader_of(config.store, Path())  # it loads the code of a database
    for codec in ("idna", "utf-8-sig"):  # Python imports a codec at its first use
        codecs.lookup(codec)
    return serve(
        config,
        announce,
        mains=Mains(
            feed=feed_main or feed_worker.run,
            store=store_worker.run,
            recorder=_recorder_main(config),
            mirror=_mirror_main(config),
            **_of_the_bus(config),
        ),
        gateway_main=gateway_worker.run,
        reload=reload,
    )


def _of_the_bus(config: Config) -> dict[str, Any]:
    """The relay and the bridge, loaded only if there is a bus."""
    if config.bus is None:
        return {}
    from ticker.cluster.workers import bridge, relay

    return {"bridge": bridge.run, "relay": relay.run}


def load_workers() -> None:
    """Load the code of the workers before the first fork: they all share these pages. The protocols
    and sessions of the feeds are loaded by load_all, and that of a database by `start`."""
    import ticker.feeds.workers.worker
    import ticker.gateway.worker
    import ticker.store.worker  # noqa: F401


def _recorder_main(config: Config) -> RecorderMain | None:
    """The recorder, loaded only if it is on. Raises ConfigError: a package is not installed."""
    if not config.record.enabled:
        return None
    try:
        from ticker.record import worker as recorder_worker
    except ImportError:
        raise ConfigError(
            "record.enabled: a recorder needs pyarrow: pip install 'ticker[record]'"
        ) from None
    return recorder_worker.run


def _mirror_main(config: Config) -> MirrorMain | None:
    """The mirror, loaded only if it is on. Raises ConfigError: a package is not installed."""
    if config.mirror is None:
        return None
    try:
        from ticker.mirror import worker as mirror_worker
    except ImportError:
        raise ConfigError(
            "cluster.redis: the mirror needs redis-py: pip install 'ticker[redis]'"
        ) from None
    return mirror_worker.run


def _where(config: Config, host: str, port: int) -> str:
    """The address of this machine, and the address for clients if it differs."""
    scheme = "https" if config.tls is not None else "http"
    here = f"{scheme}://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}/"
    public = config.access.public_url
    by_public = f"  for clients: {public}" if public else ""
    return f"{here}{by_public}  (Ctrl-C stops it)"


def _gateways(instance: Instance, current: Current, main: GatewayMain) -> list[Slot]:
    """A slot for each worker, and a vacant one."""
    workers = current.config.server.gateways
    slots = [_gateway(instance, current, index, main) for index in range(workers + 1)]
    for slot in slots:
        slot.position = slots.index(slot)
    slots[-1].vacant = True
    return slots


def _gateway(instance: Instance, current: Current, index: int, main: GatewayMain) -> Slot:
    def run() -> None:
        instance.keep_only(slot.position)
        feeds = current.config.feeds
        context = GatewayContext(
            index=index,
            segment=instance.gateway_segment(index),
            boot_id=instance.boot_id,
            feeds=tuple((feed.name, instance.feed_segment(feed.name)) for feed in feeds),
            listener=instance.listeners[slot.position],
            doorbell_fd=instance.doorbells[index],
            instance=instance.name,
            serials=dict(instance.serials),
            gateways=tuple(instance.gateway_segment(at) for at in range(len(instance.gateways))),
            timetable=timetable_path(instance.name),
            store=instance.store_segment if instance.store is not None else None,
            past=_past(current.config, instance),
            bars=instance.bars_segment if instance.store is not None else None,
            recorder=instance.recorder_segment if instance.recorder is not None else None,
            relay=instance.relay_segment if instance.relay is not None else None,
            mirror=instance.mirror_segment if instance.mirror is not None else None,
            reload=current.read,
        )
        main(current.config, context)

    slot = Slot(f"gateway {index}", Stage.GATEWAY, run, Heartbeat(instance.gateways[index]))
    return slot


def _past(config: Config, instance: Instance) -> Past | None:
    """What the store keeps; None if it is off."""
    folder = instance.folder
    return Past(reader_of(config.store, folder)) if folder is not None else None


def files_needed(config: Config) -> int:
    """The most files that a gateway opens."""
    return config.gateway.max_connections + DESCRIPTORS


def _raise_file_limit(config: Config) -> None:
    """Every connection is an open file: allow as many as the kernel lets us."""
    wanted = files_needed(config)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    reachable = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft < reachable:
        resource.setrlimit(resource.RLIMIT_NOFILE, (reachable, hard))
    if reachable < wanted:
        structlog.get_logger().warning(
            "fewer open files allowed than gateway.max_connections needs",
            allowed=reachable,
            needed=wanted,
        )

"""A server from its configuration: which workers there are, and what each is handed."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Callable
from functools import partial
from urllib.parse import urlsplit

import structlog

from ticker.config import Config, FeedConfig, SimulatorConfig
from ticker.config.pitch import PitchConfig
from ticker.feeds.workers.presence import FeedContext
from ticker.feeds.workers.sources import Kind, plan_of
from ticker.gateway.context import GatewayContext
from ticker.record.context import RecorderContext
from ticker.shm.counters import Heartbeat
from ticker.shm.timetable import timetable_path
from ticker.store.context import StoreContext
from ticker.store.past import Past
from ticker.supervisor import calendar
from ticker.supervisor.arbiter import Arbiter
from ticker.supervisor.instance import Instance, opened
from ticker.supervisor.reload import Current
from ticker.supervisor.rolling import Rolling
from ticker.supervisor.slot import Patience, Slot, Stage

DESCRIPTORS = 256
"""Files that a gateway opens beside its connections."""
FeedMain = Callable[[FeedConfig, FeedContext], None]
GatewayMain = Callable[[Config, GatewayContext], None]
StoreMain = Callable[[Config, StoreContext], None]
RecorderMain = Callable[[Config, RecorderContext], None]


def serve(
    config: Config,
    announce: Callable[[str], None],
    *,
    feed_main: FeedMain,
    gateway_main: GatewayMain,
    store_main: StoreMain | None = None,
    recorder_main: RecorderMain | None = None,
    reload: Callable[[], Config] | None = None,
    patience: Patience | None = None,
) -> int:
    """Run a server until a signal ends it; the exit code.

    `announce` gets the one line that says where to look, once everything is up; `reload` reads
    the configuration again, at SIGHUP and before a rolling restart.

    Raises:
        InstanceError, GatewayError, SegmentError: it cannot start.
    """
    _raise_file_limit(config)
    with opened(config) as instance:
        current = Current(config, reload)
        gateways = _gateways(instance, current, gateway_main)
        patience = patience or Patience()
        drain = patience.drain[Stage.GATEWAY]
        slots = [_feed(instance, feed, feed_main) for feed in config.feeds] + gateways
        slots += [_simulator(instance, feed) for feed in config.feeds if feed.simulator]
        slots += _calendar(instance, config)
        slots += _store(instance, config, store_main)
        slots += _recorder(instance, config, recorder_main)
        arbiter = Arbiter(
            slots,
            orphaned=instance.remove_if_orphaned,
            drain=instance.close_listeners,
            ready=partial(announce, f"ticker: {_where(config, *instance.address)}"),
            reload=current.reload,
            rolling=Rolling(
                gateways,
                boot=patience.boot,
                drain=lambda: current.config.gateway.restart_spread + drain,
            ),
            patience=patience,
        )
        return arbiter.run()


def _where(config: Config, host: str, port: int) -> str:
    """Where to look: the address here, and the one that clients use, if that is another."""
    scheme = "https" if config.tls is not None else "http"
    here = f"{scheme}://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}/"
    public = config.access.public_url
    by_public = f"  for clients: {public}" if public else ""
    return f"{here}{by_public}  (Ctrl-C stops it)"


def _feed(instance: Instance, feed: FeedConfig, main: FeedMain) -> Slot:
    doors = tuple(
        (instance.gateway_segment(index), fd) for index, fd in enumerate(instance.doorbells)
    )
    context = FeedContext(
        timetable=timetable_path(instance.name),
        segment=instance.feed_segment(feed.name),
        boot_id=instance.boot_id,
        instance=instance.name,
        gateways=doors,
    )

    def run() -> None:
        instance.keep_only(None)
        main(feed, context)

    return Slot(f"feed {feed.name}", Stage.FEED, run, Heartbeat(instance.feeds[feed.name]))


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
            gateways=tuple(instance.gateway_segment(at) for at in range(len(instance.gateways))),
            timetable=timetable_path(instance.name),
            store=instance.store_segment if instance.store is not None else None,
            past=Past(instance.folder) if instance.folder is not None else None,
            recorder=instance.recorder_segment if instance.recorder is not None else None,
            reload=current.read,
        )
        main(current.config, context)

    slot = Slot(f"gateway {index}", Stage.GATEWAY, run, Heartbeat(instance.gateways[index]))
    return slot


def _calendar(instance: Instance, config: Config) -> list[Slot]:
    """The calendar's slot; none where no feed follows a calendar."""
    markets = calendar.markets_of(config.feeds)

    def run() -> None:
        instance.keep_only(None)
        calendar.run(markets, timetable_path(instance.name))

    return [Slot("calendar", Stage.FEED, run, vital=False)] if markets else []


def _store(instance: Instance, config: Config, main: StoreMain | None) -> list[Slot]:
    """The store's slot, if it is on. A disk may block for long, so no heartbeat is watched."""
    if main is None or instance.folder is None:
        return []
    context = StoreContext(
        segment=instance.store_segment,
        boot_id=instance.boot_id,
        feeds=tuple((feed.name, instance.feed_segment(feed.name)) for feed in config.feeds),
        folder=instance.folder,
    )

    def run() -> None:
        instance.keep_only(None)
        main(config, context)

    return [Slot("store", Stage.STORE, run, vital=False)]


def _recorder(instance: Instance, config: Config, main: RecorderMain | None) -> list[Slot]:
    """The recorder's slot, if it is on. A disk may block for long, so no heartbeat is watched."""
    if main is None or instance.recordings is None:
        return []
    chosen = config.record.feeds
    context = RecorderContext(
        segment=instance.recorder_segment,
        boot_id=instance.boot_id,
        feeds=tuple(
            (feed.name, instance.feed_segment(feed.name), feed.timezone)
            for feed in config.feeds
            if not chosen or feed.name in chosen
        ),
        folder=instance.recordings,
    )

    def run() -> None:
        instance.keep_only(None)
        main(config, context)

    return [Slot("recorder", Stage.STORE, run, vital=False)]


def _simulator(instance: Instance, feed: FeedConfig) -> Slot:
    def run() -> None:
        instance.keep_only(None)
        command = simulator_command(feed)
        os.execv(command[0], command)

    return Slot(f"simulator {feed.name}", Stage.SIMULATOR, run, vital=False)


def simulator_command(feed: FeedConfig) -> list[str]:
    """The command that starts a feed's simulated exchange; it speaks to the feed's lines."""
    simulator = feed.simulator or SimulatorConfig()
    plan = plan_of(feed)
    if plan.kind is Kind.STREAM:
        return _vendor_command(feed.url or "", simulator)
    name = "pitch" if feed.protocol == "pitch" else "itch"
    command = [sys.executable, "-m", "ticker", "simulate", name, "--die-with-parent"]
    command += ["--lines", str(len(feed.lines))]
    if name == "pitch":
        command += _cboe_servers(feed)
    else:
        command += ["--rerequest", feed.rerequest or "none"]
    if plan.kind is Kind.SOUP:
        command += ["--session", "soupbintcp"]
    for option, line in zip(("--line-a", "--line-b"), feed.lines, strict=False):
        command += [option, line]
    for option in ("symbols", "rate", "loss", "seed"):
        command += [f"--{option}", str(getattr(simulator, option))]
    return [*command, "--interface", feed.interface]


def _cboe_servers(feed: FeedConfig) -> list[str]:
    """Where the simulated exchange answers what a PITCH feed asks. It has one gap line."""
    pitch = feed.pitch or PitchConfig()
    options = ["--gap-proxy", pitch.gap_proxy or "none"]
    options += ["--gap-line", pitch.gap_lines[0] if pitch.gap_lines else "none"]
    if pitch.units:
        options += ["--units", str(len(pitch.units))]
    for server in pitch.spin:
        options += ["--spin", server]
    return options


def _vendor_command(url: str, simulator: SimulatorConfig) -> list[str]:
    parts = urlsplit(url)
    command = [sys.executable, "-m", "ticker", "simulate", "vendor", "--die-with-parent"]
    command += ["--listen", f"{parts.hostname}:{parts.port}"]
    for option in ("symbols", "rate", "seed"):
        command += [f"--{option}", str(getattr(simulator, option))]
    return command


def files_needed(config: Config) -> int:
    """Files that a gateway opens at most."""
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

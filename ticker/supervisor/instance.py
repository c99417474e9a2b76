"""The resources of one running server: its name, segments, doorbells and listening sockets.

Law: there is one live supervisor per instance name (names.py). It creates these resources before
the first worker, keeps them while workers come and go, and removes them. A worker that outlives the
supervisor removes them, too, unless another supervisor has taken the name by then. The segments of
feeds stay where the store has not written their last rows: the next start takes them from there.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress

import structlog

from ticker.config import Config, FeedConfig
from ticker.config.record import record_folder
from ticker.config.store import store_folder
from ticker.errors import SegmentError, StoreError
from ticker.feeds.images.files import remove_images
from ticker.shm import segment
from ticker.shm.counters import Heartbeat
from ticker.shm.header import (
    KIND_FEED,
    KIND_GATEWAY,
    KIND_MIRROR,
    KIND_RECORDER,
    KIND_RELAY,
    KIND_STORE,
    Mapping,
)
from ticker.store.last import contents_of
from ticker.store.snapshot import Contents
from ticker.supervisor.feeds.left_behind import LeftBehind, feed_segments
from ticker.supervisor.feeds.restored import restore_feed
from ticker.supervisor.names import answer, hold_name, take_name, take_workers_name
from ticker.supervisor.system.listeners import open_listeners

SPARE_SYMBOLS = 4_096


class Instance:
    """The resources of a server; workers get parts of them.

    Attributes:
        boot_id: names this life of the server; every segment carries it.
        depth_rows: symbols whose book a feed's segment has room for.
        feeds: segment by feed name, mapped read-only.
        serials: by feed name; another one for each segment that was made.
        store: the store worker's segment, mapped read-only; None where nothing is kept.
        folder: where the store keeps its files; None where nothing is kept.
        before: what an earlier run left in shared memory.
        removed: the last rows of feeds that a reload removed, for the one that adds them again.
        recorder: the recorder's segment, mapped read-only; None where nothing is recorded.
        recordings: where its files go; None where nothing is recorded.
        relay: the relay's segment, mapped read-only; None where nothing is published on a bus.
        mirror: the mirror's segment, mapped read-only; None where there is no Redis.
        gateways: segment by slot, mapped read-only; one slot more than workers, for a rolling
            restart's successor.
        doorbells: eventfd by gateway slot.
        listeners: listening socket by position, one for each worker.
    """

    def __init__(self, config: Config) -> None:
        self.name = config.server.instance
        self.boot_id = secrets.randbits(52) + 1  # exact as a number of JSON, too
        self.depth_rows = config.depth.rows
        self.feeds: dict[str, Mapping] = {}
        self.serials: dict[str, int] = {}
        self.serial = 0
        self.store: Mapping | None = None
        self.folder = store_folder(config.store, self.name)
        self.before = LeftBehind(self.name, None)
        self.removed: dict[str, Contents] = {}
        self.recorder: Mapping | None = None
        self.recordings = record_folder(config.record, self.name)
        self.relay: Mapping | None = None
        self.mirror: Mapping | None = None
        self.gateways: list[Mapping] = []
        self.doorbells: list[int] = []
        self.listeners: list[socket.socket] = []
        self._guard: socket.socket  # holds the name: `opened` sets it

    @property
    def address(self) -> tuple[str, int]:
        """The address for clients: (host, port)."""
        host, port = self.listeners[0].getsockname()
        return host, port

    def feed_segment(self, feed: str) -> str:
        return segment.feed_name(self.name, feed)

    @property
    def store_segment(self) -> str:
        return segment.store_name(self.name)

    @property
    def bars_segment(self) -> str:
        return segment.bars_name(self.name)

    @property
    def recorder_segment(self) -> str:
        return segment.recorder_name(self.name)

    @property
    def relay_segment(self) -> str:
        return segment.relay_name(self.name)

    @property
    def mirror_segment(self) -> str:
        return segment.mirror_name(self.name)

    def gateway_segment(self, slot: int) -> str:
        return segment.gateway_name(self.name, slot)

    def add_feed(self, feed: FeedConfig, symbol_days: int) -> None:
        """Make a feed's segment, with the last prices that an earlier run left of it, or a reload
        that removed it, or that the store has; then keep a read-only mapping: only its worker may
        write (law 1).

        The segment gets its name when the prices are in it. So a kill at any moment leaves them in
        this one, or in that of the earlier run.

        Raises:
            SegmentError: no room for it.
        """
        name, now = self.feed_segment(feed.name), time.time_ns()
        left = self.removed.get(feed.name) or self.before.contents(feed.name)
        fresh = self._unfinished(name, geometry(feed, self.depth_rows), now, left)
        if self.folder is not None or left is not None:
            restore_feed(fresh, feed, self.folder, now, symbol_days, left)
        del fresh
        segment.finish(name)
        segment.keep(name)
        self.removed.pop(feed.name, None)
        self.feeds[feed.name] = segment.attach(name, KIND_FEED, boot_id=self.boot_id)
        self.serial += 1
        self.serials[feed.name] = self.serial

    def _unfinished(
        self, name: str, size: segment.Geometry, now: int, left: Contents | None
    ) -> Mapping:
        """A feed's segment without its name."""
        unfinished = name + segment.UNFINISHED
        try:
            return segment.create_feed(unfinished, size, self.boot_id, now)
        except SegmentError:
            if left is None or not segment.remove(name):
                raise
            # No room for both: what was left is in our own memory, too.
            return segment.create_feed(unfinished, size, self.boot_id, now)

    def remove_feed(self, name: str) -> None:
        """Unlink the segment of a feed whose worker has ended; gateways may have it mapped. Its
        rows stay with us: the store worker may not have written the last ones yet."""
        with suppress(StoreError):
            self.removed[name] = contents_of(self.feeds[name], name)
        del self.feeds[name], self.serials[name]
        segment.forget(self.feed_segment(name))
        segment.remove(self.feed_segment(name))
        remove_images(segment.private_folder(self.name), self.feed_segment(name))

    def close_listeners(self) -> None:
        """No new connections: with the workers' own copies closed too, they are refused."""
        for listener in self.listeners:
            listener.close()

    def answer(self) -> None:
        """Answer those who ask whether the server runs."""
        answer(self._guard)

    def keep_only(self, position: int | None) -> None:
        """In a child: close all listening sockets but its own; None closes all, for a feed."""
        self._guard.close()
        for index, listener in enumerate(self.listeners):
            if index != position:
                listener.close()

    def remove_if_orphaned(self) -> None:
        """In a child whose supervisor is dead: remove the segments, unless a new one has them."""
        guard = hold_name(self.name)
        if guard is not None:
            with guard:
                self.remove_segments(killed=True)

    def remove_segments(self, *, killed: bool = False) -> bool:
        """Remove all segments. Those of feeds stay if the store has not written their last rows;
        whether they do. `killed`: the supervisor was, and ended no worker in order."""
        feeds = set() if self._is_written(killed) else feed_segments(self.name)
        stay = {self.before.marker, *feeds} if feeds else ()
        remove_leftovers(self.name, but=stay, quiet=True)
        return bool(feeds)

    def _is_written(self, killed: bool) -> bool:
        """Whether what the feeds showed last is on the disk, or is not to be kept. A store worker
        leaves its segment only then (store/worker.py)."""
        if self.folder is None:
            return True
        store = Heartbeat(self.store) if self.store is not None else None
        if store is None or not store.epoch:  # none has come up
            return not self.before.names and not (killed and self._has_shown())
        return store.pid == 0

    def _has_shown(self) -> bool:
        """Whether a feed's worker has come up, and may have shown more than was restored."""
        found = (segment.attach(name, KIND_FEED) for name in feed_segments(self.name))
        return any(Heartbeat(each).epoch for each in found)


@contextmanager
def opened(config: Config, passed: Sequence[socket.socket] = ()) -> Iterator[Instance]:
    """Take the instance's name, create all resources, and remove them at the end. `passed` are
    sockets that listen already.

    Raises:
        InstanceError: another server runs under this name.
        GatewayError: the address cannot be listened on.
        SegmentError: no room for the segments.
    """
    instance = Instance(config)
    with ExitStack() as stack:
        instance._guard = stack.enter_context(take_name(instance.name))
        # After a crash its workers may still be on their way out, and hold the port.
        stack.enter_context(take_workers_name(instance.name))
        instance.before = LeftBehind(instance.name, instance.folder)
        remove_leftovers(instance.name, but=instance.before.names)
        stack.callback(instance.close_listeners)
        instance.listeners += open_listeners(config.server, passed)
        stack.callback(_end, instance)
        stack.callback(segment.let_go)
        _make_segments(instance, config)
        yield instance


def _end(instance: Instance) -> None:
    """Remove what is not needed by the next start."""
    if instance.remove_segments():
        structlog.get_logger().warning(
            "last prices stay in shared memory",
            reason="the store has not written them",
            advice="the next start of this instance takes them from there",
        )


def remove_leftovers(name: str, *, but: Collection[str] = (), quiet: bool = False) -> list[str]:
    """Unlink every segment of the instance `but` some; the names of those that were removed."""
    there = [each for each in segment.leftovers(name) if each not in but]
    removed = [each for each in there if segment.remove(each)]
    if removed and not quiet:
        structlog.get_logger().warning("removed leftovers of an earlier run", segments=removed)
    return removed


def _make_segments(instance: Instance, config: Config) -> None:
    """Create all, then keep read-only mappings: only workers may write (law 1)."""
    segment.create_folder(instance.name)
    now, boot = time.time_ns(), instance.boot_id
    for feed in config.feeds:
        instance.add_feed(feed, config.store.symbol_days)
    _forget_earlier_run(instance)
    if instance.folder is not None:
        instance.store = _made(instance, instance.store_segment, KIND_STORE, now)
        segment.create_bars(instance.bars_segment, bar_symbols(config), boot, now)
        segment.keep(instance.bars_segment)
    if instance.recordings is not None:
        instance.recorder = _made(instance, instance.recorder_segment, KIND_RECORDER, now)
    if config.bus is not None and config.bus.rank:
        instance.relay = _made(instance, instance.relay_segment, KIND_RELAY, now)
    if config.mirror is not None:
        instance.mirror = _made(instance, instance.mirror_segment, KIND_MIRROR, now)
    for slot in range(config.server.gateways + 1):
        instance.gateways.append(_made(instance, instance.gateway_segment(slot), KIND_GATEWAY, now))
        instance.doorbells.append(os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC))


def _forget_earlier_run(instance: Instance) -> None:
    """The rows that it left are in the new segments; remove those of feeds that are no more."""
    marker = instance.before.marker
    if marker:
        segment.create_marker(marker)
    stay = {marker, *(instance.feed_segment(name) for name in instance.feeds)}
    for name in instance.before.names - stay:
        segment.remove(name)


def _made(instance: Instance, name: str, kind: int, now_ns: int) -> Mapping:
    """Make a worker's segment; a read-only mapping of it."""
    segment.create_worker(name, kind, instance.boot_id, now_ns)
    segment.keep(name)
    return segment.attach(name, kind, boot_id=instance.boot_id)


def bar_symbols(config: Config) -> int:
    """Symbols for which there is room in the segment of bars: those of all feeds, and of one that
    a reload may add."""
    return sum(feed.rows for feed in config.feeds) + SPARE_SYMBOLS


def geometry(feed: FeedConfig, depth_rows: int) -> segment.Geometry:
    """How large a feed's segment is."""
    return segment.Geometry(feed.rows, feed.rings, feed.ring_capacity, min(feed.rows, depth_rows))

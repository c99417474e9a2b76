"""A gateway worker: one event loop over the listener, the clients, the rings and a timer.

In: connections of the supervisor's listening socket, ring records of all feeds. Out: frames and
HTTP answers. It owns its own small segment and writes to no other shared byte.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import ssl
from pathlib import Path

import structlog
import uvloop

from ticker import __version__
from ticker.clock import Clock, now_ns, steady_ns
from ticker.config import Config
from ticker.errors import ConfigError
from ticker.gateway.access.access import Access
from ticker.gateway.access.auth import Authenticator
from ticker.gateway.access.handshake import STREAM_PATH
from ticker.gateway.access.keys import WatchedKeys
from ticker.gateway.access.notes import Notes
from ticker.gateway.access.problems import BUSY, Refusal
from ticker.gateway.bars.book import BarBook
from ticker.gateway.books.wanted import Wanted
from ticker.gateway.context import GatewayContext
from ticker.gateway.departure import Departure
from ticker.gateway.depth import DepthRoute
from ticker.gateway.dialects.speaker import ALL_CODECS, PATHS, Speaker
from ticker.gateway.feeds import Feeds, count_watchers, read_elsewhere
from ticker.gateway.front import Front
from ticker.gateway.hub.hub import Hub
from ticker.gateway.hub.intake import Intake
from ticker.gateway.hub.sales import Sales
from ticker.gateway.hub.shared_frames import SharedFrames
from ticker.gateway.hub.topics import Topics
from ticker.gateway.hub.trade_log import TradeLog
from ticker.gateway.outlet import Outlet
from ticker.gateway.pacing.settings import law_of, rates_of
from ticker.gateway.prices.board import Board
from ticker.gateway.prices.directory import SymbolDirectory
from ticker.gateway.protocol.announcer import Announcer
from ticker.gateway.protocol.depths import Depths
from ticker.gateway.protocol.dialect import Dialect
from ticker.gateway.protocol.terms import terms_of
from ticker.gateway.rest.guard import Guard
from ticker.gateway.rest.http import make_app
from ticker.gateway.rest.serving.runner import ProblemProtocol, ProblemServer, Runner
from ticker.gateway.rest.status import Status
from ticker.gateway.scheduler import Scheduler
from ticker.gateway.sends import Sends
from ticker.gateway.sockets.deadlines import Deadlines
from ticker.gateway.sockets.reception import Reception
from ticker.gateway.sockets.tls import load_certificate, server_context
from ticker.shm.counters import Counters, Heartbeat
from ticker.shm.doorbell import Doorbell
from ticker.shm.header import (
    KIND_BARS,
    KIND_GATEWAY,
    KIND_MIRROR,
    KIND_RECORDER,
    KIND_RELAY,
    KIND_STORE,
    Mapping,
)
from ticker.shm.private.draining import read_drain
from ticker.shm.segment import attach

NS = 1_000_000_000
HOUSEKEEPING = 0.5
FEED_WATCH = 0.1  # s between two looks for a feed that fell silent, or came back
SEND_BUFFER = 65_536
RECEPTION_NS = 2_000_000  # of handshakes and commands at a time


def run(config: Config, context: GatewayContext) -> None:
    """Serve until SIGTERM. Called by the supervisor in a forked process."""
    uvloop.run(_serve(config, context))


async def _serve(config: Config, context: GatewayContext) -> None:
    worker = Worker(config, context, asyncio.get_running_loop())
    await worker.start()
    await worker.departure.stopped.wait()
    await worker.drain()


class Worker:
    """The parts of one gateway worker, connected with each other."""

    def __init__(
        self,
        config: Config,
        context: GatewayContext,
        loop: asyncio.AbstractEventLoop,
        clock: Clock = now_ns,
        steady: Clock = steady_ns,
    ) -> None:
        self.loop = loop
        self.clock = clock
        self.steady = steady
        self.context = context
        self.config = config
        self.segment = attach(context.segment, KIND_GATEWAY, boot_id=context.boot_id, writable=True)
        self.feeds = Feeds(context)
        feeds = self.feeds.pairs()
        self.counters = Counters(self.segment)
        self.exhausted = self.counters["descriptors_exhausted"]
        self.heartbeat = Heartbeat(self.segment)
        self.doorbell = Doorbell(self.segment, context.doorbell_fd)
        self.board = Board(feeds)
        file = config.directory.file
        self.directory = SymbolDirectory(Path(file) if file else None)
        self.keys = WatchedKeys(config.auth) if config.auth is not None else None
        self.access = Access(config, self.keys.authenticator() if self.keys else None)
        tls = server_context(config.tls) if config.tls is not None else None
        self.notes = Notes()
        self.guard = Guard(
            self.access,
            config.gateway.requests_per_second,
            config.gateway.requests_burst,
            clock=clock,
            steady=steady,
            notes=self.notes,
        )
        self.outlet = Outlet(config.gateway, self.segment)
        self.connections = self.outlet.connections
        mappings = [mapping for _, mapping in feeds]
        topics = Topics()
        self.sales = Sales(self.board, topics, TradeLog(config.gateway.trades_kept), mappings)
        self.bars = BarBook(self.board, self._bars_in_motion(), self.segment)
        self.intake = Intake(self.board, topics, self.sales, self.bars, mappings, self.segment)
        self.hub = Hub(
            self.intake,
            SharedFrames(topics, self.sales, self.bars, self.segment),
            self.connections,
            self.outlet.sender,
            self.segment,
            rates_of(config.gateway),
            steady(),
            config.gateway.max_symbols,
        )
        self.watchers = count_watchers(config, self.segment, self.board, self.hub.subscriptions)
        self.wanted = Wanted(self.intake.views, self.board, self.segment, config.depth)
        self.hub.noted.worker = context.index
        self._introduce(config, tls)
        self.runner = self._http(config, feeds)
        self.scheduler = Scheduler(
            loop,
            self.hub,
            self.intake,
            self.connections,
            self.doorbell,
            self.segment,
            self.reception.reap,
            law_of(config.gateway),
            paced=rates_of(config.gateway).paced,
        )

    def _bars_in_motion(self) -> Mapping | None:
        name = self.context.bars
        return attach(name, KIND_BARS, boot_id=self.context.boot_id) if name else None

    def _http(self, config: Config, feeds: list[tuple[str, Mapping]]) -> Runner:
        boot_id, of = self.context.boot_id, self.context
        gateways = [
            (str(index), attach(name, KIND_GATEWAY, boot_id=boot_id))
            for index, name in enumerate(self.context.gateways)
        ]
        self.status = Status(
            feeds,
            gateways,
            required=[feed.name for feed in config.feeds if feed.required],
            version=__version__,
            epoch=self.dialect.terms.epoch,
            timetable=self.feeds.current,
            steady=self.steady,
            capacity=config.gateway.max_connections,
            store=attach(of.store, KIND_STORE, boot_id=boot_id) if of.store else None,
            recorder=attach(of.recorder, KIND_RECORDER, boot_id=boot_id) if of.recorder else None,
            relay=attach(of.relay, KIND_RELAY, boot_id=boot_id) if of.relay else None,
            mirror=attach(of.mirror, KIND_MIRROR, boot_id=boot_id) if of.mirror else None,
        )
        app = make_app(
            self.board,
            self.status,
            counters=self.counters,
            clock=self.clock,
            max_symbols=config.gateway.max_symbols,
            directory=self.directory,
            guard=self.guard,
            past=self.context.past,
            elsewhere=read_elsewhere(config, self.counters, self.steady),
            books=DepthRoute(self.board, self.intake.views, self.wanted, config.depth, self.clock),
            instance=self.context.instance or None,
            sends=Sends(self.hub, self.board, self.access, self.clock),
        )
        for path in (STREAM_PATH, *PATHS):
            app.router.add_get(path, self.front.stream_after_http)
            self.guard.leave_open(path)  # it asks by itself
        return Runner(app)

    def _http_protocol(self) -> ProblemProtocol:
        server = self.runner.server
        assert isinstance(server, ProblemServer), "start() sets it up before anything is accepted"
        return server()

    def _introduce(self, config: Config, tls: ssl.SSLContext | None) -> None:
        terms = terms_of(config, self.context.boot_id)
        self.announcer = Announcer(
            self.board,
            self.hub.subscriptions,
            self.connections,
            lambda number: self.access.grant(number) is not None,
            ALL_CODECS,
        )
        self.dialect = Dialect(
            self.board,
            self.hub,
            self.connections,
            self.counters,
            terms,
            self.announcer,
            self.access,
            Depths(config.depth, self.board, self.hub, self.intake, self.wanted),
            ALL_CODECS,
            bars=self.bars.enabled,
        )
        self.speaker = Speaker(
            self.board,
            self.hub,
            self.sales,
            self.connections,
            self.dialect,
            self.access,
            self.directory,
        )
        self.announcer.also_watched = self.speaker.watched
        self.announcer.heard = lambda place, state: self.speaker.heard(place, state, self.clock())
        self.front = Front(
            self.loop,
            self._http_protocol,
            self.connections,
            self.dialect,
            self.counters,
            self.clock,
            self.steady,
            self.access,
            tls,
            self.notes,
            self.speaker,
        )
        self.reception = Reception(self.connections, self.front, config.gateway.max_message)
        self.reception.tls_context = tls
        if tls is None:
            self.reception.busy = Refusal(
                BUSY, "Try again in a moment.", headers={"Retry-After": "2"}
            ).raw_response()
        self.deadlines = Deadlines(self.connections, self.front)
        self.departure = Departure(
            self.loop, self.access, self.reception, self.connections, self.deadlines, self.counters
        )
        self._configure(config, self.access.authenticator)

    async def start(self) -> None:
        """Take over the slot and begin to accept connections."""
        self.loop.add_signal_handler(signal.SIGTERM, self.departure.stopped.set)
        self.loop.add_signal_handler(signal.SIGHUP, self.reload)
        self.loop.add_signal_handler(signal.SIGUSR2, self.departure.retire)
        await self.runner.setup()
        self.heartbeat.take_over(os.getpid(), self.clock())
        listener = self.context.listener
        listener.setblocking(False)
        # Accepted sockets inherit both: the buffer that a stopped client can fill, and no delay.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reception.listen(listener.fileno())
        self.loop.add_reader(self.connections.epoll_fd, self._on_sockets)
        self.loop.add_reader(self.doorbell.fd, self.scheduler.on_bell)
        self.loop.add_reader(self.scheduler.timer_fd, self.scheduler.on_timer)
        self._keep_house()
        self._watch_feeds()
        self.scheduler.turn()
        log = structlog.get_logger()
        log.info("gateway serves", slot=self.context.index, **self.outlet.facts())

    def reload(self) -> None:
        """Apply the settings that may change while clients are connected. The supervisor has
        checked them."""
        log = structlog.get_logger()
        try:
            config = self.context.reload() if self.context.reload is not None else self.config
            keys = WatchedKeys(config.auth) if config.auth is not None else None
            authenticator = keys.authenticator() if keys is not None else None
            if config.tls is not None and self.front.tls is not None:
                load_certificate(self.front.tls, config.tls)
            self.directory.reload()
        except (ConfigError, OSError) as error:
            log.error("not reloaded", reason=str(error))
            return
        self.keys = keys
        self._configure(config, authenticator)
        required = [feed.name for feed in config.feeds if feed.required]
        self.feeds.follow(required, self.board, self.sales, self.intake, self.status)
        self.dialect.revoke()
        log.info("reloaded", slot=self.context.index)

    def _configure(self, config: Config, authenticator: Authenticator | None) -> None:
        """Apply a configuration from the next command, request or connection on."""
        gateway = config.gateway
        self.access.configure(config, authenticator)
        self.reception.counts_addresses = self.access.counts
        self.guard.rate, self.guard.burst = gateway.requests_per_second, gateway.requests_burst
        self.dialect.configure(terms_of(config, self.context.boot_id))
        self.dialect.groups.watchlists = config.watchlists
        self.deadlines.heartbeat = int(gateway.heartbeat * NS)
        self.front.compresses = gateway.compression
        self.departure.spread = gateway.restart_spread / config.server.gateways

    def _on_sockets(self) -> None:
        """Handle a bounded number of socket events. When thousands of clients reconnect after a
        restart, connected clients get their prices in between."""
        start = now = self.steady()
        while self.reception.poll(now) and now - start < RECEPTION_NS:
            now = self.steady()
        self.reception.reap()
        self.scheduler.wake()

    def _keep_house(self) -> None:
        now, steady = self.clock(), self.steady()
        self.heartbeat.beat(now)
        self.feeds.look()
        self._tell_states(now, steady)
        self.wanted.look(self.hub.subscriptions.unwatched(), now)
        self.speaker.look()
        self.deadlines.expire(steady)
        self.departure.look(read_drain(self.context.instance, self.context.boot_id), now)
        self.dialect.expire(now, steady)
        self.dialect.look(now)
        if self.keys is not None and (found := self.keys.changed()):
            self.access.authenticator = found
        self.reception.reap()
        self.reception.resume()
        self._warn(steady)
        self.scheduler.turn()
        self.housekeeping = self.loop.call_later(HOUSEKEEPING, self._keep_house)

    def _watch_feeds(self) -> None:
        if self.feeds.changed():
            self._tell_states(self.clock(), self.steady())
        self.feed_watch = self.loop.call_later(FEED_WATCH, self._watch_feeds)

    def _tell_states(self, now: int, steady: int) -> None:
        """Look what feeds, symbols and markets are in, and tell what has changed."""
        self.board.look(now, self.feeds.timetable.sessions(now), steady)
        self.announcer.look((one.market, one.phase) for one in self.feeds.current.markets(now))
        self._announce()

    def _warn(self, steady: int) -> None:
        """Log warnings for the operator."""
        exhausted = self.counters["descriptors_exhausted"]
        if exhausted != self.exhausted:
            self.exhausted = exhausted
            self.notes.warn(
                "no descriptors left: connections were turned away",
                steady,
                hint="allow more open files (ulimit -n), or lower gateway.max_connections",
            )

        self.outlet.look(self.notes, steady)

    def _announce(self) -> None:
        if self.announcer.say():
            self.loop.call_soon(self._announce)

    async def drain(self) -> None:
        """Say goodbye to all clients, and end."""
        await self.departure.drain()
        self.housekeeping.cancel()
        self.feed_watch.cancel()
        self.scheduler.cancel()
        self.loop.remove_reader(self.connections.epoll_fd)
        self.loop.remove_reader(self.doorbell.fd)
        self.loop.remove_reader(self.scheduler.timer_fd)
        await self.runner.cleanup()
        self.wanted.leave()
        if self.watchers is not None:
            self.watchers.clear()
        self.heartbeat.leave()
        structlog.get_logger().info("gateway stopped", slot=self.context.index)

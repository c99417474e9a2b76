"""A gateway worker: one event loop over the listener, the clients, the rings and a timer.

In: connections of the supervisor's listening socket, ring records of all feeds. Out: frames and
HTTP answers. It owns its own small segment and writes to no other shared byte.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from pathlib import Path

import structlog
import uvloop

from ticker import __version__
from ticker.clock import Clock, now_ns
from ticker.config import Config, GatewayConfig
from ticker.gateway.access import Access
from ticker.gateway.auth import Authenticator, Key, parse_keys
from ticker.gateway.board import Board
from ticker.gateway.context import GatewayContext
from ticker.gateway.dialect import Limits, PlainDialect
from ticker.gateway.front import Front
from ticker.gateway.guard import Guard
from ticker.gateway.handshake import STREAM_PATH
from ticker.gateway.http import make_app
from ticker.gateway.hub import Hub
from ticker.gateway.reception import Connections
from ticker.gateway.runner import ProblemProtocol, ProblemServer, Runner
from ticker.gateway.scheduler import Scheduler
from ticker.gateway.status import Status
from ticker.gateway.tls import server_context
from ticker.gateway.topics import Topics
from ticker.shm.counters import Counters, Heartbeat
from ticker.shm.doorbell import Doorbell
from ticker.shm.header import KIND_FEED, KIND_GATEWAY, Mapping
from ticker.shm.segment import attach
from ticker.shm.timetable import Timetable

NS = 1_000_000_000
HEAD_TIMEOUT = 5 * NS
HOUSEKEEPING = 0.5
SEND_BUFFER = 65_536
DRAIN_SECONDS = 2.0
SHUTDOWN = 1001


def run(config: Config, context: GatewayContext) -> None:
    """Serve until SIGTERM. Called by the supervisor in a forked process."""
    uvloop.run(_serve(config, context))


async def _serve(config: Config, context: GatewayContext) -> None:
    worker = Worker(config, context, asyncio.get_running_loop())
    await worker.start()
    await worker.stopped.wait()
    await worker.drain()


class Worker:
    """Everything that one gateway worker is made of, wired together."""

    def __init__(
        self,
        config: Config,
        context: GatewayContext,
        loop: asyncio.AbstractEventLoop,
        clock: Clock = now_ns,
    ) -> None:
        self.loop = loop
        self.clock = clock
        self.context = context
        self.stopped = asyncio.Event()
        self.segment = attach(context.segment, KIND_GATEWAY, boot_id=context.boot_id, writable=True)
        feeds = [
            (name, attach(segment, KIND_FEED, boot_id=context.boot_id))
            for name, segment in context.feeds
        ]
        self.counters = Counters(self.segment)
        self.heartbeat = Heartbeat(self.segment)
        self.doorbell = Doorbell(self.segment, context.doorbell_fd)
        self.board = Board(feeds)
        self.timetable = Timetable([name for name, _ in feeds], context.timetable)
        self.access = Access(config, _authenticator(config))
        tls = server_context(config.tls) if config.tls is not None else None
        self.front = Front(loop, self._http_protocol, self.counters, clock, self.access, tls)
        self.runner = self._http(config, feeds)
        self.connections = _connections(config.gateway, self.front, self.segment)
        self.connections.tls_context = tls
        self.connections.counts_addresses = self.access.counts
        self.topics = Topics(self.board, self.segment, [mapping for _, mapping in feeds])
        self.hub = Hub(
            self.topics,
            self.connections,
            self.segment,
            int(config.gateway.flush_interval * NS),
            config.gateway.max_symbols,
            clock(),
        )
        self._introduce(config.gateway)
        self.scheduler = Scheduler(
            loop,
            self.hub,
            self.topics,
            self.connections,
            self.doorbell,
            self.segment,
            self.connections.reap,
        )

    def _http(self, config: Config, feeds: list[tuple[str, Mapping]]) -> Runner:
        boot_id = self.context.boot_id
        gateways = [
            (str(index), attach(name, KIND_GATEWAY, boot_id=boot_id))
            for index, name in enumerate(self.context.gateways)
        ]
        status = Status(
            feeds,
            gateways,
            required=[feed.name for feed in config.feeds if feed.required],
            version=__version__,
            epoch=boot_id,
            timetable=self.timetable,
        )
        app = make_app(
            self.board,
            status,
            counters=self.counters,
            clock=self.clock,
            max_symbols=config.gateway.max_symbols,
            guard=Guard(
                self.access,
                self.clock,
                config.gateway.requests_per_second,
                config.gateway.requests_burst,
            ),
        )
        app.router.add_get(STREAM_PATH, self.front.stream_after_http)
        return Runner(app)

    def _http_protocol(self) -> ProblemProtocol:
        server = self.runner.server
        assert isinstance(server, ProblemServer), "start() sets it up before anything is accepted"
        return server()

    def _introduce(self, config: GatewayConfig) -> None:
        limits = Limits(config.max_symbols, config.commands_per_second, config.commands_burst)
        dialect = PlainDialect(self.board, self.hub, self.connections, self.counters, limits)
        self.front.connections = self.connections
        self.front.message = dialect.message
        self.front.forget = self.hub.forget

    async def start(self) -> None:
        """Take the slot over and begin to accept."""
        await self.runner.setup()
        self.heartbeat.take_over(os.getpid(), self.clock())
        listener = self.context.listener
        listener.setblocking(False)
        # Accepted sockets inherit both: what a stopped client can hold, and no delay.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connections.listen(listener.fileno())
        self.loop.add_reader(self.connections.epoll_fd, self._on_sockets)
        self.loop.add_reader(self.doorbell.fd, self.scheduler.on_bell)
        self.loop.add_signal_handler(signal.SIGTERM, self.stopped.set)
        self._keep_house()
        self.scheduler.turn()
        structlog.get_logger().info("gateway serves", slot=self.context.index)

    def _on_sockets(self) -> None:
        self.connections.poll(self.clock())
        self.connections.reap()
        self.scheduler.wake()

    def _keep_house(self) -> None:
        now = self.clock()
        self.heartbeat.beat(now)
        self.timetable.look()
        self.board.look(now, self.timetable.sessions(now))
        self.connections.expire(now)
        self.connections.reap()
        self.scheduler.turn()
        self.housekeeping = self.loop.call_later(HOUSEKEEPING, self._keep_house)

    async def drain(self) -> None:
        """Stop accepting, tell everybody, give them a moment to go."""
        self.connections.close_all(SHUTDOWN, "shutdown")
        self.connections.reap()
        end = self.loop.time() + DRAIN_SECONDS
        while self.connections.used_places and self.loop.time() < end:
            await asyncio.sleep(0.01)
        self.housekeeping.cancel()
        self.scheduler.cancel()
        self.loop.remove_reader(self.connections.epoll_fd)
        self.loop.remove_reader(self.doorbell.fd)
        await self.runner.cleanup()
        structlog.get_logger().info("gateway stopped", slot=self.context.index)


def _authenticator(config: Config) -> Authenticator | None:
    if config.auth is None:
        return None
    keys: tuple[Key, ...] = ()
    if config.auth.jwt is not None:
        data = Path(config.auth.jwt.key_file).read_bytes()
        keys = parse_keys(data, config.auth.jwt.algorithms)
    return Authenticator(config.auth, keys)


def _connections(config: GatewayConfig, front: Front, segment: Mapping) -> Connections:
    return Connections(
        front,
        segment,
        capacity=config.max_connections,
        max_message=config.max_message,
        max_outbound=config.max_outbound,
        slow_timeout=int(config.slow_timeout * NS),
        ping_interval=int(config.ping_interval * NS),
        head_timeout=HEAD_TIMEOUT,
    )

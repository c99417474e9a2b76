"""A FIX feed's worker: one TCP (or TLS) connection, one session, one segment.

The session knows the rules (sessions/fix.py); this connects, reconnects with growing patience,
keeps the sequence numbers in their file before anything is sent, and gives signs of life.

Law: one process of a machine logs on under one identity, `ticker feed test` or a worker: a venue
drops the one or the other, and the numbers of both would be wrong.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import os
import signal
import socket
from pathlib import Path
from typing import Any, cast

import structlog
import uvloop

from ticker.clock import Clock, now_ns
from ticker.config import FeedConfig, FixConfig, parse_address, session_date
from ticker.errors import FeedError
from ticker.feeds.day import session_day
from ticker.feeds.fix_initiator import FixOptions, Phase
from ticker.feeds.fix_requests import Subscription
from ticker.feeds.fix_store import SequenceStore
from ticker.feeds.pipeline import build
from ticker.feeds.session import DEADLINE_NEVER
from ticker.feeds.sessions.fix import Fix
from ticker.feeds.transports.tls import client_context, refusal
from ticker.feeds.worker import FeedContext, ringer_of, set_patience, silence_ns
from ticker.shm import counters
from ticker.shm.counters import Heartbeat
from ticker.shm.doorbell import DoorbellRinger
from ticker.shm.header import KIND_FEED, Mapping
from ticker.shm.segment import attach

log = structlog.get_logger()

SECOND = 1_000_000_000
BEAT = 0.1
"""s between two signs of life."""
CONNECT_TIMEOUT = 10.0
BACKOFF_FIRST = 0.5
"""s between two attempts to connect, doubled with each that failed."""
BACKOFF_MOST = 30.0
ADVICE = "fix.tls_ca names the authority that signed it, fix.tls_name the host in it"


def run(config: FeedConfig, context: FeedContext) -> None:
    """Serve a feed until SIGTERM or SIGINT.

    Raises:
        SegmentError: the segment is not there or not the expected one.
        FeedError: the sequence file cannot be used.
    """
    worker = FixWorker(config, context)
    try:
        uvloop.run(worker.serve())
    finally:
        worker.close()


class FixConnection(asyncio.Protocol):
    """One connection's bytes to the session, and the session's bytes to it."""

    def __init__(self, session: Fix, store: SequenceStore | None, clock: Clock = now_ns) -> None:
        self.session = session
        self.store = store
        self.clock = clock
        self.loop = asyncio.get_running_loop()
        self.closed: asyncio.Future[None] = self.loop.create_future()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are asyncio's in all but their bases.
        self._transport = cast(asyncio.Transport, transport)
        self.session.connected(self.clock())
        self.run()

    def data_received(self, data: bytes) -> None:
        self.session.receive_data(data, 0, self.clock())
        self.run()

    def connection_lost(self, _: Exception | None) -> None:
        self._transport = None
        self.session.disconnected()
        self.run()
        if not self.closed.done():
            self.closed.set_result(None)

    def run(self) -> None:
        """Send what is due, keep the numbers first, and come back at the next deadline."""
        now = self.clock()
        frames = self.session.data_to_send(now)
        if self.store is not None:
            self.store.save(self.session.next_sequence_out, self.session.next_expected_sequence)
        for event in self.session.take_events():
            log.info("fix " + event.kind.replace("_", " "), text=event.text)
        if self._transport is not None:
            self._transport.writelines(frames)
            if self.session.should_close:
                self._transport.close()
        self._arm(now)

    def logout(self) -> None:
        """Say good-bye; `closed` follows."""
        self.session.logout(self.clock())
        self.run()

    def _arm(self, now: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = self.session.next_deadline(now)
        if deadline != DEADLINE_NEVER and self._transport is not None:
            self._timer = self.loop.call_later(max(deadline - now, 0) / SECOND, self.run)


class FixFeed:
    """A feed's pipeline, and the connection that fills it.

    Args:
        segment: where it publishes; the caller's own.

    Raises:
        FeedError: the identity or its sequence file is in use, or the file is unusable.
    """

    def __init__(
        self,
        config: FeedConfig,
        segment: Mapping,
        *,
        ringer: DoorbellRinger | None = None,
        clock: Clock = now_ns,
    ) -> None:
        if config.fix is None:
            raise FeedError(f"feed {config.name!r}: needs its [feeds.fix] table")
        self.config = config
        self.fix: FixConfig = config.fix
        self.clock = clock
        self.tls = client_context(self.fix.tls_ca) if self.fix.tls else None
        self._claim = claim_identity(config, self.fix)
        try:
            self.store = open_store(self.fix)
        except BaseException:
            self._claim.close()
            raise
        self.pipeline = build(
            segment,
            config.protocol,
            "fix",
            session_date(config, session_day(clock(), config.timezone)),
            venue=config.venue,
            currency=config.currency,
            timezone=config.timezone,
            symbology=config.symbology,
            rules=config.filter,
            ringer=ringer,
            size_exponent=self.fix.size_decimals,
            session_options=session_options(self.fix, self.store),
            protocol_options={"top_of_book": self.fix.depth == 1},
        )
        session = self.pipeline.session
        assert isinstance(session, Fix)
        self.session = session
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Stay connected until `stop`; then log out."""
        attempt = 0
        while not self._stop.is_set():
            if await self._connect(attempt):
                attempt = 0
            await self._pause(min(BACKOFF_FIRST * 2.0**attempt, BACKOFF_MOST))
            attempt += 1

    def stop(self) -> None:
        """Let `run` say good-bye and return. May be called by a signal handler of the loop."""
        self._stop.set()

    def close(self) -> None:
        """Give the numbers' file and the identity back."""
        if self.store is not None:
            self.store.close()
        self._claim.close()

    async def _connect(self, attempt: int) -> bool:
        """One connection until it ends; whether it got as far as a logon."""
        lines = self.config.lines
        host, port = parse_address(lines[attempt % len(lines)])
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                _, connection = await loop.create_connection(
                    lambda: FixConnection(self.session, self.store, self.clock),
                    host,
                    port,
                    ssl=self.tls,
                    server_hostname=(self.fix.tls_name or host) if self.fix.tls else None,
                )
        except (OSError, TimeoutError) as error:
            log.warning(
                "fix cannot connect", address=f"{host}:{port}", reason=refusal(error, ADVICE)
            )
            return False
        before = self.session.last_packet_ns
        await self._until_closed(connection)
        return self.session.last_packet_ns > before

    async def _until_closed(self, connection: FixConnection) -> None:
        stop: asyncio.Future[bool] = asyncio.ensure_future(self._stop.wait())
        ends: set[asyncio.Future[Any]] = {stop, connection.closed}
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if not connection.closed.done():
            connection.logout()
            await connection.closed
        stop.cancel()

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stop.wait()


class FixWorker:
    """A feed in its segment, with its signs of life."""

    def __init__(self, config: FeedConfig, context: FeedContext, clock: Clock = now_ns) -> None:
        self.config = config
        self.clock = clock
        self.state = counters.STARTING
        self.mapping = attach(context.segment, KIND_FEED, boot_id=context.boot_id, writable=True)
        self.heartbeat = Heartbeat(self.mapping)
        self.epoch = self.heartbeat.take_over(os.getpid(), clock())
        self.heartbeat.set_state(self.state)
        self.feed = FixFeed(config, self.mapping, ringer=ringer_of(context), clock=clock)
        self.rows_adopted = self.feed.pipeline.market.adopt_rows(rebuild=False)
        set_patience(self.heartbeat, config, silence_ns(self.feed.fix.heartbeat))

    async def serve(self) -> None:
        """Receive, publish and beat until SIGTERM or SIGINT."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.feed.stop)
        log.info("feed started", feed=self.config.name, epoch=self.epoch, rows=self.rows_adopted)
        beating = asyncio.create_task(self._beat())
        try:
            await self.feed.run()
        finally:
            beating.cancel()

    def close(self) -> None:
        """Let readers know that nobody feeds this feed now."""
        self.feed.close()
        self.heartbeat.set_state(counters.STALE)
        log.info("feed stopped", feed=self.config.name)

    async def _beat(self) -> None:
        while True:
            self.heartbeat.beat(self.clock())
            self.heartbeat.heard(self.feed.session.last_packet_ns)
            state = self._state()
            if state != self.state:
                self.state = state
                self.heartbeat.set_state(state)
                log.info("feed " + self.heartbeat.state, feed=self.config.name)
            await asyncio.sleep(BEAT)

    def _state(self) -> int:
        """A FeedLiveness (layout.pxd): a session that is logged on is tested when it is silent."""
        session = self.feed.session
        if session.phase is Phase.LOGGED_ON:
            return counters.RECOVERING if session.recovering else counters.LIVE
        return counters.STALE if session.last_packet_ns else counters.STARTING


def claim_identity(config: FeedConfig, fix: FixConfig) -> socket.socket:
    """The right to log on under an identity: an abstract socket, which the kernel frees with its
    owner, whatever happens.

    Raises:
        FeedError: another process of this machine has it.
    """
    identity = f"{fix.begin_string} {fix.sender} {fix.target} {sorted(config.lines)}"
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        claim.bind("\0ticker.fix." + hashlib.sha256(identity.encode()).hexdigest()[:32])
    except OSError as error:
        claim.close()
        if error.errno != errno.EADDRINUSE:
            raise FeedError(f"feed {config.name!r}: no name for its session ({error})") from None
        raise FeedError(
            f"feed {config.name!r}: another process is logged on to {', '.join(config.lines)} as "
            f"{fix.sender!r}, and a venue takes an identity once; stop `ticker serve` (or `ticker "
            "feed test`) first, or name another fix.sender that the venue knows"
        ) from None
    return claim


def open_store(fix: FixConfig) -> SequenceStore | None:
    """The file of the session's numbers, if it keeps them. Raises FeedError."""
    if fix.sequence_file is None:
        return None
    identity = f"{fix.begin_string} {fix.sender} {fix.target}"
    return SequenceStore(Path(fix.sequence_file), identity)


def session_options(fix: FixConfig, store: SequenceStore | None) -> FixOptions:
    """What the configuration says, as the session wants it."""
    return FixOptions(
        sender=fix.sender,
        target=fix.target,
        begin_string=fix.begin_string,
        heartbeat_ns=fix.heartbeat * SECOND,
        username=fix.username,
        password=os.environ.get(fix.password_env, "") if fix.password_env else "",
        logon_fields=tuple((int(tag), value) for tag, value in fix.logon_fields.items()),
        reset_on_logon=fix.reset_on_logon or store is None,
        next_sequence_out=store.next_out if store else 1,
        next_sequence_in=store.next_in if store else 1,
        subscription=Subscription(
            symbols=fix.symbols,
            depth=fix.depth,
            entries=fix.entries,
            incremental=fix.incremental,
            aggregated=fix.aggregated,
            symbols_per_request=fix.symbols_per_request,
        ),
    )

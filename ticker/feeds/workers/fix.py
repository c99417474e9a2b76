"""A FIX feed's worker: one TCP (or TLS) connection, one session, one segment.

The session knows the rules (sessions/fix.py); this connects, reconnects with growing patience,
keeps the sequence numbers in their file before anything is sent, and gives signs of life.

Law: one process of a machine logs on under one identity, `ticker feed test` or a worker: a venue
drops the one or the other, and the numbers of both would be wrong.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import signal
import socket
from pathlib import Path

import structlog
import uvloop

from ticker.clock import Clock, now_ns
from ticker.config import FeedConfig, FixConfig, parse_address
from ticker.errors import FeedError
from ticker.feeds.day import session_day
from ticker.feeds.fix.initiator import FixOptions, Phase
from ticker.feeds.fix.requests import Subscription
from ticker.feeds.sessions.fix import Fix
from ticker.feeds.transports.tls import client_context, refusal
from ticker.feeds.workers.connection import SessionConnection, pause
from ticker.feeds.workers.fix_store import SequenceStore
from ticker.feeds.workers.presence import (
    BEAT,
    SECOND,
    FeedContext,
    Presence,
    build_feed,
    ringer_of,
    silence_ns,
)
from ticker.shm import counters
from ticker.shm.doorbell import DoorbellRinger
from ticker.shm.header import Mapping

log = structlog.get_logger()

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


class FixConnection(SessionConnection[Fix]):
    """Keeps the numbers before they are sent, and tells what happens to the session."""

    def __init__(self, session: Fix, store: SequenceStore | None, clock: Clock = now_ns) -> None:
        super().__init__(session, clock)
        self.store = store

    def about_to_send(self) -> None:
        if self.store is not None:
            self.store.save(self.session.next_sequence_out, self.session.next_expected_sequence)
        for event in self.session.take_events():
            log.info("fix " + event.kind.replace("_", " "), text=event.text)


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
        self.pipeline = build_feed(
            config,
            segment,
            "fix",
            session_day(clock(), config.timezone),
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
            await pause(self._stop, min(BACKOFF_FIRST * 2.0**attempt, BACKOFF_MOST))
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
        await connection.until_closed(self._stop)
        return self.session.last_packet_ns > before


class FixWorker:
    """A feed in its segment, with its signs of life."""

    def __init__(self, config: FeedConfig, context: FeedContext, clock: Clock = now_ns) -> None:
        self.config = config
        self.clock = clock
        self.presence = Presence(config, context, clock)
        self.feed = FixFeed(config, self.presence.segment, ringer=ringer_of(context), clock=clock)
        self.rows_adopted = self.feed.pipeline.market.adopt_rows(rebuild=False)
        self.presence.set_patience(config, silence_ns(self.feed.fix.heartbeat))

    async def serve(self) -> None:
        """Receive, publish and beat until SIGTERM or SIGINT."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.feed.stop)
        self.presence.started(self.rows_adopted)
        beating = asyncio.create_task(self._beat())
        try:
            await self.feed.run()
        finally:
            beating.cancel()

    def close(self) -> None:
        """Let readers know that nobody feeds this feed now."""
        self.feed.close()
        self.presence.stopped()

    async def _beat(self) -> None:
        while True:
            self.presence.heartbeat.beat(self.clock())
            self.presence.heartbeat.heard(self.feed.session.last_packet_ns)
            self.presence.show(self._state())
            await asyncio.sleep(BEAT / SECOND)

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

"""A SoupBinTCP feed's worker: one TCP connection at a time, one session, one segment.

The session knows the rules (sessions/soupbintcp.pyx); this connects, to the backup line after the
first, reconnects with growing patience, publishes what came, and gives signs of life.

A successor with `rebuild` asks for the session from message 1 and shows nothing before it has
caught up with its predecessor; otherwise it goes on with the rows as they are, at the next message.
"""

from __future__ import annotations

import asyncio
import os
import signal

import structlog
import uvloop

from ticker.clock import Clock, now_ns
from ticker.config import FeedConfig, SoupBinTcpConfig, parse_address
from ticker.errors import FeedError
from ticker.feeds.day import midnight_ns, session_day
from ticker.feeds.sessions.soupbintcp import Phase, SoupBinTcp, SoupOptions
from ticker.feeds.transports.reconnect import Backoff
from ticker.feeds.workers.connection import SessionConnection, pause
from ticker.feeds.workers.presence import BEAT, SECOND, FeedContext, Presence, build_feed, ringer_of
from ticker.shm import counters

log = structlog.get_logger()

CONNECT_TIMEOUT = 10.0
REFUSED_WAIT = 30.0
"""s after the server did not take our credentials: asking again at once will not help."""


def run(config: FeedConfig, context: FeedContext) -> None:
    """Serve a feed until SIGTERM or SIGINT.

    Raises:
        SegmentError: the segment is not there or not the expected one.
        FeedError: no such protocol, or a credential that is missing or too long.
    """
    worker = SoupWorker(config, context)
    try:
        uvloop.run(worker.serve())
    finally:
        worker.close()


class SoupConnection(SessionConnection[SoupBinTcp]):
    """Publishes what comes, and tells what happens to the session."""

    def __init__(self, worker: SoupWorker) -> None:
        super().__init__(worker.session, worker.clock)
        self.worker = worker
        self.refused = False

    def received(self, now: int) -> None:
        self.worker.publish(now)

    def about_to_send(self) -> None:
        for event in self.session.take_events():
            log.info("soupbintcp " + event.kind.replace("_", " "), text=event.text)
            self.refused |= event.kind == "login_rejected" and "authorized" in event.text


class SoupWorker:
    """A feed's connection, its pipeline and its signs of life."""

    def __init__(self, config: FeedConfig, context: FeedContext, clock: Clock = now_ns) -> None:
        self.config = config
        self.clock = clock
        self.presence = Presence(config, context, clock)
        self.day = session_day(clock(), config.timezone)
        self.pipeline = build_feed(
            config,
            self.presence.segment,
            "soupbintcp",
            self.day,
            ringer=ringer_of(context),
            session_options=session_options(config, self.presence.resume),
        )
        session = self.pipeline.session
        assert isinstance(session, SoupBinTcp)
        self.session = session
        self.market = self.pipeline.market
        self.rows_adopted = self.market.adopt_rows(rebuild=config.rebuild)
        self.market.set_publishing(not config.rebuild)
        self._stop = asyncio.Event()

    def publish(self, now: int) -> None:
        """Make visible what was received, once there is nothing to catch up with."""
        if not self.market.publishing and self.session.caught_up:
            self.market.set_publishing(True)
        self.market.publish(now)
        if self.market.publishing:
            self.session.save()

    async def serve(self) -> None:
        """Receive, publish and beat until SIGTERM or SIGINT."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        self.presence.started(self.rows_adopted)
        beating = asyncio.create_task(self._beat())
        backoff = Backoff()
        attempt = 0
        try:
            while not self._stop.is_set():
                before = self.session.next_expected_sequence
                refused = await self._connect(attempt)
                if self.session.next_expected_sequence > before:
                    backoff.reset()
                wait = backoff.next()
                await pause(self._stop, max(wait, REFUSED_WAIT) if refused else wait)
                attempt += 1
        finally:
            beating.cancel()

    def close(self) -> None:
        """Let readers know that nobody feeds this feed now."""
        self.presence.stopped()

    async def _connect(self, attempt: int) -> bool:
        """One connection until it ends; whether the server refused us."""
        lines = self.config.lines
        host, port = parse_address(lines[attempt % len(lines)])
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                _, connection = await loop.create_connection(
                    lambda: SoupConnection(self), host, port
                )
        except (OSError, TimeoutError) as error:
            log.warning("soupbintcp cannot connect", address=f"{host}:{port}", reason=str(error))
            return False
        await connection.until_closed(self._stop)
        return connection.refused

    async def _beat(self) -> None:
        while True:
            now = self.clock()
            self.presence.heartbeat.beat(now)
            state = self._state()
            self.presence.show(state)
            if state != counters.LIVE:
                self._follow_the_calendar(now)
            await asyncio.sleep(BEAT / SECOND)

    def _state(self) -> int:
        """A FeedLiveness (layout.pxd). The session closes a connection that is silent."""
        if self.session.ended:
            return counters.ENDED
        if self.session.phase is Phase.LOGGED_IN:
            return counters.LIVE if self.market.publishing else counters.RECOVERING
        return counters.STALE if self.session.last_packet_ns else counters.STARTING

    def _follow_the_calendar(self, now: int) -> None:
        """A session that begins on another day counts its times from that day's midnight."""
        day = session_day(now, self.config.timezone)
        if day != self.day and self.config.date == "today":
            self.day = day
            self.pipeline.protocol.midnight_ns = midnight_ns(day, self.config.timezone)


def session_options(config: FeedConfig, resume: tuple[bytes, int] | None) -> SoupOptions:
    """What the configuration says, as the session wants it. Raises FeedError."""
    soup = config.soupbintcp or SoupBinTcpConfig()
    password = ""
    if soup.password_env is not None:
        if soup.password_env not in os.environ:
            raise FeedError(
                f"feed {config.name!r}: soupbintcp.password_env: set {soup.password_env} in the "
                "environment"
            )
        password = os.environ[soup.password_env]
    return SoupOptions(
        username=soup.username,
        password=password,
        session=soup.session,
        join="start" if config.rebuild else "live",
        resume=None if config.rebuild else resume,
        reached=resume if config.rebuild else None,
        heartbeat_ns=int(config.heartbeat * SECOND),
        silence_ns=int(soup.silence * SECOND),
    )

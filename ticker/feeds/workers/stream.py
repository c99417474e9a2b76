"""The feed worker of a feed that has a `url`: WebSocket, TCP or polled HTTP, on an event loop.

Beside worker.py, which reads datagrams in a loop of its own, this is what `ticker serve` runs
for such a feed; the pipeline behind it is the same. A successor goes on with the rows as they
are: such feeds have nobody to ask for what was missed.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any
from urllib.parse import quote, urlsplit

import structlog
import uvloop

from ticker.clock import Clock, now_ns
from ticker.config import FeedConfig
from ticker.errors import FeedError
from ticker.feeds.day import midnight_ns, session_day
from ticker.feeds.json.mapping import Mapping as JsonMapping
from ticker.feeds.json.mapping import Stream
from ticker.feeds.protocols.json import Json
from ticker.feeds.transports.dialogue import Dialogue
from ticker.feeds.transports.http import HttpTransport
from ticker.feeds.transports.reconnect import stay_connected
from ticker.feeds.transports.tcp import TcpTransport
from ticker.feeds.transports.tls import client_context
from ticker.feeds.transports.websocket import WebSocketTransport
from ticker.feeds.workers.credentials import read_credentials
from ticker.feeds.workers.mappings import load_mapping
from ticker.feeds.workers.pipeline import Pipeline
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

PUBLISH_EVERY = 32
"""Messages taken in a row before they are published; after the last one of a row, always."""
SESSIONS = {"tcp": "jsonstream"}
"""The session of each kind of URL; `framed`, where the transport says what a message is."""


def run(config: FeedConfig, context: FeedContext) -> None:
    """Serve a feed until SIGTERM or SIGINT.

    Raises:
        SegmentError: the segment is not there or not the expected one.
        ConfigError, FeedError: no such mapping, protocol or session, or a credential is missing.
    """
    worker = StreamWorker(config, context)
    try:
        uvloop.run(worker.serve())
    finally:
        worker.close()


class StreamFeed:
    """A feed's pipeline and the transport that fills it; the transport's Sink.

    Args:
        segment: where it publishes; the caller's own.
    """

    def __init__(
        self,
        config: FeedConfig,
        segment: Mapping,
        *,
        ringer: DoorbellRinger | None = None,
        clock: Clock = now_ns,
    ) -> None:
        self.config = config
        self.clock = clock
        self.url = config.url or ""
        self.scheme = urlsplit(self.url).scheme
        self.credentials = read_credentials(config.credentials)
        secure = self.scheme in ("https", "wss")
        self.tls = client_context(config.tls_ca) if secure else None
        self.json_mapping = load_mapping(config.mapping) if config.mapping else None
        self.day = session_day(clock(), config.timezone)
        self.pipeline = self._build(segment, self.json_mapping, ringer)
        self.connections = 0
        self._new_day = asyncio.Event()
        self._unpublished = 0
        self._polls: HttpTransport | None = None

    def _build(
        self, segment: Mapping, mapping: JsonMapping | None, ringer: DoorbellRinger | None
    ) -> Pipeline:
        config = self.config
        return build_feed(
            config,
            segment,
            config.session or SESSIONS.get(self.scheme, "framed"),
            self.day,
            ringer=ringer,
            protocol_options={"mapping": mapping} if mapping else {},
            size_exponent=mapping.size_decimals if mapping else 0,
        )

    @property
    def silence_ns(self) -> int:
        """ns without a sign of life after which the feed is stale."""
        beat = self.config.heartbeat
        if self.scheme in ("http", "https"):
            beat = max(beat, self.config.poll_interval)
        return silence_ns(beat)

    @property
    def heard(self) -> int:
        """The last sign of life, ns, 0: none yet. Where several requests make the whole, that of
        the one that has waited longest: a part that is old makes the feed old."""
        last = self.pipeline.session.last_packet_ns
        return last if self._polls is None else min(last, self._polls.heard)

    async def run(self) -> None:
        """Bring what the feed sends into the pipeline, until cancelled.

        Raises:
            ConfigError: a credential is missing.
        """
        while True:
            work = asyncio.ensure_future(self._transport())
            new_day = asyncio.ensure_future(self._new_day.wait())
            try:
                await asyncio.wait((work, new_day), return_when=asyncio.FIRST_COMPLETED)
                if work.done():
                    work.result()
                self._new_day.clear()
            finally:
                work.cancel()
                new_day.cancel()
                await asyncio.gather(work, new_day, return_exceptions=True)

    def _transport(self) -> Coroutine[Any, Any, None]:
        """What connects, and connects again, for ever."""
        config = self.config
        stream = self.json_mapping.stream if self.json_mapping else Stream()
        url = self.url
        for name, value in self.credentials.items():
            url = url.replace(f"${{{name}}}", quote(value, safe=""))
        if self.scheme in ("http", "https"):
            dialogue = Dialogue(Stream(), (), self.credentials)
            self._polls = HttpTransport(
                url,
                config.symbols,
                feed=config.name,
                interval=config.poll_interval,
                batch=config.batch,
                headers=dialogue.fill(config.headers, ()),
                tls=self.tls,
                shown=self.url.partition("?")[0],
                clock=self.clock,
            )
            return self._polls.run_forever(self)
        dialogue = Dialogue(stream, config.symbols, self.credentials)
        transport: TcpTransport | WebSocketTransport
        if self.scheme == "tcp":
            parts = urlsplit(url)
            transport = TcpTransport(
                parts.hostname or "", parts.port or 0, dialogue, heartbeat=config.heartbeat
            )
        else:
            transport = WebSocketTransport(
                url,
                dialogue,
                heartbeat=config.heartbeat,
                headers=dialogue.fill(config.headers, ()),
                tls=self.tls,
                shown=self.url.partition("?")[0],
            )
        return stay_connected(config.name, lambda: transport.run(self))

    # Sink

    def connected(self) -> None:
        """What a broken connection left unfinished is over; numbers start anew."""
        self.connections += 1
        self.pipeline.session.end_of_data(self.clock())
        if isinstance(self.pipeline.protocol, Json):
            self.pipeline.protocol.connected()
        log.info("feed connected", feed=self.config.name, connection=self.connections)

    def received(self, data: bytes, symbol: str = "") -> None:
        """One message into the pipeline; readers see it when the row of messages ends. `symbol`
        is what was asked for.

        Raises:
            FeedError: what makes the books is lost; they begin anew with a new connection.
        """
        protocol = self.pipeline.protocol
        if symbol and isinstance(protocol, Json):
            protocol.asked_for(symbol)
        self.pipeline.session.receive_data(data, 0, self.clock())
        self._unpublished += 1
        if self._unpublished == 1:
            asyncio.get_running_loop().call_soon(self.publish)
        elif self._unpublished >= PUBLISH_EVERY:
            self.pipeline.market.publish(self.clock())
        if self._polls is None and isinstance(protocol, Json) and protocol.broken:
            raise FeedError("a text is missing in its sequence: books begin anew")

    def alive(self) -> None:
        """An empty message: a sign of life."""
        self.pipeline.session.receive_data(b"", 0, self.clock())

    def publish(self) -> None:
        """Make visible what was received."""
        self._unpublished = 0
        self.pipeline.market.publish(self.clock())

    def follow_the_calendar(self, now: int) -> None:
        """At midnight in the feed's time zone volumes and ranges start over, and so does the
        connection: with a new one come new books."""
        day = session_day(now, self.config.timezone)
        if day == self.day or self.config.date != "today":
            return
        self.day = day
        protocol = self.pipeline.protocol
        protocol.midnight_ns = midnight_ns(day, self.config.timezone)
        if isinstance(protocol, Json):
            protocol.begin_session()
        self._new_day.set()


class StreamWorker:
    """A feed in its segment, with its signs of life."""

    def __init__(self, config: FeedConfig, context: FeedContext, clock: Clock = now_ns) -> None:
        self.config = config
        self.clock = clock
        self.presence = Presence(config, context, clock)
        self.feed = StreamFeed(
            config, self.presence.segment, ringer=ringer_of(context), clock=clock
        )
        self.rows_adopted = self.feed.pipeline.market.adopt_rows(rebuild=False)
        self.presence.set_patience(config, self.feed.silence_ns)

    async def serve(self) -> None:
        """Receive, publish and beat until a signal."""
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopped.set)
        self.presence.started(self.rows_adopted)
        work = [asyncio.ensure_future(self.feed.run()), asyncio.ensure_future(self._beat())]
        stop = asyncio.ensure_future(stopped.wait())
        await asyncio.wait([*work, stop], return_when=asyncio.FIRST_COMPLETED)
        for task in (*work, stop):
            task.cancel()
        for outcome in await asyncio.gather(*work, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome
        self.feed.publish()

    def close(self) -> None:
        """Let readers know that nobody feeds this feed now."""
        self.presence.stopped()

    async def _beat(self) -> None:
        while True:
            now = self.clock()
            self.presence.heartbeat.beat(now)
            self.presence.heartbeat.heard(self.feed.heard)
            self.presence.show(self._state(now))
            self.feed.follow_the_calendar(now)
            await asyncio.sleep(BEAT / SECOND)

    def _state(self, now: int) -> int:
        """A FeedLiveness (layout.pxd)."""
        last = self.feed.heard
        if not last:
            never = self.presence.state == counters.STARTING
            return counters.STARTING if never else counters.STALE
        return counters.STALE if now - last > self.feed.silence_ns else counters.LIVE

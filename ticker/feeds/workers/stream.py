"""The source of a feed that has a `url`: WebSocket, TCP or polled HTTP.

A successor goes on with the rows as they are: such feeds have nobody to ask for what was missed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any
from urllib.parse import quote, urlsplit

import structlog

from ticker.errors import FeedError
from ticker.feeds.json.mapping import Stream
from ticker.feeds.protocols.json import Json
from ticker.feeds.transports.dialogue import Dialogue
from ticker.feeds.transports.http import HttpTransport
from ticker.feeds.transports.reconnect import stay_connected
from ticker.feeds.transports.replies import Replies
from ticker.feeds.transports.tcp import TcpTransport
from ticker.feeds.transports.tls import client_context
from ticker.feeds.transports.websocket import WebSocketTransport
from ticker.feeds.workers import loop
from ticker.feeds.workers.credentials import read_credentials
from ticker.feeds.workers.mappings import load_mapping, options_of
from ticker.feeds.workers.sources import Life, Place, silence_ns
from ticker.shm.counters import Counters

log = structlog.get_logger()

PUBLISH_EVERY = 32
"""Messages taken in a row before they are published; after the last one of a row, always."""


class StreamSource:
    """A feed's transport, and its Sink: what it brings goes into the pipeline.

    Raises:
        ConfigError, FeedError: no such mapping, protocol or session, or a credential is missing.
    """

    joined = True
    rebuilds = False
    recovering = False

    def __init__(self, place: Place) -> None:
        config = place.config
        self.place = place
        self.config = config
        self.clock = place.clock
        self.url = config.url or ""
        self.scheme = urlsplit(self.url).scheme
        self.polled = self.scheme in ("http", "https")
        self.silence_ns = silence_ns(
            max(config.heartbeat, config.poll_interval) if self.polled else config.heartbeat
        )
        self.told: dict[str, object] = {}
        self.credentials = read_credentials(config.credentials)
        secure = self.scheme in ("https", "wss")
        self.tls = client_context(config.tls_ca) if secure else None
        self.mapping = load_mapping(config.mapping) if config.mapping else None
        self.pipeline = place.build(**(options_of(self.mapping) if self.mapping else {}))
        self.connections = 0
        self._polls: HttpTransport | None = None
        self._replies: Replies | None = None
        self._unpublished = 0
        self._damaged = False
        self.counters = Counters(self.pipeline.mapping)

    @property
    def heard(self) -> int:
        """The last sign of life, ns, 0: none yet. Where several requests make the whole, that of
        the one that has waited longest: a part that is old makes the feed old."""
        last = self.pipeline.session.last_packet_ns
        return last if self._polls is None else min(last, self._polls.heard)

    def run(self, life: Life) -> None:
        """Receive and publish until it is time to stop."""
        loop.run(self.work, life)

    async def work(self, stop: asyncio.Event) -> None:
        """Bring what the feed sends into the pipeline, until `stop`.

        Raises:
            ConfigError: a credential is missing.
        """
        transport = asyncio.ensure_future(self._transport())
        stopped = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait((transport, stopped), return_when=asyncio.FIRST_COMPLETED)
            if transport.done():
                transport.result()
        finally:
            transport.cancel()
            stopped.cancel()
            await asyncio.gather(transport, stopped, return_exceptions=True)
            self.publish()

    def close(self) -> None:
        """Nothing is left open."""

    def _transport(self) -> Coroutine[Any, Any, None]:
        """What connects, and connects again, for ever."""
        config = self.config
        stream = self.mapping.stream if self.mapping else Stream()
        url = self.url
        for name, value in self.credentials.items():
            url = url.replace(f"${{{name}}}", quote(value, safe=""))
        if self.polled:
            dialogue = Dialogue(Stream(), (), self.credentials)
            self._replies = self._reply_by(dialogue)
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
        self._replies = self._reply_by(dialogue)
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

    def _reply_by(self, dialogue: Dialogue) -> Replies | None:
        if self.mapping is None:
            return None
        return Replies(
            self.mapping,
            dialogue,
            feed=self.config.name,
            clock=self.clock,
            secrets=self.credentials,
        )

    # Sink

    def connected(self) -> None:
        """What a broken connection left unfinished is over; numbers start anew."""
        self.connections += 1
        self._damaged = False
        self.pipeline.session.end_of_data(self.clock())
        self.pipeline.protocol.connected()
        if self._replies is not None:
            self._replies.connected()
        log.info("feed connected", feed=self.config.name, connection=self.connections)

    def received(self, data: bytes, symbol: str = "") -> None:
        """One message into the pipeline; readers see it when the row of messages ends. `symbol`
        is what was asked for.

        Raises:
            FeedError: what makes the books is lost; they begin anew with a new connection.
        """
        protocol = self.pipeline.protocol
        if symbol:
            protocol.asked_for(symbol)
        self.pipeline.session.receive_data(data, 0, self.clock())
        self._unpublished += 1
        if self._unpublished == 1:
            asyncio.get_running_loop().call_soon(self.publish)
        elif self._unpublished >= PUBLISH_EVERY:
            self.pipeline.market.publish(self.clock())
        if self.polled:
            self._listen()
        elif protocol.broken:
            raise FeedError("a text is missing in its sequence: books begin anew")

    def _listen(self) -> None:
        """A request has its answer already: what a server refuses goes to the log."""
        protocol = self.pipeline.protocol
        if self._replies is not None and isinstance(protocol, Json) and protocol.told:
            self._replies.listen(protocol)

    def answers(self) -> Iterable[str]:
        """What the vendor wants to hear now; what it refuses is in the log."""
        protocol = self.pipeline.protocol
        if self._replies is None or not isinstance(protocol, Json):
            return ()
        return self._replies.to(protocol)

    def unreadable(self, why: str) -> None:
        """Count a compressed message that is none, or too long."""
        self.counters.add("bad_frames")
        if not self._damaged:
            log.warning("feed sends what cannot be read", feed=self.config.name, reason=why)
        self._damaged = True

    def alive(self) -> None:
        """An empty message: a sign of life."""
        self.pipeline.session.receive_data(b"", 0, self.clock())

    def publish(self) -> None:
        """Make visible what was received."""
        self._unpublished = 0
        self.pipeline.market.publish(self.clock())

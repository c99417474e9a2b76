"""The source of a feed that has a `url`: WebSocket, TCP or polled HTTP.

A successor goes on with the rows as they are: these feeds have no server for missed messages.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any
from urllib.parse import quote, urlsplit

import structlog

from ticker.errors import FeedError
from ticker.feeds.images.keeper import Keeper
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
from ticker.feeds.workers.sources import SECOND, Life, Place, silence_ns
from ticker.feeds.workers.vigil import Findings
from ticker.shm.counters import Counters
from ticker.shm.layout import StaleReason

log = structlog.get_logger()

PUBLISH_EVERY = 32
"""The most messages taken in a row before they are published."""
EVENTS = ("trades", "uncounted_prints", "quotes", "status_changes", "corrections", "breaks")
"""Counters of usable messages, by protocol."""


class StreamSource:
    """A feed's transport and its Sink, which passes messages to the pipeline.

    Raises:
        ConfigError, FeedError: no such mapping, protocol or session, or a credential is missing.
    """

    joined = True  # between two connections the last message decides
    rebuilds = keeps_images = False
    keeper: Keeper | None = None
    recovering = False

    def __init__(self, place: Place) -> None:
        config = place.config
        self.place = place
        self.config = config
        self.clock = place.clock
        self.url = config.url or ""
        self.scheme = urlsplit(self.url).scheme
        self.polled = self.scheme in ("http", "https")
        self.silence_ns = (
            int(config.stale_after * SECOND) if config.stale_after is not None
            else silence_ns(
                max(config.heartbeat, config.poll_interval) if self.polled else config.heartbeat
            )
        )  # fmt: skip
        self.told: dict[str, object] = {}
        self.credentials = read_credentials(config.credentials)
        self.findings = Findings(tuple(self.credentials.values()))
        self.used = 0
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
        """The time of the last usable message, ns, 0: none yet. Of several requests the one that
        has waited longest counts: if one part is old, the feed is."""
        return self.used if self._polls is None else min(self.used, self._polls.heard)

    def run(self, life: Life) -> None:
        """Receive and publish until it is time to stop."""
        loop.run(self.work, life)

    async def work(self, stop: asyncio.Event) -> None:
        """Pass the feed's messages to the pipeline, until `stop`.

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
        """Does nothing: the loop has closed everything."""

    def _transport(self) -> Coroutine[Any, Any, None]:
        """The transport, which connects again and again."""
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
                redirects=config.redirects,
                proxy=config.proxy,
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
                redirects=config.redirects,
                proxy=config.proxy,
            )
        return stay_connected(config.name, transport, self)

    def _reply_by(self, dialogue: Dialogue) -> Replies | None:
        if self.mapping is None:
            return None
        return Replies(
            self.mapping,
            dialogue,
            feed=self.config.name,
            clock=self.place.steady,
            secrets=self.credentials,
        )

    # Sink

    def connected(self) -> None:
        """Forget the unfinished message of the last connection; sequence numbers start anew."""
        self.connections += 1
        self._damaged = False
        self.pipeline.session.end_of_data(self.clock())
        self.pipeline.protocol.connected()
        if self._replies is not None:
            self._replies.connected()
        log.info("feed connected", feed=self.config.name, connection=self.connections)

    def failed(self, why: str) -> None:
        """Note that there is no connection, or no usable answer."""
        self.findings.note(StaleReason.WHY_NOT_CONNECTED, why, self.place.steady())

    def received(self, data: bytes, symbol: str = "") -> bool:
        """Pass one message to the pipeline; readers see it after the last one of a row. `symbol` is
        the requested one, if any. Returns whether something in it was usable.

        Raises:
            FeedError: messages of the books are lost; the books begin anew with a new connection.
        """
        protocol = self.pipeline.protocol
        if symbol:
            protocol.asked_for(symbol)
        useful = self._take(data, self.clock())
        self._unpublished += 1
        if self._unpublished == 1:
            asyncio.get_running_loop().call_soon(self.publish)
        elif self._unpublished >= PUBLISH_EVERY:
            self.pipeline.market.publish(self.clock())
        if self.polled:
            self._listen()
        elif protocol.broken:
            raise FeedError("a text is missing in its sequence: books begin anew")
        return useful

    def _take(self, data: bytes, now: int) -> bool:
        """Pass bytes to the pipeline; returns whether something in them was usable."""
        session = self.pipeline.session
        before, messages = self._use(), session.next_expected_sequence
        well = self._says_well()
        session.receive_data(data, 0, now)
        if self._use() != before:
            self.used = now
            self.findings.use(self.place.steady())
            return True
        if self._says_well() != well and not self.findings.refused:
            self.used = now
            return True
        if session.next_expected_sequence != messages:
            protocol = self.pipeline.protocol
            why = protocol.useless if isinstance(protocol, Json) else StaleReason.WHY_SKIPPED
            if why:
                self.findings.note(StaleReason(why), data, self.place.steady())
        return False

    def _says_well(self) -> int:
        """The number of the vendor's signs that it is well."""
        protocol = self.pipeline.protocol
        return protocol.alive if isinstance(protocol, Json) else 0

    def _use(self) -> int:
        """The number of usable messages: of texts, or by the counters of another protocol."""
        protocol = self.pipeline.protocol
        if isinstance(protocol, Json):
            return protocol.useful
        return sum(self.counters[name] for name in EVENTS)

    def _listen(self) -> None:
        """Log refusals, for requests that have their answer already."""
        protocol = self.pipeline.protocol
        if self._replies is not None and isinstance(protocol, Json) and protocol.told:
            self._replies.listen(protocol)

    def answers(self) -> Iterable[str]:
        """The texts to send to the vendor now; its refusals are logged."""
        protocol = self.pipeline.protocol
        if self._replies is None or not isinstance(protocol, Json):
            return ()
        return self._replies.to(protocol)

    def unreadable(self, why: str, *, too_long: bool = False) -> None:
        """Count a message that is none, or too long."""
        self.counters.add("bad_frames")
        if too_long:
            self.counters.add("too_long")
        reason = StaleReason.WHY_TOO_LONG if too_long else StaleReason.WHY_UNREADABLE
        self.findings.note(reason, why, self.place.steady())
        if not self._damaged:
            log.warning("feed sends what cannot be read", feed=self.config.name, reason=why)
        self._damaged = True

    def alive(self) -> None:
        """Note a ping or a pong: it proves a connection, but not prices."""
        self.pipeline.session.receive_data(b"", 0, self.clock())
        self.findings.note(StaleReason.WHY_ONLY_PINGS, "", self.place.steady())

    def confirmed(self) -> None:
        """Note that the vendor confirmed its last message, so its prices are valid."""
        self.used = self.clock()
        self.findings.use(self.place.steady())
        self.pipeline.session.receive_data(b"", 0, self.used)

    def publish(self) -> None:
        """Publish the received messages."""
        self._unpublished = 0
        self.pipeline.market.publish(self.clock())

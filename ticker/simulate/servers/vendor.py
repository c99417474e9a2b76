"""A simulated vendor on the network: a WebSocket server that streams a market as JSON.

The dialogue is Alpaca's: success, auth, subscribe, then arrays of records; any key will do. A
subscription names symbols or "*" per channel. Bound: a client that is QUEUE batches behind is
closed (1008), as vendors do; the other clients do not notice.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec
from aiohttp import WSMsgType, web

from ticker.errors import FeedError
from ticker.feeds.day import midnight_ns, session_day
from ticker.simulate.speakers.alpaca import AlpacaMarket, Event

QUEUE = 1000
TURN = 0.005  # s between two batches
CHANNELS = ("trades", "quotes", "statuses")


@dataclass(frozen=True, kw_only=True)
class VendorSettings:
    """The settings of a simulated vendor; `rate` is in messages of the market per s."""

    symbols: int = 200
    rate: float = 2000.0
    seed: int = 1
    listen: tuple[str, int] = ("127.0.0.1", 26497)


@dataclass(eq=False)
class Client:
    """One connection, with its waiting texts."""

    queue: asyncio.Queue[bytes | None] = field(default_factory=lambda: asyncio.Queue(QUEUE))
    authenticated: bool = False
    wanted: dict[str, set[str]] = field(default_factory=lambda: {name: set() for name in CHANNELS})
    slow: bool = False

    def put(self, text: bytes) -> None:
        try:
            self.queue.put_nowait(text)
        except asyncio.QueueFull:
            self.slow = True

    def wants(self, event: Event) -> bool:
        channel, symbol, _ = event
        wanted = self.wanted[channel]
        return symbol in wanted or "*" in wanted


class Vendor:
    """Sends until told to stop. Without a client, the market's messages are dropped."""

    def __init__(self, settings: VendorSettings) -> None:
        self.settings = settings
        self.clients: set[Client] = set()
        self.connections = self.records = self.slow = 0
        self.market = self._market()

    def _market(self) -> AlpacaMarket:
        settings, now = self.settings, time.time_ns()
        midnight = midnight_ns(session_day(now))
        return AlpacaMarket(
            settings.symbols, settings.seed, settings.rate, now - midnight, midnight
        )

    def run(
        self, stopping: Callable[[], bool], duration: float | None = None, linger: float = 0.3
    ) -> None:
        """Serve until `stopping()` or for `duration` seconds; `linger`: until clients have all.

        Raises:
            FeedError: the address cannot be listened on.
        """
        asyncio.run(self._serve(stopping, duration, linger))

    def statistics(self) -> dict[str, object]:
        """Counts: messages of the market, connections, records sent, clients closed as slow."""
        return {
            "messages": self.market.said,
            "connections": self.connections,
            "records": self.records,
            "slow": self.slow,
        }

    async def _serve(
        self, stopping: Callable[[], bool], duration: float | None, linger: float
    ) -> None:
        app = web.Application()
        app.router.add_get("/{path:.*}", self._accept)
        runner = web.AppRunner(app, shutdown_timeout=1.0)
        await runner.setup()
        host, port = self.settings.listen
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            await runner.cleanup()
            raise FeedError(
                f"{host}:{port}: {error.strerror}; "
                "stop what uses the port, or give another --listen"
            ) from None
        try:
            await self._speak(stopping, duration)
            await self._drain(linger)
        finally:
            await runner.cleanup()

    async def _speak(self, stopping: Callable[[], bool], duration: float | None) -> None:
        started = time.monotonic()
        while not stopping():
            passed = time.monotonic() - started
            if duration is not None and passed >= duration:
                return
            due = int(passed * self.settings.rate) - self.market.said
            if due > 0:
                self._publish(self.market.events(min(due, 5000)))
            await asyncio.sleep(TURN)

    def _publish(self, events: list[Event]) -> None:
        for client in self.clients:
            due = [event[2] for event in events if client.wants(event)]
            if due:
                client.put(b"[" + b",".join(due) + b"]")
                self.records += len(due)

    async def _drain(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        for client in self.clients:
            client.put(b"")
        while self.clients and time.monotonic() < end:
            await asyncio.sleep(TURN)

    async def _accept(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        if not socket.can_prepare(request).ok:
            return web.Response(status=426, text="a WebSocket is here\n")
        await socket.prepare(request)
        client = Client()
        self.clients.add(client)
        self.connections += 1
        client.put(b'[{"T":"success","msg":"connected"}]')
        sender = asyncio.create_task(self._send(client, socket))
        try:
            async for message in socket:
                if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    client.put(self._answer(client, message.data))
        finally:
            self.clients.discard(client)
            sender.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sender
        return socket

    async def _send(self, client: Client, socket: web.WebSocketResponse) -> None:
        """Send the queued texts, until the end (an empty text) or the timeout of the client."""
        with contextlib.suppress(ConnectionError):
            while not client.slow:
                text = await client.queue.get()
                if not text:
                    await socket.close(code=1001, message=b"the market is closed")
                    return
                await socket.send_str(text.decode())
            self.slow += 1
            await socket.close(code=1008, message=b"slow client")

    def _answer(self, client: Client, data: str | bytes) -> bytes:
        """The vendor's answer to a client's text."""
        try:
            asked = msgspec.json.decode(data, type=dict[str, object])
        except (msgspec.DecodeError, msgspec.ValidationError):
            return b'[{"T":"error","code":400,"msg":"invalid syntax"}]'
        action = asked.get("action")
        if action == "auth":
            client.authenticated = True
            return b'[{"T":"success","msg":"authenticated"}]'
        if not client.authenticated:
            return b'[{"T":"error","code":401,"msg":"not authenticated"}]'
        if action not in ("subscribe", "unsubscribe"):
            return b'[{"T":"error","code":400,"msg":"invalid syntax"}]'
        for channel in CHANNELS:
            named = asked.get(channel, [])
            symbols = set(map(str, named)) if isinstance(named, list) else set()
            if action == "subscribe":
                client.wanted[channel] |= symbols
            else:
                client.wanted[channel] -= symbols
        lists = {channel: sorted(client.wanted[channel]) for channel in CHANNELS}
        return msgspec.json.encode([{"T": "subscription", **lists}])

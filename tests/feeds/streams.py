"""Fixtures of the tests of feeds with a url: real servers, and a feed in private memory."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from aiohttp import web

from ticker import units
from ticker.config import FeedConfig
from ticker.feeds.workers.loop import drive
from ticker.feeds.workers.presence import PrivateContext
from ticker.feeds.workers.stream import StreamSource
from ticker.feeds.workers.worker import FeedWorker
from ticker.shm.segment import Geometry, private_feed
from ticker.shm.table import PriceTable

GEOMETRY = Geometry(rows=64, rings=1, ring_capacity=1024)


def config(url: str, **keys: Any) -> FeedConfig:
    keys = {"mapping": "plain", "symbols": ("AAPL", "MSFT"), "heartbeat": 0.1, **keys}
    return FeedConfig(name="test", protocol="json", venue="XNAS", url=url, **keys)


def tick(price: str, symbol: str = "AAPL", ms: int = 1) -> str:
    return f'{{"sym":"{symbol}","px":{price},"ts":{1_700_000_000_000 + ms}}}'


class Prices:
    """What a feed has published."""

    def __init__(self, segment: Any) -> None:
        self.table = PriceTable(segment)

    def __call__(self) -> dict[str, str]:
        found = {}
        for row in range(len(self.table)):
            values = self.table.values(row)
            assert values is not None
            found[self.table.symbol(row)] = units.format_price(values["price"])
        return found


@contextlib.asynccontextmanager
async def serving(app: web.Application, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """An aiohttp server on a free port; its address without a scheme."""
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    host, port = runner.addresses[0][:2]
    try:
        yield f"{host}:{port}"
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def working(worker: FeedWorker) -> AsyncIterator[Any]:
    """A worker of a feed on this test's own event loop; its source."""
    source: Any = worker.source
    work = asyncio.ensure_future(drive(source.work, worker))
    try:
        yield source
    finally:
        worker.stop()
        await work
        worker.close()


@contextlib.asynccontextmanager
async def listening(configured: FeedConfig) -> AsyncIterator[tuple[StreamSource, Prices]]:
    """A feed at work in private memory."""
    segment = private_feed(GEOMETRY, 1, 1)
    async with working(FeedWorker(configured, PrivateContext(segment))) as source:
        yield source, Prices(segment)


async def until(what: Callable[[], Any]) -> None:
    async with asyncio.timeout(20):
        while not what():
            await asyncio.sleep(0.005)


Handler = Callable[[web.WebSocketResponse], Awaitable[None]]


def websocket_app(handler: Handler, **options: Any) -> web.Application:
    async def accept(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(**options)
        await socket.prepare(request)
        await handler(socket)
        return socket

    app = web.Application()
    app.router.add_get("/", accept)
    return app

"""aiohttp as most people write it: a set of WebSocketResponse per symbol, and `await
ws.send_str(...)` for each of them.

Settings: run twice, with asyncio's own loop, as its documentation begins ("Server Quickstart"),
and with uvloop, which it offers for speed ("Server Deployment": GunicornUVLoopWebWorker); no
compression, since the clients offer none; access log off.
"""

from __future__ import annotations

import asyncio
import sys
from collections import defaultdict

import uvloop
from aiohttp import web
from tick_lines import asked, read_ticks, snapshot

subscribers: defaultdict[str, set[web.WebSocketResponse]] = defaultdict(set)


async def stream(request: web.Request) -> web.WebSocketResponse:
    ws = web.WebSocketResponse()
    await ws.prepare(request)
    try:
        async for message in ws:
            for symbol in asked(message.data):
                if (price := snapshot(symbol)) is not None:
                    await ws.send_str(price)
                subscribers[symbol].add(ws)
    finally:
        for each in subscribers.values():
            each.discard(ws)
    return ws


async def publish(symbol: str, message: str) -> None:
    for ws in list(subscribers[symbol]):
        try:
            await ws.send_str(message)
        except ConnectionError:
            subscribers[symbol].discard(ws)


async def main(port: int, tick_port: int) -> None:
    app = web.Application()
    app.router.add_get("/stream", stream)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=4096).start()
    await read_ticks(tick_port, publish)
    await asyncio.Event().wait()


if __name__ == "__main__":
    run = asyncio.run if sys.argv[3:] == ["asyncio"] else uvloop.run
    run(main(int(sys.argv[1]), int(sys.argv[2])))

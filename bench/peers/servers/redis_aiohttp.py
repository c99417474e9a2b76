"""Redis pub/sub behind aiohttp: ticks are published to Redis, one task reads the channels and
sends each message to the WebSockets that subscribed; the newest price of each symbol is kept
for snapshots.

Settings: redis-py with hiredis ("Performance": the parser in C is taken when it is installed)
and one connection for all channels; redis-server without persistence (`save ""`,
`appendonly no`, redis.io, "Redis persistence"), its default client-output-buffer-limit for
pub/sub lifted, so that it does not close the reader when that falls behind for a moment;
aiohttp with uvloop, as in naive_aiohttp.py. redis-server and the application share the one core,
as ours and its peers have one; the CPU of both counts.
"""

from __future__ import annotations

import sys

import redis.asyncio as redis
import uvloop
from aiohttp import web
from naive_aiohttp import publish, stream
from tick_lines import last


async def relay(redis_port: int, site: web.TCPSite) -> None:
    """Every message of every price channel to its subscribers; clients are let in once Redis
    has confirmed."""
    client = redis.Redis(host="127.0.0.1", port=redis_port, decode_responses=True)
    async with client, client.pubsub() as channels:
        await channels.psubscribe("*")
        async for message in channels.listen():
            if message["type"] == "psubscribe":
                await site.start()
            elif message["type"] == "pmessage":
                last[message["channel"]] = message["data"]
                await publish(message["channel"], message["data"])


async def main(port: int, redis_port: int) -> None:
    app = web.Application()
    app.router.add_get("/stream", stream)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await relay(redis_port, web.TCPSite(runner, "127.0.0.1", port, backlog=4096))


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), int(sys.argv[2])))

"""python-websockets with `broadcast`.

Settings, after websockets.readthedocs.io: "broadcast() is the most efficient way to send a
message to many clients" and "You can make a websockets application faster by running it with
uvloop" ("Performance"); compression=None ("Compression": it costs memory and CPU; "Memory and
buffers" advises to turn it off first); keepalive as it is by default; the C extension is built.
"""

from __future__ import annotations

import asyncio
import sys
from collections import defaultdict

import uvloop
from tick_lines import asked, read_ticks, snapshot
from websockets.asyncio.server import ServerConnection, broadcast, serve

subscribers: defaultdict[str, set[ServerConnection]] = defaultdict(set)


async def stream(connection: ServerConnection) -> None:
    try:
        async for text in connection:
            for symbol in asked(text):
                if (price := snapshot(symbol)) is not None:
                    await connection.send(price)
                subscribers[symbol].add(connection)
    finally:
        for each in subscribers.values():
            each.discard(connection)


async def publish(symbol: str, message: str) -> None:
    broadcast(subscribers[symbol], message)


async def main(port: int, tick_port: int) -> None:
    await read_ticks(tick_port, publish)
    async with serve(stream, "127.0.0.1", port, compression=None, backlog=4096):
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), int(sys.argv[2])))

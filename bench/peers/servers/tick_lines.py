"""What the servers in Python share: ticks by line on a TCP port, the price of each symbol, and
the commands of a client. A line is the symbol, a space and the message.

With PEER_TIMER_MS in the environment, ticks are published by a timer: all that came since the last
turn, in one turn of the loop. Each message is still a write of its own: neither aiohttp nor
websockets has a call that writes several messages to a client, so a timer saves them little."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable

Publish = Callable[[str, str], Awaitable[None]]
TIMER = float(os.environ.get("PEER_TIMER_MS", "0")) / 1e3  # s between two turns; 0: no timer
last: dict[str, str] = {}
timers: list[asyncio.Task[None]] = []  # a loop keeps no task alive by itself


def snapshot(symbol: str) -> str | None:
    """The newest price of a symbol as a snapshot."""
    message = last.get(symbol)
    return message and message.replace('"update"', '"snapshot"', 1)


def asked(text: str) -> list[str]:
    """The symbols of a subscribe command."""
    command = json.loads(text)
    return command["symbols"] if command["action"] == "subscribe" else []


async def read_ticks(port: int, publish: Publish) -> asyncio.Server:
    """Take ticks on 127.0.0.1:port and publish each, at once or by the timer."""
    due: list[tuple[str, str]] = []

    async def publish_by_timer() -> None:
        loop = asyncio.get_running_loop()
        turn = loop.time()
        while True:
            turn = max(turn + TIMER, loop.time())
            await asyncio.sleep(turn - loop.time())
            came, due[:] = due[:], []
            for symbol, message in came:
                await publish(symbol, message)

    if TIMER:
        timers.append(asyncio.create_task(publish_by_timer()))

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        rest = b""
        while got := await reader.read(65536):
            *lines, rest = (rest + got).split(b"\n")
            for line in lines:
                symbol, _, message = line.decode().partition(" ")
                last[symbol] = message
                if TIMER:
                    due.append((symbol, message))
                else:
                    await publish(symbol, message)
        writer.close()

    return await asyncio.start_server(take, "127.0.0.1", port)

"""What the servers in Python share: ticks by line on a TCP port, the price of each symbol, and
the commands of a client. A line is the symbol, a space and the message."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

Publish = Callable[[str, str], Awaitable[None]]
last: dict[str, str] = {}


def snapshot(symbol: str) -> str | None:
    """The newest price of a symbol as a snapshot."""
    message = last.get(symbol)
    return message and message.replace('"update"', '"snapshot"', 1)


def asked(text: str) -> list[str]:
    """The symbols of a subscribe command."""
    command = json.loads(text)
    return command["symbols"] if command["action"] == "subscribe" else []


async def read_ticks(port: int, publish: Publish) -> asyncio.Server:
    """Take ticks on 127.0.0.1:port and publish each."""

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        rest = b""
        while got := await reader.read(65536):
            *lines, rest = (rest + got).split(b"\n")
            for line in lines:
                symbol, _, message = line.decode().partition(" ")
                last[symbol] = message
                await publish(symbol, message)
        writer.close()

    return await asyncio.start_server(take, "127.0.0.1", port)

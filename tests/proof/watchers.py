"""Clients of a server, of both dialects, and what each was told of a symbol."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import aiohttp

CHANNELS = ("price", "quote", "trades")
OF_THE_DAY = ("volume", "trades", "open", "high", "low", "official_close", "extended_price")
FIGURES = ("price", *OF_THE_DAY)
Message = dict[str, Any]


def exactly(text: str | bytes) -> Any:
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


async def asked(url: str) -> Any:
    """What REST says to one question, on a connection of its own: any gateway may answer it."""
    async with aiohttp.ClientSession() as http, http.get(url) as answer:
        return exactly(await answer.text())


async def until(condition: Callable[[], object], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


class Watcher:
    """One connection, subscribed to `symbols` on all channels that its dialect has.

    No message that it is told may go back in `seq` or time on one channel.
    """

    def __init__(self, url: str, symbols: list[str], *, plain: bool = False) -> None:
        self.plain = plain
        self.told: dict[tuple[str, str], list[Message]] = defaultdict(list)
        """By channel and symbol, in order; trades, corrections and cancels are under `trades`."""
        self.wrong: list[str] = []
        self._url = url.replace("http", "ws") + "stream"
        self._symbols = symbols
        self._subscribed = asyncio.Event()
        self._task = asyncio.create_task(self._follow())

    async def ready(self) -> None:
        async with asyncio.timeout(20):
            await self._subscribed.wait()

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def last(self, channel: str, symbol: str) -> Message | None:
        told = self.told[channel, symbol]
        return told[-1] if told else None

    def agrees(self, symbol: str, wanted: Message) -> bool:
        """Whether the newest of each channel says the figures of `wanted`."""
        price = self.last("price", symbol)
        if price is None or price["price"] != wanted["price"]:
            return False
        quote = self.last("quote", symbol)
        return self.plain or (
            quote is not None and {name: quote.get(name) for name in FIGURES} == wanted
        )

    async def _follow(self) -> None:
        protocols = () if self.plain else ("ticker.v1.json",)
        async with (
            aiohttp.ClientSession() as http,
            http.ws_connect(self._url, protocols=protocols) as socket,
        ):
            for channel in CHANNELS[:1] if self.plain else CHANNELS:
                command = {"action": "subscribe", "channel": channel, "symbols": self._symbols}
                await socket.send_json(command)
            if self.plain:
                self._subscribed.set()
            async for message in socket:
                self._take(exactly(message.data))

    def _take(self, message: Message) -> None:
        kind = message["type"]
        if kind == "subscribed" and message.get("channel") == CHANNELS[-1]:
            self._subscribed.set()
        if kind in ("error", "lagged"):
            self.wrong.append(str(message))
        if kind not in ("snapshot", "update", "correction", "cancel"):
            return
        told = self.told[message.get("channel", "price"), message["symbol"]]
        for name in ("seq", "timestamp") if told else ():
            if (not self.plain or name != "seq") and message[name] < told[-1][name]:
                self.wrong.append(f"{name} went back: {told[-1]}, {message}")
        told.append(message)

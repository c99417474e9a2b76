"""The prices of a /stream that is opened again whenever it ends.

Law: prices are decimals from the message's own digits. Each reconnect sends the last times seen, so
that no price is shown twice and no newer price is missed.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from decimal import Decimal
from typing import Any

import aiohttp
import orjson

from ticker.client.server import Server, unreachable
from ticker.errors import ClientError, NoServerError

RETRY = (0.5, 8.0)  # s, the first pause and the longest
CLOSE_TIMEOUT = 1.0  # s for the server to answer a close
UNKNOWN_SYMBOL = 460
FATAL = frozenset({4401, 4402, 4404})


class Stream:
    """One subscription to symbols; `messages` goes on over reconnects until the stream is
    closed."""

    def __init__(self, server: Server, symbols: Sequence[str]) -> None:
        self.server = server
        self.symbols = list(symbols)
        self.last_seen: dict[str, str] = {}
        self.unknown: set[str] = set()

    async def messages(self) -> AsyncGenerator[dict[str, Any], None]:
        """Messages of the plain dialect; {"type": "down", "reason": …} while there is no
        connection.

        Raises:
            NoServerError: the server was never reached.
            ClientError: the server refuses this client, or has none of the symbols.
        """
        pause, reached = RETRY[0], False
        while True:
            try:
                async with aclosing(self._one_connection()) as connection:
                    async for message in connection:
                        pause, reached = RETRY[0], True
                        yield message
                        self._look(message)
                reason = "the server closed the connection"
            except (aiohttp.ClientError, TimeoutError) as error:
                if not reached:
                    raise NoServerError(unreachable(self.server.url, error)) from None
                reason = str(error) or "no answer"
            yield {"type": "down", "reason": reason}
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(2 * pause, RETRY[1])

    async def _one_connection(self) -> AsyncGenerator[dict[str, Any], None]:
        async with (
            self.server.session() as session,
            session.ws_connect(
                self.server.url + "/stream",
                heartbeat=30.0,
                timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_TIMEOUT),
            ) as socket,
        ):
            await socket.send_str(self._subscription())
            async for message in socket:
                if message.type == aiohttp.WSMsgType.TEXT:
                    yield self._taken(json.loads(message.data, parse_float=Decimal))
            if socket.close_code in FATAL:
                raise ClientError(
                    f"{self.server.url}: closed with {socket.close_code}: give a valid --token"
                )

    def _subscription(self) -> str:
        seen = {symbol: self.last_seen.get(symbol) for symbol in self.symbols}
        return orjson.dumps({"action": "reconnect", "last_seen": seen}).decode()

    def _look(self, message: dict[str, Any]) -> None:
        """Raise ClientError if the server has none of the symbols, so that no price can come."""
        if message.get("type") == "error" and message.get("code") == UNKNOWN_SYMBOL:
            self.unknown.add(message["symbol"])
            if self.unknown.issuperset(self.symbols):
                raise ClientError(
                    f"unknown: {', '.join(self.symbols)}; look them up with `ticker symbols`"
                )

    def _taken(self, message: dict[str, Any]) -> dict[str, Any]:
        if message.get("type") in ("snapshot", "update"):
            self.last_seen[message["symbol"]] = message["timestamp"]
            self.unknown.discard(message["symbol"])
        return message

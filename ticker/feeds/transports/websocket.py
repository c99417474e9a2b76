"""A WebSocket client: authenticates, subscribes, and notices when the server falls silent.

Every `heartbeat` a ping goes out, which a server must answer (RFC 6455, section 5.5.2): so a
connection on which nothing at all came for three of them is dead, however quiet its market is.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping

import aiohttp

from ticker.errors import FeedError
from ticker.feeds.transports.compression import inflated
from ticker.feeds.transports.dialogue import Dialogue, Verdict
from ticker.feeds.transports.reconnect import RefusedError, Sink
from ticker.feeds.transports.tls import ADVICE, refusal

SILENCES = 3
LONGEST = 1 << 24
CONNECT_TIMEOUT = 10.0
CLOSE_TIMEOUT = 1.0


class WebSocketTransport:
    """Connects to one URL, ws:// or wss://.

    Args:
        shown: the URL as messages may have it, if there are credentials in it.
    """

    def __init__(
        self,
        url: str,
        dialogue: Dialogue,
        *,
        heartbeat: float,
        headers: Mapping[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
        shown: str = "",
    ) -> None:
        self.url = url
        self.shown = shown or url
        self.tls = tls
        self.dialogue = dialogue
        self.heartbeat = heartbeat
        self.headers = dict(headers or {})
        self._heard = False
        self._silent = False

    async def run(self, sink: Sink) -> bool:
        """One connection from its start to its end; whether anything came over it.

        Raises:
            OSError, FeedError, TimeoutError: it cannot be made, or was lost.
        """
        self._heard = self._silent = False
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, headers=self.headers) as http,
                http.ws_connect(
                    self.url,
                    autoping=False,
                    max_msg_size=LONGEST,
                    decode_text=False,
                    ssl=self.tls or True,
                    timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_TIMEOUT),
                ) as socket,
            ):
                heard = await self._converse(socket, sink)
        except aiohttp.ClientError as error:
            raise FeedError(f"{self.shown}: {self._reason(error)}") from None
        if self._silent:
            raise FeedError(f"{self.shown}: silent for {SILENCES * self.heartbeat:g} s")
        return heard

    def _reason(self, error: aiohttp.ClientError) -> str:
        """What happened; aiohttp's own words have the URL."""
        if isinstance(error, aiohttp.WSServerHandshakeError):
            return f"no WebSocket, but status {error.status}"
        return refusal(error, ADVICE).replace(self.url, self.shown)

    async def _converse(self, socket: aiohttp.ClientWebSocketResponse[bool], sink: Sink) -> bool:
        sink.connected()
        if self.dialogue.auth is not None:
            await socket.send_str(self.dialogue.auth)
        waiting = self.dialogue.waits
        if not waiting:
            await self._subscribe(socket)
        watch = asyncio.create_task(self._watch(socket))
        heard = False
        try:
            while True:
                message = await socket.receive()
                self._heard = True
                if message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
                    heard = True
                    text: bytes | None = message.data
                    if message.type is aiohttp.WSMsgType.BINARY:
                        text = self._inflated(message.data, sink)
                    if text is None:
                        continue
                    sink.received(text)
                    for answer in sink.answers():
                        await socket.send_str(answer)
                    if waiting and self._accepted(text):
                        waiting = False
                        await self._subscribe(socket)
                elif message.type is aiohttp.WSMsgType.PING:
                    sink.alive()
                    await socket.pong(message.data)
                elif message.type is aiohttp.WSMsgType.PONG:
                    sink.alive()
                else:
                    return heard
        finally:
            watch.cancel()

    def _inflated(self, data: bytes, sink: Sink) -> bytes | None:
        """A binary message as a text; None: it is none."""
        try:
            return inflated(data, self.dialogue.compression)
        except FeedError as error:
            sink.unreadable(str(error))
            return None

    def _accepted(self, data: bytes) -> bool:
        verdict = self.dialogue.judge(data)
        if verdict is Verdict.REFUSED:
            raise RefusedError(
                f"{self.shown}: refuses our credentials: {data[:200].decode(errors='replace')}"
            )
        return verdict is Verdict.ACCEPTED

    async def _subscribe(self, socket: aiohttp.ClientWebSocketResponse[bool]) -> None:
        for text in self.dialogue.subscriptions:
            await socket.send_str(text)

    async def _watch(self, socket: aiohttp.ClientWebSocketResponse[bool]) -> None:
        """Ask for signs of life; close what gives none."""
        silences = 0
        while silences < SILENCES:
            self._heard = False
            await socket.ping()
            if self.dialogue.ping is not None:
                await socket.send_str(self.dialogue.ping)
            await asyncio.sleep(self.heartbeat)
            silences = 0 if self._heard else silences + 1
        self._silent = True
        await socket.close()

"""A WebSocket client: authenticates, subscribes, and notices when the server falls silent.

A ping is sent every `heartbeat`, and a server must answer it (RFC 6455, section 5.5.2). A
connection without any bytes for three heartbeats is therefore dead, however quiet its market is.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import cast

import aiohttp

from ticker.errors import FeedError
from ticker.feeds.transports.compression import TooLongError, inflated
from ticker.feeds.transports.dialogue import Dialogue, Verdict
from ticker.feeds.transports.origin import Redirects, proxy_of, redirect_rules
from ticker.feeds.transports.reconnect import LostError, RefusedError, Sink, retry_after
from ticker.feeds.transports.tls import ADVICE, refusal

SILENCES = 3
LONGEST = 1 << 24
CONNECT_TIMEOUT = 10.0
CLOSE_TIMEOUT = 1.0
TOO_BIG = 1009
"""The code of a close for a message that is too long."""


class WebSocketTransport:
    """Connects to one URL, ws:// or wss://.

    Args:
        shown: the URL as messages may have it, if there are credentials in it.
        proxy: an HTTP proxy; None: that of the environment, "": none.

    Attributes:
        useful: a usable message came over the last connection.
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
        redirects: Redirects = "same_origin",
        proxy: str | None = None,
    ) -> None:
        self.url = url
        self.redirects = redirects
        self.proxy = proxy_of(url, proxy)
        self.useful = False
        self.shown = shown or url
        self.tls = tls
        self.dialogue = dialogue
        self.heartbeat = heartbeat
        self.headers = dict(headers or {})
        self._heard = False
        self._silent = False

    async def run(self, sink: Sink) -> None:
        """One connection from its start to its end.

        Raises:
            FeedError, OSError, TimeoutError: always, with the reason of its end or failure.
        """
        self._heard = self._silent = self.useful = False
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT)
        try:
            async with (
                aiohttp.ClientSession(
                    timeout=timeout,
                    headers=self.headers,
                    trace_configs=[redirect_rules(self.redirects)],
                ) as http,
                http.ws_connect(
                    self.url,
                    autoping=False,
                    max_msg_size=LONGEST,
                    decode_text=False,
                    proxy=self.proxy,
                    ssl=self.tls or True,
                    timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_TIMEOUT),
                ) as socket,
            ):
                end = await self._converse(socket, sink)
                lost = self._lost(socket, end, sink)
        except aiohttp.WSServerHandshakeError as error:
            raise self._unwelcome(error) from None
        except aiohttp.ClientError as error:
            reason = refusal(error, ADVICE).replace(self.url, self.shown)
            raise LostError(f"{self.shown}: {reason}", "network") from None
        raise lost

    def _unwelcome(self, error: aiohttp.WSServerHandshakeError) -> LostError:
        """The error of a refused handshake, with the wait that the server asks for. aiohttp's own
        message would have the URL."""
        told = error.headers.get("Retry-After", "") if error.headers else ""
        return LostError(
            f"{self.shown}: no WebSocket, but status {error.status}",
            "server",
            code=error.status,
            wait=retry_after(told, datetime.now(UTC)),
        )

    def _lost(
        self,
        socket: aiohttp.ClientWebSocketResponse[bool],
        end: aiohttp.WSMessage,
        sink: Sink,
    ) -> LostError:
        """The error of a closed connection: the side that closed it, and the reason."""
        code = socket.close_code
        if self._silent:
            return LostError(f"{self.shown}: silent for {SILENCES * self.heartbeat:g} s")
        if end.type is aiohttp.WSMsgType.CLOSE:
            said = end.extra or "without a word"
            return LostError(f"{self.shown}: closed: {said}", "server", code=code)
        if end.type is aiohttp.WSMsgType.ERROR:
            # A message that breaks the protocol or our limit.
            if code == TOO_BIG:
                sink.unreadable(f"a message is longer than {LONGEST} bytes", too_long=True)
            return LostError(f"{self.shown}: {end.data}", code=code)
        return LostError(f"{self.shown}: cut without a close", "network", code=code)

    async def _converse(
        self, socket: aiohttp.ClientWebSocketResponse[bool], sink: Sink
    ) -> aiohttp.WSMessage:
        """Exchange messages until one ends the connection."""
        sink.connected()
        if self.dialogue.auth is not None:
            await socket.send_str(self.dialogue.auth)
        waiting = self.dialogue.waits
        if not waiting:
            await self._subscribe(socket)
        watch = asyncio.create_task(self._watch(socket))
        try:
            while True:
                message = await socket.receive()
                self._heard = True
                if message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
                    text: bytes | None = message.data
                    if message.type is aiohttp.WSMsgType.BINARY:
                        text = self._inflated(message.data, sink)
                    if text is None:
                        continue
                    self.useful |= sink.received(text)
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
                    return cast(aiohttp.WSMessage, message)
        finally:
            watch.cancel()

    def _inflated(self, data: bytes, sink: Sink) -> bytes | None:
        """A binary message as a text; None: it is none."""
        try:
            return inflated(data, self.dialogue.compression)
        except FeedError as error:
            sink.unreadable(str(error), too_long=isinstance(error, TooLongError))
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
        """Send pings, and close a connection without signs of life."""
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

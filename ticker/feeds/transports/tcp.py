"""A TCP client that reads a stream of texts, and sends what the mapping says at its start."""

from __future__ import annotations

import asyncio

from ticker.feeds.transports.dialogue import Dialogue, Verdict
from ticker.feeds.transports.reconnect import LostError, RefusedError, Sink

SILENCES = 3
CONNECT_TIMEOUT = 10.0
CHUNK = 1 << 18
LONGEST_WORD = 1 << 20
"""Bytes of a line that are searched for the answer to a login."""


class TcpTransport:
    """Connects to one host and port. After three `heartbeat`s without bytes the connection is
    closed; `heartbeat` is the longest silence of a healthy feed, in s."""

    def __init__(self, host: str, port: int, dialogue: Dialogue, *, heartbeat: float) -> None:
        self.address = (host, port)
        self.dialogue = dialogue
        self.heartbeat = heartbeat
        self.useful = False

    async def run(self, sink: Sink) -> None:
        """One connection from its start to its end.

        Raises:
            FeedError, OSError, TimeoutError: always, with the reason of its end or failure.
        """
        host, port = self.address
        self.useful = False
        async with asyncio.timeout(CONNECT_TIMEOUT):
            reader, writer = await asyncio.open_connection(host, port, limit=CHUNK)
        pinger = asyncio.create_task(self._ping(writer)) if self.dialogue.ping else None
        try:
            await self._converse(reader, writer, sink)
        finally:
            if pinger:
                pinger.cancel()
            writer.transport.abort()
        raise LostError("closed", "server")

    async def _converse(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, sink: Sink
    ) -> None:
        sink.connected()
        if self.dialogue.auth is not None:
            writer.write(self.dialogue.auth.encode() + b"\n")
        waiting = self.dialogue.waits
        if not waiting:
            self._subscribe(writer)
        start = b""
        while data := await self._read(reader):
            self.useful |= sink.received(data)
            for answer in sink.answers():
                writer.write(answer.encode() + b"\n")
            if waiting:
                *lines, start = (start + data).split(b"\n")
                start = start[-LONGEST_WORD:]
                if any(map(self._accepted, lines)):
                    waiting = False
                    self._subscribe(writer)

    async def _read(self, reader: asyncio.StreamReader) -> bytes:
        silence = SILENCES * self.heartbeat
        try:
            async with asyncio.timeout(silence):
                return await reader.read(CHUNK)
        except TimeoutError:
            host, port = self.address
            raise LostError(f"tcp://{host}:{port}: silent for {silence:g} s") from None

    def _accepted(self, line: bytes) -> bool:
        verdict = self.dialogue.judge(line)
        if verdict is Verdict.REFUSED:
            text = line[:200].decode(errors="replace")
            raise RefusedError(f"tcp://{self.address[0]}: refuses our credentials: {text}")
        return verdict is Verdict.ACCEPTED

    def _subscribe(self, writer: asyncio.StreamWriter) -> None:
        for text in self.dialogue.subscriptions:
            writer.write(text.encode() + b"\n")

    async def _ping(self, writer: asyncio.StreamWriter) -> None:
        while True:
            await asyncio.sleep(self.heartbeat)
            writer.write((self.dialogue.ping or "").encode() + b"\n")

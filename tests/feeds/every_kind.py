"""A small exchange of every kind that a feed can have, each in a thread of its own.

An exchange has the configuration of a feed that hears it, and says a trade when the test wants one:
`trade(price, at)` with the price in whole units and the time in ns since the epoch.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, Self

from aiohttp import web

from tests.feeds.conftest import Itch
from tests.feeds.datagram_kinds import (
    BEAT,
    HOST,
    SIZE,
    Close,
    Exchange,
    MoldItch,
    PillarChannels,
    Pitch,
    Tops,
    itch_close,
)
from ticker.feeds.fix.message import Message, encode, utc_timestamp

MAPPING = (
    '[[records]]\nname = "t"\nkind = "trade"\npath = "[]?"\nsymbol = "s"\nprice = "p"\n'
    'size = "v"\ntime = "t"\ntime_unit = "ns"\nid = "i"\n'
    '[records.conditions]\npath = "c"\ntable = "utp"\n'
)
"""What the feeds of JSON texts need in the file of `mapping`."""


class Served(Exchange):
    """A client that connects is told all trades from then on; an event loop in the thread."""

    def __init__(self, midnight: int, folder: Any) -> None:
        super().__init__(midnight, folder)
        self.listening = socket.create_server((HOST, 0))
        self.port = self.listening.getsockname()[1]
        self.clients: list[Callable[[Any], None]] = []
        self._ready = threading.Event()

    def __enter__(self) -> Self:
        super().__enter__()
        self._ready.wait(10)
        return self

    @property
    def has_listener(self) -> bool:
        return bool(self.clients)

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self.loop = asyncio.get_running_loop()
        await self.open()
        self._ready.set()
        while not self._closed.is_set():
            await asyncio.sleep(BEAT)
            self.beat()
        await self.shut()

    async def open(self) -> None:
        self.server = await asyncio.start_server(self._accept, sock=self.listening)

    async def shut(self) -> None:
        self.server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.sleep(0)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self.talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.clients.append(writer.write)
        await reader.read()
        self.clients.remove(writer.write)

    def say_trade(self, price: int, at: int, match: int) -> None:
        self.loop.call_soon_threadsafe(self.tell, self.text(price, at, match))

    def say_close(self, close: Close) -> None:
        self.loop.call_soon_threadsafe(self.tell, self.closing(close))

    def tell(self, text: Any) -> None:
        for tell in self.clients:
            tell(text)

    def text(self, price: int, at: int, match: int) -> Any:
        trade = {"s": "AAPL", "p": price, "v": SIZE, "t": at, "i": match, "c": "@"}
        return json.dumps(trade).encode() + b"\n"

    def closing(self, close: Close) -> Any:
        return self.text(close.price, close.at, close.match).replace(b'"@"', b'"M"')


class JsonServed(Served):
    """Texts of MAPPING."""

    scheme = "tcp"

    def __init__(self, midnight: int, folder: Any) -> None:
        super().__init__(midnight, folder)
        (folder / "mapping.toml").write_text(MAPPING)
        self.feed = (
            f'protocol = "json"\nvenue = "XNAS"\nmapping = "{folder}/mapping.toml"\n'
            f'url = "{self.scheme}://{HOST}:{self.port}/"\npoll_interval = 0.05'
        )

    def beat(self) -> None:
        for tell in self.clients:
            tell(b"\n")


class WebServed(JsonServed):
    """The same as an aiohttp server, which answers pings."""

    def beat(self) -> None:
        pass

    async def open(self) -> None:
        app = web.Application()
        app.router.add_get("/", self.answer)
        self.runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self.runner.setup()
        await web.SockSite(self.runner, self.listening).start()

    async def shut(self) -> None:
        await self.runner.cleanup()

    @abstractmethod
    async def answer(self, request: web.Request) -> web.StreamResponse: ...


class WebSocket(WebServed):
    scheme = "ws"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        heard = web.WebSocketResponse()
        await heard.prepare(request)
        told: asyncio.Queue[Any] = asyncio.Queue()
        self.clients.append(told.put_nowait)
        closing = asyncio.ensure_future(heard.receive())
        while not closing.done():
            saying = asyncio.ensure_future(told.get())
            await asyncio.wait((closing, saying), return_when=asyncio.FIRST_COMPLETED)
            if saying.done():
                await heard.send_bytes(saying.result())
            saying.cancel()
        self.clients.remove(told.put_nowait)
        return heard


class Polled(WebServed):
    """Each answer has the trades of the last moments."""

    scheme = "http"

    def __init__(self, midnight: int, folder: Any) -> None:
        super().__init__(midnight, folder)
        self.recent: list[bytes] = []

    @property
    def has_listener(self) -> bool:
        return True

    def tell(self, text: Any) -> None:
        self.recent = [*self.recent[-4:], text]

    async def answer(self, _: web.Request) -> web.StreamResponse:
        return web.Response(body=b"[" + b",".join(self.recent) + b"]")


class Soup(Served):
    """ITCH 5.0 over SoupBinTCP: a session that every login hears from its end on."""

    def __init__(self, midnight: int, folder: Any) -> None:
        super().__init__(midnight, folder)
        self.session = b"FIRST"
        self.next = 1
        self.feed = (
            'protocol = "itch50"\nsession = "soupbintcp"\nvenue = "XNAS"\nrebuild = false\n'
            f'lines = ["{HOST}:{self.port}"]'
        )

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(49)
        writer.write(b"\x00\x1fA" + self.session.rjust(10) + b"%20d" % self.next)
        await super().talk(reader, writer)

    def tell(self, text: Any) -> None:
        super().tell((1 + len(text)).to_bytes(2, "big") + b"S" + text)
        self.next += 1

    def text(self, price: int, at: int, match: int) -> bytes:
        return Itch().trade(1, SIZE, price * 10_000, match, time=at - self.midnight)

    def closing(self, close: Close) -> bytes:
        return itch_close(close, self.midnight)

    def beat(self) -> None:
        for tell in self.clients:
            tell(b"\x00\x01H")


class Fix(Served):
    """FIX 4.4: a client that logs on is subscribed by its first MarketDataRequest."""

    def __init__(self, midnight: int, folder: Any) -> None:
        super().__init__(midnight, folder)
        self.feed = f'protocol = "fix"\nvenue = "XOFF"\nlines = ["{HOST}:{self.port}"]'
        self.table = (
            '[feeds.fix]\nsender = "TICKER"\ntarget = "VENUE"\nsymbols = ["AAPL"]\nheartbeat = 1\n'
        )

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        next_out = 0

        def say(kind: bytes, *fields: tuple[int, bytes]) -> None:
            nonlocal next_out
            next_out += 1
            head = [(35, kind), (34, b"%d" % next_out), (49, b"VENUE"), (56, b"TICKER")]
            head.append((52, utc_timestamp(time.time_ns())))
            writer.write(encode(b"FIX.4.4", [*head, *fields]))

        def tell(trade: tuple[tuple[int, bytes], ...]) -> None:
            say(b"X", *trade)

        try:
            while True:
                message = await read_fix(reader)
                if message.kind == "A":
                    say(b"A", (98, b"0"), (108, b"1"), (141, b"Y"))
                elif message.kind == "1":
                    say(b"0", (112, message.get(112)))
                elif message.kind == "0":
                    say(b"0")
                elif message.kind == "V":
                    say(b"W", (262, message.get(262)), (55, b"AAPL"), (268, b"0"))
                    self.clients.append(tell)
                elif message.kind == "5":
                    say(b"5")
                    return
        finally:
            if tell in self.clients:
                self.clients.remove(tell)

    def text(self, price: int, at: int, match: int) -> Any:
        day, _, clock = utc_timestamp(at).partition(b"-")
        return (
            (268, b"1"), (279, b"0"), (269, b"2"), (278, b"%d" % match), (55, b"AAPL"),
            (270, b"%d" % price), (271, b"%d" % SIZE), (272, day), (273, clock),
        )  # fmt: skip

    def closing(self, close: Close) -> Any:
        return (268, b"1"), (279, b"0"), (269, b"6"), (55, b"AAPL"), (270, b"%d" % close.price)


async def read_fix(reader: asyncio.StreamReader) -> Message:
    """The next frame."""
    begin = await reader.readuntil(b"\x01")
    length = await reader.readuntil(b"\x01")
    body = await reader.readexactly(int(length[2:-1]))
    await reader.readexactly(7)
    return Message(begin[2:-1], body, time.time_ns())


KINDS: dict[str, type[Exchange]] = {
    "itch over datagrams": MoldItch,
    "pitch": Pitch,
    "tops": Tops,
    "pillar": PillarChannels,
    "soupbintcp": Soup,
    "fix": Fix,
    "websocket": WebSocket,
    "tcp": JsonServed,
    "http": Polled,
}

"""Three venues that say what a test tells them to: ITCH and PITCH over UDP, JSON over WebSocket.

Prices are in cents, ids are the venue's own numbers; a trade's time is the moment of the call.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import time
from datetime import UTC, datetime

from aiohttp import web

from ticker.feeds.day import midnight_ns, session_day

E9 = 1_000_000_000


def free_udp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def since_midnight() -> int:
    now = time.time_ns()
    return now - midnight_ns(session_day(now))


class Datagrams:
    """A line of packets to one port."""

    def __init__(self) -> None:
        self.port = free_udp_port()
        self.sequence = 1
        self._out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def send(self, packet: bytes, messages: int) -> None:
        self.sequence += messages
        self._out.sendto(packet, ("127.0.0.1", self.port))

    def close(self) -> None:
        self._out.close()


class Itch(Datagrams):
    """Nasdaq ITCH 5.0: directory (R), trade (P), cross (Q), broken trade (B); MoldUDP64."""

    def __init__(self) -> None:
        super().__init__()
        self.locates: dict[str, int] = {}

    def list(self, symbol: str) -> None:
        self.locates[symbol] = len(self.locates) + 1
        rest = struct.pack(
            ">8sccIccscccccIc", symbol.encode().ljust(8), b"Q", b"N", 100, b"N", b"C", b"Z",
            b"P", b"N", b" ", b"1", b"N", 0, b"N",
        )  # fmt: skip
        self._say("R", symbol, rest[:28])

    def trade(self, symbol: str, number: int, cents: int, size: int) -> None:
        name = symbol.encode().ljust(8)
        self._say("P", symbol, struct.pack(">QcI8sIQ", 0, b"B", size, name, cents * 100, number))

    def cross(self, symbol: str, number: int, cents: int, kind: str) -> None:
        """Of 100 shares; `kind`: O opens, C closes."""
        name = symbol.encode().ljust(8)
        rest = struct.pack(">Q8sIQc", 100, name, cents * 100, number, kind.encode())
        self._say("Q", symbol, rest)

    def cancel(self, symbol: str, number: int) -> None:
        self._say("B", symbol, struct.pack(">Q", number))

    def _say(self, kind: str, symbol: str, rest: bytes) -> None:
        head = struct.pack(">cHH6s", kind.encode(), self.locates[symbol], 0,
                           since_midnight().to_bytes(6, "big"))  # fmt: skip
        block = struct.pack(">H", len(head + rest)) + head + rest
        self.send(b"BY HAND   " + struct.pack(">QH", self.sequence, 1) + block, 1)


class Pitch(Datagrams):
    """Cboe US Equities PITCH 2: time (0x20), trade (0x2A), trade break (0x2C), unit 1."""

    def list(self, symbol: str) -> None:
        """Nothing: a symbol is there with its first message."""

    def trade(self, symbol: str, number: int, cents: int, size: int) -> None:
        name = symbol.encode().ljust(6)
        self._say(0x2A, struct.pack("<QcI6sQQ", 0, b"B", size, name, cents * 100, number))

    def cancel(self, _symbol: str, number: int) -> None:
        self._say(0x2C, struct.pack("<Q", number))

    def _say(self, kind: int, rest: bytes) -> None:
        seconds, offset = divmod(since_midnight(), E9)
        clock = struct.pack("<BBI", 6, 0x20, seconds)
        message = clock + struct.pack("<BBI", 6 + len(rest), kind, offset) + rest
        head = struct.pack("<HBBI", 8 + len(message), 2, 1, self.sequence)
        self.send(head + message, 2)


class Vendor:
    """Alpaca's stream: trades (t), cancels (x) and corrections (c), for one client."""

    def __init__(self) -> None:
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.ready = asyncio.Event()
        self._texts: asyncio.Queue[list[dict[str, object]] | None] = asyncio.Queue()

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/", self._speak)
        self._runner = web.AppRunner(app, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.SockSite(self._runner, self._listener).start()

    async def stop(self) -> None:
        self._texts.put_nowait(None)
        await self._runner.cleanup()

    async def _speak(self, request: web.Request) -> web.StreamResponse:
        client = web.WebSocketResponse()
        await client.prepare(request)
        await client.send_json([{"T": "success", "msg": "connected"}])
        await client.receive()
        await client.send_json([{"T": "success", "msg": "authenticated"}])
        await client.receive()
        self.ready.set()
        while (text := await self._texts.get()) is not None:
            await client.send_str(json.dumps(text))
        return client

    def list(self, symbol: str) -> None:
        """Nothing: a symbol is there with its first message."""

    def trade(self, symbol: str, number: int, cents: int, size: int, conditions: str = "@") -> None:
        self._say("t", symbol, i=number, p=cents / 100, s=size, c=list(conditions))

    def cancel(self, symbol: str, number: int) -> None:
        self._say("x", symbol, i=number, a="C")

    def correct(
        self, symbol: str, number: int, new: int, cents: int, size: int, conditions: str = "@"
    ) -> None:
        self._say("c", symbol, oi=number, ci=new, cp=cents / 100, cs=size, cc=list(conditions))

    def _say(self, kind: str, symbol: str, **rest: object) -> None:
        now = datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="microseconds")
        more = {"x": "V", "z": "C", "t": now.replace("+00:00", "Z")}
        self._texts.put_nowait([{"T": kind, "S": symbol, **rest, **more}])


Venue = Itch | Pitch | Vendor

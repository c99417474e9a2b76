"""Three simulated venues, a server that takes them in, and a recorder that writes down what each
venue said: the multicast groups' packets, and the texts that went over the vendor's WebSocket.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import IO

import aiohttp
from aiohttp import WSMsgType, web

from ticker.bench.rig.ports import free_port

ITCH, PITCH, VENDOR = "itch", "pitch", "vendor"
MICS = {ITCH: "XNAS", PITCH: "BATS", VENDOR: "XCHI"}
"""In the order of the configuration."""

CONFIG = """
[server]
instance = "{instance}"
port = 0

[[feeds]]
name = "itch"
protocol = "itch50"
venue = "XNAS"
calendar = "none"
lines = ["{itch[0]}", "{itch[1]}"]
rows = 1024

[[feeds]]
name = "pitch"
protocol = "pitch"
venue = "BATS"
calendar = "none"
lines = ["{pitch[0]}", "{pitch[1]}"]
rows = 1024

[[feeds]]
name = "vendor"
protocol = "json"
mapping = "alpaca"
venue = "XCHI"
calendar = "none"
url = "ws://127.0.0.1:{port}/"
symbols = ["*"]
credentials = {{ key = "k", secret = "s" }}
rows = 1024
"""


@dataclass(frozen=True)
class Packet:
    """What one line, or the WebSocket, brought; `received` in ns since the epoch."""

    received: int
    feed: str
    line: int
    data: bytes


@dataclass
class Recorder:
    """Everything that was said, in the order in which it came."""

    packets: list[Packet] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    def add(self, feed: str, line: int, data: bytes) -> None:
        self.packets.append(Packet(time.time_ns(), feed, line, data))

    def write(self, folder: Path) -> None:
        """The multicast packets as pcaps (raw IP), the texts as JSON lines with their times."""
        for feed in (ITCH, PITCH):
            with (folder / f"{feed}.pcap").open("wb") as out:
                out.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 101))
                for packet in self.packets:
                    if packet.feed == feed:
                        _write_packet(out, packet)
        with (folder / "vendor.jsonl").open("w") as lines:
            for packet in self.packets:
                if packet.feed == VENDOR:
                    text = {"received": packet.received, "text": packet.data.decode()}
                    lines.write(json.dumps(text) + "\n")

    def listen(self, groups: dict[str, list[tuple[str, int]]]) -> threading.Thread:
        """Join every line, and record it until `stopping` and nothing is left."""
        sockets = {}
        for feed, lines in groups.items():
            for line, (host, port) in enumerate(lines):
                joined = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                joined.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                joined.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 20)
                joined.bind((host, port))
                member = socket.inet_aton(host) + socket.inet_aton("127.0.0.1")
                joined.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
                joined.setblocking(False)
                sockets[joined] = (feed, line)
        thread = threading.Thread(target=self._record, args=(sockets,), daemon=True)
        thread.start()
        return thread

    def _record(self, sockets: dict[socket.socket, tuple[str, int]]) -> None:
        while True:
            ready, _, _ = select.select(list(sockets), [], [], 0.05)
            for each in ready:
                with contextlib.suppress(BlockingIOError):
                    while True:
                        self.add(*sockets[each], each.recv(65535))
            if not ready and self.stopping.is_set():
                break
        for each in sockets:
            each.close()


def _write_packet(out: IO[bytes], packet: Packet) -> None:
    udp = struct.pack(">HHHH", 1, 1, 8 + len(packet.data), 0) + packet.data
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 1, 17, 0, b"\x7f\0\0\1",
                       bytes([239, 192, 0, 1 + packet.line]))  # fmt: skip
    frame = head + udp
    seconds, rest = divmod(packet.received, 1_000_000_000)
    out.write(struct.pack("<IIII", seconds, rest, len(frame), len(frame)) + frame)


class Wire(threading.Thread):
    """An event loop of its own: the vendor's texts pass through it, and a client watches."""

    def __init__(self, recorder: Recorder, vendor: int) -> None:
        super().__init__(daemon=True)
        self.recorder = recorder
        self.vendor = vendor
        self.loop = asyncio.new_event_loop()
        self.updates: list[tuple[str, str, int | None, int]] = []
        """Kind, symbol, price and time (µs) of everything that the server sent."""
        self.errors: list[dict[str, object]] = []
        self.following = threading.Event()
        """Somebody reads the rings: before that nothing is passed on."""
        self.connected = threading.Event()
        self.watching = threading.Event()
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._watch: asyncio.Task[None] | None = None
        self._ready = threading.Event()
        self.start()
        assert self._ready.wait(10)

    def run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(self._serve())
        self.loop.close()

    async def _serve(self) -> None:
        self._ending = asyncio.Event()
        app = web.Application()
        app.router.add_get("/", self._pass)
        runner = web.AppRunner(app, shutdown_timeout=0.2)
        await runner.setup()
        await web.SockSite(runner, self._listener).start()
        self._ready.set()
        await self._ending.wait()
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        await runner.cleanup()

    async def _pass(self, request: web.Request) -> web.StreamResponse:
        """Both ways, unchanged; what has records is recorded before it is passed on."""
        inner = web.WebSocketResponse()
        await inner.prepare(request)
        await asyncio.to_thread(self.following.wait, 30)
        try:
            async with (
                aiohttp.ClientSession() as http,
                http.ws_connect(f"ws://127.0.0.1:{self.vendor}/") as outer,
            ):
                up = asyncio.create_task(self._upwards(inner, outer))
                async for message in outer:
                    if message.data.startswith('[{"T":"subscription"'):
                        self.connected.set()
                    elif not message.data.startswith('[{"T":"success"'):
                        self.recorder.add(VENDOR, 0, message.data.encode())
                    await inner.send_str(message.data)
                up.cancel()
                await asyncio.gather(up, return_exceptions=True)
        except (aiohttp.ClientError, ConnectionError):
            await inner.close()
        return inner

    @staticmethod
    async def _upwards(
        inner: web.WebSocketResponse, outer: aiohttp.ClientWebSocketResponse
    ) -> None:
        async for message in inner:
            if message.type is WSMsgType.TEXT:
                await outer.send_str(message.data)

    def watch(self, url: str, symbols: list[str]) -> None:
        """Subscribe to all symbols as any client does, in the plain dialect."""

        def start() -> None:
            self._watch = self.loop.create_task(self._follow(url, symbols))

        self.loop.call_soon_threadsafe(start)
        assert self.watching.wait(10)

    async def _follow(self, url: str, symbols: list[str]) -> None:
        async with aiohttp.ClientSession() as http, http.ws_connect(url) as socket:
            await socket.send_json({"action": "subscribe", "symbols": symbols})
            self.watching.set()
            async for message in socket:
                self._take(json.loads(message.data, parse_float=Decimal))

    def _take(self, message: dict[str, object]) -> None:
        if message["type"] == "error":
            self.errors.append(message)
            return
        price = None if message["price"] is None else Decimal(str(message["price"])) * 10**9
        assert price is None or price == int(price)
        self.updates.append(
            (
                str(message["type"]),
                str(message["symbol"]),
                None if price is None else int(price),
                microseconds(str(message["timestamp"])),
            )
        )

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self._ending.set)
        self.join(10)


def microseconds(text: str) -> int:
    whole, _, fraction = text.removesuffix("Z").partition(".")
    seconds = int(time.mktime(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) - time.timezone)
    return seconds * 1_000_000 + int(fraction.ljust(6, "0"))


def ticker_command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "ticker", *map(str, arguments)]


class Venues:
    """The three `ticker simulate`, on lines of their own."""

    def __init__(self) -> None:
        tail = os.getpid() % 200 + 20
        self.lines = {
            feed: [(f"239.192.{group}.{tail}", free_port()) for group in groups]
            for feed, groups in ((ITCH, (51, 52)), (PITCH, (53, 54)))
        }
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.vendor = int(probe.getsockname()[1])
        self.running: list[subprocess.Popen[bytes]] = []

    def shown(self, feed: str) -> list[str]:
        return [f"{host}:{port}" for host, port in self.lines[feed]]

    def _start(self, *arguments: object) -> None:
        self.running.append(
            subprocess.Popen(
                ticker_command("simulate", *arguments),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )

    def start_vendor(self, symbols: int, rate: float, duration: float) -> None:
        self._start(
            "vendor", "--symbols", symbols, "--rate", rate, "--seed", 3, "--duration", duration,
            "--listen", f"127.0.0.1:{self.vendor}",
        )  # fmt: skip

    def start_exchanges(self, symbols: int, rate: float, duration: float) -> None:
        """The same listings as the vendor, each with prices of its own."""
        common = ("--symbols", symbols, "--rate", rate, "--duration", duration)
        itch, pitch = self.shown(ITCH), self.shown(PITCH)
        self._start(
            "itch", *common, "--seed", 1, "--line-a", itch[0], "--line-b", itch[1],
            "--rerequest", "none",
        )  # fmt: skip
        self._start(
            "pitch", *common, "--seed", 2, "--line-a", pitch[0], "--line-b", pitch[1],
            "--gap-proxy", "none", "--gap-line", "none",
        )  # fmt: skip

    @property
    def over(self) -> bool:
        return all(each.poll() is not None for each in self.running)

    def close(self) -> None:
        for each in self.running:
            if each.poll() is None:
                each.terminate()
            each.wait(10)


@contextlib.contextmanager
def served(folder: Path, venues: Venues, port: int) -> Iterator[tuple[str, str]]:
    """`ticker serve` for the three feeds: its instance and its base URL."""
    instance = f"proof-{os.getpid()}"
    config = folder / "ticker.toml"
    config.write_text(
        CONFIG.format(
            instance=instance, itch=venues.shown(ITCH), pitch=venues.shown(PITCH), port=port
        )
    )
    command = ticker_command("serve", "--config", config)
    with (
        (folder / "serve.log").open("wb") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        assert process.stdout
        try:
            line = process.stdout.readline()
            found = re.search(r"http://\S+/", line)
            assert found, (line, (folder / "serve.log").read_text())
            yield instance, found[0]
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0, (folder / "serve.log").read_text()[-2000:]

"""Feeds with a url, against real servers: WebSocket, TCP lines and polled HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests.feeds.streams import (
    GEOMETRY,
    Prices,
    config,
    listening,
    serving,
    tick,
    until,
    websocket_app,
    working,
)
from ticker import units
from ticker.errors import ConfigError
from ticker.feeds.transports import reconnect
from ticker.feeds.workers.presence import PrivateContext
from ticker.feeds.workers.worker import FeedWorker
from ticker.shm.counters import Counters, Heartbeat
from ticker.shm.header import KIND_FEED
from ticker.shm.segment import attach, create_feed, private_feed, remove
from ticker.shm.table import PriceTable

numbers = itertools.count(1)

CHILD = """
import sys
from ticker.config import parse
from ticker.feeds.workers.worker import FeedContext, run
run(parse(sys.argv[1]).feeds[0], FeedContext(segment=sys.argv[2], boot_id=7))
"""

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("quick_attempts")]


@contextlib.asynccontextmanager
async def tcp_server(
    speak: Callable[[asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[str]:
    """A TCP server on a free port that speaks to every client; its URL."""
    talks: list[asyncio.Task[None]] = []

    async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.ensure_future(speak(writer))
        talks.append(talk)
        with contextlib.suppress(asyncio.CancelledError, ConnectionError):
            await talk
        writer.transport.abort()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for talk in talks:
            talk.cancel()
        await asyncio.gather(*talks, return_exceptions=True)
        await asyncio.sleep(0)


def test_polygon_by_configuration() -> None:
    """Authentication first; subscriptions once it is accepted; both again on a new connection."""
    heard: list[Any] = []

    async def polygon(socket: web.WebSocketResponse) -> None:
        await socket.send_str('[{"ev":"status","status":"connected"}]')
        heard.append(await socket.receive_json())
        await socket.send_str('[{"ev":"status","status":"auth_success"}]')
        heard.append(await socket.receive_json())
        trade = {"ev": "T", "sym": "AAPL", "x": 4, "p": 100 + len(heard), "s": 100, "t": len(heard)}
        await socket.send_str(json.dumps([{**trade, "i": str(len(heard)), "q": 1}]))
        if len(heard) == 4:
            await socket.receive()

    async def test() -> None:
        async with serving(websocket_app(polygon)) as address:
            feed = config(
                f"ws://{address}/", mapping="polygon", credentials={"key": "secret"}, heartbeat=5.0
            )
            async with listening(feed) as (stream, prices):
                await until(lambda: prices() == {"AAPL": "104"})
                assert stream.connections == 2

    asyncio.run(test())
    assert heard == 2 * [
        {"action": "auth", "params": "secret"},
        {"action": "subscribe", "params": "T.AAPL,Q.AAPL,T.MSFT,Q.MSFT"},
    ]


def test_refused_credentials_are_tried_again_later() -> None:
    attempts = 0

    async def refuse(socket: web.WebSocketResponse) -> None:
        nonlocal attempts
        attempts += 1
        await socket.receive()
        await socket.send_str('[{"T":"error","code":402,"msg":"auth failed"}]')
        await socket.receive()

    async def test() -> None:
        async with serving(websocket_app(refuse)) as address:
            feed = config(
                f"ws://{address}/", mapping="alpaca", credentials={"key": "k", "secret": "s"},
                heartbeat=5.0,
            )  # fmt: skip
            async with listening(feed) as (_, prices):
                await until(lambda: attempts >= 3)
                assert prices() == {}

    asyncio.run(test())


def test_a_silent_server_is_left() -> None:
    """A peer that answers no ping is dead, however well its TCP connection is."""
    connections = 0

    async def fall_silent(socket: web.WebSocketResponse) -> None:
        nonlocal connections
        connections += 1
        await socket.send_str(tick(f"{100 + connections}", ms=connections))
        await asyncio.sleep(60)

    async def test() -> None:
        async with (
            serving(websocket_app(fall_silent, autoping=False)) as address,
            listening(config(f"ws://{address}/", heartbeat=0.03)) as (_, prices),
        ):
            await until(lambda: prices() == {"AAPL": "102"})

    asyncio.run(test())


def test_a_quiet_server_is_kept() -> None:
    """No data for long, but pings are answered: one connection, and signs of life."""

    async def quiet(socket: web.WebSocketResponse) -> None:
        await socket.send_str(tick("1"))
        await socket.receive()

    async def test() -> None:
        async with (
            serving(websocket_app(quiet)) as address,
            listening(config(f"ws://{address}/", heartbeat=0.02)) as (feed, prices),
        ):
            counts = Counters(feed.pipeline.mapping)
            await until(lambda: counts["heartbeats"] >= 20)
            assert feed.connections == 1
            assert prices() == {"AAPL": "1"}

    asyncio.run(test())


def test_a_burst_of_messages() -> None:
    async def burst(socket: web.WebSocketResponse) -> None:
        for number in range(2000):
            await socket.send_str(tick(f"100.{number:04}", symbol=f"S{number % 10}", ms=number))
        await socket.send_bytes(tick("1.25", symbol="LAST").encode())
        await socket.receive()

    async def test() -> None:
        async with serving(websocket_app(burst)) as address:
            feed = config(f"ws://{address}/", heartbeat=5.0)
            async with listening(feed) as (stream, prices):
                await until(lambda: prices().get("LAST") == "1.25")
                assert prices()["S9"] == "100.1999"
                assert Counters(stream.pipeline.mapping)["trades"] == 2001

    asyncio.run(test())


def test_tcp_lines() -> None:
    """Lines cut anywhere; a connection that ends inside one does not spoil the next."""
    connections = 0

    async def speak(writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        for piece in (tick("101") + "\n" + tick("102", ms=2)[:7], tick("102", ms=2)[7:] + "\n"):
            writer.write(piece.encode())
            await writer.drain()
            await asyncio.sleep(0.01)
        if connections == 1:
            writer.write(b'{"sym":"AAPL","px":9')
        else:
            writer.write(tick("103", ms=3).encode() + b"\n")
            await asyncio.sleep(60)

    async def test() -> None:
        async with (
            tcp_server(speak) as url,
            listening(config(url, heartbeat=5.0)) as (feed, prices),
        ):
            await until(lambda: prices() == {"AAPL": "103"})
            assert Counters(feed.pipeline.mapping)["bad_texts"] == 1

    asyncio.run(test())


def test_a_silent_tcp_server_is_left() -> None:
    connections = 0

    async def fall_silent(writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        writer.write(tick(str(100 + connections), ms=connections).encode() + b"\n")
        await asyncio.sleep(60)

    async def test() -> None:
        async with (
            tcp_server(fall_silent) as url,
            listening(config(url, heartbeat=0.02)) as (_, prices),
        ):
            await until(lambda: prices() == {"AAPL": "102"})

    asyncio.run(test())


def test_backoff_grows_and_is_bounded() -> None:
    backoff = reconnect.Backoff(1.0, 8.0)
    waits = [backoff.next() for _ in range(50)]
    for wait, most in zip(waits, [1, 2, 4, 8] + [8] * 46, strict=True):
        assert most / 2 <= wait <= most
    backoff.reset()
    assert backoff.next() <= 1


@pytest.mark.parametrize(
    ("lasted", "useful", "waits"),
    [
        (1.0, True, [0.25, 0.5, 1, 2, 4, 5, 5]),
        (1.0, False, [0.25, 0.5, 1, 2, 4, 8, 16, 30, 30]),
        (0.0, False, [0.25, 0.5, 1, 2, 4, 8, 16, 30, 30]),
        (reconnect.STEADY, True, [0.25] * 5),
        (reconnect.STEADY, False, [0.25, 0.5, 1, 2, 4, 8, 16, 30]),
        (reconnect.LONGEST_WAIT + 1, False, [0.25] * 5),
    ],
)
def test_the_wait_after_a_connection(lasted: float, useful: bool, waits: list[float]) -> None:
    backoff = reconnect.Backoff(0.25, reconnect.LONGEST_WAIT)
    for most in waits:
        assert most / 2 <= backoff.after(lasted, useful=useful) <= most


def test_a_vendor_that_was_useful_for_some_time_is_asked_again_soon() -> None:
    backoff = reconnect.Backoff(0.25, 30.0)
    for _ in range(6):
        backoff.after(1.0, useful=True)
    assert backoff.after(reconnect.STEADY, useful=True) <= 0.25


@pytest.mark.slow
def test_a_vendor_that_drops_each_connection_is_asked_ever_less_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It sends a price each time, so each connection is of use."""
    monkeypatch.setattr(reconnect.Backoff.__init__, "__defaults__", (0.02, 30.0))
    asked: list[float] = []

    async def drop(socket: web.WebSocketResponse) -> None:
        asked.append(time.monotonic())
        await socket.send_str(tick(str(100 + len(asked)), ms=len(asked)))

    async def test() -> None:
        async with (
            serving(websocket_app(drop)) as address,
            listening(config(f"ws://{address}/", heartbeat=5.0)) as (_, prices),
        ):
            await until(lambda: len(asked) == 6)
            await until(lambda: prices() == {"AAPL": "106"})

    asyncio.run(test())
    assert asked[5] - asked[4] >= 0.16, "half of 20 ms, doubled four times"


def test_a_missing_credential_is_told_at_once() -> None:
    configured = config("ws://127.0.0.1:1/", mapping="polygon")
    worker = FeedWorker(configured, PrivateContext(private_feed(GEOMETRY, 1, 1)))
    with pytest.raises(ConfigError, match=r"credentials\.key"):
        worker.loop()


def test_a_new_day_starts_over() -> None:
    """At midnight volumes start over and the last sale becomes the close; the connection stays."""
    midnight = 1_700_024_400_000_000_000  # 2023-11-15 00:00 in New York
    go_on = asyncio.Event()
    clock = [midnight - 10**9]

    async def trade(socket: web.WebSocketResponse) -> None:
        for _ in range(2):
            text = json.dumps(
                {"channel": "trade", "data": [{
                    "symbol": "A", "price": 5, "qty": 2, "trade_id": clock[0],
                    "timestamp": units.format_timestamp(clock[0]),
                }]}
            )  # fmt: skip
            await socket.send_str(text)
            await go_on.wait()
        await socket.receive()

    async def test() -> None:
        nonlocal go_on
        go_on = asyncio.Event()
        async with serving(websocket_app(trade)) as address:
            segment = private_feed(GEOMETRY, 1, 1)
            configured = config(f"ws://{address}/", mapping="kraken", heartbeat=5.0)
            worker = FeedWorker(configured, PrivateContext(segment), clock=lambda: clock[0])
            async with working(worker) as feed:
                table = PriceTable(segment)
                await until(lambda: len(table) == 1)
                clock[0] = midnight + 10**9
                await until(lambda: (table.values(0) or {}).get("trades") == 0)
                go_on.set()
                await until(lambda: Counters(segment)["trades"] == 2)
                feed.publish()
                values = table.values(0)
                assert values is not None
                assert (values["trades"], values["previous_close"]) == (1, 5 * 10**9)
                assert feed.connections == 1

    asyncio.run(test())


def test_the_worker_as_a_process(tmp_path: Path) -> None:
    """live, stale when the server is gone, live again, and stopped by SIGTERM."""
    name = f"/ticker.test{os.getpid()}.stream{next(numbers)}"
    create_feed(name, GEOMETRY, 7, 1)
    segment = attach(name, KIND_FEED, boot_id=7)
    heartbeat, prices = Heartbeat(segment), Prices(segment)
    mapping = tmp_path / "own.toml"
    mapping.write_text('[[records]]\nname="t"\nkind="trade"\nsymbol="s"\nprice="p"\n')

    async def speak(socket: web.WebSocketResponse) -> None:
        await socket.send_str('{"s":"AAPL","p":"0.1"}')
        async for _ in socket:
            pass

    async def test() -> None:
        async with serving(websocket_app(speak)) as address:
            text = (
                f'[[feeds]]\nname="j"\nprotocol="json"\nvenue="XNAS"\nheartbeat=0.1\n'
                f'url="ws://{address}/"\nmapping="{mapping}"\n'
            )
            child = subprocess.Popen([sys.executable, "-c", CHILD, text, name])
            try:
                await until(lambda: heartbeat.state == "live" and prices() == {"AAPL": "0.1"})
            except BaseException:
                child.kill()
                raise
        try:
            await until(lambda: heartbeat.state == "stale")
            child.send_signal(signal.SIGTERM)
            await until(lambda: child.poll() is not None)
            assert child.returncode == 0
        finally:
            child.kill()
            child.wait()

    try:
        asyncio.run(test())
    finally:
        remove(name)


def test_websocket_errors_are_ours() -> None:
    """A server that is no WebSocket server: tried again, not a crash."""

    async def test() -> None:
        app = web.Application()
        async with (
            serving(app) as address,
            listening(config(f"ws://{address}/nowhere")) as (feed, _),
        ):
            await asyncio.sleep(0.1)
            assert feed.connections == 0
        with pytest.raises(aiohttp.ClientError):
            async with aiohttp.ClientSession() as http:
                await http.ws_connect(f"ws://{address}/")

    asyncio.run(test())

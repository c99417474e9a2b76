"""A vendor's messages beside prices, from real servers: compressed messages, pings, refusals."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from typing import Any

import pytest
import structlog
from aiohttp import WSMsgType, web

from tests.feeds.streams import config, listening, serving, tick, until, websocket_app
from ticker.shm.counters import Counters

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("quick_attempts")]


def test_compressed_messages() -> None:
    """Gzip and zlib as they come; what cannot be read is counted, and said once."""
    bomb = zlib.compress(b" " * ((1 << 24) + 1))

    async def speak(socket: web.WebSocketResponse) -> None:
        await socket.send_bytes(gzip.compress(tick("10").encode()))
        await socket.send_bytes(zlib.compress(tick("10.1", ms=2).encode()))
        await socket.send_bytes(gzip.compress(tick("10.2", ms=3).encode())[:-4])
        await socket.send_bytes(bomb)
        await socket.send_bytes(tick("10.3", ms=4).encode())
        await socket.receive()

    async def test() -> None:
        with structlog.testing.capture_logs() as logged:
            async with (
                serving(websocket_app(speak)) as address,
                listening(config(f"ws://{address}/", heartbeat=5.0)) as (feed, prices),
            ):
                await until(lambda: prices() == {"AAPL": "10.3"})
                counts = Counters(feed.pipeline.mapping)
                assert (counts["trades"], counts["bad_frames"], counts["bad_texts"]) == (3, 2, 0)
        said = [line for line in logged if line["event"] == "feed sends what cannot be read"]
        assert [line["reason"] for line in said] == ["a compressed message is cut off"]

    asyncio.run(test())


def test_a_compressed_acceptance_is_understood() -> None:
    heard: list[Any] = []

    async def speak(socket: web.WebSocketResponse) -> None:
        heard.append(await socket.receive_json())
        await socket.send_bytes(gzip.compress(b'[{"T":"success","msg":"authenticated"}]'))
        heard.append(await socket.receive_json())
        await socket.receive()

    async def test() -> None:
        async with serving(websocket_app(speak)) as address:
            feed = config(
                f"ws://{address}/", mapping="alpaca", credentials={"key": "k", "secret": "s"},
                heartbeat=5.0,
            )  # fmt: skip
            async with listening(feed):
                await until(lambda: len(heard) == 2)

    asyncio.run(test())
    assert [message["action"] for message in heard] == ["auth", "subscribe"]


def test_a_ping_in_the_payload_is_answered() -> None:
    """A server that leaves who does not answer `{"ping":n}` with `{"pong":n}`."""
    answered: list[Any] = []

    async def speak(socket: web.WebSocketResponse) -> None:
        for number in range(3):
            await socket.send_str(tick(str(10 + number), ms=number + 1))
            await socket.send_str(json.dumps({"ping": 10**18 + number}))
            message = await socket.receive()
            if message.type is not WSMsgType.TEXT:
                return
            answered.append(json.loads(message.data))
        await socket.receive()

    async def test() -> None:
        async with (
            serving(websocket_app(speak)) as address,
            listening(config(f"ws://{address}/", heartbeat=5.0)) as (feed, prices),
        ):
            await until(lambda: len(answered) == 3)
            await until(lambda: prices() == {"AAPL": "12"})
            assert feed.connections == 1
            assert Counters(feed.pipeline.mapping)["bad_records"] == 0

    asyncio.run(test())
    assert answered == [{"pong": 10**18 + number} for number in range(3)]


def test_a_ping_in_lines_is_answered() -> None:
    answered: list[bytes] = []

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f'{tick("10")}\n{{"ping":7}}\n'.encode())
        answered.append(await reader.readline())
        writer.close()

    async def test() -> None:
        server = await asyncio.start_server(speak, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server, listening(config(f"tcp://127.0.0.1:{port}", heartbeat=5.0)):
            await until(lambda: answered)

    asyncio.run(test())
    assert answered[0] == b'{"pong":7}\n'


def test_what_a_server_refuses_is_in_the_log() -> None:
    """The login is accepted, the subscription is not: the log says why, and says no secret."""
    refusal = {"T": "error", "code": 405, "msg": "symbol limit exceeded for s3cret"}

    async def speak(socket: web.WebSocketResponse) -> None:
        await socket.receive()
        await socket.send_str('[{"T":"success","msg":"authenticated"}]')
        await socket.receive()
        await socket.send_str(json.dumps([refusal]))
        await socket.send_str(json.dumps([refusal]))
        await socket.receive()

    async def test() -> None:
        with structlog.testing.capture_logs() as logged:
            async with serving(websocket_app(speak)) as address:
                feed = config(
                    f"ws://{address}/", mapping="alpaca",
                    credentials={"key": "k-7", "secret": "s3cret"}, heartbeat=5.0,
                )  # fmt: skip
                async with listening(feed) as (source, _):
                    counts = Counters(source.pipeline.mapping)
                    await until(lambda: counts["refusals"] == 2)
        said = [line for line in logged if line["event"] == "feed says no"]
        assert [line["text"] for line in said] == ["symbol limit exceeded for ***"]

    asyncio.run(test())


def test_what_a_polled_server_refuses_is_in_the_log() -> None:
    """A status of 200 with a note instead of a price."""

    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"Note": "5 calls per minute"})

    async def test() -> None:
        app = web.Application()
        app.router.add_get("/", answer)
        with structlog.testing.capture_logs() as logged:
            async with serving(app) as address:
                feed = config(f"http://{address}/", mapping="lastprice", poll_interval=0.05)
                async with listening(feed) as (source, _):
                    counts = Counters(source.pipeline.mapping)
                    await until(lambda: counts["refusals"] >= 3)
        said = [line for line in logged if line["event"] == "feed says no"]
        assert [line["text"] for line in said] == ["5 calls per minute"]

    asyncio.run(test())

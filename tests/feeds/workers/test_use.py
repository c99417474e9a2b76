"""Alive means prices: vendors that answer, and say nothing of use, against real servers."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog
from aiohttp import web

from tests.feeds.streams import GEOMETRY, config, serving, tick, until, websocket_app, working
from ticker.feeds.workers.presence import PrivateContext
from ticker.feeds.workers.worker import FeedWorker
from ticker.gateway.rest.metrics import Metrics
from ticker.gateway.rest.status import Status
from ticker.shm.counters import Heartbeat
from ticker.shm.segment import private_feed

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("quick_attempts")]

TIME = "2025-12-01T10:00:00Z"
Answer = Callable[[int], web.Response]


def polled(answer: Answer) -> web.Application:
    """A server whose answers depend on how often it was asked, from 1 on."""
    asked = 0

    async def handle(_: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        return answer(asked)

    app = web.Application()
    app.router.add_get("/", handle)
    return app


def price(number: int) -> web.Response:
    return web.json_response({"symbol": "AAPL", "lastPrice": f"10.{number}", "timestamp": TIME})


async def stale(app: web.Application, scheme: str, **keys: Any) -> tuple[Heartbeat, list[Any]]:
    """The feed of a vendor, once it is stale; and the log."""
    with structlog.testing.capture_logs() as logged:
        async with serving(app) as address:
            segment = private_feed(GEOMETRY, 1, 1)
            heartbeat = Heartbeat(segment)
            keys = {"heartbeat": 0.1, "poll_interval": 0.05, **keys}
            feed = config(f"{scheme}://{address}/", **keys)
            async with working(FeedWorker(feed, PrivateContext(segment))):
                await until(lambda: heartbeat.state == "stale")
                why = heartbeat.why
                (report,) = Status([("test", segment)], version="", epoch=1).feed_reports(
                    heartbeat.time_ns
                )
                assert (report.status, report.why) == ("stale", why)
                metrics = Metrics(Status([("test", segment)], version="", epoch=1))
                shown = metrics.render()[0].decode()
                assert f'ticker_feed_stale{{feed="test",reason="{why}"}} 1.0' in shown
    assert [line["why"] for line in said(logged)] == [why]
    return heartbeat, said(logged)


def said(logged: list[Any]) -> list[Any]:
    return [line for line in logged if line["event"] == "feed is of no use"]


@pytest.mark.parametrize(
    ("page", "why", "example"),
    [
        ('<html><body>Please sign in</body></html>', "no_json", "<html><body>Please sign in"),
        ('{"Note":"5 calls per minute"}', "refused", '{"Note":"5 calls per minute"}'),
        ("[]", "no_rule", "[]"),
        ('{"symbol":"AAPL","lastPrice":NaN,"timestamp":"2025-12-01T10:00:00Z"}', "skipped", "NaN"),
        ('{"symbol":"AAPL","lastPrice":"-3","timestamp":"2025-12-01T10:00:00Z"}', "rejected", "-3"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("good", [0, 3])
def test_a_status_of_200_is_no_price(page: str, why: str, example: str, good: int) -> None:
    """Whether the vendor was well before or not, and however quickly it answers."""

    def answer(number: int) -> web.Response:
        return price(number) if number <= good else web.Response(text=page)

    async def test() -> None:
        _, (line,) = await stale(polled(answer), "http", mapping="lastprice")
        assert (line["why"], line["feed"]) == (why, "test")
        assert example in line["example"]
        assert line["advice"]

    asyncio.run(test())


@pytest.mark.parametrize("well", [True, False])
def test_an_unchanged_answer_is_as_good_as_the_last(well: bool) -> None:
    """304 vouches for a price; for a page of no use it does not, and that is asked for whole."""
    asked: list[str] = []

    async def handle(request: web.Request) -> web.Response:
        asked.append(request.headers.get("If-None-Match", ""))
        if asked[-1] == '"1"':
            return web.Response(status=304)
        if well:
            return web.Response(body=price(1).body, headers={"ETag": '"1"'})
        return web.json_response({"hello": "welcome"}, headers={"ETag": '"1"'})

    async def test() -> None:
        app = web.Application()
        app.router.add_get("/", handle)
        async with serving(app) as address:
            segment = private_feed(GEOMETRY, 1, 1)
            heartbeat = Heartbeat(segment)
            feed = config(
                f"http://{address}/", mapping="lastprice", poll_interval=0.02, heartbeat=0.1
            )
            async with working(FeedWorker(feed, PrivateContext(segment))):
                await until(lambda: len(asked) > 30)
                if well:
                    assert heartbeat.state == "live"
                    assert asked.count("") == 1
                else:
                    await until(lambda: heartbeat.state == "stale")
                    assert set(asked) == {""}

    asyncio.run(test())


async def refuse(socket: web.WebSocketResponse) -> None:
    """Accept the login, and refuse the subscription."""
    await socket.receive()
    await socket.send_str('[{"T":"success","msg":"authenticated"}]')
    await socket.receive()
    await socket.send_str('[{"T":"error","code":405,"msg":"symbol limit of k-7 exceeded"}]')
    async for _ in socket:
        pass


def test_a_refused_subscription_is_no_feed() -> None:
    """The pongs that go on coming say nothing of it; the log says it, and no secret."""

    async def test() -> None:
        _, (line,) = await stale(
            websocket_app(refuse), "ws", mapping="alpaca",
            credentials={"key": "k-7", "secret": "s3cret"},
        )  # fmt: skip
        assert line["why"] == "refused"
        assert "symbol limit of *** exceeded" in line["example"]

    asyncio.run(test())


def test_pings_are_no_prices() -> None:
    async def ping(socket: web.WebSocketResponse) -> None:
        await socket.send_str(tick("1"))
        while not socket.closed:
            await socket.ping()
            await asyncio.sleep(0.01)

    async def test() -> None:
        heartbeat, (line,) = await stale(websocket_app(ping, autoping=True), "ws")
        assert (line["why"], heartbeat.last_message_ns > 0) == ("only_pings", True)

    asyncio.run(test())


def test_a_ping_in_the_payload_is_no_price_either() -> None:
    async def ping(socket: web.WebSocketResponse) -> None:
        await socket.send_str(tick("1"))
        while not socket.closed:
            await socket.send_str('{"ping":7}')
            await asyncio.sleep(0.01)

    async def test() -> None:
        _, (line,) = await stale(websocket_app(ping), "ws")
        assert line["why"] == "only_pings"

    asyncio.run(test())


def test_gzip_that_cannot_be_read() -> None:
    async def speak(socket: web.WebSocketResponse) -> None:
        while not socket.closed:
            await socket.send_bytes(gzip.compress(tick("1").encode())[:-4])
            await asyncio.sleep(0.01)

    async def test() -> None:
        _, (line,) = await stale(websocket_app(speak), "ws")
        assert (line["why"], line["example"]) == (
            "unreadable", "a compressed message is cut off",
        )  # fmt: skip

    asyncio.run(test())


def test_a_gzip_body_of_no_end_is_bounded_and_counted() -> None:
    bomb = gzip.compress(b" " * ((1 << 24) + 1))

    async def test() -> None:
        _, (line,) = await stale(
            polled(lambda _: web.Response(body=bomb, headers={"Content-Encoding": "gzip"})),
            "http", poll_interval=0.1, heartbeat=0.4,
        )  # fmt: skip
        assert line["why"] == "too_long"

    asyncio.run(test())


OWN = """
[[records]]
name = "trade"
kind = "trade"
where = { p = { present = true } }
symbol = "s"
price = "p"
[[records]]
name = "well"
kind = "alive"
where = { status = "ok" }
[[records]]
name = "refused"
kind = "error"
where = { status = "no" }
"""


@pytest.mark.parametrize("refused", [False, True])
def test_what_a_mapping_calls_alive_is(refused: bool, tmp_path: Path) -> None:
    """Not, however, where the vendor has refused what we asked for."""
    mapping = tmp_path / "own.toml"
    mapping.write_text(OWN)
    enough = asyncio.Event()

    async def speak(socket: web.WebSocketResponse) -> None:
        await socket.send_str('{"s":"AAPL","p":"1.5"}')
        if refused:
            await socket.send_str('{"status":"no"}')
        sent = 0
        while not socket.closed:
            await socket.send_str('{"status":"ok"}')
            sent += 1
            if sent == 100:
                enough.set()
            await asyncio.sleep(0.01)

    async def test() -> None:
        async with serving(websocket_app(speak)) as address:
            segment = private_feed(GEOMETRY, 1, 1)
            heartbeat = Heartbeat(segment)
            feed = config(f"ws://{address}/", mapping=str(mapping), heartbeat=0.1)
            async with working(FeedWorker(feed, PrivateContext(segment))):
                await enough.wait()
                assert (heartbeat.state, heartbeat.why) == (
                    ("stale", "refused") if refused else ("live", "none")
                )

    asyncio.run(test())


BOTH = """
[[records]]
name = "trade"
kind = "trade"
where = { p = { present = true } }
symbol = "s"
price = "p"
time = "t"
time_unit = "ms"
[[records]]
name = "quote"
kind = "quote"
where = { bid = { present = true } }
symbol = "s"
bid = "bid"
"""


def test_trades_that_are_refused_one_and_all_are_no_feed(tmp_path: Path) -> None:
    """A host whose clock is behind: quotes come through, and not one trade. One trade ends it."""
    mapping = tmp_path / "own.toml"
    mapping.write_text(BOTH)
    right = asyncio.Event()

    async def speak(socket: web.WebSocketResponse) -> None:
        number = 0
        while not socket.closed:
            number += 1
            when = 1_700_000_000_000 if right.is_set() else 4_000_000_000_000
            await socket.send_str(json.dumps({"s": "AAPL", "p": 5, "t": when + number}))
            await socket.send_str(json.dumps({"s": "AAPL", "bid": 4 + number / 1000}))
            await asyncio.sleep(0.01)

    async def test() -> None:
        with structlog.testing.capture_logs() as logged:
            async with serving(websocket_app(speak)) as address:
                segment = private_feed(GEOMETRY, 1, 1)
                heartbeat = Heartbeat(segment)
                feed = config(f"ws://{address}/", mapping=str(mapping), heartbeat=0.1)
                async with working(FeedWorker(feed, PrivateContext(segment))):
                    await until(lambda: heartbeat.state == "stale")
                    assert heartbeat.why == "clock_skew"
                    right.set()
                    await until(lambda: heartbeat.state == "live")
                    assert heartbeat.why == "none"
        assert [line["why"] for line in said(logged)] == ["clock_skew"]

    asyncio.run(test())

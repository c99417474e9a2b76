"""Snapshots polled over HTTP, from a real server."""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import structlog
from aiohttp import web

from tests.feeds.streams import (
    GEOMETRY,
    Prices,
    config,
    listening,
    serving,
    tick,
    until,
    working,
)
from ticker.feeds.transports.http import batch_urls
from ticker.feeds.transports.reconnect import retry_after
from ticker.feeds.workers.worker import FeedContext, FeedWorker
from ticker.shm.counters import Counters, Heartbeat
from ticker.shm.header import KIND_FEED
from ticker.shm.segment import attach, create_feed, remove

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("quick_attempts")]


def test_polled_snapshots() -> None:
    """Batches of symbols, conditional requests, and a server that wants to be left alone."""
    asked: list[tuple[str, str, float]] = []

    async def last(request: web.Request) -> web.Response:
        symbols = request.query["symbols"]
        condition = request.headers.get("If-None-Match", "")
        asked.append((symbols, condition, time.monotonic()))
        assert request.headers["X-Key"] == "s3"
        if symbols == "BRK/B" and len([each for each in asked if each[0] == symbols]) == 1:
            return web.Response(status=429, headers={"Retry-After": "1"})
        if condition == '"1"':
            return web.Response(status=304)
        texts = [
            {"symbol": each, "lastPrice": "178.52", "timestamp": "2025-12-01T10:00:00Z"}
            for each in symbols.split(",")
        ]
        return web.json_response(texts, headers={"ETag": '"1"'})

    async def test() -> None:
        app = web.Application()
        app.router.add_get("/last", last)
        async with serving(app) as address:
            feed = config(
                f"http://{address}/last?symbols=${{symbols}}", mapping="lastprice", batch=2,
                symbols=("AAPL", "MSFT", "BRK/B"), poll_interval=0.05,
                credentials={"key": "s3"}, headers={"X-Key": "${key}"},
            )  # fmt: skip
            async with listening(feed) as (stream, prices):
                # A row is there a moment before its price.
                await until(lambda: list(prices().values()) == ["178.52"] * 3)
                counts = Counters(stream.pipeline.mapping)
                await until(lambda: counts["heartbeats"] >= 3)
                assert counts["messages"] == 2

    asyncio.run(test())
    first, second = [each for each in asked if each[0] == "BRK/B"][:2]
    assert second[2] - first[2] >= 0.99
    assert [each[1] for each in asked if each[0] == "AAPL,MSFT"][:2] == ["", '"1"']


def test_a_poll_that_fails_is_repeated() -> None:
    answers = iter([500, 404, 0, 200])

    async def moody(_: web.Request) -> web.Response:
        status = next(answers, 200)
        return web.Response(status=status or 200, text="<html>" if not status else tick("7"))

    async def test() -> None:
        app = web.Application()
        app.router.add_get("/", moody)
        async with serving(app) as address:
            feed = config(f"http://{address}/", poll_interval=0.01)
            async with listening(feed) as (stream, prices):
                await until(lambda: prices() == {"AAPL": "7"})
                assert Counters(stream.pipeline.mapping)["bad_texts"] == 1

    asyncio.run(test())


def test_batches_of_urls() -> None:
    url = "http://x/?s=${symbols}"
    assert batch_urls(url, ["A", "B/C", "D"], 2) == ["http://x/?s=A,B%2FC", "http://x/?s=D"]
    assert batch_urls("http://x/${symbol}/last", ["A", "B"], 9) == [
        "http://x/A/last", "http://x/B/last",
    ]  # fmt: skip
    assert batch_urls("http://x/", ["A"], 9) == ["http://x/"]


def test_retry_after() -> None:
    now = datetime(2026, 3, 29, 12, 0, tzinfo=UTC)
    assert retry_after("120", now) == 120
    assert retry_after(format_datetime(now + timedelta(seconds=90), usegmt=True), now) == 90
    assert retry_after(format_datetime(now - timedelta(seconds=90), usegmt=True), now) == 0
    assert retry_after("99999999999999", now) == 3600
    assert retry_after("soon", now) == 0
    assert retry_after(f"Fri, 02 Jan {10**30} 14:31:00 GMT", now) == 0
    assert retry_after("", now) == 0


def test_only_what_was_modified_is_asked_for() -> None:
    """Without an ETag the date of the last answer is the condition."""
    modified = format_datetime(datetime(2026, 3, 2, 14, 30, tzinfo=UTC), usegmt=True)
    asked: list[str] = []

    async def last(request: web.Request) -> web.Response:
        asked.append(request.headers.get("If-Modified-Since", ""))
        if asked[-1] == modified:
            return web.Response(status=304)
        return web.Response(text=tick("7"), headers={"Last-Modified": modified})

    async def test() -> None:
        app = web.Application()
        app.router.add_get("/", last)
        async with (
            serving(app) as address,
            listening(config(f"http://{address}/", poll_interval=0.01)) as (stream, prices),
        ):
            counts = Counters(stream.pipeline.mapping)
            await until(lambda: counts["heartbeats"] >= 3)
            assert (prices(), counts["messages"]) == ({"AAPL": "7"}, 1)

    asyncio.run(test())
    assert asked[:3] == ["", modified, modified]


def test_a_server_names_the_time_when_it_may_be_asked() -> None:
    """Retry-After as a date, of a second's precision; meanwhile it is left alone."""
    asked: list[float] = []

    async def busy(_: web.Request) -> web.Response:
        asked.append(time.time())
        if len(asked) == 1:
            then = datetime.fromtimestamp(int(asked[0]) + 2, UTC)
            retry = {"Retry-After": format_datetime(then, usegmt=True)}
            return web.Response(status=503, headers=retry)
        return web.Response(text=tick("7"))

    async def test() -> None:
        app = web.Application()
        app.router.add_get("/", busy)
        async with (
            serving(app) as address,
            listening(config(f"http://{address}/", poll_interval=0.01)) as (_, prices),
        ):
            await until(lambda: prices() == {"AAPL": "7"})

    asyncio.run(test())
    assert asked[1] >= int(asked[0]) + 2


def test_polls_keep_their_pace_with_jitter() -> None:
    """Never sooner than a tenth below the interval, and not like clockwork."""
    asked: list[float] = []

    async def last(_: web.Request) -> web.Response:
        asked.append(time.monotonic())
        return web.Response(text=tick("7"))

    async def test() -> None:
        app = web.Application()
        app.router.add_get("/", last)
        async with (
            serving(app) as address,
            listening(config(f"http://{address}/", poll_interval=0.05)),
        ):
            await until(lambda: len(asked) > 20)

    asyncio.run(test())
    pauses = [later - earlier for earlier, later in itertools.pairwise(asked)]
    assert min(pauses) >= 0.9 * 0.05 - 0.002
    assert max(pauses) - min(pauses) > 0.002


def test_a_failing_server_is_asked_less_often() -> None:
    """Never sooner than the interval, and the pauses grow."""
    asked: list[float] = []

    async def broken(_: web.Request) -> web.Response:
        asked.append(time.monotonic())
        return web.Response(status=500)

    async def test() -> None:
        app = web.Application()
        app.router.add_get("/", broken)
        with structlog.testing.capture_logs() as logged:
            async with (
                serving(app) as address,
                listening(config(f"http://{address}/?key=secret", poll_interval=0.05)),
            ):
                await until(lambda: len(asked) == 4)
        told = [each for each in logged if each["event"] == "poll failed"]
        assert told[0]["reason"] == "status 500 Internal Server Error"
        assert "secret" not in str(told)

    asyncio.run(test())
    pauses = [later - earlier for earlier, later in itertools.pairwise(asked)]
    assert min(pauses) >= 0.05
    assert pauses[2] >= 0.5 > 0.25 >= pauses[0] - 0.2


def test_a_part_that_is_not_answered_makes_the_feed_stale() -> None:
    """Two batches: one that fails for long is not covered up by the other."""
    failing = False
    name = f"/ticker.test{os.getpid()}.polling"
    create_feed(name, GEOMETRY, 7, 1)
    segment = attach(name, KIND_FEED, boot_id=7)

    async def last(request: web.Request) -> web.Response:
        if failing and request.query["s"] == "MSFT":
            return web.Response(status=500)
        return web.Response(text=tick("7", symbol=request.query["s"]))

    async def test() -> None:
        nonlocal failing
        app = web.Application()
        app.router.add_get("/", last)
        async with serving(app) as address:
            url = f"http://{address}/?s=${{symbols}}"
            configured = config(url, poll_interval=0.05, batch=1)
            heartbeat = Heartbeat(segment)
            async with working(FeedWorker(configured, FeedContext(segment=name, boot_id=7))):
                await until(lambda: heartbeat.state == "live" and len(Prices(segment)()) == 2)
                failing = True
                await until(lambda: heartbeat.state == "stale")
                failing = False
                await until(lambda: heartbeat.state == "live")

    try:
        asyncio.run(test())
    finally:
        remove(name)

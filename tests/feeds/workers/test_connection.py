"""Connections of sessions: the next one follows, however many failed; what ends one is told; and a
session that beats is no feed by that alone."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import structlog

from tests.feeds.streams import until, working
from ticker.config import parse
from ticker.feeds.fix.message import utc_timestamp
from ticker.feeds.transports import reconnect
from ticker.feeds.workers.presence import PrivateContext
from ticker.feeds.workers.worker import FeedWorker
from ticker.shm.counters import Heartbeat
from ticker.shm.segment import Geometry, private_feed

FIX = '[feeds.fix]\nsender = "A"\ntarget = "B"\nsymbols = ["AAPL"]\n'


@pytest.fixture
def nobody() -> Iterator[int]:
    """A port that refuses connections, and that nobody else gets meanwhile."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield int(bound.getsockname()[1])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("protocol", "table"), [('protocol = "fix"', FIX), ('protocol = "itch50"\n'
                             'session = "soupbintcp"', "")],
)  # fmt: skip
def test_more_failures_than_a_float_has_doublings(
    nobody: int, protocol: str, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconnect.Backoff.__init__, "__defaults__", (0.0, 0.0))
    feed = f'[[feeds]]\nname = "f"\nvenue = "XNAS"\nlines = ["127.0.0.1:{nobody}"]\n'
    segment = private_feed(Geometry(rows=16, rings=1, ring_capacity=64), 1, 1)
    worker = FeedWorker(parse(feed + protocol + "\n" + table).feeds[0], PrivateContext(segment))

    async def run() -> None:
        with structlog.testing.capture_logs() as logged:
            async with working(worker):
                await until(lambda: len(logged) > 1200)

    asyncio.run(run())


class FixVenue:
    """A venue that logs on whoever comes, answers requests for market data with `answer`, and
    beats; `logout` ends the session."""

    def __init__(self, answer: str) -> None:
        self.answer = answer
        self.number = 0
        self.writer: asyncio.StreamWriter | None = None
        self.asked = asyncio.Event()

    def say(self, text: str) -> None:
        assert self.writer is not None
        kind, *rest = text.split("|")
        self.number += 1
        fields = [f"35={kind}", f"34={self.number}", "49=B", "56=A", *rest]
        fields.insert(2, f"52={utc_timestamp(time.time_ns()).decode()}")
        body = "".join(f"{field}\x01" for field in fields)
        frame = f"8=FIX.4.4\x019={len(body)}\x01{body}"
        self.writer.write(f"{frame}10={sum(frame.encode()) % 256:03}\x01".encode())

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writer, self.number = writer, 0
        beating = None
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                message = await reader.readuntil(b"\x0110=")
                if b"\x0135=A\x01" in message:
                    self.say("A|98=0|108=1|141=Y")
                    beating = asyncio.ensure_future(self.beat())
                elif b"\x0135=V\x01" in message:
                    self.say(self.answer)
                    self.asked.set()
        if beating is not None:
            beating.cancel()
        writer.close()

    async def beat(self) -> None:
        while True:
            await asyncio.sleep(0.2)
            self.say("0")


@contextlib.asynccontextmanager
async def fix_feed(
    answer: str, clock: Callable[[], int] = time.time_ns
) -> AsyncIterator[tuple[FixVenue, Heartbeat]]:
    venue = FixVenue(answer)
    server = await asyncio.start_server(venue.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    text = (
        f'[[feeds]]\nname = "f"\nvenue = "XNAS"\nprotocol = "fix"\nlines = ["127.0.0.1:{port}"]\n'
        f"{FIX}heartbeat = 1\n"
    )
    segment = private_feed(Geometry(rows=16, rings=1, ring_capacity=64), 1, 1)
    async with server, working(FeedWorker(parse(text).feeds[0], PrivateContext(segment), clock)):
        yield venue, Heartbeat(segment)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("Y|262=1|281=1|58=unknown symbol", "refused"),
        ("W|55=AAPL|268=1|269=2|270=10|271=5", "none"),
    ],
)
def test_a_session_that_beats_is_no_feed_where_its_request_is_refused(
    answer: str, why: str
) -> None:
    async def run() -> list[Any]:
        with structlog.testing.capture_logs() as logged:
            async with fix_feed(answer) as (venue, heartbeat):
                await until(lambda: heartbeat.state == "live")
                await venue.asked.wait()
                if why == "none":
                    start = venue.number
                    await until(lambda: venue.number > start + 20)
                    assert heartbeat.state == "live"
                else:
                    await until(lambda: heartbeat.state == "stale")
                assert heartbeat.why == why
        return [line for line in logged if line["event"] == "feed is of no use"]

    said = asyncio.run(run())
    assert [line["example"] for line in said] == (
        [] if why == "none" else ["1: reason 1 unknown symbol"]
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ends", "by", "reason"),
    [("logout", "server", "closing time"), ("close", "server", ""), ("stop", "us", "")],
)
def test_who_ended_a_session_is_in_the_log(ends: str, by: str, reason: str) -> None:
    async def run() -> list[Any]:
        with structlog.testing.capture_logs() as logged:
            async with fix_feed("0") as (venue, _):
                await venue.asked.wait()
                if ends == "logout":
                    venue.say("5|58=closing time")
                elif ends == "close":
                    assert venue.writer is not None
                    venue.writer.close()
                if ends != "stop":
                    await until(lambda: any(_ended(line) for line in logged))
        return [line for line in logged if _ended(line)]

    first = asyncio.run(run())[0]
    assert (first["by"], reason in first["reason"]) == (by, True)


@pytest.mark.slow
@pytest.mark.parametrize("step", [-40, 40])
def test_a_session_begins_anew_when_the_wall_clock_is_set(step: int) -> None:
    """Its heartbeats and its patience would be wrong by as much."""
    wrong = 0

    async def run() -> list[Any]:
        nonlocal wrong
        with structlog.testing.capture_logs() as logged:
            clock = lambda: time.time_ns() + wrong  # noqa: E731
            async with fix_feed("W|55=AAPL|268=1|269=2|270=10|271=5", clock) as (venue, heartbeat):
                await venue.asked.wait()
                await until(lambda: heartbeat.state == "live")
                venue.asked.clear()
                wrong = step * 10**9
                await venue.asked.wait()
                await until(lambda: heartbeat.state == "live")
        return [line for line in logged if _ended(line)]

    first = asyncio.run(run())[0]
    assert (first["by"], f"set by {step:+}.0 s" in first["reason"]) == ("us", True)


def _ended(line: Any) -> bool:
    return bool(line["event"] == "fix disconnected")

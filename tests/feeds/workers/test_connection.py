"""Connections of sessions: the next one follows, however many failed."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator

import pytest
import structlog

from tests.feeds.streams import until, working
from ticker.config import parse
from ticker.feeds.transports import reconnect
from ticker.feeds.workers.presence import PrivateContext
from ticker.feeds.workers.worker import FeedWorker
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

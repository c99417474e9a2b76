"""Feeds over wss:// and https://: a server is who its certificate says, or nobody."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import structlog
from aiohttp import web

from tests.certificates import Authority
from tests.feeds.streams import (
    config,
    listening,
    serving,
    tick,
    until,
    websocket_app,
)
from ticker.config import parse
from ticker.errors import ConfigError, FeedError
from ticker.feeds.workers.presence import PrivateContext
from ticker.feeds.workers.worker import FeedWorker
from ticker.shm.segment import Geometry, private_feed

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("quick_attempts")]


@pytest.fixture
def authorities(tmp_path: Path) -> tuple[Authority, Authority]:
    """A wrong one, and the one that signed for the server."""
    return Authority(tmp_path, "other"), Authority(tmp_path, "right")


def polled() -> web.Application:
    async def last(_: web.Request) -> web.Response:
        return web.Response(text=tick("7"))

    app = web.Application()
    app.router.add_get("/", last)
    return app


def streamed() -> web.Application:
    async def speak(socket: web.WebSocketResponse) -> None:
        await socket.send_str(tick("7"))
        await socket.receive()

    return websocket_app(speak)


@pytest.mark.parametrize(
    ("scheme", "app", "event"),
    [("https", polled, "poll failed"), ("wss", streamed, "feed disconnected")],
)
def test_the_authority_decides(
    authorities: tuple[Authority, Authority], scheme: str, app: Any, event: str
) -> None:
    """A wrong authority, and the system's own, refuse it and say so; the right one does not."""
    other, right = authorities

    async def test() -> None:
        async with serving(app(), right.server_context("127.0.0.1")) as address:
            for wrong in (str(other.path), None):
                feed = config(
                    f"{scheme}://{address}/?key=${{key}}", tls_ca=wrong, poll_interval=0.05,
                    credentials={"key": "secret"},
                )  # fmt: skip
                with structlog.testing.capture_logs() as logged:
                    async with listening(feed) as (_, prices):
                        await until(lambda: [one for one in logged if one["event"] == event])
                        assert prices() == {}
                told = next(one for one in logged if one["event"] == event)
                assert "certificate is refused" in told["reason"]
                assert "tls_ca" in told["reason"]
                assert "secret" not in str(logged)
            feed = config(f"{scheme}://{address}/", tls_ca=str(right.path), poll_interval=0.05)
            async with listening(feed) as (_, prices):
                await until(lambda: prices() == {"AAPL": "7"})

    asyncio.run(test())


def test_a_file_without_certificates(tmp_path: Path) -> None:
    path = tmp_path / "none.pem"
    path.write_text("nothing")
    with pytest.raises(FeedError, match=r"none\.pem: has no certificates"):
        FeedWorker(
            config("wss://x/", tls_ca=str(path)),
            PrivateContext(private_feed(Geometry(rows=1), 1, 1)),
        )


def test_an_authority_needs_tls() -> None:
    feed = '[[feeds]]\nname="f"\nprotocol="json"\nvenue="XNAS"\nmapping="plain"\ntls_ca="x"\n'
    with pytest.raises(ConfigError, match="tls_ca: only for https:// and wss://"):
        parse(feed + 'url="ws://x/"\n')
    assert parse(feed + 'url="wss://x/"\n').feeds[0].tls_ca == "x"

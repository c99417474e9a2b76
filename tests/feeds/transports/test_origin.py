"""Redirects of a feed's requests, ends of its connections, and the waits after them."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import structlog
from aiohttp import WSCloseCode, WSMsgType, web

from tests.feeds.streams import config, listening, serving, tick, until, websocket_app
from ticker.feeds.transports.origin import proxy_of
from ticker.shm.counters import Counters

slow = [pytest.mark.slow, pytest.mark.usefixtures("quick_attempts")]
pytestmark = [*slow]

KEYS: dict[str, Any] = {
    "headers": {"X-Key": "${key}", "Authorization": "Bearer ${key}"},
    "credentials": {"key": "t0psecret"},
    "poll_interval": 0.02,
}


def led_to(where: Callable[[], str], status: int = 302) -> web.Application:
    """A server that sends whoever asks elsewhere."""

    async def lead(_: web.Request) -> web.Response:
        return web.Response(status=status, headers={"Location": where()})

    async def price(request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade"):
            socket = web.WebSocketResponse()
            await socket.prepare(request)
            await socket.send_str(tick("7"))
            await socket.receive()
            return socket
        return web.Response(text=tick("7"))

    app = web.Application()
    app.router.add_get("/", lead)
    app.router.add_get("/price", price)
    return app


async def outcome(app: web.Application, scheme: str, **keys: Any) -> tuple[dict[str, str], str]:
    """What is shown in the end, and the first reason in the log why nothing is."""
    with structlog.testing.capture_logs() as logged:
        async with (
            serving(app) as address,
            listening(config(f"{scheme}://{address}/?k=${{key}}", **KEYS, **keys)) as (_, prices),
        ):
            await until(lambda: prices() or reasons(logged))
            shown = prices()
    assert "t0psecret" not in str(logged)
    return shown, (reasons(logged) or [""])[0]


def reasons(logged: list[Any]) -> list[str]:
    return [
        each["reason"] for each in logged if each["event"] in ("poll failed", "feed disconnected")
    ]


@pytest.mark.parametrize("scheme", ["http", "ws"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_another_origin_is_not_followed(scheme: str, status: int) -> None:
    """Neither are the keys sent there, nor is its body believed."""
    asked: list[Any] = []

    async def elsewhere(request: web.Request) -> web.Response:
        asked.append(request.headers)
        return web.Response(text=tick("666"))

    async def test() -> None:
        other = web.Application()
        other.router.add_get("/price", elsewhere)
        async with serving(other) as address:
            shown, reason = await outcome(
                led_to(lambda: f"http://{address}/price?t=t0psecret", status), scheme
            )
            assert shown == {}
            assert f"redirects to http://{address}/price, another origin" in reason

    asyncio.run(test())
    assert asked == []


@pytest.mark.parametrize("scheme", ["http", "ws"])
def test_a_redirect_within_the_origin_is_followed_unless_it_is_forbidden(scheme: str) -> None:
    async def test() -> None:
        assert await outcome(led_to(lambda: "/price"), scheme) == ({"AAPL": "7"}, "")
        shown, reason = await outcome(led_to(lambda: "/price"), scheme, redirects="none")
        assert shown == {}
        assert 'redirects = "same_origin"' in reason

    asyncio.run(test())


@pytest.mark.parametrize("scheme", ["http", "ws"])
def test_redirects_in_a_ring_end(scheme: str) -> None:
    async def test() -> None:
        shown, reason = await outcome(led_to(lambda: "/"), scheme)
        assert shown == {}
        assert "redirects more than 5 times" in reason

    asyncio.run(test())


@pytest.mark.parametrize("status", [200, 403, 418, 500])
def test_retry_after_counts_with_every_status(status: int) -> None:
    asked: list[float] = []

    async def busy(_: web.Request) -> web.Response:
        asked.append(time.monotonic())
        return web.Response(status=status, text=tick("7"), headers={"Retry-After": "1"})

    async def test() -> None:
        app = web.Application()
        app.router.add_get("/", busy)
        async with serving(app) as address, listening(config(f"http://{address}/", **KEYS)):
            await until(lambda: len(asked) == 2)

    asyncio.run(test())
    assert asked[1] - asked[0] >= 0.99


def test_retry_after_counts_with_a_refused_handshake() -> None:
    asked: list[float] = []

    async def busy(_: web.Request) -> web.Response:
        asked.append(time.monotonic())
        return web.Response(status=429, headers={"Retry-After": "1"})

    async def test() -> None:
        app = web.Application()
        app.router.add_get("/", busy)
        async with serving(app) as address, listening(config(f"ws://{address}/")):
            await until(lambda: len(asked) == 2)

    asyncio.run(test())
    assert asked[1] - asked[0] >= 0.99


async def close(socket: web.WebSocketResponse) -> None:
    await socket.close(code=4401, message=b"API key expired")


async def cut(socket: web.WebSocketResponse) -> None:
    request = socket._req
    assert request is not None
    assert request.transport is not None
    request.transport.abort()


async def flood(socket: web.WebSocketResponse) -> None:
    await socket.send_str(" " * ((1 << 24) + 1))
    message = await socket.receive()
    assert (message.type, socket.close_code) == (WSMsgType.CLOSE, WSCloseCode.MESSAGE_TOO_BIG)


@pytest.mark.parametrize(
    ("speak", "by", "code", "reason"),
    [
        (close, "server", 4401, "API key expired"),
        (cut, "network", 1006, "cut without a close"),
        (flood, "us", 1009, "exceeds limit"),
    ],
)
def test_who_closed_and_why_is_in_the_log(speak: Any, by: str, code: int, reason: str) -> None:
    async def test() -> None:
        with structlog.testing.capture_logs() as logged:
            async with serving(websocket_app(speak)) as address:
                feed = config(f"ws://{address}/", heartbeat=5.0)
                async with listening(feed) as (source, _):
                    await until(lambda: reasons(logged))
                    too_long = Counters(source.pipeline.mapping)["too_long"]
        (line, *_) = [each for each in logged if each["event"] == "feed disconnected"]
        assert (line["by"], line["code"], too_long > 0) == (by, code, code == 1009)
        assert reason in line["reason"]

    asyncio.run(test())


@contextlib.asynccontextmanager
async def proxy(passed: list[str]) -> AsyncIterator[str]:
    """An HTTP proxy: what it is asked for goes into `passed`; its address."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            while data := await reader.read(4096):
                writer.write(data)
        writer.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        method, target, _ = head.split(b"\r\n")[0].split(b" ")
        passed.append(f"{method.decode()} {target.decode()} {authorization(head)}")
        host = target.split(b"//")[-1].split(b"/")[0].decode()
        name, port = host.split(":")
        back, forth = await asyncio.open_connection(name, int(port))
        if method == b"CONNECT":
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        else:
            forth.write(head)
        await asyncio.gather(pump(reader, forth), pump(back, writer))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


def authorization(head: bytes) -> str:
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"proxy-authorization: basic "):
            return base64.b64decode(line.split(b" ")[2]).decode()
    return ""


@pytest.mark.parametrize("scheme", ["http", "ws"])
def test_a_proxy_of_the_configuration(scheme: str) -> None:
    passed: list[str] = []

    async def test() -> None:
        async with serving(led_to(lambda: "/price")) as address, proxy(passed) as between:
            feed = config(f"{scheme}://{address}/price", proxy=f"http://me:word@{between}", **KEYS)
            async with listening(feed) as (_, prices):
                await until(lambda: prices() == {"AAPL": "7"})
            assert address in passed[0]

    asyncio.run(test())
    assert passed[0].endswith(" me:word")


def test_the_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    assert proxy_of("https://vendor.example/", None) is None
    monkeypatch.setenv("HTTPS_PROXY", "http://10.0.0.1:3128")
    assert proxy_of("https://vendor.example/", None) == "http://10.0.0.1:3128"
    assert proxy_of("wss://vendor.example:8443/", None) == "http://10.0.0.1:3128"
    assert proxy_of("ws://vendor.example/", None) is None
    assert proxy_of("wss://127.0.0.1:9000/", None) is None, "this machine is not behind it"
    assert proxy_of("https://vendor.example/", "http://10.0.0.2:1") == "http://10.0.0.2:1"
    assert proxy_of("https://vendor.example/", "") is None, "switched off"
    monkeypatch.setenv("NO_PROXY", ".example")
    assert proxy_of("https://vendor.example/", None) is None

"""`ticker simulate vendor`: its messages, its refusals, and a feed that reads them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from ticker.bench.rig.ports import free_port
from ticker.config import parse
from ticker.errors import ConfigError
from ticker.simulate.market.listings import listings
from ticker.simulate.servers.vendor import QUEUE, Client
from ticker.simulate.speakers.alpaca import AlpacaMarket, timestamp

E9 = 1_000_000_000


def records(seed: int, messages: int = 6000) -> list[dict[str, Any]]:
    market = AlpacaMarket(30, seed, 1000.0, 10 * 3600 * E9, 1_774_584_000 * E9)
    texts = [text for _, _, text in market.events(messages)]
    return [json.loads(text, parse_float=Decimal) for text in texts]


def test_times_have_nine_digits() -> None:
    assert timestamp(1_774_584_000 * E9 + 5) == "2026-03-27T04:00:00.000000005Z"


def test_the_same_seed_says_the_same() -> None:
    first = records(1)
    assert first == records(1)
    assert first != records(2)


def test_trades_quotes_and_states() -> None:
    """As the vendor writes them: odd lots say so, quotes are in shares, ids are unique."""
    found = records(1)
    trades = [each for each in found if each["T"] == "t"]
    quotes = [each for each in found if each["T"] == "q"]
    assert len(trades) > 100
    assert len(quotes) > 1000
    assert len({trade["i"] for trade in trades}) == len(trades)
    lots = {each.symbol: 100 if each.price <= 2_500_000 else 40 for each in listings(30)}
    assert lots["META"] == 40
    assert all(("I" in trade["c"]) == (trade["s"] < lots[trade["S"]]) for trade in trades)
    assert any("I" in trade["c"] for trade in trades)
    for quote in quotes:
        assert not quote["bp"] or not quote["ap"] or quote["bp"] < quote["ap"]
        assert (quote["bs"] > 0) == (quote["bp"] > 0)
    assert any(quote["bs"] % 100 == 0 and quote["bs"] >= 100 for quote in quotes)
    assert {each["z"] for each in found} == {"A", "B", "C"}
    assert {each["T"] for each in found} <= {"t", "q", "s", "x"}


def test_a_slow_client_is_noticed() -> None:
    client = Client()
    for _ in range(QUEUE):
        client.put(b"[]")
    assert not client.slow
    client.put(b"[]")
    assert client.slow


FEED = """
[[feeds]]
name = "v"
protocol = "json"
mapping = "{mapping}"
venue = "XCHI"
url = "{url}"
symbols = ["*"]
credentials = {{ key = "k", secret = "s" }}
rows = 64
[feeds.simulator]
symbols = 20
rate = 5000
"""


@pytest.mark.parametrize(
    ("mapping", "url"),
    [
        ("polygon", "ws://127.0.0.1:9/"),
        ("alpaca", "wss://127.0.0.1:9/"),
        ("alpaca", "ws://127.0.0.1/"),
        ("alpaca", "ws://vendor.example:9/"),
    ],
)
def test_only_its_own_dialect_can_be_simulated(mapping: str, url: str) -> None:
    with pytest.raises(ConfigError, match=r"feeds\[0\]\.simulator: of a url only ws://127"):
        parse(FEED.format(mapping=mapping, url=url))


@contextlib.contextmanager
def running(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "ticker", *map(str, arguments)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0


@contextlib.asynccontextmanager
async def connected(port: int) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    async with aiohttp.ClientSession() as http:
        end = time.monotonic() + 20
        while True:
            try:
                socket = await http.ws_connect(f"ws://127.0.0.1:{port}/")
                break
            except aiohttp.ClientError:
                assert time.monotonic() < end
                await asyncio.sleep(0.01)
        yield socket
        await socket.close()


@pytest.mark.slow
def test_the_dialogue() -> None:
    """Success, authentication, subscription by symbol and channel, the end."""
    port = free_port()

    async def talk() -> None:
        async with connected(port) as socket:

            async def say(message: object) -> Any:
                await socket.send_str(message if isinstance(message, str) else json.dumps(message))
                return json.loads(await socket.receive_str())

            assert json.loads(await socket.receive_str()) == [{"T": "success", "msg": "connected"}]
            assert (await say({"action": "subscribe", "trades": ["AAPL"]}))[0]["code"] == 401
            assert (await say("nonsense"))[0]["code"] == 400
            assert (await say({"action": "auth", "key": "k"}))[0]["msg"] == "authenticated"
            assert (await say({"action": "jump"}))[0]["code"] == 400
            answer = await say({"action": "subscribe", "trades": ["AAPL"]})
            assert answer == [
                {"T": "subscription", "trades": ["AAPL"], "quotes": [], "statuses": []}
            ]
            async for message in socket:
                for record in json.loads(message.data):
                    assert (record["T"], record["S"]) == ("t", "AAPL")
            assert socket.close_code == 1001

    options = ("--symbols", 5, "--rate", 5000, "--duration", 2, "--listen", f"127.0.0.1:{port}")
    with running("simulate", "vendor", *options, "--json") as process:
        asyncio.run(asyncio.wait_for(talk(), 30))
        assert process.stdout
        counts = json.loads(process.stdout.read())
    assert counts["connections"] == 1
    assert counts["records"] > 0


@pytest.mark.slow
def test_the_supervisor_starts_it_for_a_feed(tmp_path: Path) -> None:
    """`[feeds.simulator]` of a feed with a url, to a price."""
    config = tmp_path / "ticker.toml"
    config.write_text(
        f'[server]\ninstance = "vendor-{os.getpid()}"\nport = 0\n'
        + FEED.format(mapping="alpaca", url=f"ws://127.0.0.1:{free_port()}/")
    )
    with running("serve", "--config", config) as process:
        assert process.stdout
        found = re.search(r"http://\S+/", process.stdout.readline())
        assert found
        end = time.monotonic() + 30
        while True:
            with contextlib.suppress(urllib.error.HTTPError):
                with urllib.request.urlopen(found[0] + "prices/AAPL") as answer:
                    price = json.load(answer)
                break
            assert time.monotonic() < end
            time.sleep(0.02)
    assert (price["venue"], price["currency"]) == ("XCHI", "USD")

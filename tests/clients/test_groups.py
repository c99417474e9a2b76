"""Both clients watch the watchlists of a server, and all its symbols."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

import ticker_client
from tests.clients.package import Program
from tests.clients.test_python_client import some, url
from tests.gateway.conftest import E9, Rig
from ticker.config import Config, GatewayConfig


@pytest.fixture
def rig() -> Iterator[Rig]:
    gateway = GatewayConfig(max_connections=64, heartbeat=0.2)
    config = Config(gateway=gateway, watchlists={"tech": ("AAPL", "MSFT")})
    made = Rig(f"groups{time.monotonic_ns()}", config)
    for symbol in ("AAPL", "MSFT"):
        made.trade(made.row(symbol), 185 * E9)
    yield made
    made.close()


async def are_told(watch: AsyncIterator[Any]) -> bool:
    """Both symbols come, and no other; one may come again, for another watch of the connection."""
    seen: set[str] = set()
    while len(seen) < 2:
        seen |= {each.symbol for each in await some(watch, 1)}
    return seen == {"AAPL", "MSFT"}


def test_python(rig: Rig) -> None:
    async def program() -> None:
        async with ticker_client.Client(url(rig)) as client:
            tech, every, one = client.prices("@tech"), client.prices("*"), client.prices("MSFT")
            assert await are_told(tech)
            assert await are_told(every)
            rig.trade(rig.row("NEW"), 7 * E9)
            while (await some(every, 1))[0].symbol != "NEW":
                pass
            late = client.prices("@tech")  # it was told to others already
            assert await are_told(late)
            late.close()
            every.close()
            tech.close()
            await client.price("AAPL")
            for row, price in ((0, 186), (1, 187)):
                rig.trade(row, price * E9)
            while (message := (await some(one, 1))[0]).price != 187:
                assert message.symbol == "MSFT"
            again = client.prices("@tech")
            rig.restart()
            rig.trade(0, 188 * E9)
            while (message := (await some(again, 1))[0]).price != 188:
                assert message.symbol in ("AAPL", "MSFT")

    asyncio.run(program())


@pytest.mark.slow
def test_typescript(rig: Rig, project: Path) -> None:
    source = """
import * as ticker from "@ticker/client";
const url = process.argv[1];
const say = (value) => console.log(JSON.stringify(value));
const client = await ticker.connect(url);
const tech = client.prices("@tech"), every = client.prices("*"), one = client.prices("MSFT");
const next = async (watch) => (await watch.next()).value.symbol;
for (const watch of [tech, every]) say([await next(watch), await next(watch)].sort());
for await (const { symbol } of every) if (symbol === "NEW") break;
say("NEW");
const late = client.prices("@tech"); // it was told to others already
say([await next(late), await next(late)].sort());
for (const watch of [late, tech]) watch.close();
await client.price("AAPL");
say("left");
for await (const { symbol, price } of one) if (price === "187") { say(symbol); break; }
"""
    with Program(project, source, url(rig)) as running:
        assert [running.line(), running.line()] == [["AAPL", "MSFT"]] * 2
        rig.trade(rig.row("NEW"), 7 * E9)
        assert running.line() == "NEW"
        assert running.line() == ["AAPL", "MSFT"]
        assert running.line() == "left"
        rig.trade(0, 186 * E9)
        rig.trade(1, 187 * E9)
        assert running.line() == "MSFT"

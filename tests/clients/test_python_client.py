"""The Python client against a real gateway: what a program sees, also when the server dies."""

from __future__ import annotations

import asyncio
import os
import runpy
import signal
import time
import zipfile
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import ticker_client
from tests.gateway.conftest import E9, Rig
from tests.gateway.kept import keep, kept_bar
from ticker.config import Config, GatewayConfig
from ticker.config.access import AuthConfig, TokenConfig
from ticker.gateway.access.auth import hash_token
from ticker.shm import counters
from ticker.shm.depth.rows import DepthWriter
from ticker.store.past import Past
from ticker.store.reader import HistoryReader
from ticker_client import sync

START = 1_774_960_200  # 2026-03-31T12:30:00Z
TOKEN = "the-token-of-a-test"
ASKING = Config(
    gateway=GatewayConfig(max_connections=64),
    auth=AuthConfig(tokens=(TokenConfig(name="desk", sha256=hash_token(TOKEN)),)),
)


@pytest.fixture
def rig(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Rig]:
    keep(tmp_path, [kept_bar("AAPL", START + 60 * n, (185 + n) * E9) for n in range(5)])
    open_to_all = Config(gateway=GatewayConfig(max_connections=64, heartbeat=0.2))
    config = getattr(request, "param", open_to_all)
    made = Rig(f"client{time.monotonic_ns()}", config, past=Past(HistoryReader(tmp_path)))
    for symbol in ("AAPL", "MSFT"):
        made.trade(made.row(symbol), 185 * E9)
    yield made
    made.close()


def url(rig: Rig) -> str:
    return f"http://127.0.0.1:{rig.port}"


async def some(watch: AsyncIterator[Any], count: int) -> list[Any]:
    return [await asyncio.wait_for(anext(watch), 10) for _ in range(count)]


def test_prices_over_a_killed_gateway(rig: Rig) -> None:
    async def program() -> None:
        async with ticker_client.Client(url(rig)) as client:
            watch = client.prices("AAPL", "MSFT")
            first = await some(watch, 2)
            assert {each.symbol for each in first} == {"AAPL", "MSFT"}
            assert all(isinstance(each.price, Decimal) for each in first)
            assert client.state == "open"
            rig.restart()
            rig.trade(0, 186 * E9 + 1)
            (again,) = await some(watch, 1)
            assert (again.symbol, again.price) == ("AAPL", Decimal("186.000000001"))
            assert again.timestamp > first[0].timestamp
            assert client.lag is not None
            rig.trade(1, 187 * E9)
            (other,) = await some(watch, 1)
            assert (other.symbol, other.price) == ("MSFT", 187), "AAPL was not told twice"

    asyncio.run(program())


def test_a_slow_reader_gets_the_newest(rig: Rig) -> None:
    async def program() -> None:
        async with ticker_client.Client(url(rig)) as client:
            watch = client.prices("AAPL")
            await some(watch, 1)
            other = client.prices("AAPL")
            for price in range(190, 200):
                rig.trade(0, price * E9)
            while (await some(other, 1))[0].price != 199:
                pass
            (newest,) = await some(watch, 1)
            assert newest.price == 199
            watch.close()
            with pytest.raises(StopAsyncIteration):
                await anext(watch)
            rig.trade(0, 200 * E9)
            assert (await some(other, 1))[0].price == 200, "the other one goes on"

    asyncio.run(program())


def test_every_trade_or_how_many_were_too_many(rig: Rig) -> None:
    async def program() -> None:
        async with ticker_client.Client(url(rig)) as client:
            watch, short = client.trades("AAPL"), client.trades("AAPL", kept=2)
            await some(watch, 1)
            for price in range(190, 200):
                rig.trade(0, price * E9)
            assert [each.price for each in await some(watch, 10)] == [*range(190, 200)]
            assert [each.price for each in await some(short, 2)] == [198, 199]
            assert short.dropped == 9

    asyncio.run(program())


def test_who_has_no_server_symbol_or_token(rig: Rig) -> None:
    async def program() -> None:
        with pytest.raises(
            ticker_client.NoServerError, match="Connection refused; is `ticker serve` running"
        ):
            async with ticker_client.Client("http://127.0.0.1:9"):
                pass
        with pytest.raises(ValueError, match="no address of a server"):
            ticker_client.Client("localhost:8700")
        async with ticker_client.Client(url(rig)) as client:
            with pytest.raises(ticker_client.UnknownSymbolError, match="no feed has NOPE"):
                await some(client.prices("NOPE"), 1)
            (known,) = await some(client.prices("NOPE", "AAPL"), 1)
            assert known.symbol == "AAPL"
            with pytest.raises(ticker_client.RequestError) as refused:
                await client.price("NOPE")
            assert (refused.value.status, refused.value.code) == (404, "unknown_symbol")

    asyncio.run(program())


def bar(rig: Rig, minute: int, close: int, state: int = 0) -> None:
    """A bar of AAPL in motion."""
    rig.bar(
        0, 1, state=state, start=(START + 60 * minute) * E9, time=(START + 60 * minute) * E9 + 1,
        open=E9, high=9 * E9, low=E9, close=close * E9, vwap=E9, volume=10, trades=3, flags=7,
    )  # fmt: skip


@pytest.mark.slow
def test_live_bars_and_a_table_of_them(rig: Rig) -> None:
    pytest.importorskip("pandas")
    rig.bar_writer.add("AAPL")

    async def program() -> None:
        async with ticker_client.Client(url(rig)) as client:
            watch = client.live_bars("AAPL")
            bar(rig, 5, 6)
            (first,) = await some(watch, 1)
            assert isinstance(first, ticker_client.LiveBar)
            assert (first.state, first.close) == ("forming", Decimal(6))
            table = await client.bar_table("AAPL", limit=3)
            for minute, close, state in ((5, 7, 1), (6, 8, 0), (5, 5, 2)):
                bar(rig, minute, close, state)
            told = [await some(watch, 1) for _ in range(3)]
            assert {(each.start.minute, each.state) for (each,) in told} >= {(36, "forming")}
            while (frame := table.df()).shape[0] < 5 or frame["close"].iloc[3] != 5:
                await asyncio.wait_for(table.changed(), 10)
            assert list(frame["close"]) == [187.0, 188.0, 189.0, 5.0, 8.0], "kept, then live"
            assert frame["start"].is_monotonic_increasing

    asyncio.run(program())


def test_books_and_movers(rig: Rig) -> None:
    pytest.importorskip("pandas")
    writer = DepthWriter(rig.feed)

    async def program() -> None:
        async with ticker_client.Client(url(rig)) as client:
            watch = client.depth("AAPL", levels=3)
            writer.put(0, 10, [(184 * E9, 3), (183 * E9, 1)], [(186 * E9, 4)], 1)
            rig.ringer.ring_from_python()
            (book,) = await some(watch, 1)
            assert [(each.price, each.size) for each in book.bids] == [(184, 3), (183, 1)]
            writer.put(0, 10, [(184 * E9, 2)], [(185 * E9, 1), (186 * E9, 4)], 2)
            rig.ringer.ring_from_python()
            (book,) = await some(watch, 1)
            assert (book.bids, [each.price for each in book.asks]) == (
                [ticker_client.messages.Level(Decimal(184), Decimal(2))], [185, 186],
            )  # fmt: skip
            frame = ticker_client.to_df([book])
            assert list(frame["side"]) == ["bid", "ask", "ask"]
            with pytest.raises(ValueError, match=r"AAPL is watched with .*'levels': 3"):
                client.depth("AAPL", levels=10)
            rig.quote(0, previous_close=100 * E9, volume=7)
            (lists,) = await some(client.movers(limit=1), 1)
            assert isinstance(lists, ticker_client.Movers)
            assert [(each.symbol, each.change) for each in lists.gainers] == [("AAPL", Decimal(85))]

    asyncio.run(program())


@pytest.mark.parametrize("rig", [ASKING], indirect=True)
def test_a_token(rig: Rig) -> None:
    async def program() -> None:
        async with ticker_client.Client(url(rig), TOKEN) as client:
            assert (await some(client.prices("AAPL"), 1))[0].price == 185
            assert (await client.price("AAPL")).price == 185
        for wrong in (None, "wrong"):
            with pytest.raises(ticker_client.AuthError):
                async with ticker_client.Client(url(rig), wrong) as client:
                    await some(client.prices("AAPL"), 1)

    asyncio.run(program())


NARROW = Config(
    gateway=GatewayConfig(max_connections=64, max_symbols=3),
    auth=AuthConfig(
        tokens=(TokenConfig(name="desk", sha256=hash_token(TOKEN), channels=("price", "trades")),)
    ),
)


@pytest.mark.parametrize("rig", [NARROW], indirect=True)
def test_a_refused_command_ends_its_own_watch_alone(rig: Rig) -> None:
    for symbol in ("NVDA", "TSLA"):
        rig.trade(rig.row(symbol), 185 * E9)

    async def program() -> None:
        async with ticker_client.Client(url(rig), token=TOKEN) as client:
            prices, books = client.prices("AAPL"), client.depth("AAPL")
            trades = client.trades("AAPL")
            with pytest.raises(ticker_client.AuthError, match="does not open `depth`"):
                await asyncio.wait_for(anext(books), 10)
            too_many = client.prices("MSFT", "NVDA", "TSLA")
            with pytest.raises(ticker_client.RefusedError, match="exceed 3") as refused:
                await asyncio.wait_for(anext(too_many), 10)
            assert refused.value.code == 405
            assert client.state == "open"
            await some(prices, 1)
            await some(trades, 1)
            rig.trade(0, 186 * E9)
            assert [(await some(each, 1))[0].price for each in (prices, trades)] == [186, 186]
            rig.restart()
            rig.trade(0, 187 * E9)
            assert (await some(prices, 1))[0].price == 187, "it is not asked for again"
            assert client.state == "open"
            too_many.close()
            books.close()
            (fewer,) = await some(client.prices("MSFT"), 1)
            assert fewer.symbol == "MSFT"

    asyncio.run(program())


def test_a_silent_server_is_left(rig: Rig) -> None:
    """Its process is stopped, so that its socket stays open and says nothing."""

    async def program() -> None:
        async with ticker_client.Client(url(rig)) as client:
            await some(client.prices("AAPL"), 1)
            os.kill(rig.pid, signal.SIGSTOP)
            try:
                async with asyncio.timeout(10):
                    while client.state == "open":
                        await asyncio.sleep(0.01)
                assert "does not answer" in client.reason
            finally:
                os.kill(rig.pid, signal.SIGCONT)
            async with asyncio.timeout(20):
                while client.state != "open":
                    await asyncio.sleep(0.01)

    asyncio.run(program())


def test_rest(rig: Rig) -> None:
    async def program() -> None:
        async with ticker_client.Client(url(rig)) as client:
            found = await client.price("AAPL")
            assert (found.price, found.venue) == (Decimal(185), "XNAS")
            several = await client.several("AAPL", "NOPE")
            assert [each.symbol for each in several.prices] == ["AAPL"]
            assert several.unknown == ["NOPE"]
            DepthWriter(rig.feed).put(0, 50, [(184 * E9, 3)], [(186 * E9, 4)], 1)
            book = await client.book("AAPL", 5, "XNAS")
            assert [(each.price, each.size) for each in (*book.bids, *book.asks)] == [
                (Decimal(184), Decimal(3)),
                (Decimal(186), Decimal(4)),
            ]
            bars = await client.bars("AAPL", limit=2)
            assert [bar.close for bar in bars] == [188, 189]
            start = datetime.fromtimestamp(START + 60, UTC)
            assert [bar.open for bar in await client.bars("AAPL", start=start, limit=2)] == [
                186,
                187,
            ]
            with pytest.raises(ValueError, match="time zone"):
                await client.bars("AAPL", start=datetime(2026, 3, 31))
            assert [each.symbol for each in await client.symbols("MS")] == ["MSFT"]
            assert (await client.status())["ready"]

    asyncio.run(program())


def test_sync_inside_of_a_running_loop_and_as_dataframes(rig: Rig) -> None:
    pytest.importorskip("pandas")

    async def cell() -> None:  # as in Jupyter
        with sync.Client(url(rig)) as client:
            watch = client.prices("AAPL")
            assert next(watch).price == 185
            rig.trade(0, 186 * E9)
            assert next(watch).price == 186
            watch.close()
            assert next(watch, None) is None
            assert client.price("AAPL").price == 186
            frame = ticker_client.to_df(client.bars("AAPL"))
            assert list(frame["close"]) == [185.0, 186.0, 187.0, 188.0, 189.0]
            table = client.table("AAPL", "MSFT")
            while len(table.rows) < 2:
                await asyncio.sleep(0.01)
            now = table.df().set_index("symbol")
            assert now.loc["MSFT", "price"] == 185.0
        with pytest.raises(ticker_client.NoServerError):
            sync.Client("http://127.0.0.1:9")

    asyncio.run(cell())


def test_the_types_are_those_of_the_server(root: Path) -> None:
    """To make them anew: python clients/python/generate.py"""
    generate = runpy.run_path(str(root / "clients" / "python" / "generate.py"))
    assert generate["OUTPUT"].read_text() == generate["generated"]()


@pytest.mark.slow
def test_the_wheel_has_all_of_it_and_nothing_of_the_server(root: Path, wheel: Path) -> None:
    assert wheel.stat().st_size < 40_000
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.endswith(".py")]
        text = "".join(archive.read(name).decode() for name in names)
    modules = {path.name for path in (root / "clients/python/ticker_client").glob("*.py")}
    assert {Path(name).name for name in names} == modules
    assert "import ticker\n" not in text
    assert "from ticker." not in text


def test_the_states_of_a_server_are_known(rig: Rig) -> None:
    """A stale feed is told by its status, which no iteration of prices is ended by."""

    async def program() -> None:
        async with ticker_client.Client(url(rig)) as client:
            watch = client.prices("AAPL")
            await some(watch, 1)
            rig.heartbeat.set_state(counters.STALE)
            while (await client.price("AAPL")).status != "stale":
                await asyncio.sleep(0.01)
            rig.heartbeat.set_state(counters.LIVE)
            rig.trade(0, 186 * E9)
            assert (await some(watch, 1))[0].price == 186

    asyncio.run(program())

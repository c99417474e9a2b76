"""Trades that are broken and corrected, by three venues, at two gateways: everybody agrees.

    ITCH over UDP ─────────┐                              ┌─▶ gateway ─▶ clients of both dialects
    PITCH over UDP ────────┼─▶ ticker serve ─▶ rows, rings┤
    JSON over WebSocket ───┘                              └─▶ gateway ─▶ REST

After each word of a venue, `price`, `quote`, `trades` and `/prices` say the same: to clients that
were there before, to clients that come after, at either gateway. What REST says is asked the
moment that the first client has heard of it, without waiting for more.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from tests.proof.spoken import Itch, Pitch, Vendor, Venue
from tests.proof.watchers import FIGURES, Message, Watcher, asked, until

CONFIG = """
[server]
instance = "back-{pid}"
port = 0
gateways = 2

[[feeds]]
name = "itch"
protocol = "itch50"
venue = "XNAS"
calendar = "none"
lines = ["127.0.0.1:{itch}"]
rows = 64

[[feeds]]
name = "pitch"
protocol = "pitch"
venue = "BATS"
calendar = "none"
lines = ["127.0.0.1:{pitch}"]
rows = 64

[[feeds]]
name = "vendor"
protocol = "json"
mapping = "alpaca"
venue = "XCHI"
calendar = "none"
url = "ws://127.0.0.1:{vendor}/"
symbols = ["*"]
credentials = {{ key = "k", secret = "s" }}
rows = 64
"""


@asynccontextmanager
async def served(folder: Path, itch: Itch, pitch: Pitch, vendor: Vendor) -> AsyncIterator[str]:
    config = folder / "ticker.toml"
    ports = {"itch": itch.port, "pitch": pitch.port, "vendor": vendor.port}
    config.write_text(CONFIG.format(pid=os.getpid(), **ports))
    log = (folder / "serve.log").open("wb")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ticker", "serve", "--config", str(config)),
        stdout=asyncio.subprocess.PIPE, stderr=log,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        found = re.search(r"http://\S+/", (await process.stdout.readline()).decode())
        assert found, (folder / "serve.log").read_text()
        yield found[0]
    finally:
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0, (folder / "serve.log").read_text()[-2000:]
        log.close()


async def watchers_at_both(url: str, symbols: list[str]) -> list[Watcher]:
    """Clients of both dialects, so many that each gateway has some."""
    watchers: list[Watcher] = []
    while True:
        watchers += [Watcher(url, symbols), Watcher(url, symbols, plain=True)]
        await watchers[-2].ready()
        gateways = (await asked(f"{url}status"))["gateways"]
        assert len(gateways) == 2
        if min(gateway["subscriptions"] for gateway in gateways) > 2 * len(symbols):
            return watchers
        assert len(watchers) < 100


class Told:
    """What one venue says of one symbol, and what everybody is to know of it then."""

    def __init__(self, url: str, before: list[Watcher], venue: Venue, symbol: str) -> None:
        self.url = url
        self.before = before
        self.venue = venue
        self.symbol = symbol

    async def trade(self, number: int, cents: int, *left: int) -> None:
        self.venue.trade(self.symbol, number, cents, 100)
        await self.agree(*left, cents)
        await self.heard("update", number, price=cents)

    async def cancel(self, number: int, cents: int, *left: int) -> None:
        """`left`: the trades that then are, in order, in cents."""
        self.venue.cancel(self.symbol, number)
        await self.agree(*left)
        await self.heard("cancel", number, price=cents)

    async def agree(
        self, *left: int, uncounted: int = 0, opened: int = 0, closed: int = 0, extended: int = 0
    ) -> None:
        """`left`: the trades that set prices; `uncounted`: those that only count for volume;
        official open and close, and the last of extended hours: in cents, 0: none."""
        prices = [Decimal(cents) / 100 for cents in left]
        wanted: Message = {
            "price": prices[-1] if prices else None,
            "volume": 100 * (len(left) + uncounted),
            "trades": len(left) + uncounted,
            "open": Decimal(opened) / 100 if opened else prices[0] if prices else None,
            "official_close": Decimal(closed) / 100 if closed else None,
            "high": max(prices, default=None),
            "low": min(prices, default=None),
            "extended_price": Decimal(extended) / 100 if extended else None,
        }
        symbol = self.symbol
        hearing = [each for each in self.before if not each.plain]
        await until(lambda: any(each.agrees(symbol, wanted) for each in hearing))
        answers = await asyncio.gather(
            *(asked(f"{self.url}prices/{symbol}") for _ in range(6)),
            *(asked(f"{self.url}prices?symbols={symbol}") for _ in range(2)),
        )
        for answer in answers:
            shown = answer["prices"][0] if "prices" in answer else answer
            assert {name: shown[name] for name in FIGURES} == wanted, shown
        await until(lambda: all(each.agrees(symbol, wanted) for each in self.before))
        await self.agree_after(wanted)

    async def agree_after(self, wanted: Message) -> None:
        """Clients that come only now."""
        symbol = self.symbol
        after = [Watcher(self.url, [symbol], plain=at % 2 > 0) for at in range(4)]
        await until(lambda: all(each.agrees(symbol, wanted) for each in after))
        for each in after:
            first = each.told["price", symbol][0]
            assert (first["type"], first["price"]) == ("snapshot", wanted["price"])
            await each.close()

    async def heard(self, kind: str, number: int, price: int, **more: object) -> None:
        """`trades` says this last, to everybody who was there."""
        wanted = {"type": kind, "trade_id": str(number), "price": Decimal(price) / 100, **more}
        wanted |= {"size": 100}
        first = {"type": "snapshot"} if kind == "update" else {}
        for each in self.before:
            if not each.plain:

                def said(each: Watcher = each) -> bool:
                    told = each.told["trades", self.symbol]
                    if not told:
                        return False
                    expected = wanted | first if len(told) == 1 else wanted
                    return expected.items() <= told[-1].items()

                await until(said)

    def sound(self) -> None:
        """Nobody saw time or `seq` go back; `seq` counted every trade, taken back or not."""
        for each in self.before:
            assert not each.wrong


SCENES = ("ONLY", "LAST", "HIGH")


async def breaks(told: dict[str, Told]) -> None:
    """The only trade, the last, the high."""
    only, last, high = (told[scene] for scene in SCENES)
    await only.trade(11, 1000)
    await only.cancel(11, 1000)
    await only.trade(12, 1001)
    await last.trade(21, 1000)
    await last.trade(22, 1005, 1000)
    await last.cancel(22, 1005, 1000)
    await last.trade(23, 1002, 1000)
    await high.trade(31, 1000)
    await high.trade(32, 1009, 1000)
    await high.trade(33, 1002, 1000, 1009)
    await high.cancel(32, 1009, 1000, 1002)


async def corrections(told: Told) -> None:
    """Of the last, twice, with new ids; a cancel of the corrected id; one that is eligible no
    longer."""
    venue = told.venue
    assert isinstance(venue, Vendor)
    await told.trade(41, 1000)
    await told.trade(42, 1006, 1000)
    venue.correct(told.symbol, 42, 43, 1004, 100)
    await told.agree(1000, 1004)
    await told.heard("correction", 42, 1004, new_trade_id="43")
    venue.correct(told.symbol, 43, 44, 1003, 100)
    await told.agree(1000, 1003)
    await told.heard("correction", 43, 1003, new_trade_id="44")
    await told.cancel(44, 1003, 1000)
    await told.cancel(41, 1000)
    await told.trade(45, 1002)
    await told.trade(46, 1003, 1002)
    venue.correct(told.symbol, 46, 47, 1003, 100, conditions="@I")
    await told.agree(1002, uncounted=1)
    await told.heard("correction", 46, 1003, new_trade_id="47", eligible=False)


async def extended_hours(told: Told) -> None:
    """Trades outside of regular hours, the newer taken back, then the other, corrected before."""
    venue = told.venue
    assert isinstance(venue, Vendor)
    venue.trade(told.symbol, 51, 1000, 100, conditions="@T")
    await told.agree(uncounted=1, extended=1000)
    venue.trade(told.symbol, 53, 1007, 100, conditions="@T")
    await told.agree(uncounted=2, extended=1007)
    venue.cancel(told.symbol, 53)
    await told.agree(uncounted=1, extended=1000)
    venue.correct(told.symbol, 51, 54, 1004, 100, conditions="@T")
    await told.agree(uncounted=1, extended=1004)
    venue.cancel(told.symbol, 54)
    await told.agree()


async def crosses(told: Told) -> None:
    """An official open and close, taken back: the first trade is the open again."""
    venue = told.venue
    assert isinstance(venue, Itch)
    await told.trade(61, 1000)
    venue.cross(told.symbol, 62, 1003, "O")
    await told.agree(1000, 1003, opened=1003)
    venue.cross(told.symbol, 63, 1005, "C")
    await told.agree(1000, 1003, 1005, opened=1003, closed=1005)
    venue.cancel(told.symbol, 62)
    await told.agree(1000, 1005, closed=1005)
    await told.cancel(63, 1005, 1000)


async def scenario(folder: Path) -> None:
    itch, pitch, vendor = Itch(), Pitch(), Vendor()
    venues: dict[str, Venue] = {"I": itch, "P": pitch, "V": vendor}
    names = {
        letter: {scene: letter + scene for scene in (*SCENES, "CORR", "EXT", "CROSS")}
        for letter in venues
    }
    symbols = [name for scenes in names.values() for name in scenes.values()]
    await vendor.start()
    try:
        async with served(folder, itch, pitch, vendor) as url:
            async with asyncio.timeout(30):
                await vendor.ready.wait()
            for letter, venue in venues.items():
                for symbol in names[letter].values():
                    venue.list(symbol)
                    venue.trade(symbol, 1, 990, 100)
                    venue.cancel(symbol, 1)
            known = 0
            async with asyncio.timeout(20):
                while known < len(symbols):
                    known = (await asked(f"{url}status"))["symbols"]
            before = await watchers_at_both(url, symbols)
            told = {
                letter: {
                    scene: Told(url, before, venues[letter], name)
                    for scene, name in names[letter].items()
                }
                for letter in venues
            }
            await asyncio.gather(
                *(breaks(scenes) for scenes in told.values()),
                corrections(told["V"]["CORR"]),
                extended_hours(told["V"]["EXT"]),
                crosses(told["I"]["CROSS"]),
            )
            told["V"]["CORR"].sound()
            for each in before:
                await each.close()
    finally:
        await vendor.stop()
        itch.close()
        pitch.close()


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_everybody_agrees_on_what_is_taken_back(tmp_path: Path) -> None:
    asyncio.run(scenario(tmp_path))

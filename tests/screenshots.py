"""`python -m tests.screenshots [FOLDER]`: the pictures of docs/, of the watch page in Chromium.

The prices are a random walk with a fixed seed, served by a real gateway.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import os
import random
import sys
import tempfile
import threading
import time
from pathlib import Path

from tests.gateway.books.exchange import Exchange
from tests.gateway.conftest import E9, Rig
from tests.gateway.kept import keep, kept_bar
from tests.gateway.rest.browser import OPEN, Page, browse
from ticker.config import Config, DirectoryConfig
from ticker.feeds.calls import ASK, BID, TRADE_COUNTS_VOLUME, TRADE_REGULAR, TRADE_SETS_RANGE
from ticker.store.past import Past
from ticker.store.reader import HistoryReader

DOCS = Path(__file__).parent.parent / "docs"
FOLDER = Path(sys.argv[1]) if len(sys.argv) > 1 else DOCS
FLAGS = TRADE_REGULAR | TRADE_COUNTS_VOLUME | TRADE_SETS_RANGE
WIDE, PHONE = (1240, 800), (360, 740)
MINUTES = 240
CENT = E9 // 100
BEGIN = {
    "AAPL": 18_500, "MSFT": 41_200, "NVDA": 13_040, "AMZN": 17_810, "GOOGL": 15_220,
    "META": 48_650, "TSLA": 24_930, "AMD": 16_275, "NFLX": 61_190, "INTC": 3_105,
}  # fmt: skip
CHART = "document.querySelector('#detail .chart').getAttribute('aria-label')"


def walk(chance: random.Random, cents: int) -> list[list[int]]:
    """The trades of each minute, in cents."""
    step = max(1, cents // 6_000)
    minutes = []
    for _ in range(MINUTES + 1):
        prices = []
        for _ in range(12):
            cents += chance.choice([-2, -1, -1, 1, 1, 2]) * step
            prices.append(cents)
        minutes.append(prices)
    return minutes


def served(folder: Path) -> tuple[Rig, Exchange, dict[str, int]]:
    """A gateway with a morning of every symbol behind it, and their prices in cents."""
    chance = random.Random(7)
    now = int(time.time()) // 60 * 60
    walks = {symbol: walk(chance, cents) for symbol, cents in BEGIN.items()}
    keep(
        folder,
        [
            kept_bar(
                symbol,
                now - 60 * (MINUTES - at),
                *(price * CENT for price in prices),
                size=chance.randrange(10, 400),
            )
            for symbol, minutes in walks.items()
            for at, prices in enumerate(minutes)
        ],
    )
    config = Config(directory=DirectoryConfig(file=str(DOCS.parent / "ticker" / "symbols.csv")))
    rig = Rig(f"pictures{os.getpid()}", config, past=Past(HistoryReader(folder)))
    exchange = Exchange(rig)
    prices = {}
    for key, (symbol, minutes) in enumerate(walks.items()):
        every = [price for prices in minutes for price in prices]
        prices[symbol] = every[-1]
        with exchange.packet() as calls:
            row = calls.define(key, symbol)
            calls.trade(row, every[0] * CENT, 100, 1, FLAGS, time.time_ns(), time.time_ns())
        ladder(exchange, row, every[-1], chance)
        rig.table.put(
            row,
            previous_close=(every[0] - 40) * CENT, volume=chance.randrange(10**6, 10**7),
            trades=len(every), high=max(every) * CENT, low=min(every) * CENT,
        )  # fmt: skip
    return rig, exchange, prices


def ladder(exchange: Exchange, row: int, cents: int, chance: random.Random) -> None:
    """Orders around a price."""
    with exchange.packet() as calls:
        for level in range(1, 13):
            for side, sign in ((BID, -1), (ASK, 1)):
                size = 100 * chance.randrange(1, 4 + 2 * level)
                exchange.add(calls, row, side, size, cents + sign * level)


async def picture(page: Page, name: str, size: tuple[int, int], scheme: str) -> None:
    """Write FOLDER/NAME: the page as it is now, on a screen of this size."""
    width, height = size
    screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == PHONE}
    await page.call("Emulation.setDeviceMetricsOverride", **screen)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    await page.call("Emulation.setEmulatedMedia", features=features)
    await asyncio.sleep(1)  # for a flash to fade, and a chart to find its size
    found = await page.call("Page.captureScreenshot", format="png")
    (FOLDER / name).write_bytes(base64.b64decode(found.get("result", found)["data"]))


async def steps(page: Page) -> None:
    """Those of docs/; elsewhere those for looking, too: dark, and on a phone."""
    lines = "[...document.querySelectorAll('.line')].some((line) => line.getAttribute('d'))"
    await page.until(f"{OPEN} && {lines}")
    await page.until("document.querySelector('.company').textContent !== ''")
    await page.run("document.querySelector('#lists .edit').click()")
    await page.run("document.getElementById('list-name').value = 'Tech'")
    await page.run("document.querySelector('#list form').requestSubmit()")
    await picture(page, "page.png", WIDE, "light")
    if FOLDER != DOCS:
        await picture(page, "page-dark.png", WIDE, "dark")
        await picture(page, "page-phone.png", PHONE, "light")
    await page.run("document.querySelector('tr[data-symbol=AAPL] .name').click()")
    await page.until(f"/candles/.test({CHART})")
    await picture(page, "details.png", WIDE, "light")
    if FOLDER != DOCS:
        await picture(page, "details-dark.png", WIDE, "dark")
        await picture(page, "details-phone.png", PHONE, "light")


def trade_on(exchange: Exchange, prices: dict[str, int], done: threading.Event) -> None:
    """One symbol after the other, as a live feed has it."""
    chance = random.Random(8)
    numbers = itertools.count(2)
    while not done.wait(0.05):
        row, symbol = chance.choice(list(enumerate(prices)))
        cents = prices[symbol] + chance.choice([-1, 0, 1])
        size = chance.choice([10, 25, 100, 100, 100, 200, 300])
        now = time.time_ns()
        with exchange.packet() as calls:
            calls.trade(row, cents * CENT, size, next(numbers), FLAGS, now, now)


def main() -> None:
    """Make them anew."""
    with tempfile.TemporaryDirectory() as folder:
        rig, exchange, prices = served(Path(folder) / "kept")
        done = threading.Event()
        feed = threading.Thread(target=trade_on, args=(exchange, prices, done))
        feed.start()
        try:
            url = f"http://127.0.0.1:{rig.port}/?symbols={','.join(BEGIN)}"
            browse(Path(folder), url, steps)
        finally:
            done.set()
            feed.join()
            exchange.close()
            rig.close()


if __name__ == "__main__":
    main()

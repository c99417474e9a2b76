"""`python -m tests.screenshots`: the pictures of docs/, of the watch page in real Chromium.

The prices are a random walk with a fixed seed, served by a real gateway.
"""

from __future__ import annotations

import asyncio
import base64
import os
import random
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from tests.gateway.conftest import E9, Rig
from tests.gateway.kept import keep, kept_bar
from tests.gateway.rest.browser import OPEN, Page, browse
from ticker.config import Config, DirectoryConfig
from ticker.store.past import Past
from ticker.store.sqlite import HistoryReader

DOCS = Path(__file__).parent.parent / "docs"
WIDTH, HEIGHT = 1240, 770
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


def served(folder: Path) -> Rig:
    """A gateway with a morning of every symbol behind it."""
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
    for symbol, minutes in walks.items():
        row = rig.row(symbol)
        every = [price for prices in minutes for price in prices]
        last = every[-1]
        rig.trade(row, last * CENT)
        quote: dict[str, Any] = {
            "bid": (last - 1) * CENT, "bid_size": 300, "ask": (last + 1) * CENT, "ask_size": 200,
            "open": every[0] * CENT, "high": max(every) * CENT, "low": min(every) * CENT,
            "previous_close": (every[0] - 40) * CENT, "volume": chance.randrange(10**6, 10**7),
            "trades": len(every),
        }  # fmt: skip
        rig.quote(row, **quote)
    return rig


async def picture(page: Page, name: str) -> None:
    """Write docs/NAME."""
    found = await page.call("Page.captureScreenshot", format="png")
    (DOCS / name).write_bytes(base64.b64decode(found.get("result", found)["data"]))


async def steps(page: Page) -> None:
    """Both pictures."""
    size = {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False}
    await page.call("Emulation.setDeviceMetricsOverride", **size)
    lines = "[...document.querySelectorAll('.line')].every((line) => line.getAttribute('d'))"
    await page.until(f"{OPEN} && {lines}")
    await page.until("document.querySelector('.company').textContent !== ''")
    await asyncio.sleep(1)  # for a flash to fade
    await picture(page, "page.png")
    await page.run("document.querySelector('tr[data-symbol=AAPL] .name').click()")
    await page.until(f"/candles/.test({CHART})")
    await asyncio.sleep(1)
    await picture(page, "candles.png")


def trade_on(rig: Rig, done: threading.Event) -> None:
    """One symbol after the other, as a live feed has it."""
    chance = random.Random(8)
    rows = [rig.table.values(row) for row in range(len(BEGIN))]
    prices = [values["price"] for values in rows if values is not None]
    while not done.wait(0.1):
        row = chance.randrange(len(prices))
        prices[row] += chance.choice([-1, 1]) * CENT
        rig.trade(row, prices[row])
        rig.quote(row, bid=prices[row] - CENT, ask=prices[row] + CENT)


def main() -> None:
    """Make them anew."""
    with tempfile.TemporaryDirectory() as folder:
        rig, done = served(Path(folder) / "kept"), threading.Event()
        feed = threading.Thread(target=trade_on, args=(rig, done))
        feed.start()
        try:
            url = f"http://127.0.0.1:{rig.port}/?symbols={','.join(BEGIN)}"
            browse(Path(folder), url, steps)
        finally:
            done.set()
            feed.join()
            rig.close()


if __name__ == "__main__":
    main()

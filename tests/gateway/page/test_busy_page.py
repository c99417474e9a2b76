"""200 symbols that all trade all the time, in real Chromium: what a frame costs the page."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from tests.conftest import Require
from tests.gateway.page.desk import Desk
from tests.gateway.rest.browser import FIGURES, OPEN, Page, browse

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

SYMBOLS = [f"S{number:03}" for number in range(200)]
FRAME = 1000 / 60  # ms
MEASURED = 2.0  # s
COUNT = """
window.frames_seen = 0;
(function each() { window.frames_seen++; requestAnimationFrame(each); })();
"""


async def cost(page: Page) -> float:
    """s of processor time of the page's main thread."""
    metrics = (await page.call("Performance.getMetrics"))["metrics"]
    return float(next(each["value"] for each in metrics if each["name"] == "TaskDuration"))


def test_a_frame_with_200_busy_symbols(require: Require, root: Path, tmp_path: Path) -> None:
    require("chromium", "chromium is not installed")
    desk = Desk(f"busy{os.getpid()}", SYMBOLS, root)
    priced = f"{FIGURES}.filter((text) => /[0-9]/.test(text)).length"

    async def steps(page: Page) -> None:
        await page.until(f"{OPEN} && {priced} === 200")
        await page.call("Performance.enable", timeDomain="threadTicks")
        with desk.busy(0.05):
            await page.run(COUNT)
            before = await cost(page)
            await asyncio.sleep(MEASURED)
            spent, frames = await cost(page) - before, await page.run("window.frames_seen")
        each = 1000 * spent / frames
        print(
            f"200 symbols, each 10 times a second: {frames / MEASURED:.0f} frames/s,"
            f" {each:.1f} ms of processor time each"
        )
        assert each < FRAME, "60 frames do not fit into a second of one core"
        desk.trade(**dict.fromkeys(SYMBOLS, 12_345))
        await page.until(f"{FIGURES}.every((text) => text === '123.45')")

    try:
        desk.trade(**dict.fromkeys(SYMBOLS, 10_000))
        browse(tmp_path, f"{desk.url}?symbols={','.join(SYMBOLS)}", steps)
    finally:
        desk.close()

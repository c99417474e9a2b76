"""The candles of a symbol on the watch page, in real Chromium at a real gateway."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Require
from tests.gateway.conftest import E9, Rig
from tests.gateway.kept import keep, kept_bar
from tests.gateway.rest.browser import FIGURES, OPEN, Page, browse
from ticker.config import Config
from ticker.store.past import Past
from ticker.store.reader import HistoryReader

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

LABEL = "document.querySelector('#detail .chart').getAttribute('aria-label')"
DRAWN = "document.querySelectorAll('#detail .chart canvas').length > 0"
SHOWN = "document.getElementById('detail').open"
NOTE = "document.querySelector('#detail .note').textContent"
ROW = "document.querySelector('tr[data-symbol={}]')"


@pytest.fixture
def rig(require: Require, tmp_path: Path) -> Iterator[Rig]:
    """A gateway with 30 minutes of history of AAPL, and none of NEW."""
    require("chromium", "chromium is not installed")
    minute = int(time.time()) // 60 * 60
    bars = [
        kept_bar("AAPL", minute - 60 * age, (200 - age) * E9, (201 - age) * E9)
        for age in range(30, 0, -1)
    ]
    keep(tmp_path / "kept", bars)
    rig = Rig(f"detail{os.getpid()}", Config(), past=Past(HistoryReader(tmp_path / "kept")))
    for symbol in ("AAPL", "NEW"):
        rig.trade(rig.row(symbol), 200 * E9)
    yield rig
    assert rig.close() == 0


def test_candles_by_mouse_and_by_keys(rig: Rig, tmp_path: Path) -> None:
    async def steps(page: Page) -> None:
        await page.until(f"{OPEN} && {FIGURES}[0] === '200.00'")
        await page.run(f"{ROW.format('AAPL')}.querySelector('.name').click()")
        await page.until(f"{SHOWN} && {DRAWN} && /^AAPL, 30 candles of 1m/.test({LABEL})")
        assert "from 170.00 to 200.00" in await page.run(LABEL)
        await page.run("document.querySelector('#detail [value=\"15m\"]').click()")
        await page.until(f"/^AAPL, [23] candles of 15m, from 170.00 to 200.00/.test({LABEL})")
        await page.press("Escape", 27)
        await page.until(f"!{SHOWN}")
        await page.run(f"{ROW.format('AAPL')}.focus()")
        await page.press("Enter", 13)
        await page.until(f"{SHOWN} && /^AAPL, [23] candles of 15m/.test({LABEL})")
        await page.run("document.querySelector('#detail .close').click()")
        await page.until(f"!{SHOWN}")

    browse(tmp_path, f"http://127.0.0.1:{rig.port}/?symbols=AAPL,NEW", steps)


def test_a_symbol_without_bars_says_so(rig: Rig, tmp_path: Path) -> None:
    async def steps(page: Page) -> None:
        await page.until(f"{OPEN} && {FIGURES}[0] === '200.00'")
        await page.run(f"{ROW.format('NEW')}.querySelector('.name').click()")
        await page.until(f"{SHOWN} && {NOTE} === 'No bars of this symbol yet.'")

    browse(tmp_path, f"http://127.0.0.1:{rig.port}/?symbols=NEW", steps)

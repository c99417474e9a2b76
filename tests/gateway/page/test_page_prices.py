"""The figures beside the price on the watch page, in real Chromium at a real gateway."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Require
from tests.gateway.conftest import CORRECTION, E9, QUOTE, Rig
from tests.gateway.kept import keep, kept_bar
from tests.gateway.rest.browser import FIGURES, OPEN, Page, browse
from ticker.config import Config
from ticker.shm.layout import RowFlag
from ticker.store.past import Past
from ticker.store.reader import HistoryReader

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

BADGE = "document.querySelector('.badge:not([hidden])')?.textContent"
EXTENDED = "document.querySelector('.extended:not([hidden])')?.textContent"
LINE = "document.querySelector('.line').getAttribute('d')"
LAST = "document.querySelector('.trades .traded').textContent"
SPIKE = r"/V(?!18\.0)/"  # the line leaves the middle, where one price is


@pytest.fixture
def rig(require: Require) -> Iterator[Rig]:
    require("chromium", "chromium is not installed")
    rig = Rig(f"prices{os.getpid()}", Config())
    yield rig
    rig.close()


def corrected(rig: Rig, row: int, **values: int) -> None:
    """Publish what a trade that is taken back leaves: row, then ring."""
    now = time.time_ns()
    rig.table.put(row, correction_time=now, publish_time=now, corrections=1, **values)
    rig.record(row, CORRECTION, 0, now, rig.seq[row])


def test_what_is_taken_back_leaves_the_page(rig: Rig, tmp_path: Path) -> None:
    row = rig.row("AAPL")
    first = rig.trade(row, 185 * E9)

    async def steps(page: Page) -> None:
        await page.until(f"{OPEN} && {FIGURES}[0] === '185.00'")
        rig.trade(row, 190 * E9)
        await page.until(f"{FIGURES}[0] === '190.00'")
        await page.until(f"{SPIKE}.test({LINE})")
        corrected(rig, row, price=185 * E9, exchange_time=first)
        await page.until(f"{FIGURES}[0] === '185.00' && !({BADGE}) && !{SPIKE}.test({LINE})")
        corrected(rig, row, price=0, exchange_time=0, receive_time=0)
        await page.until(f"{FIGURES}[0] === '–' && {BADGE} === 'Taken back' && !{LINE}")
        rig.trade(row, 186 * E9)
        await page.until(f"{FIGURES}[0] === '186.00' && !({BADGE})")

    browse(tmp_path, f"http://127.0.0.1:{rig.port}/?symbols=AAPL", steps)


def test_a_message_that_cannot_be_read_is_outlived(rig: Rig, tmp_path: Path) -> None:
    rig.row("FIRST")  # the rig's ring of a row is by its number, a feed's by the symbol: both 1
    row = rig.row("AAPL")
    rig.trade(row, 185 * E9)

    async def steps(page: Page) -> None:
        await page.until(f"{OPEN} && {FIGURES}[0] === '185.00'")
        await page.run("document.querySelector('tr .name').click()")
        await page.until(f"{LAST} === '185.00'")
        await page.run("""
const parse = JSON.parse;
JSON.parse = (text) => {
  JSON.parse = parse;
  throw new SyntaxError("a text that is no JSON");
};""")
        rig.trade(row, 186 * E9)
        await page.until(f"!({OPEN})")
        await page.until(f"{OPEN} && {FIGURES}[0] === '186.00'")
        rig.trade(row, 187 * E9)
        await page.until(f"{FIGURES}[0] === '187.00' && {LAST} === '187.00'")

    browse(tmp_path, f"http://127.0.0.1:{rig.port}/?symbols=AAPL", steps)


def test_extended_hours_and_a_held_jump_are_said(rig: Rig, tmp_path: Path) -> None:
    row = rig.row("AAPL")
    rig.trade(row, 185 * E9)
    rig.heartbeat.beat(time.time_ns())

    async def steps(page: Page) -> None:
        await page.until(f"{OPEN} && {FIGURES}[0] === '185.00' && !({EXTENDED})")
        evening = time.time_ns()
        rig.quote(row, extended_price=1872 * E9 // 10, extended_time=evening)
        await page.until(f"/^Ext. 187.20 · /.test({EXTENDED})")
        assert await page.run(f"{FIGURES}[0]") == "185.00"
        values = rig.table.values(row)
        assert values is not None
        rig.table.put(row, flags=values["flags"] | RowFlag.ROW_HELD_ONE, publish_time=evening)
        rig.record(row, QUOTE, 0, evening, 1)
        await page.until(f"{BADGE} === 'Unconfirmed'")

    browse(tmp_path, f"http://127.0.0.1:{rig.port}/?symbols=AAPL", steps)


def test_the_line_has_the_hour_before_the_page_was_opened(require: Require, tmp_path: Path) -> None:
    require("chromium", "chromium is not installed")
    minute = int(time.time()) // 60 * 60
    prices = [184, 186, 183, 187, 182, 188]
    bars = [
        kept_bar("AAPL", minute - 60 * age, price * E9)
        for age, price in zip((50, 40, 30, 20, 10, 5), prices, strict=True)
    ]
    keep(tmp_path / "kept", [*bars, kept_bar("AAPL", minute - 60 * 70, 1 * E9)])
    rig = Rig(f"lines{os.getpid()}", Config(), past=Past(HistoryReader(tmp_path / "kept")))

    async def steps(page: Page) -> None:
        await page.until(f"{OPEN} && {FIGURES}[0] === '185.00'")
        await page.until(f"({LINE} ?? '').split('V').length > {len(prices)}")

    try:
        rig.trade(rig.row("AAPL"), 185 * E9)
        browse(tmp_path, f"http://127.0.0.1:{rig.port}/?symbols=AAPL", steps)
    finally:
        rig.close()

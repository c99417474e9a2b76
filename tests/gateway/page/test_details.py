"""The book, the last trades and the origin of a price on the watch page, in real Chromium."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Require
from tests.gateway.page.desk import Desk, press
from tests.gateway.rest.browser import FIGURES, OPEN, Page, browse
from ticker.feeds.calls import ASK, BID

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

CELLS = "[...document.querySelectorAll('.{} tbody tr')].map((row) =>"
CELLS += " [...row.cells].map((cell) => cell.textContent))"
BOOK, TRADES = CELLS.format("book"), CELLS.format("trades")
TERMS = "Object.fromEntries([...document.querySelectorAll('.lineage dt')].map((term) =>"
TERMS += " [term.textContent, term.nextElementSibling.textContent]))"


@pytest.fixture
def desk(require: Require, root: Path) -> Iterator[Desk]:
    require("chromium", "chromium is not installed")
    made = Desk(f"details{os.getpid()}", ("AAPL", "MSFT"), root)
    yield made
    made.close()


def test_the_book_the_trades_and_the_origin(desk: Desk, tmp_path: Path) -> None:
    row = desk.rows["AAPL"]
    references = desk.exchange.fill(row, 12, 18_500)
    desk.trade(AAPL=18_490, MSFT=41_200)
    desk.trade(AAPL=18_500)

    async def steps(page: Page) -> None:
        await page.until(f"{OPEN} && {FIGURES}.join() === '185.00,412.00'")
        await page.run("document.querySelector('tr .name').click()")
        await page.until(f"{BOOK}[0].join() === '101,184.99,185.01,101'")
        assert await page.run(f"{BOOK}[9].join()") == "110,184.90,185.10,110"
        await page.until(f"{TRADES}.slice(0, 3).map((row) => row[1]).join() === '185.00,184.90,'")
        await page.until(f"/^185, accepted/.test({TERMS}.Price)")
        origin = await page.run(TERMS)
        assert origin["Feed"] == "f · XNAS"
        assert origin["Published"].endswith(" later")
        assert "regular" in origin["Trade"] or origin["Trade"].startswith("no. ")

        with desk.exchange.packet() as calls:
            calls.delete_order(references[0], time.time_ns())
            desk.exchange.add(calls, row, ASK, 7, 18_500)
            desk.exchange.add(calls, row, BID, 1, 18_498)
        await page.until(f"{BOOK}[0].join() === '103,184.98,185.00,7'")
        desk.trade(AAPL=18_510)
        await page.until(
            f"{TRADES}.slice(0, 3).map((row) => row[1]).join() === '185.10,185.00,184.90'"
        )
        assert await page.run(f"{TRADES}[0].slice(2).join()") == "100,XNAS"
        await page.until("document.querySelector('#detail .now').textContent === '185.10'")
        with desk.exchange.packet() as calls:
            calls.break_trade(row, 4, time.time_ns())
        await page.until("document.querySelectorAll('.trades .cancelled').length === 1")
        await page.until("document.querySelector('#detail .now').textContent === '185.00'")

        desk.rig.restart()
        await page.until(f"!({OPEN})")
        with desk.exchange.packet() as calls:
            desk.exchange.add(calls, row, BID, 5, 18_499)
        await page.until(f"{OPEN} && {BOOK}[0].join() === '5,184.99,185.00,7'")
        await press(page, "Escape")
        await page.run("document.querySelectorAll('tr .name')[1].click()")
        await page.until("/No book/.test(document.querySelector('.book').innerText)")
        assert await page.run(f"{BOOK}[0].join('')") == "", "nothing of the other symbol"

    browse(tmp_path, f"{desk.url}?symbols=AAPL,MSFT", steps, "net::ERR_|WebSocket connection to")

"""Sorting, filtering and named watchlists of the watch page, in real Chromium."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Require
from tests.gateway.page.desk import Desk, press
from tests.gateway.rest.browser import FIGURES, OPEN, SYMBOLS, Page, browse

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

SHOWN = "[...document.querySelectorAll('#prices tbody tr:not([hidden])')]"
SHOWN += ".map((each) => each.dataset.symbol).join()"
NAMES = "[...document.querySelectorAll('#lists li')].map((each) => each.textContent).join()"
CURRENT = "document.querySelector('#lists [aria-current]').textContent"
HEADING = "document.querySelector('[data-column={}] button')"


@pytest.fixture(scope="module")
def desk(require: Require, root: Path) -> Iterator[Desk]:
    require("chromium", "chromium is not installed")
    made = Desk(f"lists{os.getpid()}", ("AAPL", "MSFT", "NVDA", "JPM"), root)
    made.trade(AAPL=18_500, MSFT=41_200, NVDA=13_040)
    yield made
    made.close()


async def named(page: Page, button: str, name: str) -> None:
    """Write a name into the dialog that a button of the row of lists opens."""
    await page.run(f"document.querySelector('#lists {button}').click()")
    await page.until("document.activeElement.id === 'list-name'")
    await page.run("document.activeElement.select()")
    await page.type(name)
    await press(page, "Enter")
    await page.until(f"{CURRENT} === {name!r}")


def test_rows_are_sorted_and_filtered(desk: Desk, tmp_path: Path) -> None:
    async def steps(page: Page) -> None:
        await page.until(f"{OPEN} && {FIGURES}.filter((text) => /[0-9]/.test(text)).length === 3")
        await page.run(f"{HEADING.format('price')}.click()")
        await page.until(f"{SHOWN} === 'MSFT,AAPL,NVDA,JPM'")
        sorted_by = "document.querySelector('[aria-sort=descending]').dataset.column"
        assert await page.run(sorted_by) == "price"
        desk.trade(NVDA=50_000)
        await page.until(f"{SHOWN} === 'NVDA,MSFT,AAPL,JPM'")  # JPM has no price: last either way
        await page.run(f"{HEADING.format('price')}.click()")
        assert await page.run(SHOWN) == "AAPL,MSFT,NVDA,JPM"
        await page.run("document.querySelector('tr[data-symbol=NVDA]').focus()")
        desk.trade(NVDA=100)
        await page.until(f"{SHOWN} === 'NVDA,AAPL,MSFT,JPM'")
        assert await page.run("document.activeElement.dataset.symbol") == "NVDA"
        await page.run(f"{HEADING.format('price')}.click()")
        assert await page.run(SHOWN) == "MSFT,AAPL,NVDA,JPM", "the reader's own order"
        choice = "Object.assign(document.getElementById('sort'), { value: 'symbol falling' })"
        await page.run(f"{choice}.dispatchEvent(new Event('change'))")
        assert await page.run(SHOWN) == "NVDA,MSFT,JPM,AAPL"

        await page.until("/Microsoft/.test(document.querySelector('tbody').textContent)")
        await page.run("document.getElementById('filter').focus()")
        await page.type("microsoft")
        await page.until(f"{SHOWN} === 'MSFT'")
        assert await page.run("document.getElementById('shown').textContent") == "1 of 4"
        await page.run("document.activeElement.select()")
        await page.type("zz")
        await page.until(f"{SHOWN} === ''")
        assert await page.run(f"{SYMBOLS}.length") == 4
        await page.run("document.getElementById('symbol').focus()")
        await page.type("TSLA")
        await press(page, "Enter")
        await page.until("document.getElementById('filter').value === ''")
        assert await page.run(SHOWN) == "TSLA,NVDA,MSFT,JPM,AAPL"

    browse(tmp_path, f"{desk.url}?symbols=MSFT,AAPL,NVDA,JPM", steps)


def test_lists_are_kept_here_and_in_the_link(desk: Desk, tmp_path: Path) -> None:
    async def steps(page: Page) -> None:
        await page.until(f"{OPEN} && {SHOWN} === 'MSFT,AAPL'")
        await named(page, ".edit", "Tech")
        await named(page, ".new", "Banks")
        assert await page.run(SHOWN) == ""
        await page.run("document.getElementById('symbol').focus()")
        await page.type("JPM,AAPL")
        await press(page, "Enter")
        await page.until(f"{SHOWN} === 'JPM,AAPL'")
        link = await page.run("location.href")
        assert "?list=Banks&symbols=JPM,AAPL#Tech=MSFT,AAPL" in link

        # without a link: as it was left
        await page.run("window.before = 1; location.assign(location.pathname)")
        await page.until(
            f"!window.before && {OPEN} && {NAMES} === 'Tech,Banks' && {SHOWN} === 'JPM,AAPL'"
        )
        await page.run("document.querySelector('#lists li button').click()")
        await page.until(f"{SHOWN} === 'MSFT,AAPL' && {CURRENT} === 'Tech'")
        await page.until(f"{FIGURES}.every((text) => /[0-9]/.test(text))")

        # another tab adds a list, and changes the one that is shown here
        await page.run("""
localStorage.setItem("ticker.lists", JSON.stringify({ shown: "Cars", lists:
  [["Tech", "AAPL"], ["Banks", "JPM"], ["Cars", "TSLA"]] }));
dispatchEvent(new StorageEvent("storage", { key: "ticker.lists" }));
""")
        await page.until(f"{NAMES} === 'Tech,Banks,Cars' && {SHOWN} === 'MSFT,AAPL'")

        await page.run("window.before = 1; localStorage.clear(); location.assign('/favicon.ico')")
        await page.until("!window.before")
        await page.call("Page.navigate", url=link)  # somebody else opens it
        await page.until(f"{OPEN} && {NAMES} === 'Tech,Banks' && {SHOWN} === 'JPM,AAPL'")

        await page.run("document.querySelector('#lists .edit').click()")
        await page.run("document.querySelector('#list .delete').click()")
        await page.until(f"{NAMES} === 'Tech' && {SHOWN} === 'MSFT,AAPL'")
        await page.run("document.querySelector('#notices button').click()")
        await page.until(f"{NAMES} === 'Tech,Banks' && {SHOWN} === 'JPM,AAPL'")

        other = f"{desk.url}?list=Tech&symbols=NVDA"  # a list of that name is here already
        await page.call("Page.navigate", url=other)
        await page.until(f"{OPEN} && {CURRENT} === 'Tech 2' && {SHOWN} === 'NVDA'")
        assert await page.run(NAMES) == "Tech,Banks,Tech 2"

    browse(tmp_path, f"{desk.url}?symbols=MSFT,AAPL", steps, "favicon|status of 404")

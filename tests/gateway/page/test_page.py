"""The watch page in real Chromium against a real `ticker serve` with its simulated exchange."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from tests.gateway.rest.browser import FIGURES, OPEN, PRICED, SYMBOLS, Page, browse, serving

# What the page showed when it lost its connection, and every state of the connection since.
WATCH = f"""
window.states = [];
new MutationObserver(() => {{
  window.states.push(document.body.dataset.connection);
  if (document.body.dataset.connection === 'waiting') window.before = {FIGURES};
}}).observe(document.body, {{ attributeFilter: ['data-connection'] }});
"""
pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def server(
    require: Callable[[object, str], None], root: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The base URL of a running server that is ready."""
    require("chromium", "chromium is not installed")
    with serving(root, tmp_path_factory.mktemp("page")) as url:
        yield url


def status(server: str) -> dict[str, Any]:
    with urlopen(f"{server}status", timeout=5) as answer:
        found: dict[str, Any] = json.load(answer)
        return found


def test_prices_change_and_outlive_their_gateway(server: str, tmp_path: Path) -> None:
    async def steps(page: Page) -> None:
        await page.until(PRICED, 20)
        shown = json.dumps(await page.run(FIGURES))
        await page.until(f"JSON.stringify({FIGURES}) !== {json.dumps(shown.replace(', ', ','))}")
        await page.run(WATCH)
        (gateway,) = status(server)["gateways"]
        killed = time.monotonic()
        os.kill(gateway["pid"], signal.SIGKILL)
        await page.until(f"window.before && {OPEN} && {FIGURES}.join() !== window.before.join()")
        took = time.monotonic() - killed
        states = await page.run("window.states")
        assert states[0] == "waiting"
        assert states[-1] == "open"
        assert took < 3.0, f"a fresh price after {took:.2f} s: {states}"
        assert status(server)["gateways"][0]["pid"] != gateway["pid"]

    # The browser itself logs the sockets and requests that the killed worker cut off.
    browse(tmp_path, server, steps, r"net::ERR_|WebSocket connection to")


def test_symbols_are_added_removed_and_kept(server: str, tmp_path: Path) -> None:
    async def steps(page: Page) -> None:
        await page.until(f"{OPEN} && {SYMBOLS}.length === 10", 20)
        await page.run(
            "document.dispatchEvent(new KeyboardEvent('keydown', { key: '/', bubbles: true }))"
        )
        await page.until("document.activeElement.id === 'symbol'")
        await page.type("nope")
        await page.until("!!document.querySelector('#suggestions .none')")
        await page.press("Enter", 13)
        await page.until("!!document.querySelector('tr[data-symbol=NOPE].unknown')")
        await page.until("/NOPE: no feed/.test(document.getElementById('notices').innerText)")
        await page.run("document.querySelector('tr[data-symbol=NOPE]').focus()")
        await page.press("Delete", 46)
        await page.until(f"{SYMBOLS}.length === 10")
        await page.run("document.querySelector('tr[data-symbol=MSFT] .remove').click()")
        await page.until(f"!{SYMBOLS}.includes('MSFT')")
        notice = "[...document.querySelectorAll('#notices button')].find((each) => "
        notice += "each.parentElement.innerText.startsWith('MSFT removed'))"
        await page.until(f"!!{notice}")
        await page.run(f"{notice}.click()")
        await page.until(f"{SYMBOLS}[1] === 'MSFT'")
        await page.run("document.querySelector('tr[data-symbol=AAPL] .remove').click()")
        kept = await page.run(SYMBOLS)
        assert "AAPL" not in kept
        assert await page.run("new URLSearchParams(location.search).get('symbols')") == ",".join(
            kept
        )
        # without the link: from storage
        await page.run("window.before = 1; location.assign(location.pathname)")
        await page.until(
            f"!window.before && {OPEN} && {SYMBOLS}.join() === {json.dumps(','.join(kept))}"
        )

    browse(tmp_path, server, steps)


def test_a_link_chooses_the_symbols(server: str, tmp_path: Path) -> None:
    async def steps(page: Page) -> None:
        await page.until(f"{OPEN} && {FIGURES}.every((text) => /[0-9]/.test(text))", 20)
        assert await page.run(SYMBOLS) == ["MSFT", "AAPL"]
        await page.until("!!document.querySelector('.line').getAttribute('d')")
        await page.until(
            "/^(vs (close|open)|since) /.test(document.querySelector('.reference').textContent)"
        )
        await page.until(r"/^[\d.]+ s$/.test(document.querySelector('td.age').textContent)")

    browse(tmp_path, f"{server}?symbols=MSFT,AAPL", steps)


def test_companies_are_found_and_named(server: str, tmp_path: Path) -> None:
    company = "document.querySelector('tr[data-symbol={}] .company').textContent"

    suggested = "document.getElementById('suggestions').innerText"

    async def steps(page: Page) -> None:
        await page.until(f"{OPEN} && {company.format('MSFT')} === 'Microsoft Corporation'", 20)
        await page.run("document.getElementById('symbol').focus()")
        await page.type("apple")
        await page.until(f"/AAPL.*Apple Inc/s.test({suggested})")
        await page.press("Enter", 13)
        await page.until(f"{SYMBOLS}.join() === 'MSFT,AAPL'")
        await page.until(f"{company.format('AAPL')} === 'Apple Inc.'")

    browse(tmp_path, f"{server}?symbols=MSFT", steps)

"""The watch page for all who read it, in real Chromium: by keys alone, with the system's colours,
without movement, and when the connection is gone."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Require
from tests.gateway.page.desk import MODES, Desk, faults, looks, press, require_axe, tab_to
from tests.gateway.rest.browser import FIGURES, OPEN, Page, browse

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

STATE = "document.getElementById('connection-text').textContent"
FOOT = "document.querySelector('footer .lost').textContent"
OPENED = "document.getElementById('detail').open"
PRICED = f"{OPEN} && {FIGURES}.every((text) => /[0-9]/.test(text))"
NOTICES = "document.getElementById('notices').innerText"
# What moves on the page but the state of the connection and what is said in passing.
OBSERVE = """
window.moved = [];
new MutationObserver((changes) => window.moved.push(...changes
  .map(({ target }) => target.parentElement).filter((each) => !each.closest(".alarm, .symbol"))
  .map((each) => each.outerHTML)))
  .observe(document.querySelector('main'),
    { subtree: true, childList: true, characterData: true, attributes: true });
"""


@pytest.fixture(scope="module")
def desk(require: Require, root: Path) -> Iterator[Desk]:
    require("chromium", "chromium is not installed")
    made = Desk(f"readers{os.getpid()}", ("AAPL", "MSFT", "NVDA"), root)
    made.exchange.fill(made.rows["AAPL"], 12, 18_500)
    made.trade(AAPL=18_500, MSFT=41_200, NVDA=13_040)
    yield made
    made.close()


def test_no_fault_in_light_dark_and_forced_colours(
    desk: Desk, tmp_path: Path, require: Require
) -> None:
    axe = require_axe(require)

    async def steps(page: Page) -> None:
        await page.until(PRICED.replace(".every", ".slice(0, 3).every"))
        await page.run(axe)
        await page.run("document.getElementById('pause').click()")  # no flash is under way
        for name, features in MODES.items():
            await looks(page, **features)
            # the colours are others in each mode, and nothing else
            rules = () if name == "light" else ("color-contrast",)
            assert await faults(page, rules) == [], name
            await page.run("document.querySelector('#lists .edit').click()")
            assert await faults(page, rules) == [], f"{name}: the dialog of a list"
            await page.run("document.querySelector('#list .cancel').click()")
            await page.run("document.querySelector('tr .name').click()")
            await page.until("/Price/.test(document.querySelector('.lineage dl').innerText)")
            assert await faults(page, rules) == [], f"{name}: the details"
            await page.run("document.querySelector('#detail .close').click()")
        os.kill(desk.rig.pid, signal.SIGSTOP)
        try:
            await page.until(f"{STATE} === 'No answer'")
            assert await faults(page) == [], "without an answer"
        finally:
            os.kill(desk.rig.pid, signal.SIGCONT)

    browse(tmp_path, f"{desk.url}?symbols=AAPL,MSFT,NVDA,NOPE", steps)


def test_by_keys_alone(desk: Desk, tmp_path: Path) -> None:
    async def steps(page: Page) -> None:
        await page.until(PRICED)
        slash = "dispatchEvent(new KeyboardEvent('keydown', { key: '/', bubbles: true }))"
        await tab_to(page, "active.id === 'shortcut'")
        await page.run(f"document.activeElement.click(); document.body.{slash}")
        assert await page.run("document.activeElement.id") == "shortcut", "it is switched off"
        await page.run(f"document.activeElement.click(); document.body.{slash}")
        assert await page.run("document.activeElement.id") == "symbol"
        await tab_to(page, "active.textContent === 'Symbol'")
        await press(page, "Enter")
        await tab_to(page, "active.tagName === 'TR'")
        await press(page, "Home")
        assert await page.run("document.activeElement.dataset.symbol") == "AAPL"
        await press(page, "ArrowDown")
        assert await page.run("document.activeElement.dataset.symbol") == "MSFT"
        await press(page, "End")
        assert await page.run("document.activeElement.dataset.symbol") == "NVDA"
        await press(page, "Enter")
        await page.until(OPENED)
        await tab_to(page, "active.id === 'alert-price'")
        await page.type("131")
        await press(page, "Enter")
        await page.until(
            "/rises to 131.00/.test(document.getElementById('alert-said').textContent)"
        )
        await tab_to(page, "active.textContent === 'Remove'")
        await press(page, "Enter")
        await page.until("!document.querySelector('.alerts li')")
        await press(page, "Escape")
        await page.until(f"!{OPENED} && document.activeElement.dataset.symbol === 'NVDA'")
        await tab_to(page, "active.id === 'pause'")
        await press(page, "Enter")
        await page.until(f"{STATE} === 'Paused'")
        await press(page, "Enter")
        await page.until(f"{STATE} === 'Live'")

    browse(tmp_path, f"{desk.url}?symbols=NVDA,MSFT,AAPL", steps)


def test_paused_nothing_moves_and_an_alert_is_told(desk: Desk, tmp_path: Path) -> None:
    async def steps(page: Page) -> None:
        await page.until(PRICED)
        await page.run("document.querySelector('tr .name').click()")
        await page.run("document.getElementById('alert-price').value = '420'")
        assert await page.run("Notification.permission") == "default", "nobody was asked yet"
        await page.run("document.querySelector('.alerts form').requestSubmit()")
        await page.until(
            "document.querySelector('.alarm:not([hidden])')?.innerText.includes('420')"
        )
        await page.run("document.querySelector('#detail .close').click()")
        await page.run("document.getElementById('pause').click()")
        await page.until(f"{STATE} === 'Paused'")
        await page.run(OBSERVE)
        desk.trade(MSFT=42_100, AAPL=18_600)
        await page.until(f"/MSFT has risen to 420.00: it is at 421.00/.test({NOTICES})")
        assert await page.run(f"{FIGURES}.join()") == "412.00,185.00"
        assert await page.run("window.moved") == []  # but the sign of the alert
        await page.run("document.getElementById('pause').click()")
        await page.until(f"{STATE} === 'Live' && {FIGURES}.join() === '421.00,186.00'")
        assert await page.run("localStorage.getItem('ticker.alerts')") == "[]", "it is told once"
        desk.trade(MSFT=41_200, AAPL=18_500)

    browse(tmp_path, f"{desk.url}?symbols=MSFT,AAPL", steps)


def test_nothing_is_cut_off_on_a_narrow_screen(desk: Desk, tmp_path: Path) -> None:
    """Neither page nor details are wider than 360 px."""

    async def steps(page: Page) -> None:
        screen = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}
        await page.call("Emulation.setDeviceMetricsOverride", **screen)
        await page.until(PRICED)
        assert await page.run("document.documentElement.scrollWidth") == 360
        await page.run("document.querySelector('tr[data-symbol=MSFT] .name').click()")
        await page.until("/ vs open /.test(document.querySelector('#detail .since').textContent)")
        sizes = "(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth)"
        assert await page.run(f"{sizes}(document.getElementById('detail'))") == 0

    desk.trade(MSFT=1_041_250)
    browse(tmp_path, f"{desk.url}?symbols=MSFT", steps)
    desk.trade(MSFT=41_200)


def test_little_movement_for_those_who_want_it(desk: Desk, tmp_path: Path) -> None:
    async def steps(page: Page) -> None:
        await page.until(PRICED)
        await looks(page, prefers_reduced_motion="reduce")
        await page.run("""
window.animated = 0; window.drawn = [];
Element.prototype.animate = () => { window.animated++; return { cancel() {} }; };
new MutationObserver(() => window.drawn.push(performance.now()))
  .observe(document.querySelector('.figure'), { childList: true });
""")
        with desk.busy(0.05):
            await page.until("window.drawn.length >= 3")
        drawn = await page.run("window.drawn")
        assert min(b - a for a, b in itertools.pairwise(drawn)) >= 990
        assert await page.run("window.animated") == 0
        desk.trade(MSFT=41_200, AAPL=18_500, NVDA=13_040)

    browse(tmp_path, f"{desk.url}?symbols=AAPL", steps)


def test_a_lost_connection_is_said_within_3_s(desk: Desk, tmp_path: Path) -> None:
    link = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}

    async def steps(page: Page) -> None:
        await page.until(PRICED)
        await page.call("Network.emulateNetworkConditions", offline=True, **link)
        took = await page.until(f"{STATE} === 'Offline' && /^Offline since .*[0-9]/.test({FOOT})")
        assert took < 3
        await page.call("Network.emulateNetworkConditions", offline=False, **link)
        await page.until(f"{STATE} === 'Live' && {FOOT} === ''")
        os.kill(desk.rig.pid, signal.SIGSTOP)  # the socket stays open, and nothing comes
        try:
            took = await page.until(f"{STATE} === 'No answer' && /^No answer since /.test({FOOT})")
            assert took < 3
        finally:
            os.kill(desk.rig.pid, signal.SIGCONT)
        await page.until(f"{STATE} === 'Live' && {FOOT} === ''")

    browse(tmp_path, f"{desk.url}?symbols=AAPL", steps, "net::ERR_|WebSocket connection to")

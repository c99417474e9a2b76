"""A real market behind a real gateway, for the watch page in real Chromium."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.clients.package import MODULES, fetch_modules
from tests.conftest import Require
from tests.gateway.books.exchange import CENT, Exchange
from tests.gateway.conftest import Rig
from tests.gateway.rest.browser import Page
from ticker.config import Config, DirectoryConfig
from ticker.feeds.calls import TRADE_COUNTS_VOLUME, TRADE_REGULAR, TRADE_SETS_RANGE
from ticker.shm.segment import Geometry

FLAGS = TRADE_REGULAR | TRADE_COUNTS_VOLUME | TRADE_SETS_RANGE
MODES = {
    "light": {"prefers-color-scheme": "light"},
    "dark": {"prefers-color-scheme": "dark"},
    "forced colours": {"forced-colors": "active"},
}


class Desk:
    """Symbols that trade when a test says so; their prices are in cents."""

    def __init__(self, name: str, symbols: Sequence[str], root: Path) -> None:
        directory = DirectoryConfig(file=str(root / "ticker" / "symbols.csv"))
        self.rig = Rig(name, Config(directory=directory), Geometry(256, 2, 4096, depth_rows=64))
        self.exchange = Exchange(self.rig)
        self.numbers = itertools.count(1)
        self.rows: dict[str, int] = {}
        with self.exchange.packet() as calls:
            for key, symbol in enumerate(symbols):
                self.rows[symbol] = calls.define(key, symbol)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.rig.port}/"

    def trade(self, **cents: int) -> None:
        """A trade of each symbol, in one packet."""
        with self.exchange.packet() as calls:
            for symbol, price in cents.items():
                now = time.time_ns()
                number = next(self.numbers)
                calls.trade(self.rows[symbol], price * CENT, 100, number, FLAGS, now, now)

    @contextmanager
    def busy(self, every: float) -> Iterator[None]:
        """All symbols trade again and again."""
        over = threading.Event()

        def go() -> None:
            for turn in itertools.count():
                if over.wait(every):
                    return
                self.trade(
                    **{symbol: 10_000 + (turn + n) % 97 for n, symbol in enumerate(self.rows)}
                )

        thread = threading.Thread(target=go)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def close(self) -> None:
        self.exchange.close()
        self.rig.close()


async def looks(page: Page, **features: str) -> None:
    """Media features as the reader's system has them, with _ for -."""
    named = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
    await page.call("Emulation.setEmulatedMedia", features=named)


async def press(page: Page, key: str, times: int = 1) -> None:
    codes = {
        "Tab": 9,
        "Enter": 13,
        "Escape": 27,
        "ArrowDown": 40,
        "ArrowUp": 38,
        "End": 35,
        "Home": 36,
    }
    for _ in range(times):
        await page.press(key, codes[key])


async def tab_to(page: Page, condition: str) -> None:
    """Tab until the element with the focus, `active`, is the one."""
    found = f"(() => {{ const active = document.activeElement; return {condition}; }})()"
    for _ in range(60):
        if await page.holds(found):
            return
        await press(page, "Tab")
    raise AssertionError(f"no Tab leads to it: {condition}")


def require_axe(require: Require) -> str:
    """The source of axe-core, which checks a page against the rules of WCAG."""
    require("npm", "npm is not installed")
    path = MODULES / "axe-core" / "axe.min.js"
    if not path.is_file():
        fetch_modules()
    require(path.is_file(), "`npm ci` in clients/typescript fetched no axe-core")
    return path.read_text()


async def faults(page: Page, rules: Sequence[str] = ()) -> list[Any]:
    """What axe finds by all rules or some: each with the elements that break it."""
    only = f"runOnly: {list(rules)}" if rules else ""
    script = f"axe.run(document, {{ resultTypes: ['violations'], {only} }})"
    script += """.then(({ violations }) =>
      JSON.stringify(violations.map(({ id, nodes }) =>
        [id, nodes.map(({ html, failureSummary }) => [html.slice(0, 160), failureSummary])])))"""
    answer = await page.call(
        "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
    )
    assert "exceptionDetails" not in answer, answer
    found: list[Any] = json.loads(answer["result"]["value"])
    return found

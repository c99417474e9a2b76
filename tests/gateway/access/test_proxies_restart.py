"""nginx, Caddy and HAProxy as docs/security.md has them, in front of a server that asks for tokens
and whose gateways are replaced one by one, with the watch page in Chromium behind them."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Require
from tests.gateway.access.test_proxies import (
    BANNER,
    PROXIES,
    PUBLIC,
    SHOWN,
    TICKER,
    access_table,
    documented,
    in_front,
)
from tests.gateway.page.test_page_token import ASKED, FORM, STORED, UNAUTHORISED, enter
from tests.gateway.rest.browser import FIGURES, OPEN, Page, browse, serving
from ticker.gateway.access.auth import hash_token

TOKEN = "a-token-for-the-desk"
AUTH = f"""
[gateway]
restart_spread = 0.2
[auth]
required = true
[[auth.tokens]]
name = "desk"
sha256 = "{hash_token(TOKEN)}"
"""
LIVE = f"{FORM}.hidden && {OPEN} && {FIGURES}.length === 10 && {BANNER}.hidden"
LIVE += f" && {FIGURES}.every((text) => /[0-9]/.test(text))"
SYMBOLS = 40
"""Of the simulated exchange: the page's list is made of those that are known when it begins."""
KNOWN = (
    f"(fetch('/symbols?limit=100', {{headers: {{Authorization: 'Bearer {TOKEN}'}}}})"
    ".then((answer) => answer.json()).then(({ symbols }) => { window.known = symbols.length }), "
    f"window.known === {SYMBOLS})"
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.mark.parametrize("name", PROXIES)
def test_the_page_goes_on_behind_a_documented_proxy_over_a_rolling_restart(
    require: Require, root: Path, tmp_path: Path, name: str
) -> None:
    require("chromium", "chromium is not installed")
    require(name, f"{name} is not installed")
    access = access_table(root, "proxy_protocol" if name == "haproxy" else "behind_tls_proxy")

    async def steps(page: Page) -> None:
        await page.until(ASKED, 60)
        await enter(page, "not-the-one")
        await page.until(f"!{FORM}.hidden && document.getElementById('token-wrong').textContent")
        await page.until(KNOWN, 60)
        await enter(page, TOKEN)
        await page.until(LIVE, 60)
        await restarted(page, tmp_path / "ticker.toml")
        assert await page.run(STORED) == TOKEN, "it is not asked for again"

    with (
        serving(root, tmp_path, access + AUTH, TOKEN, wait=False) as url,
        in_front(url, tmp_path, name, documented(root, name)) as flags,
    ):
        browse(
            tmp_path / "profile", f"{PUBLIC}/", steps, f"{UNAUTHORISED}|status of 404", flags=flags
        )


async def restarted(page: Page, config: Path) -> None:
    """All gateways are replaced; the page comes again by itself, and goes on."""
    streams = streams_of(page)
    command = [*TICKER, "restart", "--config", str(config)]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "gateway workers replaced" in done.stdout
    await page.until(LIVE, 30)
    assert await page.run(SHOWN) == "Live"
    assert streams_of(page) > streams, "its worker was replaced, so it had to come again"
    shown = await page.run(f"{FIGURES}.join()")
    await page.until(f"{FIGURES}.join() !== {shown!r}")


def streams_of(page: Page) -> int:
    return sum(each.startswith("wss:") for each in page.requests)

"""The watch page in real Chromium where the server asks for a token."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import jwt
import pytest

from tests.gateway.rest.browser import FIGURES, OPEN, SYMBOLS, Page, browse, serving
from ticker.gateway.access.auth import hash_token

TOKEN = "a-token-for-the-desk"
SECRET = "nobody-would-ever-guess-this-one"
AUTH = f"""
[auth]
required = true
[[auth.tokens]]
name = "desk"
sha256 = "{hash_token(TOKEN)}"
symbols = ["AAPL", "MSFT"]
[auth.jwt]
key_file = "{{secret}}"
algorithms = ["HS256"]
leeway = 0
"""
FORM = "document.getElementById('token')"
ASKED = f"!{FORM}.hidden && document.activeElement.id === 'token-text'"
WRONG = "document.getElementById('token-wrong').textContent"
# What the browser logs by itself: each 401, and a stream that is given up before it is open.
UNAUTHORISED = "status of 401|WebSocket is closed before"
STORED = "sessionStorage.getItem('ticker.token')"
SHOWN = f"{FORM}.hidden && {OPEN} && {FIGURES}.length === 2"
SHOWN += f" && {FIGURES}.every((text) => /[0-9]/.test(text))"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def server(
    require: Callable[[object, str], None], root: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The base URL of a running server that asks for a token."""
    require("chromium", "chromium is not installed")
    folder = tmp_path_factory.mktemp("token")
    secret = folder / "secret"
    secret.write_text(SECRET)
    with serving(root, folder, AUTH.format(secret=secret), TOKEN) as url:
        yield url


async def enter(page: Page, token: str) -> None:
    await page.run("document.getElementById('token-text').select()")
    await page.type(token)
    await page.press("Enter", 13)


def test_a_token_is_asked_for_kept_and_forgotten(server: str, tmp_path: Path) -> None:
    async def steps(page: Page) -> None:
        await page.until(ASKED, 20)
        assert await page.run("document.getElementById('token-text').type") == "password"
        assert not await page.run("document.getElementById('prices').checkVisibility()")
        await enter(page, "not-the-one")
        await page.until(f"/ask the operator/.test({WRONG}) && {ASKED}")
        assert await page.run(STORED) is None
        await enter(page, "two words")
        await page.until(f"/no blanks/.test({WRONG})")
        await enter(page, TOKEN)
        await page.until(SHOWN)
        assert await page.run(f"{SYMBOLS}.join()") == "AAPL,MSFT"
        shown = json.dumps(await page.run(f"{FIGURES}.join()"))
        await page.until(f"{FIGURES}.join() !== {shown}")
        assert await page.run(STORED) == TOKEN
        assert await page.run("Object.values(localStorage).join().includes('token')") is False
        await page.run("window.before = true; location.reload()")
        await page.until(f"!window.before && {SHOWN}")
        await page.run("document.getElementById('forget').click()")
        await page.until(ASKED)
        assert await page.run(STORED) is None
        assert await page.run(f"{SYMBOLS}.length") == 0
        assert [each for each in page.requests if TOKEN in each] == []

    browse(tmp_path, server, steps, UNAUTHORISED)


def test_a_stored_token_that_opens_no_more_is_asked_for_again(server: str, tmp_path: Path) -> None:
    async def steps(page: Page) -> None:
        await page.until(ASKED, 20)
        await page.run("sessionStorage.setItem('ticker.token', 'of-yesterday'); location.reload()")
        await page.until(f"/ask the operator/.test({WRONG}) && {ASKED}")
        assert await page.run(STORED) is None

    browse(tmp_path, server, steps, UNAUTHORISED)


def test_a_token_that_runs_out_while_prices_flow_is_asked_for_again(
    server: str, tmp_path: Path
) -> None:
    async def steps(page: Page) -> None:
        await page.until(ASKED, 20)
        claims = {"exp": int(time.time()) + 6, "ticker": {"symbols": ["AAPL", "MSFT"]}}
        await enter(page, jwt.encode(claims, SECRET, algorithm="HS256"))
        await page.until(SHOWN)
        await page.until(f"/has expired/.test({WRONG}) && {ASKED}")
        assert await page.run(STORED) is None
        assert await page.run(f"{SYMBOLS}.length") == 0

    browse(tmp_path, server, steps, UNAUTHORISED)

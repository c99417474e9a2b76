"""README's lines of JavaScript in a page of another site, in real Chromium: once its origin is
listed, they work; before, the server's log says what to set."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.conftest import Require
from tests.gateway.rest.browser import chromium, serving

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


class Site(BaseHTTPRequestHandler):
    """Another site's one page."""

    page = b""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(self.page)

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Nothing of it is news."""


@contextmanager
def site() -> Iterator[str]:
    """The origin of another site; its page is Site.page."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def page_of_readme(root: Path, url: str) -> bytes:
    """README's lines, for the server at `url`; what they log is in `heard`."""
    blocks = re.findall(r"```js\n(.*?)```", (root / "README.md").read_text(), re.DOTALL)
    (bare,) = (block for block in blocks if "new WebSocket" in block)  # without a client
    script = bare.replace("ws://localhost:8700/", url.replace("http", "ws"))
    assert url.replace("http", "ws") in script
    heard = "const heard = []; console.log = (text) => heard.push(text);"
    return f"<!doctype html><script>{heard}\n{script}</script>".encode()


async def seen_by(page_url: str, profile: Path, condition: str, seconds: float) -> bool:
    async with chromium(profile) as page:
        await page.open(page_url)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if await page.holds(condition):
                return True
            await asyncio.sleep(0.05)
        return False


@pytest.mark.parametrize("listed", [True, False])
def test_readmes_lines_in_a_page_of_another_site(
    require: Require, root: Path, tmp_path: Path, listed: bool
) -> None:
    require("chromium", "chromium is not installed")
    with site() as origin:
        access = f'[access]\norigins = ["{origin}"]\n' if listed else ""
        with serving(root, tmp_path, access) as url:
            Site.page = page_of_readme(root, url)
            updates = "heard.some((text) => JSON.parse(text).type === 'update')"
            closed = "stream.readyState === WebSocket.CLOSED"
            condition = updates if listed else closed
            assert asyncio.run(seen_by(f"{origin}/", tmp_path / "profile", condition, 30))
            said = (tmp_path / "log").read_text()
            assert ("page refused" in said) != listed
            assert listed or f'access.origins = [\\"{origin}\\"]' in said

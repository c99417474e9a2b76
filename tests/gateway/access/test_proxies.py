"""nginx, Caddy and HAProxy as docs/security.md has them, in front of a whole server, and the watch
page in Chromium behind them says what to set. test_proxies_restart.py has those that are right."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.certificates import Authority
from tests.conftest import Require
from tests.gateway.rest.browser import PRICED, Page, browse, serving

NAME = "desk.example"
PUBLIC = f"https://{NAME}"
BANNER = "document.getElementById('banner')"
TOLD = f"!{BANNER}.hidden && {BANNER}.textContent.includes({{words!r}})"
SHOWN = "document.getElementById('connection-text').textContent"
# What the browser logs by itself: each handshake that was refused, and the question why.
COMPLAINTS = "WebSocket connection to|status of 4[0-9][0-9]"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@dataclass(frozen=True)
class Front:
    """A proxy to be started: its port, where its server listens, its files."""

    port: int
    server: str
    certificate: str
    key: str
    folder: Path


def documented(root: Path, language: str, number: int = 0) -> str:
    """A configuration of docs/security.md."""
    found = re.findall(rf"```{language}\n(.*?)```", document(root), re.DOTALL)
    return str(found[number])


def document(root: Path) -> str:
    return (root / "docs" / "security.md").read_text()


def access_table(root: Path, key: str) -> str:
    """The [access] table of docs/security.md that has this key, as it stands there."""
    tables: list[str] = re.findall(r"```toml\n(\[access\]\n.*?)```", document(root), re.DOTALL)
    return next(table for table in tables if re.search(rf"^{key} = ", table, re.MULTILINE))


def here(text: str, *changes: tuple[str, str]) -> str:
    """A documented configuration on this machine; every place that is changed must be in it."""
    for there, instead in changes:
        assert there in text, f"{there!r} is not in the docs any more"
        text = text.replace(there, instead)
    return text


def nginx(front: Front, text: str) -> list[str]:
    text = here(
        text,
        ("listen 443 ssl", f"listen 127.0.0.1:{front.port} ssl"),
        ("/etc/nginx/ticker.pem", front.certificate),
        ("/etc/nginx/ticker.key", front.key),
        ("127.0.0.1:8700", front.server),
    )
    places = [
        f"{kind}_temp_path {front.folder}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    ]
    path = front.folder / "nginx.conf"
    path.write_text(
        f"daemon off; pid {front.folder}/pid; error_log stderr; worker_processes 1;\n"
        "events { worker_connections 256; }\n"
        f"http {{\naccess_log off;\n{chr(10).join(places)}\n{text}\n}}\n"
    )
    return ["nginx", "-p", str(front.folder), "-c", str(path)]


def caddy(front: Front, text: str) -> list[str]:
    site = f"https://{NAME}:{front.port} {{\nbind 127.0.0.1\ntls {front.certificate} {front.key}\n"
    text = here(text, (f"{NAME} {{\n", site), ("127.0.0.1:8700", front.server))
    path = front.folder / "Caddyfile"
    path.write_text(
        "{\nadmin off\nauto_https disable_redirects\n"
        f"storage file_system {front.folder}/storage\nservers {{\nprotocols h1\n}}\n}}\n{text}"
    )
    return ["caddy", "run", "--adapter", "caddyfile", "--config", str(path)]


def haproxy(front: Front, text: str) -> list[str]:
    pem = front.folder / "both.pem"
    pem.write_text(Path(front.certificate).read_text() + Path(front.key).read_text())
    text = here(
        text,
        ("/etc/haproxy/ticker.pem", str(pem)),
        ("bind :443", f"bind 127.0.0.1:{front.port}"),
        ("127.0.0.1:8700", front.server),
        ("maxconn 100000", "maxconn 200"),
    )
    path = front.folder / "haproxy.cfg"
    path.write_text(text)
    return ["haproxy", "-db", "-f", str(path)]


TICKER = (sys.executable, "-m", "ticker")
PROXIES = {"nginx": nginx, "caddy": caddy, "haproxy": haproxy}


@contextlib.contextmanager
def in_front(url: str, folder: Path, name: str, text: str) -> Iterator[tuple[str, ...]]:
    """A running proxy before the server at `url`; flags for a browser that finds it by NAME."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    authority = Authority(folder)
    server = url.removeprefix("http://").rstrip("/")
    front = Front(port, server, *authority.issue(NAME), folder)
    log = folder / f"{name}.log"
    command = PROXIES[name](front, text)
    own = {**os.environ, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}  # Caddy keeps files
    with (
        log.open("wb") as said,
        subprocess.Popen(command, stdout=said, stderr=said, env=own) as process,
    ):
        try:
            wait_until_it_serves(port, authority, process, log)
            yield (
                f"--host-resolver-rules=MAP {NAME} 127.0.0.1:{port}",
                "--ignore-certificate-errors",
            )
        finally:
            process.terminate()
            process.wait(20)


def wait_until_it_serves(
    port: int, authority: Authority, process: subprocess.Popen[bytes], log: Path
) -> None:
    context: ssl.SSLContext = authority.client_context()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", port), 5) as plain,
            context.wrap_socket(plain, server_hostname=NAME),
        ):
            return
        time.sleep(0.05)
    raise AssertionError(log.read_text())


UPGRADE_HEADERS = """
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $connection_upgrade;
"""


def bare_nginx(root: Path, headers: str) -> str:
    """The documented nginx without the headers of its location, but for these."""
    text = documented(root, "nginx")
    start, end = text.index("        proxy_http_version"), text.index("        proxy_read_timeout")
    return text[:start] + headers + text[end:]


def test_a_proxy_that_keeps_the_upgrade_to_itself_is_named_on_the_page(
    require: Require, root: Path, tmp_path: Path
) -> None:
    """`proxy_pass` alone: nginx speaks HTTP/1.0 to its server then."""
    require("chromium", "chromium is not installed")
    require("nginx", "nginx is not installed")

    async def steps(page: Page) -> None:
        await page.until(TOLD.format(words="keep the Upgrade header to itself"), 40)
        assert await page.run(SHOWN) == "Refused"

    access = f'[access]\npublic_url = "{PUBLIC}"\n'
    with (
        serving(root, tmp_path, access) as url,
        in_front(url, tmp_path, "nginx", bare_nginx(root, "")) as flags,
    ):
        browse(tmp_path / "profile", f"{PUBLIC}/", steps, COMPLAINTS, flags=flags)


def test_an_address_that_nobody_has_told_of_is_named_on_the_page_and_in_the_log(
    require: Require, root: Path, tmp_path: Path
) -> None:
    """As nginx documents WebSocket, without a Host: it works once what the page says is set."""
    require("chromium", "chromium is not installed")
    require("nginx", "nginx is not installed")
    key = f'access.public_url = "{PUBLIC}"'

    async def steps(page: Page) -> None:
        await page.until(TOLD.format(words=key), 40)
        assert await page.run(SHOWN) == "Refused"
        log = (tmp_path / "log").read_text()
        assert log.count("page refused") == 1, log
        assert key.replace('"', '\\"') in log
        config = tmp_path / "ticker.toml"
        config.write_text(f'{config.read_text()}\n[access]\npublic_url = "{PUBLIC}"\n')
        subprocess.run(
            [*TICKER, "reload", "--config", str(config)], check=True, capture_output=True
        )
        await page.until(PRICED, 40)
        assert await page.run(f"{BANNER}.hidden")

    with (
        serving(root, tmp_path) as url,
        in_front(url, tmp_path, "nginx", bare_nginx(root, UPGRADE_HEADERS)) as flags,
    ):
        browse(tmp_path / "profile", f"{PUBLIC}/", steps, COMPLAINTS, flags=flags)

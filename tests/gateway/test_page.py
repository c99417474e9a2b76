"""The watch page in real Chromium against a real `ticker serve` with its simulated exchange."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
    "--window-size=1200,800",
)
CONFIG = """
[server]
instance = "{instance}"
port = 0
[[feeds]]
name = "sim"
protocol = "itch50"
session = "moldudp64"
venue = "XNAS"
lines = ["239.192.77.1:{port}", "239.192.77.2:{port}"]
interface = "127.0.0.1"
rerequest = "127.0.0.1:{rerequest}"
rows = 1024
ring_capacity = 4096
[feeds.simulator]
symbols = 40
rate = 2000
seed = 7
"""
FIGURES = "[...document.querySelectorAll('.price .figure')].map((each) => each.textContent)"
OPEN = "document.body.dataset.connection === 'open'"
PRICED = f"{OPEN} && {FIGURES}.length === 10 && {FIGURES}.every((text) => /[0-9]/.test(text))"
SYMBOLS = "[...document.querySelectorAll('tbody tr')].map((each) => each.dataset.symbol)"
# What the page showed when it lost its connection, and every state of the connection since.
WATCH = f"""
window.states = [];
new MutationObserver(() => {{
  window.states.push(document.body.dataset.connection);
  if (document.body.dataset.connection === 'waiting') window.before = {FIGURES};
}}).observe(document.body, {{ attributeFilter: ['data-connection'] }});
"""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


def free_udp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def server(require, root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of a running server that is ready."""
    require("chromium", "chromium is not installed")
    folder = tmp_path_factory.mktemp("page")
    config = folder / "ticker.toml"
    config.write_text(
        CONFIG.format(
            instance=f"page{os.getpid()}", port=free_udp_port(), rerequest=free_udp_port()
        )
    )
    command = [sys.executable, "-m", "ticker", "serve", "--config", str(config)]
    log = folder / "log"
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            command, cwd=root, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        try:
            yield ready(process, log)
        finally:
            process.terminate()
            process.wait(20)


def ready(process: subprocess.Popen[str], log: Path) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.search(r"http://\S+/", line)
    assert found, f"no address in {line!r}; {log.read_text()}"
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), urlopen(f"{found[0]}prices/AAPL", timeout=5):
            return found[0]
        time.sleep(0.05)
    raise AssertionError(f"no price of AAPL in 20 s; {log.read_text()}")


class Navigated(Exception):  # noqa: N818  (it is no error)
    """The page went away while it was asked."""


class Page:
    """One tab, driven over the Chrome DevTools Protocol."""

    def __init__(self, connection: ClientWebSocketResponse) -> None:
        self.connection = connection
        self.session: str | None = None
        self.numbers = itertools.count(1)
        self.answers: dict[int, asyncio.Future[dict]] = {}
        self.requests: list[str] = []
        self.complaints: list[str] = []

    async def receive(self) -> None:
        async for raw in self.connection:
            message = json.loads(raw.data)
            method, parameters = message.get("method"), message.get("params", {})
            if "id" in message:
                self.answers.pop(message["id"]).set_result(message)
            elif method == "Network.requestWillBeSent":
                self.requests.append(parameters["request"]["url"])
            elif method == "Network.webSocketCreated":
                self.requests.append(parameters["url"])
            elif method in ("Runtime.exceptionThrown", "Log.entryAdded"):
                self.complaints.append(json.dumps(parameters))

    async def call(self, method: str, **parameters: object) -> dict:
        number = next(self.numbers)
        self.answers[number] = asyncio.get_running_loop().create_future()
        command = {"id": number, "method": method, "params": parameters}
        if self.session is not None:
            command["sessionId"] = self.session
        await self.connection.send_json(command)
        answer = await self.answers[number]
        if "navigated" in answer.get("error", {}).get("message", ""):
            raise Navigated
        assert "error" not in answer, answer
        return answer["result"]

    async def open(self, url: str) -> None:
        target = await self.call("Target.createTarget", url="about:blank")
        attached = await self.call(
            "Target.attachToTarget", targetId=target["targetId"], flatten=True
        )
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self.call(f"{domain}.enable")
        await self.call("Page.navigate", url=url)

    async def run(self, script: str) -> object:
        """The value of a script's last expression."""
        answer = await self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def holds(self, condition: str) -> bool:
        """Whether it is so now; not while one page makes place for the next."""
        try:
            return bool(await self.run(f"document.body !== null && ({condition})"))
        except Navigated:
            return False

    async def until(self, condition: str, seconds: float = 30.0) -> float:
        """Wait for a condition in the page; the seconds that it took."""
        start = time.monotonic()
        while not await self.holds(condition):
            waited = time.monotonic() - start
            assert waited < seconds, (
                f"not so after {waited:.1f} s: {condition}\n"
                f"{await self.run('document.body.innerText')}\n{self.complaints}"
            )
            await asyncio.sleep(0.03)
        return time.monotonic() - start

    async def type(self, text: str) -> None:
        """Type into what has the focus."""
        await self.call("Input.insertText", text=text)

    async def press(self, key: str, code: int) -> None:
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            await self.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=key,
                windowsVirtualKeyCode=code,
                **(text if kind == "keyDown" else {}),
            )


@contextlib.asynccontextmanager
async def chromium(profile: Path) -> AsyncIterator[Page]:
    """A fresh browser with an empty profile, its whole process group ended afterwards."""
    process = await asyncio.create_subprocess_exec(
        "chromium",
        *FLAGS,
        f"--user-data-dir={profile}",
        "about:blank",
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        address = await debugger_address(profile / "DevToolsActivePort")
        async with ClientSession() as client, client.ws_connect(address, max_msg_size=0) as link:
            page = Page(link)
            receiver = asyncio.create_task(page.receive())
            yield page
            receiver.cancel()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def debugger_address(path: Path) -> str:
    async with asyncio.timeout(30):
        while not path.exists() or path.read_text().count("\n") < 1:
            await asyncio.sleep(0.05)
    port, where = path.read_text().split("\n")[:2]
    return f"ws://127.0.0.1:{port}{where}"


Steps = Callable[[Page], Coroutine[None, None, None]]


def browse(profile: Path, url: str, steps: Steps) -> None:
    """Run `steps` on a page, which must not have complained nor asked anywhere else."""

    async def run() -> None:
        async with chromium(profile) as page:
            await page.open(url)
            await steps(page)
            assert page.complaints == []
            origin = url.partition("?")[0]
            own = (origin, origin.replace("http", "ws"))
            assert [each for each in page.requests if not each.startswith(own)] == []

    asyncio.run(run())


def status(server: str) -> dict:
    with urlopen(f"{server}status", timeout=5) as answer:
        return json.load(answer)


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
        page.complaints = [
            each
            for each in page.complaints
            if "net::ERR_" not in each and "WebSocket connection to" not in each
        ]

    browse(tmp_path, server, steps)


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
        await page.run("location.assign(location.pathname)")  # without the link: from storage
        await page.until(f"{OPEN} && {SYMBOLS}.join() === {json.dumps(','.join(kept))}")

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

"""Real Chromium, driven over the Chrome DevTools Protocol, and a real `ticker serve` for it."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import itertools
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

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
[directory]
file = "symbols.csv"
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
LOADED = "location.protocol !== 'about:' && document.readyState === 'complete'"
OPEN = "document.body.dataset.connection === 'open'"
PRICED = f"{OPEN} && {FIGURES}.length === 10 && {FIGURES}.every((text) => /[0-9]/.test(text))"
SYMBOLS = "[...document.querySelectorAll('#prices tbody tr')].map((each) => each.dataset.symbol)"


def free_udp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def serving(
    root: Path, folder: Path, more: str = "", token: str = "", *, wait: bool = True
) -> Iterator[str]:
    """The base URL of a running `ticker serve`, with `more` configuration, once it has a price;
    with `wait` False, which is for one that answers to a proxy alone, once it serves."""
    config = folder / "ticker.toml"
    instance = f"page{os.getpid()}{'t' if more else ''}"
    ports = {"port": free_udp_port(), "rerequest": free_udp_port()}
    config.write_text(CONFIG.format(instance=instance, **ports) + more)
    command = [sys.executable, "-m", "ticker", "serve", "--config", str(config)]
    log = folder / "log"
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            command, cwd=root, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        try:
            yield ready(process, log, token, wait=wait)
        finally:
            process.terminate()
            process.wait(20)


def ready(process: subprocess.Popen[str], log: Path, token: str, *, wait: bool) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.search(r"http://\S+/", line)
    assert found, f"no address in {line!r}; {log.read_text()}"
    if not wait:
        return found[0]
    wanted = Request(f"{found[0]}prices/AAPL", headers={"Authorization": f"Bearer {token}"})
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, HTTPError), urlopen(wanted, timeout=5):
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
        self.profile = ""
        self.numbers = itertools.count(1)
        self.answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
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

    async def call(self, method: str, **parameters: object) -> dict[str, Any]:
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
        result: dict[str, Any] = answer["result"]
        return result

    async def open(self, url: str) -> None:
        target = await self.call(
            "Target.createTarget", url="about:blank", browserContextId=self.profile
        )
        attached = await self.call(
            "Target.attachToTarget", targetId=target["targetId"], flatten=True
        )
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self.call(f"{domain}.enable")
        await self.call("Page.navigate", url=url)

    async def run(self, script: str) -> Any:
        """The value of a script's last expression."""
        answer = await self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def holds(self, condition: str) -> bool:
        """Whether it is so now; not while one page makes place for the next."""
        try:
            return bool(await self.run(f"{LOADED} && ({condition})"))
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


def start(profile: Path, flags: Sequence[str] = ()) -> tuple[subprocess.Popen[bytes], str]:
    """A browser in a process group of its own, and the address of its debugger."""
    process = subprocess.Popen(
        ["chromium", *FLAGS, *flags, f"--user-data-dir={profile}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    written = profile / "DevToolsActivePort"
    deadline = time.monotonic() + 30
    while not written.exists() or written.read_text().count("\n") < 1:
        if time.monotonic() > deadline:
            end(process)
            raise AssertionError("chromium does not say where its debugger is")
        time.sleep(0.02)
    port, where = written.read_text().split("\n")[:2]
    return process, f"ws://127.0.0.1:{port}{where}"


def end(process: subprocess.Popen[bytes]) -> None:
    """End a whole browser."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@functools.cache
def of_all_tests() -> str:
    """The debugger's address of one browser for all tests; it ends with their process."""
    folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    atexit.register(folder.cleanup)
    process, address = start(Path(folder.name))
    atexit.register(end, process)
    return address


@contextlib.asynccontextmanager
async def chromium(profile: Path, flags: Sequence[str] = ()) -> AsyncIterator[Page]:
    """A tab of a fresh profile: with flags in a browser of its own, else in that of all tests."""
    process, address = start(profile, flags) if flags else (None, of_all_tests())
    try:
        async with ClientSession() as client, client.ws_connect(address, max_msg_size=0) as link:
            page = Page(link)
            receiver = asyncio.create_task(page.receive())
            fresh = await page.call("Target.createBrowserContext", disposeOnDetach=True)
            page.profile = fresh["browserContextId"]
            yield page
            receiver.cancel()
    finally:
        if process is not None:
            end(process)


Steps = Callable[[Page], Coroutine[None, None, None]]


def browse(
    profile: Path, url: str, steps: Steps, due: str = r"(?!)", flags: Sequence[str] = ()
) -> None:
    """Run `steps` on a page, which must not have complained, but of what is `due`, nor asked
    anywhere else."""

    async def run() -> None:
        async with chromium(profile, flags) as page:
            await page.open(url)
            await steps(page)
            undue = [each for each in page.complaints if not re.search(due, each)]
            assert not undue, undue
            origin = url.partition("?")[0]
            own = (origin, origin.replace("http", "ws"))
            foreign = [each for each in page.requests if not each.startswith(own)]
            assert not foreign, foreign

    asyncio.run(run())

"""`ticker serve` as a whole: simulated exchange, feed, gateway, and recovery from kills."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.certificates import Authority
from ticker.bench.rig.ports import free_ports
from ticker.errors import ConfigError
from ticker.shm.counters import Heartbeat
from ticker.shm.header import KIND_STORE
from ticker.shm.segment import attach, gateway_name, leftovers, store_name

pytestmark = pytest.mark.slow

SERVER = """
[server]
instance = "{instance}"
port = 0
"""
FEED = """
[[feeds]]
name = "sim"
protocol = "itch50"
session = "moldudp64"
venue = "XNAS"
lines = ["239.192.17.1:{ports[0]}", "239.192.17.2:{ports[1]}"]
rerequest = "127.0.0.1:{ports[2]}"
rows = 256
ring_capacity = 1024

[feeds.simulator]
symbols = 20
rate = 2000
loss = 0.01
"""


class Server:
    def __init__(
        self, folder: Path, more: str = "", feed: str | None = None, options: tuple[str, ...] = ()
    ) -> None:
        self.instance = f"serve-{os.getpid()}"
        config = folder / "ticker.toml"
        feed = feed or FEED.format(ports=free_ports(3))
        config.write_text(SERVER.format(instance=self.instance) + feed + more)
        self.said = folder / "log"
        command = [sys.executable, "-m", "ticker", "serve", "--config", str(config), *options]
        with self.said.open("wb") as out:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=out)
        assert self.process.stdout is not None
        self.line = self.process.stdout.readline().decode()
        self.where = self.line.split()[1] if self.line else ""

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.where + path, timeout=5) as answer:
            return json.load(answer)

    def price(self) -> dict[str, Any] | None:
        """AAPL's price object, if there is one yet."""
        try:
            price: dict[str, Any] = self.get("prices/AAPL")
        except (urllib.error.URLError, ConnectionError):
            return None
        return price

    def trades(self) -> int:
        price = self.price()
        return 0 if price is None or price["stale"] else int(price["seq"])

    def events(self, event: str) -> list[dict[str, Any]]:
        entries = [
            json.loads(line) for line in self.said.read_text().splitlines() if line.startswith("{")
        ]
        return [each for each in entries if each["event"] == event]

    def workers(self) -> dict[str, int]:
        return {each["worker"]: each["pid"] for each in self.events("started")}

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(20)
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    yield server
    server.close()


def until(condition: Callable[[], object], seconds: float = 15.0) -> float:
    """Wait for a condition; how long it took."""
    begin = time.monotonic()
    while not condition():
        assert time.monotonic() - begin < seconds, "it did not happen in time"
        time.sleep(0.01)
    return time.monotonic() - begin


def gone(pid: int) -> bool:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return True
    return text.rpartition(")")[2].split()[0] == "Z"


def test_prices_move_and_everything_ends(server: Server) -> None:
    assert server.line.startswith("ticker: http://127.0.0.1:"), server.said.read_text()
    until(lambda: server.trades() > 0)
    seen = server.trades()
    until(lambda: server.trades() > seen)
    assert set(server.workers()) == {"feed sim", "gateway 0", "simulator sim", "store"}
    server.process.terminate()
    assert server.process.wait(20) == 0
    assert all(gone(pid) for pid in server.workers().values())
    assert not leftovers(server.instance)


@pytest.mark.parametrize("asked", [signal.SIGHUP, signal.SIGUSR2])
def test_a_reload_or_restart_of_a_server_that_is_starting_waits_until_it_listens(
    tmp_path: Path, asked: signal.Signals
) -> None:
    """Whoever finds its segments may ask, and that is before its workers exist."""
    segment = Path("/dev/shm") / gateway_name(f"serve-{os.getpid()}", 0).lstrip("/")
    sent = []

    def ask() -> None:
        while not segment.exists():
            time.sleep(0)
        for task in Path("/proc/self/task").iterdir():
            for pid in (task / "children").read_text().split():
                os.kill(int(pid), asked)
                sent.append(int(pid))

    asker = threading.Thread(target=ask)
    asker.start()
    server = Server(tmp_path)
    try:
        asker.join()
        assert server.process.pid in sent
        assert server.line, f"it ended: {server.process.wait(20)}"
        heard = "configuration reloaded" if asked == signal.SIGHUP else "retires"
        until(lambda: server.events(heard))
    finally:
        server.close()


@pytest.mark.parametrize("worker", ["feed sim", "gateway 0", "simulator sim"])
def test_killed_worker_is_replaced_and_prices_move_on(server: Server, worker: str) -> None:
    until(lambda: server.trades() > 0)
    pid = server.workers()[worker]
    seen = server.trades()
    os.kill(pid, signal.SIGKILL)
    assert until(lambda: server.workers()[worker] != pid) <= 2.0
    until(lambda: server.trades() > seen)


class Listener:
    """A client of `ticker.v1.json` on a thread of its own: what it was told, and when it ended."""

    def __init__(self, where: str) -> None:
        self.told: list[dict[str, Any]] = []
        self.ended = 0.0
        self.spoken = threading.Event()
        threading.Thread(target=asyncio.run, args=(self._listen(where),), daemon=True).start()

    async def _listen(self, where: str) -> None:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(where + "stream", protocols=["ticker.v1.json"]) as client,
        ):
            await client.send_str('{"action":"subscribe","symbols":["AAPL"]}')
            async for message in client:
                self.told.append(json.loads(message.data))
                self.spoken.set()
        self.ended = time.monotonic()

    def was_told(self, feed: str, state: str) -> bool:
        return any(each.get("feed") == feed and each["state"] == state for each in self.told)


def test_a_gateway_that_hangs_is_seen_replaced_and_its_clients_are_told(server: Server) -> None:
    until(lambda: server.trades() > 0)
    listener = Listener(server.where)
    assert listener.spoken.wait(5)
    pid = server.workers()["gateway 0"]
    os.kill(pid, signal.SIGSTOP)
    stopped = time.monotonic()
    until(lambda: server.events("hung"))
    assert time.monotonic() - stopped <= 3.0
    assert server.events("hung")[0]["worker"] == "gateway 0"
    until(lambda: server.workers()["gateway 0"] != pid)
    until(lambda: listener.ended)
    assert listener.ended - stopped <= 5.0
    until(lambda: server.price() is not None)
    assert time.monotonic() - stopped <= 6.0
    until(lambda: server.trades() > 0)


def test_a_feed_that_hangs_is_said_to_be_stale_and_is_replaced(server: Server) -> None:
    until(lambda: server.trades() > 0)
    listener = Listener(server.where)
    assert listener.spoken.wait(5)
    pid = server.workers()["feed sim"]
    os.kill(pid, signal.SIGSTOP)
    stopped = time.monotonic()
    until(lambda: server.get("status")["feeds"][0]["why"] == "hung")
    assert time.monotonic() - stopped <= 3.0
    found = server.get("status")["feeds"][0]
    assert (found["state"], found["status"]) == ("hung", "stale")
    until(lambda: listener.was_told("sim", "stale"))
    assert time.monotonic() - stopped <= 3.5
    until(lambda: server.workers()["feed sim"] != pid)
    assert time.monotonic() - stopped <= 5.0
    until(lambda: listener.was_told("sim", "live"))
    assert not listener.ended, "clients stay"
    until(lambda: server.trades() > 0)


def test_killed_supervisor_leaves_nothing(server: Server) -> None:
    until(lambda: server.trades() > 0)
    store = Heartbeat(attach(store_name(server.instance), KIND_STORE))
    until(lambda: store.epoch)  # before it has come up, the prices stay in memory
    pids = server.workers().values()
    server.process.kill()
    server.process.wait()
    until(lambda: all(gone(pid) for pid in pids), 5)
    until(lambda: not leftovers(server.instance), 5)


def test_an_instance_that_the_command_line_names(tmp_path: Path) -> None:
    other = f"other-{os.getpid()}"
    server = Server(tmp_path, options=("--instance", other))
    try:
        assert server.line, server.said.read_text()
        assert leftovers(other)
        assert not leftovers(server.instance)
        command = [sys.executable, "-m", "ticker", "reload", "--instance", other]
        told = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
        assert told.stdout.splitlines() == ["reloaded: nothing has changed"]
        refused = Server(tmp_path, options=("--instance", "no/name"))
        refused.close()
        assert refused.process.returncode == ConfigError.exit_code
        assert "--instance" in refused.said.read_text()
    finally:
        server.close()


def test_the_line_that_says_where_to_look_has_tls_and_the_address_of_clients(
    tmp_path: Path,
) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("127.0.0.1")
    public = '[access]\npublic_url = "https://desk.example/"\n'
    tls = f'[tls]\ncertificate = "{certificate}"\nkey = "{key}"\n'
    server = Server(tmp_path, tls + public)
    try:
        assert server.line.startswith("ticker: https://127.0.0.1:"), server.said.read_text()
        assert "for clients: https://desk.example/" in server.line
        where = f"{server.where}healthz"
        with urllib.request.urlopen(where, timeout=5, context=authority.client_context()) as answer:
            assert answer.status == 200, "it is what it says"
    finally:
        server.process.terminate()
        server.process.wait(20)
        assert server.process.stdout is not None
        server.process.stdout.close()

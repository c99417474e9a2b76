"""`ticker reload` with feeds that come, go and change, under clients: nobody is cut.

A whole `ticker serve` with simulated exchanges: of four feeds one stays, one loses a symbol, one is
removed and one is added, while watchers of the same symbols go on reading.
"""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.load.server import until
from tests.load.watcher import frame, next_frame
from ticker.bench.rig.ports import free_ports
from ticker.shm.segment import SHM_FOLDER, feed_name

TICKER = [sys.executable, "-m", "ticker"]
SERVER = """
[server]
instance = "{instance}"
port = 0
[gateway]
max_connections = 4000
flush_interval = {flush_interval}
"""
ITCH = """
[[feeds]]
name = "{name}"
protocol = "itch50"
venue = "{venue}"
lines = ["239.192.{group}.1:{ports[0]}", "239.192.{group}.2:{ports[1]}"]
rerequest = "127.0.0.1:{ports[2]}"
rows = 64
ring_capacity = 4096
calendar = "none"
[feeds.simulator]
symbols = 20
rate = {rate}
"""
VENDOR = """
[[feeds]]
name = "shrinks"
protocol = "json"
mapping = "alpaca"
venue = "XCHI"
url = "ws://127.0.0.1:{port}/"
symbols = {symbols}
credentials = {{ key = "k", secret = "s" }}
rows = 64
calendar = "none"
[feeds.simulator]
symbols = 20
rate = 1000
"""
WATCHED = ("AAPL", "MSFT")


class Running:
    """The server, its configuration and what it answers."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.instance = folder, name
        self.config = folder / "ticker.toml"
        self.ports = {feed: free_ports(3) for feed in ("stays", "goes", "comes", "shrinks")}
        self.where = ""
        self.flush_interval = 0.1
        self.process: subprocess.Popen[bytes]

    def itch(self, name: str, venue: str, group: int) -> str:
        return ITCH.format(name=name, venue=venue, group=group, ports=self.ports[name], rate=1000)

    def write(self, *feeds: str, symbols: tuple[str, ...] = WATCHED) -> None:
        """The configuration with these feeds and the one that shrinks."""
        vendor = VENDOR.format(port=self.ports["shrinks"][0], symbols=json.dumps(symbols))
        server = SERVER.format(instance=self.instance, flush_interval=self.flush_interval)
        self.config.write_text(server + vendor + "".join(feeds))

    def get(self, path: str) -> Any:
        try:
            with urllib.request.urlopen(self.where + path, timeout=10) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            return json.load(error)

    def pids(self) -> dict[str, int]:
        status = self.get("status")
        found = {feed["name"]: feed["pid"] for feed in status["feeds"]}
        return found | {f"gateway {each['name']}": each["pid"] for each in status["gateways"]}

    def is_live(self, venue: str, symbol: str = "AAPL") -> bool:
        price = self.get(f"prices/{symbol}?venue={venue}")
        return price.get("price") is not None and not price["stale"]

    def reload(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*TICKER, "reload", "--instance", self.instance],
            capture_output=True,
            text=True,
            timeout=60,
        )


@contextmanager
def running(folder: Path, flush_interval: float = 0.1) -> Iterator[Running]:
    server = Running(folder, f"feeds-{os.getpid()}")
    server.flush_interval = flush_interval
    server.write(server.itch("stays", "XNAS", 41), server.itch("goes", "BATS", 42))
    command = [*TICKER, "serve", "--config", str(server.config)]
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log) as process,
    ):
        try:
            assert process.stdout is not None
            line = process.stdout.readline().decode()
            assert line, (folder / "log").read_text()
            server.where = line.split()[1]
            until(lambda: all(map(server.is_live, ("XNAS", "BATS", "XCHI"))), 60)
            yield server
        finally:
            process.terminate()
            assert process.wait(30) == 0


class Watchers:
    """Clients on sockets of their own, of which every tenth notes how old its updates are. A thread
    reads all of them, whatever the test does meanwhile."""

    def __init__(self, where: str, count: int) -> None:
        host, _, port = where.removeprefix("http://").rstrip("/").partition(":")
        self.sockets = {
            each.fileno(): each for each in (self._open((host, int(port))) for _ in range(count))
        }
        self.buffers = {fd: bytearray() for fd in self.sockets}
        self.updates = dict.fromkeys(self.buffers, 0)
        self.sampled = set(list(self.buffers)[::10])
        self.ages: list[float] = []
        self.cut = 0
        self.poll = select.epoll()
        for each in self.sockets.values():
            each.setblocking(False)
            self.poll.register(each, select.EPOLLIN)
        self.closed = threading.Event()
        self.thread = threading.Thread(target=self._read_all)
        self.thread.start()

    def _open(self, address: tuple[str, int]) -> socket.socket:
        client = socket.create_connection(address, 30)
        client.sendall(
            b"GET /stream HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
            b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += client.recv(1)
        assert head.startswith(b"HTTP/1.1 101"), head
        command = {"action": "subscribe", "symbols": WATCHED}
        client.sendall(frame(json.dumps(command).encode(), 1))
        return client

    def _read_all(self) -> None:
        while not self.closed.is_set():
            for fd, _ in self.poll.poll(0.02):
                self._read(fd)

    def _read(self, fd: int) -> None:
        try:
            data = self.sockets[fd].recv(1 << 16)
        except ConnectionResetError:
            data = b""
        if not data:
            self.cut += 1
            self.poll.unregister(fd)
            return
        buffer = self.buffers[fd]
        buffer += data
        at = 0
        while (found := next_frame(buffer, at)) is not None:
            opcode, start, at = found
            if opcode == 8:
                self.cut += 1
            elif opcode == 1:
                self._message(fd, bytes(buffer[start:at]))
        del buffer[:at]

    def _message(self, fd: int, text: bytes) -> None:
        self.updates[fd] += 1
        if fd in self.sampled:
            message = json.loads(text)
            if message["type"] == "update":
                sent = datetime.fromisoformat(message["timestamp"])
                self.ages.append((datetime.now(UTC) - sent).total_seconds())

    def all_had_more(self, than: dict[int, int], by: int) -> bool:
        return all(self.updates[fd] >= before + by for fd, before in than.items())

    def p99(self) -> float:
        """Of the ages since the last call, s."""
        ages, self.ages = sorted(self.ages), []
        assert len(ages) > 200
        return ages[len(ages) * 99 // 100]

    def close(self) -> None:
        self.closed.set()
        self.thread.join()
        self.poll.close()
        for each in self.sockets.values():
            each.close()


def change_feeds(server: Running, watchers: Watchers) -> None:
    """One feed is added, one removed, one loses a symbol; watched from all sides."""
    until(lambda: server.is_live("XCHI", "MSFT"), 60)
    before = server.pids()
    server.write(
        server.itch("stays", "XNAS", 41), server.itch("comes", "ARCX", 43), symbols=("AAPL",)
    )
    done = server.reload()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == (
        "reloaded: feeds.shrinks.symbols, feed comes (added), feed goes (removed)"
    )
    had = dict(watchers.updates)
    until(lambda: server.is_live("ARCX") and server.is_live("XCHI"), 60)
    until(lambda: watchers.all_had_more(had, 10), 60)
    after = server.pids()
    assert after.keys() == {"stays", "shrinks", "comes", "gateway 0"}
    assert after["stays"] == before["stays"]
    assert after["gateway 0"] == before["gateway 0"]
    assert after["shrinks"] != before["shrinks"]
    assert server.get("prices/AAPL?venue=BATS")["code"] == "not_on_venue"
    assert server.get("prices/MSFT?venue=XCHI")["stale"], "nobody vouches for it any more"
    assert server.is_live("XNAS", "MSFT")
    assert watchers.cut == 0
    until(lambda: not (SHM_FOLDER / feed_name(server.instance, "goes").lstrip("/")).exists(), 10)


@pytest.mark.slow
def test_feeds_change_and_nobody_is_cut(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        watchers = Watchers(server.where, 200)
        try:
            had_more(watchers, 5)
            change_feeds(server, watchers)
            _back_again(server, watchers)
        finally:
            watchers.close()


def _back_again(server: Running, watchers: Watchers) -> None:
    """The removed feed comes again under its name, and is another one."""
    server.write(server.itch("stays", "XNAS", 41), server.itch("goes", "BATS", 42))
    assert server.reload().returncode == 0
    until(lambda: server.is_live("BATS") and server.is_live("XCHI", "MSFT"), 60)
    assert server.pids().keys() == {"stays", "shrinks", "goes", "gateway 0"}
    assert watchers.cut == 0


@pytest.mark.slow
def test_a_feed_that_cannot_run_is_refused(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        before = server.pids()
        bad = (
            server.itch("comes", "ARCX", 43)
            .replace("itch50", "json")
            .replace("[feeds.simulator]", 'mapping = "nowhere.toml"\n[feeds.simulator]')
        )
        server.write(server.itch("stays", "XNAS", 41), bad)
        done = server.reload()
        assert done.returncode == 3
        assert "the old configuration stays in force" in done.stderr
        assert "feeds[2]" in done.stderr
        assert "nowhere.toml" in done.stderr
        assert server.pids() == before
        server.write(
            server.itch("stays", "XNAS", 41),
            server.itch("goes", "BATS", 42).replace("rows = 64", "rows = 128"),
        )
        done = server.reload()
        assert done.stdout.splitlines() == [
            "reloaded: nothing has changed",
            "waits for a restart of the server: feeds.goes.rows",
        ]
        assert server.pids() == before


@pytest.mark.stress
@pytest.mark.timeout(600)
def test_two_thousand_watchers_see_the_same_latency(tmp_path: Path) -> None:
    """The latency of those who watch a feed that stays: within 10 % while the others change, and
    after it. The interval is long, so that this process, which reads them all, is not what is
    measured."""
    with running(tmp_path, flush_interval=1.0) as server:
        watchers = Watchers(server.where, 2000)
        try:
            had_more(watchers, 10)
            watchers.p99()
            had_more(watchers, 20)
            before = watchers.p99()
            change_feeds(server, watchers)
            during = watchers.p99()
            had_more(watchers, 20)
            after = watchers.p99()
            print(f"p99 before {before:.3f} s, during {during:.3f} s, after {after:.3f} s")
            assert max(during, after) <= 1.1 * before
        finally:
            watchers.close()


def had_more(watchers: Watchers, updates: int) -> None:
    """Wait until each has had so many."""
    had = dict(watchers.updates)
    until(lambda: watchers.all_had_more(had, updates), 120)

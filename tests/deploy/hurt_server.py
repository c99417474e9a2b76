"""A whole server that is hurt: its exchanges, its gateways, its clients and its disk."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.feeds.datagram_kinds import MoldItch
from tests.load.chaos import has_namespaces
from tests.load.watcher import frame
from ticker.bench.rig.ports import free_ports
from ticker.clock import now_ns

CONFIG = """
[server]
instance = "{instance}"
port = 0
gateways = 2

[gateway]
slow_timeout = 1.0

[store]
folder = "{folder}/disk/store"
interval = 0.2

[[feeds]]
name = "sim"
protocol = "itch50"
venue = "XNAS"
lines = ["239.192.61.1:{ports[0]}", "239.192.61.2:{ports[1]}"]
rerequest = "127.0.0.1:{ports[2]}"
rows = 256
ring_capacity = 4096
calendar = "none"
[feeds.simulator]
symbols = 100
rate = 4000
"""
OWN = 'calendar = "none"\ntimezone = "UTC"\nheartbeat = 5.0\n'
"""Of the feed that the test speaks to: its holes and its times are the test's."""
DISK = """
mount -t tmpfs -o size=4m,mode=700 ticker-disk "$1/disk" && touch "$1/disk/mounted" && shift &&
exec "$@"
"""
HEAD = (
    b"GET /stream HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Protocol: ticker.v1.json\r\n\r\n"
)
SECOND = 1_000_000_000
DAY = 86_400 * SECOND


class Exchange(MoldItch):
    """Speaks on one line, without a re-request server. Each turn of its thread is a trade."""

    hole = 0
    """Messages that are left out before each trade."""
    skew = 0
    """ns that trades are ahead of the clock."""

    def beat(self) -> None:
        self.next += self.hole
        self.matches += 1
        self.say_trade(100, now_ns() + self.skew, self.matches)


class HurtServer:
    """Where it answers, and what can be done to it."""

    def __init__(self, where: str, process: int, folder: Path) -> None:
        self.where, self.process = where, process
        self.disk = Path(f"/proc/{process}/root{folder}/disk")

    def status(self) -> Any:
        """None while nobody answers."""
        try:
            with urllib.request.urlopen(f"{self.where}/status", timeout=5) as answer:
                return json.load(answer)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return None

    def exchange(self) -> int:
        """The pid of the simulated exchange: the supervisor's child that was started anew."""
        children = Path(f"/proc/{self.process}/task/{self.process}/children").read_text().split()
        (found,) = (
            int(pid) for pid in children if b"simulate" in Path(f"/proc/{pid}/cmdline").read_bytes()
        )
        return found

    def gateway(self) -> int:
        """The pid of the first gateway; 0: it is not there, or nobody says."""
        found = self.status()
        pids = [each["pid"] for each in found["gateways"] if each["name"] == "0"] if found else []
        return int(pids[0]) if pids else 0

    def fill_disk(self) -> None:
        """Nothing goes on the disk of the store any more."""
        if not has_namespaces():  # no disk of its own: a file may not grow
            self._limit(0)
            return
        with (self.disk / "ballast").open("wb", buffering=0) as ballast:
            for size in (1 << 16, 512, 1):
                with contextlib.suppress(OSError):
                    while True:
                        ballast.write(bytes(size))

    def make_room(self) -> None:
        if not has_namespaces():
            self._limit(resource.RLIM_INFINITY)
            return
        (self.disk / "ballast").unlink()

    def _limit(self, size: int) -> None:
        pid = self.status()["store"]["pid"]
        _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, most))

    @contextmanager
    def clients_that_do_not_read(self, count: int) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            for _ in range(count):
                stack.enter_context(self._client())
            yield

    def _client(self) -> socket.socket:
        """Watches every quote, and takes nothing."""
        host, _, port = self.where.removeprefix("http://").partition(":")
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(10)
        client.connect((host, int(port)))
        client.sendall(HEAD)
        said = b""
        while b"\r\n\r\n" not in said:
            said += client.recv(1)
        assert said.startswith(b"HTTP/1.1 101"), said
        command = {"action": "subscribe", "channel": "quote", "symbols": ["*"]}
        client.sendall(frame(json.dumps(command).encode(), 1))
        return client


@contextmanager
def hurt_server(folder: Path) -> Iterator[tuple[HurtServer, Exchange]]:
    """The server, its store on a small disk of its own, and the exchange of its feed "f"."""
    (folder / "disk").mkdir()
    midnight = now_ns() // DAY * DAY
    with Exchange(midnight, folder) as exchange:
        config = folder / "ticker.toml"
        text = CONFIG.format(instance=f"hurt-{os.getpid()}", folder=folder, ports=free_ports(3))
        config.write_text(text + exchange.toml(OWN))
        command = [sys.executable, "-m", "ticker", "serve", "--config", str(config)]
        if has_namespaces():
            command = ["unshare", "--mount", "sh", "-c", DISK, "sh", str(folder), *command]
        with (
            (folder / "log").open("wb") as log,
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log) as process,
        ):
            try:
                assert process.stdout is not None
                line = process.stdout.readline().decode()
                assert line, (folder / "log").read_text()
                yield HurtServer(line.split()[1].rstrip("/"), process.pid, folder), exchange
            finally:
                process.terminate()
                process.wait(30)


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)

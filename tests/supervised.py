"""A server of stand-in workers in a process of its own, for the tests of the supervisor."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ticker.shm.segment import leftovers

STANDIN = Path(__file__).parent / "standin_server.py"

CONFIG = """
[server]
instance = "{instance}"
port = {port}
gateways = 2

[[feeds]]
name = "sim"
protocol = "itch50"
session = "moldudp64"
venue = "XNAS"
lines = ["127.0.0.1:26477"]
rows = 64
rings = 1
ring_capacity = 64
"""


class Server:
    """A server in a process of its own, and what it said so far."""

    def __init__(
        self, folder: Path, instance: str, port: int, more: str, environ: dict[str, str]
    ) -> None:
        self.instance = instance
        self.config = config = folder / f"{instance}-{port}.toml"
        self.edit(more, port=port)
        self.said = folder / f"{instance}-{port}-{time.monotonic_ns()}.log"
        with self.said.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, str(STANDIN), str(config)],
                stdout=subprocess.PIPE,
                stderr=out,
                env=os.environ | environ,
            )

    def edit(self, more: str = "", port: int = 0) -> None:
        """Write the configuration anew, with other tables in it."""
        self.config.write_text(CONFIG.format(instance=self.instance, port=port) + more)

    def where(self) -> tuple[str, int]:
        """The address in the one line that says where to look; waits for it."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline().decode()
        assert line.startswith("ticker: http://"), self.said.read_text()
        host, port = line.split("/")[2].split(":")
        return host, int(port)

    def log(self, event: str) -> list[dict[str, object]]:
        lines = self.said.read_text().splitlines()
        entries = [json.loads(line) for line in lines if line.startswith("{")]
        return [entry for entry in entries if entry["event"] == event]

    def workers(self) -> dict[str, int]:
        """The newest pid of each worker by name."""
        return {str(entry["worker"]): int(str(entry["pid"])) for entry in self.log("started")}

    def all_pids(self) -> list[int]:
        return [int(str(entry["pid"])) for entry in self.log("started")]

    def wait(self) -> int:
        return self.process.wait(15)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    started: list[Server] = []

    def start(instance: str = "", *, port: int = 0, more: str = "", **environ: str) -> Server:
        server = Server(tmp_path, instance or f"test-{os.getpid()}", port, more, environ)
        started.append(server)
        return server

    yield start
    for server in started:
        if server.process.poll() is None:
            server.process.terminate()
            server.wait()
        if server.process.stdout:
            server.process.stdout.close()


def until(condition: Callable[[], object], seconds: float = 5.0) -> float:
    """Wait for a condition; how long it took."""
    begin = time.monotonic()
    while not condition():
        assert time.monotonic() - begin < seconds, "it did not happen in time"
        time.sleep(0.005)
    return time.monotonic() - begin


def alive(pid: int) -> bool:
    """Whether a process runs (a zombie, which waits for a parent elsewhere, does not)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return text.rpartition(")")[2].split()[0] not in ("Z", "X")


def ask(address: tuple[str, int]) -> tuple[int, int]:
    """(slot, pid) of the gateway that answers."""
    with socket.create_connection(address, 5) as client:
        client.settimeout(5)
        slot, pid = client.makefile().readline().split()
    return int(slot), int(pid)


def segments(server: Server) -> list[str]:
    """The server's segments; without the private folder of its files."""
    return [name for name in leftovers(server.instance) if not name.endswith(".private")]


@contextmanager
def nothing_left(server: Server, seconds: float = 5.0) -> Iterator[None]:
    yield
    until(lambda: not any(alive(pid) for pid in server.all_pids()), seconds)
    until(lambda: not leftovers(server.instance), seconds)

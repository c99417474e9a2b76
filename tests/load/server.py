"""The server of a load test in processes of its own: its feed, its table, its workers."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.load.sock_diag import listening
from ticker.bench.swarm.symbols import symbol_names
from ticker.shm import segment
from ticker.shm.counters import Counters, Heartbeat
from ticker.shm.header import KIND_FEED, KIND_GATEWAY
from ticker.shm.table import PriceTable

every_gateway = pytest.mark.parametrize(
    "gateway",
    [
        {"sender": sender, "pace": pace}
        for sender in ("io_uring", "send")
        for pace in ("adaptive", "fixed")
    ],
    ids=lambda gateway: "-".join(gateway.values()),
)
"""A test under each sender and each pace of the server: `[gateway]` keys."""
PROGRAM = Path(__file__).parent / "synthetic_server.py"

CONFIG = """
[server]
instance = "{instance}"
port = 0
gateways = {gateways}

[gateway]
{gateway}

[[feeds]]
name = "load"
protocol = "itch50"
session = "moldudp64"
venue = "XNAS"
lines = ["127.0.0.1:26477"]
rows = 1024
rings = 4
ring_capacity = 65536
calendar = "none"
"""


class LoadServer:
    """`gateways` workers under a supervisor, and a feed of `symbols` symbols. A context."""

    def __init__(
        self,
        folder: Path,
        *,
        symbols: int,
        gateways: int = 1,
        gateway: dict[str, Any] | None = None,
    ) -> None:
        self.instance = f"load-{os.getpid()}-{time.monotonic_ns() % 1_000_000}"
        self.symbols = symbol_names(symbols)
        self.gateways = gateways
        config = folder / f"{self.instance}.toml"
        keys = "\n".join(f"{key} = {json.dumps(value)}" for key, value in (gateway or {}).items())
        config.write_text(CONFIG.format(instance=self.instance, gateways=gateways, gateway=keys))
        reader, self._control = os.pipe()
        self.said = config.with_suffix(".log")
        with self.said.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, str(PROGRAM), str(config), str(reader), str(symbols)],
                stdout=subprocess.PIPE,
                stderr=out,
                pass_fds=(reader,),
            )
        os.close(reader)

    def __enter__(self) -> LoadServer:
        try:
            self._await_start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _await_start(self) -> None:
        assert self.process.stdout is not None
        line = self.process.stdout.readline().decode()
        assert line.startswith("ticker: http://"), self.said.read_text()
        host, port = line.split("/")[2].split(":")
        self.address = (host, int(port))
        feed = segment.attach(segment.feed_name(self.instance, "load"), KIND_FEED)
        self.table = PriceTable(feed)
        self.rows = {self.table.symbol(row): row for row in range(len(self.table))}
        self.slots = [
            segment.attach(segment.gateway_name(self.instance, slot), KIND_GATEWAY)
            for slot in range(self.gateways + 1)
        ]

    def __exit__(self, *_: object) -> None:
        """End it; its own log says so when it does not end by itself."""
        self.process.terminate()
        try:
            self.process.wait(30)
        finally:
            self.process.kill()
            self.process.wait()
            os.close(self._control)
            assert self.process.stdout is not None
            self.process.stdout.close()

    def publish(self, rate: float) -> None:
        """`rate` ticks a second from now on, symbol after symbol; 0: silence."""
        pace = {"interval": 1.0, "ticks": rate / len(self.symbols)} if rate else {}
        os.write(self._control, json.dumps(pace).encode() + b"\n")

    def values(self, symbol: str) -> dict[str, int]:
        """The row of a symbol as it is now."""
        found = self.table.values(self.rows[symbol])
        assert found is not None
        return found

    def newest(self) -> dict[str, tuple[int, float]]:
        """(exchange time in us, price) of each symbol by the table."""
        rows = {symbol: self.values(symbol) for symbol in self.symbols}
        return {
            symbol: (row["exchange_time"] // 1000, row["price"] / 1e9)
            for symbol, row in rows.items()
        }

    def published(self) -> int:
        """All trades so far."""
        return sum(self.values(symbol)["seq"] for symbol in self.symbols)

    def worker(self, slot: int) -> int:
        """The pid of the gateway worker in a slot that has come up last."""
        return Heartbeat(self.slots[slot]).pid

    def epoch(self, slot: int) -> int:
        """How many workers the slot has had."""
        return Heartbeat(self.slots[slot]).epoch

    def counters(self, slot: int = 0) -> Counters:
        return Counters(self.slots[slot])

    def log(self, event: str) -> list[dict[str, Any]]:
        lines = self.said.read_text().splitlines()
        entries = [json.loads(each) for each in lines if each.startswith("{")]
        return [entry for entry in entries if entry["event"] == event]

    def restart(self) -> subprocess.Popen[str]:
        """`ticker restart`, under way."""
        command = [sys.executable, "-m", "ticker", "restart", "--instance", self.instance]
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def queue(self, pid: int) -> int:
        """Names the accept queue of a worker's listening socket: the socket's inode."""
        inodes = set()
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                kind, _, inode = str(link.readlink()).partition(":")
                inodes |= {int(inode[1:-1])} if kind == "socket" else set()
        (found,) = inodes & set(listening())
        return found


def until(condition: Callable[[], object], seconds: float) -> float:
    """Wait for a condition; how long it took."""
    begin = time.monotonic()
    while not condition():
        assert time.monotonic() - begin < seconds, "it did not happen in time"
        time.sleep(0.005)
    return time.monotonic() - begin

"""The server of a load test in processes of its own: its feed, its table, its workers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ticker.bench.symbols import symbol_names
from ticker.shm import segment
from ticker.shm.counters import Counters, Heartbeat
from ticker.shm.header import KIND_FEED, KIND_GATEWAY
from ticker.shm.table import PriceTable

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

    def waiting(self, pid: int) -> int:
        """Connections in the accept queue of the listening socket that a worker has."""
        links = [str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()]
        inodes = {link[8:-1] for link in links if link.startswith("socket:[")}
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                return int(fields[4].partition(":")[2], 16)
        raise AssertionError(f"worker {pid} has no listening socket")


def until(condition: Callable[[], object], seconds: float) -> float:
    """Wait for a condition; how long it took."""
    begin = time.monotonic()
    while not condition():
        assert time.monotonic() - begin < seconds, "it did not happen in time"
        time.sleep(0.005)
    return time.monotonic() - begin

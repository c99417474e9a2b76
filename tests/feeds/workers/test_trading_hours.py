"""A running server decides by the calendar of its venue what is of extended hours.

The server's clock shows the afternoon of a day on which the exchange closes at 13:00. So only the
timetable can tell a trade of 12:00 from one of 13:30.
"""

from __future__ import annotations

import itertools
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.feeds.mold_feed import packet
from tests.feeds.worker_process import wait_for
from tests.stepped_clock import SteppedClock
from ticker.bench.rig.ports import free_port
from ticker.units import parse_timestamp

CONFIG = """
[server]
instance = "hours-{pid}"
port = 0
gateways = 1

[[feeds]]
name = "itch"
protocol = "itch50"
venue = "XNAS"
lines = ["127.0.0.1:{port}"]
rows = 64
"""
NOW = "2026-11-27T19:00:00Z"
"""14:00 in New York, on the day after Thanksgiving."""
MINUTE = 60 * 10**9
HOUR = 60 * MINUTE
DOLLAR = 10_000


@contextmanager
def served(folder: Path, clock: SteppedClock, port: int) -> Iterator[str]:
    config = folder / "ticker.toml"
    config.write_text(CONFIG.format(pid=os.getpid(), port=port))
    with (folder / "serve.log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "ticker", "serve", "--config", str(config)],
            stdout=subprocess.PIPE, stderr=log, env={**os.environ, **clock.environ},
        )  # fmt: skip
        try:
            assert server.stdout is not None
            yield server.stdout.readline().decode().split()[1].rstrip("/")
        finally:
            server.terminate()
            server.wait(20)
            if server.stdout:
                server.stdout.close()


class Exchange:
    """Trades of one stock, at times of day in New York; each has a number of its own."""

    def __init__(self, itch: Any, port: int) -> None:
        self.itch = itch
        self.port = port
        self.out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sequence = 1
        self.numbers = itertools.count(1)
        self._send(itch.directory(1, "AAPL"))

    def trade(self, dollars: int, at: int, size: int = 100) -> None:
        self._send(self.itch.trade(1, size, dollars * DOLLAR, next(self.numbers), time=at))

    def _send(self, message: bytes) -> None:
        self.out.sendto(packet(self.sequence, message), ("127.0.0.1", self.port))
        self.sequence += 1


def shown(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{url}/prices/AAPL") as answer:
        found: dict[str, Any] = json.load(answer)
        return found


@pytest.mark.slow
def test_hours_of_the_calendar(tmp_path: Path, itch: Any) -> None:
    clock = SteppedClock(tmp_path)
    clock.step(parse_timestamp(NOW) / 1e9 - time.time())
    port = free_port()
    with served(tmp_path, clock, port) as url:
        exchange = Exchange(itch, port)

        def is_extended() -> bool:
            """Until the timetable is computed and read, nothing is."""
            exchange.trade(20, 9 * HOUR)
            try:
                return shown(url)["extended_price"] is not None
            except urllib.error.HTTPError:
                return False

        wait_for(is_extended)
        exchange.trade(21, 12 * HOUR)
        wait_for(lambda: shown(url)["price"] == 21)
        exchange.trade(22, 13 * HOUR + 30 * MINUTE)
        wait_for(lambda: shown(url)["extended_price"] == 22)
        exchange.trade(23, 12 * HOUR + 30 * MINUTE, size=99)
        exchange.trade(24, 13 * HOUR - 1)
        wait_for(lambda: shown(url)["price"] == 24)
        row = shown(url)
        assert (row["extended_price"], row["high"]) == (22, 24)
        assert row["exchange_timestamp"].startswith("2026-11-27T17:59:59.999999")
        exchange.out.close()

"""A start with many symbols: the time until REST serves their last prices.

A snapshot of so many symbols is written, as a killed server leaves it. Then `ticker serve` is
started, again and again, with a feed that nobody serves. The clock runs from before the process is
made until REST has answered with the prices of the first and the last symbol.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from ticker.bench.rig.ports import free_port
from ticker.errors import BenchError
from ticker.shm.segment import Geometry, leftovers, private_feed, remove
from ticker.shm.table import TableWriter
from ticker.store.last import FeedSnapshots

FEED = "desk"
PATIENCE = 30.0
"""s for a start."""
CONFIG = """
[server]
instance = "{instance}"
port = {port}
log = "json"

[store]
folder = "{folder}"

[[feeds]]
name = "desk"
protocol = "json"
mapping = "plain"
calendar = "none"
venue = "XNAS"
url = "tcp://127.0.0.1:1"
rows = {symbols}
"""


def run(symbols: int, starts: int) -> dict[str, Any]:
    """So many starts, one after another.

    Raises:
        BenchError: a server did not start, or has other prices than the snapshot.
    """
    instance = f"bench-{os.getpid()}"
    found = []
    with tempfile.TemporaryDirectory(prefix="ticker-bench-") as name:
        folder = Path(name)
        write_snapshot(folder / "kept", symbols)
        for _ in range(starts):
            found.append(_start(folder, instance, symbols))
            for left in leftovers(instance):  # so that the next one reads the disk
                remove(left)
    seconds = [took for took, _ in found]
    return {
        "symbols": symbols,
        "start_ms": round(1000 * statistics.median(seconds), 1),
        "start_best_ms": round(1000 * min(seconds), 1),
        "start_worst_ms": round(1000 * max(seconds), 1),
        "start_cpu_ms": round(1000 * statistics.median(cpu for _, cpu in found), 1),
        "void": None,
    }


def write_snapshot(folder: Path, symbols: int, feed: str = FEED) -> int:
    """The snapshot that a server of so many symbols on one feed leaves: S0, S1 and so on, each with
    `seq` and price (cents) of its number from 1 on; its bytes."""
    now = time.time_ns()
    mapping = private_feed(Geometry(symbols, 1, 16), 1, now)
    table = TableWriter(mapping)
    for row in range(symbols):
        table.add(f"S{row}", "XNAS")
        table.put(
            row, price=(row + 1) * 10_000_000, exchange_time=now, publish_time=now, seq=row + 1
        )
    return FeedSnapshots(mapping, folder, feed).take(now)


def _start(folder: Path, instance: str, symbols: int) -> tuple[float, float]:
    """s by the clock until the prices are there, and s of a core of all processes until the end."""
    config = folder / "ticker.toml"
    port = free_port()
    kept = folder / "kept"
    config.write_text(CONFIG.format(instance=instance, port=port, symbols=symbols, folder=kept))
    before = _cpu_of_children()
    began = time.monotonic()
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "ticker", "serve", "--config", str(config)],
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
    try:
        _await_prices(server, port, symbols)
        took = time.monotonic() - began
    finally:
        server.terminate()
        server.wait(PATIENCE)
    return took, _cpu_of_children() - before


def _await_prices(server: subprocess.Popen[bytes], port: int, symbols: int) -> None:
    url = f"http://127.0.0.1:{port}/prices?symbols=S0,S{symbols - 1}"
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and server.poll() is None:
        try:
            with urlopen(url, timeout=PATIENCE) as answer:
                prices = json.load(answer)["prices"]
        except (URLError, ConnectionError):
            time.sleep(0.002)
            continue
        if [each["seq"] for each in prices] != [1, symbols]:
            raise BenchError(f"{url}: other prices than those of the snapshot: {prices}")
        return
    raise BenchError("the server did not start; `ticker serve` in a terminal says why")


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime

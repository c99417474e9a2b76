"""A server with many symbols is back with their last prices soon after its start."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.store.test_restart import CONFIG, running
from ticker.shm.segment import Geometry, private_feed
from ticker.shm.table import TableWriter
from ticker.store.last import FeedSnapshots

FEW = 5_000
MANY = 50_000
SOON = 1.0
"""s from the supervisor's own start until REST answers, beside those that imports take."""


def keep(folder: Path, symbols: int) -> None:
    """The snapshot that a server of so many symbols leaves."""
    now = time.time_ns()
    mapping = private_feed(Geometry(symbols, 1, 16), 1, now)
    table = TableWriter(mapping)
    for row in range(symbols):
        table.add(f"S{row}", "XNAS")
        table.put(
            row, price=(row + 1) * 10_000_000, exchange_time=now, publish_time=now, seq=row + 1
        )
    assert FeedSnapshots(mapping, folder, "desk").take(now) > 0


def start_of(pid: int) -> float:
    """When a process was started, s since the boot."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return int(fields[19]) / os.sysconf("SC_CLK_TCK")


def back(tmp_path: Path, symbols: int) -> float:
    """s from the supervisor's process to the first prices, the last symbol among them."""
    instance = f"many-{os.getpid()}"
    keep(Path(os.environ["XDG_STATE_HOME"]) / "ticker" / instance, symbols)
    config = tmp_path / "ticker.toml"
    text = CONFIG.format(instance=instance, port=1, store="")
    config.write_text(text.replace("rows = 64", f"rows = {symbols}"))
    with running(tmp_path, config) as server:
        status, found = server.get(f"/prices?symbols=S0,S{symbols - 1}")
        took = time.clock_gettime(time.CLOCK_BOOTTIME) - start_of(server.process.pid)
        assert status == 200
        assert [(price["seq"], price["stale"]) for price in found["prices"]] == [
            (1, True),
            (symbols, True),
        ]
        (line,) = server.lines("last prices restored")
        assert (line["rows"], line["damaged"]) == (symbols, 0)
    return took


@pytest.mark.slow
def test_all_of_a_few_thousand_symbols_are_back(tmp_path: Path) -> None:
    back(tmp_path, FEW)


@pytest.mark.stress
def test_50_000_symbols_are_back_within_a_second_beside_the_imports(tmp_path: Path) -> None:
    """An interpreter that imports the same modules says how fast the machine is now."""
    modules = "import ticker.cli.serve, ticker.supervisor.serve, ticker.store.worker"
    started = time.monotonic()
    subprocess.run([sys.executable, "-c", modules], check=True)
    importing = time.monotonic() - started
    took = back(tmp_path, MANY)
    print(f"{MANY} symbols are back after {took:.2f} s; imports alone take {importing:.2f} s")
    assert took - importing < SOON

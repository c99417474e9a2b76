"""A server with many symbols is back with their last prices soon after its start."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.store.test_restart import CONFIG, running
from ticker.bench.disk.start import write_snapshot

FEW = 5_000
MANY = 50_000
SOON = 1.0
"""s from the supervisor's start until REST answers."""


def start_of(pid: int) -> float:
    """When a process was started, s since the boot."""
    return int(stat_of(pid)[19]) / os.sysconf("SC_CLK_TCK")


def cpu_of(pid: int) -> float:
    """s of a core that a process has used."""
    fields = stat_of(pid)
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def stat_of(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()


def back(tmp_path: Path, symbols: int) -> tuple[float, float]:
    """From the start of the supervisor's process to the first prices, the last symbol among them:
    s by the clock, and s of a core in the supervisor and the gateway."""
    instance = f"many-{os.getpid()}"
    folder = Path(os.environ["XDG_STATE_HOME"]) / "ticker" / instance
    assert write_snapshot(folder, symbols, "desk") > 0
    config = tmp_path / "ticker.toml"
    text = CONFIG.format(instance=instance, port=1, store="")
    config.write_text(text.replace("rows = 64", f"rows = {symbols}"))
    with running(tmp_path, config) as server:
        status, found = server.get(f"/prices?symbols=S0,S{symbols - 1}")
        took = time.clock_gettime(time.CLOCK_BOOTTIME) - start_of(server.process.pid)
        (gateway,) = (each["pid"] for each in server.lines("started") if "way" in each["worker"])
        used = cpu_of(server.process.pid) + cpu_of(gateway)
        assert status == 200
        assert [(price["seq"], price["stale"]) for price in found["prices"]] == [
            (1, True),
            (symbols, True),
        ]
        (line,) = server.lines("last prices restored")
        assert (line["rows"], line["damaged"]) == (symbols, 0)
    print(f"{symbols} symbols are back after {took:.2f} s, of which {used:.2f} s on a core")
    return took, used


@pytest.mark.slow
def test_all_of_a_few_thousand_symbols_are_back(tmp_path: Path) -> None:
    _, used = back(tmp_path, FEW)
    assert used < SOON


@pytest.mark.stress
def test_50_000_symbols_are_back_within_a_second(tmp_path: Path) -> None:
    """On a machine with other work, where the clock says little, the time on a core says it."""
    took, used = min(back(tmp_path, MANY) for _ in range(3))
    assert used < SOON
    if os.getloadavg()[0] < 0.5:
        assert took < SOON

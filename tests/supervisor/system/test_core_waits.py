"""How long a process waited for a core: by the kernel's count, and while it waits."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.supervised import until
from ticker.supervisor.system.core_waits import CoreWaits

S = 1_000_000_000


class Kernel:
    """The kernel's figures of process 7, as files."""

    def __init__(self, folder: Path) -> None:
        (folder / "7").mkdir()
        self.folder = folder
        self.waits = CoreWaits(folder)

    def says(self, ran: float, waited: float, state: str) -> None:
        (self.folder / "7" / "schedstat").write_text(f"{int(ran * S)} {int(waited * S)} 3\n")
        (self.folder / "7" / "stat").write_text(f"7 (a R ) name) {state} 1 7 7 0\n")


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    return Kernel(tmp_path)


def test_a_wait_that_goes_on_counts(kernel: Kernel) -> None:
    kernel.says(1.0, 0.5, "R")
    assert kernel.waits.waited(7, 100.0) == 0.5
    assert kernel.waits.waited(7, 102.0) == 2.5
    kernel.says(1.1, 3.0, "R")
    assert kernel.waits.waited(7, 102.5) == 3.0


def test_a_process_that_runs_sleeps_or_is_stopped_waits_for_no_core(kernel: Kernel) -> None:
    for state in "STD":
        kernel.says(1.0, 0.5, state)
        assert [kernel.waits.waited(7, at) for at in (100.0, 104.0)] == [0.5, 0.5]
    for ran in range(2, 6):
        kernel.says(ran, 0.5, "R")
        assert kernel.waits.waited(7, 110.0 + ran) == 0.5


def test_where_the_kernel_does_not_count(kernel: Kernel) -> None:
    assert kernel.waits.waited(7, 100.0) == 0.0
    kernel.says(0.0, 0.0, "R")
    assert [kernel.waits.waited(7, at) for at in (100.0, 104.0)] == [0.0, 0.0]


def test_a_process_that_is_gone_is_forgotten(kernel: Kernel) -> None:
    kernel.says(1.0, 0.5, "R")
    kernel.waits.waited(7, 100.0)
    kernel.waits.keep({8})
    assert kernel.waits.waited(7, 109.0) == 0.5


@pytest.fixture
def start() -> Iterator[Callable[[str], int]]:
    running: list[subprocess.Popen[bytes]] = []

    def start(program: str) -> int:
        running.append(subprocess.Popen([sys.executable, "-S", "-c", program]))
        return running[-1].pid

    yield start
    for each in running:
        each.kill()
        each.wait()


@pytest.mark.slow
def test_real_processes(start: Callable[[str], int]) -> None:
    """One that spins and has a core now and then, and one that is stopped."""
    spins = start("while True: pass")
    stopped = start("import time; time.sleep(60)")
    os.kill(stopped, signal.SIGSTOP)
    waits = CoreWaits()
    began = time.monotonic()
    first = [waits.waited(pid, began) for pid in (spins, stopped)]
    until(lambda: int(Path(f"/proc/{spins}/schedstat").read_text().split()[0]) > S // 5)
    now = time.monotonic()
    last = [waits.waited(pid, now) for pid in (spins, stopped)]
    assert last[1] - first[1] < 0.1
    assert 0.0 <= last[0] - first[0] <= now - began

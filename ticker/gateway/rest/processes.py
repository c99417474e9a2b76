"""process_* metrics of every worker and the supervisor, by the names that Prometheus clients use.

In: /proc of the processes whose pids the segments say. Out: metric families, each with the worker
as its label; a process that has just ended is left out.
Source: proc_pid_stat(5); Prometheus, "Writing client libraries", section "Process metrics".
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
FAMILIES = {
    "resident_memory_bytes": "Resident memory, shared segments included.",
    "virtual_memory_bytes": "Virtual memory.",
    "open_fds": "Open file descriptors.",
    "max_fds": "File descriptors that it may open.",
    "threads": "Threads.",
    "start_time_seconds": "When it started, since the epoch.",
}


class Sample(NamedTuple):
    """One process at one moment: seconds, bytes and counts."""

    cpu: float
    values: dict[str, float]


def process_metrics(pids: Mapping[str, int], proc: Path = PROC) -> Iterator[Metric]:
    """The families, over the processes `pids` by their workers' names."""
    cpu = CounterMetricFamily(
        "process_cpu_seconds", "CPU time of the worker, user and system.", labels=("worker",)
    )
    families = {
        name: GaugeMetricFamily(f"process_{name}", text, labels=("worker",))
        for name, text in FAMILIES.items()
    }
    boot = _boot_time(proc)
    for worker, pid in pids.items():
        sample = _sample(proc / str(pid), boot)
        if sample is None:
            continue
        cpu.add_metric((worker,), sample.cpu)
        for name, value in sample.values.items():
            families[name].add_metric((worker,), value)
    yield cpu
    yield from families.values()


def _sample(folder: Path, boot: float) -> Sample | None:
    try:
        fields = _fields(folder)
        limits = (folder / "limits").read_text()
        values = {
            "threads": float(fields[17]),
            "start_time_seconds": boot + int(fields[19]) / TICKS,
            "virtual_memory_bytes": float(fields[20]),
            "resident_memory_bytes": float(int(fields[21]) * PAGE),
            "open_fds": float(sum(1 for _ in (folder / "fd").iterdir())),
            "max_fds": _most_files(limits),
        }
        return Sample((int(fields[11]) + int(fields[12])) / TICKS, values)
    except (OSError, IndexError, ValueError):
        return None


def _fields(folder: Path) -> list[str]:
    """Of /proc/PID/stat, from the state on: behind the name, which may have anything in it."""
    return (folder / "stat").read_text().rpartition(") ")[2].split()


def _most_files(limits: str) -> float:
    (line,) = (each for each in limits.splitlines() if each.startswith("Max open files"))
    soft = line.split()[3]
    return float("inf") if soft == "unlimited" else float(soft)


def _boot_time(proc: Path) -> float:
    """s since the epoch at which the machine started."""
    for line in (proc / "stat").read_text().splitlines():
        if line.startswith("btime "):
            return float(line.split()[1])
    return 0.0

"""The machine of a measurement, and the CPU time of a process and of a core."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import time
from pathlib import Path
from typing import Any

from ticker import __version__

CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
"""Per second of `busy_ticks` and of /proc/PID/stat."""

_ABOVE = Path(__file__).resolve().parents
TREE = next((up for up in _ABOVE if (up / "bench" / "ratios.json").is_file()), None)
"""The source tree, also of a build inside it (build/debug/lib); None: installed from a wheel."""
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ticker"
KEPT = (TREE / "build" if TREE else CACHE) / "bench"
"""The folder for files that take long to make."""


def describe() -> dict[str, Any]:
    """CPU model, cores, memory, kernel."""
    return {
        "cpu": _field("/proc/cpuinfo", "model name"),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(int(_field("/proc/meminfo", "MemTotal").split()[0]) / 1e6, 1),
        "kernel": platform.release(),
    }


def versions() -> dict[str, str]:
    """The versions of ticker with its commit, Python and the packages."""
    found = {"ticker": __version__, "python": platform.python_version()}
    for package in ("uvloop", "aiohttp"):
        found[package] = importlib.metadata.version(package)
    commit = _output("git", "-C", str(TREE), "rev-parse", "--short", "HEAD") if TREE else ""
    if commit:
        found["commit"] = commit
    compiler = _output("cc", "--version")
    if compiler:
        found["cc"] = compiler.splitlines()[0]
    return found


def cpu_ns(pid: int) -> int:
    """CPU time of a whole process in ns: its CLOCK_PROCESS_CPUTIME_ID, read from outside
    (clock_getcpuclockid(3); Linux puts the pid's complement above three bits, 2 = CPUCLOCK_SCHED).
    """
    return time.clock_gettime_ns((~pid << 3) | 2)


def all_cpu_seconds() -> float:
    """CPU time of every process on the machine, with that of its children that have ended.

    Not from /proc/stat: where the kernel counts by its own timer (no VIRT_CPU_ACCOUNTING), that
    sees a process that works after each of its own timer's beats always or never.
    """
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended
        ticks += sum(map(int, fields[11:15]))  # utime, stime, cutime, cstime: proc_pid_stat(5)
    return ticks / CLOCK_TICKS


def busy_ticks(core: int) -> int:
    """Clock ticks (see SC_CLK_TCK) that a core was not idle, since boot."""
    for line in Path("/proc/stat").read_text().splitlines():
        name, *fields = line.split()
        if name == f"cpu{core}":
            ticks = [int(field) for field in fields[:8]]
            return sum(ticks) - ticks[3] - ticks[4]
    raise ValueError(f"core {core}: not in /proc/stat")


def memory_kb(pid: int) -> dict[str, int]:
    """Rss, Pss and private (Uss) kB of a process."""
    found = {"rss": 0, "pss": 0, "private": 0}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, value = line.split(":")
        kilobytes = int(value.split()[0])
        if name in ("Rss", "Pss"):
            found[name.lower()] = kilobytes
        elif name in ("Private_Clean", "Private_Dirty", "Private_Hugetlb"):
            found["private"] += kilobytes
    return found


def kernel_kb() -> int:
    """kB that the whole system's kernel holds: its slabs (sockets, files, buffers' heads) and the
    pages of TCP buffers (proc(5), /proc/net/sockstat "mem")."""
    slab = int(_field("/proc/meminfo", "Slab").split()[0])
    for line in Path("/proc/net/sockstat").read_text().splitlines():
        if line.startswith("TCP:"):
            fields = line.split()
            pages = int(fields[fields.index("mem") + 1])
            return slab + pages * os.sysconf("SC_PAGE_SIZE") // 1024
    raise ValueError("/proc/net/sockstat: no TCP")


def _field(path: str, name: str) -> str:
    for line in Path(path).read_text().splitlines():
        key, colon, value = line.partition(":")
        if colon and key.strip() == name:
            return value.strip()
    return "unknown"


def _output(*argv: str) -> str:
    try:
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""

"""How long processes were ready to run and had no core.

A worker that gets no core gives no sign of life either, and must not be taken for one that hangs.
The kernel counts a wait only once it is over, so the present one is added here: the process is
ready to run (state R), and has not run since an earlier look.
Source: proc_pid_stat(5); /proc/PID/schedstat in Documentation/scheduler/sched-stats.rst of Linux.
"""

from __future__ import annotations

from pathlib import Path

NS = 1_000_000_000


class CoreWaits:
    """The waits of several processes. `folder` is that of the kernel's figures."""

    def __init__(self, folder: Path = Path("/proc")) -> None:
        self._folder = folder
        self._ran: dict[int, tuple[int, float]] = {}  # by pid: ns that it ran, and when that grew

    def keep(self, pids: set[int]) -> None:
        """Forget all other processes."""
        self._ran = {pid: ran for pid, ran in self._ran.items() if pid in pids}

    def waited(self, pid: int, now: float) -> float:
        """Seconds since the start of the process in which it waited for a core, as of `now`
        (monotonic s); 0 if the kernel does not say."""
        try:
            ran, waited = map(int, self._read(pid, "schedstat").split()[:2])
            queued = self._read(pid, "stat").rpartition(b")")[2].split()[0] == b"R"
        except (OSError, IndexError, ValueError):
            return 0.0
        before, since = self._ran.get(pid, (-1, now))
        if ran != before:
            self._ran[pid] = (ran, now)
            since = now
        return waited / NS + (now - since if queued and ran else 0.0)

    def _read(self, pid: int, name: str) -> bytes:
        return (self._folder / str(pid) / name).read_bytes()

"""A running server, found from outside by its instance name."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ticker.errors import NoServerError
from ticker.shm.counters import Heartbeat
from ticker.shm.header import KIND_GATEWAY, Mapping
from ticker.shm.segment import SHM_FOLDER, attach, gateway_name


@dataclass(frozen=True)
class Running:
    """A server that runs: its supervisor, and its gateways' segments."""

    supervisor: int
    gateways: tuple[Mapping, ...]

    def workers(self) -> set[int]:
        """The pids of its gateway workers now; a killed worker is left out."""
        pids = {Heartbeat(each).pid for each in self.gateways}
        return {pid for pid in pids if _parent(pid) == self.supervisor}


def find(instance: str) -> Running:
    """The server of that instance name.

    Raises:
        NoServerError: none runs.
        SegmentError: it is another user's.
    """
    gateways: list[Mapping] = []
    while (SHM_FOLDER / gateway_name(instance, len(gateways)).lstrip("/")).exists():
        gateways.append(attach(gateway_name(instance, len(gateways)), KIND_GATEWAY))
    for mapping in gateways:
        parent = _parent(Heartbeat(mapping).pid)
        # a worker's parent is its supervisor, and dies no later than it
        if parent > 1:
            return Running(parent, tuple(gateways))
    raise NoServerError(
        f"no server runs as instance {instance!r}; name another by --config or --instance"
    )


def _parent(pid: int) -> int:
    """The parent of a gateway worker of ours; 0 when there is no such process."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    own = found.get("Uid", "").split()[:1] == [str(os.geteuid())]
    return int(found["PPid"]) if pid and own else 0

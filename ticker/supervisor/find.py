"""A running server, found from outside by its instance name."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ticker.errors import ConfigError, NoServerError, SegmentError
from ticker.shm.counters import Heartbeat
from ticker.shm.header import KIND_FEED, KIND_GATEWAY, Mapping
from ticker.shm.segment import SHM_FOLDER, attach, feed_name, gateway_name
from ticker.supervisor.names import listener


@dataclass(frozen=True)
class Running:
    """A server that runs: its supervisor, and its gateways' segments."""

    supervisor: int
    gateways: tuple[Mapping, ...]

    def workers(self) -> set[int]:
        """The pids of its gateway workers now; a killed worker is left out."""
        pids = {Heartbeat(each).pid for each in self.gateways}
        return {pid for pid in pids if _parent(pid) == self.supervisor}


def find(instance: str, *, without_memory: bool = False) -> Running:
    """The server of that instance name. `without_memory`: its gateways need not be found.

    Raises:
        NoServerError: none runs.
        SegmentError: it is another user's, or its shared memory was deleted.
    """
    supervisor = check_runs(instance)
    gateways: list[Mapping] = []
    while (SHM_FOLDER / gateway_name(instance, len(gateways)).lstrip("/")).exists():
        gateways.append(attach(gateway_name(instance, len(gateways)), KIND_GATEWAY))
    parents = (_parent(Heartbeat(mapping).pid) for mapping in gateways)
    # a worker's parent is its supervisor, and dies no later than it
    supervisor = supervisor or next((parent for parent in parents if parent > 1), 0)
    if not supervisor:
        raise _none(instance)
    if not gateways and not without_memory:
        raise SegmentError(
            f"instance {instance!r} runs and serves, but its shared memory was deleted, as by "
            "RemoveIPC=yes at a logout (logind.conf); this command needs it: restart the server"
        )
    return Running(supervisor, tuple(gateways))


def check_runs(instance: str) -> int:
    """The pid of the supervisor of a server that runs; 0: it runs, and the pid is not told now.

    The segments of a server that was killed may still be there: nobody writes to them.

    Raises:
        NoServerError: none runs.
    """
    found = listener(instance)
    if found is None:
        raise _none(instance)
    return found[0]


def _none(instance: str) -> NoServerError:
    return NoServerError(
        f"no server runs as instance {instance!r}; start it by `ticker serve`, or name another"
        " by --config or --instance"
    )


def attached_feeds(
    path: Path | None, feeds: Sequence[str], instance: str | None
) -> dict[str, Mapping]:
    """The segments of feeds of a server that runs, by name.

    Args:
        path: of the server's configuration; None: the shipped one.
        feeds: only these; empty: all.
        instance: the server's name, instead of the configured one.

    Raises:
        ConfigError: the configuration is wrong, or has no such feed.
        NoServerError: no server of this name runs.
        SegmentError: it has no such feed, or is another user's.
    """
    from ticker.supervisor.configuration import load  # not for those who name the instance

    config = load(path)
    known = [feed.name for feed in config.feeds]
    for name in feeds:
        if name not in known:
            raise ConfigError(f"--feed {name}: no such feed; known: {', '.join(known) or 'none'}")
    return attach_feeds(instance or config.server.instance, feeds or known)


def attach_feeds(instance: str, feeds: Sequence[str]) -> dict[str, Mapping]:
    """The segments of feeds of a server that runs, by name.

    Raises:
        NoServerError: no server of this name runs.
        SegmentError: it has no such feed, or is another user's.
    """
    check_runs(instance)
    for name in feeds:
        if not (SHM_FOLDER / feed_name(instance, name).lstrip("/")).exists():
            raise SegmentError(
                f"instance {instance!r} runs, and has no feed {name!r} in shared memory; see "
                "whether this is its configuration (--config), reload it, or restart the server"
            )
    return {name: attach(feed_name(instance, name), KIND_FEED) for name in feeds}


def _parent(pid: int) -> int:
    """The parent of a gateway worker of ours; 0 when there is no such process."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    own = found.get("Uid", "").split()[:1] == [str(os.geteuid())]
    return int(found["PPid"]) if pid and own else 0

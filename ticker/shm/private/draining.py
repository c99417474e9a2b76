"""The wish that a server takes no new clients: a file that `ticker drain` writes.

Law: the file is replaced as a whole, and only a file of this user is believed. Gateways read it a
few times a second, so also a worker that was started meanwhile has it. The wish is for one run of
the server, which its boot id names.

    /dev/shm/ticker.<instance>.private/drain    JSON, a Drain
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from ticker.shm.segment import private_folder, put_private

NS = 1_000_000_000


class Drain(msgspec.Struct, frozen=True, kw_only=True):
    """One wish.

    Attributes:
        boot: of the run of the server that it is for.
        since_ns: when it was written, wall clock.
        notice: s from then, in which the server is not ready, and still takes clients.
        spread: s from then on, over which the clients are told to go.
    """

    boot: int
    since_ns: int
    notice: float = 0.0
    spread: float = 0.0

    def left(self, now_ns: int) -> tuple[float, float]:
        """s of notice, and of the spread behind it, that are left; a clock that was set changes
        neither to more than the whole."""
        passed = max(0.0, (now_ns - self.since_ns) / NS)
        notice = max(0.0, self.notice - passed)
        return notice, max(0.0, min(self.spread, self.notice + self.spread - passed))


def write_drain(instance: str, drain: Drain | None) -> None:
    """Let the gateways of an instance drain; None: no more.

    Raises:
        SegmentError: something that is not ours has the name of the folder.
        OSError: the file cannot be written.
    """
    if drain is None:
        _path(instance).unlink(missing_ok=True)
    else:
        put_private(_path(instance), msgspec.json.encode(drain))


def read_drain(instance: str, boot: int) -> Drain | None:
    """The wish for this run of the server, if there is one."""
    try:
        with _path(instance).open("rb") as file:
            if os.fstat(file.fileno()).st_uid != os.geteuid():
                return None
            found = msgspec.json.decode(file.read(), type=Drain)
    except (OSError, msgspec.DecodeError):
        return None
    return found if found.boot == boot else None


def _path(instance: str) -> Path:
    return private_folder(instance) / "drain"

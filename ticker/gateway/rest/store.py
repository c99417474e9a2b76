"""The states of the store and the recorder, from their segments: whether the disk works."""

from __future__ import annotations

import errno
from dataclasses import dataclass

from ticker.shm.counters import Counters, Heartbeat
from ticker.shm.header import Mapping

NS = 1_000_000_000
FAULTS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the quota is used up",
    errno.EROFS: "it is read-only",
    errno.EACCES: "it is another user's",
    errno.ETIMEDOUT: "the disk is slow",
    errno.EBUSY: "another program holds the file",
    errno.EUCLEAN: "a file is damaged",
    errno.EPROTONOSUPPORT: "a newer version of ticker wrote it",
    errno.ECONNREFUSED: "the database server cannot be reached",
    errno.EKEYREJECTED: "the database server refuses the user or the password",
    errno.ENODEV: "there is no such database or schema",
    errno.EPERM: "the database user lacks a right",
    errno.EALREADY: "another server writes to the database",
    errno.ETIME: "the database is slow",
    errno.EPROTO: "the database refuses a statement",
}
"""Faults of the disk, and of a database, in words."""


@dataclass(frozen=True)
class StoreReport:
    """The store at one moment; its age is in seconds.

    `state` is off, starting, ok, or failing. When failing, a file or the database cannot be
    written now, and `reason` has the error. Prices are served in every state. `waiting` days and
    bars are not written yet; `dropped` ones waited too long. `database_bytes` is the size of the
    tables, where there is a database.
    """

    state: str
    reason: str | None = None
    snapshot_age: float | None = None
    snapshots: int = 0
    faults: int = 0
    waiting: int = 0
    dropped: int = 0
    disk_bytes: int = 0
    database_bytes: int = 0


def store_report(mapping: Mapping | None, now_ns: int) -> StoreReport:
    """The report of the segment, or of a server without a store."""
    if mapping is None:
        return StoreReport("off")
    counters = Counters(mapping).as_dict()
    written = counters["snapshot_time_ns"]
    state, reason = _state(mapping, counters, written)
    return StoreReport(
        state=state,
        reason=reason,
        snapshot_age=_age(written, now_ns),
        snapshots=counters["snapshots"],
        faults=counters["faults"],
        waiting=counters["waiting"],
        dropped=counters["dropped"],
        disk_bytes=counters["disk_bytes"],
        database_bytes=counters["database_bytes"],
    )


@dataclass(frozen=True)
class RecorderReport:
    """The recorder at one moment; its age is in seconds.

    `state` is off (nothing is recorded), starting, ok, or failing: events of a feed cannot be
    written now, and `reason` names the error. `lapped` records were overwritten before the recorder
    read them, and `dropped` events waited too long for the disk; `written_age` is since all that
    was gathered was on it.
    """

    state: str
    reason: str | None = None
    written_age: float | None = None
    events: int = 0
    lapped: int = 0
    dropped: int = 0
    faults: int = 0
    disk_bytes: int = 0


def recorder_report(mapping: Mapping | None, now_ns: int) -> RecorderReport:
    """The report of the segment, or of a server without a recorder."""
    if mapping is None:
        return RecorderReport("off")
    counters = Counters(mapping).as_dict()
    written = counters["written_time_ns"]
    state, reason = _state(mapping, counters, written)
    return RecorderReport(
        state=state,
        reason=reason,
        written_age=_age(written, now_ns),
        events=counters["events"],
        lapped=counters["lapped"],
        dropped=counters["dropped"],
        faults=counters["faults"],
        disk_bytes=counters["disk_bytes"],
    )


def _state(mapping: Mapping, counters: dict[str, int], written: int) -> tuple[str, str | None]:
    """Starting, ok or failing, and in the last case the reason."""
    if counters["failing"]:
        return "failing", _reason(counters["fault"])
    return "ok" if written and Heartbeat(mapping).pid else "starting", None


def _age(written: int, now_ns: int) -> float | None:
    return max(0, now_ns - written) / NS if written else None


def _reason(code: int) -> str:
    named = errno.errorcode.get(code, "a fault")
    said = f"{named}, {FAULTS[code]}" if code in FAULTS else named
    return f"{said}; the log of the server says what to do"

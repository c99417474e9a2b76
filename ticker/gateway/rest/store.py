"""The states of the store, the recorder and the mirror, from their segments: whether a disk, a
database or a Redis works."""

from __future__ import annotations

import errno
from dataclasses import asdict, dataclass
from typing import Any

from ticker.gateway.rest.status import Status
from ticker.shm.counters import Counters, Heartbeat
from ticker.shm.header import Mapping

NS = 1_000_000_000
SILENT = 2 * NS
"""ns without a sign of life after which a worker is hung; the supervisor waits a little longer."""
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
OF_REDIS = {
    errno.ECONNREFUSED: "the Redis cannot be reached",
    errno.ETIMEDOUT: "the Redis does not answer in time",
    errno.EACCES: "the Redis refuses the user or the password",
    errno.EPERM: "the user lacks a right in the Redis",
    errno.ENOMEM: "the Redis is out of memory",
    errno.EROFS: "the Redis is a replica",
    errno.EAGAIN: "the Redis loads its files",
    errno.EIO: "the Redis cannot write to its disk",
    errno.EREMOTE: "the Redis is a node of a Redis Cluster",
    errno.EPROTO: "the Redis refuses a command",
}
"""Faults of a Redis in words."""


@dataclass(frozen=True)
class StoreReport:
    """The store at one moment; its age is in seconds.

    `state` is off, starting, ok, hung, or failing. When hung, the worker gives no sign of life and
    is replaced. When failing, a file or the database cannot be written now, and `reason` has the
    error. Prices are served in every state. `waiting` days and
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
    state, reason = _state(mapping, counters, written, now_ns)
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

    `state` is off (nothing is recorded), starting, ok, hung (no sign of life), or failing: events
    of a feed cannot be written now, and `reason` names the error. `lapped` records were overwritten
    before the recorder read them, and `dropped` events waited too long for the disk; `written_age`
    is since all that was gathered was on it.
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
    state, reason = _state(mapping, counters, written, now_ns)
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


@dataclass(frozen=True)
class MirrorReport:
    """The mirror at one moment; its age is in seconds.

    `state` is off (there is no Redis), starting, ok, hung (no sign of life), or failing: the Redis
    does not take all that is due now, and `reason` says why. `keys` were written and have not
    expired. `written_age` is since the Redis had the newest price of every symbol. `renewals`
    counts how often all keys were written anew.
    """

    state: str
    reason: str | None = None
    written_age: float | None = None
    keys: int = 0
    writes: int = 0
    faults: int = 0
    renewals: int = 0


def mirror_report(mapping: Mapping | None, now_ns: int) -> MirrorReport:
    """The report of the segment, or of a server without a mirror."""
    if mapping is None:
        return MirrorReport("off")
    counters = Counters(mapping).as_dict()
    written = counters["written_time_ns"]
    state, reason = _state(mapping, counters, written, now_ns, OF_REDIS)
    return MirrorReport(
        state=state,
        reason=reason,
        written_age=_age(written, now_ns),
        keys=counters["keys"],
        writes=counters["writes"],
        faults=counters["faults"],
        renewals=counters["renewals"],
    )


def reports_beside(status: Status, now_ns: int) -> dict[str, dict[str, Any]]:
    """The reports of all three, as /status has them."""
    return {
        "store": asdict(store_report(status.store, now_ns)),
        "recorder": asdict(recorder_report(status.recorder, now_ns)),
        "mirror": asdict(mirror_report(status.mirror, now_ns)),
    }


def _state(
    mapping: Mapping,
    counters: dict[str, int],
    written: int,
    now_ns: int,
    faults: dict[int, str] = FAULTS,
) -> tuple[str, str | None]:
    """Starting, ok, hung or failing, and in the last two cases the reason."""
    heartbeat = Heartbeat(mapping)
    if heartbeat.pid and heartbeat.time_ns and now_ns - heartbeat.time_ns > SILENT:
        return "hung", "its worker gives no sign of life; the supervisor replaces it"
    if counters["failing"]:
        return "failing", _reason(counters["fault"], faults)
    return "ok" if written and heartbeat.pid else "starting", None


def _age(written: int, now_ns: int) -> float | None:
    return max(0, now_ns - written) / NS if written else None


def _reason(code: int, faults: dict[int, str]) -> str:
    named = errno.errorcode.get(code, "a fault")
    said = f"{named}, {faults[code]}" if code in faults else named
    return f"{said}; the log of the server says what to do"

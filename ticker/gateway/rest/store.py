"""What the store worker's segment says: whether last prices reach the disk."""

from __future__ import annotations

import errno
from dataclasses import dataclass

from ticker.shm.counters import Counters, Heartbeat
from ticker.shm.header import Mapping

NS = 1_000_000_000


@dataclass(frozen=True)
class StoreReport:
    """The store at one moment; its age is in seconds.

    `state` is off (nothing is kept), starting, ok, or failing: something cannot be written now,
    and `reason` names the error. Prices are served in every state.
    """

    state: str
    reason: str | None = None
    snapshot_age: float | None = None
    snapshots: int = 0
    faults: int = 0
    disk_bytes: int = 0


def store_report(mapping: Mapping | None, now_ns: int) -> StoreReport:
    """The report of the segment, or of a server without a store."""
    if mapping is None:
        return StoreReport("off")
    counters = Counters(mapping).as_dict()
    written = counters["snapshot_time_ns"]
    failing = counters["failing"] > 0
    state = "ok" if written and Heartbeat(mapping).pid else "starting"
    code = counters["fault"]
    named = errno.errorcode.get(code, "a fault")
    reason = f"{named}; the log of the server says what to do"
    return StoreReport(
        state="failing" if failing else state,
        reason=reason if failing else None,
        snapshot_age=max(0, now_ns - written) / NS if written else None,
        snapshots=counters["snapshots"],
        faults=counters["faults"],
        disk_bytes=counters["disk_bytes"],
    )

"""The ledgers of missed sequence numbers of all feeds (shm/gaps.pyx)."""

from __future__ import annotations

from typing import Any

from ticker.gateway.rest.status import Status
from ticker.shm.counters import Counters
from ticker.shm.gaps import GapReader

MOST_GAPS = 1000
USUAL_GAPS = 100


def gaps_report(status: Status, feed: str | None, limit: int) -> dict[str, Any]:
    """The newest `limit` gaps of each feed, oldest first, with the sums of all, and what the
    clients of all gateways did not get one by one since the start. `feed`: of this one alone."""
    gateways = [mapping for _, mapping in status.gateways]
    reports = []
    for name, mapping in status.feeds:
        if feed in (None, name):
            reader = GapReader(mapping)
            sums = reader.sums()
            reports.append(
                {
                    "name": name,
                    "gaps": sums.number,
                    **sums.sums(),
                    "last": [gap.as_json() for gap in reader.last(limit, gateways)],
                }
            )
    counted = [Counters(mapping) for mapping in gateways]
    clients = {
        said: sum(counters[name] for counters in counted)
        for said, name in (
            ("conflated", "conflated"),
            ("lagged", "lagged"),
            ("lapped", "records_skipped"),
        )
    }
    return {"feeds": reports, "clients": clients}

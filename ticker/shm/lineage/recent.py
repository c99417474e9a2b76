"""The newest trades of a symbol over all feeds, as the rings still have them, and what became of
each: it stands, a venue corrected it, or a venue took it back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ticker.shm.header import Mapping
from ticker.shm.layout import RecordKind
from ticker.shm.lineage.sale_conditions import conditions_of, counts_for
from ticker.shm.lineage.trail import rows_of, trail_with_changes
from ticker.shm.table import PriceTable

LOOKED_AT = 1 << 18
"""Newest records of a ring, among which trades are looked for: some milliseconds."""


def recent_trades(
    feeds: Iterable[tuple[str, Mapping]], symbol: str, limit: int, venue: str | None = None
) -> list[dict[str, Any]]:
    """Up to `limit` trades of a symbol, those first that the server took in last; of one venue, if
    it is named.

    Each has price, size (10^-size_exponent units), trade_id, new_trade_id (0: none), conditions and
    counts_for as they are now, `state` (valid, corrected, cancelled), the original price and size
    of a corrected one (else None), exchange_time, publish_time and changed_time (ns, 0: none), and
    its feed and venue.
    """
    found: list[dict[str, Any]] = []
    for feed, mapping in feeds:
        table = PriceTable(mapping)
        for row in rows_of(mapping, symbol):
            if venue in (None, table.venue(row)):
                where = {
                    "feed": feed,
                    "venue": table.venue(row),
                    "size_exponent": table.size_exponent(row),
                }
                found += [where | trade for trade in _of_row(mapping, row, limit)]
    # stable: trades of one publication stay in their order
    return sorted(found, key=lambda trade: -int(trade["publish_time"]))[:limit]


def _of_row(mapping: Mapping, row: int, limit: int) -> list[dict[str, Any]]:
    """The trades of a row, newest first. Changes stand in front of the trades that they name, and
    a correction may give its trade a number by which a later change names it."""
    changes: dict[int, dict[str, int]] = {}
    found = []
    for record in trail_with_changes(mapping, row, limit, LOOKED_AT):
        kind = record["kind"]
        if kind == RecordKind.RECORD_CANCELLED:
            changes.setdefault(record["key"], record)
        elif kind == RecordKind.RECORD_CORRECTED:
            later = changes.pop(record["becomes"], None) if record["becomes"] else None
            changes.setdefault(record["key"], later or record)
        else:
            change = changes.pop(record["key"], None) if record["key"] else None
            found.append(_trade(record, change))
    return found


def _trade(record: dict[str, int], change: dict[str, int] | None) -> dict[str, Any]:
    cancelled = change is not None and change["kind"] == RecordKind.RECORD_CANCELLED
    corrected = change is not None and not cancelled
    now = change if change is not None else record
    return {
        "price": now["price"],
        "size": now["size"],
        "trade_id": record["match"],
        "new_trade_id": _new_number(record, change) if corrected else 0,
        "conditions": conditions_of(now["conditions"]),
        "counts_for": counts_for(now["conditions"]),
        "state": "cancelled" if cancelled else "corrected" if corrected else "valid",
        "original_price": record["price"] if corrected else None,
        "original_size": record["size"] if corrected else None,
        "exchange_time": record["exchange_time"],
        "publish_time": record["publish_time"],
        "changed_time": change["exchange_time"] if change is not None else 0,
    }


def _new_number(record: dict[str, int], change: dict[str, int] | None) -> int:
    """The number that a correction gave the trade, 0: it keeps its own."""
    if change is None or change["becomes"] in (0, record["key"]):
        return 0
    return change["new_match"]

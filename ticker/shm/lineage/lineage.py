"""Where the price that a row shows came from, as shared memory says it: the row, its ring, what the
filter refused, and the messages of a symbol that is traced. The packets are in a recording
(feeds/lineage)."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping as Names
from typing import Any

from ticker.errors import SegmentError
from ticker.shm.counters import Heartbeat
from ticker.shm.header import Mapping
from ticker.shm.layout import RecordKind, RowFlag
from ticker.shm.lineage.sale_conditions import conditions_of, counts_for
from ticker.shm.lineage.traces import TraceReader
from ticker.shm.lineage.trail import origin_of, rows_of, session_of, trail
from ticker.shm.private.tracing import messages_path
from ticker.shm.rejects import RULES, RejectReader
from ticker.shm.table import HAS, PriceTable
from ticker.units import format_price, format_size, format_timestamp

KEPT = 32
LINES = {0: "a", 1: "b", 2: "retransmission"}
PLACE = ("line", "session", "channel", "sequence")
NO_MESSAGE: dict[str, Any] = dict.fromkeys(
    ("receive_timestamp", *PLACE, "message", "message_length")
)
"""Of a trade whose symbol was not traced when it came."""
LOOKED_AT = 1024
"""Newest trades of a row, among which is the one that made its price."""


def lineage(
    feeds: Iterable[tuple[str, Mapping]],
    symbol: str,
    last: int = KEPT,
    instance: str | None = None,
) -> list[dict[str, Any]]:
    """The price of each row of a symbol, over all feeds, with its newest trades. `instance`: of the
    server, where messages of traced symbols are kept."""
    found = (
        _of_row(feed, mapping, row, last, instance)
        for feed, mapping in feeds
        for row in rows_of(mapping, symbol)
    )
    return [price for price in found if price is not None]


def _messages(feed: str, mapping: Mapping, row: int, instance: str | None) -> dict[int, Any]:
    """The messages of a traced row by its seq, as they are shown."""
    if instance is None:
        return {}
    try:
        found = TraceReader(messages_path(instance, feed)).of_row(row)
    except (OSError, SegmentError):
        return {}
    return {
        seq: {
            "receive_timestamp": _timestamp(one["receive_time"]),
            **_place(mapping, one["sequence"], one["line"], one["channel"], one["tag"]),
            "message": one["message"].hex(),
            "message_length": one["length"],
        }
        for seq, one in found.items()
    }


def _of_row(
    feed: str, mapping: Mapping, row: int, last: int, instance: str | None
) -> dict[str, Any] | None:
    """A row's price and its newest trades, the newest first; None: it shows no price.

    `trade` is the one that made the price; None: the ring has it no longer, or the price was
    restored. Times are when the exchange, the receiver and the publisher had it.
    """
    table = PriceTable(mapping)
    values = table.values(row)
    if values is None or not values["flags"] & HAS["price"]:
        return None
    exponent = table.size_exponent(row)
    trades = trail(mapping, row, LOOKED_AT)
    messages = _messages(feed, mapping, row, instance)
    made = (trade for trade in trades if _made(trade, values))
    heartbeat = Heartbeat(mapping)
    return {
        "feed": feed,
        "venue": table.venue(row),
        "price": format_price(values["price"]),
        "size": format_size(values["size"], exponent),
        "seq": values["seq"],
        "exchange_timestamp": _timestamp(values["exchange_time"]),
        "receive_timestamp": _timestamp(values["receive_time"]),
        "publish_timestamp": _timestamp(values["publish_time"]),
        "writer_epoch": heartbeat.epoch,
        **_message(mapping, row, values["receive_time"]),
        "stale": bool(values["flags"] & RowFlag.ROW_STALE),
        "verdict": "unconfirmed" if values["flags"] & RowFlag.ROW_HELD else "accepted",
        "traced": bool(messages),
        "trade": next((_trade(trade, exponent, messages) for trade in made), None),
        "last": [_trade(trade, exponent, messages) for trade in trades[:last]],
        "refused": _refused(mapping, table.symbol(row)),
    }


def _message(mapping: Mapping, row: int, receive_time: int) -> dict[str, Any]:
    """The message that made the price, as its session counts it; None where it is not known."""
    origin = origin_of(mapping, row)
    if origin is None or origin["receive_time"] != receive_time:
        return dict.fromkeys(PLACE)
    return _place(mapping, origin["sequence"], origin["line"], origin["channel"], origin["tag"])


def _place(mapping: Mapping, sequence: int, line: int, channel: int, tag: int) -> dict[str, Any]:
    """Where a message was, in the words of its session; None: its session has no numbers."""
    if not sequence:
        return dict.fromkeys(PLACE)
    session = session_of(mapping, tag).decode("ascii", "replace").strip()
    said = session if session and session.isprintable() else None
    return dict(zip(PLACE, (LINES.get(line), said, channel or None, sequence), strict=True))


def _made(trade: dict[str, int], values: dict[str, int]) -> bool:
    return (
        trade["kind"] == RecordKind.RECORD_TRADE
        and trade["price"] == values["price"]
        and trade["exchange_time"] == values["exchange_time"]
    )


def _trade(
    trade: dict[str, int], exponent: int, messages: Names[int, dict[str, Any]]
) -> dict[str, Any]:
    return {
        "seq": trade["seq"],
        "price": format_price(trade["price"]),
        "size": format_size(trade["size"], exponent),
        "trade": trade["match"] or None,
        "exchange_timestamp": _timestamp(trade["exchange_time"]),
        "publish_timestamp": _timestamp(trade["publish_time"]),
        "ring": trade["ring"],
        "position": trade["position"],
        "conditions": conditions_of(trade["conditions"]),
        "counts_for": counts_for(trade["conditions"]),
        "set_last": trade["kind"] == RecordKind.RECORD_TRADE,
        **messages.get(trade["seq"], NO_MESSAGE),
    }


def _refused(mapping: Mapping, symbol: str) -> list[dict[str, Any]]:
    """The newest trades of the symbol that the filter refused, or holds, with its rule."""
    reader = RejectReader(mapping)
    refused = [one for rule in RULES for one in reader.last(rule)]
    found = [one for one in (*refused, *reader.held()) if one.symbol == symbol]
    return [one.as_json() for one in sorted(found, key=lambda one: one.receive_time)[-KEPT:]]


def _timestamp(ns: int) -> str | None:
    return format_timestamp(ns) if ns else None

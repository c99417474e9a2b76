"""The end of a replay: the state of each symbol, the totals, and the unread parts of a capture."""

from __future__ import annotations

from typing import Any

from ticker import units
from ticker.feeds.json.skips import Skipped
from ticker.shm.counters import Counters
from ticker.shm.header import Mapping
from ticker.shm.layout import TRADING_STATUSES
from ticker.shm.rejects import RULES
from ticker.shm.table import HAS, PriceTable, volume_of

COLUMNS = (
    "price",
    "size",
    "trades",
    "volume",
    "open",
    "high",
    "low",
    "bid",
    "bid_size",
    "ask",
    "ask_size",
    "previous_close",
    "official_close",
    "extended_price",
    "extended_timestamp",
    "exchange_timestamp",
    "status",
)
AT_TIMES = ("previous_close", "official_close", "extended_price", "extended_timestamp")
"""Columns that the table has only if a symbol has a value in them."""
CAPTURE_COUNTS = ("packets", "datagrams", "cut", "fragments_joined", "without_time")


def report_of(segment: Mapping, seconds: float, cpu: float) -> dict[str, Any]:
    """The report of `--json`. Prices and fractional sizes are decimal strings; null means none."""
    counts = Counters(segment).as_dict()
    table = PriceTable(segment)
    messages = counts["messages"]
    return {
        "symbols": {table.symbol(row): _row(table, row) for row in range(len(table))},
        "messages": messages,
        "packets": counts["packets"],
        "gaps": counts["gaps"],
        "rejected": {reason: counts[f"rejected_{reason}"] for reason in RULES},
        "seconds": round(seconds, 6),
        "cpu_seconds": round(cpu, 6),
        "messages_per_second": round(messages / seconds) if seconds else 0,
        "counters": {name: value for name, value in counts.items() if value},
    }


def _row(table: PriceTable, row: int) -> dict[str, Any]:
    values = table.values(row)
    assert values is not None, "no process writes this table any more"
    exponent = table.size_exponent(row)
    values["volume"] = volume_of(values)
    shown: dict[str, Any] = {name: values.get(name) for name in COLUMNS}
    for name in HAS.keys() & shown.keys():
        there = values["flags"] & HAS[name]
        shown[name] = units.format_price(values[name]) if there else None
    for name in ("size", "bid_size", "ask_size", "volume"):
        size = units.format_size(values[name], exponent)
        whole = int(size) if size.isdigit() else size
        shown[name] = whole if values[name] or name == "volume" else None
    for name in ("exchange", "extended"):
        time_ns = values[f"{name}_time"]
        shown[f"{name}_timestamp"] = units.format_timestamp(time_ns) if time_ns else None
    shown["status"] = TRADING_STATUSES[values["status"]]
    return shown


def table_of(report: dict[str, Any]) -> str:
    """The report as a table: a line per symbol, then the totals."""
    rows = sorted(report["symbols"].items())
    empty = {name for name in AT_TIMES if all(row[name] is None for _, row in rows)}
    columns = [name for name in COLUMNS if name not in empty]
    lines = [["symbol", *columns]]
    for symbol, row in rows:
        lines.append([symbol, *("-" if row[name] is None else str(row[name]) for name in columns)])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = [
        "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
        for line in lines
    ]
    text += [
        "",
        f"{report['messages']} messages, {report['packets']} packets, {report['gaps']} gaps",
        f"rejected: {_listed(report['rejected'])}",
        *(Skipped(**skip).said() for skip in report.get("skipped", ())),
        *(_captured(report["capture"]) if "capture" in report else ()),
        f"counters: {_listed(report['counters'])}",
        f"{report['seconds']:.3f} s ({report['cpu_seconds']:.3f} s of CPU), "
        f"{report['messages_per_second']} messages/s",
    ]
    return "\n".join(text)


def _captured(capture: dict[str, Any]) -> list[str]:
    """The counts of a packet capture: packets read, and packets skipped by reason."""
    counts = {name.replace("_", " "): capture[name] for name in CAPTURE_COUNTS}
    text = [f"capture: {_listed(counts)}", f"not read: {_listed(capture['not_read'])}"]
    if capture["truncated"]:
        text.append("the file ends inside a packet, or is damaged there")
    if capture["error"]:
        text.append(f"reading stopped: {capture['error']}")
    return text


def _listed(counts: dict[str, int]) -> str:
    """The counts above 0, each with its name."""
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "none"

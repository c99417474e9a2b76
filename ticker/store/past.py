"""What is on the disk of days and minute bars, read back, and the bars of venues put together.

In: the files that history.py writes, opened read-only, and a symbol. Out: rows as dictionaries,
prices in 1e-9 units, volumes in 10^-size_exponent units. Owned by the caller, in any process.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ticker.errors import StoreError

FOLDER = "history"
Row = dict[str, Any]
BAR = (
    "symbol", "venue", "minute", "open", "high", "low", "close", "open_time", "close_time",
    "volume", "notional", "trades", "size_exponent", "revision", "exact",
)  # fmt: skip
"""The columns of a bar, in their order."""


@dataclass(frozen=True)
class Hole:
    """A time in which bars of a feed may lack trades.

    Attributes:
        begin, end: ns since the epoch.
        reason: "lapped": the rings were faster than the reader; "store restarted": no store
            worker ran; "feed restarted": no worker of the feed ran; "disk": it took nothing for
            so long that bars were dropped.
        records: how many were missed, 0: not known.
    """

    feed: str
    begin: int
    end: int
    reason: str
    records: int = 0


def read_minutes(
    folder: Path, symbol: str, begin: int, end: int, venue: str | None = None
) -> list[Row]:
    """The bars of a symbol that start in begin <= s < end, by minute; of all venues together
    unless one is named. Each has what the table has, `volume` and `notional` as int.

    Raises:
        StoreError: a file cannot be read.
    """
    found: list[Row] = []
    query = "SELECT * FROM bars WHERE symbol = ? AND minute >= ? AND minute < ?"
    for rows in _query(folder, query, (symbol, begin, end), venue, "minute"):
        found += rows
    return list(together(found, "minute"))


def read_days(folder: Path, symbol: str, days: int, venue: str | None = None) -> list[Row]:
    """The newest `days` days of a symbol, oldest first, a row for each venue that had it.

    Raises:
        StoreError: a file cannot be read.
    """
    found: list[Row] = []
    for rows in _query(folder, "SELECT * FROM days WHERE symbol = ?", (symbol,), venue, "day"):
        found += rows
    newest = sorted({str(row["day"]) for row in found})[-days:]
    return [row for row in found if row["day"] in newest]


def read_holes(folder: Path, begin: int, end: int) -> list[Hole]:
    """The times between begin and end, ns, in which bars may lack trades.

    Raises:
        StoreError: a file cannot be read.
    """
    query = "SELECT * FROM holes WHERE end >= ? AND begin < ?"
    rows = (row for rows in _query(folder, query, (begin, end), None, "begin") for row in rows)
    return [Hole(**row) for row in rows]


def _query(
    folder: Path, query: str, arguments: tuple[object, ...], venue: str | None, order: str
) -> Iterator[list[Row]]:
    """The rows of each month, oldest first."""
    if venue is not None:
        query, arguments = f"{query} AND venue = ?", (*arguments, venue)
    for month in months_in(folder / FOLDER):
        path = folder / FOLDER / f"{month}.sqlite"
        with faults(path), closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as file:
            if not file.execute("PRAGMA user_version").fetchone()[0]:
                continue  # it is being made
            file.row_factory = sqlite3.Row
            rows = [dict(row) for row in file.execute(f"{query} ORDER BY {order}", arguments)]
        for row in rows:
            for name in ("volume", "notional"):
                if name in row:
                    row[name] = int(row[name])
        yield rows


def together(rows: list[Row], key: str) -> Iterator[Row]:
    """One row for each value of `key`: the bars of several venues, or parts of one, together."""
    groups: dict[Any, list[Row]] = {}
    for row in rows:
        groups.setdefault(row[key], []).append(row)
    for _, group in sorted(groups.items()):
        yield group[0] if len(group) == 1 else _merged(group)


def _merged(group: list[Row]) -> Row:
    exponent = max(row["size_exponent"] for row in group)
    opened = [row for row in group if row["open"] is not None]
    first = min(opened, key=lambda row: row["open_time"], default=group[0])
    last = max(opened, key=lambda row: row["close_time"], default=group[0])
    ranged = [row for row in group if row["high"] is not None]
    venues = {str(row["venue"]) for row in group}

    def total(name: str) -> int:
        return sum(row[name] * 10 ** (exponent - row["size_exponent"]) for row in group)

    return {
        **group[0],
        "venue": venues.pop() if len(venues) == 1 else "",
        "open": first["open"],
        "open_time": first["open_time"],
        "close": last["close"],
        "close_time": last["close_time"],
        "high": max((row["high"] for row in ranged), default=None),
        "low": min((row["low"] for row in ranged), default=None),
        "volume": total("volume"),
        "notional": total("notional"),
        "trades": sum(row["trades"] for row in group),
        "size_exponent": exponent,
        "revision": max(row["revision"] for row in group),
        "exact": min(row["exact"] for row in group),
    }


def months_in(folder: Path) -> list[str]:
    """The months that have a file in the folder, oldest first, like "2026-11"."""
    return sorted(path.name.removesuffix(".sqlite") for path in folder.glob("????-??.sqlite"))


@contextmanager
def faults(path: Path) -> Iterator[None]:
    """Turns SQLite's errors into a StoreError that names the file."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(f"{path}: {error}") from error

"""Days and minute bars read back from the disk, with the bars of several venues merged.

In: the files that history.py writes, opened read-only, and a symbol. Out: rows as dictionaries,
prices in 1e-9 units, volumes in 10^-size_exponent units. Owned by the caller, in any process.
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ticker.errors import StoreError

FOLDER = "history"
DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
MOVE_AWAY = "move the file away, and a new one is begun"
KINDS = {
    **dict.fromkeys(DAMAGED, errno.EUCLEAN),
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_READONLY: errno.EROFS,
    sqlite3.SQLITE_BUSY: errno.EBUSY,
    sqlite3.SQLITE_IOERR: errno.EIO,
    sqlite3.SQLITE_PERM: errno.EACCES,
    sqlite3.SQLITE_CANTOPEN: errno.EACCES,
}
"""SQLite's kinds of faults as errno."""
NS = 1_000_000_000
LAST_SECOND = 253_402_300_799  # of the year 9999
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
        reason: "lapped": the rings were faster than the reader; "store restarted": no store worker
        ran; "feed restarted": no worker of the feed ran; "disk": it failed for so long that bars
        were dropped.
        records: the number of missed records, 0: unknown.
    """

    feed: str
    begin: int
    end: int
    reason: str
    records: int = 0

    def touches(self, begin: int, end: int) -> bool:
        """Whether a bar from begin to end, ns, may lack trades."""
        return self.begin < end and self.end > begin


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


class Past:
    """The history of one instance for REST; it implements the gateway's BarSource."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def bars(
        self,
        symbols: list[str],
        span: int,
        begin: int | None,
        end: int,
        count: int,
        venue: str | None = None,
    ) -> dict[str, tuple[list[Row], int | None]]:
        """Of each symbol up to `count` bars of `span` s that start in begin <= s < end: the first,
        or the newest where `begin` is None; oldest first. Beside them the start of the next one,
        None: there is none, or the newest were asked for.

        A row has BAR, with the start of the bar as `minute`, and `complete`.

        Raises:
            StoreError: a file cannot be read.
        """
        found = {}
        with ExitStack() as stack:
            months = _opened(stack, self.folder, begin, end)
            if begin is None:
                months.reverse()
            for symbol in symbols:
                rows = _minutes(months, symbol, begin, end, venue)
                found[symbol] = _spanned(rows, span, count)
        shown = [row for rows, _ in found.values() for row in rows]
        if shown:
            first = min(row["minute"] for row in shown) * NS
            holes = read_holes(self.folder, first, end * NS)
            for row in shown:
                start = row["minute"] * NS
                stop = start + span * NS
                row["complete"] = not any(hole.touches(start, stop) for hole in holes)
        if begin is None:
            return {symbol: (rows[::-1], None) for symbol, (rows, _) in found.items()}
        return found

    def days(
        self, symbol: str, begin: int | None, end: int, count: int, venue: str | None = None
    ) -> tuple[list[Row], str | None]:
        """Up to `count` days of a symbol, oldest first: the first from `begin` on, or the newest
        where it is None, before `end`, both s since the epoch; and the day after them, if there is
        one. The venues of a day are together, with the prices of the one that has official ones,
        else of the one with the greatest volume.

        Raises:
            StoreError: a file cannot be read.
        """
        first, last = ("" if begin is None else _day(begin)), _day(end - 1)
        groups: dict[str, list[Row]] = {}
        query = "SELECT * FROM days WHERE symbol = ? AND day >= ? AND day <= ?"
        for rows in _query(self.folder, query, (symbol, first, last), venue, "day"):
            for row in rows:
                groups.setdefault(row["day"], []).append(row)
        found = [_day_of_all(group) for _, group in sorted(groups.items())]
        if begin is None:
            return found[-count:], None
        return found[:count], found[count]["day"] if len(found) > count else None


def _opened(
    stack: ExitStack, folder: Path, begin: int | None, end: int
) -> list[sqlite3.Connection]:
    """The files with minutes from `begin` to before `end`, oldest first."""
    found = []
    first = "" if begin is None else _month(begin)
    for month in months_in(folder / FOLDER):
        if not first <= month <= _month(end):
            continue
        path = folder / FOLDER / f"{month}.sqlite"
        with faults(path):
            file = stack.enter_context(closing(_reading(path)))
            if file.execute("PRAGMA user_version").fetchone()[0]:
                found.append(file)
    return found


def _reading(path: Path) -> sqlite3.Connection:
    file = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    file.row_factory = sqlite3.Row
    return file


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(min(max(seconds, 0), LAST_SECOND), UTC).date().isoformat()


def _month(seconds: int) -> str:
    return _day(seconds)[: len("2026-11")]


def _minutes(
    months: list[sqlite3.Connection], symbol: str, begin: int | None, end: int, venue: str | None
) -> Iterator[Row]:
    """Rows in the order of `months`; the newest first without a begin."""
    query = "SELECT * FROM bars WHERE symbol = ? AND minute >= ? AND minute < ?"
    arguments: list[object] = [symbol, begin or 0, end]
    if venue is not None:
        query, arguments = f"{query} AND venue = ?", [*arguments, venue]
    order = "DESC" if begin is None else "ASC"
    for file in months:
        try:
            for row in file.execute(f"{query} ORDER BY minute {order}", arguments):
                yield {**row, "volume": int(row["volume"]), "notional": int(row["notional"])}
        except sqlite3.Error as error:
            raise StoreError(f"the history of {symbol}: {error}") from error


def _spanned(rows: Iterator[Row], span: int, count: int) -> tuple[list[Row], int | None]:
    """Up to `count` bars of `span` s, in the order of the rows; the start of the next one."""
    groups: list[list[Row]] = []
    for row in rows:
        start = row["minute"] // span * span
        if not groups or groups[-1][0]["minute"] != start:
            if len(groups) == count:
                return [*map(_one, groups)], start
            groups.append([])
        groups[-1].append({**row, "minute": start})
    return [*map(_one, groups)], None


def _one(group: list[Row]) -> Row:
    return group[0] if len(group) == 1 else _merged(group)


def _day_of_all(group: list[Row]) -> Row:
    exponent = max(row["size_exponent"] for row in group)

    def volume(row: Row) -> int:
        return int(row["volume"] * 10 ** (exponent - row["size_exponent"]))

    official = [
        row
        for row in group
        if row["official_close"] is not None or row["official_open"] is not None
    ]
    main = max(official or group, key=volume)
    venues = {str(row["venue"]) for row in group}
    return {
        **main,
        "venue": venues.pop() if len(venues) == 1 else "",
        "high": max((row["high"] for row in group if row["high"] is not None), default=None),
        "low": min((row["low"] for row in group if row["low"] is not None), default=None),
        "volume": sum(map(volume, group)),
        "trades": sum(row["trades"] for row in group),
        "size_exponent": exponent,
        "corrections": sum(row["corrections"] for row in group),
    }


def _query(
    folder: Path, query: str, arguments: tuple[object, ...], venue: str | None, order: str
) -> Iterator[list[Row]]:
    """The rows of each month, oldest first."""
    if venue is not None:
        query, arguments = f"{query} AND venue = ?", (*arguments, venue)
    for month in months_in(folder / FOLDER):
        path = folder / FOLDER / f"{month}.sqlite"
        with faults(path), closing(_reading(path)) as file:
            if not file.execute("PRAGMA user_version").fetchone()[0]:
                continue  # it is being made
            rows = [dict(row) for row in file.execute(f"{query} ORDER BY {order}", arguments)]
        for row in rows:
            for name in ("volume", "notional"):
                if name in row:
                    row[name] = int(row[name])
        yield rows


def together(rows: list[Row], key: str) -> Iterator[Row]:
    """One row for each value of `key`, merged from the bars of several venues or intervals."""
    groups: dict[Any, list[Row]] = {}
    for row in rows:
        groups.setdefault(row[key], []).append(row)
    for _, group in sorted(groups.items()):
        yield _one(group)


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
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        advice = f"; {MOVE_AWAY}" if code in DAMAGED else ""
        raise StoreError(f"{path}: {error}{advice}", KINDS.get(code, 0)) from error

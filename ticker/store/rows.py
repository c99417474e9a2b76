"""Rows of days and minute bars, and those of several venues or intervals as one.

In: rows as dictionaries, prices in 1e-9 units, volumes in 10^-size_exponent units. Out: the same.
The engines that keep them (sqlite.py, postgres.py) have the columns of BAR and DAY in their order.

Law: no I/O and no clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from ticker.store import bars, days
from ticker.store.disk.schema import BARS, DAYS, HOUR

SECOND = 1_000_000_000
HALF_DAY = 12 * 3600 * SECOND
LAST_SECOND = 253_402_300_799  # of the year 9999
MOST_STORED = 1 << 63
Row = dict[str, Any]
Key = tuple[str, str, int]
BAR = tuple(column.name for column in BARS)
"""The columns of a bar, in their order."""
DAY = tuple(column.name for column in DAYS)
"""The columns of a day."""
REVISION = BAR.index("revision")


@dataclass(frozen=True)
class Hole:
    """A time in which bars of a feed may lack trades.

    Attributes:
        begin, end: ns since the epoch.
        reason: "lapped": the rings were faster than the reader; "store restarted": no store worker
        ran; "feed restarted": no worker of the feed ran; "disk": it, or the database, took nothing
        for so long that bars were dropped; "damaged": the file that had them was.
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


@dataclass(frozen=True)
class Place:
    """The positions in a feed's rings that its bars cover.

    Attributes:
        time: ns since the epoch; no bar is of a later minute.
        forming: how many bars were left to the file beside those of the months (beside.py).
    """

    boot_id: int
    time: int
    positions: list[int]
    forming: int = 0


def day_text(seconds: int) -> str:
    """Like "2026-11-29", UTC."""
    return datetime.fromtimestamp(min(max(seconds, 0), LAST_SECOND), UTC).date().isoformat()


def month_of(seconds: int) -> str:
    """Like "2026-11", UTC."""
    return _month_of_hour(seconds // HOUR)


@lru_cache(maxsize=4096)
def _month_of_hour(hour: int) -> str:
    """A commit asks for each of its bars, which are of a few hours."""
    return day_text(hour * HOUR)[: len("2026-11")]


def first_second(month: str) -> int:
    """The start of a month like "2026-11", s since the epoch."""
    return int(datetime.fromisoformat(f"{month}-01T00:00:00+00:00").timestamp())


@lru_cache(maxsize=4096)
def day_of(midnight: int) -> str:
    """The day that begins at a midnight, ns since the epoch, in its own time zone."""
    return datetime.fromtimestamp((midnight + HALF_DAY) // SECOND, UTC).date().isoformat()


def stored(number: int) -> int | str:
    """A number in a form that SQLite stores without loss."""
    return number if -MOST_STORED <= number < MOST_STORED else str(number)


def day_row(figures: days.Figures) -> tuple[Any, ...]:
    """The columns of DAY."""
    return (*figures[:2], day_of(figures[2]), *figures[3:])


def bar_rows(
    changed: Iterable[bars.Figures], kept: Mapping[Key, tuple[Any, ...]]
) -> list[tuple[Any, ...]]:
    """The columns of BAR of each changed bar; those that add to the disk together with the columns
    in `kept`, by symbol, venue and minute."""
    rows = []
    for figures in changed:
        row: tuple[Any, ...] = (*figures[:-2], int(figures[-2]))
        if figures[-1]:
            before = kept.get(row[:3])
            first = (*row[:REVISION], 0, row[-1])
            row = first if before is None else added(before, row)
        rows.append(row)
    return rows


def added(before: tuple[Any, ...], more: tuple[Any, ...]) -> tuple[Any, ...]:
    """Two parts of one bar as one, each with the columns of BAR."""
    whole = joined(*(dict(zip(BAR, part, strict=True)) for part in (before, more)))
    return tuple(whole[name] for name in BAR)


def joined(before: Row, more: Row) -> Row:
    """Two parts of one bar as one."""
    return {**merged([before, more]), "revision": before["revision"] + more["revision"]}


def together(rows: Iterable[Row], key: str) -> Iterator[Row]:
    """One row for each value of `key`, merged from the bars of several venues or intervals."""
    groups: dict[Any, list[Row]] = {}
    for row in rows:
        groups.setdefault(row[key], []).append(row)
    for _, group in sorted(groups.items()):
        yield merged(group)


def spanned(rows: Iterable[Row], span: int, count: int) -> tuple[list[Row], int | None]:
    """Up to `count` bars of `span` s, in the order of the rows; the start of the next one."""
    groups: list[list[Row]] = []
    for row in rows:
        start = row["minute"] // span * span
        if not groups or groups[-1][0]["minute"] != start:
            if len(groups) == count:
                return [*map(merged, groups)], start
            groups.append([])
        groups[-1].append({**row, "minute": start})
    return [*map(merged, groups)], None


def merged(group: list[Row]) -> Row:
    """The bars of one time as one."""
    if len(group) == 1:
        return group[0]
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


def day_of_all(group: list[Row]) -> Row:
    """The venues of one day together, with the prices of the one that has official ones, else of
    the one with the greatest volume."""
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

"""The sessions of the shipped calendars: for some years, and without a library.

In: timetables.json beside this file, written by .ci/timetables.py. Out: days with their moments in
ns since the epoch, UTC. Local times are wall-clock times of the calendar's zone.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec

PATH = Path(__file__).with_name("timetables.json")


class Day(NamedTuple):
    """One session: its date, and its moments in ns since the epoch; breaks are 0 without one."""

    date: date
    opens: int
    closes: int
    break_start: int = 0
    break_end: int = 0


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One calendar, from its first to its last day that is known.

    Attributes:
        zone: its time zone.
        close: the local time at which its sessions usually end.
        weekdays: of its sessions, Monday is 0.
        hours: open, close, and the start and end of its break if it has one: local times, `09:30`;
            `17:00-1` is of the day before.
        closed: weekdays of sessions without one.
        other: sessions with other hours, or on other weekdays.
    """

    zone: str
    close: str
    first: date
    last: date
    weekdays: frozenset[int]
    hours: tuple[str, ...]
    closed: frozenset[date]
    other: dict[date, tuple[str, ...]]

    def covers(self, first: date, last: date) -> bool:
        return self.first <= first and last <= self.last

    def days(self, first: date, last: date) -> Iterator[Day]:
        """The sessions from `first` to `last`, of those that are known."""
        day, end = max(first, self.first), min(last, self.last)
        zone = ZoneInfo(self.zone)
        while day <= end:
            usual = day.weekday() in self.weekdays and day not in self.closed
            hours = self.other.get(day, self.hours if usual else ())
            if hours:
                yield Day(day, *(_moment(text, day, zone) for text in hours))
            day += timedelta(1)


@cache
def tables() -> dict[str, Table]:
    """The shipped calendars by name."""
    return msgspec.json.decode(PATH.read_bytes(), type=dict[str, Table])


def shipped_calendars() -> frozenset[str]:
    """The names of the shipped calendars."""
    return frozenset(tables())


def _moment(text: str, day: date, zone: ZoneInfo) -> int:
    """ns since the epoch of a local time like `09:30`, `17:00-1` or `02:00+1`."""
    clock, away = text[:5], text[5:] or "0"
    at = time.fromisoformat(clock)
    local = datetime.combine(day + timedelta(int(away)), at, zone)
    return int(local.timestamp()) * 1_000_000_000

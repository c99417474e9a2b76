"""The days of a feed: the midnight of its times of day, and the moment when totals start over.

Law: no clock; receive times are passed in. A day is a calendar day of the feed's time zone, from
midnight to midnight, so twice a year it has 23 or 25 hours.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

EASTERN = "America/New_York"
SECOND = 1_000_000_000
EARLY = 3600 * SECOND
"""In the hour before and after midnight, messages of two days may come."""
AGAIN = 60 * SECOND


def midnight_ns(day: date, timezone: str = EASTERN) -> int:
    """ns since the epoch of midnight at the start of `day` in `timezone`."""
    start = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(timezone))
    return int(start.timestamp()) * SECOND


def session_day(now_ns: int, timezone: str = EASTERN) -> date:
    """The calendar day in `timezone` at this time."""
    utc = datetime.fromtimestamp(now_ns // SECOND, UTC)
    return utc.astimezone(ZoneInfo(timezone)).date()


def day_around(now_ns: int, timezone: str = EASTERN) -> tuple[int, int]:
    """Start and end of the day in `timezone` at this time, ns since the epoch."""
    day = session_day(now_ns, timezone)
    return midnight_ns(day, timezone), midnight_ns(day + timedelta(days=1), timezone)


class Days(Protocol):
    """An object that begins days: a protocol decoder (protocol.pyx)."""

    midnight_ns: int

    def expect_day(self, midnight_ns: int) -> None: ...
    def begin_day(self, midnight_ns: int) -> None: ...
    def settle(self, now_ns: int) -> bool: ...


class DayWatch:
    """Begins the days of a feed as time passes; asked by its market (Market.follow).

    Attributes:
        start, end: of the day at hand, ns since the epoch.
    """

    def __init__(self, protocol: Days, midnight: int, timezone: str) -> None:
        self.protocol = protocol
        self.timezone = timezone
        self.start, self.end = day_around(midnight, timezone)

    def look(self, now_ns: int) -> int:
        """Begin the day that `now_ns` is in; returns the time of the next look, ns."""
        if now_ns >= self.end:
            self.reach(now_ns)
        if now_ns >= self.end - EARLY:
            self.protocol.expect_day(self.end)
            return self.end
        settled = self.protocol.settle(now_ns)
        return self.end - EARLY if settled else min(self.end - EARLY, now_ns + AGAIN)

    def go_back(self, now_ns: int) -> None:
        """Go back: the clock was set to a day before the current one."""
        self.start, self.end = day_around(now_ns, self.timezone)
        self.protocol.midnight_ns = self.start

    def reach(self, time_ns: int) -> int:
        """Begin the day that `time_ns` is in; returns its end, ns."""
        self.start, self.end = day_around(time_ns, self.timezone)
        self.protocol.begin_day(self.start)
        return self.end

"""The session date: what a protocol's times of day count from."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

EASTERN = "America/New_York"


def midnight_ns(day: date, timezone: str = EASTERN) -> int:
    """ns since the epoch of midnight at the start of `day` in `timezone`."""
    start = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(timezone))
    return int(start.timestamp()) * 1_000_000_000


def session_day(now_ns: int, timezone: str = EASTERN) -> date:
    """The calendar day in `timezone` at this time."""
    utc = datetime.fromtimestamp(now_ns // 1_000_000_000, UTC)
    return utc.astimezone(ZoneInfo(timezone)).date()

"""Writes ticker/config/timetables.json: the sessions of the calendars that are shipped.

    .venv/bin/python .ci/timetables.py ticker/config/timetables.json [FIRST_YEAR]

A calendar is written as its usual hours, the weekdays of its sessions, the days that are closed
and those with other hours: a short text whose changes can be read. tests/config/test_timetables.py
holds each day of it to the library. It is written anew for each release, from that year on.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import exchange_calendars

from ticker.config.calendar import library_names

YEARS = 4
LEAD = timedelta(400)
"""Some calendars have rules that fail when they are asked from too late on."""
Hours = tuple[str, ...]


def table(name: str, first: date) -> dict[str, Any] | None:
    """The calendar from `first` for as many of the years as the library knows; None: for none."""
    for year in range(first.year + YEARS - 1, first.year - 1, -1):
        last = date(year, 12, 31)
        try:
            calendar = exchange_calendars.get_calendar(
                name, start=(first - LEAD).isoformat(), end=last.isoformat()
            )
        except (ValueError, NotImplementedError):
            continue
        return written(calendar, first, last)
    return None


def written(calendar: Any, first: date, last: date) -> dict[str, Any]:
    days: dict[date, Hours] = {}
    for row in calendar.schedule.itertuples():
        day = row.Index.date()
        if day >= first:
            moments = [row.open, row.close, row.break_start, row.break_end]
            days[day] = tuple(local(each, day, calendar.tz) for each in moments if each == each)
    usual = Counter(days.values()).most_common(1)[0][0]
    weekdays = sorted(
        weekday
        for weekday, count in Counter(day.weekday() for day in days).items()
        if count > len(days) // 20
    )
    every = [first + timedelta(number) for number in range((last - first).days + 1)]
    return {
        "zone": str(calendar.tz),
        "close": calendar.close_times[-1][1].strftime("%H:%M"),
        "first": first.isoformat(),
        "last": last.isoformat(),
        "weekdays": weekdays,
        "hours": list(usual),
        "closed": [
            day.isoformat() for day in every if day.weekday() in weekdays and day not in days
        ],
        "other": {
            day.isoformat(): list(hours)
            for day, hours in days.items()
            if hours != usual or day.weekday() not in weekdays
        },
    }


def local(moment: Any, day: date, zone: Any) -> str:
    """A local time as `09:30`; of the day before as `17:00-1`, of the day after as `02:00+1`."""
    there: datetime = moment.tz_convert(zone).to_pydatetime()
    away = (there.date() - day).days
    return f"{there:%H:%M}" + (f"{away:+d}" if away else "")


def main() -> None:
    path = Path(sys.argv[1])
    year = int(sys.argv[2]) if len(sys.argv) > 2 else date.today().year
    found = {name: table(name, date(year, 1, 1)) for name in sorted(library_names())}
    lines = [f'"{name}": {json.dumps(each)}' for name, each in found.items() if each is not None]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    missing = [name for name, each in found.items() if each is None]
    print(f"{len(lines)} calendars; the library cannot compute: {', '.join(missing) or 'none'}")


if __name__ == "__main__":
    main()

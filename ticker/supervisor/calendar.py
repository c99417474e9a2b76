"""The calendar worker: computes when the markets are open, and writes it for all to read.

Law: exchange_calendars, and the pandas that comes with it, live only in a child of this worker
that computes and ends (half a second, some 80 MB); everybody else sees integers in a file
(shm/timetable.py). Nothing waits for it: until the file is there a market's phase is unknown.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time
from pathlib import Path
from typing import Any

import msgspec
import structlog

from ticker.config import FeedConfig
from ticker.config.calendar import (
    NEW_YORK,
    US_REGULAR,
    calendar_of,
    extended_hours,
    may_be_short,
)
from ticker.config.filter import elapsed_hours, hours_ns
from ticker.feeds.day import session_day
from ticker.shm.timetable import Hours, TradingSession, hours_of, write_timetable

DAYS_BACK = 10
DAYS_AHEAD = 45
RENEW = 6 * 3600.0
"""s between two computations: the timetable is never older, and always reaches weeks ahead."""
RETRY = 60.0
LOOK = 10.0
"""s between two looks whether the file is still there."""
PATIENCE = 120.0
"""s for one computation."""

Days = dict[str, list[TradingSession]]


class MarketHours(msgspec.Struct, frozen=True):
    """A calendar with the local times between which a feed's venue trades at all."""

    calendar: str
    pre_open: str | None = None
    post_close: str | None = None

    @property
    def name(self) -> str:
        """What /status calls it: `XNYS 04:00-20:00`."""
        if self.pre_open is None and self.post_close is None:
            return self.calendar
        return f"{self.calendar} {self.pre_open or 'open'}-{self.post_close or 'close'}"


class Question(msgspec.Struct, frozen=True):
    """What the child computes: the sessions of these markets from the first to the last day."""

    markets: list[MarketHours]
    first: date
    last: date


def markets_of(feeds: Sequence[FeedConfig]) -> dict[str, MarketHours]:
    """The market of each feed that follows a calendar, by the feed's name."""
    found = {}
    for feed in feeds:
        calendar = calendar_of(feed)
        if calendar is not None:
            found[feed.name] = MarketHours(calendar, *extended_hours(feed))
    return found


def run(markets: dict[str, MarketHours], path: Path) -> None:
    """Keep the timetable at `path` true, until the process is told to end."""
    log = structlog.get_logger()
    while True:
        try:
            days = _in_a_child(_of_today(markets))
        except (subprocess.SubprocessError, msgspec.DecodeError, OSError) as error:
            log.error("no timetable", reason=_reason(error), retry_in=RETRY)
            time.sleep(RETRY)
            continue
        feeds = {feed: market.name for feed, market in markets.items()}
        write_timetable(path, feeds, days)
        log.info("timetable written", markets=sorted(days))
        _sleep(RENEW, path)


def _sleep(seconds: float, path: Path) -> None:
    """Until it is time, or until the file is gone: a gateway that starts would find none."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and path.exists():
        time.sleep(LOOK)


def _of_today(markets: dict[str, MarketHours]) -> Question:
    today = datetime.now(UTC).date()
    several = sorted(set(markets.values()), key=lambda market: market.name)
    return Question(several, today - timedelta(DAYS_BACK), today + timedelta(DAYS_AHEAD))


def sessions_of(market: MarketHours, first: date, last: date) -> list[TradingSession]:
    """The sessions from `first` to `last`. Imports pandas: call it in a process of its own.

    Extended hours after an early close end earlier by as much.
    """
    import exchange_calendars

    calendar = exchange_calendars.get_calendar(
        market.calendar, start=first.isoformat(), end=last.isoformat()
    )
    found = []
    for day in calendar.schedule.itertuples():
        opens, closes = _ns(day.open), _ns(day.close)
        pre, post = opens, closes
        if market.pre_open:
            at = clock_time.fromisoformat(market.pre_open)
            local = datetime.combine(day.Index.date(), at, calendar.tz)
            pre = min(opens, int(local.timestamp()) * 1_000_000_000)
        if market.post_close:
            regular = calendar.close_times[-1][1]
            post = closes + max(0, _time_of_day(market.post_close) - _time_of_day(str(regular)))
        found.append(
            TradingSession(pre, opens, closes, post, _ns(day.break_start), _ns(day.break_end))
        )
    return found


def main() -> None:
    """In the child: a Question as JSON on stdin, the markets' sessions as JSON on stdout."""
    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=Question)
    days = {each.name: sessions_of(each, asked.first, asked.last) for each in asked.markets}
    sys.stdout.buffer.write(msgspec.json.encode(days))


def hours_of_capture(calendar: str, timezone: str) -> Hours:
    """The regular hours of each day of a capture, by a calendar's name. The calendar is computed
    for days on which the hours may be unusual, which takes a second.

    Raises (when it is asked): CalledProcessError.
    """

    def hours(midnight: int) -> tuple[int, int] | None:
        day = session_day(midnight, timezone)
        if calendar == NEW_YORK and not may_be_short(day):
            usual = hours_ns(US_REGULAR)
            return elapsed_hours(usual, midnight, timezone) if usual and day.weekday() < 5 else None
        market = MarketHours(calendar)
        week = (day - timedelta(DAYS_BACK), day + timedelta(DAYS_BACK))
        return hours_of(_in_a_child(Question([market], *week))[market.name])(midnight)

    return hours


def _in_a_child(question: Question) -> Days:
    done = subprocess.run(
        [sys.executable, "-m", __name__],
        input=msgspec.json.encode(question),
        capture_output=True,
        check=True,
        timeout=PATIENCE,
    )
    return msgspec.json.decode(done.stdout, type=Days)


def _reason(error: Exception) -> str:
    """The last line that the child said, where there is one."""
    said = getattr(error, "stderr", None) or b""
    lines = said.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else str(error)


def _ns(moment: Any) -> int:
    """ns since the epoch of a pandas Timestamp, 0 for NaT."""
    return 0 if moment != moment else int(moment.timestamp()) * 1_000_000_000


def _time_of_day(text: str) -> int:
    """ns of a time of day since midnight."""
    at = clock_time.fromisoformat(text)
    return (at.hour * 3600 + at.minute * 60 + at.second) * 1_000_000_000


if __name__ == "__main__":
    main()

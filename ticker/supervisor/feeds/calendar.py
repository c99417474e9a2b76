"""The calendar worker: writes the hours of the markets to a file for all.

Days come from the shipped tables (config/timetables.py). Days that no table has are computed by
exchange_calendars, if it is installed.

Law: exchange_calendars, and the pandas that it imports, are loaded only in a child of this worker,
which computes and ends (half a second, some 80 MB). All others read integers from a file
(shm/timetable.py). Nothing waits for the file: until it exists, a market's phase is unknown.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, tzinfo
from datetime import time as clock_time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import structlog

from ticker.clock import now_ns
from ticker.config import FeedConfig
from ticker.config.calendar import (
    LIBRARY,
    NEW_YORK,
    US_REGULAR,
    calendar_of,
    extended_hours,
    library_names,
    may_be_short,
)
from ticker.config.filter import elapsed_hours, hours_ns
from ticker.config.timetables import Day, Table, tables
from ticker.errors import FeedError
from ticker.feeds.day import session_day
from ticker.shm.counters import Heartbeat
from ticker.shm.timetable import Hours, TradingSession, hours_of, write_timetable

DAYS_BACK = 10
DAYS_AHEAD = 45
RENEW = 6 * 3600.0
"""s between two computations: the timetable always reaches weeks ahead."""
RETRY = 60.0
LOOK = 10.0
"""s between two checks that the file still exists."""
PATIENCE = 120.0
"""The most s for one computation."""

BEAT = 0.25
"""s between two signs of life."""

Days = dict[str, list[TradingSession]]
Beat = Callable[[], None]


class MarketHours(msgspec.Struct, frozen=True):
    """A calendar with the local times of a venue's extended hours."""

    calendar: str
    pre_open: str | None = None
    post_close: str | None = None

    @property
    def name(self) -> str:
        """The name in /status: `XNYS 04:00-20:00`."""
        if self.pre_open is None and self.post_close is None:
            return self.calendar
        return f"{self.calendar} {self.pre_open or 'open'}-{self.post_close or 'close'}"


class Question(msgspec.Struct, frozen=True):
    """A request to the child: the sessions of these markets from the first to the last day."""

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


def run(markets: dict[str, MarketHours], path: Path, heartbeat: Heartbeat) -> None:
    """Keep the timetable at `path` up to date, until the process is told to end."""
    log = structlog.get_logger()
    feeds = {feed: market.name for feed, market in markets.items()}
    heartbeat.take_over(os.getpid(), now_ns())

    def beat() -> None:
        heartbeat.beat(now_ns())

    while True:
        days, faults = timetable(_of_today(markets), beat)
        if days:
            write_timetable(path, feeds, days)
            log.info("timetable written", markets=sorted(days))
        for market, fault in faults.items():
            log.error("no timetable" if market not in days else "timetable ends", reason=fault)
        _sleep(RENEW if days.keys() == set(feeds.values()) else RETRY, path, beat)


def _sleep(seconds: float, path: Path, beat: Beat) -> None:
    """Sleep until the next computation is due, or the file is gone: a new gateway needs it."""
    end = time.monotonic() + seconds
    known = path.exists()
    while time.monotonic() < end and path.exists() == known:
        look = time.monotonic() + LOOK
        while time.monotonic() < look:
            beat()
            time.sleep(BEAT)


def _of_today(markets: dict[str, MarketHours]) -> Question:
    today = datetime.now(UTC).date()
    several = sorted(set(markets.values()), key=lambda market: market.name)
    return Question(several, today - timedelta(DAYS_BACK), today + timedelta(DAYS_AHEAD))


def timetable(question: Question, beat: Beat = lambda: None) -> tuple[Days, dict[str, str]]:
    """The sessions of each market; and of those markets for which some days are not known, why. A
    table that ends too early gives the days that it has, where the library has no more. `beat` is
    called several times a second."""
    days: Days = {}
    faults: dict[str, str] = {}
    for market in question.markets:
        beat()
        table = tables().get(market.calendar)
        if table is not None and table.covers(question.first, question.last):
            days[market.name] = tabled_sessions(market, table, question.first, question.last)
            continue
        try:
            days |= _in_a_child(Question([market], question.first, question.last), beat)
        except FeedError as error:
            faults[market.name] = str(error)
            known = table and tabled_sessions(market, table, question.first, question.last)
            if known:
                days[market.name] = known
    return days, faults


def tabled_sessions(
    market: MarketHours, table: Table, first: date, last: date
) -> list[TradingSession]:
    """The sessions from `first` to `last` that a shipped table has."""
    usual = clock_time.fromisoformat(table.close)
    return [_extended(market, day, ZoneInfo(table.zone), usual) for day in table.days(first, last)]


def sessions_of(market: MarketHours, first: date, last: date) -> list[TradingSession]:
    """The same by the library. Imports pandas: call it in a process of its own."""
    import exchange_calendars

    calendar = exchange_calendars.get_calendar(
        market.calendar, start=first.isoformat(), end=last.isoformat()
    )
    usual = calendar.close_times[-1][1]
    return [
        _extended(market, day, calendar.tz, usual) for day in computed_days(calendar, first, last)
    ]


def computed_days(calendar: Any, first: date, last: date) -> list[Day]:
    """The sessions from `first` to `last` of a calendar of the library."""
    return [
        Day(
            day.Index.date(),
            *map(_ns, (day.open, day.close, day.break_start, day.break_end)),
        )
        for day in calendar.schedule.itertuples()
        if first <= day.Index.date() <= last
    ]


def _extended(market: MarketHours, day: Day, zone: tzinfo, usual: clock_time) -> TradingSession:
    """A session with the market's extended hours; after an early close they end earlier by as
    much. `usual`: the local time at which sessions close else."""
    pre, post = day.opens, day.closes
    if market.pre_open:
        at = clock_time.fromisoformat(market.pre_open)
        pre = min(pre, int(datetime.combine(day.date, at, zone).timestamp()) * 1_000_000_000)
    if market.post_close:
        post += max(0, _since(usual, clock_time.fromisoformat(market.post_close)))
    return TradingSession(pre, day.opens, day.closes, post, day.break_start, day.break_end)


def main() -> None:
    """In the child: a Question as JSON on stdin, the markets' sessions as JSON on stdout."""
    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=Question)
    days = {each.name: sessions_of(each, asked.first, asked.last) for each in asked.markets}
    sys.stdout.buffer.write(msgspec.json.encode(days))


def hours_of_capture(calendar: str, timezone: str) -> Hours:
    """The regular hours of each day of a capture, by a calendar's name. A calendar that is shipped
    for no such day is computed where the hours may be unusual, which takes a second.

    Raises (when it is asked): FeedError: the calendar cannot be computed here.
    """

    def hours(midnight: int) -> tuple[int, int] | None:
        day = session_day(midnight, timezone)
        if calendar == NEW_YORK and not may_be_short(day):
            usual = hours_ns(US_REGULAR)
            return elapsed_hours(usual, midnight, timezone) if usual and day.weekday() < 5 else None
        market = MarketHours(calendar)
        week = (day - timedelta(DAYS_BACK), day + timedelta(DAYS_BACK))
        days, faults = timetable(Question([market], *week))
        if market.name not in days:
            raise FeedError(f"{faults[market.name]}; or replay it with --calendar none")
        return hours_of(days[market.name])(midnight)

    return hours


def _in_a_child(question: Question, beat: Beat) -> Days:
    """The days as the library computes them.

    Raises:
        FeedError: it is not installed, or does not know these days.
    """
    names = ", ".join(market.calendar for market in question.markets)
    wanted = f"the hours of {names} from {question.first} to {question.last}"
    if not library_names():
        raise FeedError(f"{wanted} are not in the tables of this version; {LIBRARY} computes them")
    try:
        return msgspec.json.decode(_computed(msgspec.json.encode(question), beat), type=Days)
    except (subprocess.SubprocessError, msgspec.DecodeError, OSError) as error:
        raise FeedError(f"{wanted} cannot be computed: {_reason(error)}") from None


def _computed(question: bytes, beat: Beat) -> bytes:
    """The child's answer.

    Raises:
        OSError, subprocess.SubprocessError: it failed, or it took too long and was killed.
    """
    command = [sys.executable, "-m", __name__]
    pipe = subprocess.PIPE
    end = time.monotonic() + PATIENCE
    sent: bytes | None = question
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe) as child:
        try:
            while True:
                beat()
                with suppress(subprocess.TimeoutExpired):
                    answer, said = child.communicate(sent, timeout=BEAT)
                    break
                sent = None  # it has it
                if time.monotonic() > end:
                    raise subprocess.TimeoutExpired(command, PATIENCE)
        except BaseException:
            child.kill()
            raise
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, command, answer, said)
    return answer


def _reason(error: Exception) -> str:
    """The last line of the child's output, if there is one."""
    said = getattr(error, "stderr", None) or b""
    lines = said.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else str(error)


def _ns(moment: Any) -> int:
    """ns since the epoch of a pandas Timestamp, 0 for NaT."""
    return 0 if moment != moment else int(moment.timestamp()) * 1_000_000_000


def _since(start: clock_time, end: clock_time) -> int:
    """ns from one time of day to another."""
    day = date.min
    between = datetime.combine(day, end) - datetime.combine(day, start)
    return int(between.total_seconds()) * 1_000_000_000


if __name__ == "__main__":
    main()

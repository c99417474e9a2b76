"""When the markets are open: a file in shared memory, written by one process, read by all.

Law: the file is replaced as a whole, by a rename, so a reader sees an old one or a new one and
never a part; its one writer is the calendar worker (supervisor/feeds/calendar.py). Times are ns
since the epoch, UTC, and are passed in. Readers need no calendar library.

    /dev/shm/ticker.<instance>.private/timetable    JSON: {"feeds": {feed: market}, "markets":
        {market: [[pre, open, close, post, break_start, break_end], ...]}}, oldest first, 0: no
        break
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from ticker.shm.liveness import BREAK, CLOSED, OPEN, PHASES, POST, PRE, UNKNOWN
from ticker.shm.segment import private_folder, put_private

Hours = Callable[[int], tuple[int, int] | None]
"""A function from a day's midnight (ns since the epoch) to the open and close of its regular
session (ns since that midnight); None if there is no session, or it is not known yet."""

DAY = 86_400 * 1_000_000_000


class TradingSession(NamedTuple):
    """One day of a market. Extended hours begin at `pre` and end at `post`; without extended hours
    these are `open` and `close`."""

    pre: int
    open: int
    close: int
    post: int
    break_start: int = 0
    break_end: int = 0


class MarketReport(NamedTuple):
    """A market at one moment; the next open and close are of regular hours, 0: not known."""

    market: str
    feeds: tuple[str, ...]
    phase: str
    next_open: int
    next_close: int


class Market:
    """The known days of one market, in order."""

    def __init__(self, sessions: Sequence[TradingSession]) -> None:
        self.sessions = tuple(sessions)
        self._starts = [session.pre for session in self.sessions]

    def at(self, now_ns: int) -> tuple[int, int, int]:
        """(phase, since, closed_at): the MarketPhase, when this session or the pause after the
        one before began, and the last regular close before now. UNKNOWN outside what is known."""
        index = bisect_right(self._starts, now_ns) - 1
        if index < 0 or now_ns >= self.sessions[-1].post:
            return UNKNOWN, 0, 0
        day = self.sessions[index]
        before = self.sessions[index - 1].close if index else 0
        closed_at = day.close if now_ns >= day.close else before
        if now_ns >= day.post:
            return CLOSED, day.post, closed_at
        if now_ns >= day.close:
            return POST, day.pre, closed_at
        if now_ns < day.open:
            return PRE, day.pre, closed_at
        if day.break_start <= now_ns < day.break_end:
            return BREAK, day.pre, closed_at
        return OPEN, day.pre, closed_at

    def next_open(self, now_ns: int) -> int:
        return min((day.open for day in self.sessions if day.open > now_ns), default=0)

    def next_close(self, now_ns: int) -> int:
        return min((day.close for day in self.sessions if day.close > now_ns), default=0)


class _File(msgspec.Struct):
    feeds: dict[str, str]
    markets: dict[str, list[TradingSession]]


class Timetable:
    """The timetable of an instance, as its file was at the last look().

    Args:
        feeds: names of the feeds, in the order in which `sessions` answers.
        path: of the file; it need not exist (yet).
    """

    def __init__(self, feeds: Sequence[str], path: Path | None = None) -> None:
        self.feeds = tuple(feeds)
        self.path = path
        self.market_of: dict[str, str] = {}
        self.known: dict[str, Market] = {}
        self._version: tuple[int, int] | None = None

    def follow(self, feeds: Sequence[str]) -> None:
        """Answer for these feeds from now on."""
        self.feeds = tuple(feeds)

    def look(self) -> None:
        """Read the file if it was replaced."""
        if self.path is None:
            return
        try:
            found = self.path.lstat()
            version = (found.st_ino, found.st_mtime_ns)
            if version == self._version or found.st_uid != os.geteuid():
                return
            content = msgspec.json.decode(self.path.read_bytes(), type=_File)
        except OSError:  # not there yet, or deleted and its folder made anew by another user
            return
        self._version = version
        self.market_of = content.feeds
        self.known = {name: Market(days) for name, days in content.markets.items()}

    def sessions(self, now_ns: int) -> list[tuple[int, int, int]]:
        """Market.at of each feed, in order; UNKNOWN for a feed without a calendar."""
        at = {name: market.at(now_ns) for name, market in self.known.items()}
        nothing = (UNKNOWN, 0, 0)
        return [at.get(self.market_of.get(feed, ""), nothing) for feed in self.feeds]

    def markets(self, now_ns: int) -> list[MarketReport]:
        """All markets that some feed follows, by name."""
        return [
            MarketReport(
                name,
                tuple(feed for feed in self.feeds if self.market_of.get(feed) == name),
                PHASES[market.at(now_ns)[0]],
                market.next_open(now_ns),
                market.next_close(now_ns),
            )
            for name, market in sorted(self.known.items())
        ]


def hours_of(sessions: Sequence[TradingSession]) -> Hours:
    """The hours of these sessions."""

    def hours(midnight: int) -> tuple[int, int] | None:
        for session in sessions:
            if midnight <= session.open < midnight + DAY:
                return session.open - midnight, session.close - midnight
        return None

    return hours


def hours_by_timetable(feed: str, path: Path | None) -> Hours:
    """The hours of a feed by its instance's timetable, read again when it is another file."""
    timetable = Timetable((feed,), path)

    def hours(midnight: int) -> tuple[int, int] | None:
        timetable.look()
        market = timetable.known.get(timetable.market_of.get(feed, ""))
        return hours_of(market.sessions)(midnight) if market else None

    return hours


def timetable_path(instance: str) -> Path:
    """Where an instance's timetable is; its folder goes with its segments (segment.leftovers)."""
    return private_folder(instance) / "timetable"


def write_timetable(
    path: Path, feeds: Mapping[str, str], markets: Mapping[str, Sequence[TradingSession]]
) -> None:
    """Put a new timetable in the place of the old one.

    Raises:
        SegmentError: something that is not ours has the name of its folder.
        OSError: the file cannot be written.
    """
    content = _File(dict(feeds), {name: list(days) for name, days in markets.items()})
    put_private(path, msgspec.json.encode(content))

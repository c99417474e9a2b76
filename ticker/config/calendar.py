"""Which exchange calendar a feed follows: names, defaults by venue, extended hours.

Law: exchange_calendars is not imported here, nor anywhere but in the process that computes a
timetable (supervisor/feeds/calendar.py): it brings pandas, and need not be installed. Its calendars
are known by its files.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from datetime import date
from importlib.util import find_spec
from pathlib import Path

from ticker.config.feeds import FeedConfig
from ticker.config.timetables import shipped_calendars

NONE = "none"
NEW_YORK = "XNYS"
US_EQUITIES = frozenset(
    {
        "XNYS", "XNAS", "ARCX", "XASE", "XCIS", "XCHI", "XBOS", "XPHL", "XPSX", "BATS", "BATY",
        "EDGA", "EDGX", "IEXG", "MEMX", "EPRL", "LTSE", "XADF", "FINN", "FINC", "OOTC", "OTCM",
    }
)  # fmt: skip
"""MICs that keep the hours of the New York Stock Exchange."""
US_HOURS = ("04:00", "20:00")
"""Extended hours of the US equity venues, US/Eastern."""
US_REGULAR = ("09:30", "16:00")
"""Regular hours of the US equity venues on all but a few days, US/Eastern."""
LIBRARY = "`pip install 'ticker[calendars]'`"
"""What computes the calendars and years that are not shipped."""
CLOCK = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")


def calendar_names() -> frozenset[str]:
    """The calendars that are shipped, and those of exchange_calendars where that is installed."""
    return shipped_calendars() | library_names()


def library_names() -> frozenset[str]:
    """The calendars of exchange_calendars, by its files, without aliases; none where it is not."""
    found = find_spec("exchange_calendars")
    folders = found.submodule_search_locations or [] if found else []
    names = (
        path.stem.removeprefix("exchange_calendar_").upper()
        for folder in folders
        for path in Path(folder).glob("exchange_calendar_*.py")
    )
    return frozenset(names)


def calendar_of(feed: FeedConfig) -> str | None:
    """The feed's calendar: as configured, else its venue's; None: it trades around the clock,
    or its hours are unknown. A simulated exchange is always open."""
    if feed.calendar is not None:
        return None if feed.calendar == NONE else feed.calendar
    if feed.simulator is not None:
        return None
    if feed.venue in US_EQUITIES:
        return NEW_YORK
    return feed.venue if feed.venue in calendar_names() else None


def extended_hours(feed: FeedConfig) -> tuple[str | None, str | None]:
    """Local times ("04:00") at which trading begins before the regular open and ends after the
    regular close; None: with it."""
    pre, post = US_HOURS if calendar_of(feed) == NEW_YORK else (None, None)
    return feed.pre_open or pre, feed.post_close or post


def may_be_short(day: date) -> bool:
    """Whether US equity venues may close early or stay closed on this day: true around Independence
    Day, Thanksgiving and the end of the year. The calendar has the exact days."""
    around = {7: range(1, 7), 11: range(21, 31), 12: range(22, 32)}
    return day.day in around.get(day.month, ())


def calendar_problems(feed: FeedConfig) -> Iterator[str]:
    """The faults of a feed's calendar keys."""
    name = feed.calendar
    if name is not None and name != NONE and name not in (known := calendar_names()):
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        advice = f"did you mean {near[0]}?" if near else "take a MIC like XNYS, XLON or XTKS"
        more = "" if library_names() else f"; {LIBRARY} brings further ones"
        yield f'calendar: no calendar {name!r}, {advice} ("{NONE}": open around the clock){more}'
    yield from _venue_problems(feed)
    for key in ("pre_open", "post_close"):
        text = getattr(feed, key)
        if text is not None and not CLOCK.fullmatch(text):
            yield f"{key}: {text!r} is no time of day, like 04:00"


def _venue_problems(feed: FeedConfig) -> Iterator[str]:
    """A fault for a venue that looks like a misspelt known one: its feed would have no hours, and
    its prices would count as those of another venue."""
    known = US_EQUITIES | calendar_names()
    if not feed.venue or feed.venue in known or feed.calendar is not None:
        return
    near = sorted(mic for mic in known if _is_slip(feed.venue, mic, mic in US_EQUITIES))
    if near:
        yield (
            f"venue: no hours are known for the MIC {feed.venue!r}; did you mean "
            f"{' or '.join(near)}? If it is right, say its hours by `calendar` "
            f'("{NONE}": around the clock)'
        )


def _is_slip(text: str, meant: str, other_letter: bool) -> bool:
    """Whether two neighbouring letters are swapped or, where that counts, one letter differs."""
    if len(text) != len(meant):
        return False
    wrong = [place for place in range(len(text)) if text[place] != meant[place]]
    if len(wrong) == 2 and wrong[1] == wrong[0] + 1:
        first, second = wrong
        return (text[first], text[second]) == (meant[second], meant[first])
    return other_letter and len(wrong) == 1

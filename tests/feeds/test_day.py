"""Session dates: midnight in New York, on days of any length."""

from __future__ import annotations

from datetime import date

import pytest

from ticker.config.filter import elapsed_hours
from ticker.feeds.day import day_around, midnight_ns, session_day
from ticker.units import parse_timestamp


@pytest.mark.parametrize(
    ("day", "midnight"),
    [
        (date(2020, 1, 30), "2020-01-30T05:00:00Z"),
        (date(2020, 7, 1), "2020-07-01T04:00:00Z"),
        (date(2026, 3, 8), "2026-03-08T05:00:00Z"),
        (date(2026, 3, 9), "2026-03-09T04:00:00Z"),
        (date(2026, 11, 1), "2026-11-01T04:00:00Z"),
        (date(2026, 11, 2), "2026-11-02T05:00:00Z"),
    ],
)
def test_midnight(day: date, midnight: str) -> None:
    start = midnight_ns(day)
    assert start == parse_timestamp(midnight)
    assert session_day(start) == day
    assert session_day(start - 1) < day


def test_other_time_zones() -> None:
    day = date(2020, 1, 30)
    assert midnight_ns(day, "America/Chicago") - midnight_ns(day) == 3_600_000_000_000
    assert session_day(midnight_ns(day), "America/Chicago") == date(2020, 1, 29)


HALF_PAST_NINE, FOUR = (hour * 3600 * 10**9 for hour in (9.5, 16))


@pytest.mark.parametrize(
    ("day", "shift"), [(date(2026, 3, 6), 0), (date(2026, 3, 8), -1), (date(2026, 11, 1), 1)]
)
def test_hours_are_what_clocks_show(day: date, shift: int) -> None:
    hours = int(HALF_PAST_NINE), int(FOUR)
    hour = 3600 * 10**9
    found = elapsed_hours(hours, midnight_ns(day), "America/New_York")
    assert found == (hours[0] + shift * hour, hours[1] + shift * hour)
    # Before the clocks change at 02:00 nothing is different; a day ends with its last hour.
    assert elapsed_hours((hour, 24 * hour), midnight_ns(day), "America/New_York") == (
        hour, (24 + shift) * hour,
    )  # fmt: skip


def test_a_day_has_as_many_hours_as_it_has() -> None:
    for day, hours in ((date(2026, 3, 8), 23), (date(2026, 3, 9), 24), (date(2026, 11, 1), 25)):
        start, end = day_around(midnight_ns(day) + 3 * 3600 * 10**9)
        assert (start, end - start) == (midnight_ns(day), hours * 3600 * 10**9)

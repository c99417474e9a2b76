"""Session dates: midnight in New York, on days of any length."""

from __future__ import annotations

from datetime import date

import pytest

from ticker.feeds.day import midnight_ns, session_day
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

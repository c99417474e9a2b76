"""Times as text, held against `ticker.units` and `datetime`."""

from __future__ import annotations

import contextlib
import re
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ticker import units
from ticker.errors import DecodeError
from ticker.feeds.json.times import TimeZone, by_pattern, iso, pattern_problem

ZONES = (
    "UTC", "America/New_York", "Europe/London", "Asia/Kolkata", "Australia/Lord_Howe",
    "America/Sao_Paulo", "Africa/Casablanca", "Asia/Kathmandu", "Pacific/Apia",
)  # fmt: skip
KNOWN = {name: TimeZone(name) for name in ZONES}


def ns(when: datetime) -> int:
    since = when - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1000


@given(
    st.datetimes(datetime(1678, 1, 1), datetime(2261, 12, 30)),
    st.integers(-23 * 60, 23 * 60),
    st.integers(0, 999),
)
def test_times(when: datetime, east: int, finer: int) -> None:
    zone = timezone(timedelta(minutes=east))
    text = when.strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0") + f".{when.microsecond:06}{finer:03}"
    text += f"{'-' if east < 0 else '+'}{abs(east) // 60:02}:{abs(east) % 60:02}"
    expected = ns(when.replace(tzinfo=zone)) + finer
    assert iso(text.encode()) == expected == units.parse_timestamp(text)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2025-12-01T10:00:00Z", "2025-12-01T10:00:00Z"),
        ("2026-04-07 14:30:10.000000000+00:00", "2026-04-07T14:30:10Z"),
        ("2021-10-13T08:00:00.08960768Z", "2021-10-13T08:00:00.089607680Z"),
        ("2022-04-28T16:48:08-04:00", "2022-04-28T20:48:08Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"),
        ("2021-10-13T08:00:00.1234567899Z", "2021-10-13T08:00:00.123456789Z"),
        ("2026-04-07T14:30:10+0000", "2026-04-07T14:30:10Z"),
        ("2026-04-07T14:30:10.25-0430", "2026-04-07T19:00:10.25Z"),
        ("2026-04-07T14:30:10+05", "2026-04-07T09:30:10Z"),
        ("2026-04-07 14:30:10 +0530", "2026-04-07T09:00:10Z"),
        ("2026-04-07 14:30:10 Z", "2026-04-07T14:30:10Z"),
    ],
)
def test_ways_to_write_a_time(text: str, same: str) -> None:
    assert iso(text.encode()) == units.parse_timestamp(same)


@pytest.mark.parametrize(
    "text",
    [
        "", "2025-12-01", "2025-12-01T10:00:00", "2025-13-01T10:00:00Z", "2025-02-29T10:00:00Z",
        "2025-12-01T24:00:00Z", "2025-12-01T10:00:00.Z", "2025-12-01T10:00:00+010",
        "2025-12-01T10:00:00Zx", "2262-12-01T10:00:00Z", "1600-12-01T10:00:00Z",
        "2025-12-01T10:00:00+24:00", "2025-12-01T10:00:00+1060", "2025-12-01T10:00:00 ",
        "2025-12-01T10:00:00+", "20251201T100000Z", "2025-12-0xT10:00:00Z",
    ],
)  # fmt: skip
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(DecodeError):
        iso(text.encode())


WALL = st.datetimes(datetime(1971, 1, 1), datetime(2099, 12, 1))


@given(WALL, st.sampled_from(ZONES))
@example(datetime(2026, 11, 1, 1, 30), "America/New_York")
@example(datetime(2026, 3, 8, 2, 30), "America/New_York")
@example(datetime(2026, 3, 8, 3, 0), "America/New_York")
@example(datetime(2026, 11, 1, 2, 0), "America/New_York")
def test_times_without_an_offset(when: datetime, zone: str) -> None:
    """By the zone's clock; of an hour that comes twice the first, as PEP 495 has it (fold 0)."""
    text = when.strftime("%Y-%m-%dT%H:%M:%S") + f".{when.microsecond:06}"
    expected = ns(when.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC))
    assert iso(text.encode(), KNOWN[zone]) == expected
    assert iso(text.encode() + b"Z", KNOWN[zone]) == ns(when.replace(tzinfo=UTC))
    with pytest.raises(DecodeError, match="no time zone is given"):
        iso(text.encode())


PATTERNS = (
    "%Y-%m-%d %H:%M:%S", "%d-%m-%Y %H:%M:%S", "%Y%m%d-%H:%M:%S.%f", "%m/%d/%Y %I:%M:%S %p",
    "%d-%b-%Y %H:%M:%S", "%y%m%d%H%M%S", "%H:%M:%S %d-%m-%Y", "100%% %Y.%m.%d %H:%M",
    "%Y-%m-%dT%H:%M:%S.%f%z",
)  # fmt: skip


@given(st.datetimes(datetime(2000, 1, 1), datetime(2068, 1, 1)), st.sampled_from(PATTERNS))
def test_patterns(when: datetime, pattern: str) -> None:
    text = when.replace(tzinfo=UTC).strftime(pattern)
    expected = datetime.strptime(text, pattern).replace(tzinfo=UTC)
    assert by_pattern(pattern, text.encode(), KNOWN["UTC"]) == ns(expected)


@pytest.mark.parametrize(
    ("pattern", "text", "same"),
    [
        ("%Y%m%d-%H:%M:%S.%f", "20260331-13:30:00", "2026-03-31T13:30:00Z"),
        ("%m/%d/%Y %I:%M:%S %p", "3/1/2026 4:05:09 pm", "2026-03-01T16:05:09Z"),
        ("%m/%d/%Y %I:%M:%S %p", "3/1/2026 12:05:09 AM", "2026-03-01T00:05:09Z"),
        ("%d %b %Y %H:%M %z", "31 MAR 2026 09:30 -0400", "2026-03-31T13:30:00Z"),
        (
            "%Y-%m-%d %H:%M:%S.%f",
            "2026-03-31 13:30:00.1234567899",
            "2026-03-31T13:30:00.123456789Z",
        ),
    ],
)
def test_ways_to_write_a_time_by_a_pattern(pattern: str, text: str, same: str) -> None:
    assert by_pattern(pattern, text.encode(), KNOWN["UTC"]) == units.parse_timestamp(same)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("%d-%m-%Y %H:%M:%S", "31-02-2026 13:30:00"), ("%d-%m-%Y %H:%M:%S", "31-03-2026 13:30"),
        ("%d-%m-%Y %H:%M:%S", "31-03-2026 13:30:00 "), ("%d-%m-%Y %H:%M:%S", "1-3-26 13:30:00"),
        ("%d-%b-%Y %H:%M", "31-Mrz-2026 13:30"), ("%Y%m%d %I:%M %p", "20260331 13:30 PM"),
        ("%Y%m%d %I:%M %p", "20260331 01:30 XM"), ("%Y%m%d %H:%M%z", "20260331 13:30"),
    ],
)  # fmt: skip
def test_what_does_not_fit_a_pattern(pattern: str, text: str) -> None:
    with pytest.raises(DecodeError):
        by_pattern(pattern, text.encode(), KNOWN["UTC"])


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("%Y-%m-%d %q", "%q is none of"), ("%Y-%m-%d", "without %H"), ("%m-%d %H", "without %Y"),
        ("%Y-%m-%d %I", "%I and %p"), ("%Y-%m-%d %H %p", "%I and %p"), ("%Y %m %d %H %H", "twice"),
        ("%Y %m %d %H%", "% is none"), ("%Y %m %d %H \u00e9", "ASCII"), ("", "without %Y"),
    ],
)  # fmt: skip
def test_what_is_no_pattern(pattern: str, words: str) -> None:
    assert words in pattern_problem(pattern)
    with pytest.raises(ValueError, match=re.escape(words)):
        by_pattern(pattern, b"", None)


@given(st.binary(max_size=40), st.sampled_from(PATTERNS))
def test_any_bytes_are_a_time_or_refused(data: bytes, pattern: str) -> None:
    for zone in (None, KNOWN["America/New_York"]):
        with contextlib.suppress(DecodeError):
            iso(data, zone)
        with contextlib.suppress(DecodeError):
            by_pattern(pattern, data, zone)


def test_there_must_be_such_a_zone() -> None:
    for name in ("Mars/Olympus", "", "../etc/passwd"):
        with pytest.raises(ValueError, match="no time zone"):
            TimeZone(name)

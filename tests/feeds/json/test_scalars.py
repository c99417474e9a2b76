"""Numbers and times as text, held against `ticker.units` and `decimal`."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ticker import units
from ticker.errors import DecodeError
from ticker.feeds.json.scalars import decimal, rfc3339

INT64 = 2**63

NUMBERS = st.from_regex(r"[+-]?[0-9]{1,22}(\.[0-9]{0,22})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"178.52", 178_520_000_000),
        (b"0.1", 100_000_000),
        (b"0.000000001", 1),
        (b"-3.5", -3_500_000_000),
        (b"1e2", 100_000_000_000),
        (b"1.5E-3", 1_500_000),
        (b"105944.20", 105_944_200_000_000),
        (b"9223372036.854775807", INT64 - 1),
        (b"1.0000000000000000000000000000", 1_000_000_000),
        (b"0e999", 0),
    ],
)
def test_prices(text: bytes, expected: int) -> None:
    assert decimal(text, 9) == expected


@pytest.mark.parametrize(
    "text",
    [
        b"", b"-", b".", b"e5", b"1e", b"1e+", b"1.2.3", b"0x10", b"1_0", b" 1", b"1 ", b"nan",
        b"inf", b"0.0000000001", b"1e-10", b"9223372036.854775808", b"1e400", b"99999999999",
        b"100000000000000000000", b"1.00000000000000000000000001",
    ],
)  # fmt: skip
def test_what_is_no_price(text: bytes) -> None:
    with pytest.raises(DecodeError):
        decimal(text, 9)


@given(NUMBERS, st.integers(0, 9), st.booleans())
@example("900000000000000000000", 0, True)
@example("92233720368547758.079", 3, False)
def test_decimal_is_exact(text: str, decimals: int, cut: bool) -> None:
    exact = Decimal(text).scaleb(decimals)
    whole = int(exact)
    possible = abs(exact) < INT64 and (cut or whole == exact)
    try:
        found = decimal(text.encode(), decimals, cut)
    except DecodeError:
        # Refused, although possible, only where more digits are given than an int64 has.
        assert not possible or len(text) > 18
    else:
        assert found == whole
        assert possible


@given(st.binary(max_size=40))
def test_any_bytes_are_a_number_or_refused(data: bytes) -> None:
    for cut in (False, True):
        with contextlib.suppress(DecodeError):
            decimal(data, 9, cut)
    with contextlib.suppress(DecodeError):
        rfc3339(data)


@given(
    st.datetimes(datetime(1678, 1, 1), datetime(2261, 12, 30)),
    st.integers(-23 * 60, 23 * 60),
    st.integers(0, 999),
)
def test_times(when: datetime, east: int, ns: int) -> None:
    zone = timezone(timedelta(minutes=east))
    text = when.strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0") + f".{when.microsecond:06}{ns:03}"
    text += f"{'-' if east < 0 else '+'}{abs(east) // 60:02}:{abs(east) % 60:02}"
    since = when.replace(tzinfo=zone) - datetime(1970, 1, 1, tzinfo=UTC)
    expected = (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1000 + ns
    assert rfc3339(text.encode()) == expected == units.parse_timestamp(text)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2025-12-01T10:00:00Z", "2025-12-01T10:00:00Z"),
        ("2026-04-07 14:30:10.000000000+00:00", "2026-04-07T14:30:10Z"),
        ("2021-10-13T08:00:00.08960768Z", "2021-10-13T08:00:00.089607680Z"),
        ("2022-04-28T16:48:08-04:00", "2022-04-28T20:48:08Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"),
        ("2021-10-13T08:00:00.1234567899Z", "2021-10-13T08:00:00.123456789Z"),
    ],
)
def test_ways_to_write_a_time(text: str, same: str) -> None:
    assert rfc3339(text.encode()) == units.parse_timestamp(same)


@pytest.mark.parametrize(
    "text",
    [
        "", "2025-12-01", "2025-12-01T10:00:00", "2025-13-01T10:00:00Z", "2025-02-29T10:00:00Z",
        "2025-12-01T24:00:00Z", "2025-12-01T10:00:00.Z", "2025-12-01T10:00:00+0100",
        "2025-12-01T10:00:00Zx", "2262-12-01T10:00:00Z", "1600-12-01T10:00:00Z",
        "2025-12-01T10:00:00+24:00", "20251201T100000Z", "2025-12-0xT10:00:00Z",
    ],
)  # fmt: skip
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(DecodeError):
        rfc3339(text.encode())

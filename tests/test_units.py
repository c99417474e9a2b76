"""Prices, sizes and times against decimal.Decimal and datetime, to the ends of their range."""

from __future__ import annotations

import contextlib
import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticker.errors import DecodeError
from ticker.units import (
    format_price,
    format_size,
    format_timestamp,
    parse_price,
    parse_size,
    parse_timestamp,
    utc,
    utc_midnight,
)

LOWEST, HIGHEST = -(2**63), 2**63 - 1
int64 = st.integers(LOWEST, HIGHEST)
# hypothesis likes small numbers; these reach every length and every run of zeros
spread = st.builds(
    lambda sign, digits, zeros: max(LOWEST, min(HIGHEST, sign * digits * 10**zeros)),
    st.sampled_from((-1, 1)), st.integers(0, 10**9), st.integers(0, 18),
)  # fmt: skip
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NS = 1_000_000_000
DAY = 86_400 * NS


def micros(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("price", "text"),
    [
        (0, "0"),
        (1, "0.000000001"),
        (-1, "-0.000000001"),
        (185_430_000_000, "185.43"),
        (185_400_000_000, "185.4"),
        (185_000_000_000, "185"),
        (185_040_000_000, "185.04"),
        (-10_000_000, "-0.01"),
        (10 * NS, "10"),
        (100 * NS, "100"),
        (123_456_789, "0.123456789"),
        (1_000_100, "0.0010001"),
        (HIGHEST, "9223372036.854775807"),
        (LOWEST, "-9223372036.854775808"),
    ],
)
def test_price_text(price: int, text: str) -> None:
    assert format_price(price) == text
    assert parse_price(text) == price


@given(st.one_of(int64, spread))
def test_prices_agree_with_decimal(price: int) -> None:
    text = format_price(price)
    assert Decimal(text) == Decimal(price).scaleb(-9)
    assert parse_price(text) == price
    assert re.fullmatch(r"-?(0|[1-9]\d*)(\.\d{0,8}[1-9])?", text)  # the shortest there is


@pytest.mark.parametrize("price", [HIGHEST + 1, LOWEST - 1])
def test_a_price_beyond_int64_is_not_formatted(price: int) -> None:
    with pytest.raises(OverflowError):
        format_price(price)


@pytest.mark.parametrize(
    ("text", "price"),
    [
        ("-0", 0),
        ("0e500", 0),
        ("0.000e-500", 0),
        ("1e-9", 1),
        ("1.50E+2", 150 * NS),
        ("1.", NS),
        ("0" * 5000 + "1", NS),
        ("1." + "0" * 5000, NS),
        ("1" + "0" * 300 + "e-300", NS),
        ("0." + "0" * 300 + "1e301", NS),
        ("9223372036854775807e-9", HIGHEST),
    ],
)
def test_unusual_price_text(text: str, price: int) -> None:
    assert parse_price(text) == price


@pytest.mark.parametrize(
    ("text", "why"),
    [("", "not a decimal"), ("-", "not a decimal"), (".5", "not a decimal"),
     ("+1", "not a decimal"), ("1 ", "not a decimal"), ("1,5", "not a decimal"),
     ("nan", "not a decimal"), ("inf", "not a decimal"), ("0x1", "not a decimal"),
     ("1e", "not a decimal"), ("1e1000", "not a decimal"), ("--1", "not a decimal"),
     ("\u0661", "not a decimal"), ("1\n", "not a decimal"),
     ("1e-10", "finer than 1e-9"), ("0.0000000001", "finer than 1e-9"),
     ("1." + "0" * 5000 + "1", "finer than 1e-9"),
     ("9223372036.854775808", "out of range"), ("-9223372036.854775809", "out of range"),
     ("1e999", "out of range"), ("9" * 6000, "out of range")],
)  # fmt: skip
def test_text_that_is_no_price(text: str, why: str) -> None:
    with pytest.raises(DecodeError, match=why) as caught:
        parse_price(text)
    assert len(str(caught.value)) < 100


@pytest.mark.slow
@given(
    st.one_of(
        st.decimals(allow_nan=False, allow_infinity=False).map(str),
        st.from_regex(r"-?\d{1,12}(\.\d{0,12})?([eE][+-]?\d{1,3})?", fullmatch=True),
        st.text(),
    )
)
def test_price_text_parses_as_decimal_does_or_not_at_all(text: str) -> None:
    try:
        price = parse_price(text)
    except DecodeError as error:
        if "not a decimal" not in str(error):
            exact = Decimal(text).scaleb(9)
            assert exact != exact.to_integral_value() or not LOWEST <= exact <= HIGHEST
    else:
        assert Decimal(price) == Decimal(text).scaleb(9)


@given(st.one_of(st.integers(0, 2**64 - 1), spread.map(abs)), st.integers(0, 19))
def test_sizes_agree_with_decimal(size: int, exponent: int) -> None:
    text = format_size(size, exponent)
    assert Decimal(text) == Decimal(size).scaleb(-exponent)
    assert parse_size(text, exponent) == size
    assert re.fullmatch(r"(0|[1-9]\d*)(\.\d*[1-9])?", text)


@pytest.mark.parametrize(
    ("size", "exponent", "text"),
    [(0, 0, "0"), (0, 19, "0"), (100, 0, "100"), (100, 2, "1"), (1, 8, "0.00000001"),
     (2**64 - 1, 0, "18446744073709551615"), (2**64 - 1, 19, "1.8446744073709551615"),
     (1, 19, "0.0000000000000000001")],
)  # fmt: skip
def test_size_text(size: int, exponent: int, text: str) -> None:
    assert format_size(size, exponent) == text


@pytest.mark.parametrize("text", ["-1", "18446744073709551616", "1e20", "x"])
def test_text_that_is_no_size(text: str) -> None:
    with pytest.raises(DecodeError, match="size"):
        parse_size(text)


@pytest.mark.parametrize("exponent", [-1, 20])
def test_a_size_exponent_that_does_not_fit(exponent: int) -> None:
    with pytest.raises(ValueError, match="0 to 19 are possible"):
        format_size(1, exponent)


@pytest.mark.parametrize(
    ("ns", "text"),
    [(0, "1970-01-01T00:00:00.000000Z"), (-1, "1969-12-31T23:59:59.999999Z"),
     (-1_000, "1969-12-31T23:59:59.999999Z"), (-NS, "1969-12-31T23:59:59.000000Z"),
     (-DAY, "1969-12-31T00:00:00.000000Z"),
     (1_774_794_601_234_000_999, "2026-03-29T14:30:01.234000Z"),
     (HIGHEST, "2262-04-11T23:47:16.854775Z"), (LOWEST, "1677-09-21T00:12:43.145224Z")],
)  # fmt: skip
def test_timestamp_text(ns: int, text: str) -> None:
    for other in (ns, 0, HIGHEST, LOWEST):  # whatever second the last call left behind
        format_timestamp(other)
        assert format_timestamp(ns) == text


@pytest.mark.parametrize("year", [1700, 1900, 1968, 1972, 2000, 2024, 2100])
def test_leap_days(year: int) -> None:
    """The last of February, leap year or not, and the days at both sides."""
    march = datetime(year, 3, 1, tzinfo=UTC)
    for days in (-2, -1, 0):
        day = march + timedelta(days=days)
        assert format_timestamp(micros(day) * 1000) == day.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@given(st.lists(st.one_of(int64, st.integers(-3 * NS, 3 * NS)), min_size=1, max_size=8))
def test_timestamps_agree_with_datetime(times: list[int]) -> None:
    """Several in a row, as the text of the last second is kept between calls."""
    for ns in times:
        moment = EPOCH + timedelta(microseconds=ns // 1000)
        text = format_timestamp(ns)
        assert text == moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
        assert utc(ns) == moment
        if ns // 1000 * 1000 >= LOWEST:
            assert parse_timestamp(text) == ns // 1000 * 1000
        assert utc_midnight(ns) <= ns < utc_midnight(ns) + DAY
        assert utc_midnight(ns) % DAY == 0


@given(
    st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1)),
    st.integers(-23 * 60 - 59, 23 * 60 + 59),
)
def test_times_with_offsets_agree_with_datetime(naive: datetime, minutes: int) -> None:
    moment = naive.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    assert parse_timestamp(moment.isoformat()) == micros(moment) * 1000


@pytest.mark.parametrize(
    ("text", "ns"),
    [("1970-01-01T00:00:00Z", 0), ("1970-01-01t00:00:00.1z", NS // 10),
     ("1970-01-01 00:00:00.123456789-00:00", 123_456_789),
     ("1970-01-01T00:00:00+01:00", -3600 * NS), ("2016-12-31T23:59:60Z", 1_483_228_800 * NS),
     ("2024-02-29T00:00:00Z", 1_709_164_800 * NS),
     ("2262-04-11T23:47:16.854775807Z", HIGHEST),
     ("1677-09-21T00:12:43.145224192Z", LOWEST)],
)  # fmt: skip
def test_time_text(text: str, ns: int) -> None:
    assert parse_timestamp(text) == ns


@pytest.mark.parametrize(
    "text",
    ["", "now", "2026-03-29", "2026-03-29T14:30:01", "2026-03-29T14:30Z", "2026-3-29T14:30:01Z",
     "2023-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-10T00:00:00Z",
     "0000-01-01T00:00:00Z", "2026-03-29T24:00:00Z", "2026-03-29T23:60:00Z",
     "2026-03-29T23:59:61Z", "2026-03-29T14:30:01.Z", "2026-03-29T14:30:01.1234567890Z",
     "2026-03-29T14:30:01+24:00", "2026-03-29T14:30:01+01:60", "2026-03-29T14:30:01+0100",
     "2262-04-11T23:47:16.854775808Z", "1677-09-21T00:12:43.145224191Z",
     "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "2026-03-29T14:30:01Z\n"],
)  # fmt: skip
def test_text_that_is_no_time(text: str) -> None:
    with pytest.raises(DecodeError, match="time"):
        parse_timestamp(text)


@given(st.text())
def test_any_text_is_a_time_or_a_decode_error(text: str) -> None:
    with contextlib.suppress(DecodeError):
        parse_timestamp(text)

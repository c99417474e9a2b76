"""Numbers as text, held against `decimal`."""

from __future__ import annotations

import contextlib
from decimal import ROUND_HALF_UP, Context, Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ticker.errors import DecodeError
from ticker.feeds.json.scalars import decimal

INT64 = 2**63
WIDE = Context(prec=2000, Emax=10**6, Emin=-(10**6))

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


@given(NUMBERS, st.integers(0, 9), st.sampled_from(["exact", "cut", "round"]))
@example("900000000000000000000", 0, "cut")
@example("92233720368547758.079", 3, "exact")
@example("9000000000.1234567895", 9, "round")
@example("0.5", 0, "round")
@example("-0.05", 1, "round")
@example("9999999999999999999.5", 0, "round")
def test_decimal_is_exact(text: str, decimals: int, finer: str) -> None:
    exact = Decimal(text).scaleb(decimals, WIDE)
    whole = int(exact)
    if finer == "round":
        whole = int(exact.quantize(Decimal(1), ROUND_HALF_UP, WIDE))
    possible = abs(whole) < INT64 and (finer != "exact" or whole == exact)
    try:
        found = decimal(text.encode(), decimals, finer)
    except DecodeError:
        # Refused, although possible, only where more digits are given than an int64 has.
        assert not possible or len(text) > 18
    else:
        assert found == whole
        assert possible


@given(st.binary(max_size=40))
def test_any_bytes_are_a_number_or_refused(data: bytes) -> None:
    for finer in ("exact", "cut", "round"):
        with contextlib.suppress(DecodeError):
            decimal(data, 9, finer)


@pytest.mark.parametrize(
    ("text", "decimals", "expected"),
    [
        (b"178.52999877929688", 2, 17_853),
        (b"178.52999877929688", 4, 1_785_300),
        (b"185.42000000000002", 9, 185_420_000_000),
        (b"43251.30078125", 2, 4_325_130),
        (b"1.005", 2, 101),
        (b"-1.005", 2, -101),
        (b"1.0049999999999999999999", 2, 100),
        (b"0.4999999999999999999999999", 0, 0),
        (b"1e-30", 9, 0),
        (b"9.5e-1", 0, 1),
    ],
)
def test_rounding(text: bytes, decimals: int, expected: int) -> None:
    """A half away from zero, of the number as it is written: no float is between."""
    assert decimal(text, decimals, "round") == expected

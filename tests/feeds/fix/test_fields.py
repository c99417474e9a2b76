"""FIX text: frames, fields, numbers and times."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticker.errors import DecodeError
from ticker.feeds.fix.fields import fields, frame
from ticker.feeds.fix.message import encode, parse, utc_timestamp
from ticker.feeds.fix.values import decimal, rounded, timestamp

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

tags = st.integers(1, 99_999).filter(lambda tag: tag not in range(89, 97))
values = st.binary(max_size=20).map(lambda value: value.replace(b"\x01", b""))


def test_the_published_frames(samples: Path) -> None:
    lines = (samples / "fix" / "md_frames_42_44.jsonl").read_text().splitlines()
    valid = 0
    for line in lines:
        sample = json.loads(line)
        data = sample["frame_pipe"].replace("|", "\x01").encode()
        try:
            found = frame(data)
        except DecodeError:
            found = None
        assert (found is not None) == sample["valid"], sample["source"]
        valid += found is not None
        if found:
            assert found[0].decode() == sample["begin_string"]
            assert len(found[1]) == sample["body_length_actual"]
    assert (len(lines), valid) == (16, 7)


def test_a_cut_frame_waits_and_a_changed_one_is_garbled() -> None:
    whole = encode(b"FIX.4.4", [(35, b"0"), (34, b"2"), (49, b"A"), (56, b"B")])
    assert frame(whole) == (b"FIX.4.4", b"35=0\x0134=2\x0149=A\x0156=B\x01")
    for length in range(len(whole)):
        assert frame(whole[:length]) is None
    for at in range(len(whole)):
        changed = bytes([*whole[:at], whole[at] ^ 1, *whole[at + 1 :]])
        with suppress(DecodeError):
            assert frame(changed) is None


@pytest.mark.parametrize(
    "data",
    [
        b"8=FIX.4.4\x019=\x0135=0\x01",
        b"8=FIX.4.4\x019=9999999\x0135=0\x01",
        b"8=FIX.4.4\x0134=1\x019=5\x01",
        b"8=FIX.4.4.and.so.on.for.ever\x01",
        b"9=5\x018=FIX.4.4\x0135=0\x01",
        b"8=FIX.4.4\x019=5\x0134=0\x0110=000\x01",
        b"8=FIX.4.4\x019=5\x0135=0\x0110=0\x01 ",
    ],
)
def test_garbled(data: bytes) -> None:
    with pytest.raises(DecodeError):
        frame(data + b" " * 40)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_frame_or_not(data: bytes) -> None:
    for each in (data, b"8=FIX.4.4\x019=" + data, b"8=FIX.4.4\x019=20\x0135=" + data):
        with suppress(DecodeError):
            frame(each)


@given(st.binary(max_size=200))
def test_both_readers_of_fields_agree(data: bytes) -> None:
    try:
        found = fields(data)
    except DecodeError:
        found = None
    try:
        also = parse(data)
    except DecodeError:
        assert found is None
        return
    # The reader for people lets tags through that the session must name in a Reject.
    assert found == also or any(not tag > 0 for tag, _ in also)


@given(st.lists(st.tuples(tags, values), max_size=20))
def test_what_was_encoded_is_read(sent: list[tuple[int, bytes]]) -> None:
    body = [(35, b"W"), *sent]
    begin, text = frame(encode(b"FIX.4.2", body)) or (b"", b"")
    assert begin == b"FIX.4.2"
    if not {tag for tag, _ in sent} & {212, 348, 350, 352, 354, 356, 358, 360, 362, 364, 445}:
        assert fields(text) == body == parse(text)


def test_data_fields_may_have_the_delimiter() -> None:
    body = b"35=A\x0195=5\x0196=a\x01b=c\x01108=30\x01"
    expected = [(35, b"A"), (95, b"5"), (96, b"a\x01b=c"), (108, b"30")]
    assert fields(body) == expected == parse(body)
    for wrong in (b"95=500\x0196=a\x01", b"95=1\x0196=abc\x01", b"95=18446744073709551617\x0196"):
        with pytest.raises(DecodeError):
            fields(wrong)
        with pytest.raises(DecodeError):
            parse(wrong)


@given(st.decimals(-(10**9), 10**9, places=9))
def test_decimals_are_exact(number: Decimal) -> None:
    assert decimal(f"{number:f}".encode()) == int(number * 10**9)


@given(st.binary(max_size=24))
def test_any_bytes_are_a_number_or_not(text: bytes) -> None:
    try:
        value = decimal(text)
    except DecodeError:
        return
    assert Decimal(text.decode()) * 10**9 == value


@given(
    st.decimals(allow_nan=False, allow_infinity=False, places=15, min_value=-9e5, max_value=9e5),
    st.integers(0, 9),
)
def test_rounding_is_exact(number: Decimal, kept: int) -> None:
    """A half away from zero, of the digits as they are written."""
    wanted = number.quantize(Decimal(1).scaleb(-kept), ROUND_HALF_UP)
    assert rounded(f"{number:f}".encode(), kept) == int(wanted.scaleb(9))


@given(st.binary(max_size=20), st.integers(0, 9))
def test_any_bytes_are_rounded_or_no_number(text: bytes, kept: int) -> None:
    with suppress(DecodeError):
        number = rounded(text, kept)
        assert number == int(
            Decimal(text.decode()).quantize(Decimal(1).scaleb(-kept), ROUND_HALF_UP).scaleb(9)
        )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"00104.840000", 104_840_000_000),
        (b"1.", 1_000_000_000),
        (b".5", 500_000_000),
        (b"-0.000000001", -1),
        (b"9223372036.854775", 9_223_372_036_854_775_000),
        (b"1.50000000000000", 1_500_000_000),
    ],
)
def test_decimals(text: bytes, value: int) -> None:
    assert decimal(text) == value


@pytest.mark.parametrize(
    "text", [b"", b"-", b".", b"+1", b"1e3", b"1.2.3", b" 1", b"0.0000000001", b"9223372037"]
)
def test_no_decimals(text: bytes) -> None:
    with pytest.raises(DecodeError):
        decimal(text)


@given(st.integers(0, 9 * 10**18))
def test_times(ns: int) -> None:
    assert timestamp(utc_timestamp(ns)) == ns - ns % 1_000_000
    day = EPOCH + timedelta(microseconds=ns // 1000)
    assert timestamp(f"{day:%Y%m%d-%H:%M:%S.%f}".encode()) == ns - ns % 1000


@pytest.mark.parametrize(
    "text",
    [
        b"20260229-00:00:00",
        b"20261301-00:00:00",
        b"20260431-00:00:00",
        b"20260101 00:00:00",
        b"20260101-24:00:00",
        b"20260101-00:60:00",
        b"20260101-00:00:00.",
        b"20260101-00:00:00.0123456789",
        b"2026010100:00:00",
        b"",
    ],
)
def test_no_times(text: bytes) -> None:
    with pytest.raises(DecodeError):
        timestamp(text)

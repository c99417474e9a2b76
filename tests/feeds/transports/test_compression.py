"""Compressed messages: their inflated texts, and refused ones."""

from __future__ import annotations

import contextlib
import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticker.errors import FeedError
from ticker.feeds.transports.compression import inflated

TEXT = b'{"sym":"AAPL","px":178.52,"ts":1}'


def deflated(text: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(text) + packer.flush()


@pytest.mark.parametrize("level", range(10))
def test_gzip_and_zlib_are_known_by_their_first_bytes(level: int) -> None:
    assert inflated(gzip.compress(TEXT, level)) == TEXT
    assert inflated(zlib.compress(TEXT, level)) == TEXT
    assert inflated(gzip.compress(TEXT[:9]) + gzip.compress(TEXT[9:])) == TEXT


def test_raw_deflate_is_said() -> None:
    assert inflated(deflated(TEXT), "deflate") == TEXT
    assert inflated(gzip.compress(TEXT), "none") == gzip.compress(TEXT)


@pytest.mark.parametrize("text", [b"", b"{", b"[", TEXT, b'"x"', b"\xff", b"1", b" 1", b"null"])
def test_a_text_is_left_as_it_is(text: bytes) -> None:
    assert inflated(text) == text


def test_no_more_is_inflated_than_may_be() -> None:
    """A bomb of a thousand times its size is refused before it is that long."""
    bomb = zlib.compress(b"0" * 10_000_000)
    assert len(bomb) < 20_000
    with pytest.raises(FeedError, match="longer than"):
        inflated(bomb, longest=100_000)
    with pytest.raises(FeedError, match="longer than"):
        inflated(gzip.compress(TEXT) * 4, longest=3 * len(TEXT))
    assert inflated(zlib.compress(TEXT), longest=len(TEXT)) == TEXT


@pytest.mark.parametrize(
    "data",
    [
        gzip.compress(TEXT)[:-3], gzip.compress(TEXT)[:12], gzip.compress(TEXT) + b"x",
        zlib.compress(TEXT)[:-1], zlib.compress(TEXT)[:-1] + b"\0", b"\x1f\x8b\x08" + b"\xff" * 40,
    ],
)  # fmt: skip
def test_what_is_damaged_is_refused(data: bytes) -> None:
    with pytest.raises(FeedError, match="compressed message"):
        inflated(data)


@given(st.binary(max_size=200), st.sampled_from(["auto", "none", "deflate"]))
def test_any_bytes_are_a_message_or_refused(data: bytes, compression: str) -> None:
    for each in (data, b"\x1f\x8b\x08" + data, b"\x78\x9c" + data):
        with contextlib.suppress(FeedError):
            assert len(inflated(each, compression, 1000)) <= max(1000, len(each))


@given(st.binary(max_size=500))
def test_every_text_comes_back(text: bytes) -> None:
    assert inflated(gzip.compress(text)) == inflated(zlib.compress(text)) == text
    assert inflated(deflated(text), "deflate") == text

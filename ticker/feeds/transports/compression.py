"""Messages that are compressed, one by one: gzip, zlib, raw deflate (RFC 1952, 1950, 1951).

Law: bytes in, bytes out. What inflates to more than LONGEST is refused before it is that long.

A JSON text begins with neither a gzip nor a zlib header, so those are known by their first bytes.
Raw deflate has no header: a mapping says so.
"""

from __future__ import annotations

import zlib

from ticker.errors import FeedError

LONGEST = 1 << 24
"""Bytes of a message, inflated."""
GZIP = zlib.MAX_WBITS | 16
ZLIB = zlib.MAX_WBITS
DEFLATE = -zlib.MAX_WBITS


class TooLongError(FeedError):
    """It is longer than is read."""


def inflated(data: bytes, compression: str = "auto", longest: int = LONGEST) -> bytes:
    """A binary message as the text that it is; `compression` as a mapping's [stream] says it.

    Raises:
        FeedError: it is damaged; TooLongError: it inflates to more than `longest` bytes.
    """
    window = DEFLATE if compression == "deflate" else _window(data) if compression == "auto" else 0
    if not window:
        return data
    text = b""
    while data:
        part, data = _member(data, window, longest - len(text))
        text += part
    return text


def _window(data: bytes) -> int:
    """What zlib calls this form; 0: it is not compressed."""
    if data[:3] == b"\x1f\x8b\x08":
        return GZIP
    if (
        len(data) > 2
        and data[0] & 15 == 8
        and data[0] >> 4 < 8
        and not (data[0] << 8 | data[1]) % 31
    ):
        return ZLIB
    return 0


def _member(data: bytes, window: int, longest: int) -> tuple[bytes, bytes]:
    """What one stream inflates to, and what is behind it."""
    inflater = zlib.decompressobj(window)
    try:
        text = inflater.decompress(data, longest + 1)
    except zlib.error as error:
        raise FeedError(f"a compressed message cannot be read ({error})") from None
    if len(text) > longest:
        raise TooLongError(f"a compressed message is longer than {LONGEST} bytes")
    if not inflater.eof and window != DEFLATE:
        raise FeedError("a compressed message is cut off")
    return text, inflater.unused_data if window == GZIP else b""

"""Messages that are compressed, one by one: gzip, zlib, raw deflate (RFC 1952, 1950, 1951).

Law: bytes in, bytes out. A message that would inflate to more than LONGEST is refused before it
    does.

A JSON text begins with neither a gzip nor a zlib header, so these two are recognized by their first
    bytes. Raw deflate has no header, so the mapping has to name it.
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
    """The message is longer than the limit."""


def inflated(data: bytes, compression: str = "auto", longest: int = LONGEST) -> bytes:
    """The text of a binary message; `compression` is that of the mapping's [stream].

    Raises:
        FeedError: the message is damaged.
        TooLongError: it inflates to more than `longest` bytes.
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
    """The `wbits` of zlib for this form; 0: not compressed."""
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
    """The inflated bytes of one stream, and the bytes after it."""
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

"""A client's deflated message (RFC 7692, section 7.2.2), with a bound on its size.

Law: any bytes give a message of at most `most` bytes or an InflateError; no more than `most` and
one byte are ever made of them.
"""

from __future__ import annotations

import zlib

_TAIL = b"\x00\x00\xff\xff"
_WINDOW_BITS = -15  # any window that a client may have taken; a raw stream
TOO_BIG = 1009
BAD_PAYLOAD = 1007


class InflateError(Exception):
    """`code`: the close code, 1007 or 1009."""

    def __init__(self, code: int) -> None:
        super().__init__(f"closes with {code}")
        self.code = code


def inflate(deflated: bytes, most: int, *, is_text: bool) -> bytes:
    """The message, which took over no context. `most`: its bytes.

    Raises:
        InflateError: 1009, it is longer; 1007, it is no deflated stream, or no UTF-8 where it is a
            text.
    """
    rest, message = deflated + _TAIL, b""
    try:
        while rest:
            stream = zlib.decompressobj(_WINDOW_BITS)
            message += stream.decompress(rest, most + 1 - len(message))
            if len(message) > most:
                raise InflateError(TOO_BIG)
            if not stream.eof:
                break
            rest = stream.unused_data  # behind a block that said it was the last (7.2.3.4)
        if is_text:
            message.decode()
    except (zlib.error, UnicodeDecodeError):
        raise InflateError(BAD_PAYLOAD) from None
    return message

"""Messages of Cboe's gap request proxy and spin servers, in unsequenced units on a stream.

    header    0        2       3      4          8
              | length | count | unit | sequence | count x message, each with its length first

Unit and sequence are 0. Law: no socket and no clock; bytes in, messages out.
Source: Cboe US Equities Multicast PITCH 2.41, sections on the gap request proxy and spin.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

from ticker.errors import FeedError

HEADER = struct.Struct("<HBBI")
LOGIN = struct.Struct("<BB4s4s2s10s")
LOGIN_RESPONSE = struct.Struct("<BBc")
GAP_REQUEST = struct.Struct("<BBBIH")
GAP_RESPONSE = struct.Struct("<BBBIHc")
SPIN = struct.Struct("<BBI")
"""Image available, request and finished: a sequence."""
SPIN_RESPONSE = struct.Struct("<BBIIc")

TYPE_LOGIN = 0x01
TYPE_LOGIN_RESPONSE = 0x02
TYPE_GAP_REQUEST = 0x03
TYPE_GAP_RESPONSE = 0x04
TYPE_SPIN_IMAGE_AVAILABLE = 0x80
TYPE_SPIN_REQUEST = 0x81
TYPE_SPIN_RESPONSE = 0x82
TYPE_SPIN_FINISHED = 0x83

MOST_IN_FRAME = 255
MOST_BYTES = 65_535 - HEADER.size


def frame(*messages: bytes) -> bytes:
    """Messages after one header; without messages it is a heartbeat."""
    body = b"".join(messages)
    return HEADER.pack(HEADER.size + len(body), len(messages), 0, 0) + body


def frames(messages: Iterable[bytes]) -> bytes:
    """Messages in as few frames as possible."""
    out: list[bytes] = []
    some: list[bytes] = []
    size = 0
    for message in messages:
        if len(some) == MOST_IN_FRAME or size + len(message) > MOST_BYTES:
            out.append(frame(*some))
            some, size = [], 0
        some.append(message)
        size += len(message)
    if some:
        out.append(frame(*some))
    return b"".join(out)


class FrameReader:
    """Cuts a stream into messages; it may come in any pieces."""

    def __init__(self) -> None:
        self._start = b""

    def receive_data(self, data: bytes) -> Iterator[list[bytes]]:
        """The messages of each frame that is whole now; of a heartbeat none.

        Raises:
            FeedError: the bytes are no frame. The stream must be closed.
        """
        data = self._start + data
        at = 0
        try:
            while len(data) - at >= HEADER.size:
                length, count, _, _ = HEADER.unpack_from(data, at)
                if length < HEADER.size:
                    raise FeedError(f"a frame of {length} bytes: its header alone has 8")
                if len(data) - at < length:
                    break
                body = data[at + HEADER.size : at + length]
                at += length
                yield _split(body, count)
        finally:
            self._start = data[at:]


def _split(body: bytes, count: int) -> list[bytes]:
    """The messages of one frame. Raises FeedError: they do not fill it."""
    messages = []
    at = 0
    for _ in range(count):
        length = body[at] if at < len(body) else 0
        if length < 2 or at + length > len(body):
            raise FeedError(f"a frame of {count} messages: no whole message at byte {8 + at}")
        messages.append(body[at : at + length])
        at += length
    if at != len(body):
        raise FeedError(f"a frame of {count} messages: {len(body) - at} bytes too many")
    return messages

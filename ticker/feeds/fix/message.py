"""FIX messages in Python: session messages, and all others outside of the fast path.

Law: bytes in, fields out. Market data in sequence is never read here (fix/stream.pyx).
Source: FIX 4.4 volume 1 ("Message Format", "Data Types"), volume 2 (session messages).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from ticker.errors import DecodeError

Fields = list[tuple[int, bytes]]

SOH = b"\x01"
DATA_LENGTHS = {tag: tag + 1 for tag in (90, 95, 212, 348, 350, 352, 354, 356, 358, 360, 362, 364)}
DATA_LENGTHS |= {tag: tag + 1 for tag in (445, 618, 621)} | {93: 89}
"""Length fields, and the data field that each one is for."""

HEADER = frozenset({8, 9, 34, 35, 43, 49, 50, 52, 56, 57, 90, 91, 97, 115, 116, 122, 128, 129})
HEADER |= {142, 143, 144, 145, 212, 213, 347, 369, 370, 627, 628, 629, 630}
TRAILER = frozenset({10, 89, 93})

_TAG = re.compile(rb"(-?)(0|[1-9][0-9]{0,8})=")


class Message:
    """One message: its kind (35), and its fields in the order in which they came."""

    __slots__ = ("begin_string", "body", "fields", "kind", "received", "values")

    def __init__(self, begin_string: bytes, body: bytes, received: int) -> None:
        self.begin_string = begin_string
        self.body = body
        self.received = received
        self.fields = parse(body)
        self.values: dict[int, bytes] = {}
        for tag, value in self.fields:
            self.values.setdefault(tag, value)
        self.kind = self.values.get(35, b"").decode("ascii", "replace")

    def get(self, tag: int) -> bytes:
        """The first field of this tag, empty if there is none."""
        return self.values.get(tag, b"")

    def text(self, tag: int) -> str:
        """The text of a field, for messages to people."""
        return self.get(tag).decode("latin-1")

    def number(self, tag: int) -> int | None:
        """The number in a field, None if it is not all digits."""
        value = self.get(tag)
        return int(value) if value.isdigit() and len(value) <= 18 else None

    def flag(self, tag: int) -> bool:
        """Whether a Boolean field is present and Y."""
        return self.get(tag) == b"Y"


def parse(body: bytes) -> Fields:
    """The fields of a message body. Raises DecodeError: some are not tag=value and SOH."""
    found: Fields = []
    at = 0
    data_tag: int | None = None
    data_length = 0
    while at < len(body):
        match = _TAG.match(body, at)
        if match is None:
            raise DecodeError(f"FIX field at byte {at}: no tag")
        tag = int(match[2]) * (-1 if match[1] else 1)
        start = match.end()
        end = start + data_length if data_tag == tag else body.find(SOH, start)
        if end < 0 or body[end : end + 1] != SOH:
            raise DecodeError(f"FIX field {tag} at byte {at}: does not end")
        value = body[start:end]
        found.append((tag, value))
        is_length = tag in DATA_LENGTHS and value.isdigit() and len(value) <= 18
        data_tag, data_length = (DATA_LENGTHS[tag], int(value)) if is_length else (None, 0)
        at = end + 1
    return found


def encode(begin_string: bytes, fields: Iterable[tuple[int, bytes]]) -> bytes:
    """A whole frame: 8 and 9 before `fields` (35 first), 10 after them."""
    body = b"".join(b"%d=%b\x01" % field for field in fields)
    head = b"8=%b\x019=%d\x01" % (begin_string, len(body))
    return b"%b%b10=%03d\x01" % (head, body, sum(head + body) % 256)


def utc_timestamp(now_ns: int) -> bytes:
    """UTCTimestamp with milliseconds: 20260329-14:30:01.234."""
    moment = datetime.fromtimestamp(now_ns // 1_000_000_000, UTC)
    milliseconds = now_ns % 1_000_000_000 // 1_000_000
    return f"{moment:%Y%m%d-%H:%M:%S}.{milliseconds:03}".encode()

"""A Cboe feed for tests: numbered messages in units, and a session that keeps what it hears."""

from __future__ import annotations

import struct
from typing import Any

from tests.feeds.session_types import RETRANSMISSION, Heard
from ticker.feeds.sessions.cboe_unit import CboeUnit

GAP_LINE = RETRANSMISSION
LAST = 2**32 - 1
CLEAR = b"\x06\x97\0\0\0\0"


def text(sequence: int, unit: int = 1) -> bytes:
    """A message of a type that no version has, saying its unit and sequence."""
    return struct.pack("<BBBI", 7, 0xF0, unit, sequence)


def packet(sequence: int, *messages: bytes, unit: int = 1) -> bytes:
    body = b"".join(messages)
    return struct.pack("<HBBI", 8 + len(body), len(messages), unit, sequence) + body


def after(sequence: int, number: int = 1) -> int:
    """The number of the message so many after another one; none is 0."""
    return (sequence - 1 + number) % LAST + 1


def numbered(sequence: int, number: int = 1, unit: int = 1) -> bytes:
    messages = [text(after(sequence, index), unit) for index in range(number)]
    return packet(sequence, *messages, unit=unit)


class Feed(Heard):
    """A session of units; called with what a line brings."""

    __call__ = Heard.send

    def __init__(self, **options: Any) -> None:
        super().__init__(CboeUnit, **options)

    def heard(self, unit: int = 1) -> list[int]:
        """The sequences delivered of a unit."""
        found = [struct.unpack("<BBBI", m) for m in self.messages if m[1] == 0xF0]
        return [sequence for _, _, of, sequence in found if of == unit]

    def wanted(self) -> list[tuple[int, int, int]]:
        """(unit, sequence, count) of the Gap Requests that are due."""
        found = []
        for request in self.session.data_to_send(self.now):
            length, count, unit, sequence, size, kind, of, first, number = struct.unpack(
                "<HBBIBBBIH", request
            )
            assert (length, count, unit, sequence, size, kind) == (17, 1, 0, 0, 9, 3)
            found.append((of, first, number))
        return found

"""What a day of the simulated venues lacks: crosses, conditions, and breaks of any trade.

Between the packets of a generated day come official crosses of ITCH and breaks of random trades of
all three venues, also of trades that set no price, of extended hours and of crosses. The vendor's
trades get sale conditions of the tapes. The seed is fixed.
"""

from __future__ import annotations

import itertools
import random
import struct
from collections.abc import Iterator
from dataclasses import replace

from tests.proof.book import Instrument
from tests.proof.recomputation import FEEDS, Recomputation
from tests.proof.rig import ITCH, PITCH, VENDOR, Packet

EACH = 12
"""Packets between two disturbances."""
CONDITIONS = ("F", "5", "X", "K", "C", "7", "V", "R", "N", "H", "T", "O", "6")
"""Those whose meaning is the same on all tapes, and depends on no other trade."""


class Disturbances:
    """Follows what the venues say; `truth` has what is there to be broken."""

    def __init__(self, truth: Recomputation, midnight: int) -> None:
        self.truth = truth
        self.midnight = midnight
        self.chance = random.Random(5)
        self.numbers = itertools.count(1 << 40)
        self.taken = 0
        self.broken = dict.fromkeys(FEEDS, 0)

    def among(self, packets: list[Packet]) -> list[Packet]:
        """The packets of a day and those that disturb it, numbered anew."""
        found: list[Packet] = []
        sequences: dict[str | int, int] = {ITCH: 1, 1: 1, 2: 1}
        for packet in packets:
            for each in (self._conditioned(packet), *self._after(packet)):
                numbered = _numbered(each, sequences)
                self.truth.take(numbered)
                found.append(numbered)
        return found

    def _conditioned(self, packet: Packet) -> Packet:
        if packet.feed != VENDOR:
            return packet
        data = packet.data
        while b'"c":["@"]' in data:
            letter = self.chance.choice(("", "", *CONDITIONS))
            codes = f'"c": ["@","{letter}"]' if letter else '"c": ["@"]'
            data = data.replace(b'"c":["@"]', codes.encode(), 1)
        return replace(packet, data=data)

    def _after(self, packet: Packet) -> Iterator[Packet]:
        self.taken += 1
        if self.taken % EACH:
            return
        feed = self.chance.choice(FEEDS)
        of = self._any(feed)
        if of is None:
            return
        name, traded = of
        if feed == ITCH and self.chance.random() < 0.3:
            body = self._cross(name, traded)
        else:
            trade = self.chance.choice(traded.tape[-5:])
            body = self._break(feed, name, int(str(trade.match)), traded)
            self.broken[feed] += 1
        yield Packet(packet.received, feed, 0, body)

    def _any(self, feed: str) -> tuple[str, Instrument] | None:
        """A symbol of the venue that has traded."""
        symbols = self.truth.venues[feed].symbols
        names = sorted(name for name, each in symbols.items() if each.tape)
        if not names:
            return None
        name = self.chance.choice(names)
        return name, symbols[name]

    def _break(self, feed: str, name: str, match: int, traded: Instrument) -> bytes:
        if feed == VENDOR:
            return b'[{"T":"x","S":"%s","i":%d,"x":"V","a":"C","t":"2026-03-27T14:00:00Z"}]' % (
                name.encode(), match,
            )  # fmt: skip
        if feed == PITCH:
            return struct.pack("<HBBI", 8 + 14, 1, 1, 0) + struct.pack("<BBIQ", 14, 0x2C, 0, match)
        return _mold(self._itch("B", name, traded) + struct.pack(">Q", match))

    def _cross(self, name: str, traded: Instrument) -> bytes:
        price = traded.tape[-1].price // 100_000
        kind = self.chance.choice(b"OC")
        size = self.chance.choice((5, 100, 4000))
        rest = struct.pack(">Q8sIQB", size, name.encode().ljust(8), price, next(self.numbers), kind)
        return _mold(self._itch("Q", name, traded) + rest)

    def _itch(self, kind: str, name: str, traded: Instrument) -> bytes:
        reader = self.truth.itch
        locate = next(each for each, symbol in reader.names.items() if symbol == name)
        time = max(trade.time for trade in traded.tape) - self.midnight
        return struct.pack(">cHH", kind.encode(), locate, 0) + time.to_bytes(6, "big")


def _mold(message: bytes) -> bytes:
    head = b"GENERATED " + struct.pack(">QH", 0, 1)
    return head + struct.pack(">H", len(message)) + message


def _numbered(packet: Packet, sequences: dict[str | int, int]) -> Packet:
    """The sequence number that is next on its stream."""
    data = bytearray(packet.data)
    if packet.feed == ITCH:
        struct.pack_into(">Q", data, 10, sequences[ITCH])
        sequences[ITCH] += int.from_bytes(data[18:20], "big")
    elif packet.feed == PITCH:
        unit = data[3]
        struct.pack_into("<I", data, 4, sequences[unit])
        sequences[unit] += data[2]
    return replace(packet, data=bytes(data))

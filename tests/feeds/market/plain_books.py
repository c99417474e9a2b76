"""Books in plain Python, from the bytes of a venue, in the slowest way that is obviously right.

Each reader takes datagrams or framed messages, and says which symbols it has touched. It has its
own reading of the specifications and shares no code with the decoders.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

E5, E7 = 100_000, 10_000_000  # 1e-9 units in 1e-4 and in 1e-2
Side = list[tuple[int, int]]


@dataclass
class PlainBook:
    """Orders by reference, or the sizes of levels; prices in 1e-9."""

    orders: dict[int, tuple[str, str, int, int]] = field(default_factory=dict)
    levels: dict[tuple[str, str], dict[int, int]] = field(default_factory=lambda: defaultdict(dict))

    def add(self, reference: int, symbol: str, side: str, size: int, price: int) -> str:
        self.orders[reference] = (symbol, side, size, price)
        return symbol

    def take(self, reference: int, size: int) -> str:
        symbol, side, left, price = self.orders.pop(reference)
        if left > size:
            self.orders[reference] = (symbol, side, left - size, price)
        return symbol

    def change(self, reference: int, size: int, price: int | None = None) -> str:
        symbol, side, _, before = self.orders.pop(reference)
        if size:
            self.orders[reference] = (symbol, side, size, before if price is None else price)
        return symbol

    def sides(self, symbol: str, most: int) -> tuple[Side, Side]:
        """The best `most` levels of bids and of asks."""
        found: dict[str, dict[int, int]] = {
            side: dict(self.levels.get((symbol, side), {})) for side in "BS"
        }
        for where, side, size, price in self.orders.values():
            if where == symbol:
                found[side][price] = found[side].get(price, 0) + size
        return (
            sorted(found["B"].items(), reverse=True)[:most],
            sorted(found["S"].items())[:most],
        )


class Itch:
    """ITCH 5.0, section 1.3 and 1.4: orders by reference; MoldUDP64 around the messages."""

    name = "itch50"

    def __init__(self) -> None:
        self.book = PlainBook()
        self.next = 0
        self.messages = 0

    def datagram(self, data: bytes) -> Iterator[str]:
        sequence, count = struct.unpack_from(">QH", data, 10)
        at = 20
        for number in range(sequence, sequence + (count if count != 0xFFFF else 0)):
            length = int.from_bytes(data[at : at + 2], "big")
            if number >= self.next:
                yield from self.message(data[at + 2 : at + 2 + length])
                self.next = number + 1
            at += 2 + length

    def settled(self, _: str) -> bool:
        return True

    def message(self, data: bytes) -> Iterator[str]:
        self.messages += 1
        kind, body = chr(data[0]), data[11:]
        if kind in "AF":
            reference, side, size, symbol, price = struct.unpack_from(">QcI8sI", body)
            yield self.book.add(reference, symbol.decode().strip(), side.decode(), size, price * E5)
        elif kind in "ECX":
            yield self.book.take(*struct.unpack_from(">QI", body))
        elif kind == "D":
            yield self.book.change(int.from_bytes(body[:8], "big"), 0)
        elif kind == "U":
            old, new, size, price = struct.unpack_from(">QQII", body)
            symbol, side, _, _ = self.book.orders.pop(old)
            yield self.book.add(new, symbol, side, size, price * E5)


class Pitch:
    """Cboe's multicast PITCH: orders by id; a unit's datagrams are numbered by themselves."""

    name = "pitch"

    def __init__(self) -> None:
        self.book = PlainBook()
        self.next: dict[int, int] = defaultdict(int)
        self.messages = 0

    def datagram(self, data: bytes) -> Iterator[str]:
        _, count, unit, sequence = struct.unpack_from("<HBBI", data)
        at = 8
        for number in range(sequence, sequence + count):
            message = data[at : at + data[at]]
            if number >= self.next[unit]:
                yield from self.message(message)
                self.next[unit] = number + 1
            at += data[at]

    def settled(self, _: str) -> bool:
        return True

    def message(self, data: bytes) -> Iterator[str]:
        self.messages += 1
        kind, body, book = data[1], data[6:], self.book
        if kind == 0x21:
            reference, side, size, symbol, price = struct.unpack_from("<QcI6sQ", body)
            yield book.add(reference, symbol.decode().strip(), side.decode(), size, price * E5)
        elif kind == 0x22:
            reference, side, size, symbol, price = struct.unpack_from("<QcH6sH", body)
            yield book.add(reference, symbol.decode().strip(), side.decode(), size, price * E7)
        elif kind == 0x2F:
            reference, side, size, symbol, price = struct.unpack_from("<QcI8sQ", body)
            yield book.add(reference, symbol.decode().strip(), side.decode(), size, price * E5)
        elif kind == 0x23 or kind == 0x25:
            yield book.take(*struct.unpack_from("<QI", body))
        elif kind == 0x24:
            reference, _, left = struct.unpack_from("<QII", body)
            yield book.change(reference, left)
        elif kind == 0x26:
            yield book.take(*struct.unpack_from("<QH", body))
        elif kind == 0x27:
            reference, size, price = struct.unpack_from("<QIQ", body)
            yield book.change(reference, size, price * E5)
        elif kind == 0x28:
            reference, size, price = struct.unpack_from("<QHH", body)
            yield book.change(reference, size, price * E7)
        elif kind == 0x29:
            yield book.change(int.from_bytes(body[:8], "little"), 0)


class Deep:
    """IEX DEEP: the size of each price level, valid when the event of the exchange is complete;
    IEX-TP around the messages."""

    name = "deep"

    def __init__(self) -> None:
        self.book = PlainBook()
        self.next = 0
        self.messages = 0
        self.waiting: dict[str, list[tuple[str, int, int]]] = defaultdict(list)  # of open events

    def datagram(self, data: bytes) -> Iterator[str]:
        (count,) = struct.unpack_from("<H", data, 14)
        (first,) = struct.unpack_from("<q", data, 24)
        at = 40
        for number in range(first, first + count):
            length = int.from_bytes(data[at : at + 2], "little")
            if number >= self.next:
                yield from self.message(data[at + 2 : at + 2 + length])
                self.next = number + 1
            at += 2 + length

    def settled(self, symbol: str) -> bool:
        """Whether no event is open: the server waits for its end for a second only."""
        return symbol not in self.waiting

    def message(self, data: bytes) -> Iterator[str]:
        self.messages += 1
        if data[0] not in b"85":
            return
        symbol, size, price = struct.unpack_from("<8sIq", data, 10)
        name, side = symbol.decode().strip(), "B" if data[:1] == b"8" else "S"
        self.waiting[name].append((side, price * E5, size))
        if not data[1] & 1:
            return
        for changed, at, left in self.waiting.pop(name):
            self.book.levels[name, changed].pop(at, None)
            if left:
                self.book.levels[name, changed][at] = left
        yield name

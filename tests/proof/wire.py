"""Three feeds read by the letter of their specifications, in plain Python and nothing of ticker:
ITCH 5.0 in MoldUDP64, PITCH 2.x in sequenced units, and Alpaca's JSON.

Each reader takes what one recorded packet or text holds, in order, and gives the symbols that it
touched. Packets of two lines are taken once, by their sequence; a gap is an error of the test.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from tests.proof.book import ASK, BID, Venue

E9 = 1_000_000_000
TENTHS = 100_000  # 1e-9 in a ten-thousandth of a dollar
CENT = 10_000_000
VOLUME_ONLY = set("ITC7VRNH")
"""Conditions of all tapes with which a trade sets no price (CTS 2.11b, UTP 4.1)."""
AUCTIONS = {b"O": "opening", b"C": "closing"}
"""By ITCH's Cross Type."""


class ItchReader:
    """Nasdaq TotalView-ITCH 5.0, section 1; MoldUDP64 1.00, downstream packet."""

    def __init__(self, venue: Venue, midnight: int) -> None:
        self.venue = venue
        self.midnight = midnight
        self.names: dict[int, str] = {}
        self.next = 1

    def packet(self, data: bytes, received: int) -> set[str]:
        sequence, count = struct.unpack(">QH", data[10:20])
        if count == 0xFFFF:
            return set()
        assert sequence <= self.next, f"packet {self.next} was not recorded"
        at, touched = 20, set()
        for number in range(sequence, sequence + count):
            (length,) = struct.unpack(">H", data[at : at + 2])
            if number == self.next:
                self.message(data[at + 2 : at + 2 + length], received)
                touched |= self.venue.end_of_message()
                self.next += 1
            at += 2 + length
        return touched

    def message(self, m: bytes, received: int) -> None:
        kind, locate = chr(m[0]), int.from_bytes(m[1:3], "big")
        time = self.midnight + int.from_bytes(m[5:11], "big")
        venue = self.venue
        if kind == "R":
            self.names[locate] = m[11:19].decode().strip()
            venue.symbols[self.names[locate]].listed = m[19:20] in b"QGS"
            venue.symbols[self.names[locate]].round_lot = int.from_bytes(m[21:25], "big")
        elif kind in "AF":
            reference, side, shares, _, price = struct.unpack(">QcI8sI", m[11:36])
            name = self.names[locate]
            venue.add(name, reference, BID if side == b"B" else ASK, shares, price * TENTHS)
        elif kind == "E":
            reference, shares, match = struct.unpack(">QIQ", m[11:31])
            name, _, _, cost = venue.remove(reference, shares)
            venue.trade(name, match, cost, shares, time, received)
        elif kind == "C":
            reference, shares, match, printable, price = struct.unpack(">QIQcI", m[11:36])
            name, *_ = venue.remove(reference, shares)
            if printable == b"Y":
                venue.trade(name, match, price * TENTHS, shares, time, received)
        elif kind == "X":
            venue.remove(*struct.unpack(">QI", m[11:23]))
        elif kind == "D":
            venue.remove(*struct.unpack(">Q", m[11:19]))
        elif kind == "U":
            old, new, shares, price = struct.unpack(">QQII", m[11:35])
            name, side_, *_ = venue.remove(old)
            venue.add(name, new, side_, shares, price * TENTHS)
        elif kind == "P":
            _, _, shares, _, price, match = struct.unpack(">QcI8sIQ", m[11:44])
            venue.trade(self.names[locate], match, price * TENTHS, shares, time, received)
        elif kind == "Q":
            shares, _, price, match, cross = struct.unpack(">Q8sIQc", m[11:40])
            if shares:
                venue.trade(
                    self.names[locate], match, price * TENTHS, shares, time, received,
                    auction=AUCTIONS.get(cross, "other"),
                )  # fmt: skip
        elif kind == "B":
            venue.take_back(self.names[locate], struct.unpack(">Q", m[11:19])[0])


class PitchReader:
    """Cboe US Equities Multicast PITCH 2.41: sequenced unit header (2.1), messages (4)."""

    AUCTION = 12  # C: the price is said by the Auction Summary
    ROUTED = 27 * 36**8  # the first of nine base-36 digits is R: printed elsewhere

    def __init__(self, venue: Venue, midnight: int) -> None:
        self.venue = venue
        self.midnight = midnight
        self.next: dict[int, int] = {}
        self.seconds: dict[int, int] = {}

    def packet(self, data: bytes, received: int) -> set[str]:
        _, count, unit, sequence = struct.unpack("<HBBI", data[:8])
        if not count or not sequence:
            return set()
        expected = self.next.setdefault(unit, 1)
        assert sequence <= expected, f"unit {unit}: message {expected} was not recorded"
        at, touched = 8, set()
        for number in range(sequence, sequence + count):
            message = data[at : at + data[at]]
            if number == self.next[unit]:
                self.message(unit, message, received)
                touched |= self.venue.end_of_message()
                self.next[unit] += 1
            at += data[at]
        return touched

    def message(self, unit: int, m: bytes, received: int) -> None:
        kind = m[1]
        if kind == 0x20:
            self.seconds[unit] = int.from_bytes(m[2:6], "little")
            return
        venue = self.venue
        offset = int.from_bytes(m[2:6], "little")
        time = self.midnight + self.seconds[unit] * E9 + offset
        if kind in (0x21, 0x22, 0x2F):
            reference, side = struct.unpack("<Qc", m[6:15])
            size, name, price = self.order(m, kind == 0x22, kind == 0x2F)
            venue.add(name, reference, BID if side == b"B" else ASK, size, price)
        elif kind == 0x23:
            reference, size, execution = struct.unpack("<QIQ", m[6:26])
            name, _, _, price = venue.remove(reference, size)
            venue.trade(name, execution, price, size, time, received)
        elif kind == 0x24:
            reference, size, left, execution, price = struct.unpack("<QIIQQ", m[6:38])
            name, side_, _, cost = venue.remove(reference)
            if left:
                venue.add(name, reference, side_, left, cost)
            self.print(name, execution, price * TENTHS, size, time, received)
        elif kind in (0x25, 0x26):
            venue.remove(*struct.unpack("<QI" if kind == 0x25 else "<QH", m[6:]))
        elif kind in (0x27, 0x28):
            long = kind == 0x27
            reference, size, price = struct.unpack("<QIQ" if long else "<QHH", m[6:-1])
            name, side_, *_ = venue.remove(reference)
            venue.add(name, reference, side_, size, price * (TENTHS if long else CENT))
        elif kind == 0x29:
            venue.remove(*struct.unpack("<Q", m[6:14]))
        elif kind in (0x2A, 0x2B, 0x30):
            size, name, price = self.order(m, kind == 0x2B, kind == 0x30)
            execution = int.from_bytes(m[{0x2A: 33, 0x2B: 25, 0x30: 35}[kind] :][:8], "little")
            self.print(name, execution, price, size, time, received)
        elif kind == 0x96:
            symbol, auction, price, shares = struct.unpack("<8scQI", m[6:27])
            if auction == b"O" and shares:
                venue.opened(symbol.decode().strip(), price * TENTHS, time)
            if auction == b"C" and shares:
                venue.closed(symbol.decode().strip(), price * TENTHS)
        elif kind == 0x2C:
            venue.take_back(None, int.from_bytes(m[6:14], "little"))

    @staticmethod
    def order(m: bytes, short: bool, expanded: bool) -> tuple[int, str, int]:
        """Size, symbol and price of an add or a trade, which have them at the same places."""
        if short:
            size, symbol, price = struct.unpack("<H6sH", m[15:25])
            return size, symbol.decode().strip(), price * CENT
        size, symbol, price = struct.unpack(
            "<I8sQ" if expanded else "<I6sQ", m[15:][: 20 if expanded else 18]
        )
        return size, symbol.decode().strip(), price * TENTHS

    def print(
        self, name: str, execution: int, price: int, size: int, time: int, received: int
    ) -> None:
        made = execution // 36**8
        if made != self.ROUTED // 36**8:
            auction = "other" if made == self.AUCTION else ""
            self.venue.trade(name, execution, price, size, time, received, auction=auction)


class AlpacaReader:
    """docs.alpaca.markets, real-time stock data: an array of records per text, by their T."""

    def __init__(self, venue: Venue, _midnight: int) -> None:
        self.venue = venue

    def packet(self, data: bytes, received: int) -> set[str]:
        touched = set()
        for record in json.loads(data, parse_float=Decimal, parse_int=Decimal):
            self.record(record, received)
            touched |= self.venue.end_of_message()
        return touched

    def record(self, of: dict[str, object], received: int) -> None:
        kind, name = of["T"], str(of.get("S"))
        if kind == "t":
            codes = set(of["c"])  # type: ignore[call-overload]
            outside = "T" in codes
            self.venue.trade(
                name, of["i"], exact(of["p"]), int(str(of["s"])), instant(str(of["t"])), received,
                eligible=not codes & VOLUME_ONLY, outside=outside and "I" not in codes,
                auction="opening" if "O" in codes else "closing" if "6" in codes else "",
            )  # fmt: skip
        elif kind == "q":
            self.venue.quote(
                name, exact(of["bp"]), int(str(of["bs"])),
                exact(of["ap"]), int(str(of["as"])),
            )  # fmt: skip
        elif kind == "x":
            self.venue.take_back(name, of["i"])


Reader = Callable[[bytes, int], set[str]]


def exact(price: object) -> int:
    scaled = Decimal(str(price)) * E9
    assert scaled == int(scaled)
    return int(scaled)


def instant(text: str) -> int:
    whole, _, fraction = text.removesuffix("Z").partition(".")
    seconds = int(datetime.fromisoformat(whole + "+00:00").timestamp())
    return seconds * E9 + int(fraction.ljust(9, "0"))

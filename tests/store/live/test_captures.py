"""The bars of every capture that has trades equal a recomputation, step by step: from the bytes of
the capture, and where PITCH is filtered, from the trades that pass."""

from __future__ import annotations

import json
import struct
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.feeds.market.test_depth_truth import split
from tests.proof.book import Venue
from tests.proof.wire import PitchReader
from tests.store.live.test_live_bars import CANCELLED, TRADE, Print, shown
from ticker.feeds.calls import (
    TRADE_COUNTS_VOLUME,
    TRADE_REGULAR,
    TRADE_SETS_LAST,
    TRADE_SETS_RANGE,
)
from ticker.feeds.day import midnight_ns
from ticker.feeds.transports.pcap import blocks
from ticker.feeds.workers.pipeline import CAPTURE_RULES, build
from ticker.shm.bars.published import SPAN_SECONDS, BarsReader, BarsWriter
from ticker.shm.header import Mapping
from ticker.shm.ring import RingReader
from ticker.shm.segment import Geometry, private_bars, private_feed
from ticker.shm.table import PriceTable
from ticker.store.live.bars import LiveBars

E9 = 1_000_000_000
E5 = 100_000  # 1e-9 units in 1e-4
IEX_HEAD = 40
Told = dict[tuple[str, int, int], dict[str, int]]
PRINT = 2
DAYS = 4  # the place of days in SPAN_SECONDS


class Iex:
    """TOPS 1.6 and DEEP 1.0, "Trade Report" and "Trade Break"; IEX-TP around the messages.

    Sale flags: 0x80 intermarket sweep, 0x40 extended hours, 0x20 odd lot, 0x10 trade-through
    exempt, 0x08 single-price cross. By the tapes' rules the second and the third set no price."""

    VOLUME_ALONE = 0x40 | 0x20

    def __init__(self, _: date) -> None:
        self.prints: list[Print] = []
        self.sale_flags: dict[int, int] = {}
        self.broken: set[int] = set()

    def take(self, data: bytes) -> None:
        """One packet."""
        at = IEX_HEAD
        while at + 2 <= len(data):
            size = int.from_bytes(data[at : at + 2], "little")
            message = data[at + 2 : at + 2 + size]
            at += 2 + size
            if message[:1] in (b"T", b"B") and size == 38:
                time, name, shares, price, number = struct.unpack_from("<q8sIqq", message, 2)
                symbol, order = name.decode().rstrip(), len(self.prints)
                if message[:1] == b"B":
                    self.broken.add(number)
                    continue
                self.sale_flags[number] = message[1]
                self.prints.append(
                    Print(symbol, "IEXG", time, price * E5, shares, TRADE_REGULAR, number, order)
                )

    def counted(self, passed: list[Print]) -> list[Print]:
        """The prints with what they count for, by their sale flags and the breaks so far; under the
        names of those that have passed."""
        names = {one.match: one.symbol for one in passed}
        for one in self.prints:
            one.symbol = names.get(one.match, one.symbol)
            marked = self.sale_flags[one.match] & self.VOLUME_ALONE
            one.flags = TRADE_COUNTS_VOLUME if marked else TRADE_REGULAR
            if one.match in self.broken:
                one.flags = 0
        return self.prints


class Itch:
    """ITCH 5.0, sections 1.3 to 1.5; each message behind its length."""

    def __init__(self, day: date) -> None:
        self.midnight = midnight_ns(day)
        self.prints: list[Print] = []
        self.orders: dict[int, int] = {}  # price of each

    def take(self, data: bytes) -> None:
        """One message."""
        message = data[2:]
        kind = message[:1]
        if kind in (b"A", b"F"):
            reference, _, _, _, price = struct.unpack_from(">QcI8sI", message, 11)
            self.orders[reference] = price
        elif kind == b"U":
            _, reference, _, price = struct.unpack_from(">QQII", message, 11)
            self.orders[reference] = price
        elif kind == b"E":
            reference, shares, match = struct.unpack_from(">QIQ", message, 11)
            self._print(message, self.orders[reference], shares, match)
        elif kind == b"P":
            _, _, shares, _, price, match = struct.unpack_from(">QcI8sIQ", message, 11)
            self._print(message, price, shares, match)
        else:
            assert kind not in (b"C", b"Q", b"B"), "this capture has none"

    def _print(self, message: bytes, price: int, shares: int, match: int) -> None:
        time = self.midnight + int.from_bytes(message[5:11], "big")
        order = len(self.prints)
        self.prints.append(
            Print("AAPL", "XNAS", time, price * E5, shares, TRADE_REGULAR, match, order)
        )


class Pitch:
    """PITCH 2, by the reader of tests/proof; the messages of unit 1 begin at `first`."""

    def __init__(self, day: date, first: int) -> None:
        self.venue = Venue("BATS")
        self.reader = PitchReader(self.venue, midnight_ns(day))
        self.reader.next[1] = first
        self.broken: set[int] = set()

    def take(self, data: bytes) -> None:
        """One packet."""
        self.reader.packet(data, 0)

    @property
    def prints(self) -> list[Print]:
        """In the order of time."""
        found = []
        for symbol, traded in self.venue.symbols.items():
            for order, one in enumerate(traded.tape):
                assert isinstance(one.match, int)
                found.append(
                    Print(
                        symbol, "BATS", one.time, one.price, one.size, TRADE_REGULAR, one.match,
                        order,
                    )
                )  # fmt: skip
        return sorted(found, key=lambda one: one.time)


class Passed:
    """What the decoder lets pass, from the ring: the trades, and those that are taken back."""

    def __init__(self, mapping: Mapping) -> None:
        self.prints: list[Print] = []
        self.ring, self.table = RingReader(mapping, 0), PriceTable(mapping)
        self.broken = 0

    def look(self) -> None:
        """After each step."""
        for words in self.ring.take(1 << 16):
            symbol, match = self.table.symbol(words["row"]), words["match"]
            if words["kind"] in (TRADE, PRINT):
                time, price, size = words["exchange_time"], words["price"], words["size"]
                flags, order = words["conditions"], len(self.prints)
                self.prints.append(Print(symbol, "", time, price, size, flags, match, order))
            elif words["kind"] == CANCELLED:
                (one,) = (p for p in self.prints if (p.symbol, p.match) == (symbol, match))
                one.flags = 0
                self.broken += 1


def figures(prints: list[Print]) -> dict[str, Any]:
    """The figures of a bar of one venue, from the trades of its time in their order."""
    last = sorted((one for one in prints if one.flags & TRADE_SETS_LAST), key=lambda one: one.time)
    ranged = [one.price for one in prints if one.flags & TRADE_SETS_RANGE]
    counted = [one for one in prints if one.flags & TRADE_COUNTS_VOLUME]
    volume = sum(one.size for one in counted)
    total = sum(one.price * one.size for one in counted)
    return {
        "open": last[0].price if last else None,
        "close": last[-1].price if last else None,
        "high": max(ranged, default=None),
        "low": min(ranged, default=None),
        "volume": volume,
        "trades": len(counted),
        "vwap": (2 * total + volume) // (2 * volume) if volume else None,
    }


class Watched:
    """The bars of a capture, held to the prints of a reader at each look."""

    def __init__(self, mapping: Mapping) -> None:
        segment = private_bars(8192, 1 << 14)
        self.bars = BarsReader(segment)
        self.live = LiveBars([("f", mapping)], BarsWriter(segment), 1 << 16)
        self.told: Told = {}

    def look(self, prints: list[Print], now: int) -> None:
        self.live.read(0)
        self.live.close(0)
        self.live.publish(now)
        for words in self.bars.take(1 << 14):
            name, length = self.bars.shared.name(words["symbol"]), SPAN_SECONDS[words["span"]] * E9
            start = words["start"]
            own = [
                one for one in prints if one.symbol == name and start <= one.time < start + length
            ]
            assert shown(words) == figures(own), (name, start)
            self.told[name, words["span"], start] = words

    def days(self) -> list[dict[str, int]]:
        return [words for (_, span, _), words in self.told.items() if span == DAYS]


STEPS = pytest.mark.parametrize("every", [pytest.param(1, marks=pytest.mark.stress), 1000])
"""Trades between two looks: each single one is a long run."""


@pytest.mark.slow
@STEPS
@pytest.mark.parametrize(
    ("file", "kind", "protocol", "day"),
    [
        ("iex/TOPS16.pcapng.gz", Iex, "tops", date(2017, 7, 10)),
        ("iex/DEEP10.s01.pcap.gz", Iex, "deep", date(2017, 4, 25)),
        ("itch/locate-13-10k.bin", Itch, "itch50", date(2020, 1, 30)),
    ],
)
def test_from_the_bytes(
    samples: Path, file: str, kind: type[Iex] | type[Itch], protocol: str, day: date, every: int
) -> None:
    path, framed = samples / file, kind is Itch
    mapping = private_feed(Geometry(8192, 1, 1 << 16), 1, 1)
    pipeline = build(mapping, protocol, "binaryfile" if framed else None, day, raw=True)
    reader, watched, seen = kind(day), Watched(mapping), 0
    for data, now, line in split(path) if framed else blocks(path):
        reader.take(bytes(data))
        pipeline.session.receive_data(bytes(data), line, now)
        pipeline.market.publish(now)
        if len(reader.prints) >= seen + every:
            seen = len(reader.prints)
            watched.look(reader.prints, now)
    watched.look(reader.prints, now)
    name = file.partition(".pcap")[0].removesuffix(".bin")
    truth = json.loads((samples / f"{name}.truth.json").read_text())
    counted = truth.get("totals") or next(iter(truth["symbols"].values()))
    of_days = watched.days()
    assert sum(words["trades"] for words in of_days) == counted["trades"]
    assert sum(words["volume"] for words in of_days) == counted["volume"]
    assert {words["start"] for words in of_days} == {midnight_ns(day)}
    for span, length in enumerate(SPAN_SECONDS[:DAYS]):
        starts = {(one.symbol, one.time // (length * E9) * length * E9) for one in reader.prints}
        assert starts == {(name, start) for name, at, start in watched.told if at == span}


@pytest.mark.slow
def test_pitch_from_the_bytes(samples: Path) -> None:
    """At each trade that the session lets through: it waits for the two messages that are missing
    at the capture's begin."""
    day = date(2014, 1, 1)
    mapping = private_feed(Geometry(64, 1, 1 << 12), 1, 1)
    pipeline = build(mapping, "pitch", None, day, raw=True)
    reader, watched, passed, looks = Pitch(day, first=3), Watched(mapping), Passed(mapping), 0
    for data, now, line in blocks(samples / "pitch/mcastpitch_realtime_useq.pcap"):
        reader.take(bytes(data))
        pipeline.session.receive_data(bytes(data), line, now)
        pipeline.market.publish(now)
        before = len(passed.prints)
        passed.look()
        if before < len(passed.prints) == len(reader.prints):
            looks += 1
            watched.look(reader.prints, now)
    path = samples / "pitch/mcastpitch_realtime_useq.truth.json"
    truth = json.loads(path.read_text())["trades"]
    midnight = midnight_ns(day)
    told = [
        (p.symbol, p.time - midnight, p.size, Decimal(p.price) / E9, p.match) for p in reader.prints
    ]
    names = ("symbol", "ts_ns", "size")
    assert told == [
        (*(each[name] for name in names), Decimal(each["price"]), int(each["execution_id"]))
        for each in truth
    ]
    assert (len(told), looks) == (6, 4)  # some come together in one packet
    of_days = watched.days()
    assert sum(words["trades"] for words in of_days) == len(told)
    assert sum(words["volume"] for words in of_days) == sum(each["size"] for each in truth)


@pytest.mark.slow
@STEPS
@pytest.mark.parametrize(
    ("file", "protocol", "day", "trades", "broken"),
    [
        ("iex/TOPS16.pcapng.gz", "tops", date(2017, 7, 10), 1000, 3),
        ("pitch/mcastpitch_realtime_useq.pcap", "pitch", date(2014, 1, 1), 6, 0),
    ],
)
def test_with_the_filter_and_breaks(
    samples: Path, file: str, protocol: str, day: date, trades: int, broken: int, every: int
) -> None:
    mapping = private_feed(Geometry(8192, 1, 1 << 16), 1, 1)
    rules = replace(CAPTURE_RULES, test_symbols=False)
    pipeline = build(mapping, protocol, None, day, rules=rules)
    passed, watched, seen, looks = Passed(mapping), Watched(mapping), 0, 0
    reader = Iex(day) if protocol == "tops" else Pitch(day, first=3)
    for data, now, line in blocks(samples / file):
        reader.take(bytes(data))
        pipeline.session.receive_data(bytes(data), line, now)
        pipeline.market.publish(now)
        before = passed.broken
        passed.look()
        due = len(passed.prints) >= seen + every or passed.broken > before
        truth = reader.counted(passed.prints) if isinstance(reader, Iex) and due else passed.prints
        if due and len(truth) == len(passed.prints):  # else the filter holds a jump
            seen = len(passed.prints)
            looks += 1
            watched.look(truth, now)
    pipeline.session.end_of_data(now)
    pipeline.market.publish(now)
    passed.look()
    watched.look(reader.counted(passed.prints) if isinstance(reader, Iex) else passed.prints, now)
    assert looks >= max(broken, trades // every // 2)
    assert len(passed.prints) >= trades
    assert passed.broken == broken
    assert {span for _, span, _ in watched.told} == set(range(len(SPAN_SECONDS)))
    said = {p.match: (p.time, p.price, p.size) for p in reader.prints}
    assert {p.match: (p.time, p.price, p.size) for p in passed.prints} == said
    assert {p.match for p in passed.prints if not p.flags} >= reader.broken
    assert len(reader.broken) == broken

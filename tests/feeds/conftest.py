"""Fixtures of the tests of feeds: ITCH messages made by struct, and a market for them."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import pytest

from tests.feeds.fix_venue import venue_at, wait_until
from tests.feeds.tables import row_of
from ticker.feeds.market.market import Market
from ticker.feeds.protocols.itch50 import Itch50
from ticker.feeds.transports import reconnect
from ticker.feeds.workers.pipeline import load_protocol
from ticker.shm.counters import Counters
from ticker.shm.header import Mapping
from ticker.shm.ring import RingReader
from ticker.shm.segment import Geometry, private_feed
from ticker.shm.table import PriceTable

E5 = 100_000
"""1e-9 units in one of ITCH's 1e-4."""


class Itch:
    """Messages of ITCH 5.0, field by field as section 1 of the specification lists them."""

    def head(self, kind: str, locate: int, time: int) -> bytes:
        return struct.pack(">cHH", kind.encode(), locate, 0) + time.to_bytes(6, "big")

    def system(self, code: str, time: int = 0) -> bytes:
        return self.head("S", 0, time) + code.encode()

    def directory(self, locate: int, symbol: str, test: bool = False, time: int = 0) -> bytes:
        rest = struct.pack(
            ">8sccIcc2scccccIc",
            symbol.ljust(8).encode(),
            b"Q",
            b"N",
            100,
            b"N",
            b"C",
            b"Z ",
            b"T" if test else b"P",
            b"N",
            b"N",
            b"1",
            b"N",
            0,
            b"N",
        )
        return self.head("R", locate, time) + rest

    def action(self, locate: int, symbol: str, state: str, time: int = 0) -> bytes:
        return self.head("H", locate, time) + f"{symbol:8}{state} T1  ".encode()[:14]

    def halt(self, locate: int, symbol: str, market: str, action: str, time: int = 0) -> bytes:
        return self.head("h", locate, time) + f"{symbol:8}{market}{action}".encode()

    def add(
        self,
        locate: int,
        ref: int,
        side: str,
        size: int,
        price: int,
        symbol: str = "AAPL",
        time: int = 0,
        mpid: str = "",
    ) -> bytes:
        rest = struct.pack(">QcI8sI", ref, side.encode(), size, symbol.ljust(8).encode(), price)
        return self.head("F" if mpid else "A", locate, time) + rest + mpid.encode()

    def execute(self, locate: int, ref: int, size: int, match: int, time: int = 0) -> bytes:
        return self.head("E", locate, time) + struct.pack(">QIQ", ref, size, match)

    def execute_at(
        self,
        locate: int,
        ref: int,
        size: int,
        match: int,
        price: int,
        printable: bool = True,
        time: int = 0,
    ) -> bytes:
        rest = struct.pack(">QIQcI", ref, size, match, b"Y" if printable else b"N", price)
        return self.head("C", locate, time) + rest

    def cancel(self, locate: int, ref: int, size: int, time: int = 0) -> bytes:
        return self.head("X", locate, time) + struct.pack(">QI", ref, size)

    def delete(self, locate: int, ref: int, time: int = 0) -> bytes:
        return self.head("D", locate, time) + struct.pack(">Q", ref)

    def replace(
        self, locate: int, ref: int, new: int, size: int, price: int, time: int = 0
    ) -> bytes:
        return self.head("U", locate, time) + struct.pack(">QQII", ref, new, size, price)

    def trade(
        self, locate: int, size: int, price: int, match: int, symbol: str = "AAPL", time: int = 0
    ) -> bytes:
        rest = struct.pack(">QcI8sIQ", 0, b"B", size, symbol.ljust(8).encode(), price, match)
        return self.head("P", locate, time) + rest

    def cross(
        self,
        locate: int,
        size: int,
        price: int,
        match: int,
        symbol: str = "AAPL",
        time: int = 0,
        kind: str = "O",
    ) -> bytes:
        rest = struct.pack(">Q8sIQc", size, symbol.ljust(8).encode(), price, match, kind.encode())
        return self.head("Q", locate, time) + rest

    def broken(self, locate: int, match: int, time: int = 0) -> bytes:
        return self.head("B", locate, time) + struct.pack(">Q", match)


class Iex:
    """Messages of TOPS 1.6 and DEEP 1.0, and IEX-TP segments of them."""

    def head(self, kind: str, flags: int | str, symbol: str, time: int) -> bytes:
        flag = ord(flags) if isinstance(flags, str) else flags
        return struct.pack("<cBq8s", kind.encode(), flag, time, symbol.ljust(8).encode())

    def system(self, event: str, time: int = 0) -> bytes:
        return struct.pack("<ccq", b"S", event.encode(), time)

    def security(self, symbol: str, close: int = 0, flags: int = 0, time: int = 0) -> bytes:
        return self.head("D", flags, symbol, time) + struct.pack("<IqB", 100, close, 1)

    def status(self, symbol: str, status: str, time: int = 0, reason: str = "") -> bytes:
        return self.head("H", status, symbol, time) + reason.ljust(4).encode()

    def halt(self, symbol: str, status: str, time: int = 0) -> bytes:
        return self.head("O", status, symbol, time)

    def quote(
        self,
        symbol: str,
        bid_size: int,
        bid: int,
        ask: int,
        ask_size: int,
        time: int = 0,
        flags: int = 0,
    ) -> bytes:
        rest = struct.pack("<IqqI", bid_size, bid, ask, ask_size)
        return self.head("Q", flags, symbol, time) + rest

    def level(
        self, side: str, symbol: str, size: int, price: int, time: int = 0, complete: bool = True
    ) -> bytes:
        kind = "8" if side == "B" else "5"
        return self.head(kind, int(complete), symbol, time) + struct.pack("<Iq", size, price)

    def trade(
        self,
        symbol: str,
        size: int,
        price: int,
        match: int,
        time: int = 0,
        flags: int = 0,
        kind: str = "T",
    ) -> bytes:
        return self.head(kind, flags, symbol, time) + struct.pack("<Iqq", size, price, match)

    def broken(self, symbol: str, size: int, price: int, match: int, time: int = 0) -> bytes:
        return self.trade(symbol, size, price, match, time, kind="B")

    def official(self, symbol: str, kind: str, price: int, time: int = 0) -> bytes:
        return self.head("X", kind, symbol, time) + struct.pack("<q", price)

    def segment(
        self,
        sequence: int,
        *messages: bytes,
        session: int = 0x43CD0001,
        channel: int = 1,
        protocol: int = 0x8003,
        send_time: int = 1,
        version: int = 1,
        payload: int = -1,
        count: int = -1,
    ) -> bytes:
        body = b"".join(len(message).to_bytes(2, "little") + message for message in messages)
        return (
            struct.pack(
                "<BBHIIHHqqq",
                version,
                0,
                protocol,
                channel,
                session,
                len(body) if payload < 0 else payload,
                len(messages) if count < 0 else count,
                0,
                sequence,
                send_time,
            )
            + body
        )


FRAMINGS: dict[str, tuple[int, Literal["big", "little"], int]] = {
    "u16 big": (2, "big", 0),
    "u16 little": (2, "little", 0),
    "u8 whole": (1, "big", 1),  # the length is the message's first byte, and counts itself
}
"""Of each: bytes of the length, their order, and how many of them belong to the message."""


def read_sample(path: Path, framing: str) -> list[bytes]:
    """The messages of a sample."""
    width, order, within = FRAMINGS[framing]
    data, found = path.read_bytes(), []
    while data:
        length = int.from_bytes(data[:width], order)
        start = 0 if within else width
        found.append(data[start : start + length])
        data = data[start + length :]
    return found


def run_sample(path: Path, protocol: str) -> None:
    """Run a sample, NNN.bin, and check the result against NNN.json: all rows with the given fields,
    counters, and the depth of books."""
    expected = json.loads(path.with_suffix(".json").read_text())
    feed = Feed(protocol=load_protocol(protocol))
    for message in read_sample(path, expected.get("framing", "u16 big")):
        feed.send(message)
    rows = {symbol: feed.row(symbol) for symbol in expected["rows"]}
    shown = {
        symbol: {name: rows[symbol][name] for name in wanted}
        for symbol, wanted in expected["rows"].items()
    }
    assert shown == expected["rows"]
    counters = expected["counters"]
    assert {name: feed.counter(name) for name in counters} == counters
    assert len(feed.table) == len(rows)
    for symbol, (bids, asks) in expected.get("depth", {}).items():
        assert [list(level) for level in feed.market.depth(symbol, 0)] == bids
        assert [list(level) for level in feed.market.depth(symbol, 1)] == asks


@pytest.fixture(scope="session")
def check_sample() -> Callable[[Path, str], None]:
    """`check_sample(case, protocol)`: the protocol by its name or its file."""
    return run_sample


class Feed:
    """A market in private memory with its decoder: messages in, rows and records out."""

    def __init__(
        self, mapping: Mapping | None = None, protocol: Callable[..., Any] = Itch50, **options: Any
    ) -> None:
        geometry = options.pop("geometry", Geometry(rows=64, rings=2, ring_capacity=16_384))
        self.mapping = mapping or private_feed(geometry, 1, 1)
        self.market = Market(self.mapping, **{"venue": "XNAS", **options})
        self.decoder = protocol(self.market)
        self.table = PriceTable(self.mapping)
        self.readers = [RingReader(self.mapping, index) for index in range(self.mapping.ring_count)]
        self.now = 0

    def send(self, *messages: bytes, flush: bool = True) -> None:
        for message in messages:
            self.decoder.decode(message, self.now)
        if flush:
            self.now += 1
            self.market.publish(self.now)

    def row(self, symbol: str = "AAPL") -> dict[str, int]:
        return row_of(self.table, symbol)

    def counter(self, name: str) -> int:
        return Counters(self.mapping)[name]

    def records(self) -> list[dict[str, int]]:
        """What all rings got since the last call, ring by ring."""
        return [record for reader in self.readers for record in reader.take(1 << 20)]


@pytest.fixture
def quick_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections that are lost, or refused, are made again at once."""
    monkeypatch.setattr(reconnect, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(reconnect.Backoff.__init__, "__defaults__", (0.01, 0.05))
    monkeypatch.setattr(reconnect, "REFUSED_WAIT", 0.01)


@pytest.fixture(scope="session")
def until() -> Callable[[Callable[[], Any]], Any]:
    """`await until(condition)`: it comes true, or the test fails."""
    return wait_until


@pytest.fixture(scope="session")
def quickfix_at(require: Callable[[object, str], None]) -> Callable[..., Any]:
    """`async with quickfix_at(folder, begin_string) as venue`: QuickFIX as the acceptor."""
    require(find_spec("quickfix"), "the package quickfix is not installed")
    return venue_at


@pytest.fixture(scope="session")
def itch() -> Itch:
    return Itch()


@pytest.fixture(scope="session")
def iex() -> Iex:
    return Iex()


@pytest.fixture(scope="session")
def make_feed() -> Callable[..., Feed]:
    """`make_feed(**options of Market)`; `protocol`: the decoder's class."""
    return Feed

"""Real packets of NYSE, one message type each, against another decoder's reading of them.

What a message does is looked at in the market: the fields that count must have their effect.
A packet stands alone: its second is the one that its header was sent in, its symbol is mapped
here, in the scale that the other decoder writes its prices in.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.feeds.sessions.xdp_messages import E9, say
from ticker.feeds.protocol import MessageLog
from ticker.feeds.protocols.pillar import Pillar
from ticker.feeds.sessions.xdp import Xdp
from ticker.feeds.transports.pcap import blocks
from ticker.shm.segment import Geometry, private_feed
from ticker.units import parse_price

Case = dict[str, Any]
SCALE = 8
PRICE_UNITS = 10
"""1e-9 units in one of a price with eight decimals."""
SIZE = 1_000_000
STATUS = {"Preopening (P)": 4}


def frames(folder: Path) -> Iterator[tuple[bytes, int, Case]]:
    """(payload, time of capture, what it means) of each packet."""
    for path in sorted(folder.glob("*/*.expected.json")):
        capture = path.with_name(path.name.replace(".expected.json", ".pcap"))
        expected = json.loads(path.read_text())
        found = list(blocks(capture))
        assert len(found) == len(expected), capture
        for (payload, time, _), frame in zip(found, expected, strict=True):
            yield payload, time, frame


class Effects:
    """A check per message type: prepares a market, sends the message, looks."""

    def __init__(self, feed: Any, message: bytes, case: Case, second: int) -> None:
        self.feed, self.message, self.case = feed, message, case
        self.index = int(case.get("Symbol Index", 7))
        self.second = second

    def number(self, name: str) -> int:
        return int(self.case[name])

    @property
    def time(self) -> int:
        return self.second * E9 + self.number("Source Time Ns")

    @property
    def row(self) -> dict[str, int]:
        row: dict[str, int] = self.feed.row("NYSE")
        return row

    def check(self) -> None:
        checks: dict[int, Callable[[], None]] = {
            2: self.reference, 34: self.status, 100: self.added, 102: self.deleted,
            103: self.executed, 104: self.replaced, 105: self.nothing, 110: self.traded,
            111: self.crossed, 223: self.nothing,
        }  # fmt: skip
        kind = int.from_bytes(self.message[2:4], "little")
        self.feed.send(say.mapping(self.index, b"NYSE", SCALE))
        if kind != 2:
            self.feed.send(say.reference(self.second))
        checks[kind]()
        assert self.feed.decoder.message_counts[kind] >= 1
        for name in ("short_messages", "unknown_types", "unknown_orders", "unknown_symbols"):
            assert self.feed.counter(name) == 0

    def rest(self, name: str = "Order Id") -> None:
        """The order that the message refers to, then the message."""
        self.feed.send(say.add(self.number(name), "S", SIZE, 20_000_000, self.index))
        self.feed.send(self.message)

    def nothing(self) -> None:
        before = self.row
        self.feed.send(self.message)
        assert self.row == before

    def reference(self) -> None:
        self.feed.send(self.message)
        engine = self.number("Id")
        self.feed.send(say.mapping(9, b"NYSE", SCALE, engine))
        self.feed.send(say.trade(100, 1, 1, index=9, ns=77))
        assert self.row["exchange_time"] == self.number("Source Time") * E9 + 77

    def status(self) -> None:
        self.feed.send(self.message)
        assert self.case["Security Status"] == "Resume (5)"
        assert self.row["status"] == STATUS[self.case["Market State"]]

    def added(self) -> None:
        self.feed.send(self.message)
        assert self.case["Side"] == "Buy (B)"
        row = self.row
        assert row["bid"] == parse_price(self.case["Price"])
        assert row["bid_size"] == self.number("Volume")
        assert row["quote_time"] == self.time
        self.feed.send(say.delete(self.number("Order Id"), self.index))
        assert self.feed.market.orders == 0

    def deleted(self) -> None:
        self.rest()
        assert self.feed.market.orders == 0
        assert self.row["quote_time"] == self.time

    def replaced(self) -> None:
        self.rest()
        row = self.row
        assert row["ask"] == parse_price(self.case["Price"])
        assert row["ask_size"] == self.number("Volume")
        self.feed.send(say.delete(self.number("New Order Id"), self.index))
        assert self.feed.market.orders == 0

    def executed(self) -> None:
        self.rest()
        assert self.row["ask_size"] == SIZE - self.number("Volume")
        self.sold()
        self.taken_back(say.cancel(self.number("Trade Id"), self.index))

    def traded(self) -> None:
        self.feed.send(self.message)
        if self.number_of("Printable Flag"):
            self.sold()
        else:
            assert (self.row["price"], self.row["volume"], self.row["trades"]) == (0, 0, 0)

    def crossed(self) -> None:
        self.feed.send(self.message)
        self.sold()
        self.taken_back(say.correct_cross(self.number("Cross Id"), 0, self.index))

    def number_of(self, name: str) -> int:
        """`Not Printed To The Sip (0)` is 0."""
        return int(self.case[name].rpartition("(")[2].rstrip(")"))

    def sold(self) -> None:
        row, shares = self.row, self.number("Volume")
        price = parse_price(self.case["Price"])
        assert (row["price"], row["size"], row["volume"]) == (price, shares, shares)
        assert (row["trades"], row["exchange_time"]) == (1, self.time)

    def taken_back(self, correction: bytes) -> None:
        """The trade's number was read right if its correction finds the trade."""
        self.feed.send(correction)
        assert self.feed.counter("breaks") == 1
        assert self.row["volume"] == 0


def test_every_frame_has_its_effect(samples: Path, make_feed: Callable[..., Any]) -> None:
    kinds = set()
    for payload, captured, frame in frames(samples / "frames" / "nyse"):
        header = frame["header"]
        assert frame["header_hex"] == payload[:16].hex()
        log = MessageLog()
        session = Xdp(log, private_feed(Geometry(16, 1, 16), 1, 0))
        session.receive_data(payload, 0, captured)
        assert len(log.messages) == len(frame["messages"]) == int(header["Number Msgs"])
        second = int(header["Seconds"])
        sent = datetime.strptime(header["Send Time"][:19], "%Y-%m-%d %H:%M:%S")
        assert sent.replace(tzinfo=UTC).timestamp() == second == captured // E9
        for message, case in zip(log.messages, frame["messages"], strict=True):
            assert message.hex() == case["hex"]
            Effects(make_feed(protocol=Pillar), message, case, second).check()
            kinds.add(case["_kind"])
    assert len(kinds) == 10


def test_a_packet_alone_takes_its_second_from_its_receipt(
    samples: Path, make_feed: Callable[..., Any]
) -> None:
    folder = samples / "frames" / "nyse" / "IntegratedFeed.Pillar.v2.5"
    payload, captured, _ = next(iter(blocks(folder / "OrderExecutionMessage.pcap")))
    feed = make_feed(protocol=Pillar)
    session = Xdp(feed.decoder, feed.mapping)
    feed.send(say.mapping(5530, b"NYSE", SCALE))
    session.receive_data(payload, 0, captured)
    feed.market.publish(captured)
    assert feed.row("NYSE")["exchange_time"] == 1_645_643_636_213_399_808


def test_frames_of_the_bbo_feed_price_nothing(samples: Path, make_feed: Callable[..., Any]) -> None:
    """Its quotes are of types that the Integrated feed has not."""
    folder = samples / "frames" / "nyse" / "National.Equities.Bbo.Pillar.v2.5"
    paths = sorted(folder.glob("*.pcap"))
    assert len(paths) == 4
    for path in paths:
        feed = make_feed(protocol=Pillar)
        session = Xdp(feed.decoder, feed.mapping)
        for payload, time, _ in blocks(path):
            session.receive_data(payload, 0, time)
        feed.market.publish(1)
        assert feed.counter("bad_packets") == 0, path
        for row in range(len(feed.table)):  # a refresh maps a symbol
            values = feed.table.values(row)
            assert (values["price"], values["bid"], values["ask"]) == (0, 0, 0)
        if path.stem == "QuoteMessage":
            assert feed.counter("unknown_types") > 0

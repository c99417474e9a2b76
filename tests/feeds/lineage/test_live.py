"""The message that made the price now shown, as a server says it while packets come: held against
the packets themselves, by a reader of its own."""

from __future__ import annotations

import random
import struct
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests.feeds.conftest import Itch
from tests.feeds.lineage.test_captures import CAPTURES, RULES, SAMPLES, Said, messages_of, says
from tests.feeds.lineage.test_recorded import DAY, recorded  # noqa: F401 - a fixture
from tests.supervisor.test_serve import Server, until
from ticker.feeds.day import midnight_ns
from ticker.feeds.transports.pcap import Capture
from ticker.feeds.workers.pipeline import (
    EPOCH,
    Pipeline,
    build,
    capture_day,
    file_blocks,
    follow_days,
    session_of_file,
)
from ticker.shm.lineage.lineage import lineage
from ticker.shm.ring import RingReader
from ticker.shm.segment import Geometry, private_feed
from ticker.shm.table import PriceTable
from ticker.units import format_timestamp

LINES = {0: "a", 1: "b"}
Block = tuple[bytes, int, int]


class Watched:
    """A pipeline that gets packets one by one, and all that it got."""

    def __init__(self, pipeline: Pipeline, protocol: str, seed: str) -> None:
        self.pipeline = pipeline
        self.protocol = protocol
        self.chance = random.Random(seed)
        self.table = PriceTable(pipeline.mapping)
        self.ring = RingReader(pipeline.mapping, 0)
        self.came: dict[tuple[int, int], list[tuple[str | None, str, bytes]]] = defaultdict(list)
        self.named = self.unnamed = 0
        self.lines: set[str] = set()

    def run(self, blocks: Iterable[Block], share: float) -> None:
        """All packets; of the prices that change a share is looked at, each at once."""
        for data, time, line in blocks:
            channel, first, messages = messages_in(self.protocol, data)
            for number, message in enumerate(messages, first):
                self.came[channel, number].append((format_timestamp(time), LINES[line], message))
            self.pipeline.session.receive_data(data, line, time)
            self.pipeline.market.publish(time)
            rows = {each["row"] for each in self.ring.take(65_536) if each["kind"] == 1}
            for row in sorted(rows):
                if self.chance.random() < share:
                    self.look(self.table.symbol(row))

    def look(self, symbol: str) -> None:
        for price in lineage([("f", self.pipeline.mapping)], symbol, 1):
            if price["sequence"] is None:
                self.unnamed += 1
                continue
            came = self.came[price["channel"] or 0, price["sequence"]]
            (message,) = (
                message
                for time, line, message in came
                if (time, line) == (price["receive_timestamp"], price["line"])
            )
            assert says(self.protocol, message, made(price)), price
            self.named += 1
            self.lines.add(price["line"])


def messages_in(protocol: str, data: bytes) -> tuple[int, int, list[bytes]]:
    """None of a packet that ends a session of MoldUDP64."""
    ends = protocol == "itch50" and data[18:20] == b"\xff\xff"
    return (0, 0, []) if ends else messages_of(protocol, data)


def made(price: dict[str, Any]) -> Said:
    """The trade of a price, as far as a message says it."""
    whole, _, part = price["price"].partition(".")
    return Said(
        price=int(whole + part.ljust(9, "0")),
        size=int(price["size"]),
        match=price["trade"]["trade"],
    )


def pipeline_of(protocol: str, session: str | None, day: date) -> Pipeline:
    mapping = private_feed(Geometry(rows=4096, rings=1), 1, 1)
    return build(mapping, protocol, session, day, timezone="America/New_York", rules=RULES)


@pytest.mark.slow
@pytest.mark.parametrize("name", CAPTURES)
def test_prices_of_captures_name_their_message(name: str, samples: Path) -> None:
    path, protocol = samples / name, CAPTURES[name]
    session = session_of_file(protocol, path)
    blocks = file_blocks(session)
    day = capture_day(path, blocks, pipeline_of(protocol, session, EPOCH)) or EPOCH
    pipeline = pipeline_of(protocol, session, day)
    follow_days(pipeline, by_receive_time=True)
    watched = Watched(pipeline, protocol, name)
    packets = list(blocks(path))
    watched.run(packets, 1.0 if len(packets) < 20_000 else 0.05)
    assert watched.unnamed <= watched.named // 20, "only held ones and corrected ones are not named"
    priced = [
        row for row in range(len(watched.table)) if (watched.table.values(row) or {})["price"]
    ]
    assert watched.named >= min(SAMPLES // 10, len(priced))


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["itch50", "tops", "pitch"])
@pytest.mark.parametrize("order", ["both lines", "swapped", "lost on one line"])
def test_the_line_that_brought_a_message_first(
    recorded: Callable[[str], Path],  # noqa: F811
    protocol: str,
    order: str,
) -> None:
    line_a = [packet for packet in Capture(recorded(protocol)) if packet[2] == 0]
    start, packets = line_a[0][1], []
    for place, (data, _, _) in enumerate(line_a):
        packets += [(data, start + 1000 * place, 0), (data, start + 1000 * place + 500, 1)]
    if order == "swapped":
        line_a = packets[::2]
        packets = line_a[:2]
        for sooner, later in zip(line_a[2::2], line_a[3::2], strict=False):
            packets += [(later[0], sooner[1], 0), (sooner[0], later[1], 0)]
    elif order == "lost on one line":
        chance = random.Random(7)
        packets = [packet for packet in packets if packet[2] or chance.random() < 0.7]
    watched = Watched(pipeline_of(protocol, None, DAY), protocol, order)
    watched.run(packets, 1.0)
    assert watched.named > 100
    assert watched.unnamed <= watched.named // 20
    assert ("b" in watched.lines) == (order == "lost on one line")


def in_one_packet(*messages: bytes, first: int) -> bytes:
    """Of MoldUDP64."""
    head = b"SESSION-01" + struct.pack(">QH", first, len(messages))
    return head + b"".join(struct.pack(">H", len(each)) + each for each in messages)


def test_a_price_that_its_message_did_not_make_names_none() -> None:
    """A trade that is taken back leaves the one before it, which came in the same packet."""
    say, pipeline = Itch(), pipeline_of("itch50", "moldudp64", DAY)
    table = PriceTable(pipeline.mapping)

    def price(*messages: bytes, first: int) -> dict[str, Any]:
        time = midnight_ns(DAY) + 36_000 * 10**9 + first
        pipeline.session.receive_data(in_one_packet(*messages, first=first), 0, time)
        pipeline.market.publish(time)
        (found,) = lineage([("f", pipeline.mapping)], table.symbol(0), 1)
        return found

    def trade(match: int, price: int) -> bytes:
        return say.trade(1, 100, price * 10_000, match, time=36_000 * 10**9)

    opening = say.directory(1, "AAPL"), trade(1, 100), trade(2, 101)
    shown = price(*opening, first=1)
    assert (shown["price"], shown["sequence"], shown["line"]) == ("101", 3, "a")
    shown = price(trade(3, 102), trade(4, 103), say.broken(1, 4), first=4)
    assert (shown["price"], shown["sequence"], shown["line"], shown["channel"]) == (
        "102", None, None, None
    )  # fmt: skip
    shown = price(trade(5, 104), first=7)
    assert (shown["price"], shown["sequence"]) == ("104", 7)


@pytest.mark.slow
def test_a_server_names_the_session(tmp_path: Path) -> None:
    """Of a simulated exchange, which loses packets on its lines."""
    server = Server(tmp_path)
    seen: list[dict[str, Any]] = []

    def named() -> bool:
        (price,) = server.get("lineage/AAPL")["prices"]
        if price["sequence"] is not None:
            seen.append(price)
        return len(seen) >= 5

    try:
        until(lambda: server.trades() > 0)
        until(named)
    finally:
        server.close()
    assert {price["line"] for price in seen} <= {"a", "b", "retransmission"}
    assert len({price["session"] for price in seen}) == 1
    assert seen[0]["session"]
    assert [price["sequence"] for price in seen] == sorted(price["sequence"] for price in seen)

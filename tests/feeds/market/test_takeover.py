"""A market that goes on with the rows of a predecessor, and computes the session again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from tests.feeds.tables import row_of
from ticker.feeds.session import SessionOptions
from ticker.feeds.workers.pipeline import build
from ticker.shm.header import Mapping
from ticker.shm.ring import RingReader
from ticker.shm.segment import Geometry, private_feed
from ticker.shm.table import PriceTable

DOLLAR, E9 = 10_000, 1_000_000_000
STALE = 1


def test_a_rebuild_that_brings_nothing_keeps_what_readers_saw(
    itch: Any, make_feed: Callable[..., Any]
) -> None:
    first = make_feed()
    first.send(itch.trade(1, 100, 320 * DOLLAR, 1, time=5))
    second = make_feed(first.mapping)
    second.now = first.now
    second.market.adopt_rows(rebuild=True)
    second.market.set_publishing(False)
    assert not second.market.publishing
    second.market.set_publishing(True)
    second.send()
    row = second.row()
    assert (row["price"], row["seq"], row["volume"], row["high"]) == (320 * E9, 1, 100, 320 * E9)
    assert (row["exchange_time"], row["flags"] & STALE) == (5, 1)


@pytest.mark.parametrize(("more", "wanted"), [(0, [2, 4]), (4094, [])])
def test_trades_that_readers_were_not_told_come_after_a_rebuild(
    itch: Any, make_feed: Callable[..., Any], more: int, wanted: list[int]
) -> None:
    """Of these one was broken meanwhile. So many that they would lap the rings are left out."""
    first = make_feed()
    known = itch.trade(1, 100, 321 * DOLLAR, 1, time=5)
    first.send(known)
    second = make_feed(first.mapping)
    second.now = first.now
    second.market.adopt_rows(rebuild=True)
    second.market.set_publishing(False)
    trades = [itch.trade(1, 100 * n, (320 + n) * DOLLAR, n, time=4 + n) for n in (2, 3, 4)]
    later = [itch.trade(1, 100, 324 * DOLLAR, 5 + n, time=10 + n) for n in range(more)]
    second.send(known, *trades[:2], itch.broken(1, 3, time=8), trades[2], *later)
    assert second.records() == []
    second.market.set_publishing(True)
    second.send()
    told = [record for record in second.records() if record["kind"] in (1, 2)]
    names = ("seq", "match", "price", "size", "exchange_time", "kind")
    assert [tuple(record[name] for name in names) for record in told] == [
        (n, n, (320 + n) * E9, 100 * n, 4 + n, 1) for n in wanted
    ]
    assert second.row()["seq"] == 4 + more


def test_what_was_broken_while_nobody_looked_stays_broken(
    itch: Any, make_feed: Callable[..., Any]
) -> None:
    first = make_feed()
    messages = [
        itch.trade(1, 9, 320 * DOLLAR, 1, time=5),
        itch.trade(1, 1, 330 * DOLLAR, 2, time=6),
    ]
    first.send(*messages)
    second = make_feed(first.mapping)
    second.now = first.now
    second.market.adopt_rows(rebuild=True)
    second.market.set_publishing(False)
    second.send(*messages, itch.broken(1, 2, time=7))
    second.market.set_publishing(True)
    second.send()
    row = second.row()
    assert (row["price"], row["seq"], row["volume"], row["corrections"]) == (320 * E9, 2, 9, 1)
    assert 5 in {record["kind"] for record in second.records()}


class Line:
    """A worker's pipeline on a line of MoldUDP64, on its predecessor's segment if it has one."""

    def __init__(self, before: Line | None = None) -> None:
        self.mapping: Mapping = (
            before.mapping if before else private_feed(Geometry(rows=8, rings=1), 1, 1)
        )
        self.pipeline = build(
            self.mapping, "itch50", "moldudp64", date(2026, 1, 5), venue="XNAS",
            session_options=SessionOptions(rerequest=True, join="start"),
        )  # fmt: skip
        self.now: int = before.now if before else 1
        self.reader: RingReader = before.reader if before else RingReader(self.mapping, 0)
        if before:
            self.pipeline.market.adopt_rows(rebuild=True)
            self.pipeline.market.set_publishing(False)

    def take(self, session: bytes, number: int, *messages: bytes) -> None:
        """One packet: the messages from `number` of the session on."""
        blocks = b"".join(len(each).to_bytes(2, "big") + each for each in messages)
        head = session + number.to_bytes(8, "big") + len(messages).to_bytes(2, "big")
        self.pipeline.session.receive_data(head + blocks, 0, self.now)
        self.publish()

    def publish(self) -> None:
        self.now += 1
        self.pipeline.market.publish(self.now)
        if self.pipeline.market.publishing:
            self.pipeline.session.save()

    def show(self, *, another: bool = False) -> None:
        self.pipeline.market.set_publishing(True, another=another)
        self.publish()

    def told(self) -> list[tuple[int, int]]:
        """Kind and number of the trades, breaks and corrections since the last call."""
        return [
            (record["kind"], record["match"])
            for record in self.reader.take(1 << 20)
            if record["kind"] in (1, 2, 6, 7)
        ]


MONDAY, NEXT = b"SESSION001", b"SESSION002"


def test_breaks_that_readers_were_not_told_come_after_a_rebuild(itch: Any) -> None:
    """Not those that the predecessor told, and not those of trades that nobody was told."""
    trades = [itch.trade(1, 100, (320 + n) * DOLLAR, n, time=n) for n in (1, 2, 3)]
    told = [*trades, itch.broken(1, 1, time=4)]
    missed = [itch.broken(1, 3, time=5), itch.trade(1, 7, 330 * DOLLAR, 4, time=6)]
    missed += [itch.broken(1, 4, time=7), itch.trade(1, 8, 331 * DOLLAR, 5, time=8)]
    first = Line()
    first.take(MONDAY, 1, *told)
    assert first.told() == [(1, 1), (1, 2), (1, 3), (6, 1)]
    second = Line(first)
    # The server's packets have other bounds than those that the predecessor heard.
    second.take(MONDAY, 1, *told[:3])
    second.take(MONDAY, 4, told[3], *missed)
    assert second.told() == []
    second.show()
    assert second.told() == [(6, 3), (1, 5)]
    row = row_of(PriceTable(second.mapping), "AAPL")
    assert (row["volume"], row["price"], row["corrections"]) == (108, 331 * E9, 3)


def test_a_break_that_nobody_was_told_counts_after_those_of_an_earlier_session(itch: Any) -> None:
    """The last is what is left, though an earlier session had as many corrections."""
    first = Line()
    first.take(MONDAY, 1, itch.trade(1, 9, 300 * DOLLAR, 1, time=1))
    first.take(MONDAY, 2, itch.trade(1, 9, 301 * DOLLAR, 2, time=2), itch.broken(1, 2, time=3))
    trades = [itch.trade(1, 100, (320 + n) * DOLLAR, 10 + n, time=10 + n) for n in (1, 2)]
    first.now += 60 * E9
    first.take(NEXT, 1, trades[0])
    first.take(NEXT, 2, trades[1])
    assert first.told() == [(1, 1), (1, 2), (6, 2), (1, 11), (1, 12)]
    second = Line(first)
    second.take(NEXT, 1, *trades, itch.broken(1, 12, time=20))
    second.show()
    assert second.told() == [(6, 12)]
    row = row_of(PriceTable(second.mapping), "AAPL")
    assert (row["price"], row["corrections"]) == (321 * E9, 2)

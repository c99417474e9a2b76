"""The commands of the mirror: the objects of GET /prices/{symbol}, and which symbols are due."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from ticker.gateway.prices.board import Board
from ticker.gateway.rest.serving.price import price_object
from ticker.mirror.latest import Latest
from ticker.shm.counters import LIVE, STALE, Heartbeat
from ticker.shm.header import Mapping
from ticker.shm.segment import Geometry, private_feed
from ticker.shm.table import FIELDS, HAS, SIGNED, TableWriter

EPOCH = 123_456_789
E9 = 1_000_000_000
NOW = 1_774_794_600 * E9
TTL = 60
TIMES = {name for name in FIELDS if name.endswith("_time")}

flags = st.sets(st.sampled_from(sorted(HAS.values()))).map(sum)
figures = st.fixed_dictionaries(
    {
        name: st.integers(0, 1 << 60)
        if name in TIMES
        else st.integers(-(1 << 62), 1 << 62)
        if name in SIGNED
        else st.integers(0, (1 << 64) - 1)
        for name in FIELDS
        if name not in ("flags", "status")
    }
)
symbols = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=16)


class Rig:
    """Feeds in private memory, and the mirror's view of them."""

    def __init__(self, *feeds: str, publishes: bool = False, currency: str = "") -> None:
        self.mappings: list[Mapping] = [
            private_feed(Geometry(rows=64, rings=1, ring_capacity=8), 1, 1) for _ in feeds
        ]
        self.tables = [TableWriter(each) for each in self.mappings]
        self.beats = [Heartbeat(each) for each in self.mappings]
        for beat in self.beats:
            beat.take_over(1, NOW)
            beat.set_state(LIVE)
        self.board = Board(list(zip(feeds, self.mappings, strict=True)))
        self.latest = Latest(self.board, EPOCH, TTL, publishes, lambda _: currency)
        self.now = NOW

    def due(self, *, judge: bool = True) -> list[str]:
        self.board.look(self.now)
        self.latest.look(self.now, judge)
        return [self.board.name(each) for each in self.latest.due()]

    def write(self) -> bytes:
        """Send what is due to a server that takes all; the commands."""
        commands, told = self.latest.commands(self.latest.due())
        for symbol, _ in told:
            self.latest.took(symbol, self.now)
        return bytes(commands)


def row(rig: Rig, symbol: str, price: int, **more: int) -> int:
    number = rig.tables[0].add(symbol, "XNAS")
    put(rig, number, price, **more)
    return number


def put(rig: Rig, number: int, price: int, **more: int) -> None:
    had = HAS["price"]
    rig.tables[0].put(number, price=price, flags=had, exchange_time=NOW, seq=1, **more)


@given(symbol=symbols, values=figures, flags=flags, exponent=st.integers(0, 19))
def test_an_object_is_that_of_rest(
    symbol: str, values: dict[str, int], flags: int, exponent: int
) -> None:
    rig = Rig("a", "b")
    for table, venue in zip(rig.tables, ("XNAS", ""), strict=True):
        number = table.add(symbol, venue, size_exponent=exponent)
        table.put(number, **values, flags=flags)
    rig.due()
    view = rig.board.price(symbol)
    assert view is not None
    expected = orjson.dumps(price_object(view) | {"epoch": EPOCH}) if view.traded else b""
    assert rig.latest.value_of(rig.board.index(symbol)) == expected


def test_the_directory_says_the_currency() -> None:
    rig = Rig("a", currency="EUR")
    row(rig, "SAP", 100 * E9)
    rig.due()
    assert orjson.loads(rig.latest.value_of(0))["currency"] == "EUR"


def test_commands_are_those_of_the_protocol() -> None:
    rig = Rig("a", publishes=True)
    row(rig, "A", 100 * E9)
    rig.tables[0].add("QUIET", "XNAS")  # it never traded, so there is no key
    assert rig.due() == ["A", "QUIET"]
    value = rig.latest.value_of(0)
    assert value.startswith(b'{"symbol":"A","price":100,')
    body = b"$8\r\nlatest:A\r\n$%d\r\n%s\r\n" % (len(value), value)
    expected = b"*5\r\n$3\r\nSET\r\n" + body + b"$2\r\nEX\r\n$2\r\n60\r\n"
    assert rig.write() == expected + b"*3\r\n$7\r\nPUBLISH\r\n" + body
    assert rig.due() == []
    rig.latest.renew()  # all keys again; but nobody is told what is old
    assert rig.write() == expected


def test_what_changes_is_due_once() -> None:
    rig = Rig("a")
    first, _ = row(rig, "A", E9), row(rig, "B", E9)
    rig.due()
    rig.write()
    put(rig, first, 2 * E9)
    assert rig.due(judge=False) == ["A"]
    assert b'"price":2,' in rig.write()
    assert rig.due() == []


def test_a_refused_symbol_stays_due_and_is_published_later() -> None:
    rig = Rig("a", publishes=True)
    row(rig, "A", E9)
    rig.due()
    _, told = rig.latest.commands(rig.latest.due())
    assert rig.latest.due() == []
    for symbol, news in told:
        rig.latest.failed(symbol, news)
    assert rig.latest.due() == [0]
    assert b"PUBLISH" in rig.write()


def test_keys_are_written_again_before_they_expire() -> None:
    rig = Rig("a")
    row(rig, "A", E9)
    rig.due()
    rig.write()
    rig.now += TTL * E9 // 2
    rig.beats[0].beat(rig.now)
    assert rig.due() == []
    rig.now += E9
    rig.beats[0].beat(rig.now)
    assert rig.due() == ["A"]


def test_a_stale_feed_changes_all_of_its_symbols() -> None:
    rig = Rig("a", "b")
    row(rig, "A", E9)
    rig.tables[1].add("B", "XNYS")
    rig.due()
    assert orjson.loads(rig.latest.value_of(0))["stale"] is False
    rig.write()
    rig.beats[0].set_state(STALE)
    assert rig.due() == ["A"]
    said: Any = orjson.loads(rig.latest.value_of(0))
    assert (said["stale"], said["status"]) == (True, "stale")


def test_what_a_server_refuses_is_due_again_and_the_rest_is_done() -> None:
    rig = Rig("a", publishes=True)
    for number, symbol in enumerate(("A", "B", "C")):
        row(rig, symbol, (number + 1) * E9)
    rig.due()
    _, told = rig.latest.commands(rig.latest.due())
    assert [symbol for symbol, _ in told] == [0, 0, 1, 1, 2, 2]
    assert rig.latest.settle(told, {2, 5}, rig.now) == (2, 2)
    assert rig.latest.due() == [1, 2]
    assert rig.latest.keys == 2

"""Another box speaks: it hears the same exchange, began when it did, and is as far as it is."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from tests.cluster.pair import FEED, MS, SHARDS, Box
from tests.cluster.source import START, US, Source, rows_of
from ticker.cluster.outgoing import Outgoing
from ticker.shm.layout import RecordKind

SYMBOLS = ("A", "B", "C")


@dataclass
class Exchange:
    """What there was to hear: (symbol, price, match), one after another."""

    chance: random.Random
    trades: list[tuple[str, int, int]] = field(default_factory=list)

    def go_on(self, count: int) -> None:
        for _ in range(count):
            match = len(self.trades) + 1
            symbol = self.chance.choice(SYMBOLS)
            self.trades.append((symbol, self.chance.randrange(1, 1000), match))


class Listener:
    """An ingest box that has heard trades from `first` on, up to `heard`."""

    def __init__(self, exchange: Exchange, boot: int, first: int = 0) -> None:
        self.exchange = exchange
        self.source = Source(boot=boot)
        self.rows = {symbol: self.source.add(symbol) for symbol in SYMBOLS}
        self.heard = first
        self.outgoing = Outgoing(self.source.mapping, FEED, SHARDS, 10 * MS)

    def hear(self, upto: int) -> None:
        for symbol, price, match in self.exchange.trades[self.heard : upto]:
            self.source.now = START + match * 100 * US  # + 50 us: times of the exchange
            self.source.trade(self.rows[symbol], price, match=match)
        self.heard = max(self.heard, upto)


def told(box: Box) -> dict[str, list[tuple[int, int]]]:
    """(seq, match) of the trades that readers were told, by symbol."""
    names = {row: symbol for row, (symbol, _) in enumerate(rows_of(box.mapping))}
    found: dict[str, list[tuple[int, int]]] = {symbol: [] for symbol in SYMBOLS}
    for record in box.records():
        if record["kind"] == RecordKind.RECORD_TRADE:
            found[names[record["row"]]].append((record["seq"], record["match"]))
    return found


def take_over(seed: int, late: int, lead: int) -> None:
    """The active box has told all that it heard; the standby began `late` trades after it, and is
    `lead` trades further (or less far) when it speaks."""
    chance = random.Random(seed)
    exchange = Exchange(chance)
    exchange.go_on(60)
    active, standby = Listener(exchange, 7), Listener(exchange, 8, first=late)
    box, time = Box(), START
    active.outgoing.begin(1 << 8 | 1)
    box.take(active.outgoing.images(list(range(SHARDS)), time))
    for upto in range(5, 41, 5):
        active.hear(upto)
        standby.hear(min(upto, 40 + min(lead, 0)))
        standby.outgoing.gather()
        standby.outgoing.rest(False)
        time += 20 * MS
        active.outgoing.gather()
        box.take(active.outgoing.flush(time))
    standby.hear(40 + lead)
    standby.outgoing.begin(2 << 8 | 2)
    box.take(standby.outgoing.images(list(range(SHARDS)), time))
    for upto in range(41 + lead, 61):
        standby.hear(upto)
        standby.outgoing.gather()
        time += 20 * MS
        box.take(standby.outgoing.flush(time))
    rows = rows_of(box.mapping)
    for symbol, trades in told(box).items():
        heard = [match for name, _, match in exchange.trades if name == symbol]
        assert [match for _, match in trades] == heard, symbol
        assert [seq for seq, _ in trades] == list(range(1, len(heard) + 1)), symbol
        assert rows[symbol, "XNAS"][3]["seq"] == len(heard)


@given(st.integers(0, 1 << 32), st.integers(0, 30), st.integers(-15, 15))
def test_every_trade_is_told_once_and_the_count_goes_on(seed: int, late: int, lead: int) -> None:
    take_over(seed, late, lead)


def test_trades_that_are_kept_while_another_box_speaks_grow_old() -> None:
    exchange = Exchange(random.Random(1))
    exchange.go_on(40)
    standby = Listener(exchange, 8)
    for upto in (10, 20, 30):
        standby.hear(upto)
        standby.outgoing.gather()
        standby.outgoing.rest(True)
    box = Box()
    standby.outgoing.begin(257)
    box.take(standby.outgoing.images(list(range(SHARDS)), START))
    box.take(standby.outgoing.flush(START + MS))
    kept = {match for trades in told(box).values() for _, match in trades}
    assert kept == set(range(21, 31))

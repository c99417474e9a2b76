"""The three feeds as a gateway sees them, at each publication; 1 of test_three_venues.py."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field

from tests.proof.book import Shown, Side, State, consolidate
from tests.proof.recomputation import FEEDS, Recomputation
from tests.proof.rig import MICS
from ticker.gateway.prices.board import Board
from ticker.gateway.prices.view import PriceView
from ticker.shm import segment
from ticker.shm.header import KIND_FEED
from ticker.shm.liveness import Conditions
from ticker.shm.ring import RingReader
from ticker.shm.table import PriceTable

TRADE, PRINT = 1, 2
STALE, LISTED = 1, 8


def shown_by(view: PriceView) -> Shown:
    return Shown(*(getattr(view, name) for name in Shown._fields))


@dataclass
class Follower:
    """Reads the rings of three live segments, and at each record what it is about."""

    instance: str
    compared: int = 0
    """Consolidated prices that were compared; and how often a row moved meanwhile."""
    moved: int = 0
    states: dict[tuple[str, str], list[State]] = field(default_factory=lambda: defaultdict(list))
    """What each row showed, in order, by feed and symbol."""
    records: dict[str, list[tuple[str, dict[str, int]]]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def __post_init__(self) -> None:
        mappings = {
            feed: segment.attach(segment.feed_name(self.instance, feed), KIND_FEED)
            for feed in FEEDS
        }
        self.tables = {feed: PriceTable(mapping) for feed, mapping in mappings.items()}
        self.rings = [
            (feed, RingReader(mapping, index))
            for feed, mapping in mappings.items()
            for index in range(mapping.ring_count)
        ]
        self.board = Board(list(mappings.items()))
        self.conditions = Conditions(list(mappings.values()))
        self.rows: dict[str, dict[str, int]] = defaultdict(dict)
        self.known = dict.fromkeys(FEEDS, 0)

    def turn(self) -> int:
        """Everything that is new; how many records."""
        now = time.time_ns()
        live = self._live(now)
        self.board.look(now)
        if live != self._live(now):
            return 1  # a feed fell silent, or spoke again, just now
        seen = 0
        for feed, ring in self.rings:
            for record in ring.take(256):
                seen += 1
                symbol = self.tables[feed].symbol(record["row"])
                self.records[feed].append((symbol, record))
                self._learn()
                self._look(symbol, live)
            assert not ring.laps, "the follower was too slow: lower the rate"
        return seen

    def _live(self, now: int) -> dict[str, bool]:
        self.conditions.look(now)
        return {feed: not self.conditions.silent(at) for at, feed in enumerate(FEEDS)}

    def _learn(self) -> None:
        """New rows, here and on the board: both know the same ones afterwards."""
        while any(self.known[feed] < len(table) for feed, table in self.tables.items()):
            for feed, table in self.tables.items():
                for row in range(self.known[feed], len(table)):
                    self.rows[table.symbol(row)][feed] = row
                    self.known[feed] = row + 1
            self.board.refresh()

    def _look(self, symbol: str, live: dict[str, bool]) -> None:
        """Rows and consolidated price; 1c, of those rows, where none moved meanwhile."""
        places = self.rows[symbol]
        before = self._generations(places)
        rows = {feed: self.tables[feed].values(row) for feed, row in places.items()}
        view = self.board.price(symbol)
        whole = before == self._generations(places)
        sides = []
        for feed in FEEDS:
            row = rows.get(feed)
            if row is None:
                whole = whole and feed not in rows
                continue
            state, seen = state_of(row), self.states[feed, symbol]
            if not seen or seen[-1] != state:
                seen.append(state)
            fresh = live[feed] and not row["flags"] & STALE
            listed = bool(row["flags"] & LISTED)
            sides.append(Side(MICS[feed], state, row["receive_time"], fresh, listed))
        self.compared += whole
        self.moved += not whole
        assert not whole or (view is not None and shown_by(view) == consolidate(sides)), symbol

    def _generations(self, places: dict[str, int]) -> list[int]:
        return [self.tables[feed].generation(row) for feed, row in places.items()]


def state_of(row: dict[str, int]) -> State:
    return State(*(row[name] for name in State._fields))


def check_records(follower: Follower, truth: Recomputation) -> int:
    """1a: every trade of every venue, one by one; how many."""
    total = 0
    for feed in FEEDS:
        told = defaultdict(list)
        for symbol, record in follower.records[feed]:
            if record["kind"] in (TRADE, PRINT):
                told[symbol].append(
                    (record["seq"], record["price"], record["size"], record["exchange_time"],
                     record["kind"] == TRADE)
                )  # fmt: skip
        wanted = {symbol: of.sales for symbol, of in truth.venues[feed].symbols.items() if of.sales}
        assert dict(told) == wanted, feed
        total += sum(map(len, wanted.values()))
    return total


def check_states(follower: Follower, truth: Recomputation) -> int:
    """1b; how many states were seen."""
    for (feed, symbol), seen in follower.states.items():
        history = iter(truth.of(feed, symbol).history)
        for state in seen:
            assert any(state == each for each in history), (feed, symbol, state)
    return sum(map(len, follower.states.values()))

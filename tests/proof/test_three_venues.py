"""Three venues at once, 500 symbols: the consolidated price equals an independent recomputation.

    ticker simulate itch ── two multicast lines ──┬─▶ ticker serve ─▶ rows, rings ─▶ /stream, REST
    ticker simulate pitch ─ two multicast lines ──┤
    ticker simulate vendor ─ JSON over WebSocket ─┘
                                  │
                              recorder ─▶ wire.py, book.py: own decoders and books, no ticker code

What is recorded is what the server was given: packets from the same groups, texts on their way
through a proxy. From it the recomputation has every state that each venue's row of a symbol may
show, one per message, and the consolidated price that follows from any three of them.

1. Live, at each publication. A follower in this process reads every ring of the three segments
   and, at each record, the symbol's three rows and the board's consolidated price of them (the
   code that the gateway runs). Then:
   a. the records of trades are, one by one and in order, the recomputed trades of the venue;
   b. each row that was read is a state of the recomputation, and later than the one before;
   c. each consolidated price equals the recomputed one of just those states (where no row moved
      while it was read, which is checked by the rows' generations).
2. Live, over the network. Every snapshot and update of /stream is a recomputed last sale, never
   older than the one before; when all has been said, it, /prices and /prices?venue= equal the
   recomputation in every figure.
3. At every step. The recorded inputs, in the order in which they were received, go through the
   server's own pipelines and board once more, a packet at a time, and after each packet the
   consolidated price of each symbol that it touched equals the recomputed one in every figure.
   Live publications batch what comes together; here nothing is skipped.
"""

from __future__ import annotations

import json
import re
import struct
import time
import urllib.request
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.proof.book import Instrument, Shown, Side, State, Venue, consolidate
from tests.proof.rig import ITCH, MICS, PITCH, VENDOR, Packet, Recorder, Venues, Wire, served
from tests.proof.wire import AlpacaReader, ItchReader, PitchReader, Reader
from ticker.feeds.day import midnight_ns, session_day
from ticker.feeds.mapping import load_mapping
from ticker.feeds.pipeline import Pipeline, build
from ticker.feeds.simulate.alpaca import AlpacaMarket
from ticker.feeds.simulate.itch import ItchMarket
from ticker.feeds.simulate.listings import listings
from ticker.feeds.simulate.pitch import PitchMarket
from ticker.gateway.board import Board
from ticker.gateway.view import PriceView
from ticker.shm import counters, segment
from ticker.shm.counters import Heartbeat
from ticker.shm.header import KIND_FEED
from ticker.shm.liveness import Conditions
from ticker.shm.ring import RingReader
from ticker.shm.table import PriceTable

FEEDS = list(MICS)
E9 = 1_000_000_000
TRADE, PRINT = 1, 2
STALE = 1


class Recomputation:
    """The venues as the recorded packets so far make them."""

    def __init__(self, midnight: int) -> None:
        self.venues = {feed: Venue(mic) for feed, mic in MICS.items()}
        self.readers: dict[str, Reader] = {
            ITCH: ItchReader(self.venues[ITCH], midnight).packet,
            PITCH: PitchReader(self.venues[PITCH], midnight).packet,
            VENDOR: AlpacaReader(self.venues[VENDOR], midnight).packet,
        }

    def take(self, packet: Packet) -> set[str]:
        return self.readers[packet.feed](packet.data, packet.received)

    @property
    def taken_back(self) -> int:
        """Trades that were, over all venues."""
        return sum(
            len(of.taken_back) for venue in self.venues.values() for of in venue.symbols.values()
        )

    def of(self, feed: str, symbol: str) -> Instrument:
        return self.venues[feed].symbols[symbol]

    def shown(self, symbol: str, feeds: list[str]) -> Shown:
        """Consolidated over the feeds that have the symbol."""
        sides = []
        for feed in feeds:
            of = self.of(feed, symbol)
            sides.append(Side(MICS[feed], of.state, of.received, True))
        return consolidate(sides)


def shown_by(view: PriceView) -> Shown:
    return Shown(*(getattr(view, name) for name in Shown._fields))


# -- 1: the follower -----------------------------------------------------------------------------


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
            sides.append(Side(MICS[feed], state, row["receive_time"], fresh))
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


# -- 2: over the network -------------------------------------------------------------------------


def check_stream(wire: Wire, truth: Recomputation) -> int:
    """Every message is a last sale, none goes back, and the last one is the final price. (A sale
    that is taken back may not take time back: docs/consolidation.md.)"""
    assert not wire.errors
    sales: dict[str, set[tuple[int, int]]] = defaultdict(set)
    broken: dict[str, set[int]] = defaultdict(set)
    for venue in truth.venues.values():
        for symbol, of in venue.symbols.items():
            sales[symbol] |= {(sale[1], sale[3] // 1000) for sale in of.sales if sale[4]}
            broken[symbol] |= {trade.time // 1000 for trade in of.taken_back}
    last: dict[str, tuple[int, int]] = {}
    for kind, symbol, price, when in wire.updates:
        if symbol in last:
            assert kind == "update"
            assert when >= last[symbol][1], (symbol, "went back in time")
        if (price, when) not in sales[symbol]:
            # An older sale that counts again, told with the time of the one that was taken back.
            assert when in broken[symbol], (symbol, price, when)
            assert price in {each for each, at in sales[symbol] if at <= when}, (symbol, price)
        last[symbol] = (price, when)
    for symbol in filter(sales.get, list(sales)):
        final = truth.shown(symbol, FEEDS).price
        assert last[symbol][0] == final or not final, symbol
    return len(wire.updates)


def rest(url: str) -> Any:
    with urllib.request.urlopen(url) as answer:
        return json.loads(answer.read(), parse_float=Decimal)


NAMES = [name for name in Shown._fields if name != "exchange_time"]
PRICES = ("price", "open", "high", "low", "bid", "ask")


def rest_figures(url: str, symbols: list[str], venue: str = "") -> dict[str, dict[str, Any]]:
    """What /prices says, with prices as integers of 1e-9."""
    found = {}
    for first in range(0, len(symbols), 100):
        query = ",".join(symbols[first : first + 100]) + (f"&venue={venue}" if venue else "")
        for price in rest(f"{url}prices?symbols={query}")["prices"]:
            figures = {name: price[name] or 0 for name in NAMES}
            for name in PRICES:
                figures[name] = int(Decimal(figures[name]) * E9)
            for name in ("bid_venue", "ask_venue"):
                figures[name] = price[name] or ""
            found[price["symbol"]] = figures
    return found


def true_figures(truth: Recomputation, symbols: list[str], feeds: list[str]) -> dict[str, Any]:
    found = {}
    for symbol in symbols:
        shown = truth.shown(
            symbol, [f for f in feeds if symbol in truth.venues[f].symbols] or feeds
        )
        if shown.price:
            found[symbol] = {name: getattr(shown, name) for name in NAMES}
    return found


# -- 3: every step -------------------------------------------------------------------------------


def pipelines(day: Any) -> dict[str, Pipeline]:
    """The server's own, into private memory."""
    found = {}
    for feed in FEEDS:
        mapping = segment.private_feed(segment.Geometry(1024, 4, 4096), 1, E9)
        beat = Heartbeat(mapping)
        beat.take_over(1, E9)
        beat.set_state(counters.LIVE)
        if feed == VENDOR:
            options = {"mapping": load_mapping("alpaca")}
            found[feed] = build(
                mapping, "json", "framed", day, venue=MICS[feed], protocol_options=options
            )
        else:
            name = "itch50" if feed == ITCH else "pitch"
            found[feed] = build(mapping, name, None, day, venue=MICS[feed])
    return found


def check_every_step(
    packets: list[Packet], day: Any, tamper: Callable[[Packet], Packet] = lambda packet: packet
) -> int:
    """How many consolidated prices were compared. `tamper`: what the recomputation is given
    instead of a packet."""
    parts = pipelines(day)
    board = Board([(feed, part.mapping) for feed, part in parts.items()])
    board.look(E9)
    truth = Recomputation(midnight_ns(day))
    compared = 0
    for packet in sorted(packets, key=lambda each: each.received):
        part = parts[packet.feed]
        part.session.receive_data(packet.data, packet.line, packet.received)
        part.market.publish(packet.received)
        touched = truth.take(tamper(packet))
        board.refresh()
        for symbol in touched:
            there = [f for f in FEEDS if parts_have(board, symbol, f)]
            view = board.price(symbol)
            assert view is not None
            assert shown_by(view) == truth.shown(symbol, there), (symbol, packet.feed)
            compared += 1
    return compared


def parts_have(board: Board, symbol: str, feed: str) -> bool:
    return board.price(symbol, MICS[feed]) is not None


# -- the runs ------------------------------------------------------------------------------------


def wait_for(what: Callable[[], Any], turn: Callable[[], object], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it does not come to pass"
        if not turn():
            time.sleep(0.001)


def prove(folder: Path, symbols: int, rate: float, duration: float) -> None:
    names = [str(each[0]) for each in listings(symbols)]
    recorder, venues = Recorder(), Venues()
    wire = Wire(recorder, venues.vendor)
    recording = recorder.listen(venues.lines)
    day = session_day(time.time_ns())
    try:
        venues.start_vendor(symbols, rate, duration + 3)
        with served(folder, venues, wire.port) as (instance, url):
            follower = Follower(instance)
            wait_for(wire.connected.is_set, follower.turn, 30)
            venues.start_exchanges(symbols, rate, duration)
            wait_for(lambda: follower.known[ITCH] >= symbols, follower.turn, 30)
            wire.watch(url.replace("http", "ws") + "stream", names)
            wait_for(lambda: venues.over, follower.turn, duration + 60)
            recorder.stopping.set()
            recording.join(10)
            truth = Recomputation(midnight_ns(day))
            for packet in recorder.packets:
                truth.take(packet)
            wanted = true_figures(truth, names, FEEDS)
            wait_for(lambda: rest_figures(url, names) == wanted, follower.turn, 20)
            for feed in FEEDS:
                own = rest_figures(url, names, MICS[feed])
                assert own == true_figures(truth, names, [feed]), feed
            wait_for(lambda: not follower.turn(), lambda: 1, 10)
    finally:
        venues.close()
        wire.close()
        recorder.stopping.set()
    recorder.write(folder)
    trades = check_records(follower, truth)
    states = check_states(follower, truth)
    updates = check_stream(wire, truth)
    steps = check_every_step(recorder.packets, day)
    everywhere = sum(all(truth.of(feed, symbol).sales for feed in FEEDS) for symbol in names)
    print(
        f"{symbols} symbols ({everywhere} sold at all three venues), "
        f"{len(recorder.packets)} packets and texts, {trades} trades, {truth.taken_back} taken "
        f"back; live: {states} states of rows and {follower.compared} consolidated prices equal "
        f"({follower.moved} moved while they were read), {updates} messages of /stream; "
        f"replayed: {steps} consolidated prices equal"
    )
    assert min(trades, states, follower.compared, updates, steps) > symbols
    assert everywhere > symbols // 5
    assert follower.moved < follower.compared // 10


def generated(symbols: int, messages: int, day: Any) -> list[Packet]:
    """Days of the three simulated markets, without a network: a few messages to a packet."""
    midnight, start, rate = midnight_ns(day), 10 * 3600 * E9, 1000.0
    itch = ItchMarket(symbols, 1, rate=rate, start=start)
    pitch = PitchMarket(symbols, 2, units=2, rate=rate, start=start)
    vendor = AlpacaMarket(symbols, 3, rate, start, midnight)
    sequences = {ITCH: 1, 1: 1, 2: 1}
    buffer = bytearray(1 << 16)
    packets: list[Packet] = []

    def add(feed: str, data: bytes) -> None:
        received = midnight + start + len(packets) * 1_700_000
        packets.append(Packet(received, feed, 0, data))

    for _ in range(0, messages, 5):
        number, used = itch.generate(5, buffer)
        add(ITCH, b"GENERATED " + struct.pack(">QH", sequences[ITCH], number) + buffer[:used])
        sequences[ITCH] += number
        _, used = pitch.generate(5, buffer)
        at = 0
        while at < used:
            unit, length = buffer[at], buffer[at + 1]
            head = struct.pack("<HBBI", 8 + length, 1, unit, sequences[unit])
            add(PITCH, head + bytes(buffer[at + 1 : at + 1 + length]))
            sequences[unit] += 1
            at += 1 + length
        events = [event for _, _, event in vendor.events(5)]
        if events:
            add(VENDOR, b"[" + b",".join(events) + b"]")
    return packets


DAY = date(2026, 3, 27)


@pytest.mark.slow
def test_every_step_of_generated_days() -> None:
    assert check_every_step(generated(40, 12_000, DAY), DAY) > 12_000


@pytest.mark.slow
@pytest.mark.parametrize("feed", FEEDS)
def test_the_proof_sees_one_wrong_price(feed: str) -> None:
    """One trade of one venue, wrong by the least that there is, in what is recomputed."""
    packets = generated(40, 6_000, DAY)
    wrong: list[Packet] = []

    def tamper(packet: Packet) -> Packet:
        data = bytearray(packet.data)
        if packet.feed != feed or wrong:
            return packet
        if feed == VENDOR:
            match = re.search(rb'"T":"t","i":\d+,"x":"V","p":[\d.]*(\d)', packet.data)
            if not match:
                return packet
            data[match.start(1)] ^= 1
        elif not spoil(data, feed):
            return packet
        wrong.append(packet)
        return replace(packet, data=bytes(data))

    with pytest.raises(AssertionError):
        check_every_step(packets, DAY, tamper)
    assert wrong


def spoil(data: bytearray, feed: str) -> bool:
    """The price of the packet's first trade that says its own, one unit off; False: has none."""
    at = 20 if feed == ITCH else 8
    while at < len(data):
        if feed == ITCH:
            at, length = at + 2, int.from_bytes(data[at : at + 2], "big")
            place = at + 35 if data[at] == ord("P") else 0
        else:
            length = data[at]
            place = {0x2A: at + 25, 0x2B: at + 23}.get(data[at + 1], 0)
        if place:
            data[place] ^= 1
            return True
        at += length
    return False


@pytest.mark.slow
def test_three_venues(tmp_path: Path) -> None:
    prove(tmp_path, 500, 2500, 6)


@pytest.mark.stress
@pytest.mark.timeout(600)
def test_three_venues_for_long(tmp_path: Path) -> None:
    prove(tmp_path, 500, 4000, 45)

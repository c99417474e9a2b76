"""Bars equal a recomputation from all trades, with any order, breaks, corrections and restarts."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ticker.shm.header import Mapping
from ticker.shm.layout import RecordKind, TradeFlag
from ticker.shm.ring import RingWriter
from ticker.shm.segment import Geometry, private_feed
from ticker.shm.table import TableWriter
from ticker.store.bars import Bars
from ticker.store.past import read_minutes
from ticker.store.reader import HistoryReader
from ticker.store.rows import Place, Row
from ticker.store.sqlite import History

MINUTE = 60_000_000_000
START = 29_581_000  # minutes since the epoch
REGULAR = int(TradeFlag.TRADE_REGULAR)
LAST = int(TradeFlag.TRADE_SETS_LAST)
RANGE = int(TradeFlag.TRADE_SETS_RANGE)
VOLUME = int(TradeFlag.TRADE_COUNTS_VOLUME)
TRADE, CANCELLED, CORRECTED = (
    int(RecordKind.RECORD_TRADE),
    int(RecordKind.RECORD_CANCELLED),
    int(RecordKind.RECORD_CORRECTED),
)
SYMBOLS = ("A", "B", "C")


@dataclass(frozen=True)
class Print:
    symbol: str
    time: int
    price: int
    size: int
    flags: int
    match: int


class Tape:
    """A feed of three symbols, whose trades a test says; and what bars they should make."""

    def __init__(self, capacity: int = 1 << 14) -> None:
        self.mapping: Mapping = private_feed(Geometry(8, 1, capacity), boot_id=1, now_ns=1)
        table = TableWriter(self.mapping)
        self.rows = {symbol: table.add(symbol, "XNAS") for symbol in SYMBOLS}
        self.ring = RingWriter(self.mapping, 0)
        self.prints: dict[int, Print] = {}
        self.matches = 0

    def trade(self, symbol: str, time: int, price: int, size: int, flags: int = REGULAR) -> int:
        self.matches += 1
        made = Print(symbol, time, price, size, flags, self.matches)
        self.prints[made.match] = made
        self._say(TRADE, made, time, made.match, 0)
        return made.match

    def cancel(self, match: int) -> None:
        self._say(CANCELLED, self.prints.pop(match), 7, match, 0)

    def correct(self, match: int, price: int, size: int, flags: int, *, renamed: bool) -> int:
        before = self.prints.pop(match)
        self.matches += renamed
        number = self.matches if renamed else match
        made = replace(before, price=price, size=size, flags=flags, match=number)
        self.prints[number] = made
        self._say(CORRECTED, made, 7, match, number)
        return number

    def _say(self, kind: int, made: Print, time: int, match: int, seq: int) -> None:
        self.ring.put(
            self.rows[made.symbol], kind, price=made.price, size=made.size, exchange_time=time,
            match=match, conditions=made.flags, seq=seq,
        )  # fmt: skip

    def bars(self) -> dict[tuple[str, int], tuple[object, ...]]:
        """Of all prints: open, high, low, close, volume, notional, trades of each minute."""
        minutes: dict[tuple[str, int], list[Print]] = {}
        for made in self.prints.values():
            minutes.setdefault((made.symbol, made.time // MINUTE * 60), []).append(made)
        return {key: figures(prints) for key, prints in minutes.items()}


def figures(prints: list[Print]) -> tuple[object, ...]:
    priced = sorted((each for each in prints if each.flags & LAST), key=lambda each: each.time)
    ranged = [each.price for each in prints if each.flags & RANGE]
    counted = [each for each in prints if each.flags & VOLUME]
    return (
        priced[0].price if priced else None,
        max(ranged, default=None),
        min(ranged, default=None),
        priced[-1].price if priced else None,
        sum(each.size for each in counted),
        sum(each.size * each.price for each in counted),
        len(counted),
    )


def kept(row: Row) -> tuple[object, ...]:
    names = ("open", "high", "low", "close", "volume", "notional", "trades")
    return tuple(row[name] for name in names)


def on_disk(folder: Path) -> dict[tuple[str, int], tuple[object, ...]]:
    """What is there, without bars of which every trade was taken back."""
    rows = [
        row for symbol in SYMBOLS for row in read_minutes(HistoryReader(folder), symbol, 0, 1 << 40)
    ]
    found = {(row["symbol"], row["minute"]): kept(row) for row in rows}
    return {key: row for key, row in found.items() if row[0] is not None or row[6]}


def exact_bars(folder: Path) -> set[tuple[str, int]]:
    rows = (
        row for symbol in SYMBOLS for row in read_minutes(HistoryReader(folder), symbol, 0, 1 << 40)
    )
    return {(row["symbol"], row["minute"]) for row in rows if row["exact"]}


def without_nothing(
    bars: dict[tuple[str, int], tuple[object, ...]],
) -> dict[tuple[str, int], tuple[object, ...]]:
    return {key: row for key, row in bars.items() if row[0] is not None or row[6]}


def write(history: History, bars: Bars, minute: int) -> None:
    time = max(minute * MINUTE, bars.newest_ns)
    history.write("f", bars.take(), (), (), Place(1, time, bars.positions))


SAYINGS = st.lists(
    st.tuples(
        st.sampled_from(("trade",) * 6 + ("cancel", "correct", "renamed", "write", "restart")),
        st.sampled_from(SYMBOLS),
        st.integers(0, 3 * 60),  # s
        st.integers(1, 20),
        st.sampled_from((REGULAR,) * 4 + (VOLUME, RANGE | VOLUME, LAST, 0)),
    ),
    max_size=60,
)


@pytest.mark.slow
@settings(max_examples=60)
@given(SAYINGS, st.integers(0, 1 << 30))
def test_bars_are_those_of_all_trades(
    sayings: list[tuple[str, str, int, int, int]], seed: int
) -> None:
    """Times go back and forth over three minutes; the worker is killed after a write, and between
    two of them, and goes on from where the disk says."""
    with TemporaryDirectory(dir="/dev/shm") as memory:  # nothing waits for a disk
        play(Path(memory), sayings, seed)


def play(folder: Path, sayings: list[tuple[str, str, int, int, int]], seed: int) -> None:
    chance = random.Random(seed)
    tape = Tape()
    history = History(folder)
    bars = Bars(tape.mapping, START - 1, kept=1024)
    known: set[int] = set()
    for number, (what, symbol, second, price, flags) in enumerate(sayings):
        # No two trades at the same time: which one is the last is then not said by the bars.
        time = START * MINUTE + second * 1_000_000_000 + number
        if what == "trade":
            known.add(tape.trade(symbol, time, price, price * 3, flags))
        elif what == "write":
            bars.read()
            write(history, bars, START + 3)
        elif what == "restart":
            if chance.random() < 0.5:
                bars.read()  # and is killed before it writes
            place = history.place("f")
            since = place.time // MINUTE if place else 0
            bars = Bars(tape.mapping, since, place.positions if place else [0], 1024)
        elif known:
            match = chance.choice(sorted(known))
            known.discard(match)
            if what == "cancel":
                tape.cancel(match)
            else:
                known.add(tape.correct(match, price + 1, price, flags, renamed=what == "renamed"))
    bars.read()
    write(history, bars, START + 3)
    exact = exact_bars(folder)
    found, right = on_disk(folder), without_nothing(tape.bars())
    assert {key: row[4:] for key, row in found.items() if row[6]} == {
        key: row[4:] for key, row in right.items() if row[6]
    }
    assert {key: found.get(key) for key in exact} == {key: right.get(key) for key in exact}
    if "restart" not in {what for what, *_ in sayings}:
        assert found == right
    assert bars.unmatched == 0
    history.close()


@pytest.mark.parametrize("kept", [4, 16, 64])
def test_totals_are_right_when_few_trades_are_kept(tmp_path: Path, kept: int) -> None:
    chance = random.Random(kept)
    tape = Tape()
    bars = Bars(tape.mapping, START - 1, kept=kept)
    history = History(tmp_path)
    for number in range(3000):
        time = START * MINUTE + number * 100_000_000
        match = tape.trade(chance.choice(SYMBOLS), time, chance.randrange(90, 110), 100)
        if number % 7 == 0:
            back = match - chance.randrange(min(kept, match))
            if back in tape.prints:
                tape.cancel(back)
        if number % 50 == 0:
            bars.read()
            write(history, bars, START)
    bars.read()
    write(history, bars, START)
    totals = {key: row[4:] for key, row in tape.bars().items()}
    assert {key: row[4:] for key, row in on_disk(tmp_path).items()} == totals
    found = on_disk(tmp_path)
    assert all(tape.bars()[key] == found[key] for key in exact_bars(tmp_path))
    assert bars.unmatched == 0
    assert bars.held <= kept + 2 * len(SYMBOLS) + 2


def test_a_break_of_a_trade_that_is_no_longer_kept_is_counted() -> None:
    tape = Tape()
    bars = Bars(tape.mapping, START - 1, kept=2)
    first = tape.trade("A", START * MINUTE, 10, 1)
    for second in range(1, 4):
        tape.trade("A", START * MINUTE + second, 10, 1)
    tape.cancel(first)
    bars.read()
    assert bars.unmatched == 1
    assert [(row[9], row[11]) for row in bars.take()] == [(4, 4)]


def successor(tape: Tape, history: History) -> Bars:
    place = history.place("f")
    assert place is not None
    return Bars(tape.mapping, place.time // MINUTE, place.positions, 1024)


def test_a_successor_takes_back_what_its_predecessor_wrote(tmp_path: Path) -> None:
    tape = Tape()
    history = History(tmp_path)
    bars = Bars(tape.mapping, START - 1)
    times = [START * MINUTE + second for second in range(6)]
    matches = [tape.trade("A", time, 10 + time % 7, 100) for time in times]
    tape.cancel(matches[0])
    renamed = tape.correct(matches[1], 50, 7, REGULAR, renamed=True)
    bars.read()
    write(history, bars, START)
    tape.cancel(renamed)
    tape.trade("A", START * MINUTE + 9, 12, 1)
    tape.correct(matches[2], 11, 30, VOLUME, renamed=False)
    tape.trade("A", (START + 1) * MINUTE, 13, 2)
    tape.cancel(matches[5])
    bars = successor(tape, history)
    bars.read()
    assert bars.unmatched == 0
    write(history, bars, START + 1)
    right = tape.bars()
    assert {key: row[4:] for key, row in on_disk(tmp_path).items()} == {
        key: row[4:] for key, row in right.items()
    }
    assert [(row["volume"], row["trades"]) for row in minute(tmp_path)] == [(231, 4)]
    assert [row["exact"] for row in minute(tmp_path)] == [0]
    tape.cancel(matches[3])
    again = successor(tape, history)
    assert again.take() == []
    again.read()
    write(history, again, START + 1)
    assert [(row["volume"], row["trades"]) for row in minute(tmp_path)] == [(131, 3)]
    history.close()


def test_a_successor_knows_what_the_ring_still_has(tmp_path: Path) -> None:
    tape = Tape(16)
    history = History(tmp_path)
    bars = Bars(tape.mapping, START - 1)
    matches = []
    for second in range(20):
        matches.append(tape.trade("A", START * MINUTE + second, 10, 1))
        bars.read()
    write(history, bars, START)
    bars = successor(tape, history)
    tape.cancel(matches[2])
    tape.cancel(matches[-2])
    bars.read()
    write(history, bars, START)
    assert bars.unmatched == 1
    assert [(row["volume"], row["trades"]) for row in minute(tmp_path)] == [(19, 19)]
    history.close()


def test_a_revision_is_a_change_after_the_minute(tmp_path: Path) -> None:
    tape = Tape()
    history = History(tmp_path)
    bars = Bars(tape.mapping, START - 1)
    first = tape.trade("A", START * MINUTE, 10, 1)
    for _ in range(2):  # in its own minute: no revision
        tape.trade("A", START * MINUTE + 1, 11, 1)
        bars.read()
        write(history, bars, START)
    tape.trade("B", (START + 1) * MINUTE, 5, 1)
    bars.read()
    write(history, bars, START + 1)
    assert [(row["revision"], row["close"]) for row in minute(tmp_path)] == [(0, 11)]
    tape.cancel(first)
    bars.read()
    write(history, bars, START + 1)
    assert [(row["revision"], row["open"]) for row in minute(tmp_path)] == [(1, 11)]
    tape.trade("A", START * MINUTE + 2, 12, 1)  # late
    bars.read()
    write(history, bars, START + 1)
    assert [(row["revision"], row["close"]) for row in minute(tmp_path)] == [(2, 12)]


def minute(folder: Path) -> list[Row]:
    return read_minutes(HistoryReader(folder), "A", START * 60, START * 60 + 1)


def test_a_ring_that_is_faster_than_the_reader_is_counted() -> None:
    tape = Tape(16)
    bars = Bars(tape.mapping, START - 1)
    for second in range(100):
        tape.trade("A", START * MINUTE + second, 10, 1)
    assert bars.read() == 0
    assert bars.skipped == 100
    tape.trade("A", START * MINUTE + 100, 10, 1)
    assert bars.read() == 1
    late = Bars(tape.mapping, START - 1)  # begins with what is left
    assert (late.read(), late.skipped) == (12, 89)


def test_volumes_and_notionals_beyond_64_bits(tmp_path: Path) -> None:
    tape = Tape()
    history = History(tmp_path)
    size, price = (1 << 64) - 1, (1 << 62) + 5
    for start in (START - 1, START):  # kept in memory, and added to the disk
        reached = history.place("f")
        bars = Bars(tape.mapping, start, reached.positions if reached else None)
        tape.trade("A", START * MINUTE, price, size)
        bars.read()
        write(history, bars, START)
    (row,) = read_minutes(HistoryReader(tmp_path), "A", 0, 1 << 40)
    assert (row["volume"], row["notional"]) == (2 * size, 2 * size * price)

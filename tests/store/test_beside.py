"""Bars that still change are in a file beside those of the months: nothing is lost between the two,
and nothing counts twice, whenever a worker is killed or the disk fails."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import structlog

from tests.store.test_bars import MINUTE, START, SYMBOLS, Tape
from ticker.errors import StoreError
from ticker.store.beside import FormingBars, FormingFiles, woven
from ticker.store.chronicle import Chronicle
from ticker.store.past import read_minutes
from ticker.store.reader import HistoryReader
from ticker.store.rows import BAR, Place, Row
from ticker.store.sqlite import History

BOOT = 7
SECOND = 1_000_000_000
NAMES = ("open", "high", "low", "close", "volume", "notional", "trades")


class Frail(History):
    """The months' files, and the files beside them, fail when a test says so."""

    fails = beside_fails = False

    def write(self, *arguments: Any) -> None:
        if self.fails:
            raise StoreError("it fails")
        super().write(*arguments)

    def forming(self, feed: str) -> FormingFiles:
        found = super().forming(feed)
        write = found.write

        def frail(*arguments: Any) -> None:
            if self.beside_fails:
                raise OSError(28, "it is full")
            write(*arguments)

        found.write = frail  # type: ignore[method-assign, assignment]
        return found


class Kept:
    """A feed of three symbols, and the chronicles of its workers, one after another."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = START * MINUTE
        self.tape = Tape()
        self.history = Frail(folder)
        self.chronicle = self.begin()

    def begin(self, boot: int = BOOT) -> Chronicle:
        """The worker is killed, another one begins."""
        self.history.close()
        self.history = Frail(self.folder)
        self.chronicle = Chronicle(self.tape.mapping, "f", self.history, boot, self.now, 1024)
        return self.chronicle

    def trade(self, symbol: str, price: int, size: int = 10) -> int:
        self.now += SECOND
        return self.tape.trade(symbol, self.now, price, size)

    def commit(self, *, last: bool = False) -> int:
        self.chronicle.read(self.now)
        return self.chronicle.commit(self.now, last=last)

    def shown(self) -> dict[tuple[str, int], tuple[object, ...]]:
        """What readers see, without bars of which every trade was taken back."""
        rows = [row for symbol in SYMBOLS for row in read_minutes(self.reader, symbol, 0, 1 << 40)]
        found = {(row["symbol"], row["minute"]): tuple(row[name] for name in NAMES) for row in rows}
        return {key: row for key, row in found.items() if row[0] is not None or row[6]}

    def in_month(self) -> list[tuple[str, int, int]]:
        """The bars of the month's file alone."""
        (path,) = (self.folder / "history").glob("*.sqlite")
        with sqlite3.connect(path) as file:
            return file.execute("SELECT symbol, minute, trades FROM bars ORDER BY 2, 1").fetchall()

    @property
    def reader(self) -> HistoryReader:
        return HistoryReader(self.folder)


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


def test_a_bar_is_written_once_when_its_minute_is_over(kept: Kept) -> None:
    kept.trade("A", 10)
    kept.commit()
    for price in (12, 9, 11):
        kept.trade("A", price)
        assert kept.commit() == 0
        assert kept.shown() == kept.tape.bars()
        assert kept.in_month() == []
    kept.now += MINUTE
    assert kept.commit() == 1
    assert kept.in_month() == [("A", START * 60, 4)]
    assert kept.shown() == kept.tape.bars()


def test_a_late_correction_is_seen_at_once_and_written_with_the_next_minute(kept: Kept) -> None:
    match = kept.trade("A", 10)
    kept.trade("A", 12)
    kept.now += MINUTE
    kept.trade("B", 5)
    kept.commit()
    kept.tape.cancel(match)
    kept.commit()
    assert kept.shown() == kept.tape.bars()
    assert kept.in_month() == [("A", START * 60, 2)]
    kept.now += MINUTE
    kept.commit()
    (row,) = read_minutes(kept.reader, "A", 0, 1 << 40)
    assert (row["open"], row["trades"], row["revision"]) == (12, 1, 1)


def test_all_is_in_the_months_files_at_the_end(kept: Kept) -> None:
    kept.trade("A", 10)
    kept.commit()
    kept.trade("B", 11)
    kept.commit()
    kept.trade("A", 12)
    kept.commit(last=True)
    assert kept.in_month() == [("A", START * 60, 2), ("B", START * 60, 1)]
    assert kept.shown() == kept.tape.bars()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_killed_and_failing_at_any_moment(tmp_path: Path, seed: int) -> None:
    """The rings are still there, so each trade counts, once. What readers see is the newest commit
    that came to its end."""
    chance = random.Random(seed)
    kept = Kept(tmp_path)
    seen: dict[tuple[str, int], tuple[object, ...]] = {}
    for _ in range(120):
        for _ in range(chance.randrange(4)):
            kept.trade(chance.choice(SYMBOLS), chance.randrange(1, 20))
        if chance.random() < 0.1:
            kept.now += MINUTE
        kept.history.fails = chance.random() < 0.2
        kept.history.beside_fails = chance.random() < 0.2
        try:
            kept.commit(last=chance.random() < 0.05)
        except (OSError, StoreError):
            assert kept.history.fails or kept.history.beside_fails
        else:
            seen = kept.tape.bars()
        assert kept.shown() == seen
        if chance.random() < 0.2:
            kept.begin()
    kept.begin()
    kept.commit()
    assert kept.shown() == kept.tape.bars()
    kept.commit(last=True)
    assert sorted(kept.in_month()) == sorted((*key, row[6]) for key, row in kept.shown().items())
    assert kept.reader.holes(0, 1 << 62) == []


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def forming_files(folder: Path) -> list[Path]:
    """The newest first."""
    paths = (folder / "history").glob("f.forming.[01]")
    return sorted(paths, key=lambda path: -FormingBars.unpacked(path.read_bytes()).number)


def test_a_damaged_file_gives_way_to_the_one_before(kept: Kept) -> None:
    for price in (10, 11, 12):
        kept.trade("A", price)
        kept.commit()
    newest, _ = forming_files(kept.folder)
    damage(newest)
    assert [row["trades"] for row in read_minutes(kept.reader, "A", 0, 1 << 40)] == [2]
    with structlog.testing.capture_logs() as lines:
        kept.begin()
    assert [str(newest) in line["reason"] for line in lines] == [True]
    kept.commit()
    assert kept.shown() == kept.tape.bars()


def test_bars_that_are_lost_with_their_files_are_in_a_hole(kept: Kept) -> None:
    kept.trade("A", 10)
    kept.commit()
    kept.now += MINUTE
    kept.trade("A", 10)
    kept.commit()
    for path in forming_files(kept.folder):
        damage(path)
    lost = kept.now
    kept.tape = Tape()  # another run of the server: the rings are others
    kept.now += MINUTE
    kept.begin(BOOT + 1)
    kept.trade("A", 11)
    kept.commit()
    assert any(hole.touches(lost, lost + 1) for hole in kept.reader.holes(0, 1 << 62))
    assert [row["trades"] for row in read_minutes(kept.reader, "A", 0, 1 << 40)] == [1, 1]


def test_bars_survive_the_end_of_the_whole_server(kept: Kept) -> None:
    kept.trade("A", 10)
    kept.commit()
    kept.trade("A", 12)
    kept.commit()
    stopped = kept.now
    before = kept.shown()
    kept.tape = Tape()
    kept.begin(BOOT + 1)
    assert kept.shown() == before
    kept.trade("A", 15)
    kept.commit()
    (row,) = read_minutes(kept.reader, "A", 0, 1 << 40)
    assert (row["open"], row["close"], row["trades"], row["revision"]) == (10, 15, 3, 0)
    (hole,) = kept.reader.holes(0, 1 << 62)
    assert (hole.reason, hole.begin) == ("store restarted", max(stopped, (START + 1) * MINUTE))


def test_any_bytes_are_bars_or_an_error() -> None:
    place = Place(BOOT, 5, [1, 2], 0)
    whole = FormingBars("f", 3, place, place, bytes(288)).packed()
    assert FormingBars.unpacked(whole).bars == bytes(288)
    for at in range(len(whole)):
        with pytest.raises(StoreError):
            FormingBars.unpacked(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(StoreError):
            FormingBars.unpacked(whole[:at])


def figures(symbol: str, venue: str, minute: int, trades: int, *, adds: bool) -> Any:
    return (symbol, venue, minute, 1, 2, 1, 2, 1, 2, 5, 5, trades, 0, 0, True, adds)


@pytest.mark.parametrize("newest_first", [False, True])
def test_bars_of_both_files_are_in_one_order(newest_first: bool) -> None:
    def row(venue: str, minute: int) -> Row:
        return dict(zip(BAR, (*figures("A", venue, minute, 1, adds=False)[:14], 1), strict=True))

    stored = [row(venue, minute) for minute in (60, 120, 240) for venue in ("X", "Y")]
    forming = [
        figures("A", "Y", 0, 7, adds=False),
        figures("A", "X", 120, 7, adds=False),
        figures("A", "Y", 120, 7, adds=True),
        figures("A", "X", 180, 7, adds=True),
        figures("A", "X", 300, 7, adds=False),
    ]
    stored.sort(key=lambda one: (one["minute"] * (-1 if newest_first else 1), one["venue"]))
    found = [
        (one["minute"], one["venue"], one["trades"]) for one in woven(stored, forming, newest_first)
    ]
    wanted = [
        (0, "Y", 7), (60, "X", 1), (60, "Y", 1), (120, "X", 7), (120, "Y", 8), (180, "X", 7),
        (240, "X", 1), (240, "Y", 1), (300, "X", 7),
    ]  # fmt: skip
    wanted.sort(key=lambda one: (one[0] * (-1 if newest_first else 1), one[1]))
    assert found == wanted

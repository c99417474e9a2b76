"""What waits for a writer that fails is all there when it works again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.store.test_bars import MINUTE, START, Tape
from ticker.errors import StoreError
from ticker.store import chronicle as chronicle_module
from ticker.store.beside import FormingFiles
from ticker.store.chronicle import Changes, Chronicle
from ticker.store.past import read_minutes
from ticker.store.reader import HistoryReader
from ticker.store.rows import Place
from ticker.store.sqlite import History

BOOT = 7


class Flaky(History):
    """It fails while a test says so, or `loses` its answer after a commit. `bars` are how many each
    commit had."""

    fails = loses = False
    remote = False

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.bars: list[int] = []

    def write(self, feed: str, changed_bars: Any, *more: Any) -> None:
        if self.fails:
            raise StoreError("it fails")
        bars = [*changed_bars]
        self.bars.append(len(bars))
        super().write(feed, bars, *more)
        if self.loses:
            raise StoreError("the answer is lost")

    def place(self, feed: str) -> Place | None:
        if self.fails:
            raise StoreError("it fails")
        return super().place(feed)


class Kept:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tape = Tape()
        self.history = Flaky(folder)

    def chronicle(self, *, first: bool = False) -> Chronicle:
        now = START * MINUTE
        return Chronicle(self.tape.mapping, "f", self.history, BOOT, now, 1024, first=first)

    def trade(self, second: int, price: int, size: int = 10) -> None:
        self.tape.trade("A", START * MINUTE + second * 1_000_000_000, price, size)

    def bars(self) -> list[tuple[int, ...]]:
        rows = read_minutes(HistoryReader(self.folder), "A", 0, 1 << 40)
        names = ("open", "high", "low", "close", "volume", "trades", "revision")
        return [tuple(row[name] for name in names) for row in rows]


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


def commit(chronicle: Chronicle) -> None:
    chronicle.read(START * MINUTE)
    chronicle.write(START * MINUTE)


def test_parts_of_a_bar_that_wait_add_up(kept: Kept) -> None:
    """A successor adds to the bars of its predecessor, a part with each commit that fails."""
    kept.trade(1, 10)
    commit(kept.chronicle())
    chronicle = kept.chronicle()
    for fails, price in ((True, 30), (True, 5), (True, 20), (False, 15)):
        kept.history.fails = fails
        kept.trade(price, price)
        if fails:
            with pytest.raises(StoreError):
                commit(chronicle)
        else:
            commit(chronicle)
    assert kept.bars() == [(10, 30, 5, 30, 50, 5, 0)]
    assert chronicle.waiting == 0


def test_a_bar_that_waits_is_there_once(kept: Kept) -> None:
    chronicle = kept.chronicle()
    kept.history.fails = True
    for second in range(3):
        kept.trade(60 + second, 10 + second)
        with pytest.raises(StoreError):
            commit(chronicle)
        assert chronicle.waiting == 1
    kept.history.fails = False
    commit(chronicle)
    assert kept.bars() == [(10, 12, 10, 12, 30, 3, 0)]


@pytest.mark.parametrize("at_once", [1, 3, 4096])
def test_the_rings_are_read_while_many_bars_are_taken(
    kept: Kept, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    """Bars that were taken, and others, change meanwhile."""
    monkeypatch.setattr(chronicle_module, "BARS_AT_ONCE", at_once)
    chronicle = kept.chronicle()
    for minute in range(10):
        kept.trade(60 * minute, 10 + minute)
    chronicle.read(START * MINUTE)
    take_in = Changes.take_in

    def meanwhile(self: Changes, bars: Any, days: Any) -> None:
        take_in(self, bars, days)
        if len(bars) == at_once and kept.tape.matches < 40:
            for minute in (0, 3, 9):
                kept.trade(60 * minute + 1, 30, 1)
            chronicle.read(START * MINUTE)

    monkeypatch.setattr(Changes, "take_in", meanwhile)
    chronicle.write(START * MINUTE)
    later = kept.tape.matches - 10
    assert later == (0 if at_once == 4096 else 30)
    more = [later // 3 if minute in (0, 3, 9) else 0 for minute in range(10)]
    assert [(bar[4], bar[5]) for bar in kept.bars()] == [(10 + n, 1 + n) for n in more]
    assert chronicle.waiting == 0
    commit(chronicle)
    assert [bar[5] for bar in kept.bars()] == [1 + n for n in more]


@pytest.mark.parametrize("remote", [False, True])
def test_a_writer_that_fails_at_the_start(
    kept: Kept, monkeypatch: pytest.MonkeyPatch, remote: bool
) -> None:
    """The first worker makes bars meanwhile, and adds them to those of the run before."""
    kept.trade(1, 10)
    before = Chronicle(kept.tape.mapping, "f", kept.history, BOOT - 1, START * MINUTE, 1024)
    commit(before)
    kept.tape = Tape()  # another run of the server
    monkeypatch.setattr(Flaky, "remote", remote)
    kept.history.fails = True
    chronicle = kept.chronicle(first=True)
    for second in (2, 61, 200):
        kept.trade(second, second)
        with pytest.raises(StoreError):
            commit(chronicle)
    kept.history.fails = False
    kept.trade(3, 3)
    kept.trade(260, 7)
    commit(chronicle)
    for second in (261, 3600):
        kept.trade(second, 8)
        commit(chronicle)
    assert kept.bars() == [
        (10, 10, 2, 3, 30, 3, 1),  # of the trade that came late
        (61, 61, 61, 61, 10, 1, 0),
        (200, 200, 200, 200, 10, 1, 0),
        (7, 8, 7, 8, 20, 2, 0),
        (8, 8, 8, 8, 10, 1, 0),
    ]
    (hole,) = HistoryReader(kept.folder).holes(0, 1 << 62)
    assert hole.reason == "store restarted"


def test_a_successor_waits_for_its_place(kept: Kept) -> None:
    """It must not count a trade twice."""
    kept.trade(1, 10)
    commit(kept.chronicle(first=True))
    kept.history.fails = True
    with pytest.raises(StoreError):
        kept.chronicle()
    kept.history.fails = False
    kept.trade(2, 11)
    commit(kept.chronicle())
    assert kept.bars() == [(10, 11, 10, 11, 20, 2, 0)]


@pytest.mark.parametrize("more", [0, 1])
def test_a_commit_whose_answer_was_lost_is_not_written_twice(kept: Kept, more: int) -> None:
    kept.trade(1, 10)
    commit(kept.chronicle())
    chronicle = kept.chronicle()  # it adds to the bar
    kept.trade(2, 30)
    kept.history.loses = True
    with pytest.raises(StoreError):
        commit(chronicle)
    kept.history.loses = False
    for number in range(more):
        kept.trade(3 + number, 5)
    commit(chronicle)
    assert kept.bars()[0][4:6] == (20 + 10 * more, 2 + more)
    assert chronicle.waiting == 0
    kept.trade(50, 7)
    commit(chronicle)
    assert kept.bars()[0][4:6] == (30 + 10 * more, 3 + more)


def test_a_database_gets_a_bar_once(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until its minute is over it is in a file of this machine, which readers see."""
    monkeypatch.setattr(Flaky, "remote", True)
    chronicle = kept.chronicle()
    for second in range(1, 61, 10):
        kept.trade(second, second)
        now = START * MINUTE + second * 1_000_000_000
        chronicle.read(now)
        chronicle.commit(now)
        assert kept.bars()[0][5] == second // 10 + 1
    assert sum(kept.history.bars) == 0
    kept.trade(61, 1)
    chronicle.read(now + MINUTE)
    chronicle.commit(now + MINUTE)
    assert sum(kept.history.bars) == 1


def test_a_full_disk_here_does_not_keep_bars_from_a_database(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Flaky, "remote", True)
    chronicle = kept.chronicle()
    kept.trade(1, 10)

    def full(*_: object) -> None:
        raise OSError(28, "it is full")

    monkeypatch.setattr(FormingFiles, "write", full)
    chronicle.read(START * MINUTE)
    assert chronicle.commit(START * MINUTE) == 1
    kept.trade(2, 20)
    monkeypatch.undo()
    monkeypatch.setattr(Flaky, "remote", True)
    chronicle.read(START * MINUTE)
    chronicle.commit(START * MINUTE + MINUTE)
    assert kept.bars() == [(10, 20, 10, 20, 20, 2, 0)]

"""A day that ends is on the disk at once, also if no worker ran while it ended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.store.test_faults import E9, NOW, Kept
from ticker.feeds.calls import TRADE_REGULAR
from ticker.store import chronicle
from ticker.store.past import read_days, read_minutes
from ticker.store.reader import HistoryReader
from ticker.store.worker import COMMIT_TURNS, StoreWorker

DAY = 86_400 * E9
MIDNIGHT = NOW - NOW % DAY


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    made = Kept(tmp_path)
    yield made
    made.close()


def trade(kept: Kept, at: int) -> None:
    kept.trades += 1
    kept.calls.trade(kept.row, 5 * E9, 10, kept.trades, TRADE_REGULAR, at, at)
    kept.market.publish(at)


def next_day(kept: Kept) -> None:
    kept.calls.start_session(MIDNIGHT + DAY)
    kept.now = MIDNIGHT + DAY + E9
    trade(kept, kept.now)


def days(kept: Kept) -> list[tuple[int, int]]:
    """Volume and trades of each day."""
    found = read_days(HistoryReader(kept.folder), "AAPL", 5)
    return [(row["volume"], row["trades"]) for row in found]


def test_a_day_is_written_in_the_turn_in_which_it_ends(kept: Kept) -> None:
    kept.commit()
    trade(kept, NOW + 5)
    kept.worker.turn()
    next_day(kept)
    kept.worker.turn()
    assert days(kept) == [(11, 2), (10, 1)]


@pytest.mark.parametrize("turns", [1, COMMIT_TURNS])
def test_a_day_that_ended_while_no_worker_ran(kept: Kept, turns: int) -> None:
    kept.commit()
    trade(kept, NOW + 5)
    kept.worker.turn()  # it is in the snapshot alone, when the worker is killed
    assert days(kept) == [(1, 1)]
    next_day(kept)
    assert kept.worker.history is not None
    kept.worker.history.close()
    kept.worker = StoreWorker(kept.worker_config, kept.context, lambda: kept.now)
    for _ in range(turns):
        kept.worker.turn()
    assert days(kept)[0] == (11, 2)


def test_many_days_are_written_every_fifth_minute(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But at once if one ends, and at the end; bars are written in each minute."""
    monkeypatch.setattr(chronicle, "MANY_DAYS", 0)
    found = []
    for _ in range(2 * chronicle.DAYS_MINUTES + 1):
        kept.commit()
        found.append(days(kept)[0][1])
        (bar,) = read_minutes(HistoryReader(kept.folder), "AAPL", 0, 1 << 40)
        assert bar["trades"] == len(found)
    assert found == [1, *[1] * 4, 6, *[6] * 4, 11]
    kept.commit()
    assert days(kept)[0][1] == 11
    next_day(kept)
    kept.worker.turn()
    assert [each[1] for each in days(kept)] == [12, 1]
    trade(kept, kept.now + 1)
    kept.worker.turn(last=True)
    assert [each[1] for each in days(kept)] == [12, 2]

"""Days and minute bars of a real server: those that it serves, also when the worker is killed."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet
import pytest

from tests.feeds.datagram_kinds import MoldItch
from tests.supervisor.test_serve import Server, until
from ticker.errors import StoreError
from ticker.feeds.day import midnight_ns, session_day
from ticker.store.past import read_days, read_minutes
from ticker.store.reader import HistoryReader
from ticker.store.rows import Hole, Place, day_of
from ticker.store.sqlite import History

SECOND = 1_000_000_000
LONG_AGO, EVER = 0, 1 << 40


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[MoldItch]:
    with MoldItch(midnight_ns(session_day(time.time_ns())), tmp_path) as exchange:
        yield exchange


def bars(folder: Path) -> list[dict[str, Any]]:
    return read_minutes(HistoryReader(folder), "AAPL", LONG_AGO, EVER)


@pytest.mark.slow
def test_the_bars_of_a_server_whose_worker_is_killed(tmp_path: Path, exchange: MoldItch) -> None:
    folder = tmp_path / "kept"
    store = f'[store]\nfolder = "{folder}"\ninterval = 0.1\n'
    server = Server(tmp_path, more=store, feed=exchange.toml())
    prices = [100 + number % 7 for number in range(60)]
    try:
        until(lambda: exchange.has_listener)
        for number, price in enumerate(prices):
            exchange.trade(price, time.time_ns())
            until(lambda number=number: server.trades() > number)  # type: ignore[misc]
            if number % 20 == 10:
                pid = server.workers()["store"]
                os.kill(pid, signal.SIGKILL)
                until(lambda pid=pid: server.workers()["store"] != pid)  # type: ignore[misc]
        until(lambda: sum(bar["trades"] for bar in bars(folder)) == len(prices))
        served = server.price()
        assert served is not None
    finally:
        server.close()
    found = bars(folder)
    assert sum(bar["volume"] for bar in found) == served["volume"] == 100 * len(prices)
    assert sum(bar["notional"] for bar in found) == sum(prices) * 100 * SECOND
    assert found[0]["open"] == prices[0] * SECOND
    assert found[-1]["close"] == prices[-1] * SECOND
    assert max(bar["high"] for bar in found) == max(prices) * SECOND
    assert min(bar["low"] for bar in found) == min(prices) * SECOND
    assert HistoryReader(folder).holes(0, time.time_ns()) == []
    (day,) = read_days(HistoryReader(folder), "AAPL", 5)
    assert day["day"] == session_day(time.time_ns()).isoformat()
    assert (day["open"], day["close"]) == (prices[0] * SECOND, prices[-1] * SECOND)
    assert (day["volume"], day["trades"]) == (100 * len(prices), len(prices))
    check_command(tmp_path, day, found)


def check_command(tmp_path: Path, day: dict[str, Any], found: list[dict[str, Any]]) -> None:
    """`ticker history`, in every form."""

    def history(*arguments: str) -> str:
        command = [sys.executable, "-m", "ticker", "history", "AAPL", *arguments]
        config = ("--config", str(tmp_path / "ticker.toml"))
        done = subprocess.run([*command, *config], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    (shown,) = json.loads(history("--format", "json"))
    assert shown["close"] == day["close"] / SECOND
    assert (shown["volume"], shown["day"]) == (day["volume"], day["day"])
    minutes = list(csv.DictReader(io.StringIO(history("--minutes", "--format", "csv"))))
    assert [int(each["volume"]) for each in minutes] == [each["volume"] for each in found]
    assert {each["complete"] for each in minutes} == {"yes"}
    assert len(history("--minutes").splitlines()) == 1 + len(found)
    history("--minutes", "--format", "parquet", "--output", str(tmp_path / "bars.parquet"))
    columns = parquet.read_table(tmp_path / "bars.parquet").to_pydict()
    assert columns["volume"] == [each["volume"] for each in found]
    assert [int(each * SECOND) for each in columns["close"]] == [each["close"] for each in found]


def place(seconds: int = 1_790_000_000) -> Place:
    return Place(1, seconds * SECOND, [7])


def test_a_symbol_of_which_nothing_is_kept(tmp_path: Path) -> None:
    config = tmp_path / "ticker.toml"
    config.write_text(f'[store]\nfolder = "{tmp_path}"\n')
    command = [sys.executable, "-m", "ticker", "history", "NOPE", "--config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert "nothing is kept of NOPE" in done.stderr


def day(symbol: str, when: date, close: int = 5) -> Any:
    start = int(datetime(when.year, when.month, when.day, 4, tzinfo=UTC).timestamp()) * SECOND
    return (symbol, "XNAS", start, 1, 9, 1, close, None, None, 4, 100, 3, 0, 0)


def test_days_and_bars_beyond_their_time_are_deleted(tmp_path: Path) -> None:
    history = History(tmp_path)
    days = [day("A", date(2026, month, 3)) for month in (1, 2, 3)]
    figures = (1, 2, 1, 2, 1, 2, 5, 5, 1, 0, 0, True, False)
    minutes = [("A", "XNAS", 1_767_400_020 + 60 * number, *figures) for number in range(3)]
    history.write("f", minutes, days, [], place(1_772_500_000))
    assert history.months() == ["2026-01", "2026-02", "2026-03"]
    history.prune(date(2026, 3, 4), history_days=28, bars_days=1000)
    assert [row["day"] for row in read_days(HistoryReader(tmp_path), "A", 9)] == ["2026-03-03"]
    assert len(read_minutes(HistoryReader(tmp_path), "A", LONG_AGO, EVER)) == 3
    history.prune(date(2026, 3, 4), history_days=28, bars_days=10)
    assert read_minutes(HistoryReader(tmp_path), "A", LONG_AGO, EVER) == []
    assert history.months() == ["2026-03"]
    assert history.place("f") == place(1_772_500_000)
    history.close()


def test_a_day_is_that_of_its_time_zone() -> None:
    for hour in (-14, -5, 0, 9, 12):
        midnight = int(datetime(2026, 11, 2, tzinfo=UTC).timestamp()) - hour * 3600
        assert day_of(midnight * SECOND) == ("2026-11-02" if -12 <= hour <= 12 else "2026-11-03")


def test_a_commit_is_whole_or_nothing(tmp_path: Path) -> None:
    history = History(tmp_path)
    history.write("f", [], [day("A", date(2026, 9, 1))], [], place())
    broken = [day("A", date(2026, 9, 1), close=6), (*day("B", date(2026, 9, 1))[:-1], object())]
    with pytest.raises(StoreError, match=r"2026-09\.sqlite"):
        history.write("f", [], broken, [Hole("f", 1, 2, "lapped")], place())
    assert [row["close"] for row in read_days(HistoryReader(tmp_path), "A", 9)] == [5]
    assert HistoryReader(tmp_path).holes(0, 10) == []
    history.write("f", [], broken[:1], [], place())
    assert [row["close"] for row in read_days(HistoryReader(tmp_path), "A", 9)] == [6]
    history.close()


def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    History(tmp_path).close()
    path = tmp_path / "history" / "2026-09.sqlite"
    with sqlite3.connect(path) as file:
        file.execute("PRAGMA user_version = 99")
    before = path.read_bytes()
    with pytest.raises(StoreError, match="a newer version of ticker wrote it; move it away"):
        History(tmp_path).write("f", [], [day("A", date(2026, 9, 1))], [], place())
    assert path.read_bytes() == before


def test_a_file_of_the_format_before(tmp_path: Path) -> None:
    """It is read as it is, and takes what a file of today takes once the worker has opened it."""
    figures = (1, 2, 1, 2, 1, 2, 5, 5, 1, 0, 0, True, False)
    minutes = [("A", "XNAS", 1_790_000_040 + 1800 * number, *figures) for number in range(5)]
    history = History(tmp_path)
    history.write("f", minutes[:4], [day("A", date(2026, 9, 21))], [], place())
    history.close()
    (path,) = (tmp_path / "history").glob("*.sqlite")
    with sqlite3.connect(path) as file:
        file.execute("DROP TABLE traded")
        file.execute("ALTER TABLE places DROP COLUMN forming")
        file.execute("PRAGMA user_version = 1")
    file.close()

    def found() -> list[int]:
        rows = read_minutes(HistoryReader(tmp_path), "A", LONG_AGO, EVER)
        assert read_days(HistoryReader(tmp_path), "A", 9)
        return [row["minute"] for row in rows]

    assert found() == [bar[2] for bar in minutes[:4]]
    history = History(tmp_path)
    assert history.place("f") == place()
    history.write("f", minutes[4:], [], [], place())
    assert found() == [bar[2] for bar in minutes]
    history.close()

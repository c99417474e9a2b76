"""A recorded day, played again, is the day: every word of every row, every record of every ring,
every bar. Other programs read the files without our code."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest

from tests.docs.blocks import blocks
from tests.record.days import (
    SECOND,
    bars_of,
    hand_made,
    only_recording,
    play_day,
    record_day,
    simulated,
)
from tests.store.test_bars import LAST, MINUTE, REGULAR, START, SYMBOLS, VOLUME
from tests.store.test_bars import Tape as Said
from ticker.record.playback.library import recordings
from ticker.record.tape import Tape

BARS = """
SELECT sales.symbol, epoch_ns(sales.exchange_time) // 60000000000 * 60 AS minute,
       first(price_e9 ORDER BY sales.exchange_time, position) FILTER (conditions & 1 > 0),
       max(price_e9) FILTER (conditions & 4 > 0), min(price_e9) FILTER (conditions & 4 > 0),
       last(price_e9 ORDER BY sales.exchange_time, position) FILTER (conditions & 1 > 0),
       coalesce(sum(size) FILTER (conditions & 8 > 0), 0)::UBIGINT,
       count(*) FILTER (conditions & 8 > 0)
FROM read_parquet('{files}') AS sales
ANTI JOIN (SELECT row, trade_id FROM read_parquet('{files}') WHERE kind = 'cancelled') AS broken
    USING (row, trade_id)
WHERE kind IN ('trade', 'print')
GROUP BY ALL ORDER BY ALL
"""
"""Minute bars by another program, from the files alone (docs/record.md)."""


def check(file: Path, folder: Path, batch: int, size: int) -> None:
    day = record_day(file, folder, batch, size)
    played = play_day(only_recording(folder))
    assert played.rows() == day.rows()
    records = day.records()
    assert sum(map(len, records)) > 10
    assert played.records() == records
    bars = bars_of(day)
    assert bars
    assert bars_of(played) == bars
    with duckdb.connect() as database:
        database.execute(BARS.format(files=folder / "*.parquet"))
        assert database.fetchall() == bars


@pytest.mark.parametrize("batch", [64, 4096])
def test_a_day_by_hand(tmp_path: Path, batch: int) -> None:
    check(hand_made(tmp_path / "day.itch"), tmp_path / "out", batch, size=30)


@pytest.mark.slow
def test_a_simulated_day(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    check(simulated(tmp_path / "day.itch", 250_000), folder, 4096, size=1000)
    files = only_recording(folder).files
    assert len(files) > 1, "it has a file for each hour"
    kinds = {kind for file in files for kind in pq.read_table(file.path)["kind"].to_pylist()}
    assert {"trade", "quote", "status", "cancelled", "correction", "row", "feed"} <= kinds


@pytest.mark.slow
def test_each_hour_begins_with_the_rows_as_they_were(tmp_path: Path) -> None:
    day = record_day(simulated(tmp_path / "day.itch", 30_000), tmp_path / "out")
    recording = only_recording(tmp_path / "out")
    for file in recording.files[:-1]:
        file.path.unlink()
    assert play_day(only_recording(tmp_path / "out")).rows() == day.rows()


def test_files_are_read_without_our_code(tmp_path: Path) -> None:
    record_day(hand_made(tmp_path / "day.itch"), tmp_path / "out", size=30)
    first, second = only_recording(tmp_path / "out").files
    trades = [(320_050_000_000, 100, 7), (320_070_000_000, 5, 8)]
    of_apple = (pl.col("kind") == "trade") & (pl.col("symbol") == "AAPL")
    polars = pl.read_parquet([first.path, second.path]).filter(of_apple)
    assert polars.select("price_e9", "size", "trade_id").rows()[:2] == trades
    pandas = pd.concat([pd.read_parquet(file.path) for file in (first, second)])
    pandas = pandas[(pandas.kind == "trade") & (pandas.symbol == "AAPL")]
    assert list(zip(pandas.price_e9, pandas["size"], pandas.trade_id, strict=True))[:2] == trades
    with pq.ParquetFile(first.path) as parquet:
        column = parquet.metadata.row_group(0).column(0)
        times = parquet.read(["publish_time"])["publish_time"].to_pylist()
    assert column.compression == "ZSTD"
    assert times == sorted(times)


def in_units(price: Any) -> float | None:
    return None if price is None else price / 1e9


def test_the_lines_of_the_page_read_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    day = record_day(hand_made(tmp_path / "day.itch"), tmp_path / "recordings", size=30)
    first = only_recording(tmp_path / "recordings").files[0].path
    page = [block for block in blocks() if block.page == "docs/record.md"]
    (query,) = (block.text for block in page if block.language == "sql")
    with duckdb.connect() as database:
        found = database.execute(query).fetchall()
    kept = [(bar[0], *map(in_units, bar[2:6])) for bar in bars_of(day)]
    assert [(bar[0], *bar[2:6]) for bar in found] == kept
    (lines,) = (block.text.splitlines() for block in page if block.language == "python")
    for line in lines:
        here = line.replace("recordings/sim-2026-03-30T14.parquet", str(first))
        assert len(eval(here, {"polars": pl, "pandas": pd})) > 0


def test_the_query_of_the_page_knows_breaks_and_corrections(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trades that are corrected more than once, under new numbers, and broken at last."""
    monkeypatch.chdir(tmp_path)
    chance = random.Random(20261130)
    day = Said(1 << 14)
    tape = Tape(day.mapping, "day", tmp_path / "recordings", "America/New_York")
    for step in range(600):
        time = START * MINUTE + chance.randrange(600) * SECOND + step
        if not day.prints or chance.random() < 0.6:
            flags = chance.choice((REGULAR, REGULAR, VOLUME, LAST))
            day.trade(chance.choice(SYMBOLS), time, chance.randrange(1, 99), step + 1, flags)
        elif chance.random() < 0.3:
            day.cancel(chance.choice([*day.prints]))
        else:
            one = chance.choice([*day.prints])
            renamed = chance.random() < 0.5
            day.correct(one, chance.randrange(1, 99), 7, REGULAR, renamed=renamed)
    tape.gather(whole=True)
    tape.take(last=True)
    tape.close()
    (query,) = (
        block.text
        for block in blocks()
        if (block.page, block.language) == ("docs/record.md", "sql")
    )
    with duckdb.connect() as database:
        found = database.execute(query).fetchall()
    assert {(bar[0], int(bar[1].timestamp())): (*bar[2:6], bar[6] or 0) for bar in found} == {
        key: (*map(in_units, bar[:4]), bar[4]) for key, bar in day.bars().items()
    }


def test_a_folder_without_recordings_says_so(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="no recording"):
        recordings(tmp_path)

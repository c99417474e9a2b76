"""Files of days and bars of the versions before, and of those to come."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ticker.errors import StoreError
from ticker.store.disk.schema import FILE_FORMAT
from ticker.store.past import read_days, read_minutes
from ticker.store.reader import HistoryReader
from ticker.store.rows import BAR, DAY, Hole, Place
from ticker.store.sqlite import History

SECOND = 1_000_000_000
HOUR = 1_790_006_400  # 16:00 UTC
MONTH = "2026-09"
FIRST_FORMAT = """
CREATE TABLE IF NOT EXISTS bars (
    symbol TEXT NOT NULL, venue TEXT NOT NULL,
    minute INTEGER NOT NULL,                 -- its start, s since the epoch
    open INTEGER, high INTEGER, low INTEGER, close INTEGER,
    open_time INTEGER, close_time INTEGER,   -- ns since the epoch
    volume BLOB NOT NULL, notional BLOB NOT NULL, trades INTEGER NOT NULL,
    size_exponent INTEGER NOT NULL,
    revision INTEGER NOT NULL,               -- changes after the minute was over
    exact INTEGER NOT NULL,                  -- 0: a trade was taken back, and prices may be its
    PRIMARY KEY (symbol, venue, minute)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS days (
    symbol TEXT NOT NULL, venue TEXT NOT NULL,
    day TEXT NOT NULL,                       -- of the venue, YYYY-MM-DD
    open INTEGER, high INTEGER, low INTEGER, close INTEGER,
    official_open INTEGER, official_close INTEGER, previous_close INTEGER,
    volume BLOB NOT NULL, trades INTEGER NOT NULL, size_exponent INTEGER NOT NULL,
    corrections INTEGER NOT NULL,
    PRIMARY KEY (symbol, venue, day)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS holes (           -- when bars may lack trades
    feed TEXT NOT NULL, begin INTEGER NOT NULL, end INTEGER NOT NULL,  -- ns since the epoch
    reason TEXT NOT NULL, records INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS places (          -- in the rings, up to which the bars go
    feed TEXT PRIMARY KEY, boot_id TEXT NOT NULL, time INTEGER NOT NULL, positions TEXT NOT NULL
);
PRAGMA user_version = 1;
"""
"""As the first version that kept days and bars made its files."""

PLACE = ("one", str(1 << 63), HOUR * SECOND, "7 8 9")
HOLE = ("one", HOUR * SECOND, (HOUR + 60) * SECOND, "lapped", 12)


def bar(symbol: str, venue: str, minute: int, volume: int, *, priced: bool = True) -> Any:
    """A row of the table; all numbers follow from its time."""
    price = minute % 9973 * SECOND
    prices = (price, price + 3, price - 2, price + 1) if priced else (None,) * 4
    times = (minute * SECOND + 1, minute * SECOND + 59) if priced else (None, None)
    words = [number if number < 1 << 63 else str(number) for number in (volume, volume * price)]
    return (symbol, venue, minute, *prices, *times, *words, 2, 0, minute % 3, int(priced))


# Two venues in a minute, an hour between two bars, numbers beyond 63 bits, a bar without a price.
BARS = [
    bar("AAPL", "XNAS", HOUR, 100),
    bar("AAPL", "ARCX", HOUR, 40),
    bar("AAPL", "XNAS", HOUR + 59 * 60, 5),
    bar("AAPL", "XNAS", HOUR + 3 * 3600, 1 << 61),
    bar("BTC-USD", "COIN", HOUR + 3600, 1 << 70),
    bar("ODD", "XNAS", HOUR, 3, priced=False),
]
DAYS = [
    ("AAPL", "ARCX", "2026-09-21", 1, 4, 1, 2, None, None, 9, 40, 2, 0, 0),
    ("AAPL", "XNAS", "2026-09-21", 1, 5, 1, 2, 1, 2, 9, str(1 << 65), 2, 0, 7),
    ("ODD", "XNAS", "2026-09-20", None, None, None, None, None, None, None, 3, 1, 4, 0),
]


@pytest.fixture
def old(tmp_path: Path) -> Iterator[Path]:
    """A folder whose month is of the first format."""
    (tmp_path / "history").mkdir(mode=0o700)
    with closing(sqlite3.connect(tmp_path / "history" / f"{MONTH}.sqlite")) as file:
        file.execute("PRAGMA journal_mode = WAL")
        file.executescript(FIRST_FORMAT)
        for table, rows in (("bars", BARS), ("days", DAYS), ("holes", [HOLE]), ("places", [PLACE])):
            marks = ", ".join("?" * len(rows[0]))
            file.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
        file.commit()
    yield tmp_path


def tables(folder: Path) -> dict[str, list[Any]]:
    """All rows of a month, and its format."""
    path = folder / "history" / f"{MONTH}.sqlite"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as file:
        (number,) = file.execute("PRAGMA user_version").fetchone()
        names = ["bars", "days", "holes", "places", *(["traded"] if number > 1 else [])]
        found = {name: sorted(file.execute(f"SELECT * FROM {name}"), key=repr) for name in names}
    return {**found, "format": [number]}


def read(folder: Path) -> list[Any]:
    """All that the readers of days and bars give."""
    reader = HistoryReader(folder)
    found: list[Any] = []
    for symbol in ("AAPL", "BTC-USD", "ODD", "NONE"):
        for venue in (None, "XNAS"):
            found.append(read_minutes(reader, symbol, 0, 1 << 40, venue))
            found.append(read_minutes(reader, symbol, HOUR + 60, HOUR + 3600, venue))
        found.append(read_days(reader, symbol, 9))
    return [*found, reader.holes(0, 1 << 62)]


def test_all_days_and_bars_of_the_first_format_are_as_before(old: Path) -> None:
    before, given = tables(old), read(old)
    assert before["format"] == [1]
    assert [row["volume"] for row in given[0]] == [140, 5, 1 << 61]
    assert [row["notional"] for row in given[5]] == [(1 << 70) * ((HOUR + 3600) % 9973) * SECOND]

    history = History(old)
    place = history.place("one")
    history.close()

    after = tables(old)
    assert after.pop("format") == [FILE_FORMAT]
    assert after.pop("traded") == sorted(
        {(symbol, minute // 3600 * 3600) for symbol, _, minute, *_ in BARS}, key=repr
    )
    before.pop("format")
    before["places"] = [(*PLACE, 0)]
    assert after == before
    assert place == Place(1 << 63, HOUR * SECOND, [7, 8, 9])
    assert read(old) == given


def test_a_file_of_the_first_format_takes_more_bars(old: Path) -> None:
    """The minute of a bar that is there, one of its hour, and one of another hour."""
    figures = (1, 2, 1, 2, HOUR * SECOND + 2, HOUR * SECOND + 3, 10, 20, 1, 0, 1, True)
    history = History(old)
    added = [
        ("AAPL", "XNAS", HOUR, *figures, True),
        ("AAPL", "XNAS", HOUR + 60, *figures, False),
        ("AAPL", "XNAS", HOUR + 7200, *figures, False),
    ]
    history.write("one", added, [], [Hole("one", 1, 2, "lapped")], Place(1, HOUR * SECOND, [1]))
    history.close()
    rows = read_minutes(HistoryReader(old), "AAPL", 0, 1 << 40, "XNAS")
    assert [(row["minute"], row["volume"]) for row in rows] == [
        (HOUR, 110), (HOUR + 60, 10), (HOUR + 59 * 60, 5), (HOUR + 7200, 10),
        (HOUR + 3 * 3600, 1 << 61),
    ]  # fmt: skip
    assert len(rows[0]) == len(BAR)
    assert len(read_days(HistoryReader(old), "AAPL", 9)[0]) == len(DAY)


def test_a_file_of_the_first_format_stays_one_if_the_change_fails(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tables(old)
    monkeypatch.setattr("ticker.store.sqlite.FILE_FROM_1", "INSERT INTO nosuch VALUES (1);")
    with pytest.raises(StoreError, match="nosuch"):
        History(old).place("one")
    assert tables(old) == before


def test_a_newer_format_is_refused_with_what_to_do(old: Path) -> None:
    path = old / "history" / f"{MONTH}.sqlite"
    with closing(sqlite3.connect(path)) as file:
        file.execute(f"PRAGMA user_version = {FILE_FORMAT + 1}")
    content = path.read_bytes()
    for use in (lambda: History(old).place("one"), lambda: read(old)):
        with pytest.raises(StoreError, match=r"2026-09\.sqlite: a newer version.*move it away"):
            use()
    with pytest.raises(StoreError) as refused:
        History(old).place("one")
    assert refused.value.errno == errno.EPROTONOSUPPORT
    assert path.read_bytes() == content

"""Days and bars in a real PostgreSQL server: what is read back is what the files would have."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest

from tests.certificates import Authority
from tests.store.postgres_server import PASSWORD, PostgresServer
from ticker.errors import StoreError
from ticker.store import postgres as postgres_module
from ticker.store.past import Past, read_days, read_minutes
from ticker.store.postgres import Database, DatabaseReader
from ticker.store.reader import HistoryReader
from ticker.store.rows import Hole, Place
from ticker.store.sqlite import History

pytestmark = pytest.mark.slow
E9 = 1_000_000_000
START = 1_790_000_040
SYMBOLS = ("A", "B.C", "D\"\\\t'", "Ö")
VENUES = ("XNAS", "ARCX")
BEYOND = 1 << 100


@pytest.fixture
def url(postgres: PostgresServer) -> str:
    return postgres.database()


@pytest.fixture
def database(tmp_path: Path, url: str) -> Iterator[Database]:
    made = Database(url, "main", tmp_path)
    yield made
    made.close()


@pytest.fixture
def reader(tmp_path: Path, url: str) -> Iterator[DatabaseReader]:
    made = DatabaseReader(url, tmp_path)
    yield made
    made.close()


def bar(chance: random.Random, minute: int, *, adds: bool) -> Any:
    """A bar with some of its figures unknown, and some beyond 63 bits."""
    prices = [None] * 4 if chance.random() < 0.2 else [chance.randrange(1, 1 << 40)] * 4
    times = [None] * 2 if prices[0] is None else [minute * E9, minute * E9 + 5]
    volume = chance.choice((0, 7, 1 << 64, BEYOND))
    return (
        chance.choice(SYMBOLS), chance.choice(VENUES), minute, *prices, *times,
        volume, volume * 3, chance.randrange(9), chance.randrange(3), chance.randrange(3),
        chance.random() < 0.8, adds,
    )  # fmt: skip


def day(symbol: str, when: date, close: int, venue: str = "XNAS") -> Any:
    start = int(datetime(when.year, when.month, when.day, 4, tzinfo=UTC).timestamp()) * E9
    return (symbol, venue, start, 1, 9, 1, close, None, close, 4, BEYOND, 3, 0, 0)


def changes(chance: random.Random) -> tuple[list[Any], list[Any], list[Hole]]:
    """What one commit of a chronicle may have; it has no bar and no day twice."""
    bars = {}
    for _ in range(chance.randrange(40)):
        one = bar(chance, START + 60 * chance.randrange(30), adds=chance.random() < 0.4)
        bars[one[:3]] = one
    days = {}
    for _ in range(chance.randrange(6)):
        when = date(2026, chance.choice((8, 9)), chance.randrange(1, 29))
        one = day(chance.choice(SYMBOLS), when, chance.randrange(99), chance.choice(VENUES))
        days[one[:3]] = one
    begin = START * E9 + chance.randrange(1000 * E9)
    holes = [Hole("f", begin, begin + 5 * E9, "lapped", 7)] * chance.randrange(2)
    return [*bars.values()], [*days.values()], holes


def test_the_database_has_what_the_files_have(
    tmp_path: Path, database: Database, reader: DatabaseReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_module, "BATCH", 7)
    chance = random.Random(12)
    files, kept = History(tmp_path), HistoryReader(tmp_path)
    for number in range(40):
        bars, days, holes = changes(chance)
        for writer in (files, database):
            writer.write("f", bars, days, holes, Place(1 << 63, START * E9 + number, [number, 5]))
    assert database.place("f") == files.place("f") == Place(1 << 63, START * E9 + 39, [39, 5])
    assert database.place("g") is None
    files.close()
    for symbol in SYMBOLS:
        for venue in (None, *VENUES, "NONE"):
            same_history(kept, reader, symbol, venue)
    assert reader.holes(0, 1 << 62) == kept.holes(0, 1 << 62) != []
    assert reader.holes(0, START) == []
    several = [
        Past(one).bars([*SYMBOLS, "NONE"], 300, None, START + 3000, 4) for one in (kept, reader)
    ]
    assert several[0] == several[1]
    assert any(rows for rows, _ in several[1].values())


def same_history(
    kept: HistoryReader, reader: DatabaseReader, symbol: str, venue: str | None
) -> None:
    assert read_days(reader, symbol, 9, venue) == read_days(kept, symbol, 9, venue)
    minutes = read_minutes(reader, symbol, 0, 1 << 40, venue)
    assert minutes == read_minutes(kept, symbol, 0, 1 << 40, venue)
    for begin in (None, START, START + 600):
        for span, count in ((60, 5), (300, 3), (3600, 1000)):
            asked = [symbol], span, begin, START + 1500, count, venue
            assert Past(reader).bars(*asked) == Past(kept).bars(*asked)
        assert Past(reader).days(symbol, begin, START + 86_400, 3, venue) == Past(kept).days(
            symbol, begin, START + 86_400, 3, venue
        )


def test_nothing_is_read_before_a_server_has_written(reader: DatabaseReader) -> None:
    assert read_days(reader, "A", 5) == []
    assert Past(reader).bars(["A"], 60, None, START, 5) == {"A": ([], None)}
    assert reader.holes(0, START) == []


def test_newest_bars_are_read_without_all_others(
    database: Database, reader: DatabaseReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_module, "AT_ONCE", 10)
    chance = random.Random(3)
    bars = [("A", "XNAS", *bar(chance, START + 60 * n, adds=False)[2:]) for n in range(500)]
    database.write("f", bars, [], [], Place(1, 1, [0]))
    (found, following) = Past(reader).bars(["A"], 60, None, START + 500 * 60, 3)["A"]
    assert [row["minute"] for row in found] == [START + 60 * n for n in (497, 498, 499)]
    assert following is None
    with reader.minutes(None, 1 << 40) as minutes:
        first = next(minutes("A", None))
        assert first["minute"] == START + 60 * 499
    assert len(read_minutes(reader, "A", 0, 1 << 40)) == 500


def test_a_commit_is_whole_or_nothing(database: Database, reader: DatabaseReader) -> None:
    database.write("f", [], [day("A", date(2026, 9, 1), 5)], [], Place(1, 1, [1]))
    broken = [day("A", date(2026, 9, 1), 6), (*day("B", date(2026, 9, 1), 6)[:-1], "many")]
    with pytest.raises(StoreError, match="many"):
        database.write("f", [], broken, [Hole("f", 1, 2, "lapped")], Place(1, 2, [2]))
    assert [row["close"] for row in read_days(reader, "A", 9)] == [5]
    assert reader.holes(0, 10) == []
    assert database.place("f") == Place(1, 1, [1])
    database.write("f", [], broken[:1], [], Place(1, 2, [2]))
    assert [row["close"] for row in read_days(reader, "A", 9)] == [6]


def test_days_and_bars_beyond_their_time_are_deleted(
    database: Database, reader: DatabaseReader
) -> None:
    chance = random.Random(1)
    january = 1_767_400_020
    bars = [("A", "XNAS", *bar(chance, january + 60 * n, adds=False)[2:]) for n in range(3)]
    days = [day("A", date(2026, month, 3), 5) for month in (1, 2, 3)]
    database.write(
        "f", bars, days, [Hole("f", january * E9, january * E9, "lapped")], Place(1, 1, [])
    )
    assert database.size() > 0
    database.prune(date(2026, 3, 4), history_days=28, bars_days=1000)
    assert [row["day"] for row in read_days(reader, "A", 9)] == ["2026-03-03"]
    assert len(read_minutes(reader, "A", 0, 1 << 40)) == 3
    database.prune(date(2026, 3, 4), history_days=28, bars_days=10)
    assert read_minutes(reader, "A", 0, 1 << 40) == []
    assert reader.holes(0, 1 << 62) == []
    assert database.place("f") == Place(1, 1, [])


def test_a_reader_goes_on_after_a_restart_of_the_server(
    postgres: PostgresServer, database: Database, reader: DatabaseReader
) -> None:
    database.write("f", [], [day("A", date(2026, 9, 1), 5)], [], Place(1, 1, [1]))
    assert len(read_days(reader, "A", 9)) == 1
    postgres.stop()
    try:
        with pytest.raises(StoreError, match="refused"):
            read_days(reader, "A", 9)
    finally:
        postgres.start()
    assert len(read_days(reader, "A", 9)) == 1


def test_a_query_that_is_not_answered_ends(
    url: str, database: Database, reader: DatabaseReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.write("f", [], [day("A", date(2026, 9, 1), 5)], [], Place(1, 1, [1]))
    assert len(read_days(reader, "A", 9)) == 1
    monkeypatch.setattr(postgres_module, "READ_DEADLINE", 0.2)
    with psycopg.connect(url) as other:
        other.execute("LOCK TABLE days IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(StoreError, match="statement timeout"):
            read_days(reader, "A", 9)
    assert len(read_days(reader, "A", 9)) == 1


def test_a_schema_of_its_own(tmp_path: Path, postgres: PostgresServer, url: str) -> None:
    postgres.ask(url, "CREATE SCHEMA second")
    other = f"{url}?options=-csearch_path%3Dsecond"
    for number, one in enumerate((url, other)):
        database = Database(one, f"instance{number}", tmp_path)
        database.write("f", [], [day("A", date(2026, 9, 1), number)], [], Place(1, 1, [1]))
        database.close()
    for number, one in enumerate((url, other)):
        reader = DatabaseReader(one, tmp_path)
        assert [row["close"] for row in read_days(reader, "A", 1)] == [number]
        reader.close()


def test_a_user_who_may_only_use_the_tables(
    tmp_path: Path, postgres: PostgresServer, url: str
) -> None:
    """An administrator makes them once; the server needs no right to create."""
    made = Database(url, "main", tmp_path)
    made.write("f", [], [], [], Place(1, 1, [1]))
    made.close()
    name = url.rpartition("/")[2]
    postgres.ask(
        url,
        "CREATE ROLE writer LOGIN PASSWORD 'plain'",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO writer",
        f"REVOKE CREATE ON DATABASE {name} FROM writer",
    )
    writer = Database(
        f"postgresql://writer:plain@127.0.0.1:{postgres.port}/{name}", "main", tmp_path
    )
    writer.write("f", [], [day("A", date(2026, 9, 1), 7)], [], Place(1, 2, [2]))
    assert writer.place("f") == Place(1, 2, [2])
    writer.close()


def test_bars_are_a_hypertable_where_timescaledb_is(
    tmp_path: Path, postgres: PostgresServer, url: str
) -> None:
    """Debian has no package of the extension: its two functions are stood in for."""
    postgres.ask(
        url,
        "SET allow_system_table_mods = on",
        "CREATE TABLE called (what text)",
        "INSERT INTO pg_extension SELECT 16000, 'timescaledb', extowner, extnamespace, "
        "extrelocatable, '2.11', NULL, NULL FROM pg_extension WHERE extname = 'plpgsql'",
        "CREATE FUNCTION create_hypertable(relation regclass, time_column_name name, "
        "chunk_time_interval anyelement) RETURNS void LANGUAGE sql AS $$ INSERT INTO called VALUES "
        "(concat_ws(' ', 'create', relation, time_column_name, chunk_time_interval)) $$",
        "CREATE FUNCTION drop_chunks(relation regclass, older_than bigint) RETURNS SETOF text "
        "LANGUAGE sql AS $$ INSERT INTO called VALUES "
        "(concat_ws(' ', 'drop', relation, older_than)) RETURNING what $$",
    )
    database = Database(url, "main", tmp_path)
    database.write("f", [], [], [], Place(1, 1, [1]))
    database.prune(date(1970, 1, 11), history_days=10, bars_days=9)
    database.close()
    again = Database(url, "main", tmp_path)
    again.place("f")
    again.close()
    assert postgres.ask(url, "SELECT what FROM called") == [
        (f"create bars minute {7 * 86_400}",),
        (f"drop bars {86_400}",),
    ]


@pytest.fixture
def with_tls(postgres: PostgresServer, tmp_path: Path) -> Iterator[Path]:
    """The server answers by TLS; the certificate that vouches for it."""
    authority = Authority(tmp_path)
    with postgres.secured(*authority.issue("localhost", "127.0.0.1")):
        yield authority.path


def test_tls_by_the_sslmode_of_the_url(
    tmp_path: Path, postgres: PostgresServer, with_tls: Path
) -> None:
    url = postgres.database()
    secured = f"{url}?sslmode=verify-full&sslrootcert={quote(str(with_tls))}"
    database = Database(secured, "main", tmp_path)
    database.write("f", [], [], [], Place(1, 1, [1]))
    assert database._connection is not None
    assert database._connection.pgconn.ssl_in_use
    database.close()
    stranger = Authority(with_tls.parent, name="stranger").path
    with pytest.raises(StoreError, match="certificate verify failed") as refused:
        Database(f"{url}?sslmode=verify-full&sslrootcert={stranger}", "main", tmp_path).place("f")
    assert PASSWORD not in str(refused.value)


@pytest.mark.stress
def test_rows_a_second(database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    """50,000 symbols: a minute of bars by COPY, and the same minute rewritten."""
    figures = (100, 200, 50, 150, 1, 2, 1000, 150_000, 10, 0, 0, True, False)
    for what, minute in (("new", START), ("new", START + 60), ("rewritten", START + 60)):
        bars: list[Any] = [(f"S{number}", "XNAS", minute, *figures) for number in range(50_000)]
        began, cpu = time.monotonic(), time.process_time()
        database.write("f", bars, [], [], Place(1, minute, [0]))
        seconds, cpu = time.monotonic() - began, time.process_time() - cpu
        rate = len(bars) / seconds
        with capsys.disabled():
            print(f"\n{what}: {rate:,.0f} rows/s, {1e6 * cpu / len(bars):.1f} us of ours each")
        assert rate > 10_000, "50,000 symbols are written every ten seconds"

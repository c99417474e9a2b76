"""Days and minute bars in a PostgreSQL database, for an operator who has one.

In: bars (bars.pyx) and days (days.pyx) that have changed. Out: tables with the columns, units and
meanings of the SQLite files (schema.py), in the first schema of the search path. Where the database
has TimescaleDB, `bars` is made a hypertable. Bars that still change are in files of this machine
(beside.py).

One transaction has the bars, the days and the places in the rings up to which they go. Its rows
come by COPY, a batch at a time, into a temporary table and from there into theirs. One server at a
time writes: an advisory lock is held as long as the connection. A database that does not answer is
cut off after a deadline, so no call waits for ever. No password is in a message.
"""

from __future__ import annotations

import contextlib
import errno
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from ticker.errors import StoreError
from ticker.store import bars, days
from ticker.store.beside import FormingFiles, FormingReader, woven
from ticker.store.disk.generations import make_folder
from ticker.store.disk.schema import DATABASE, DATABASE_FORMAT, DATABASE_FROM_1
from ticker.store.reader import FOLDER
from ticker.store.rows import BAR, DAY, SECOND, Hole, Key, Place, Row, bar_rows, day_row
from ticker.store.server import Connection, Deadline, Server

BATCH = 20_000
"""Rows of one COPY."""
DEADLINE = 30.0
"""s for each statement, and for the commit."""
PRUNE_DEADLINE = 600.0
RETRY = 1.0
"""s between two tries to connect."""
READ_DEADLINE = 10.0
MOST_IDLE = 2
"""Connections that a reader keeps."""
AT_ONCE = 500
"""Bars of one round trip to the database."""
CHUNK = 7 * 86_400
"""s of bars in one chunk of TimescaleDB."""
OTHERWISE = "name another database, or a schema of it by ?options=-csearch_path%3DNAME"
Cursor = psycopg.Cursor[Any]


class Database:
    """The tables of one instance, to write. It connects at the first call, and again after a fault.
    `folder`: of the store's files, for the bars that still change.

    Raises:
        StoreError: the url is unreadable, or the folder cannot be made.
    """

    remote = True

    def __init__(self, url: str, instance: str, folder: Path) -> None:
        self.server = Server(url)
        self.instance = instance
        self.folder = folder / FOLDER
        make_folder(self.folder)
        self._connection: Connection | None = None
        self._refusal: StoreError | None = None
        self._again = 0.0

    def write(
        self,
        feed: str,
        changed_bars: Iterable[bars.Figures],
        changed_days: Iterable[days.Figures],
        holes: Iterable[Hole],
        place: Place,
    ) -> None:
        """Write all changes in one transaction, or none.

        Raises:
            StoreError: the database did not take them.
        """
        left = iter(changed_bars)
        with self._transaction() as (cursor, deadline):
            while batch := list(islice(left, BATCH)):
                _put(cursor, "bars", BAR, bar_rows(batch, _kept(cursor, batch)))
                deadline.renew()
            by_key = {row[:3]: row for row in map(day_row, changed_days)}
            rows = iter(by_key.values())
            while some := list(islice(rows, BATCH)):
                _put(cursor, "days", DAY, some)
                deadline.renew()
            cursor.executemany(
                "INSERT INTO holes VALUES (%s, %s, %s, %s, %s)",
                [(hole.feed, hole.begin, hole.end, hole.reason, hole.records) for hole in holes],
            )
            positions = " ".join(map(str, place.positions))
            cursor.execute(
                "INSERT INTO places VALUES (%s, %s, %s, %s, %s) ON CONFLICT (feed) DO UPDATE SET "
                "boot_id = EXCLUDED.boot_id, time = EXCLUDED.time, "
                "positions = EXCLUDED.positions, forming = EXCLUDED.forming",
                (feed, str(place.boot_id), place.time, positions, place.forming),
            )

    def place(self, feed: str) -> Place | None:
        """The positions that the bars of a feed cover; None without bars.

        Raises:
            StoreError: the database did not answer.
        """
        with self._transaction() as (cursor, _):
            cursor.execute("SELECT * FROM places WHERE feed = %s", (feed,))
            row = cursor.fetchone()
        return row and _place(*row[1:])

    def forming(self, feed: str) -> FormingFiles:
        """Where the bars of a feed are kept that still change."""
        return FormingFiles(self.folder, feed)

    def prune(self, today: date, *, history_days: int, bars_days: int) -> None:
        """Delete bars and days older than so many days."""
        oldest_day = (today - timedelta(days=history_days)).isoformat()
        oldest = today - timedelta(days=bars_days)
        minute = int(datetime(oldest.year, oldest.month, oldest.day, tzinfo=UTC).timestamp())
        with self._transaction(PRUNE_DEADLINE) as (cursor, _):
            if _has_timescale(cursor):
                cursor.execute("SELECT drop_chunks('bars', older_than => %s::bigint)", (minute,))
            cursor.execute("DELETE FROM bars WHERE minute < %s", (minute,))
            cursor.execute("DELETE FROM days WHERE day < %s", (oldest_day,))
            cursor.execute('DELETE FROM holes WHERE "end" < %s', (minute * SECOND,))

    def size(self) -> int:
        """Bytes of the tables and their indexes."""
        with self._transaction() as (cursor, _):
            cursor.execute(
                "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE oid IN ("
                "'bars'::regclass, 'days'::regclass, 'holes'::regclass, 'places'::regclass) OR oid "
                "IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'bars'::regclass)"
            )
            row = cursor.fetchone()
        return int(row[0]) if row else 0

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @contextmanager
    def _transaction(self, seconds: float | None = None) -> Iterator[tuple[Cursor, Deadline]]:
        """A transaction; after a fault the connection is closed."""
        if self._refusal is not None and time.monotonic() < self._again:
            raise self._refusal
        with self.server.faults():
            try:
                connection = self._connection or self._connected()
                with (
                    Deadline(connection, seconds or DEADLINE) as deadline,
                    connection.transaction(),
                    connection.cursor() as cursor,
                ):
                    deadline.tell(cursor)
                    yield cursor, deadline
            except BaseException:
                self.close()
                raise

    def _connected(self) -> Connection:
        """A new connection. Where there is none, the next call within RETRY fails at once, so that
        many feeds do not wait for it in turn."""
        self._refusal = None
        try:
            with self.server.faults():
                self._connection = self.server.connect()
        except StoreError as error:
            self._refusal, self._again = error, time.monotonic() + RETRY
            raise
        with Deadline(self._connection, DEADLINE):
            self._prepare(self._connection)
        return self._connection

    def _prepare(self, connection: Connection) -> None:
        """Be the only writer, and make the tables if there are none."""
        with connection.transaction(), connection.cursor() as cursor:
            self._lock(cursor)
            found = cursor.execute("SELECT to_regclass('store') IS NOT NULL").fetchone()
            if found is None or not found[0]:
                cursor.execute(DATABASE)
                cursor.execute(
                    "INSERT INTO store VALUES (%s, %s)", (DATABASE_FORMAT, self.instance)
                )
                if _has_timescale(cursor):
                    cursor.execute(
                        "SELECT create_hypertable('bars', 'minute', chunk_time_interval => %s)",
                        (CHUNK,),
                    )
            row = cursor.execute("SELECT format, instance FROM store").fetchone()
            assert row is not None
            if row[0] > DATABASE_FORMAT:
                raise StoreError(
                    f"{self.server.shown}: a newer version of ticker wrote it; name another "
                    "database, or start that version",
                    errno.EPROTONOSUPPORT,
                )
            if row[0] == 1:
                cursor.execute(DATABASE_FROM_1)
            if row[1] != self.instance:
                raise StoreError(
                    f"{self.server.shown}: it is the store of the instance {row[1]!r}; {OTHERWISE}",
                    errno.EALREADY,
                )
            for table in ("bars", "days"):
                cursor.execute(
                    f"CREATE TEMPORARY TABLE new_{table} (LIKE {table}) ON COMMIT DELETE ROWS"
                )

    def _lock(self, cursor: Cursor) -> None:
        row = cursor.execute(
            "SELECT pg_try_advisory_lock(hashtextextended('ticker ' || current_schema(), 0))"
        ).fetchone()
        if row is None or row[0] is None:
            raise StoreError(
                f"{self.server.shown}: no schema of its search path exists; create one",
                errno.ENODEV,
            )
        if not row[0]:
            raise StoreError(
                f"{self.server.shown}: another server writes to it; {OTHERWISE}", errno.EALREADY
            )


class DatabaseReader:
    """The tables of one instance, to read; past.py says what each call gives. Threads may share it,
    and so may processes that are forked before the first call. `folder`: of the store's files on
    this machine, for the bars that still change."""

    def __init__(self, url: str, folder: Path) -> None:
        self.server = Server(url)
        self.beside = FormingReader(folder / FOLDER)
        self._idle: list[Connection] = []

    @contextmanager
    def minutes(
        self, begin: int | None, end: int
    ) -> Iterator[Callable[[str, str | None], Iterator[Row]]]:
        query = "SELECT * FROM bars WHERE symbol = %s AND minute >= %s AND minute < %s"
        order = "minute DESC, venue" if begin is None else "minute, venue"
        with self._reading() as connection:
            forming = self.beside.of({} if connection is None else _places(connection))

            def of_symbol(symbol: str, venue: str | None) -> Iterator[Row]:
                if connection is None:
                    return
                with connection.cursor(name="minutes") as cursor:
                    cursor.itersize = AT_ONCE
                    cursor.execute(*_of_venue(query, (symbol, begin or 0, end), venue, order))
                    bars = forming(symbol, venue, begin or 0, end)
                    yield from woven(map(_whole, cursor), bars, begin is None)

            yield of_symbol

    def days(self, symbol: str, first: str, last: str, venue: str | None) -> list[Row]:
        query = "SELECT * FROM days WHERE symbol = %s AND day >= %s AND day <= %s"
        return self._all(*_of_venue(query, (symbol, first, last), venue, "day, venue"))

    def holes(self, begin: int, end: int) -> list[Hole]:
        query = 'SELECT * FROM holes WHERE "end" >= %s AND begin < %s ORDER BY begin'
        return [Hole(**row) for row in self._all(query, (begin, end))]

    def close(self) -> None:
        """Close the connections."""
        while self._idle:
            self._idle.pop().close()

    def _all(self, query: str, arguments: tuple[object, ...]) -> list[Row]:
        with self._reading() as connection:
            if connection is None:
                return []
            return [*map(_whole, connection.execute(query, arguments))]

    @contextmanager
    def _reading(self) -> Iterator[Connection | None]:
        """A connection in a transaction; None where no server has written yet."""
        with self.server.faults():
            connection = self._connected()
            try:
                with Deadline(connection, READ_DEADLINE) as deadline, connection.transaction():
                    with connection.cursor() as cursor:
                        deadline.tell(cursor)
                    yield connection if _is_made(connection) else None
            except BaseException:
                connection.close()
                raise
            if len(self._idle) < MOST_IDLE:
                self._idle.append(connection)
            else:
                connection.close()

    def _connected(self) -> Connection:
        """An idle connection that still works, or a new one."""
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                connection = self.server.connect()
                connection.read_only = True
                connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
                connection.row_factory = dict_row
                return connection
            with contextlib.suppress(psycopg.Error), Deadline(connection, READ_DEADLINE):
                connection.execute("SELECT 1")
                connection.rollback()
                return connection
            connection.close()


def _has_timescale(cursor: Cursor) -> bool:
    cursor.execute("SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'")
    return cursor.fetchone() is not None


def _is_made(connection: Connection) -> bool:
    row = connection.execute("SELECT to_regclass('bars') IS NOT NULL AS made").fetchone()
    return row is not None and row["made"]


def _place(boot_id: str, time: int, positions: str, forming: int) -> Place:
    return Place(int(boot_id), time, [int(each) for each in positions.split()], forming)


def _places(connection: Connection) -> dict[str, Place]:
    """By feed. None before this version has written."""
    rows = connection.execute("SELECT * FROM places")
    return {row.pop("feed"): _place(**row) for row in rows if "forming" in row}


def _kept(cursor: Cursor, batch: list[bars.Figures]) -> dict[Key, tuple[Any, ...]]:
    """The columns of the bars to which bars of the batch add."""
    keys = [bar[:3] for bar in batch if bar[-1]]
    if not keys:
        return {}
    names = ", ".join(f"kept.{name}" for name in BAR)
    # LIMIT: each is looked up by its key, however many bars there are.
    cursor.execute(
        f"SELECT {names} FROM unnest(%s::text[], %s::text[], %s::bigint[]) AS one (s, v, m), "
        "LATERAL (SELECT * FROM bars "
        "WHERE symbol = s AND venue = v AND minute = m LIMIT 1) AS kept",
        tuple(map(list, zip(*keys, strict=True))),
    )
    return {row[:3]: (*row[:9], int(row[9]), int(row[10]), *row[11:]) for row in cursor}


def _put(cursor: Cursor, table: str, columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    """Put rows in place of those with their key, the first, second and third column."""
    key, rest = columns[:3], columns[3:]
    with cursor.copy(f"COPY new_{table} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
    new = ", ".join(f"{name} = EXCLUDED.{name}" for name in rest)
    cursor.execute(
        f"INSERT INTO {table} SELECT * FROM new_{table} "
        f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {new}"
    )
    cursor.execute(f"TRUNCATE new_{table}")


def _of_venue(
    query: str, arguments: tuple[object, ...], venue: str | None, order: str
) -> tuple[str, tuple[object, ...]]:
    if venue is not None:
        query, arguments = f"{query} AND venue = %s", (*arguments, venue)
    return f"{query} ORDER BY {order}", arguments


def _whole(row: Row) -> Row:
    """A row with its numbers of any length as int."""
    for name in ("volume", "notional"):
        if name in row:
            row[name] = int(row[name])
    return row

"""The tables of days and bars, for every engine that keeps them: a month's file (sqlite.py) and a
database (postgres.py), both of which other programs read, too.

Law: whoever changes a table raises both formats, and says what the formats before lack.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

HOUR = 3600
"""s."""


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        kind: TEXT; NUMBER, of 63 bits; SMALL, of 31; LONG, of any length.
        null: whether it may be unknown.
        about: what it has, where its name does not say it.
    """

    name: str
    kind: str
    null: bool = False
    about: str = ""
    default: str = ""


def of(kind: str, names: str, *, null: bool = False) -> list[Column]:
    """Columns of one kind, by their names."""
    return [Column(name, kind, null) for name in names.split()]


TEXT, NUMBER, SMALL, LONG = "TEXT", "NUMBER", "SMALL", "LONG"
BARS = [
    *of(TEXT, "symbol venue"),
    Column("minute", NUMBER, about="its start, s since the epoch"),
    *of(NUMBER, "open high low close", null=True),
    Column("open_time", NUMBER, True, "ns since the epoch"),
    Column("close_time", NUMBER, True, "ns since the epoch"),
    *of(LONG, "volume notional"),
    Column("trades", NUMBER),
    Column("size_exponent", SMALL),
    Column("revision", NUMBER, about="changes after the minute was over"),
    Column("exact", SMALL, about="0: a trade was taken back, and prices may be its"),
]
DAYS = [
    *of(TEXT, "symbol venue"),
    Column("day", TEXT, about="of the venue, YYYY-MM-DD"),
    *of(NUMBER, "open high low close official_open official_close previous_close", null=True),
    Column("volume", LONG),
    Column("trades", NUMBER),
    Column("size_exponent", SMALL),
    Column("corrections", NUMBER),
]
HOLES = [
    Column("feed", TEXT, about="a time in which its bars may lack trades"),
    Column("begin", NUMBER, about="ns since the epoch"),
    Column("end", NUMBER, about="ns since the epoch"),
    Column("reason", TEXT),
    Column("records", NUMBER),
]
FORMING = Column("forming", NUMBER, False, "bars that still changed, in another file", "0")
PLACES = [
    Column("feed", TEXT, about="whose bars go up to a place in its rings"),
    *of(TEXT, "boot_id"),
    *of(NUMBER, "time"),
    *of(TEXT, "positions"),
    FORMING,
]
TRADED = [
    Column("symbol", TEXT, about="that has bars in the hour"),
    Column("hour", NUMBER, about="its start, s since the epoch"),
]


@dataclass(frozen=True)
class Dialect:
    """How an engine writes its tables: its word for each kind, and what stands behind a table."""

    kinds: Mapping[str, str]
    behind: str = ""

    def column(self, column: Column) -> str:
        """The definition of a column."""
        found = f'"{column.name}" {self.kinds[column.kind]}{"" if column.null else " NOT NULL"}'
        return f"{found} DEFAULT {column.default}" if column.default else found

    def table(self, name: str, columns: list[Column], key: str = "") -> str:
        """The statement that makes a table; `key`: the columns of its primary key."""
        last = [f"    PRIMARY KEY ({key})"] if key else []
        lines = [f"    {self.column(each)}" for each in columns] + last
        about = [f"  -- {each.about}" if each.about else "" for each in columns] + [""]
        body = "\n".join(
            line + ("," if number < len(lines) - 1 else "") + about[number]
            for number, line in enumerate(lines)
        )
        return f"CREATE TABLE IF NOT EXISTS {name} (\n{body}\n){self.behind if key else ''};"


OF_FILE = Dialect(
    {TEXT: "TEXT", NUMBER: "INTEGER", SMALL: "INTEGER", LONG: "BLOB"}, " WITHOUT ROWID"
)
FILE_FORMAT = 2
FILE = "\n".join(
    (
        OF_FILE.table("bars", BARS, "minute, symbol, venue"),
        OF_FILE.table("traded", TRADED, "symbol, hour"),
        OF_FILE.table("days", DAYS, "day, symbol, venue"),
        OF_FILE.table("holes", HOLES),
        OF_FILE.table("places", PLACES, "feed"),
    )
)
FILE_FROM_1 = f"""
ALTER TABLE places ADD COLUMN {OF_FILE.column(FORMING)};
INSERT INTO traded SELECT DISTINCT symbol, minute - minute % {HOUR} FROM bars;
"""
"""What a file of format 1 lacks."""

OF_DATABASE = Dialect(
    {TEXT: 'TEXT COLLATE "C"', NUMBER: "BIGINT", SMALL: "INTEGER", LONG: "NUMERIC"}
)
DATABASE_FORMAT = 2
DATABASE = "\n".join(
    (
        OF_DATABASE.table("bars", BARS, "symbol, minute, venue"),
        "CREATE INDEX bars_by_minute ON bars USING brin (minute);",
        OF_DATABASE.table("days", DAYS, "symbol, day, venue"),
        OF_DATABASE.table("holes", HOLES),
        OF_DATABASE.table("places", PLACES, "feed"),
        "CREATE TABLE store (format INTEGER NOT NULL, instance TEXT NOT NULL);",
    )
)
DATABASE_FROM_1 = f"""
ALTER TABLE places ADD COLUMN {OF_DATABASE.column(FORMING)};
UPDATE store SET format = {DATABASE_FORMAT};
"""
"""What the tables of format 1 lack."""

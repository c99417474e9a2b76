"""The tables of a month's file (sqlite.py), which other programs read, too.

Law: whoever changes a table raises FORMAT, and says what a file of the format before lacks.
"""

from __future__ import annotations

FORMAT = 2
HOUR = 3600
"""s."""
SCHEMA = """
CREATE TABLE IF NOT EXISTS bars (
    symbol TEXT NOT NULL, venue TEXT NOT NULL,
    minute INTEGER NOT NULL,                 -- its start, s since the epoch
    open INTEGER, high INTEGER, low INTEGER, close INTEGER,
    open_time INTEGER, close_time INTEGER,   -- ns since the epoch
    volume BLOB NOT NULL, notional BLOB NOT NULL, trades INTEGER NOT NULL,
    size_exponent INTEGER NOT NULL,
    revision INTEGER NOT NULL,               -- changes after the minute was over
    exact INTEGER NOT NULL,                  -- 0: a trade was taken back, and prices may be its
    PRIMARY KEY (minute, symbol, venue)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS traded (          -- the hours in which a symbol has bars
    symbol TEXT NOT NULL,
    hour INTEGER NOT NULL,                   -- its start, s since the epoch
    PRIMARY KEY (symbol, hour)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS days (
    symbol TEXT NOT NULL, venue TEXT NOT NULL,
    day TEXT NOT NULL,                       -- of the venue, YYYY-MM-DD
    open INTEGER, high INTEGER, low INTEGER, close INTEGER,
    official_open INTEGER, official_close INTEGER, previous_close INTEGER,
    volume BLOB NOT NULL, trades INTEGER NOT NULL, size_exponent INTEGER NOT NULL,
    corrections INTEGER NOT NULL,
    PRIMARY KEY (day, symbol, venue)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS holes (           -- when bars may lack trades
    feed TEXT NOT NULL, begin INTEGER NOT NULL, end INTEGER NOT NULL,  -- ns since the epoch
    reason TEXT NOT NULL, records INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS places (          -- in the rings, up to which the bars go
    feed TEXT PRIMARY KEY, boot_id TEXT NOT NULL, time INTEGER NOT NULL, positions TEXT NOT NULL,
    forming INTEGER NOT NULL DEFAULT 0       -- bars that still changed, and are in another file
);
"""
FROM_1 = f"""
ALTER TABLE places ADD COLUMN forming INTEGER NOT NULL DEFAULT 0;
INSERT INTO traded SELECT DISTINCT symbol, minute - minute % {HOUR} FROM bars;
"""
"""What a file of format 1 lacks."""

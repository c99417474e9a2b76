"""The symbol directory: names, listing venues, currencies and tick sizes from a CSV file.

Law: a file with a fault is refused as a whole, and the error names the line and the column. After a
    refused reload the old contents stay. Symbols are canonical (docs/symbology.md).
"""

from __future__ import annotations

import csv
import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ticker.errors import ConfigError, DecodeError
from ticker.units import parse_price

COLUMNS = ("symbol", "name", "venue", "currency", "tick_size", "test")
SYMBOL = re.compile(r"[\x21-\x7e]{1,23}")
VENUE = re.compile(r"[A-Z0-9]{4}")
CURRENCY = re.compile(r"[A-Z]{3}")
TESTS = {"": False, "N": False, "Y": True}
MOST_NAME = 200
WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Listing:
    """One line; a missing value is an empty text or None. `tick_size` is in 1e-9 units."""

    symbol: str
    name: str = ""
    venue: str = ""
    currency: str = ""
    tick_size: int | None = None
    test: bool = False


class SymbolDirectory:
    """The contents of the file at `path`; empty without a file.

    Raises:
        ConfigError: the file cannot be read, or a line of it is wrong.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.listings: dict[str, Listing] = {}
        self._names: list[tuple[str, str]] = []
        self._seen: tuple[int, ...] | None = None
        self.reload()

    def reload(self) -> int:
        """Read the file again, if it is another one; returns the number of its symbols. A refused
        file changes nothing. A gateway's clients wait while a long file is read.

        Raises:
            ConfigError: as the constructor.
        """
        if self.path is not None and ((seen := _identity(self.path)) is None or seen != self._seen):
            found = {listing.symbol: listing for listing in read_listings(self.path)}
            # Each name from each of its words on, so that a prefix is found by bisection.
            self._names = sorted(
                (listing.name[word.start() :].casefold(), listing.symbol)
                for listing in found.values()
                for word in WORD.finditer(listing.name)
            )
            self.listings, self._seen = found, seen
        return len(self.listings)

    def get(self, symbol: str) -> Listing | None:
        return self.listings.get(symbol)

    def named(self, text: str) -> set[str]:
        """The symbols with a name that has `text` at the start of one of its words."""
        wanted = text.casefold()
        found: set[str] = set()
        if not wanted:
            return found
        for name, symbol in self._names[bisect_left(self._names, (wanted, "")) :]:
            if not name.startswith(wanted):
                break
            found.add(symbol)
        return found


def _identity(path: Path) -> tuple[int, ...] | None:
    """Differs where a file was written or replaced; None for one that cannot be read."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def read_listings(path: Path) -> Iterator[Listing]:
    """The lines of a directory file, in order. Raises ConfigError with path and line."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise ConfigError(f"directory.file: {path}: cannot be read ({reason})") from None
    rows = csv.reader(text.splitlines(), strict=True)
    seen: dict[str, int] = {}
    try:
        columns = _columns(next(rows, []))
        for row in rows:
            if not row:
                continue
            if len(row) != len(columns):
                raise ValueError(f"has {len(row)} fields, the first line names {len(columns)}")
            listing = _listing(dict(zip(columns, (field.strip() for field in row), strict=True)))
            if listing.symbol in seen:
                before = seen[listing.symbol]
                raise ValueError(f"symbol: {listing.symbol} is on line {before} already")
            seen[listing.symbol] = rows.line_num
            yield listing
    except (ValueError, csv.Error) as error:
        line = max(1, rows.line_num)
        raise ConfigError(f"directory.file: {path} line {line}: {error}") from None


def _columns(head: list[str]) -> list[str]:
    columns = [column.strip().lower() for column in head]
    unknown = [column for column in columns if column not in COLUMNS]
    if unknown:
        raise ValueError(f"unknown column {unknown[0]!r}, known: {', '.join(COLUMNS)}")
    if "symbol" not in columns or len(set(columns)) < len(columns):
        raise ValueError("the first line names the columns, each once, and symbol is one")
    return columns


def _listing(fields: dict[str, str]) -> Listing:
    symbol, name = fields["symbol"], fields.get("name", "")
    venue, currency = fields.get("venue", ""), fields.get("currency", "")
    if not SYMBOL.fullmatch(symbol):
        raise ValueError(f"symbol: {symbol!r} is not 1 to 23 ASCII characters without blanks")
    if len(name) > MOST_NAME or not name.isprintable():
        raise ValueError(f"name: more than {MOST_NAME} characters, or one that cannot be shown")
    if venue and not VENUE.fullmatch(venue):
        raise ValueError(f"venue: {venue!r} is no market identifier code, like XNAS")
    if currency and not CURRENCY.fullmatch(currency):
        raise ValueError(f"currency: {currency!r} is no code of ISO 4217, like USD")
    if fields.get("test", "") not in TESTS:
        raise ValueError(f"test: {fields['test']!r} is neither Y nor N")
    tick = _tick(fields.get("tick_size", ""))
    return Listing(symbol, name, venue, currency, tick, TESTS[fields.get("test", "")])


def _tick(text: str) -> int | None:
    if not text:
        return None
    try:
        tick = parse_price(text)
    except DecodeError:
        tick = 0
    if tick <= 0:
        raise ValueError(f"tick_size: {text!r} is no price above zero, like 0.01")
    return tick

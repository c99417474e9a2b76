"""A recording read back: which feeds a folder has, and their events in order.

In: files of files.py. Out: Events for a Player. Anybody's Parquet reader can do the same; this is
the way back into a segment.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ticker.errors import StoreError
from ticker.record.events import Events, Image
from ticker.record.files import Recorded, recorded
from ticker.record.schema import FORMAT, SCHEMA
from ticker.record.states import KINDS, EventKind

BATCH = 65_536


@dataclass(frozen=True)
class Recording:
    """The recording of one feed.

    Attributes:
        timezone: of the feed.
        rings, rows: of the segment that it was recorded from.
        files: in their order.
    """

    feed: str
    timezone: str
    rings: int
    rows: int
    files: tuple[Recorded, ...]

    def events(self, since_ns: int = 0) -> Iterator[Events]:
        """The events in their order, from the file on that has `since_ns`: it begins with the
        rows as they were then.

        Raises:
            StoreError: a file cannot be read, or is no recording.
        """
        hour = since_ns // 3_600_000_000_000
        first = max((each.hour for each in self.files if each.hour <= hour), default=0)
        for file in self.files:
            if file.hour >= first:
                yield from read_events(file.path)


def recordings(path: Path) -> list[Recording]:
    """The feeds that a folder has recordings of, or the one of a file.

    Raises:
        StoreError: it cannot be read, or there are none.
    """
    by_feed: dict[str, list[Recorded]] = {}
    for each in recorded(path if path.is_dir() else path.parent):
        if path.is_dir() or each.path == path:
            by_feed.setdefault(each.feed, []).append(each)
    if not by_feed:
        raise StoreError(f"{path}: no recording, which are files like itch-2026-03-30T14.parquet")
    return [_recording(feed, files) for feed, files in by_feed.items()]


def _recording(feed: str, files: list[Recorded]) -> Recording:
    described = _described(files[0].path)
    try:
        return Recording(
            feed,
            str(described["timezone"]),
            int(described["rings"]),
            max(int(_described(each.path)["rows"]) for each in files),
            tuple(files),
        )
    except (KeyError, TypeError, ValueError):
        raise StoreError(f"{files[0].path}: is no recording of ticker") from None


def _described(path: Path) -> dict[str, Any]:
    try:
        metadata = pq.read_metadata(path).metadata or {}
        described: dict[str, Any] = json.loads(metadata.get(b"ticker", b"{}"))
    except (OSError, pa.ArrowException, ValueError) as error:
        raise StoreError(f"{path}: cannot be read ({error}); `ticker record` mends it") from None
    if not isinstance(described, dict) or described.get("format") != FORMAT:
        raise StoreError(f"{path}: is no recording of this version of ticker")
    return described


def read_events(path: Path) -> Iterator[Events]:
    """The events of one file, in batches.

    Raises:
        StoreError: it cannot be read, or is no recording.
    """
    _described(path)
    dictionaries = ["kind", "symbol", "venue", "currency", "state"]
    try:
        with pq.ParquetFile(path, read_dictionary=dictionaries) as file:
            if missing := set(SCHEMA.names) - set(file.schema_arrow.names):
                raise StoreError(f"{path}: lacks the columns {', '.join(sorted(missing))}")
            for batch in file.iter_batches(BATCH):
                yield events_of(batch)
    except (OSError, pa.ArrowException, ValueError) as error:
        raise StoreError(f"{path}: cannot be read ({error})") from None


def events_of(batch: pa.RecordBatch) -> Events:
    """A batch of SCHEMA as a Player takes it."""
    kind = _kinds(batch.column("kind"))
    quote = pc.equal(kind, pa.scalar(int(EventKind.EVENT_QUOTE), pa.int8()))
    corrected = pc.equal(kind, pa.scalar(int(EventKind.EVENT_CORRECTED), pa.int8()))
    sides = pc.add(
        pc.cast(pc.is_valid(batch.column("bid_e9")), pa.uint16()),
        pc.multiply(pc.cast(pc.is_valid(batch.column("ask_e9")), pa.uint16()), _two()),
    )
    dense = {name: pc.fill_null(batch.column(name), 0) for name in DENSE}
    other = pc.if_else(corrected, dense["new_trade_id"], dense["seq"])
    columns = {
        "publish_time": batch.column("publish_time").view(pa.int64()),
        "kind": kind,
        "row": dense["row"],
        "exchange_time": pc.fill_null(batch.column("exchange_time").view(pa.int64()), 0),
        "receive_time": pc.fill_null(batch.column("receive_time").view(pa.int64()), 0),
        "price": pc.if_else(quote, dense["bid_e9"], dense["price_e9"]),
        "size": pc.if_else(quote, dense["bid_size"], dense["size"]),
        "trade_id": pc.if_else(quote, dense["ask_e9"].view(pa.uint64()), dense["trade_id"]),
        "other": pc.if_else(quote, dense["ask_size"], other),
        "conditions": pc.if_else(quote, sides, dense["conditions"]),
        "ring": dense["ring"],
    }
    buffers = {name: _buffer(column) for name, column in columns.items()}
    return Events(batch.num_rows, buffers, _images(batch, kind))


DENSE = (
    "row", "price_e9", "size", "trade_id", "new_trade_id", "conditions", "seq", "bid_e9",
    "bid_size", "ask_e9", "ask_size", "ring",
)  # fmt: skip


CODES: dict[pa.DataType, Any] = {
    pa.int64(): "q", pa.uint64(): "Q", pa.uint32(): "I", pa.uint16(): "H", pa.int8(): "b",
}  # fmt: skip
"""Of numbers in a memoryview."""


def _two() -> pa.Scalar:
    return pa.scalar(2, pa.uint16())


def _kinds(column: pa.Array) -> pa.Array:
    """The numbers of the kinds, whatever order the file's dictionary has them in."""
    words = column.dictionary.to_pylist()
    numbers = pa.array([KINDS.index(word) if word in KINDS else 0 for word in words], pa.int8())
    return pc.fill_null(pc.take(numbers, column.indices), 0)


def _buffer(column: pa.Array) -> memoryview:
    """The numbers of a column without nulls, as they are in memory."""
    width = column.type.bit_width // 8
    start = column.offset * width
    raw = memoryview(column.buffers()[1] if len(column) else b"")
    found: memoryview = raw[start : start + len(column) * width].cast(CODES[column.type])
    return found


def _images(batch: pa.RecordBatch, kind: pa.Array) -> dict[int, Image]:
    """The images of rows by their place."""
    mask = pc.equal(kind, pa.scalar(int(EventKind.EVENT_ROW), pa.int8()))
    places = pc.indices_nonzero(mask)
    if not len(places):
        return {}
    found = batch.take(places)
    named = (found.column(name).to_pylist() for name in ("symbol", "venue", "currency"))
    exponents = found.column("size_exponent").to_pylist()
    words = found.column("words").to_pylist()
    images = {}
    for place, symbol, venue, currency, exponent, word in zip(
        places.to_pylist(), *named, exponents, words, strict=True
    ):
        if word is None or symbol is None:
            raise StoreError("a recording has an image of a row without its words")
        images[place] = Image(symbol, venue or "", currency or "", exponent or 0, _words_of(word))
    return images


def _words_of(text: str) -> dict[str, int]:
    words = json.loads(text)
    if not isinstance(words, dict) or not all(type(word) is int for word in words.values()):
        raise StoreError("a recording has an image of a row that is none")
    return words

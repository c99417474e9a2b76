"""The columns of a recording, and how events become them: docs/record.md describes each.

In: what Columns.take gives. Out: a RecordBatch. Needs pyarrow, the extra `record`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from ticker.record.columns import Taken
from ticker.record.states import KINDS
from ticker.shm.layout import FEED_STATES, TRADING_STATUSES
from ticker.shm.table import PriceTable

FORMAT = "1"
TIME = pa.timestamp("ns", "UTC")
WORD = pa.dictionary(pa.int8(), pa.string())
NAME = pa.dictionary(pa.int32(), pa.string())
SCHEMA = pa.schema(
    [
        pa.field("publish_time", TIME, nullable=False),
        pa.field("kind", WORD, nullable=False),
        ("symbol", NAME),
        ("venue", NAME),
        ("currency", NAME),
        ("exchange_time", TIME),
        ("receive_time", TIME),
        ("price_e9", pa.int64()),
        ("size", pa.uint64()),
        ("size_exponent", pa.uint8()),
        ("trade_id", pa.uint64()),
        ("new_trade_id", pa.uint64()),
        ("conditions", pa.uint16()),
        ("seq", pa.uint64()),
        ("bid_e9", pa.int64()),
        ("bid_size", pa.uint64()),
        ("ask_e9", pa.int64()),
        ("ask_size", pa.uint64()),
        ("state", WORD),
        ("count", pa.uint64()),
        ("row", pa.uint32()),
        ("ring", pa.uint16()),
        ("position", pa.uint64()),
        ("words", pa.string()),
    ]
)


class Names:
    """The symbols of a table's rows, for the columns of a batch; rows are only added."""

    def __init__(self, table: PriceTable) -> None:
        self.table = table
        self.symbols: list[str] = []
        self.exponents: list[int] = []
        self.place_of: list[int] = []
        self.places: dict[tuple[str, str], int] = {}

    def learn(self) -> None:
        """The rows that are new."""
        for row in range(len(self.symbols), len(self.table)):
            self.symbols.append(self.table.symbol(row))
            self.exponents.append(self.table.size_exponent(row))
            where = (self.table.venue(row), self.table.currency(row))
            self.place_of.append(self.places.setdefault(where, len(self.places)))


def batch_of(taken: Taken, names: Names) -> pa.RecordBatch:
    """The events as a batch of SCHEMA."""
    count, buffers, images = taken
    names.learn()
    maps = {name: pa.py_buffer(buffers[name]) for name in buffers if name.startswith("has_")}

    def column(kind: pa.DataType, name: str, has: str | None = None) -> pa.Array:
        there = maps[f"has_{has}"] if has else None
        return pa.Array.from_buffers(kind, count, [there, pa.py_buffer(buffers[name])])

    def worded(numbers: pa.Array, words: Sequence[str]) -> pa.Array:
        return pa.DictionaryArray.from_arrays(numbers, pa.array(words, pa.string()))

    rows = column(pa.int32(), "row", "row")
    venues, currencies = zip(*names.places, strict=True) if names.places else ((), ())
    place = pc.take(pa.array(names.place_of, pa.int32()), rows)
    columns = {
        "publish_time": column(TIME, "publish_time"),
        "kind": worded(column(pa.int8(), "kind"), KINDS),
        "symbol": worded(rows, names.symbols),
        "venue": _once(place, venues),
        "currency": _once(place, currencies),
        "exchange_time": column(TIME, "exchange_time", "exchange_time"),
        "receive_time": column(TIME, "receive_time", "receive_time"),
        "price_e9": column(pa.int64(), "price", "price"),
        "size": column(pa.uint64(), "size", "price"),
        "size_exponent": pc.take(pa.array(names.exponents, pa.uint8()), rows),
        "trade_id": column(pa.uint64(), "trade_id", "trade_id"),
        "new_trade_id": column(pa.uint64(), "other", "new_trade_id"),
        "conditions": column(pa.uint16(), "conditions", "price"),
        "seq": column(pa.uint64(), "other", "seq"),
        "bid_e9": column(pa.int64(), "price", "bid"),
        "bid_size": column(pa.uint64(), "size", "bid"),
        "ask_e9": column(pa.int64(), "trade_id", "ask"),
        "ask_size": column(pa.uint64(), "other", "ask"),
        "state": worded(column(pa.int8(), "state", "state"), (*TRADING_STATUSES, *FEED_STATES)),
        "count": column(pa.uint64(), "other", "count"),
        "row": column(pa.uint32(), "row", "row"),
        "ring": column(pa.uint16(), "ring", "ring"),
        "position": column(pa.uint64(), "position", "ring"),
        "words": _words(images, count),
    }
    return pa.RecordBatch.from_arrays([columns[name] for name in SCHEMA.names], schema=SCHEMA)


def _once(places: pa.Array, words: Sequence[str]) -> pa.Array:
    """Each place by its word. Two places may have the same: a dictionary has it once."""
    once = {word: number for number, word in enumerate(dict.fromkeys(words))}
    numbers = pc.take(pa.array([once[word] for word in words], pa.int32()), places)
    return pa.DictionaryArray.from_arrays(numbers, pa.array(list(once), pa.string()))


def _words(images: list[tuple[int, Mapping[str, object]]], count: int) -> pa.Array:
    """The images of rows and the gaps as texts, null for all other events."""
    if not images:
        return pa.nulls(count, pa.string())
    texts: list[str | None] = [None] * count
    for place, words in images:
        texts[place] = json.dumps(words, separators=(",", ":"))
    return pa.array(texts, pa.string())

"""The columns of a recording, and how events become them: docs/record.md describes each.

In: what Columns.take gives. Out: a RecordBatch. Needs pyarrow, the extra `record`.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ticker.record.columns import Taken
from ticker.record.states import KINDS, EventKind
from ticker.shm.layout import FEED_STATES, TRADING_STATUSES
from ticker.shm.table import FIELDS, SIGNED, PriceTable

FORMAT = "1"
TIME = pa.timestamp("ns", "UTC")
WORD = pa.dictionary(pa.int8(), pa.string())
NAME = pa.dictionary(pa.int32(), pa.string())
STATE = pa.struct(
    [pa.field(name, pa.int64() if name in SIGNED else pa.uint64()) for name in FIELDS]
)
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
        ("words", STATE),
    ]
)
TRADES = (EventKind.EVENT_TRADE, EventKind.EVENT_PRINT)
TAKEN_BACK = (EventKind.EVENT_CANCELLED, EventKind.EVENT_CORRECTED)
NUMBERED = (
    *TRADES, EventKind.EVENT_CANCELLED, EventKind.EVENT_STATUS, EventKind.EVENT_CORRECTION,
    EventKind.EVENT_DAY,
)  # fmt: skip
RINGLESS = (EventKind.EVENT_ROW, EventKind.EVENT_FEED, EventKind.EVENT_GAP, EventKind.EVENT_LAPPED)
FEEDS_OWN = RINGLESS[1:]


class Names:
    """What the rows of a table are called, for the columns of a batch; rows are only added."""

    def __init__(self, table: PriceTable) -> None:
        self.table = table
        self.symbols: list[str] = []
        self.exponents: list[int] = []
        self.places: list[int] = []
        self.venues: dict[tuple[str, str], int] = {}

    def learn(self) -> None:
        """The rows that are new."""
        for row in range(len(self.symbols), len(self.table)):
            self.symbols.append(self.table.symbol(row))
            self.exponents.append(self.table.size_exponent(row))
            where = (self.table.venue(row), self.table.currency(row))
            self.places.append(self.venues.setdefault(where, len(self.venues)))


def batch_of(taken: Taken, names: Names) -> pa.RecordBatch:
    """The events as a batch of SCHEMA."""
    count, buffers, images = taken
    names.learn()

    def plain(name: str, kind: pa.DataType) -> pa.Array:
        return pa.Array.from_buffers(kind, count, [None, pa.py_buffer(buffers[name])])

    kinds = plain("kind", pa.int8())
    rows = plain("row", pa.uint32())
    is_of = {kind: pc.equal(kinds, pa.scalar(int(kind), pa.int8())) for kind in EventKind}

    def among(group: tuple[EventKind, ...]) -> pa.Array:
        found = is_of[group[0]]
        for kind in group[1:]:
            found = pc.or_(found, is_of[kind])
        return found

    def where(mask: pa.Array, values: pa.Array) -> pa.Array:
        return pc.if_else(mask, values, pa.scalar(None, values.type))

    priced = among((*TRADES, *TAKEN_BACK))
    numbered = among(NUMBERED)
    quote = is_of[EventKind.EVENT_QUOTE]
    of_feed = among(FEEDS_OWN)
    has_row = pc.invert(of_feed)
    has_ring = pc.invert(among(RINGLESS))
    flags = plain("conditions", pa.uint16())
    price, size = plain("price", pa.int64()), plain("size", pa.uint64())
    other, match = plain("other", pa.uint64()), plain("trade_id", pa.uint64())
    bid = pc.and_(quote, pc.not_equal(pc.bit_wise_and(flags, pa.scalar(1, pa.uint16())), 0))
    ask = pc.and_(quote, pc.not_equal(pc.bit_wise_and(flags, pa.scalar(2, pa.uint16())), 0))
    named = where(has_row, rows.cast(pa.int32(), safe=False))
    venues = sorted(names.venues, key=names.venues.__getitem__)
    place = pc.take(pa.array(names.places, pa.int32()), named)
    received = plain("receive_time", pa.int64())
    exchange = plain("exchange_time", pa.int64())
    columns = {
        "publish_time": plain("publish_time", TIME),
        "kind": pa.DictionaryArray.from_arrays(kinds, pa.array(KINDS)),
        "symbol": pa.DictionaryArray.from_arrays(named, pa.array(names.symbols, pa.string())),
        "venue": _worded(place, [venue for venue, _ in venues]),
        "currency": _worded(place, [currency for _, currency in venues]),
        "exchange_time": where(pc.not_equal(exchange, 0), exchange).cast(TIME),
        "receive_time": where(pc.not_equal(received, 0), received).cast(TIME),
        "price_e9": where(priced, price),
        "size": where(priced, size),
        "size_exponent": pc.take(pa.array(names.exponents, pa.uint8()), named),
        "trade_id": where(pc.and_(priced, pc.not_equal(match, 0)), match),
        "new_trade_id": where(is_of[EventKind.EVENT_CORRECTED], other),
        "conditions": where(priced, flags),
        "seq": where(numbered, other),
        "bid_e9": where(bid, price),
        "bid_size": where(bid, size),
        "ask_e9": where(ask, match.view(pa.int64())),
        "ask_size": where(ask, other),
        "state": _states(is_of[EventKind.EVENT_FEED], flags, images, count),
        "count": where(among((EventKind.EVENT_GAP, EventKind.EVENT_LAPPED)), other),
        "row": where(has_row, rows),
        "ring": where(has_ring, plain("ring", pa.uint16())),
        "position": where(has_ring, plain("position", pa.uint64())),
        "words": _words(images, count),
    }
    return pa.RecordBatch.from_arrays([columns[name] for name in SCHEMA.names], schema=SCHEMA)


def _worded(places: pa.Array, words: list[str]) -> pa.Array:
    """Each place by its word. Two places may have the same: a dictionary has it once."""
    once = {word: number for number, word in enumerate(dict.fromkeys(words))}
    numbers = pc.take(pa.array([once[word] for word in words], pa.int32()), places)
    return pa.DictionaryArray.from_arrays(numbers, pa.array(list(once), pa.string()))


def _states(
    of_feed: pa.Array,
    flags: pa.Array,
    images: list[tuple[int, dict[str, int]]],
    count: int,
) -> pa.Array:
    """The trading status with each image of a row, the feed's state with each event of it."""
    known = list(dict.fromkeys((*TRADING_STATUSES, *FEED_STATES)))
    numbers = pa.nulls(count, pa.int8())
    if pc.any(of_feed).as_py():
        places = pa.array([known.index(name) for name in FEED_STATES], pa.int8())
        state = pc.take(places, pc.if_else(of_feed, flags, pa.scalar(None, pa.uint16())))
        numbers = pc.if_else(of_feed, state, numbers)
    if images:
        statuses = [known.index(TRADING_STATUSES[words["status"]]) for _, words in images]
        numbers = pc.coalesce(
            numbers, pc.take(pa.array(statuses, pa.int8()), _places(images, count))
        )
    return pa.DictionaryArray.from_arrays(numbers, pa.array(known))


def _places(images: list[tuple[int, dict[str, int]]], count: int) -> pa.Array:
    """Of each event the number of its image, null where it has none."""
    numbers: list[Any] = [None] * count
    for number, (place, _) in enumerate(images):
        numbers[place] = number
    return pa.array(numbers, pa.int32())


def _words(images: list[tuple[int, dict[str, int]]], count: int) -> pa.Array:
    if not images:
        return pa.nulls(count, STATE)
    return pc.take(pa.array([words for _, words in images], STATE), _places(images, count))

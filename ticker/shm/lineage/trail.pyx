"""The newest trades of one row, read backwards from its ring: where each is, and what it was.

Threads: any process reads, without a position of its own; a record that is overwritten meanwhile
is left out.
"""

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcmp

from ticker.shm.atomics cimport copy_words_out, load_acquire
from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport (
    RECORD_CANCELLED,
    RECORD_CORRECTED,
    RECORD_PRINT,
    RECORD_TRADE,
    RECORD_WORDS,
    SYMBOL_BYTES,
    FeedState,
    Record,
    Row,
    RowRest,
)
from ticker.shm.lineage.origin cimport (
    CHANNEL_BITS,
    LINE_BITS,
    ORIGIN_PLACE,
    ORIGIN_SEQUENCE,
    ORIGIN_TIME,
    tag_of,
)
from ticker.shm.ring cimport Ring, RingReader, record_was_whole, shard_of, slot_of
from ticker.shm.trade_ids cimport own_number

from ticker.shm.table import PriceTable


def rows_of(Mapping mapping not None, symbol: str) -> list[int]:
    """The rows of a symbol in one feed: one for each of its venues."""
    cdef bytes text = symbol.encode("ascii", "replace")
    cdef const char* start = text
    cdef size_t length = len(text)
    cdef Row* rows = <Row*>(mapping.base + mapping.header.table_offset)
    cdef uint64_t row
    found = []
    if 0 < length < SYMBOL_BYTES:
        for row in range(load_acquire(&mapping.feed_state().row_count)):
            if not memcmp(rows[row].symbol, start, length + 1):
                found.append(row)
    return found


def origin_of(Mapping mapping not None, row: int) -> dict[str, int] | None:
    """The message of a row's last sale: the `receive_time` of its packet, its `sequence` in its
    session, the `line` and `channel` that brought it, and the `tag` of the session. None: unknown,
    as of a sale that the filter held, or of a session without numbers."""
    cdef uint32_t index = row
    cdef Row* rows = <Row*>(mapping.base + mapping.header.table_offset)
    cdef RowRest* rests = <RowRest*>(rows + mapping.header.row_capacity)
    cdef uint64_t* words = rests[index].reserved
    cdef uint64_t time = load_acquire(&words[ORIGIN_TIME])
    cdef uint64_t sequence = load_acquire(&words[ORIGIN_SEQUENCE])
    cdef uint64_t place = load_acquire(&words[ORIGIN_PLACE])
    if not time or load_acquire(&words[ORIGIN_TIME]) != time:
        return None
    return {
        "receive_time": time, "sequence": sequence, "line": place & 255,
        "channel": place >> LINE_BITS & ((1 << CHANNEL_BITS) - 1),
        "tag": place >> (LINE_BITS + CHANNEL_BITS),
    }


def session_of(Mapping mapping not None, tag: int) -> bytes:
    """The id of the feed's present session, if it has this tag; else empty: it was another."""
    cdef FeedState* state = mapping.feed_state()
    cdef uint64_t[3] words
    words[0] = load_acquire(&state.resume_session[0])
    words[1] = load_acquire(&state.resume_session[1])
    words[2] = 0
    if tag_of(words) >> (LINE_BITS + CHANNEL_BITS) != <uint64_t>tag:
        return b""
    return <bytes>(<const char*>words)


def trail(Mapping mapping not None, row: int, limit: int) -> list[dict[str, int]]:
    """Up to `limit` trades of a row, the newest first, as the ring still has them. Each has the
    words of its record, and beside them the number of its `ring` and its `position` in it."""
    return _walk(mapping, row, limit, 1 << 62, False)


def trail_with_changes(
    Mapping mapping not None, row: int, limit: int, looked_at: int
) -> list[dict[str, int]]:
    """The same, with the cancels and corrections between them, among the newest `looked_at`
    records of the ring. The numbers that these name are the `key`, and of a correction the
    `becomes`."""
    return _walk(mapping, row, limit, looked_at, True)


cdef list _walk(Mapping mapping, row: int, limit: int, looked_at: int, bint changes):
    cdef bytes symbol = PriceTable(mapping).symbol(row).encode("ascii")
    cdef uint32_t wanted = row
    cdef uint32_t index = shard_of(symbol, len(symbol), mapping.ring_count)
    cdef RingReader reader = RingReader(mapping, index)
    cdef Ring* ring = &reader.ring
    cdef uint64_t number = load_acquire(&ring.head.cursor)
    cdef uint64_t last = number - min(
        number, <uint64_t>mapping.ring_capacity, <uint64_t>looked_at
    )
    cdef Record record
    cdef bint trade
    cdef uint64_t trades = 0
    cdef uint64_t most = limit
    found = []
    while number > last and trades < most:
        number -= 1
        if load_acquire(&slot_of(ring, number).sequence) != 2 * number + 2:
            break
        copy_words_out(<uint64_t*>&record, <const uint64_t*>slot_of(ring, number), RECORD_WORDS)
        if not record_was_whole(slot_of(ring, number), number):
            break
        trade = record.kind == RECORD_TRADE or record.kind == RECORD_PRINT
        if record.row != wanted or not (
            trade or changes and record.kind in (RECORD_CANCELLED, RECORD_CORRECTED)
        ):
            continue
        trades += trade
        found.append({
            "ring": index, "position": number, "kind": record.kind, "price": record.price,
            "size": record.size, "exchange_time": record.exchange_time,
            "match": own_number(record.match), "new_match": own_number(record.seq),
            "publish_time": record.publish_time, "seq": record.seq,
            "conditions": record.conditions, "key": record.match, "becomes": record.seq,
        })
    return found

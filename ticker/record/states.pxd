"""What events make of a row: the same for the recorder, which checks it, and for the player."""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from ticker.shm.layout cimport (
    QUOTE_ASK,
    QUOTE_BID,
    RECORD_PRINT,
    RECORD_QUOTE,
    RECORD_TRADE,
    ROW_HAS_ASK,
    ROW_HAS_BID,
    ROW_STALE,
    TRADE_COUNTS_VOLUME,
    Record,
    Values,
)
from ticker.shm.values cimport add_volume, set_prices


cpdef enum EventKind:
    # the records of a ring, by their numbers (layout.pxd: RecordKind)
    EVENT_NONE = 0
    EVENT_TRADE
    EVENT_PRINT
    EVENT_QUOTE
    EVENT_STATUS
    EVENT_CORRECTION
    EVENT_CANCELLED
    EVENT_CORRECTED
    EVENT_DAY
    # what no ring has
    EVENT_ROW                    # all words of a row, where the events before do not make them
    EVENT_FEED                   # the feed has another state, or another worker
    EVENT_GAP                    # messages of the venue are lost
    EVENT_LAPPED                 # records were overwritten before the recorder read them

# A row as the events up to here make it.
cdef struct State:
    Values values
    uint64_t covered             # trades up to this seq are in the values already
    int64_t covered_time         # and quotes up to this publish time
    uint64_t batch               # in which its newest trade was written
    uint32_t place               # of that trade in the batch, + 1
    bint touched                 # compare it with the row


cdef inline void adopt(State* state, const Values* values) noexcept nogil:
    """The row is this. It may be ahead of its records, whose changes are then in it."""
    state.values = values[0]
    state.covered = values.seq
    state.covered_time = values.publish_time


cdef inline void apply(State* state, const Record* record, int64_t received) noexcept nogil:
    """What a record of a trade or a quote does to its row; the others do nothing to it. For the
    words of the row and the order of the tests: sales.pyx and quotes.pyx, which wrote it."""
    cdef Values* values = &state.values
    if record.kind == RECORD_TRADE or record.kind == RECORD_PRINT:
        if record.seq <= state.covered:
            return
        values.seq = record.seq
        values.flags &= ~<uint64_t>ROW_STALE
        # Its kind says whether it became the last sale.
        set_prices(values, record.price, record.size, record.conditions, record.exchange_time,
                   received, record.kind == RECORD_PRINT)
        if record.conditions & TRADE_COUNTS_VOLUME:
            add_volume(values, record.size)
            values.trades += 1
    elif record.kind == RECORD_QUOTE:
        if record.publish_time <= state.covered_time:
            return
        values.bid = record.price
        values.bid_size = record.size
        values.ask = <int64_t>record.match
        values.ask_size = record.seq
        values.quote_time = record.exchange_time
        values.quotes += 1
        values.flags &= ~<uint64_t>(ROW_STALE | ROW_HAS_BID | ROW_HAS_ASK)
        values.flags |= ROW_HAS_BID if record.conditions & QUOTE_BID else 0
        values.flags |= ROW_HAS_ASK if record.conditions & QUOTE_ASK else 0
    else:
        return
    if record.publish_time > values.publish_time:
        values.publish_time = record.publish_time

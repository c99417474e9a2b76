"""One price out of the rows that several venues have for a symbol."""

from libc.stdint cimport int64_t, uint64_t

from ticker.shm.layout cimport ROW_STALE, STATUS_TRADING, Values


cdef void merge(Values* into, const Values* row) noexcept nogil:
    """Add one more venue's row to `into`, which holds at least one.

    Last sale: the newest trade by exchange time. Top of book: best over the venues, sizes added
    where prices are equal. Volume, trades, seq: sums, so that they only grow. Range: widest.
    Stale only if every venue is; trading if any venue trades.
    """
    if row.price and (not into.price or row.exchange_time > into.exchange_time):
        into.price = row.price
        into.size = row.size
        into.exchange_time = row.exchange_time
        into.receive_time = row.receive_time
    if row.publish_time > into.publish_time:
        into.publish_time = row.publish_time
    if row.quote_time > into.quote_time:
        into.quote_time = row.quote_time
    into.volume += row.volume
    into.trades += row.trades
    into.seq += row.seq
    into.quotes += row.quotes
    into.corrections += row.corrections
    if row.high > into.high:
        into.high = row.high
    if row.low and (not into.low or row.low < into.low):
        into.low = row.low
    if not into.open:
        into.open = row.open
    if not into.previous_close:
        into.previous_close = row.previous_close
    merge_bid(into, row)
    merge_ask(into, row)
    if row.status == STATUS_TRADING:
        into.status = STATUS_TRADING
    if not row.flags & ROW_STALE:
        into.flags &= ~<uint64_t>ROW_STALE


cdef void merge_bid(Values* into, const Values* row) noexcept nogil:
    if row.bid > into.bid:
        into.bid = row.bid
        into.bid_size = row.bid_size
    elif row.bid and row.bid == into.bid:
        into.bid_size += row.bid_size


cdef void merge_ask(Values* into, const Values* row) noexcept nogil:
    if row.ask and (not into.ask or row.ask < into.ask):
        into.ask = row.ask
        into.ask_size = row.ask_size
    elif row.ask and row.ask == into.ask:
        into.ask_size += row.ask_size

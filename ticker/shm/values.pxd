"""What is done to a row's values (layout.pxd: Values) in more than one place: the prices that a
trade sets, a volume of 128 bits, the end of a day, and the merge with what readers saw."""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from ticker.shm.layout cimport (
    QUOTE_ASK,
    QUOTE_BID,
    RECORD_QUOTE,
    ROW_HAS,
    ROW_HAS_ASK,
    ROW_HAS_BID,
    ROW_HAS_EXTENDED,
    ROW_HAS_HIGH_LOW,
    ROW_HAS_LAST,
    ROW_HAS_OFFICIAL_CLOSE,
    ROW_HAS_OFFICIAL_OPEN,
    ROW_HAS_OPEN,
    ROW_HAS_PREVIOUS_CLOSE,
    ROW_HAS_REGULAR,
    ROW_LAST_ALONE,
    ROW_OPEN_ALONE,
    ROW_SHARED_MICROSECOND,
    ROW_STALE,
    TRADE_EXTENDED,
    TRADE_LAST_IF_ONLY,
    TRADE_OFFICIAL_CLOSE,
    TRADE_OFFICIAL_OPEN,
    TRADE_SETS_EXTENDED,
    TRADE_SETS_LAST,
    TRADE_SETS_OPEN,
    TRADE_SETS_RANGE,
    Record,
    Values,
)

cdef enum:
    HAS_OF_THE_DAY = ROW_HAS & ~(
        ROW_HAS_LAST | ROW_HAS_PREVIOUS_CLOSE | ROW_HAS_BID | ROW_HAS_ASK
    )
    # The flags of a row that `set_prices` sets or clears.
    SET_BY_TRADES = (
        ROW_HAS_LAST | ROW_HAS_REGULAR | ROW_HAS_OPEN | ROW_HAS_HIGH_LOW | ROW_SHARED_MICROSECOND
        | ROW_LAST_ALONE | ROW_OPEN_ALONE | ROW_HAS_EXTENDED | ROW_HAS_OFFICIAL_OPEN
        | ROW_HAS_OFFICIAL_CLOSE
    )

cdef enum Kept:
    KEPT_NOTHING = 0
    KEPT_LAST = 1                # the last sale is the one that readers saw
    KEPT_TOTALS = 2              # so are totals of the day


cdef inline void add_volume(Values* values, uint64_t size) noexcept nogil:
    values.volume += size
    values.volume_high += values.volume < size


cdef inline void take_volume(Values* values, uint64_t size) noexcept nogil:
    """A size that is no longer part of the volume; of what was never added nothing is taken."""
    if size > values.volume and not values.volume_high:
        values.volume = 0
        return
    values.volume_high -= size > values.volume
    values.volume -= size


cdef inline bint set_prices(
    Values* values, int64_t price, uint64_t size, uint32_t flags, int64_t time, int64_t received,
    bint in_order,
) noexcept nogil:
    """What a trade does to the prices of its row, by its flags; whether it is the last sale now.
    The same for a trade that comes and for one that is counted again. `in_order`: one that is
    older than the last sale does not become it."""
    cdef bint last = flags & TRADE_SETS_LAST != 0
    cdef bint alone = False
    if last:
        # What is alone in its session gives way to an older trade of the same one.
        last = not in_order or time >= values.exchange_time or (
            values.flags & ROW_LAST_ALONE != 0 and time >= values.session_start
        )
    elif flags & TRADE_LAST_IF_ONLY:
        last = alone = (
            not values.flags & ROW_HAS_LAST or values.exchange_time < values.session_start
        )
    if last:
        if price != values.price and time - values.exchange_time < 1000:
            values.flags |= ROW_SHARED_MICROSECOND
        else:
            values.flags &= ~<uint64_t>ROW_SHARED_MICROSECOND
        values.price = price
        values.size = size
        values.exchange_time = time
        values.receive_time = received
        values.flags &= ~<uint64_t>ROW_LAST_ALONE
        values.flags |= ROW_HAS_LAST | (ROW_LAST_ALONE if alone else 0)
        if not flags & TRADE_EXTENDED:
            values.regular_price = price
            values.flags |= ROW_HAS_REGULAR
    if flags & (TRADE_SETS_OPEN | TRADE_LAST_IF_ONLY) and (
        values.flags & (ROW_HAS_OPEN | ROW_OPEN_ALONE) != ROW_HAS_OPEN
    ):
        set_open(values, price, flags, time)
    if flags & TRADE_SETS_RANGE:
        widen(values, price)
    if flags & (TRADE_SETS_EXTENDED | TRADE_OFFICIAL_OPEN | TRADE_OFFICIAL_CLOSE):
        set_beside(values, price, flags, time)
    return last


cdef inline void set_open(
    Values* values, int64_t price, uint32_t flags, int64_t time
) noexcept nogil:
    """There is no open, or one that the next trade takes the place of."""
    cdef uint64_t alone = 0 if flags & TRADE_SETS_OPEN else ROW_OPEN_ALONE
    if alone and values.flags & ROW_HAS_OPEN:
        return
    values.open = price
    values.open_time = time
    values.flags = (values.flags & ~<uint64_t>ROW_OPEN_ALONE) | ROW_HAS_OPEN | alone


cdef inline void set_beside(
    Values* values, int64_t price, uint32_t flags, int64_t time
) noexcept nogil:
    """The last price of extended hours, and the official ones. The official open is the open."""
    if flags & TRADE_SETS_EXTENDED and (
        not values.flags & ROW_HAS_EXTENDED or time >= values.extended_time
    ):
        values.extended_price = price
        values.extended_time = time
        values.flags |= ROW_HAS_EXTENDED
    if flags & TRADE_OFFICIAL_OPEN:
        values.official_open = values.open = price
        values.open_time = time
        values.flags &= ~<uint64_t>ROW_OPEN_ALONE
        values.flags |= ROW_HAS_OFFICIAL_OPEN | ROW_HAS_OPEN
    if flags & TRADE_OFFICIAL_CLOSE:
        values.official_close = price
        values.official_close_time = time
        values.flags |= ROW_HAS_OFFICIAL_CLOSE


cdef inline void widen(Values* values, int64_t price) noexcept nogil:
    """A trade at this price sets the high and the low, if they are not beyond it."""
    if not values.flags & ROW_HAS_HIGH_LOW:
        values.high = values.low = price
        values.flags |= ROW_HAS_HIGH_LOW
    elif price > values.high:
        values.high = price
    elif price < values.low:
        values.low = price


cdef inline void copy_prices(Values* values, const Values* counted) noexcept nogil:
    """All that `set_prices` sets."""
    values.price = counted.price
    values.size = counted.size
    values.exchange_time = counted.exchange_time
    values.receive_time = counted.receive_time
    values.regular_price = counted.regular_price
    values.open = counted.open
    values.open_time = counted.open_time
    values.high = counted.high
    values.low = counted.low
    values.extended_price = counted.extended_price
    values.extended_time = counted.extended_time
    values.official_open = counted.official_open
    values.official_close = counted.official_close
    values.official_close_time = counted.official_close_time
    values.flags &= ~<uint64_t>SET_BY_TRADES
    values.flags |= counted.flags & SET_BY_TRADES


cdef inline bint volume_below(const Values* one, const Values* other) noexcept nogil:
    if one.volume_high != other.volume_high:
        return one.volume_high < other.volume_high
    return one.volume < other.volume


cdef inline void end_day(Values* values, const Values* before) noexcept nogil:
    """The day of `before` is over, which may be these values themselves: its close is the previous
    one, the last sale stays, and the figures of the day begin anew."""
    cdef uint64_t has = ROW_HAS_PREVIOUS_CLOSE
    if before.flags & ROW_HAS_OFFICIAL_CLOSE:
        values.previous_close = before.official_close
    elif before.flags & ROW_HAS_REGULAR:
        values.previous_close = before.regular_price
    else:
        has = 0
    values.flags = (values.flags & ~<uint64_t>(HAS_OF_THE_DAY | ROW_OPEN_ALONE)) | has
    values.open = values.high = values.low = values.open_time = 0
    values.volume = values.volume_high = values.trades = 0
    values.extended_price = values.extended_time = 0
    values.official_open = values.official_close = values.official_close_time = 0
    values.regular_price = 0


cdef inline int merge(
    Values* values, const Values* shown, bint whole, bint had_day
) noexcept nogil:
    """Make of `values`, which a new writer has, the row that follows on `shown`; Kept bits. Seq, counts
    and corrections never go back; the last sale and the totals of a day do only where a correction
    explains it. The same for a feed worker that takes a segment over, and for a bridge that hears
    another speaker.

    `whole`: the new writer has had all trades of the day. `had_day`: the day had trades before it
    began, so that its open, high and low are those of both.
    """
    cdef int kept = KEPT_NOTHING
    cdef bint same_day = values.session_start == shown.session_start
    cdef bint lacks = not whole and same_day
    values.seq = max(values.seq, shown.seq)
    values.quotes = max(values.quotes, shown.quotes)
    if values.exchange_time < shown.exchange_time and values.corrections <= shown.corrections:
        keep_last(values, shown)
        kept |= KEPT_LAST
        lacks = True
    if same_day and had_day:
        keep_range(values, shown)
    if lacks and keep_totals(values, shown):
        kept |= KEPT_TOTALS
    values.corrections = max(values.corrections, shown.corrections)
    values.correction_time = max(values.correction_time, shown.correction_time)
    return kept


cdef inline void keep_last(Values* values, const Values* shown) noexcept nogil:
    values.price = shown.price
    values.size = shown.size
    values.exchange_time = shown.exchange_time
    values.receive_time = shown.receive_time
    values.regular_price = shown.regular_price
    values.flags |= ROW_STALE | (shown.flags & (ROW_HAS_LAST | ROW_HAS_REGULAR))


cdef inline bint keep_totals(Values* values, const Values* shown) noexcept nogil:
    """Of a day whose trades were not all had again; whether any were missing."""
    if not volume_below(values, shown) and values.trades >= shown.trades:
        return False
    if volume_below(values, shown):
        values.volume = shown.volume
        values.volume_high = shown.volume_high
    values.trades = max(values.trades, shown.trades)
    keep_range(values, shown)
    values.previous_close = shown.previous_close
    values.flags &= ~<uint64_t>ROW_HAS_PREVIOUS_CLOSE
    values.flags |= shown.flags & ROW_HAS_PREVIOUS_CLOSE
    return True


cdef inline void keep_range(Values* values, const Values* shown) noexcept nogil:
    """The day's open, high and low are also those of trades that were not had again."""
    if shown.flags & ROW_HAS_OPEN and (
        not values.flags & ROW_HAS_OPEN or shown.open_time < values.open_time
    ):
        values.open = shown.open
        values.open_time = shown.open_time
        values.flags |= ROW_HAS_OPEN
    if shown.flags & ROW_HAS_HIGH_LOW:
        if not values.flags & ROW_HAS_HIGH_LOW:
            values.high = shown.high
            values.low = shown.low
            values.flags |= ROW_HAS_HIGH_LOW
        values.high = max(values.high, shown.high)
        values.low = min(values.low, shown.low)


cdef inline void write_quote(Record* record, const Values* values) noexcept nogil:
    """The whole quote of a row into its record, which is the last of its row in a flush."""
    record.kind = RECORD_QUOTE
    record.conditions = QUOTE_BID if values.flags & ROW_HAS_BID else 0
    record.conditions |= QUOTE_ASK if values.flags & ROW_HAS_ASK else 0
    record.price = values.bid
    record.size = values.bid_size
    record.match = <uint64_t>values.ask
    record.seq = values.ask_size
    record.exchange_time = values.quote_time

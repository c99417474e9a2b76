"""A predecessor's rows: read back once, and held against what a rebuild computes again.

What readers saw does not go back: seq and counts never; the last sale and the totals only where a
break explains it. A rebuild has one session. What the rows had before it began, of earlier sessions
and days, is kept beside each row when a session begins, and the rebuild counts on from there.
"""

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from ticker.feeds.market.publisher cimport (
    DIRTY_BOOK,
    DIRTY_COMPARE,
    DIRTY_CORRECTION,
    PENDING_TRADES,
    changed_beside,
    mark_dirty,
)
from ticker.feeds.market.trades cimport Trade
from ticker.shm.atomics cimport load_relaxed, store_relaxed
from ticker.shm.layout cimport (
    RECORD_CANCELLED,
    RECORD_CORRECTED,
    RECORD_PRINT,
    RECORD_TRADE,
    ROW_HAS,
    ROW_HAS_ASK,
    ROW_HAS_BID,
    ROW_HAS_PREVIOUS_CLOSE,
    ROW_HELD,
    ROW_STALE,
    TRADE_REGULAR,
    TRADE_SETS_LAST,
    Record,
    RowRest,
)
from ticker.shm.values cimport (
    KEPT_LAST,
    KEPT_TOTALS,
    add_volume,
    keep_last,
    keep_range,
    keep_totals,
    merge,
)

from ticker.errors import FeedError

cdef enum:
    FORGOTTEN = 0                # no kind of a record


cdef class Takeover:
    """What a predecessor left, of one market."""

    def __cinit__(
        self, Publisher publisher not None, Directory directory not None, TradeLog trades not None
    ) -> None:
        self.publisher = publisher
        self.directory = directory
        self.trades = trades

    def __dealloc__(self) -> None:
        free(self.carried)
        free(self.missed)

    cdef int adopt(self, bint rebuild, int64_t midnight) except -1:
        """Market.adopt_rows."""
        cdef uint32_t row
        cdef uint32_t rows = self.publisher.table.used
        cdef Values* values
        if rebuild and rows:
            free(self.carried)
            free(self.missed)
            self.carried = <Values*>calloc(rows, sizeof(Values))
            self.missed = <uint32_t*>calloc(rows, sizeof(uint32_t))
            if self.carried == NULL or self.missed == NULL:
                raise MemoryError("no memory to rebuild")
            self.rows = self.adopted = rows
        for row in range(rows):
            values = &self.publisher.entries[row].values
            if self.publisher.table.read(row, values) < 0:
                raise FeedError(f"row {row} has another writer: stop the other feed worker")
            values.flags = (values.flags | ROW_STALE) & ~<uint64_t>ROW_HELD
            self.publisher.adopt(row)
            self.directory.enter(<int32_t>row)
            self.directory.bind(
                self.publisher.table.rows[row].instrument_key, <int32_t>row
            )
            if rebuild:
                self.carried[row] = values[0]
                forget_session(values)
                values.session_start = midnight
                base_of(&self.publisher.table.rests[row], values)
            else:
                forget_quote(values)
                mark_dirty(self.publisher, row, DIRTY_COMPARE | DIRTY_CORRECTION)
        return rows

    cdef void note_session(self) noexcept nogil:
        if self.publisher.publishing:
            self._keep_bases()

    cdef void end_session(self, bint another) noexcept nogil:
        """The next one counts on from what readers saw, and what was computed beyond that. If this
        process dies before it shows any of it, its successor takes only what readers saw."""
        if self.publisher.publishing or self.carried == NULL:
            return
        self._settle(False, another)
        self._keep_bases()

    cdef void resume(self, bint whole, bint another) noexcept:
        """A rebuild is over: every row is published anew, with what must not go back, and the
        trades that readers were not told are."""
        cdef uint32_t row
        cdef uint32_t used = self.publisher.table.used
        cdef uint64_t* told = <uint64_t*>calloc(2 * used + 1, sizeof(uint64_t))
        for row in range(self.rows if told != NULL else 0):
            told[row] = self.carried[row].seq
        self._settle(whole, another)
        if told != NULL:
            tell_missed(self.publisher, self.trades, told, told + used)
            free(told)
        for row in range(self.publisher.table.used):
            if row < self.adopted:
                mark_dirty(self.publisher, row, DIRTY_CORRECTION)
            changed_beside(self.publisher, row)
            mark_dirty(self.publisher, row, DIRTY_BOOK | DIRTY_COMPARE)
        self.adopted = 0

    cdef void _settle(self, bint whole, bint another) noexcept nogil:
        """What was computed again, and what readers saw, become one."""
        cdef uint32_t row
        for row in range(self.rows):
            if self.missed[row]:
                self.publisher.entries[row].values.corrections = (
                    self.carried[row].corrections + self.missed[row]
                )
            if another:
                self._add_earlier(row)
            self._restore(row, whole)
        self.trades.forget_counts()
        free(self.carried)
        free(self.missed)
        self.carried = NULL
        self.missed = NULL
        self.rows = 0

    cdef void _keep_bases(self) noexcept nogil:
        cdef uint32_t row
        for row in range(self.publisher.table.used):
            keep_base(&self.publisher.table.rests[row], &self.publisher.entries[row].values)

    cdef Values* before(self, uint32_t row) noexcept nogil:
        """What the row showed before the rebuild that goes on; without one, what it shows."""
        return &self.carried[row] if row < self.rows else &self.publisher.entries[row].values

    cdef bint is_missed(self, uint32_t row, const Origin* origin) noexcept nogil:
        if row >= self.rows or not origin.sequence or origin.sequence < origin.told:
            return False
        self.missed[row] += 1
        return self.publisher.pending_count < PENDING_TRADES

    cdef void _add_earlier(self, uint32_t row) noexcept nogil:
        """All that readers saw was of sessions before the one that was computed."""
        cdef RowRest* shown = &self.publisher.table.rests[row]
        cdef Values* values = &self.publisher.entries[row].values
        cdef Values* before = &self.carried[row]
        cdef Values base
        base.session_start = values.session_start
        base_of(shown, &base)
        values.seq += before.seq - base.seq
        if values.session_start == before.session_start:
            exchange_totals(values, &base, before)
            if self.trades.base[row].session_start == before.session_start:
                exchange_totals(&self.trades.base[row], &base, before)
        keep_base(shown, before)

    cdef void _restore(self, uint32_t row, bint whole) noexcept nogil:
        """What must not go back after a rebuild: seq, counts, and the last sale and totals
        unless a break explains them."""
        cdef Values* values = &self.publisher.entries[row].values
        cdef Values* before = &self.carried[row]
        # What the row goes back to when the trades that were had again are broken.
        cdef Values* base = &self.trades.base[row]
        cdef bint had_day = has_base(&self.publisher.table.rests[row], values.session_start)
        cdef int kept = merge(values, before, whole, had_day)
        if kept & KEPT_LAST:
            keep_last(base, before)
        elif before.exchange_time < values.session_start:
            keep_last(base, before)
        if values.session_start == before.session_start and had_day:
            keep_range(base, before)
        if kept & KEPT_TOTALS:
            keep_totals(base, before)


cdef void tell_missed(
    Publisher publisher, TradeLog log, const uint64_t* told, uint64_t* owed
) noexcept nogil:
    """Keep for the next flush the trades behind the seq `told` of each row, in their order: those of
    the time in which no worker ran, and of the rebuild. The breaks and corrections of that time
    wait already; those of trades that nobody was told are done, and wait no more. More trades than
    wait for one flush are not told: most would only lap the rings. `owed`: room for a number of
    each row."""
    cdef uint64_t[PENDING_TRADES] numbers
    cdef uint64_t oldest = log.count - log.mask - 1 if log.count > log.mask else 0
    cdef uint64_t number = log.count
    cdef uint64_t missed = 0
    cdef uint32_t found = 0
    cdef uint32_t changes = publisher.pending_count
    cdef uint32_t row
    cdef uint64_t seq
    cdef Trade* trade
    for row in range(publisher.table.used):
        seq = publisher.entries[row].values.seq
        owed[row] = seq - told[row] if seq > told[row] else 0
        missed += owed[row]
    if missed + publisher.pending_count > PENDING_TRADES:
        return
    while found < missed and number > oldest:
        number -= 1
        trade = &log.trades[number & log.mask]
        if owed[trade.instrument] and (trade.flags & TRADE_REGULAR or not trade.flags):
            owed[trade.instrument] -= 1
            numbers[found] = number
            found += 1
            forget_changes(publisher, changes, trade)
    publisher.pending_count = close_up(publisher, changes)
    while found:
        found -= 1
        trade = &log.trades[numbers[found] & log.mask]
        row = trade.instrument
        owed[row] += 1
        if trade.flags:
            publisher.trade(
                row, RECORD_TRADE if trade.flags & TRADE_SETS_LAST else RECORD_PRINT, trade.price,
                trade.size, trade.match, trade.flags, trade.exchange_time, 0,
            )
            publisher.pending[publisher.pending_count - 1].record.seq = told[row] + owed[row]


cdef void forget_changes(Publisher publisher, uint32_t waiting, const Trade* trade) noexcept nogil:
    """Of a trade that nobody was told: what it became is told instead."""
    cdef uint64_t match = trade.match
    cdef uint32_t i = waiting
    cdef Record* record
    while i:
        i -= 1
        record = &publisher.pending[i].record
        if record.row != <uint32_t>trade.instrument:
            continue
        if record.kind == RECORD_CANCELLED and record.match == match:
            record.kind = FORGOTTEN
        elif record.kind == RECORD_CORRECTED and record.seq == match:
            match = record.match
            record.kind = FORGOTTEN


cdef uint32_t close_up(Publisher publisher, uint32_t waiting) noexcept nogil:
    """The pending records without those that are forgotten; how many are left."""
    cdef uint32_t left = 0
    cdef uint32_t i
    for i in range(waiting):
        if publisher.pending[i].record.kind != FORGOTTEN:
            publisher.pending[left] = publisher.pending[i]
            left += 1
    return left


cdef void exchange_totals(
    Values* values, const Values* wrong, const Values* right
) noexcept nogil:
    """Of the sessions before."""
    values.trades += right.trades - wrong.trades
    values.volume_high -= wrong.volume_high + (values.volume < wrong.volume)
    values.volume -= wrong.volume
    add_volume(values, right.volume)
    values.volume_high += right.volume_high


cdef void keep_base(RowRest* row, const Values* values) noexcept nogil:
    """A session begins with these. Nobody reads it but a successor, when this writer is gone."""
    store_relaxed(<uint64_t*>&row.base_day, <uint64_t>values.session_start)
    store_relaxed(&row.base_seq, values.seq)
    store_relaxed(&row.base_trades, values.trades)
    store_relaxed(&row.base_volume, values.volume)
    store_relaxed(&row.base_volume_high, values.volume_high)


cdef bint has_base(RowRest* row, int64_t day) noexcept nogil:
    """There were trades of this day before the session began."""
    return (load_relaxed(&row.base_trades) > 0
            and load_relaxed(<uint64_t*>&row.base_day) == <uint64_t>day)


cdef void base_of(RowRest* row, Values* values) noexcept nogil:
    """Seq, and the totals if they are of the day of these values, as the session found them."""
    cdef bint today = has_base(row, values.session_start)
    values.seq = load_relaxed(&row.base_seq)
    values.trades = load_relaxed(&row.base_trades) if today else 0
    values.volume = load_relaxed(&row.base_volume) if today else 0
    values.volume_high = load_relaxed(&row.base_volume_high) if today else 0


cdef void forget_quote(Values* values) noexcept nogil:
    values.bid = values.ask = 0
    values.bid_size = values.ask_size = 0
    values.flags &= ~<uint64_t>(ROW_HAS_BID | ROW_HAS_ASK)


cdef void forget_session(Values* values) noexcept nogil:
    """Keep only what does not come from the session's messages."""
    cdef int64_t previous_close = values.previous_close
    cdef uint64_t status = values.status
    cdef uint64_t flags = values.flags & ~<uint64_t>(ROW_HAS & ~ROW_HAS_PREVIOUS_CLOSE)
    memset(values, 0, sizeof(Values))
    values.previous_close = previous_close
    values.status = status
    values.flags = flags

"""The trades of a feed: filtered, counted for what their conditions say, taken back and corrected.

Law: as in market.pyx, whose member this is.
"""

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

from ticker.checks cimport check
from ticker.feeds.market.conditions cimport UNKNOWN_CONDITION
from ticker.feeds.market.eligibility cimport Eligibility
from ticker.feeds.market.filter cimport Filter
from ticker.feeds.market.jumps cimport ACCEPTED, HELD_MOST, SETTLED, Held
from ticker.feeds.market.publisher cimport (
    DIRTY_CORRECTION,
    DIRTY_DAY,
    DIRTY_ROW,
    PENDING_TRADES,
    changed_beside,
    mark_dirty,
)
from ticker.feeds.market.quotes cimport Quotes
from ticker.feeds.market.rows cimport Rows
from ticker.feeds.market.trades cimport (
    TRADE_COUNTS_VOLUME,
    TRADE_EXTENDED,
    TRADE_LAST_IF_ONLY,
    TRADE_OFFICIAL_CLOSE,
    TRADE_OFFICIAL_OPEN,
    TRADE_PRINTED,
    TRADE_REGULAR,
    TRADE_SETS_EXTENDED,
    TRADE_SETS_LAST,
    TRADE_SETS_OPEN,
    TRADE_SETS_RANGE,
)
from ticker.shm.counters cimport (
    FEED_BREAKS,
    FEED_BREAKS_UNMATCHED,
    FEED_CORRECTIONS,
    FEED_TRADES,
    FEED_UNCOUNTED_PRINTS,
    FEED_UNKNOWN_CONDITIONS,
    count,
)
from ticker.shm.layout cimport (
    RECORD_PRINT,
    RECORD_TRADE,
    ROW_HELD,
    ROW_STALE,
    Reject,
    Values,
)
from ticker.shm.lineage.origin cimport forget_origin, keep_origin
from ticker.shm.rejects cimport write_trade
from ticker.shm.values cimport add_volume, copy_prices, set_prices, take_volume

cdef enum:
    LARGEST_LOT = 1_000_000      # shares; a directory that says more is wrong


cdef class Sales:
    """The trades of the instruments of `rows`; Market has the meaning of the others.

    `rules`, a FilterConfig, say too which trades set prices.
    """

    def __cinit__(
        self, Rows rows not None, Quotes quotes not None, bint raw, int64_t max_price,
        uint64_t trade_log, object rules, str timezone,
    ) -> None:
        self.rows = rows
        self.quotes = quotes
        self.publisher = rows.publisher
        self.counters = rows.counters
        self.raw = raw
        self.filter = Filter(rows.mapping, rows.publisher, max_price, rules, timezone)
        self.filter.size_exponent = rows.size_exponent
        self.trades = TradeLog(rows.mapping.row_capacity, trade_log)
        self.trades.in_order = rules.older and not raw
        self.eligibility = Eligibility(rows, self.filter, rules)

    cdef void trade(
        self, int32_t instrument, int64_t price, uint64_t size, uint64_t match, uint32_t flags,
        int64_t time, int64_t received,
    ) noexcept nogil:
        cdef Values* values = &self.publisher.entries[instrument].values
        cdef int verdict
        check(0 <= instrument < <int32_t>self.publisher.table.used)
        if not flags:
            return
        if time >= self.rows.day_end and not self.filter.is_ahead(time, received):
            self.rows.reach(time)
        if self.raw:
            self._count_trade(
                <uint32_t>instrument, price, size, match, TRADE_REGULAR, time, received
            )
            return
        if (flags != TRADE_REGULAR or time < self.rows.first_midnight
                or not self.eligibility.sets_all(<uint32_t>instrument, size, time)):
            if flags & UNKNOWN_CONDITION:
                count(self.counters, FEED_UNKNOWN_CONDITIONS, 1)
                flags &= ~<uint32_t>UNKNOWN_CONDITION
            flags = self._eligible(<uint32_t>instrument, flags, price, size, time, received)
            if not flags & COUNTED:
                count(self.counters, FEED_UNCOUNTED_PRINTS, 1)
                return
        verdict = self.filter.judge(
            <uint32_t>instrument, values, self.rows.midnight, price, size, match, flags, time,
            received,
        )
        if verdict == ACCEPTED:
            self._count_trade(<uint32_t>instrument, price, size, match, flags, time, received)
        elif verdict == SETTLED:
            self._count_settled(<uint32_t>instrument)

    cdef uint32_t _eligible(
        self, uint32_t row, uint32_t flags, int64_t price, uint64_t size, int64_t time,
        int64_t received,
    ) noexcept nogil:
        """What is left of a trade's flags."""
        flags = self.eligibility.judge(
            row, &self.publisher.entries[row].values, flags, price, size, time, received
        )
        return flags & ~<uint32_t>OF_THE_DAY if time < self.rows.first_midnight else flags

    cdef void official(
        self, int32_t instrument, int64_t price, uint32_t which, int64_t time, int64_t received
    ) noexcept nogil:
        if not self.raw:
            self.trade(instrument, price, 0, 0, TRADE_PRINTED | which, time, received)

    cdef void set_round_lot(self, int32_t instrument, uint64_t shares) noexcept nogil:
        check(0 <= instrument < <int32_t>self.publisher.table.used)
        self.eligibility.lots[instrument] = <uint32_t>min(shares, <uint64_t>LARGEST_LOT)

    cdef void refuse_unknown(
        self, const char* symbol, size_t length, int64_t price, uint64_t size, uint64_t match,
        int64_t time, int64_t received,
    ) noexcept nogil:
        if not self.raw:
            self.filter.refuse_unknown(symbol, length, price, size, match, time, received)

    cdef void _count_settled(self, uint32_t row) noexcept nogil:
        """What the filter held counts now with what confirmed it, each as what it was."""
        cdef Held* held = self.filter.jumps.settled
        cdef int i
        for i in range(self.filter.jumps.settled_count):
            self._count_held(row, &held[i])

    cdef void _count_held(self, uint32_t row, const Held* held) noexcept nogil:
        self._count_trade(
            row, held.price, held.size, held.match, held.flags, held.exchange_time,
            held.receive_time,
        )
        forget_origin(&self.publisher.table.rests[row])

    cdef void _judge_again(self, uint32_t row, const Held* held) noexcept nogil:
        cdef Reject trade
        cdef int verdict
        write_trade(
            &trade, held.price, held.size, held.match, held.exchange_time, held.receive_time
        )
        verdict = self.filter.jumps.judge(row, &trade, held.flags, True)
        if verdict == ACCEPTED:
            self._count_held(row, held)
        elif verdict == SETTLED:
            self._count_settled(row)

    cdef void _reconsider(self, uint32_t row) noexcept nogil:
        """The last sale, or the quotes, are others than when these trades were held."""
        cdef Held[HELD_MOST] held
        cdef uint32_t held_count = self.filter.jumps.take(row, held)
        cdef uint32_t i
        for i in range(held_count):
            self._judge_again(row, &held[i])
        self.filter.jumps.show(row)

    cdef void _reconsider_changed(self) noexcept nogil:
        """Of all rows that this flush will show."""
        cdef uint32_t i = 0
        cdef uint32_t row
        while i < self.publisher.dirty_count:
            row = self.publisher.dirty_rows[i]
            if self.publisher.entries[row].values.flags & ROW_HELD:
                self._reconsider(row)
            i += 1

    cdef void _count_trade(
        self, uint32_t row, int64_t price, uint64_t size, uint64_t match, uint32_t flags,
        int64_t time, int64_t received,
    ) noexcept nogil:
        """A trade that counts, for what its flags say."""
        cdef Values* values = &self.publisher.entries[row].values
        cdef bint last
        if flags & TRADE_SETS_LAST and time < values.exchange_time:
            correct_clock(self.filter, values, time, received)
            correct_clock(self.filter, &self.trades.base[row], time, received)
        if not self.raw:
            self.trades.append(row, values, price, size, match, flags, time, received)
        if not flags & TRADE_REGULAR:
            # No trade of its own, but a price of the day that another one made.
            set_prices(values, price, size, flags, time, received, False)
            changed_beside(self.publisher, row)
            self.rows.touch(row, DIRTY_ROW | DIRTY_DAY, time)
            return
        if self.publisher.pending_count == PENDING_TRADES:
            self.flush(received)
        count(self.counters, FEED_TRADES, 1)
        values.seq += 1
        values.flags &= ~<uint64_t>ROW_STALE
        last = set_prices(values, price, size, flags, time, received, self.trades.in_order)
        if last:
            keep_origin(&self.publisher.table.rests[row], &self.origin, received)
        if flags & TRADE_COUNTS_VOLUME:
            add_volume(values, size)
            values.trades += 1
        if flags & (TRADE_SETS_EXTENDED | TRADE_OFFICIAL_OPEN | TRADE_OFFICIAL_CLOSE):
            changed_beside(self.publisher, row)
        mark_dirty(self.publisher, row, DIRTY_ROW)
        if self.publisher.publishing:
            self.publisher.trade(
                row, RECORD_TRADE if last else RECORD_PRINT, price, size, match, flags, time,
                received,
            )

    cdef void flush(self, int64_t publish_time) noexcept nogil:
        # What a rebuild replays was received within its time, whenever that was.
        if self.filter.jumps.held_count and self.filter.live:
            self.filter.jumps.expire(publish_time)
        if not self.publisher.publishing:
            return
        if self.rows.venue.changed:
            self.rows.venue.publish()
        self.quotes.refresh(publish_time)
        if self.filter.jumps.held_count:
            self._reconsider_changed()
        self.publisher.flush(publish_time)

    cdef void adopt(self) noexcept nogil:
        cdef uint32_t row
        cdef Values* values
        for row in range(self.publisher.table.used):
            values = &self.publisher.entries[row].values
            self.filter.ids.forget_until(min(values.exchange_time, values.receive_time))

    cdef void break_trade(self, int32_t instrument, uint64_t match, int64_t time) noexcept nogil:
        """Take a trade back. Volume and trades shrink; last, open, high and low become what the
        trades that are left say, if the broken one had made them."""
        cdef Trade* trade
        cdef uint32_t flags
        if self.raw:
            return
        trade = self.trades.find(instrument, match)
        if trade == NULL:
            count(
                self.counters,
                FEED_BREAKS if self._break_held(instrument, match) else FEED_BREAKS_UNMATCHED, 1,
            )
            return
        count(self.counters, FEED_BREAKS, 1)
        flags = trade.flags
        self._take_back(trade, time)
        if self._tells(trade.instrument, time):
            self.publisher.took_back(trade.instrument, trade.price, trade.size, match, flags, time)
        self.rows.touch(trade.instrument, DIRTY_CORRECTION, time)
        if self.publisher.entries[trade.instrument].values.flags & ROW_HELD:
            self._reconsider(trade.instrument)

    cdef void amend_trade(
        self, int32_t instrument, uint64_t match, uint64_t new_match, int64_t price,
        uint64_t size, uint32_t flags, int64_t time,
    ) noexcept nogil:
        cdef Trade* trade
        cdef Values* values
        if self.raw:
            return
        trade = self.trades.find(instrument, match)
        if not self.rows.is_price(price) or not size:
            trade = NULL
        elif trade == NULL and self._correct_held(
            instrument, match, new_match, price, size, flags
        ):
            count(self.counters, FEED_CORRECTIONS, 1)
            return
        if trade == NULL:
            count(self.counters, FEED_BREAKS_UNMATCHED, 1)
            return
        count(self.counters, FEED_CORRECTIONS, 1)
        self._know(<uint32_t>trade.instrument, match, new_match, trade.exchange_time)
        values = &self.publisher.entries[trade.instrument].values
        if flags:
            flags = self._eligible(
                trade.instrument, flags & ~<uint32_t>UNKNOWN_CONDITION, price, size,
                trade.exchange_time, trade.receive_time,
            )
            # With no flag at all it would be a broken one.
            flags = flags if flags & COUNTED else <uint32_t>TRADE_PRINTED
        else:
            flags = trade.flags
        self._take_back(trade, time)
        trade.flags = flags
        trade.match = new_match
        trade.price = price
        trade.size = size
        if flags & TRADE_COUNTS_VOLUME:
            add_volume(values, size)
            values.trades += 1
        self._count_again(trade.instrument)
        if self._tells(trade.instrument, time):
            self.publisher.corrected(trade.instrument, price, size, match, new_match, flags, time)
        self.rows.touch(trade.instrument, DIRTY_CORRECTION, time)
        if values.flags & ROW_HELD:
            self._reconsider(trade.instrument)

    cdef bint _break_held(self, int32_t instrument, uint64_t match) noexcept nogil:
        """Whether the trade is a jump that the filter holds; it is then gone."""
        cdef Held held
        return self.filter.jumps.drop(instrument, match, &held) >= 0

    cdef bint _correct_held(
        self, int32_t instrument, uint64_t match, uint64_t new_match, int64_t price,
        uint64_t size, uint32_t flags,
    ) noexcept nogil:
        """Whether the trade is a jump that the filter holds; it counts if that was the mistake."""
        cdef Held held
        cdef int32_t row = self.filter.jumps.drop(instrument, match, &held)
        if row < 0:
            return False
        self._know(<uint32_t>row, match, new_match, held.exchange_time)
        held.price = price
        held.size = size
        held.match = new_match
        if flags:
            held.flags = self._eligible(
                <uint32_t>row, flags & ~<uint32_t>UNKNOWN_CONDITION, price, size,
                held.exchange_time, held.receive_time,
            )
        self._judge_again(<uint32_t>row, &held)
        self.filter.jumps.show(<uint32_t>row)
        return True

    cdef void _know(
        self, uint32_t row, uint64_t match, uint64_t new_match, int64_t time
    ) noexcept nogil:
        """A trade that was corrected may be told again by the number of its correction."""
        if new_match != match and new_match and self.filter.duplicates:
            self.filter.ids.see(row, new_match, time, 0)

    cdef bint _tells(self, uint32_t row, int64_t time) noexcept nogil:
        """Whether readers are told of a break or a correction of this time; there is then room."""
        if self.publisher.publishing and self.publisher.pending_count == PENDING_TRADES:
            self.flush(time)
        return self.publisher.publishing or self.takeover.is_missed(row, &self.origin)

    cdef void _take_back(self, Trade* trade, int64_t time) noexcept nogil:
        """The trade counts no longer, by a message of this time."""
        cdef Values* values = &self.publisher.entries[trade.instrument].values
        cdef uint32_t flags = trade.flags
        self.trades.changes(trade)
        trade.flags = 0
        forget_origin(&self.publisher.table.rests[trade.instrument])
        changed_beside(self.publisher, trade.instrument)
        values.corrections += 1
        values.correction_time = time
        if flags & TRADE_COUNTS_VOLUME:
            take_volume(values, trade.size)
            values.trades -= 1 if values.trades else 0
        if counts_in(values, trade, flags):
            self._count_again(trade.instrument)

    cdef void _count_again(self, uint32_t instrument) noexcept nogil:
        """The prices become what the trades that still count make of the row; without any, what
        it was before them. It is then as stale as it was, unless a quote has come since."""
        cdef Values* values = &self.publisher.entries[instrument].values
        cdef Values counted
        cdef bint any = self.trades.count_again(instrument, &counted)
        copy_prices(values, &counted)
        if not any and values.quotes == counted.quotes:
            values.flags |= counted.flags & ROW_STALE


cdef void correct_clock(Filter filter, Values* values, int64_t time, int64_t received) noexcept nogil:
    """A last sale of a clock that was wrong (filter.pyx: older) was before the trade at hand."""
    if filter.is_ahead(values.exchange_time - 60_000_000_000LL, received):
        values.exchange_time = time


cdef inline bint counts_in(
    const Values* values, const Trade* trade, uint32_t flags
) noexcept nogil:
    """Whether a price of the row may be the trade's."""
    return (
        (flags & (TRADE_SETS_LAST | TRADE_LAST_IF_ONLY)
         and trade.exchange_time >= values.exchange_time)
        or (flags & TRADE_SETS_RANGE
            and (trade.price == values.high or trade.price == values.low))
        or (flags & (TRADE_SETS_OPEN | TRADE_LAST_IF_ONLY) and trade.price == values.open)
        or flags & (TRADE_SETS_EXTENDED | TRADE_OFFICIAL_OPEN | TRADE_OFFICIAL_CLOSE) != 0
    )

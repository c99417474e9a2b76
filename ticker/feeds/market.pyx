"""The market: order book, filter, trade log and publisher behind the calls of market.pxd.

Law: this process is the only writer of its segment; every value that it publishes is computed
here from messages, in private memory, and copied out whole. Nothing is read back, except once
when a segment is taken over (`adopt_rows`).
"""

from libc.stdint cimport INT64_MAX, INT64_MIN, int32_t, int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset, strcmp

from ticker.feeds.book cimport (
    BOOK_FAILED,
    BOOK_TOP,
    Ladder,
    Level,
    Order,
    best_of,
    prefetch_order,
    side_of,
)
from ticker.feeds.checks cimport check
from ticker.feeds.directory cimport ROW_REFUSED, row_of
from ticker.feeds.filter cimport ACCEPTED, CONFIRMS, CONFIRMS_ONLY
from ticker.feeds.pages cimport prefetch, prefetch_to_write
from ticker.feeds.publisher cimport (
    DIRTY_BOOK,
    DIRTY_COMPARE,
    DIRTY_CORRECTION,
    DIRTY_QUOTE,
    DIRTY_ROW,
    DIRTY_STATUS,
    PENDING_TRADES,
    Entry,
    mark_dirty,
)
from ticker.feeds.trades cimport Range, Trade
from ticker.feeds.venue_state cimport VenueState
from ticker.shm.atomics cimport store_relaxed
from ticker.shm.counters cimport (
    FEED_BAD_ORDERS,
    FEED_BREAKS,
    FEED_BREAKS_UNMATCHED,
    FEED_CORRECTIONS,
    FEED_MEMORY_FAILURES,
    FEED_STATUS_CHANGES,
    FEED_TABLE_FULL,
    FEED_TRADES,
    FEED_UNCOUNTED_PRINTS,
    FEED_UNKNOWN_ORDERS,
    count,
)
from ticker.shm.doorbell cimport DoorbellRinger
from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport (
    RECORD_PRINT,
    RECORD_TRADE,
    ROW_LISTED,
    ROW_SHARED_MICROSECOND,
    ROW_STALE,
    ROW_TEST,
    STATUS_TRADING,
    SYMBOL_BYTES,
    Values,
)

from ticker.errors import FeedError
from ticker.config.filter import hours_ns
from ticker.feeds.filter import PLAIN
from ticker.shm.rejects import RULES, RejectReader, RejectView
from ticker.feeds.symbology import SYMBOLOGIES, canonical, is_test_issue

cdef enum:
    # Sizes below this cannot overflow a level, whatever the messages say: at most 2^26 orders.
    SIZE_BITS = 37
    ORDER_LIMIT_BITS = 26


cdef class Market:
    """All that one feed knows; publishes into the segment of `mapping`, which it owns.

    Args:
        venue: ISO 10383 MIC of the feed's rows.
        ringer: rings the gateways after each flush that changed something.
        raw: no filter, no sale-condition rules, no trade breaks: every printable trade counts.
        max_price: greatest price that can be true, 1e-9 units.
        trade_log: trades kept for breaks, a power of two.
        order_limit: displayed orders at most, over all instruments.
        symbology: how the feed writes symbols (symbology.py).
        rules: a FilterConfig; by default the rules that need no clock and no band.
    """

    def __cinit__(
        self, Mapping mapping not None, *, venue: str = "", currency: str = "USD",
        DoorbellRinger ringer = None, bint raw = False, max_price: int = 200_000_000_000_000,
        trade_log: int = 1 << 20, order_limit: int = 1 << ORDER_LIMIT_BITS,
        size_exponent: int = 0, symbology: str = "none", rules: object = PLAIN,
    ) -> None:
        if not 0 < order_limit <= 1 << ORDER_LIMIT_BITS:
            raise FeedError(f"order limit {order_limit}: 1 to {1 << ORDER_LIMIT_BITS}")
        self.mapping = mapping
        self.counters = mapping.counters
        self.publisher = Publisher(mapping, ringer)
        self.directory = Directory(self.publisher.table)
        instruments = mapping.row_capacity
        self.book = Book(instruments, order_limit)
        self.filter = Filter(mapping, instruments, max_price, rules)
        self.trades = TradeLog(instruments, trade_log)
        self.venue = VenueState(mapping)
        self.venue_text = venue.encode("ascii")
        self.currency_text = currency.encode("ascii")
        self.venue_code = self.venue_text
        self.currency_code = self.currency_text
        self.size_exponent = size_exponent
        self.filter.size_exponent = self.size_exponent
        self.raw = raw
        if symbology not in SYMBOLOGIES:
            raise FeedError(f"symbology {symbology!r}: one of {', '.join(SYMBOLOGIES)}")
        self.symbology = symbology
        self.renames = symbology != "none"
        self._select(rules)
        memset(self.announced, 0xFF, sizeof(self.announced))

    cdef int _select(self, object rules) except -1:
        """Which trades set prices, by the feed's configuration."""
        hours = hours_ns(rules.price_hours)
        self.price_marks = TRADE_ODD_LOT if rules.odd_lots == "count" else 0
        self.price_marks |= TRADE_EXTENDED if rules.extended_hours == "count" else 0
        self.odd_lot_below = rules.odd_lot_below * 10 ** self.size_exponent
        self.priced_from, self.priced_until = hours or (INT64_MIN, INT64_MAX)
        self.selective = self.odd_lot_below > 0 or hours is not None
        return 0

    def __dealloc__(self) -> None:
        free(self.carried)

    # Instruments

    cdef int32_t define(self, uint64_t key, const char* symbol, size_t length) noexcept nogil:
        """The instrument of a symbol, known from now on by the feed's number `key`. Its row has
        the symbol's canonical form."""
        return self.define_on(key, symbol, length, self.venue_code)

    cdef int32_t define_on(
        self, uint64_t key, const char* symbol, size_t length, const char* venue
    ) noexcept nogil:
        cdef char[SYMBOL_BYTES] text
        cdef int64_t row = -1
        if self.renames:
            length = self._canonical(symbol, length, text)
            symbol = text
        if length:
            row = self.directory.row_on_venue(symbol, length, venue)
        if row >= 0:
            store_relaxed(&self.publisher.table.rows[row].instrument_key, key)
        else:
            row = self._new_row(key, symbol, length, venue)
            if row < 0:
                count(self.counters, FEED_TABLE_FULL, 1)
                self.directory.bind(key, ROW_REFUSED)
                return -1
        self.directory.bind(key, <int32_t>row)
        return <int32_t>row

    cdef int64_t _new_row(
        self, uint64_t key, const char* symbol, size_t length, const char* venue
    ) noexcept nogil:
        cdef int64_t row = self.publisher.append(
            symbol, length, venue, self.currency_code, self.size_exponent, key
        )
        if row < 0:
            return -1
        self.directory.enter(<int32_t>row)
        self.publisher.entries[row].values.session_start = self.midnight
        mark_dirty(self.publisher, <uint32_t>row, DIRTY_ROW)
        if names_test(symbol, length):
            self.set_test(<int32_t>row, True)
        return row

    cdef size_t _canonical(
        self, const char* symbol, size_t length, char* out
    ) noexcept nogil:
        """The canonical form of a symbol into `out`; its length, 0: it has no room there."""
        cdef size_t i
        for i in range(length):
            if not (c"A" <= symbol[i] <= c"Z" or c"0" <= symbol[i] <= c"9"):
                break
        else:
            if length >= SYMBOL_BYTES:
                return 0
            memcpy(out, symbol, length)
            return length
        return respell(self.symbology, symbol, length, out)

    cdef int32_t find(self, uint64_t key) noexcept nogil:
        """The instrument of the feed's number, or a NoRow (negative)."""
        return row_of(self.directory, key)

    cdef void set_test(self, int32_t instrument, bint test) noexcept nogil:
        cdef Values* values = &self.publisher.entries[instrument].values
        cdef uint64_t flags = (values.flags | ROW_TEST) if test else (values.flags & ~ROW_TEST)
        if flags != values.flags:
            values.flags = flags
            mark_dirty(self.publisher, <uint32_t>instrument, DIRTY_STATUS)

    cdef void set_listing(self, int32_t instrument, const char* venue) noexcept nogil:
        """Where it is this feed's own venue, the row's close and state are the official ones."""
        cdef bint listed = venue != NULL and strcmp(venue, self.venue_code) == 0
        cdef Values* values = &self.publisher.entries[instrument].values
        cdef uint64_t flags = values.flags & ~<uint64_t>ROW_LISTED
        flags |= ROW_LISTED if listed else 0
        if flags != values.flags:
            values.flags = flags
            mark_dirty(self.publisher, <uint32_t>instrument, DIRTY_ROW)

    cdef void start_session(self, int64_t midnight) noexcept nogil:
        """Order references and match numbers start over; yesterday's last is the close."""
        cdef uint32_t row
        cdef Values* values
        cdef Values* before
        self.clear_books()
        self.filter.forget()
        self.trades.clear()
        self.midnight = midnight
        self.venue.forget()
        for row in range(self.publisher.table.used):
            values = &self.publisher.entries[row].values
            values.session_start = midnight
            before = &self.carried[row] if row < self.carried_rows else values
            if before.price and before.exchange_time < midnight:
                values.previous_close = before.price
                values.open = values.high = values.low = values.open_time = 0
                values.volume = values.trades = 0
                values.flags |= ROW_STALE
                mark_dirty(self.publisher, row, DIRTY_COMPARE)
            self.trades.partial[row] = values.trades > 0

    # Orders

    cdef void add_order(
        self, int32_t instrument, uint64_t reference, Side side, uint64_t size, int64_t price,
        int64_t time,
    ) noexcept nogil:
        cdef Order* order = self.book.find(reference)
        check(0 <= instrument < <int32_t>self.publisher.table.used)
        if not size or size >> SIZE_BITS:
            count(self.counters, FEED_BAD_ORDERS, 1)
            return
        if order != NULL:
            # Its end was lost: the newer one is true.
            count(self.counters, FEED_BAD_ORDERS, 1)
            self._book_changed(order.instrument, self.book.remove(order), time)
        self._book_changed(
            <uint32_t>instrument,
            self.book.add(<uint32_t>instrument, reference, side, size, price), time,
        )

    cdef void execute_order(
        self, uint64_t reference, uint64_t size, uint64_t match, int64_t time, int64_t received,
    ) noexcept nogil:
        """A displayed order traded at its own price."""
        cdef Order* order = self.book.find(reference)
        cdef uint32_t instrument
        cdef int64_t price
        if order == NULL:
            count(self.counters, FEED_UNKNOWN_ORDERS, 1)
            return
        instrument = order.instrument
        price = order.price
        self._book_changed(instrument, self.book.reduce(order, size), time)
        self.trade(<int32_t>instrument, price, size, match, TRADE_REGULAR, time, received)

    cdef void execute_order_at(
        self, uint64_t reference, uint64_t size, int64_t price, uint64_t match, uint32_t flags,
        int64_t time, int64_t received,
    ) noexcept nogil:
        """A displayed order traded at another price than its own."""
        cdef Order* order = self.book.find(reference)
        cdef uint32_t instrument
        if order == NULL:
            count(self.counters, FEED_UNKNOWN_ORDERS, 1)
            return
        instrument = order.instrument
        self._book_changed(instrument, self.book.reduce(order, size), time)
        self.trade(<int32_t>instrument, price, size, match, flags, time, received)

    cdef void reduce_order(self, uint64_t reference, uint64_t size, int64_t time) noexcept nogil:
        cdef Order* order = self.book.find(reference)
        cdef uint32_t instrument
        if order == NULL:
            count(self.counters, FEED_UNKNOWN_ORDERS, 1)
            return
        instrument = order.instrument
        self._book_changed(instrument, self.book.reduce(order, size), time)

    cdef void delete_order(self, uint64_t reference, int64_t time) noexcept nogil:
        cdef Order* order = self.book.find(reference)
        cdef uint32_t instrument
        if order == NULL:
            count(self.counters, FEED_UNKNOWN_ORDERS, 1)
            return
        instrument = order.instrument
        self._book_changed(instrument, self.book.remove(order), time)

    cdef void replace_order(
        self, uint64_t reference, uint64_t new_reference, uint64_t size, int64_t price,
        int64_t time,
    ) noexcept nogil:
        """The new order has the old one's instrument and side."""
        cdef Order* order = self.book.find(reference)
        cdef uint32_t instrument
        cdef Side side
        if order == NULL:
            count(self.counters, FEED_UNKNOWN_ORDERS, 1)
            return
        instrument = order.instrument
        side = <Side>side_of(order)
        self._book_changed(instrument, self.book.remove(order), time)
        self.add_order(<int32_t>instrument, new_reference, side, size, price, time)

    cdef void modify_order(
        self, uint64_t reference, uint64_t size, int64_t price, int64_t time
    ) noexcept nogil:
        """An order gets another size and price, keeping its reference."""
        cdef Order* order = self.book.find(reference)
        cdef uint32_t instrument
        if order == NULL:
            count(self.counters, FEED_UNKNOWN_ORDERS, 1)
            return
        if size >> SIZE_BITS:
            count(self.counters, FEED_BAD_ORDERS, 1)
            return
        instrument = order.instrument
        self._book_changed(instrument, self.book.modify(order, size, price), time)

    cdef void execute_order_remaining(
        self, uint64_t reference, uint64_t size, uint64_t remaining, int64_t price,
        uint64_t match, uint32_t flags, int64_t time, int64_t received,
    ) noexcept nogil:
        """A displayed order traded, and the message says what is left of it."""
        cdef Order* order = self.book.find(reference)
        cdef uint32_t instrument
        if order == NULL:
            count(self.counters, FEED_UNKNOWN_ORDERS, 1)
            return
        instrument = order.instrument
        self.modify_order(reference, remaining, order.price, time)
        self.trade(<int32_t>instrument, price, size, match, flags, time, received)

    # Levels and quotes

    cdef void set_level(
        self, int32_t instrument, Side side, int64_t price, uint64_t size, int64_t time
    ) noexcept nogil:
        check(0 <= instrument < <int32_t>self.publisher.table.used)
        if price <= 0:
            count(self.counters, FEED_BAD_ORDERS, 1)
            return
        self._book_changed(
            <uint32_t>instrument, self.book.set_level(<uint32_t>instrument, side, price, size),
            time,
        )

    cdef void set_quote(
        self, int32_t instrument, int64_t bid, uint64_t bid_size, int64_t ask,
        uint64_t ask_size, int64_t time,
    ) noexcept nogil:
        cdef int bids, asks
        check(0 <= instrument < <int32_t>self.publisher.table.used)
        if bid < 0 or ask < 0:
            count(self.counters, FEED_BAD_ORDERS, 1)
            return
        bids = self.book.set_top(<uint32_t>instrument, BID, bid, bid_size)
        asks = self.book.set_top(<uint32_t>instrument, ASK, ask, ask_size)
        if bids == BOOK_TOP or asks == BOOK_TOP:
            self._touch(<uint32_t>instrument, DIRTY_BOOK, time)
        if bids == BOOK_FAILED or asks == BOOK_FAILED:
            count(self.counters, FEED_MEMORY_FAILURES, 1)

    cdef void clear_instrument(self, int32_t instrument, int64_t time) noexcept nogil:
        """Forget the orders and levels of one instrument; new ones follow."""
        check(0 <= instrument < <int32_t>self.publisher.table.used)
        self.book.clear_instrument(<uint32_t>instrument)
        self._touch(<uint32_t>instrument, DIRTY_BOOK, time)

    cdef void prefetch_order(self, uint64_t reference) noexcept nogil:
        prefetch_order(self.book, reference)

    cdef void prefetch_instrument(self, uint64_t key) noexcept nogil:
        """What of the instrument an order touches; its best levels a few announcements later,
        when the ladders that say where they are have come."""
        cdef int32_t row = row_of(self.directory, key)
        cdef int32_t earlier = self.announced[self.announcements % ANNOUNCED]
        cdef Ladder* ladder
        cdef int side
        if earlier >= 0:
            for side in range(2):
                ladder = &self.book.ladders[2 * earlier + side]
                prefetch_to_write(&ladder.levels[ladder.count], 1, 3)
                prefetch_to_write(&ladder.levels[ladder.count] - 4, 1, 3)
        self.announced[self.announcements % ANNOUNCED] = row
        self.announcements += 1
        if row >= 0:
            prefetch(&self.book.ladders[2 * row])
            prefetch_to_write(&self.publisher.entries[row].dirty, 1, 3)

    # Trades

    cdef void trade(
        self, int32_t instrument, int64_t price, uint64_t size, uint64_t match, uint32_t flags,
        int64_t time, int64_t received,
    ) noexcept nogil:
        cdef Values* values = &self.publisher.entries[instrument].values
        cdef int verdict
        check(0 <= instrument < <int32_t>self.publisher.table.used)
        if not flags:
            return
        if self.raw:
            self._count_trade(
                <uint32_t>instrument, price, size, match, TRADE_REGULAR, time, received
            )
            return
        if flags != TRADE_REGULAR or self.selective:
            flags = self._eligible(flags, size, time)
            if not flags & TRADE_REGULAR:
                count(self.counters, FEED_UNCOUNTED_PRINTS, 1)
                return
        verdict = self.filter.judge(
            <uint32_t>instrument, values, self.midnight, price, size, match, flags, time,
            received,
        )
        if verdict == CONFIRMS or verdict == CONFIRMS_ONLY:
            self._count_held(<uint32_t>instrument)
        if verdict == ACCEPTED or verdict == CONFIRMS:
            self._count_trade(
                <uint32_t>instrument, price, size, match, flags, time, received
            )

    cdef uint32_t _eligible(
        self, uint32_t flags, uint64_t size, int64_t time
    ) noexcept nogil:
        """What is left of a trade's flags by the feed's configuration. Odd lots and trades of
        extended hours count for volume only, unless it says otherwise."""
        cdef uint32_t marks = flags & (TRADE_ODD_LOT | TRADE_EXTENDED) & ~self.price_marks
        if self.selective and not (
            size >= self.odd_lot_below
            and self.priced_from <= time - self.midnight < self.priced_until
        ):
            marks = TRADE_EXTENDED
        if marks:
            flags &= ~<uint32_t>(TRADE_SETS_LAST | TRADE_SETS_RANGE | TRADE_LAST_IF_ONLY)
        return flags

    cdef void refuse_unknown(
        self, const char* symbol, size_t length, int64_t price, uint64_t size, uint64_t match,
        int64_t time, int64_t received,
    ) noexcept nogil:
        if not self.raw:
            self.filter.refuse_unknown(symbol, length, price, size, match, time, received)

    cdef void _count_held(self, uint32_t row) noexcept nogil:
        """The jump that the filter held counts now, as what it was."""
        cdef Held held
        self.filter.take(row, &held)
        self._count_trade(
            row, held.price, held.size, held.match, held.flags, held.exchange_time,
            held.receive_time,
        )

    cdef void _count_trade(
        self, uint32_t row, int64_t price, uint64_t size, uint64_t match, uint32_t flags,
        int64_t time, int64_t received,
    ) noexcept nogil:
        """A trade that counts, for what its flags say."""
        cdef Values* values = &self.publisher.entries[row].values
        cdef bint last = flags & TRADE_SETS_LAST != 0
        if not self.raw:
            self.trades.append(row, price, size, match, flags, time, received)
        if flags & TRADE_LAST_IF_ONLY and not last:
            last = not values.price or values.exchange_time < self.midnight
        if self.publisher.pending_count == PENDING_TRADES:
            self.flush(received)
        count(self.counters, FEED_TRADES, 1)
        values.seq += 1
        values.flags &= ~<uint64_t>ROW_STALE
        if last:
            if price != values.price and time - values.exchange_time < 1000:
                values.flags |= ROW_SHARED_MICROSECOND
            else:
                values.flags &= ~<uint64_t>ROW_SHARED_MICROSECOND
            values.price = price
            values.size = size
            values.exchange_time = time
            values.receive_time = received
        if flags & TRADE_SETS_RANGE:
            if not values.open:
                values.open = price
                values.open_time = time
            values.high = price if price > values.high else values.high
            values.low = price if price < values.low or not values.low else values.low
        if flags & TRADE_COUNTS_VOLUME:
            values.volume += size
            values.trades += 1
        mark_dirty(self.publisher, row, DIRTY_ROW)
        if self.publisher.publishing:
            self.publisher.trade(
                row, RECORD_TRADE if last else RECORD_PRINT, price, size, time, received,
            )

    cdef void break_trade(self, int32_t instrument, uint64_t match, int64_t time) noexcept nogil:
        """Take a trade back. Volume and trades shrink; last, open, high and low become what the
        trades that are left say, if the broken one had made them."""
        cdef Trade* trade
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
        self._take_back(trade)
        self._touch(trade.instrument, DIRTY_CORRECTION, time)

    cdef void correct_trade(
        self, int32_t instrument, uint64_t match, int64_t price, uint64_t size, int64_t time
    ) noexcept nogil:
        """A trade had another price or size: it counts as before, with the right ones."""
        cdef Trade* trade
        cdef Values* values
        cdef uint32_t flags
        if self.raw:
            return
        trade = self.trades.find(instrument, match)
        if price <= 0 or not size:
            trade = NULL
        elif trade == NULL and self._correct_held(instrument, match, price, size):
            count(self.counters, FEED_CORRECTIONS, 1)
            return
        if trade == NULL:
            count(self.counters, FEED_BREAKS_UNMATCHED, 1)
            return
        count(self.counters, FEED_CORRECTIONS, 1)
        values = &self.publisher.entries[trade.instrument].values
        flags = trade.flags
        self._take_back(trade)
        trade.flags = flags
        trade.price = price
        trade.size = size
        if flags & TRADE_COUNTS_VOLUME:
            values.volume += size
            values.trades += 1
        if flags & (TRADE_SETS_LAST | TRADE_LAST_IF_ONLY):
            self._restore_last(trade.instrument, values)
        if flags & TRADE_SETS_RANGE:
            values.high = price if price > values.high else values.high
            values.low = price if price < values.low or not values.low else values.low
            self._restore_range(trade.instrument, values)
        self._touch(trade.instrument, DIRTY_CORRECTION, time)

    cdef bint _break_held(self, int32_t instrument, uint64_t match) noexcept nogil:
        """Whether the trade is a jump that the filter holds; it is then gone."""
        cdef int32_t row = self.filter.find_held(instrument, match)
        if row >= 0:
            self.filter._release(<uint32_t>row)
        return row >= 0

    cdef bint _correct_held(
        self, int32_t instrument, uint64_t match, int64_t price, uint64_t size
    ) noexcept nogil:
        """Whether the trade is a jump that the filter holds; it counts if that was the mistake."""
        cdef int32_t row = self.filter.find_held(instrument, match)
        if row < 0:
            return False
        self.filter.held[row].price = price
        self.filter.held[row].size = size
        if self.filter.fits(<uint32_t>row, &self.publisher.entries[row].values):
            self._count_held(<uint32_t>row)
        return True

    cdef void set_previous_close(self, int32_t instrument, int64_t price) noexcept nogil:
        """Of the day before, as the feed says it."""
        cdef Values* values = &self.publisher.entries[instrument].values
        check(0 <= instrument < <int32_t>self.publisher.table.used)
        if price > 0 and values.previous_close != price:
            values.previous_close = price
            mark_dirty(self.publisher, <uint32_t>instrument, DIRTY_ROW)

    cdef void _take_back(self, Trade* trade) noexcept nogil:
        cdef Values* values = &self.publisher.entries[trade.instrument].values
        cdef uint32_t flags = trade.flags
        trade.flags = 0
        values.corrections += 1
        if flags & TRADE_COUNTS_VOLUME:
            values.volume -= trade.size if trade.size < values.volume else values.volume
            values.trades -= 1 if values.trades else 0
        # Where trades are no longer kept, what they made is still in the values: leave it.
        if (flags & (TRADE_SETS_LAST | TRADE_LAST_IF_ONLY)
                and trade.exchange_time >= values.exchange_time):
            self._restore_last(trade.instrument, values)
        if flags & TRADE_SETS_RANGE and (
            trade.price == values.high or trade.price == values.low
            or trade.price == values.open
        ):
            self._restore_range(trade.instrument, values)

    cdef void _restore_last(self, uint32_t instrument, Values* values) noexcept nogil:
        cdef Trade* last = self.trades.last_sale(instrument)
        cdef bint whole = last == NULL and self.trades.begins_session(instrument)
        if whole:
            last = self.trades.only_sale(instrument)
        if last != NULL:
            values.price = last.price
            values.size = last.size
            values.exchange_time = last.exchange_time
            values.receive_time = last.receive_time
        elif whole:
            values.price = values.exchange_time = values.receive_time = 0
            values.size = 0

    cdef void _restore_range(self, uint32_t instrument, Values* values) noexcept nogil:
        cdef Range left
        self.trades.range_of(instrument, &left)
        if left.whole:
            values.open = left.open
            values.open_time = left.open_time
            values.high = left.high
            values.low = left.low

    # States

    cdef void set_status(self, int32_t instrument, uint64_t status, int64_t time) noexcept nogil:
        cdef Values* values = &self.publisher.entries[instrument].values
        check(0 <= instrument < <int32_t>self.publisher.table.used)
        if status == STATUS_TRADING and self.venue.breaker:
            # While a breaker is in force nothing trades; the first to resume says that it is over.
            self.venue.set_breaker(0, time)
        if values.status != status:
            values.status = status
            count(self.counters, FEED_STATUS_CHANGES, 1)
            self._touch(<uint32_t>instrument, DIRTY_STATUS, time)

    cdef void set_status_all(self, uint64_t status, int64_t time) noexcept nogil:
        cdef uint32_t row
        for row in range(self.publisher.table.used):
            self.set_status(<int32_t>row, status, time)

    cdef void clear_books(self) noexcept nogil:
        """Forget all orders: a new session, or too many messages were lost."""
        cdef uint32_t row
        self.book.clear()
        for row in range(self.publisher.table.used):
            mark_dirty(self.publisher, row, DIRTY_BOOK)

    # Publishing

    cdef void flush(self, int64_t publish_time) noexcept nogil:
        cdef uint32_t i
        # What a rebuild replays was received within its time, whenever that was.
        if self.filter.held_count and self.filter.live:
            self.filter.expire(publish_time)
        if not self.publisher.publishing:
            return
        if self.venue.changed:
            self.venue.publish()
        for i in range(self.publisher.dirty_count):
            if self.publisher.entries[self.publisher.dirty_rows[i]].dirty & DIRTY_BOOK:
                self._refresh_quote(self.publisher.dirty_rows[i])
        self.publisher.flush(publish_time)

    cdef void _touch(self, uint32_t row, uint32_t bits, int64_t time) noexcept nogil:
        cdef Entry* entry = &self.publisher.entries[row]
        entry.change_time = time
        entry.change_received = self.received
        mark_dirty(self.publisher, row, bits)

    cdef void _book_changed(self, uint32_t row, int change, int64_t time) noexcept nogil:
        if change == BOOK_TOP:
            self._touch(row, DIRTY_BOOK, time)
        elif change == BOOK_FAILED:
            count(self.counters, FEED_MEMORY_FAILURES, 1)

    cdef void _refresh_quote(self, uint32_t row) noexcept nogil:
        """The top of the book into the row's values."""
        cdef Entry* entry = &self.publisher.entries[row]
        cdef Values* values = &entry.values
        cdef Level* bid = best_of(self.book, row, BID)
        cdef Level* ask = best_of(self.book, row, ASK)
        cdef int64_t bid_price = bid.rank if bid != NULL else 0
        cdef int64_t ask_price = -ask.rank if ask != NULL else 0
        cdef uint64_t bid_size = bid.size if bid != NULL else 0
        cdef uint64_t ask_size = ask.size if ask != NULL else 0
        if (values.bid == bid_price and values.ask == ask_price
                and values.bid_size == bid_size and values.ask_size == ask_size):
            return
        values.bid = bid_price
        values.ask = ask_price
        values.bid_size = bid_size
        values.ask_size = ask_size
        values.quote_time = entry.change_time
        values.quotes += 1
        values.flags &= ~<uint64_t>ROW_STALE
        entry.dirty |= DIRTY_QUOTE

    # What Python sees: taking over, and looking in.

    def adopt_rows(self, *, rebuild: bool) -> int:
        """Go on with the rows that a predecessor left; how many there are.

        With `rebuild` the state is computed again from the session's start, which the caller
        now replays with publishing off; without, it is what the rows say, except the quotes
        (their orders are unknown). Either way rows are stale until their first live tick, and
        the first flush has a correction for each: the predecessor may have died between a row
        and its record, and no comparison of rows would tell.
        """
        cdef uint32_t row
        cdef uint32_t rows = self.publisher.table.used
        cdef Values* values
        if rebuild and rows:
            free(self.carried)
            self.carried = <Values*>calloc(rows, sizeof(Values))
            if self.carried == NULL:
                raise MemoryError("no memory to rebuild")
            self.carried_rows = rows
        for row in range(rows):
            values = &self.publisher.entries[row].values
            if self.publisher.table.read(row, values) < 0:
                raise FeedError(f"row {row} has another writer: stop the other feed worker")
            values.flags |= ROW_STALE
            self.publisher.adopt(row)
            self.directory.enter(<int32_t>row)
            self.directory.bind(
                self.publisher.table.rows[row].instrument_key, <int32_t>row
            )
            if rebuild:
                self.carried[row] = values[0]
                forget_session(values)
                values.session_start = self.midnight
            else:
                self.trades.partial[row] = values.seq > 0
                forget_quote(values)
                mark_dirty(self.publisher, row, DIRTY_COMPARE | DIRTY_CORRECTION)
        return rows

    def set_publishing(self, publishing: bool, *, whole: bool = True) -> None:
        """Off: messages are taken in and nothing is shown. On again: the next flush publishes
        every row, with records for what differs from what readers saw before. Not `whole`:
        messages of a rebuild were lost, so that its totals may lack what readers saw."""
        cdef uint32_t row
        if publishing and not self.publisher.publishing:
            for row in range(self.publisher.table.used):
                if row < self.carried_rows:
                    self._restore_carried(row, whole)
                    mark_dirty(self.publisher, row, DIRTY_CORRECTION)
                mark_dirty(self.publisher, row, DIRTY_BOOK | DIRTY_COMPARE)
            free(self.carried)
            self.carried = NULL
            self.carried_rows = 0
        self.publisher.publishing = publishing
        self.filter.live = publishing

    cdef void _restore_carried(self, uint32_t row, bint whole) noexcept nogil:
        """What must not go back after a rebuild: seq, counts, and the last sale and totals
        unless a break explains them."""
        cdef Values* values = &self.publisher.entries[row].values
        cdef Values* before = &self.carried[row]
        cdef bint lacks = not whole and values.session_start == before.session_start
        values.seq = max(values.seq, before.seq)
        values.quotes = max(values.quotes, before.quotes)
        if (values.exchange_time < before.exchange_time
                and values.corrections <= before.corrections):
            values.price = before.price
            values.size = before.size
            values.exchange_time = before.exchange_time
            values.receive_time = before.receive_time
            values.flags |= ROW_STALE
            lacks = True
        if lacks and self._restore_totals(values, before):
            self.trades.partial[row] = True
        values.corrections = max(values.corrections, before.corrections)

    cdef bint _restore_totals(self, Values* values, const Values* before) noexcept nogil:
        """Of a day whose trades were not all had again; whether any were missing."""
        if values.volume >= before.volume and values.trades >= before.trades:
            return False
        values.volume = max(values.volume, before.volume)
        values.trades = max(values.trades, before.trades)
        if before.open and (not values.open or before.open_time < values.open_time):
            values.open = before.open
            values.open_time = before.open_time
        values.high = max(values.high, before.high)
        if before.low and (not values.low or before.low < values.low):
            values.low = before.low
        values.previous_close = before.previous_close
        return True

    @property
    def publishing(self) -> bool:
        return self.publisher.publishing

    def publish(self, now_ns: int) -> None:
        """Flush, from Python."""
        self.flush(now_ns)

    def forget_orders(self) -> None:
        """clear_books, from Python."""
        self.clear_books()

    @property
    def orders(self) -> int:
        """Displayed orders, over all instruments."""
        return self.book.used

    def depth(self, symbol: str, side: int) -> list[tuple[int, int]]:
        """(price in 1e-9 units, size) of each level of a side (0 bids, 1 asks), best first."""
        raw = symbol.encode("ascii")
        row = self.directory.row_of_symbol(raw, len(raw))
        if row < 0:
            raise KeyError(symbol)
        return self.book.depth(row, side)

    def rejects(self) -> list[RejectView]:
        """The last rejected trades of each rule, oldest first."""
        reader = RejectReader(self.mapping)
        return [reject for rule in RULES for reject in reader.last(rule)]


cdef size_t respell(
    str symbology, const char* symbol, size_t length, char* out
) noexcept with gil:
    """Market._canonical of a symbol that has more than letters and digits: once for each."""
    cdef bytes found = canonical(symbol[:length].decode("latin-1"), symbology).encode("latin-1")
    length = len(found)
    if length >= SYMBOL_BYTES:
        return 0
    memcpy(out, <const char*>found, length)
    return length


cdef bint names_test(const char* symbol, size_t length) noexcept with gil:
    return is_test_issue(symbol[:length].decode("latin-1"))


cdef void forget_quote(Values* values) noexcept nogil:
    values.bid = values.ask = 0
    values.bid_size = values.ask_size = 0


cdef void forget_session(Values* values) noexcept nogil:
    """Keep only what does not come from the session's messages."""
    cdef int64_t previous_close = values.previous_close
    cdef uint64_t status = values.status
    cdef uint64_t flags = values.flags
    memset(values, 0, sizeof(Values))
    values.previous_close = previous_close
    values.status = status
    values.flags = flags

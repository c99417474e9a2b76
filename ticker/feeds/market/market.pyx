"""The market: order book, filter, trade log and publisher behind the calls of market.pxd.

Law: this process is the only writer of its segment; every value that it publishes is computed
here from messages, in private memory, and copied out whole. Nothing is read back, except once
when a segment is taken over (`adopt_rows`).
"""

from libc.stdint cimport INT64_MAX, INT64_MIN, int32_t, int64_t, uint32_t, uint64_t

from ticker.checks cimport check
from ticker.feeds.market.book cimport (
    BOOK_FAILED,
    BOOK_TOP,
    NO_PRICE,
    Order,
    prefetch_order,
    side_of,
)
from ticker.feeds.market.directory cimport row_of
from ticker.feeds.market.publisher cimport DIRTY_BOOK, DIRTY_COMPARE, changed_beside, mark_dirty
from ticker.feeds.market.quotes cimport Quotes
from ticker.feeds.market.rows cimport Rows
from ticker.feeds.market.sales cimport Sales
from ticker.feeds.market.takeover cimport Takeover
from ticker.shm.counters cimport FEED_BAD_ORDERS, FEED_MEMORY_FAILURES, FEED_UNKNOWN_ORDERS, count
from ticker.shm.doorbell cimport DoorbellRinger
from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport ROW_HAS_LAST, ROW_STALE, Values
from ticker.shm.values cimport end_day

from ticker.errors import FeedError
from ticker.feeds.market.filter import PLAIN
from ticker.shm.rejects import RULES, RejectReader, RejectView
from ticker.units import MAX_PRICE

cdef enum:
    # Sizes below this cannot overflow a level, with any messages: at most 2^26 orders.
    SIZE_BITS = 37
    ORDER_LIMIT_BITS = 26

cdef int64_t EARLY = 3_600_000_000_000    # no message comes so long before its day begins


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
        timezone: in which the hours of `rules` are.
        rules: a FilterConfig; by default the rules that need no clock and no band.
    """

    def __cinit__(
        self, Mapping mapping not None, *, venue: str = "", currency: str = "USD",
        DoorbellRinger ringer = None, bint raw = False, max_price: int = 200_000_000_000_000,
        trade_log: int = 1 << 20, order_limit: int = 1 << ORDER_LIMIT_BITS,
        size_exponent: int = 0, symbology: str = "none", timezone: str = "America/New_York",
        rules: object = PLAIN,
    ) -> None:
        if not 0 < order_limit <= 1 << ORDER_LIMIT_BITS:
            raise FeedError(f"order limit {order_limit}: 1 to {1 << ORDER_LIMIT_BITS}")
        self.rows = Rows(mapping, venue, currency, ringer, size_exponent, symbology)
        self.rows.zero_is_price = rules.negative_prices
        if raw or rules.negative_prices:
            self.rows.least_price = -MAX_PRICE if raw else -max_price
        self.quotes = Quotes(self.rows, order_limit)
        self.sales = Sales(self.rows, self.quotes, raw, max_price, trade_log, rules, timezone)
        self.publisher = self.rows.publisher
        self.book = self.quotes.book
        self.counters = mapping.counters
        self.takeover = Takeover(self.publisher, self.rows.directory, self.sales.trades)
        self.sales.takeover = self.takeover

    cdef void begin_at(self, int64_t midnight) noexcept nogil:
        self.rows.midnight = midnight
        self.sales.filter.begin_day(midnight)

    cdef void start_session(self, int64_t midnight) noexcept nogil:
        """Order references and match numbers start over; yesterday's last is the close."""
        self.clear_books()
        self.rows.venue.forget()
        self._roll(midnight, ROW_STALE)

    cdef void start_day(self, int64_t midnight) noexcept nogil:
        """Yesterday's last is the close, and yesterday's trades are counted no more."""
        if midnight > self.rows.midnight:
            self._roll(midnight, 0)

    cdef void _roll(self, int64_t midnight, uint64_t flags) noexcept nogil:
        """Rows whose last sale is of an earlier day begin anew, with these flags."""
        cdef uint32_t row
        cdef Values* values
        cdef Values* before
        cdef bint sold, ends
        self.sales.filter.forget()
        self.sales.trades.clear()
        self.rows.begin_day(midnight)
        self.sales.filter.begin_day(midnight)
        for row in range(self.publisher.table.used):
            values = &self.publisher.entries[row].values
            before = self.takeover.before(row)
            sold = before.flags & ROW_HAS_LAST and before.exchange_time >= midnight
            # A row may have figures of a day, and no last sale of it.
            ends = not sold and (before.flags & ROW_HAS_LAST or before.session_start < midnight)
            values.session_start = midnight
            if ends:
                end_day(values, before)
                changed_beside(self.publisher, row)
                values.flags |= flags
                mark_dirty(self.publisher, row, DIRTY_COMPARE)

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
            self.quotes.changed(order.instrument, self.book.remove(order), time)
        self.quotes.changed(
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
        self.quotes.changed(instrument, self.book.reduce(order, size), time)
        self.sales.trade(<int32_t>instrument, price, size, match, TRADE_REGULAR, time, received)

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
        self.quotes.changed(instrument, self.book.reduce(order, size), time)
        self.sales.trade(<int32_t>instrument, price, size, match, flags, time, received)

    cdef void reduce_order(self, uint64_t reference, uint64_t size, int64_t time) noexcept nogil:
        cdef Order* order = self.book.find(reference)
        cdef uint32_t instrument
        if order == NULL:
            count(self.counters, FEED_UNKNOWN_ORDERS, 1)
            return
        instrument = order.instrument
        self.quotes.changed(instrument, self.book.reduce(order, size), time)

    cdef void delete_order(self, uint64_t reference, int64_t time) noexcept nogil:
        cdef Order* order = self.book.find(reference)
        cdef uint32_t instrument
        if order == NULL:
            count(self.counters, FEED_UNKNOWN_ORDERS, 1)
            return
        instrument = order.instrument
        self.quotes.changed(instrument, self.book.remove(order), time)

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
        self.quotes.changed(instrument, self.book.remove(order), time)
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
        self.quotes.changed(instrument, self.book.modify(order, size, price), time)

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
        self.sales.trade(<int32_t>instrument, price, size, match, flags, time, received)

    # Levels and quotes

    cdef void set_level(
        self, int32_t instrument, Side side, int64_t price, uint64_t size, int64_t time
    ) noexcept nogil:
        check(0 <= instrument < <int32_t>self.publisher.table.used)
        if not self.rows.is_price(price):
            count(self.counters, FEED_BAD_ORDERS, 1)
            return
        self.quotes.changed(
            <uint32_t>instrument, self.book.set_level(<uint32_t>instrument, side, price, size),
            time,
        )

    cdef void set_quote(
        self, int32_t instrument, int64_t bid, uint64_t bid_size, int64_t ask,
        uint64_t ask_size, int64_t time,
    ) noexcept nogil:
        cdef int bids, asks
        check(0 <= instrument < <int32_t>self.publisher.table.used)
        if not self.rows.zero_is_price:
            bid = bid if bid else NO_PRICE
            ask = ask if ask else NO_PRICE
        if (bid < self.rows.least_price and bid != NO_PRICE) or (
            ask < self.rows.least_price and ask != NO_PRICE
        ):
            count(self.counters, FEED_BAD_ORDERS, 1)
            return
        bids = self.book.set_top(<uint32_t>instrument, BID, bid, bid_size)
        asks = self.book.set_top(<uint32_t>instrument, ASK, ask, ask_size)
        if bids == BOOK_TOP or asks == BOOK_TOP:
            self.rows.touch(<uint32_t>instrument, DIRTY_BOOK, time)
        if bids == BOOK_FAILED or asks == BOOK_FAILED:
            count(self.counters, FEED_MEMORY_FAILURES, 1)

    cdef void clear_instrument(self, int32_t instrument, int64_t time) noexcept nogil:
        """Forget the orders and levels of one instrument; new ones follow."""
        check(0 <= instrument < <int32_t>self.publisher.table.used)
        self.book.clear_instrument(<uint32_t>instrument)
        self.rows.touch(<uint32_t>instrument, DIRTY_BOOK, time)

    cdef void prefetch_order(self, uint64_t reference) noexcept nogil:
        prefetch_order(self.book, reference)

    cdef void prefetch_instrument(self, uint64_t key) noexcept nogil:
        self.quotes.prefetch(row_of(self.rows.directory, key))

    cdef void prefetch_trade(self, uint64_t key) noexcept nogil:
        cdef int32_t row = row_of(self.rows.directory, key)
        self.quotes.prefetch(row)
        if row >= 0:
            self.sales.prefetch(<uint32_t>row)

    # All instruments, and publishing

    cdef void clear_books(self) noexcept nogil:
        """Forget all orders: a new session, or too many messages were lost."""
        cdef uint32_t row
        self.book.clear()
        for row in range(self.publisher.table.used):
            mark_dirty(self.publisher, row, DIRTY_BOOK)

    cdef void flush(self, int64_t publish_time) noexcept nogil:
        self.sales.flush(publish_time)

    cdef void _look(self, int64_t now_ns) noexcept nogil:
        cdef int64_t midnight = self.rows.midnight
        with gil:
            self.rows.next_look = self.rows.watch.look(now_ns)
            self.rows.day_end = self.rows.watch.end
        if self.rows.midnight != midnight:
            self.flush(now_ns)

    # What Python sees: taking over, and looking in.

    def follow(self, watch: object, *, by_receive_time: bool) -> None:
        """Let `watch`, a DayWatch (day.py), begin the days: at a trade of a later one, and
        if receive times are those of the market by them too."""
        self.rows.watch = watch
        self.rows.day_end = watch.end
        if by_receive_time:
            self.rows.next_look = 0

    def follow_tape(self, hours: object, *, unmarked: bool, round_lots: bool) -> None:
        """Let `hours` say when the regular session of the day is that begins at a midnight: ns
        elapsed since then, or None. `unmarked`: the feed marks neither extended hours nor odd lots,
        so the hours say which trades are such, and, in a market that has them, `round_lots`."""
        self.sales.filter.hours = hours
        self.sales.filter.find_hours(self.rows.midnight)
        self.sales.eligibility.follow_tape(unmarked)
        if not round_lots:
            self.sales.eligibility.share = 0

    def pass_time(self, now_ns: int) -> None:
        """`look`, from Python; a clock that was set back is noticed too."""
        if self.sales.filter.hours is not None and self.sales.filter.regular_until == INT64_MAX:
            self.sales.filter.find_hours(self.rows.midnight)
        if self.rows.watch is not None and now_ns < self.rows.midnight - EARLY:
            # The clock was wrong when it said that this day had come.
            self.rows.watch.go_back(now_ns)
            self.begin_at(self.rows.watch.start)
            self.rows.first_midnight = INT64_MIN
            self.rows.next_look = now_ns
        self.look(now_ns)
        if self.quotes.interests.changed():
            self.flush(now_ns)  # nothing else may come for long

    def adopt_rows(self, *, rebuild: bool) -> int:
        """Go on with the rows that a predecessor left; how many there are.

        With `rebuild` the state is computed again from the session's start, which the caller
        now replays with publishing off; without, it is what the rows say, except the quotes
        (their orders are unknown). Either way rows are stale until their first live tick, and
        the first flush has a correction for each: the predecessor may have died between a row
        and its record, and no comparison of rows would tell.
        """
        rows = self.takeover.adopt(rebuild, self.rows.midnight)
        if not rebuild:
            self.sales.adopt()
        return rows

    def set_publishing(self, publishing: bool, *, whole=True, another=False) -> None:
        """Off: messages are taken in and nothing is shown. On again: the next flush publishes
        every row, with records for what differs from what readers saw. Not `whole`: a rebuild
        lost messages, so its totals may lack some; `another`: readers saw an earlier session."""
        if publishing and not self.publisher.publishing:
            self.takeover.resume(whole, another)
        self.publisher.publishing = publishing
        self.sales.filter.live = publishing

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
        row = self.rows.directory.row_of_symbol(raw, len(raw))
        if row < 0:
            raise KeyError(symbol)
        return self.book.depth(row, side)

    def rejects(self) -> list[RejectView]:
        """The last rejected trades of each rule, oldest first."""
        reader = RejectReader(self.rows.mapping)
        return [reject for rule in RULES for reject in reader.last(rule)]

"""FIX 4.2 and 4.4 market data: 35=W (full refresh) and 35=X (incremental refresh).

A message is the body of a frame, from `35=` up to and including the SOH before `10=`. Of a
NoMDEntries (268) group each entry begins with 269 (W) or 279 (X); a message whose group is not so
is refused whole (fix/group.pyx).

    W   the book of its symbol is replaced; a trade in it is the last one, not a new one
    X   each entry is new (279=0), changed (1) or deleted (2)

Which row an instrument has: fix/instruments.pyx. How its book comes: fix/books.pyx.

What venues do, and the standard does not say: the symbol is only in the first entry of a run, or
before the group (Kraken); 272 without 273 is a value date (FX), not a time; 273 alone is of the
day of SendingTime, or of the day before if that makes it lie in the future.
Source: FIX 4.4 volume 3 ("Market Data"), volume 6; spec notes of venues named above.
"""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free

from ticker.feeds.fix.books cimport BY_ORDER, Books
from ticker.feeds.fix.entries cimport (
    BAD,
    CLOSING,
    DAY_BEFORE,
    DELETE,
    EMPTY_BOOK,
    FINE,
    HAS_PRICE,
    HIGHEST,
    INDEX_VALUE,
    LOWEST,
    NEW,
    NO_FIGURE,
    NO_KIND,
    OFFER_ASK,
    OFFER_BID,
    OPENING,
    SAYS_ANY,
    SETTLEMENT,
    THIS_DAY,
    TRADE,
    Entry,
    entry_time,
    name_of,
)
from ticker.feeds.fix.fields cimport Cursor, Field, next_field, walk
from ticker.feeds.fix.group cimport INCREMENTAL, NO_REASON, SNAPSHOT, EntryGroup
from ticker.feeds.fix.instruments cimport Instruments
from ticker.feeds.market.market cimport (
    TRADE_EXTENDED,
    TRADE_OFFICIAL_CLOSE,
    TRADE_OFFICIAL_OPEN,
    TRADE_SETS_LAST,
    TRADE_SETS_OPEN,
    TRADE_SETS_RANGE,
    TRADE_TOLD,
    Market,
)
from ticker.feeds.protocol cimport Protocol
from ticker.shm.counters cimport (
    FEED_BAD_RECORDS,
    FEED_FINE_PRICES,
    FEED_REFUSED_MESSAGES,
    FEED_UNKNOWN_SYMBOLS,
    FEED_UNKNOWN_TYPES,
    count,
)
from ticker.shm.layout cimport (
    ROW_HAS_LAST,
    ROW_HAS_OFFICIAL_CLOSE,
    ROW_HAS_OFFICIAL_OPEN,
    Values,
)

from ticker.errors import FeedError

cdef enum:
    MOST_DECIMALS = 18
    INDEX_FLAGS = TRADE_SETS_LAST | TRADE_SETS_OPEN | TRADE_SETS_RANGE | TRADE_TOLD

# The midnight of a date and that of the same day in a zone are no further apart, 10 h.
cdef int64_t ZONES = 36_000_000_000_000


@cython.final
cdef class FixMarketData(Protocol):
    """Decodes W and X for a market, whose `size_exponent` says how fine sizes may be.

    Args:
        depth: what the venue was asked for (264): 1 the top of the book, n levels; 0: all of
            them, or it is not known.
        price_decimals: that prices are rounded to; None: finer ones than 1e-9 are refused.
    """

    session = "fix"

    cdef readonly EntryGroup group   # the newest message, and why it was refused
    cdef Instruments instruments
    cdef Books books
    cdef uint64_t[256] seen
    cdef uint64_t snapshots          # messages that replace books, so far
    cdef uint64_t* replaced          # of each instrument: the newest of those
    cdef int64_t received

    def __init__(
        self, Market market not None, *, midnight_ns: int = 0, int depth = 0,
        price_decimals: int | None = None,
    ) -> None:
        super().__init__(market, midnight_ns=midnight_ns)
        if market.rows.size_exponent > MOST_DECIMALS:
            raise FeedError(
                f"size exponent {market.rows.size_exponent}: FIX has at most 18 decimals"
            )
        if price_decimals is not None and not 0 <= price_decimals <= 9:
            raise FeedError(f"price decimals {price_decimals}: 0 to 9")
        self.group = EntryGroup(
            <int>market.rows.size_exponent, -1 if price_decimals is None else price_decimals
        )
        self.instruments = Instruments(market.rows)
        self.books = Books(market, depth)
        self.replaced = <uint64_t*>calloc(market.rows.mapping.row_capacity, sizeof(uint64_t))
        if self.replaced == NULL:
            raise MemoryError("no memory for the FIX decoder")

    def __dealloc__(self) -> None:
        free(self.replaced)

    @property
    def message_counts(self) -> dict[str, int]:
        """Messages decoded, by MsgType."""
        return {chr(kind): self.seen[kind] for kind in range(256) if self.seen[kind]}

    cdef void message(self, const uint8_t* data, size_t length, int64_t receive_time) noexcept nogil:
        cdef Cursor cursor
        cdef Field field
        self.group.reason = NO_REASON
        walk(&cursor, data, length)
        if not next_field(&cursor, &field) or field.tag != 35 or field.length != 1 or (
            field.value[0] != SNAPSHOT and field.value[0] != INCREMENTAL
        ):
            self.group.header_end = NULL
            count(self.market.counters, FEED_UNKNOWN_TYPES, 1)
            return
        self.seen[field.value[0]] += 1
        self.received = receive_time
        self.market.rows.received = receive_time
        if not self.group.read(&cursor, field.value[0], receive_time):
            # What it would have changed is not known.
            self.group.doubtful = True
            count(self.market.counters, FEED_REFUSED_MESSAGES, 1)
            count(self.market.counters, FEED_BAD_RECORDS, 1)
            return
        self._name_entries()
        if field.value[0] == SNAPSHOT:
            self._replace_books()
        self._take_entries()

    cdef void restart(self) noexcept nogil:
        self.books.forget()
        self.market.start_session(self.midnight_ns)

    # Whose entries they are

    cdef void _name_entries(self) noexcept nogil:
        """The row of each entry: its own, or in W the message's, in X that of the one before."""
        cdef Entry* head = &self.group.head
        cdef Entry* entry
        cdef int32_t row = self._row_of(head, 0) if head.parts & SAYS_ANY else -1
        cdef size_t i
        if self.group.kind == SNAPSHOT and not head.parts & SAYS_ANY:
            # Fields of a message may be in any order, also behind its group.
            for i in range(self.group.used):
                if self.group.entries[i].parts & SAYS_ANY:
                    row = self._row_of(&self.group.entries[i], i + 1)
                    break
        head.instrument = row
        for i in range(self.group.used):
            entry = &self.group.entries[i]
            if entry.parts & SAYS_ANY:
                row = self._row_of(entry, i + 1)
            entry.instrument = row
            if self.group.kind == SNAPSHOT:
                row = head.instrument

    cdef int32_t _row_of(self, const Entry* entry, size_t following) noexcept nogil:
        """The row that an entry names; `following`: the number of the entry after it."""
        return self.instruments.row_of(entry, self._end_of(following))

    cdef const uint8_t* _end_of(self, size_t following) noexcept nogil:
        if following < self.group.used:
            return self.group.entries[following].begin
        return self.group.end

    cdef void _replace_books(self) noexcept nogil:
        """The book of each instrument that a snapshot is of: empty, then its entries."""
        cdef int32_t row = self.group.head.instrument
        cdef size_t i
        self.snapshots += 1
        if row >= 0:
            self._replace_book(row)
        for i in range(self.group.used):
            if self.group.entries[i].instrument >= 0:
                self._replace_book(self.group.entries[i].instrument)

    cdef void _replace_book(self, int32_t row) noexcept nogil:
        if self.replaced[row] != self.snapshots:
            self.replaced[row] = self.snapshots
            self.books.clear(row, self.group.sent)

    # What they say

    cdef void _take_entries(self) noexcept nogil:
        cdef Entry* entry
        cdef size_t i
        for i in range(self.group.used):
            entry = &self.group.entries[i]
            if entry.parts & BAD:
                count(self.market.counters, FEED_BAD_RECORDS, 1)
                count(self.market.counters, FEED_FINE_PRICES, entry.parts & FINE != 0)
            elif entry.instrument < 0:
                count(self.market.counters, FEED_UNKNOWN_SYMBOLS, 1)
                if entry.kind == TRADE and (self.group.kind == SNAPSHOT or entry.action == NEW):
                    self._refuse(entry, i + 1)
            else:
                self._take(entry)

    cdef void _take(self, Entry* entry) noexcept nogil:
        cdef int32_t row = entry.instrument
        if entry.kind == TRADE:
            self._trade(entry)
        elif entry.kind == OFFER_BID or entry.kind == OFFER_ASK or entry.kind == NO_KIND:
            if not self.books.take(entry, row, self.group.kind == SNAPSHOT, self.group.sent):
                self.group.doubtful = True
        elif entry.kind == EMPTY_BOOK:
            self.books.clear(row, self.group.sent)
            self.books.styles[row] = BY_ORDER
        elif entry.parts & HAS_PRICE and entry.action != DELETE:
            self._figure(entry)

    cdef void _figure(self, Entry* entry) noexcept nogil:
        """A figure of the day that the venue says itself. A closing price that says no day is that
        of the day before, as venues send it from the morning on; a settlement is of this day."""
        cdef int32_t row = entry.instrument
        cdef int64_t time = entry_time(entry, self.group.sent)
        cdef bint earlier = self._is_of_earlier_day(entry)
        cdef bint dated = entry.midnight or entry.parts & THIS_DAY
        if entry.parts & NO_FIGURE:
            return
        if entry.kind == CLOSING or entry.kind == SETTLEMENT:
            if earlier or (entry.kind == CLOSING and not dated):
                self.market.rows.set_previous_close(row, entry.price)
            else:
                self._official(entry, TRADE_OFFICIAL_CLOSE, time)
        elif earlier:
            return
        elif entry.kind == OPENING:
            self._official(entry, TRADE_OFFICIAL_OPEN, time)
        elif entry.kind == INDEX_VALUE:
            self._index(entry, time)
        elif entry.kind == HIGHEST:
            self.market.rows.set_high(row, entry.price, time)
        elif entry.kind == LOWEST:
            self.market.rows.set_low(row, entry.price, time)

    cdef void _official(self, const Entry* entry, uint32_t which, int64_t time) noexcept nogil:
        """Told again with each refresh: a change of it counts."""
        cdef const Values* values = &self.market.publisher.entries[entry.instrument].values
        cdef bint opens = which == TRADE_OFFICIAL_OPEN
        if (entry.price != (values.official_open if opens else values.official_close)
                or not values.flags & (ROW_HAS_OFFICIAL_OPEN if opens else ROW_HAS_OFFICIAL_CLOSE)):
            self.market.sales.official(
                entry.instrument, entry.price, which, time, self.received
            )

    cdef bint _is_of_earlier_day(self, const Entry* entry) noexcept nogil:
        """By its mark (286), or by its date (272), which is that of no zone."""
        return entry.parts & DAY_BEFORE or (
            entry.midnight and self.market.rows.midnight - entry.midnight > ZONES
        )

    cdef void _index(self, const Entry* entry, int64_t time) noexcept nogil:
        """The value of an index: a last price with its open and range, of no trade."""
        cdef const Values* values = &self.market.publisher.entries[entry.instrument].values
        if (entry.price != values.price or time != values.exchange_time
                or not values.flags & ROW_HAS_LAST):
            self.market.sales.trade(
                entry.instrument, entry.price, 0, 0, INDEX_FLAGS, time, self.received
            )

    cdef void _trade(self, Entry* entry) noexcept nogil:
        cdef int32_t row = entry.instrument
        cdef Values* values = &self.market.publisher.entries[row].values
        cdef int64_t time = entry_time(entry, self.group.sent)
        cdef uint64_t match = name_of(&entry.id, row) if entry.id.length else 0
        if self.group.kind == SNAPSHOT:
            # The last trade, told again with each refresh: a change of it counts, and no more.
            if entry.price != values.price or entry.size != values.size or (
                entry.time_of_day >= 0 and time != values.exchange_time
            ):
                self.market.sales.trade(
                    row, entry.price, entry.size, 0,
                    (entry.flags & (TRADE_SETS_LAST | TRADE_EXTENDED)) | TRADE_TOLD, time,
                    self.received,
                )
        elif entry.action == NEW:
            self.market.sales.trade(
                row, entry.price, entry.size, match, entry.flags, time, self.received
            )
        elif entry.action == DELETE:
            self.market.sales.break_trade(row, self._old_match(entry, match), time)
        else:
            self.market.sales.correct_trade(
                row, self._old_match(entry, match), entry.price, entry.size, time
            )

    cdef uint64_t _old_match(self, Entry* entry, uint64_t match) noexcept nogil:
        if entry.reference.length:
            return name_of(&entry.reference, entry.instrument)
        return match

    cdef void _refuse(self, Entry* entry, size_t following) noexcept nogil:
        """A trade of what is no instrument, of none, or of one that has no room."""
        cdef Field symbol
        cdef size_t i = following
        symbol.length = 0
        symbol.value = entry.begin
        while i and not self._find_symbol(&self.group.entries[i - 1], i, &symbol):
            i = 0 if self.group.kind == SNAPSHOT else i - 1
        if not symbol.length:
            self._find_symbol(&self.group.head, 0, &symbol)
        self.market.sales.refuse_unknown(
            <const char*>symbol.value, symbol.length, entry.price, entry.size,
            name_of(&entry.id, 0) if entry.id.length else 0, entry_time(entry, self.group.sent),
            self.received,
        )

    cdef bint _find_symbol(
        self, const Entry* entry, size_t following, Field* symbol
    ) noexcept nogil:
        """Whether the fields of an entry name an instrument; its symbol, or its security id."""
        cdef Cursor cursor
        cdef Field field
        walk(&cursor, entry.begin, <size_t>(self._end_of(following) - entry.begin))
        while next_field(&cursor, &field):
            if field.tag == 55 or (field.tag == 48 and not symbol.length):
                symbol[0] = field
        return symbol.length != 0

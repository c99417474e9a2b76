"""FIX 4.2 and 4.4 market data: 35=W (full refresh) and 35=X (incremental refresh).

A message is the body of a frame, from `35=` up to and including the SOH before `10=`. Of a
NoMDEntries (268) group each entry begins with 269 (W) or 279 (X); fields of it that say nothing
about price, size, identity or time are passed over, private ones too.

    W   the book of its symbol is replaced; a trade in it is the last one, not a new one
    X   each entry is new (279=0), changed (1) or deleted (2)

An entry with an id (278) is an order of that id, so that a change or delete needs no more than
the id; without one it is the aggregate of a price level. An instrument whose last W had no ids
has levels, whatever its X say. `top_of_book` is for venues that were asked for depth 1 (264=1):
there a bid or offer replaces the one before it.

What venues do, and the standard does not say: the symbol is only in the first entry of a run, or
before the group (Kraken); 272 without 273 is a value date (FX), not a time; 273 alone is of the
day of SendingTime, or of the day before if that makes it lie in the future.
Source: FIX 4.4 volume 3 ("Market Data"), volume 6; spec notes of venues named above.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from ticker.feeds.market.book cimport Order, side_of
from ticker.feeds.fix.entries cimport (
    BAD,
    CLOSING,
    DELETE,
    EMPTY_BOOK,
    HAS_PRICE,
    HAS_SIZE,
    NEW,
    NO_KIND,
    OFFER_ASK,
    OFFER_BID,
    TRADE,
    Day,
    Entry,
    entry_time,
    name_of,
    open_entry,
    read_day,
    take_field,
)
from ticker.feeds.fix.fields cimport (
    Cursor,
    Field,
    next_field,
    read_decimal,
    read_time_of_day,
    read_timestamp,
    walk,
)
from ticker.feeds.market.market cimport (
    ASK,
    BID,
    TRADE_EXTENDED,
    TRADE_SETS_LAST,
    TRADE_TOLD,
    Market,
    Side,
)
from ticker.feeds.protocol cimport Protocol
from ticker.shm.counters cimport (
    FEED_BAD_RECORDS,
    FEED_BAD_ORDERS,
    FEED_UNKNOWN_ORDERS,
    FEED_UNKNOWN_SYMBOLS,
    FEED_UNKNOWN_TYPES,
    count,
)
from ticker.shm.layout cimport Values

from ticker.errors import FeedError

cdef enum:
    MOST_DECIMALS = 18
    LONGEST_SYMBOL = 24

cdef enum:
    SNAPSHOT = 0x57                  # W
    INCREMENTAL = 0x58               # X

# How an instrument's book comes.
cdef enum Style:
    BY_ORDER = 0
    BY_LEVEL = 1

cdef struct Quote:
    int64_t bid
    uint64_t bid_size
    int64_t ask
    uint64_t ask_size

# A message, as far as it has been read.
cdef struct Reading:
    uint8_t kind
    int64_t sent                     # 52, or 122 of a message that was sent again
    bint again
    int32_t instrument               # of this entry; what the one before it had, if it says none
    Field symbol                     # 55 that it was read from
    uint64_t entries
    uint64_t announced               # 268
    int64_t received


cdef class FixMarketData(Protocol):
    """Decodes W and X for a market, whose `size_exponent` says how fine sizes may be.

    Args:
        top_of_book: the venue was asked for depth 1.
    """

    session = "fix"

    cdef readonly bint top_of_book
    cdef uint64_t[256] seen
    cdef uint8_t* styles             # Style of each instrument
    cdef Quote* quotes               # with top_of_book
    cdef uint32_t rows
    cdef int size_decimals
    cdef Day day

    def __init__(
        self, Market market not None, *, midnight_ns: int = 0, bint top_of_book = False
    ) -> None:
        super().__init__(market, midnight_ns=midnight_ns)
        self.top_of_book = top_of_book
        if market.rows.size_exponent > MOST_DECIMALS:
            raise FeedError(
                f"size exponent {market.rows.size_exponent}: FIX has at most 18 decimals"
            )
        self.size_decimals = <int>market.rows.size_exponent
        self.rows = market.rows.mapping.row_capacity
        self.styles = <uint8_t*>calloc(self.rows, 1)
        self.quotes = <Quote*>calloc(self.rows, sizeof(Quote))
        if self.styles == NULL or self.quotes == NULL:
            raise MemoryError("no memory for the FIX decoder")

    def __dealloc__(self) -> None:
        free(self.styles)
        free(self.quotes)

    @property
    def message_counts(self) -> dict[str, int]:
        """Messages decoded, by MsgType."""
        return {chr(kind): self.seen[kind] for kind in range(256) if self.seen[kind]}

    cdef void message(self, const uint8_t* data, size_t length, int64_t receive_time) noexcept nogil:
        cdef Cursor cursor
        cdef Field field
        cdef Reading reading
        walk(&cursor, data, length)
        if not next_field(&cursor, &field) or field.tag != 35 or field.length != 1 or (
            field.value[0] != SNAPSHOT and field.value[0] != INCREMENTAL
        ):
            count(self.market.counters, FEED_UNKNOWN_TYPES, 1)
            return
        memset(&reading, 0, sizeof(reading))
        reading.kind = field.value[0]
        reading.instrument = -1
        reading.received = receive_time
        self.seen[reading.kind] += 1
        self.market.rows.received = receive_time
        self._read(&cursor, &reading)
        if cursor.malformed or reading.entries != reading.announced:
            count(self.market.counters, FEED_BAD_RECORDS, 1)

    cdef void restart(self) noexcept nogil:
        memset(self.quotes, 0, self.rows * sizeof(Quote))
        memset(self.styles, 0, self.rows)
        self.market.start_session(self.midnight_ns)

    cdef void _read(self, Cursor* cursor, Reading* reading) noexcept nogil:
        """The fields before the group, then the entries."""
        cdef Field field
        cdef Entry entry
        cdef uint32_t first = 269 if reading.kind == SNAPSHOT else 279
        cdef int64_t number
        entry.open = False
        while next_field(cursor, &field):
            if field.tag == first:
                self._close(&entry, reading)
                open_entry(&entry)
                reading.entries += 1
            if field.tag == 55:
                reading.instrument = self._instrument(&field)
                reading.symbol = field
            elif entry.open:
                take_field(&entry, &field, self.size_decimals, &self.day)
            elif field.tag == 122 or (field.tag == 52 and not reading.again):
                # What is sent again has happened when it was sent first.
                reading.again = field.tag == 122
                self._read_sent(&field, reading)
            elif field.tag == 268:
                if read_decimal(field.value, field.length, 0, &number) and number >= 0:
                    reading.announced = <uint64_t>number
                if reading.kind == SNAPSHOT and reading.instrument >= 0:
                    self._clear(reading.instrument, reading.sent)
        self._close(&entry, reading)

    cdef void _read_sent(self, const Field* field, Reading* reading) noexcept nogil:
        cdef int64_t time
        if field.length >= 17 and field.value[8] == c"-" and read_day(
            &self.day, field.value, &reading.sent
        ) and read_time_of_day(field.value + 9, field.length - 9, &time):
            reading.sent += time
        else:
            reading.sent = reading.received

    cdef int32_t _instrument(self, const Field* symbol) noexcept nogil:
        """The row of a symbol: printable, without blanks. -1: it cannot be one, or no room."""
        cdef int64_t row
        cdef size_t i
        if 0 < symbol.length <= LONGEST_SYMBOL:
            row = self.market.rows.directory.row_of_symbol(<const char*>symbol.value, symbol.length)
            if row < 0 and self.market.rows.renames:
                row = self.market.rows.find(name_of(symbol, 0) | (<uint64_t>1 << 63))
            if row >= 0:
                return <int32_t>row
            for i in range(symbol.length):
                if not 0x21 <= symbol.value[i] <= 0x7E:
                    break
            else:
                return self.market.rows.define(
                    name_of(symbol, 0) | (<uint64_t>1 << 63), <const char*>symbol.value,
                    symbol.length,
                )
        count(self.market.counters, FEED_BAD_RECORDS, 1)
        return -1

    cdef void _clear(self, int32_t instrument, int64_t time) noexcept nogil:
        self.market.clear_instrument(instrument, time)
        memset(&self.quotes[instrument], 0, sizeof(Quote))
        self.styles[instrument] = BY_LEVEL

    cdef void _close(self, Entry* entry, Reading* reading) noexcept nogil:
        """An entry is complete: into the market with it."""
        if not entry.open:
            return
        entry.open = False
        if entry.parts & BAD:
            count(self.market.counters, FEED_BAD_RECORDS, 1)
        elif reading.instrument < 0:
            count(self.market.counters, FEED_UNKNOWN_SYMBOLS, 1)
            if entry.kind == TRADE and (reading.kind == SNAPSHOT or entry.action == NEW):
                self._refuse(entry, reading)
        elif entry.kind == TRADE:
            self._trade(entry, reading)
        elif entry.kind == OFFER_BID or entry.kind == OFFER_ASK or entry.kind == NO_KIND:
            self._quote(entry, reading)
        elif entry.kind == CLOSING and entry.parts & HAS_PRICE and entry.action != DELETE:
            self.market.rows.set_previous_close(reading.instrument, entry.price)
        elif entry.kind == EMPTY_BOOK:
            self._clear(reading.instrument, reading.sent)
            self.styles[reading.instrument] = BY_ORDER

    # Trades

    cdef void _trade(self, Entry* entry, Reading* reading) noexcept nogil:
        cdef Values* values = &self.market.publisher.entries[reading.instrument].values
        cdef int64_t time = entry_time(entry, reading.sent)
        cdef uint64_t match = name_of(&entry.id, reading.instrument) if entry.id.length else 0
        if reading.kind == SNAPSHOT:
            # The last trade, told again with each refresh: a change of it counts, and no more.
            if entry.price != values.price or entry.size != values.size or (
                entry.time_of_day >= 0 and time != values.exchange_time
            ):
                self.market.sales.trade(
                    reading.instrument, entry.price, entry.size, 0,
                    (entry.flags & (TRADE_SETS_LAST | TRADE_EXTENDED)) | TRADE_TOLD, time,
                    reading.received,
                )
        elif entry.action == NEW:
            self.market.sales.trade(
                reading.instrument, entry.price, entry.size, match, entry.flags, time,
                reading.received,
            )
        elif entry.action == DELETE:
            self.market.sales.break_trade(
                reading.instrument, self._old_match(entry, match, reading), time
            )
        else:
            self.market.sales.correct_trade(
                reading.instrument, self._old_match(entry, match, reading), entry.price,
                entry.size, time,
            )

    cdef void _refuse(self, Entry* entry, Reading* reading) noexcept nogil:
        """A trade of what is no symbol, of none, or of one that has no room."""
        self.market.sales.refuse_unknown(
            <const char*>reading.symbol.value, reading.symbol.length, entry.price, entry.size,
            name_of(&entry.id, 0) if entry.id.length else 0, entry_time(entry, reading.sent),
            reading.received,
        )

    cdef uint64_t _old_match(self, Entry* entry, uint64_t match, Reading* reading) noexcept nogil:
        if entry.reference.length:
            return name_of(&entry.reference, reading.instrument)
        return match

    # Bids and offers

    cdef void _quote(self, Entry* entry, Reading* reading) noexcept nogil:
        cdef int32_t instrument = reading.instrument
        if self.top_of_book:
            self._best(entry, instrument, reading.sent)
        elif reading.kind == SNAPSHOT:
            if entry.id.length and self.styles[instrument] == BY_LEVEL:
                # Ids in a snapshot: the book is one of orders from here on.
                self.styles[instrument] = BY_ORDER
            if self.styles[instrument] == BY_ORDER and entry.id.length:
                self._order(entry, instrument, reading.sent)
            else:
                self._level(entry, instrument, reading.sent)
        elif entry.id.length and self.styles[instrument] == BY_ORDER:
            self._order(entry, instrument, reading.sent)
        elif entry.reference.length and self.styles[instrument] == BY_ORDER:
            self._order(entry, instrument, reading.sent)
        else:
            self._level(entry, instrument, reading.sent)

    cdef void _best(self, Entry* entry, int32_t instrument, int64_t time) noexcept nogil:
        cdef Quote* quote = &self.quotes[instrument]
        cdef bint gone = entry.action == DELETE or not entry.size
        if entry.kind == NO_KIND or (not gone and not entry.parts & HAS_PRICE):
            count(self.market.counters, FEED_BAD_ORDERS, 1)
            return
        if entry.kind == OFFER_BID:
            # A late delete of a bid that was replaced since must not take the new one.
            if gone and entry.parts & HAS_PRICE and entry.price != quote.bid:
                return
            quote.bid = 0 if gone else entry.price
            quote.bid_size = 0 if gone else entry.size
        else:
            if gone and entry.parts & HAS_PRICE and entry.price != quote.ask:
                return
            quote.ask = 0 if gone else entry.price
            quote.ask_size = 0 if gone else entry.size
        self.market.set_quote(
            instrument, quote.bid, quote.bid_size, quote.ask, quote.ask_size, time
        )

    cdef void _level(self, Entry* entry, int32_t instrument, int64_t time) noexcept nogil:
        if not entry.parts & HAS_PRICE or entry.kind == NO_KIND:
            count(self.market.counters, FEED_UNKNOWN_ORDERS, 1)
            return
        self.market.set_level(
            instrument, ASK if entry.kind == OFFER_ASK else BID, entry.price,
            0 if entry.action == DELETE else entry.size, time,
        )

    cdef void _order(self, Entry* entry, int32_t instrument, int64_t time) noexcept nogil:
        """By id. A new entry of a known id replaces it; a change needs to say only what changed."""
        cdef uint64_t name = name_of(&entry.id, instrument) if entry.id.length else 0
        cdef uint64_t old = name
        cdef Order* order
        cdef Side side = ASK if entry.kind == OFFER_ASK else BID
        if entry.reference.length:
            old = name_of(&entry.reference, instrument)
            name = name if name else old
        if entry.action == DELETE:
            self.market.delete_order(name if self.market.book.find(name) != NULL else old, time)
            return
        if entry.parts & HAS_PRICE and entry.price <= 0:
            count(self.market.counters, FEED_BAD_ORDERS, 1)
            return
        order = self.market.book.find(old)
        if order != NULL:
            side = <Side>side_of(order) if entry.kind == NO_KIND else side
            if not entry.parts & HAS_PRICE:
                entry.price = order.price
            if not entry.parts & HAS_SIZE:
                entry.size = order.size
            if old == name and side == <Side>side_of(order):
                self.market.modify_order(name, entry.size, entry.price, time)
                return
            self.market.delete_order(old, time)
        elif entry.kind == NO_KIND or not entry.parts & HAS_PRICE:
            count(self.market.counters, FEED_UNKNOWN_ORDERS, 1)
            return
        self.market.add_order(instrument, name, side, entry.size, entry.price, time)

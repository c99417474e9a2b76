"""Cboe US Equities Multicast PITCH 2.x: every message of the specification 2.41.

Integers are little-endian. A short price is a u16 in cents, a long one a u64 in 1e-4 dollars
(sub-penny prices are real). A time is ns after the last Time message of the same unit, which
says seconds since midnight US/Eastern.

    all messages:   length 1 | type 1 | time offset 4 | ...      (Time: seconds instead)

The length counts itself. It may grow from version to version: a message longer than its type is
accepted and its tail ignored, a shorter one is counted and skipped, as are unknown types.

What counts as a sale: executions of displayed orders and Trade messages, auctions included; an
Auction Summary repeats what its auction's Trade messages say, and says the official price alone. A routed
execution was made, and is printed, by another venue: here it counts for nothing (`raw` counts
it). Retail interest, auction updates and symbol mappings move no price.
"""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from ticker.endian cimport le16, le32, le64
from ticker.feeds.market.market cimport (
    ASK,
    BID,
    TRADE_CROSS,
    TRADE_OFFICIAL_CLOSE,
    TRADE_OFFICIAL_OPEN,
    TRADE_PRINTED,
    TRADE_REGULAR,
    Market,
)
from ticker.feeds.protocol cimport Protocol, time_of_day
from ticker.feeds.market.symbols cimport symbol_length
from ticker.shm.counters cimport (
    FEED_BAD_ORDERS,
    FEED_SHORT_MESSAGES,
    FEED_UNKNOWN_SYMBOLS,
    FEED_UNKNOWN_TYPES,
    count,
)
from ticker.shm.layout cimport (
    STATUS_CLOSED,
    STATUS_HALTED,
    STATUS_QUOTE_ONLY,
    STATUS_TRADING,
    STATUS_UNKNOWN,
)

from ticker.errors import FeedError

cdef enum:
    CENT = 10000000              # 1e-9 units in one of a short price
    TEN_THOUSANDTH = 100000      # ... of a long price
    UNITS = 256
    DAY = 90000                  # seconds of a day of 25 hours; no Time message says as many

cdef enum:
    TIME = 0x20
    ADD_LONG = 0x21
    ADD_SHORT = 0x22
    EXECUTED = 0x23
    EXECUTED_AT = 0x24
    REDUCE_LONG = 0x25
    REDUCE_SHORT = 0x26
    MODIFY_LONG = 0x27
    MODIFY_SHORT = 0x28
    DELETE = 0x29
    TRADE_LONG = 0x2A
    TRADE_SHORT = 0x2B
    TRADE_BREAK = 0x2C
    END_OF_SESSION = 0x2D
    SYMBOL_MAPPING = 0x2E
    ADD_EXPANDED = 0x2F
    TRADE_EXPANDED = 0x30
    TRADING_STATUS = 0x31
    AUCTION_UPDATE = 0x95
    AUCTION_SUMMARY = 0x96
    UNIT_CLEAR = 0x97
    RETAIL_PRICE_IMPROVEMENT = 0x98

cdef int64_t SECOND = 1000000000
# A long price above it is garbage, and must not overflow: 2^63 / 1e5.
cdef uint64_t GREATEST_PRICE = 90000000000000
# The first of nine base-36 digits of an execution id says where it was made.
cdef uint64_t DIGIT_9 = 2821109907456            # 36^8
cdef uint64_t ROUTED = 27                        # R
cdef uint64_t AUCTION = 12                       # C
# Six bytes of symbol as eight: padded with spaces.
cdef uint64_t SIX_BYTES = 0x0000FFFFFFFFFFFF
cdef uint64_t TWO_SPACES = 0x2020000000000000

# Length of each type in bytes, its shortest acceptable one; 0: no such type.
cdef uint8_t[256] LENGTHS
memset(LENGTHS, 0, sizeof(LENGTHS))
LENGTHS[TIME] = 6
LENGTHS[ADD_LONG] = 34
LENGTHS[ADD_SHORT] = 26
LENGTHS[EXECUTED] = 26
LENGTHS[EXECUTED_AT] = 38
LENGTHS[REDUCE_LONG] = 18
LENGTHS[REDUCE_SHORT] = 16
LENGTHS[MODIFY_LONG] = 27
LENGTHS[MODIFY_SHORT] = 19
LENGTHS[DELETE] = 14
LENGTHS[TRADE_LONG] = 41
LENGTHS[TRADE_SHORT] = 33
LENGTHS[TRADE_BREAK] = 14
LENGTHS[END_OF_SESSION] = 6
LENGTHS[SYMBOL_MAPPING] = 38
LENGTHS[ADD_EXPANDED] = 41
LENGTHS[TRADE_EXPANDED] = 43
LENGTHS[TRADING_STATUS] = 18
LENGTHS[AUCTION_UPDATE] = 47
LENGTHS[AUCTION_SUMMARY] = 27
LENGTHS[UNIT_CLEAR] = 6
LENGTHS[RETAIL_PRICE_IMPROVEMENT] = 15

MESSAGE_LENGTHS = {kind: LENGTHS[kind] for kind in range(256) if LENGTHS[kind]}


cdef inline int64_t short_price(const uint8_t* at) noexcept nogil:
    return <int64_t>le16(at) * CENT


cdef inline int64_t long_price(const uint8_t* at) noexcept nogil:
    """In 1e-9 units; -1: none that could be."""
    cdef uint64_t price = le64(at)
    return <int64_t>price * TEN_THOUSANDTH if price <= GREATEST_PRICE else -1


cdef inline uint64_t key_of(const uint8_t* symbol, bint eight) noexcept nogil:
    """A symbol as a number, the same for its six and its eight bytes. The caller knows that
    two more bytes follow the six."""
    cdef uint64_t key = le64(symbol)
    return key if eight else (key & SIX_BYTES) | TWO_SPACES


@cython.final
cdef class Pitch(Protocol):
    """Decodes PITCH for a market; `unit` says which unit's message comes next."""

    session = "cboe_unit"
    times_of_day = True
    marks_trades = False
    has_images = True

    cdef uint64_t[256] seen
    cdef int64_t[UNITS] seconds  # ns since the epoch of the unit's last Time message, 0: none
    cdef uint8_t* units          # of each instrument, 0: unknown
    cdef uint32_t instruments

    def __cinit__(self, Market market not None, **_options: object) -> None:
        self.instruments = market.rows.mapping.row_capacity
        self.units = <uint8_t*>calloc(self.instruments, 1)
        if self.units == NULL:
            raise MemoryError("no memory for the units of instruments")

    def __dealloc__(self) -> None:
        free(self.units)

    def image_state(self) -> bytes | None:
        """The seconds of all units, the counts of messages, and the units of the instruments that
        there are."""
        cdef uint32_t rows = min(self.market.publisher.table.used, self.instruments)
        return (
            (<char*>self.seconds)[:sizeof(self.seconds)] + (<char*>self.seen)[:sizeof(self.seen)]
            + (<char*>self.units)[:rows]
        )

    def restore_image(self, state: bytes) -> None:
        cdef const char* bytes_ = state
        cdef size_t fixed = sizeof(self.seconds) + sizeof(self.seen)
        cdef size_t length = <size_t>len(state)
        if not fixed <= length <= fixed + self.instruments:
            raise FeedError("an image's PITCH states have another length")
        memcpy(self.seconds, bytes_, sizeof(self.seconds))
        memcpy(self.seen, bytes_ + sizeof(self.seconds), sizeof(self.seen))
        memcpy(self.units, bytes_ + fixed, length - fixed)

    @property
    def message_counts(self) -> dict[int, int]:
        """Messages decoded, by type."""
        return {kind: self.seen[kind] for kind in range(256) if self.seen[kind]}

    cdef void message(self, const uint8_t* data, size_t length, int64_t receive_time) noexcept nogil:
        cdef uint8_t kind = data[1] if length >= 2 else 0
        cdef uint64_t reference
        cdef int64_t time
        if length < 2 or length < LENGTHS[kind]:
            count(self.market.counters, FEED_SHORT_MESSAGES, 1)
            return
        if not LENGTHS[kind]:
            count(self.market.counters, FEED_UNKNOWN_TYPES, 1)
            return
        # From here on every field of the type is inside the message.
        self.seen[kind] += 1
        if kind == TIME:
            if le32(data + 2) < DAY:
                self.seconds[self.unit & 255] = time_of_day(
                    self, le32(data + 2) * SECOND, receive_time
                )
            return
        self.market.rows.received = receive_time
        time = self._time(data, receive_time)
        reference = le64(data + 6) if length >= 14 else 0
        if kind == ADD_SHORT:
            self._add(data, reference, le16(data + 15), data + 17, False,
                      short_price(data + 23), time)
        elif kind == DELETE:
            self.market.delete_order(reference, time)
        elif kind == EXECUTED:
            self.market.execute_order(
                reference, le32(data + 14), le64(data + 18), time, receive_time
            )
        elif kind == REDUCE_SHORT:
            self.market.reduce_order(reference, le16(data + 14), time)
        elif kind == MODIFY_SHORT:
            self.market.modify_order(reference, le16(data + 14), short_price(data + 16), time)
        elif kind == ADD_LONG:
            self._add(data, reference, le32(data + 15), data + 19, False,
                      long_price(data + 25), time)
        elif kind == ADD_EXPANDED:
            self._add(data, reference, le32(data + 15), data + 19, True,
                      long_price(data + 27), time)
        elif kind == MODIFY_LONG:
            self._modify(reference, le32(data + 14), long_price(data + 18), time)
        elif kind == REDUCE_LONG:
            self.market.reduce_order(reference, le32(data + 14), time)
        elif kind == EXECUTED_AT:
            self.market.execute_order_remaining(
                reference, le32(data + 14), le32(data + 18), long_price(data + 30),
                le64(data + 22), flags_of(le64(data + 22)), time, receive_time,
            )
        elif kind == TRADE_SHORT:
            self._trade(data + 17, False, short_price(data + 23), le16(data + 15),
                        le64(data + 25), time, receive_time)
        elif kind == TRADE_LONG:
            self._trade(data + 19, False, long_price(data + 25), le32(data + 15),
                        le64(data + 33), time, receive_time)
        elif kind == TRADE_EXPANDED:
            self._trade(data + 19, True, long_price(data + 27), le32(data + 15),
                        le64(data + 35), time, receive_time)
        else:
            self._rare(kind, data, reference, time)

    cdef int64_t _time(self, const uint8_t* data, int64_t receive_time) noexcept nogil:
        """When a message was sent. Before its unit's first Time message the second is that in
        which it was received."""
        cdef int64_t offset = le32(data + 2)
        cdef int64_t second = self.seconds[self.unit & 255]
        if not second:
            second = receive_time - offset
            second -= second % SECOND
        return second + offset

    cdef void rebuild(self, const uint8_t* data, size_t length, int64_t receive_time) noexcept nogil:
        cdef uint8_t kind = data[1] if length >= 2 else 0
        cdef int64_t time
        if not LENGTHS[kind] or length < LENGTHS[kind]:
            return
        if kind == EXECUTED:
            time = self._time(data, receive_time)
            self.market.reduce_order(le64(data + 6), le32(data + 14), time)
        elif kind == EXECUTED_AT:
            time = self._time(data, receive_time)
            self.market.execute_order_remaining(
                le64(data + 6), le32(data + 14), le32(data + 18), 0, 0, 0, time, receive_time
            )
        elif not TRADE_LONG <= kind <= TRADE_BREAK and kind != TRADE_EXPANDED:
            self.message(data, length, receive_time)

    cdef void restart(self) noexcept nogil:
        memset(self.seconds, 0, sizeof(self.seconds))
        self.market.start_session(self.midnight_ns)

    cdef void _rare(
        self, uint8_t kind, const uint8_t* data, uint64_t reference, int64_t time
    ) noexcept nogil:
        if kind == TRADE_BREAK:
            self.market.sales.break_trade(-1, reference, time)
        elif kind == TRADING_STATUS:
            self._trading_status(data, time)
        elif kind == AUCTION_SUMMARY:
            self._auction_summary(data, time)
        elif kind == UNIT_CLEAR or kind == END_OF_SESSION:
            self._whole_unit(kind, time)

    cdef void _auction_summary(self, const uint8_t* data, int64_t time) noexcept nogil:
        """Its price is the official one of the day: its Trade messages are the sale."""
        cdef int64_t price = long_price(data + 15)
        cdef int32_t instrument
        if (data[14] != c"O" and data[14] != c"C") or price <= 0 or not le32(data + 23):
            return
        instrument = self._instrument(data + 6, True)
        if instrument >= 0:
            self.market.sales.official(
                instrument, price, TRADE_OFFICIAL_OPEN if data[14] == c"O" else
                TRADE_OFFICIAL_CLOSE, time, self.market.rows.received,
            )

    cdef void _whole_unit(self, uint8_t kind, int64_t time) noexcept nogil:
        """Every order of the unit is gone, or its session is over."""
        cdef uint32_t row
        for row in range(self.market.publisher.table.used):
            if row < self.instruments and self.units[row] == (self.unit & 255):
                if kind == UNIT_CLEAR:
                    self.market.clear_instrument(<int32_t>row, time)
                else:
                    self.market.rows.set_status(<int32_t>row, STATUS_CLOSED, time)

    cdef void _add(
        self, const uint8_t* data, uint64_t reference, uint64_t size, const uint8_t* symbol,
        bint eight, int64_t price, int64_t time,
    ) noexcept nogil:
        cdef int32_t instrument = self._instrument(symbol, eight)
        if instrument >= 0:
            # A size of 0 is counted as a bad order, and so is a price that cannot be.
            self.market.add_order(
                instrument, reference, ASK if data[14] == c"S" else BID,
                size if price >= 0 else 0, price, time,
            )

    cdef void _modify(
        self, uint64_t reference, uint64_t size, int64_t price, int64_t time
    ) noexcept nogil:
        if price >= 0:
            self.market.modify_order(reference, size, price, time)
        else:
            count(self.market.counters, FEED_BAD_ORDERS, 1)

    cdef void _trade(
        self, const uint8_t* symbol, bint eight, int64_t price, uint64_t size, uint64_t execution,
        int64_t time, int64_t receive_time,
    ) noexcept nogil:
        cdef int32_t instrument = self._instrument(symbol, eight)
        if instrument >= 0:
            self.market.sales.trade(
                instrument, price, size, execution, flags_of(execution), time, receive_time
            )
        else:
            self.market.sales.refuse_unknown(
                <const char*>symbol, 8 if eight else 6, price, size, execution, time, receive_time
            )

    cdef void _trading_status(self, const uint8_t* data, int64_t time) noexcept nogil:
        cdef int32_t instrument = self._instrument(data + 6, True)
        cdef uint8_t state = data[14]
        cdef uint8_t status = STATUS_UNKNOWN
        if state == c"T":
            status = STATUS_TRADING
        elif state == c"H" or state == c"S":
            status = STATUS_HALTED
        elif state == c"Q" or state == c"A":
            # orders are accepted and queued, nothing trades
            status = STATUS_QUOTE_ONLY
        if instrument >= 0:
            self.market.rows.set_status(instrument, status, time)

    cdef int32_t _instrument(self, const uint8_t* symbol, bint eight) noexcept nogil:
        """The instrument of a symbol of six or eight bytes; -1: it is none, or has no room."""
        cdef uint64_t key = key_of(symbol, eight)
        cdef int32_t instrument = self.market.rows.find(key)
        if instrument == -1:
            instrument = self._define(key)
        if instrument < 0:
            count(self.market.counters, FEED_UNKNOWN_SYMBOLS, 1)
            return -1
        self.units[instrument] = self.unit & 255
        return instrument

    cdef int32_t _define(self, uint64_t key) noexcept nogil:
        cdef const uint8_t* symbol = <const uint8_t*>&key
        cdef size_t length = symbol_length(symbol, 8, False)
        return self.market.rows.define(key, <const char*>symbol, length) if length else -1

    cdef void announce(self, const uint8_t* data, size_t length) noexcept nogil:
        cdef uint8_t kind
        if length < 14:
            return
        kind = data[1]
        if kind == ADD_SHORT and length >= 26:
            self.market.prefetch_instrument(key_of(data + 17, False))
        elif kind == ADD_LONG and length >= 34:
            self.market.prefetch_instrument(key_of(data + 19, False))
        elif kind == ADD_EXPANDED and length >= 41:
            self.market.prefetch_instrument(key_of(data + 19, True))
            self.market.prefetch_order(le64(data + 6))
        if ADD_LONG <= kind <= DELETE:
            self.market.prefetch_order(le64(data + 6))


cdef inline uint32_t flags_of(uint64_t execution) noexcept nogil:
    cdef uint64_t made = execution // DIGIT_9
    if made == ROUTED:
        return TRADE_PRINTED
    return TRADE_REGULAR | TRADE_CROSS if made == AUCTION else TRADE_REGULAR

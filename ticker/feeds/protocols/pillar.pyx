"""NYSE Pillar: the XDP Integrated feed, versions 2.3 to 2.5.

Integers are little-endian. A price is a u32 in units of its symbol's own scale, which only the
symbol's Symbol Index Mapping says. A time is ns after the second that the last Source Time
Reference of the symbol's matching engine said; some types say both themselves.

    all messages:   size 2 | type 2 | ...

The size counts itself. A message longer than its type is accepted and its tail ignored, a
shorter one is counted and skipped, as are unknown types. Types that move nothing (imbalances,
refreshed orders, retail interest, stock summaries) are checked for length and counted by type:
a summary repeats what the trades said.

What counts as a sale: executions and non-displayed trades that are printed to the tape, as their
conditions say, and cross trades; the parts of a cross come as trades that are not printed.
"""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdio cimport snprintf
from libc.string cimport memcpy, memset

from ticker.endian cimport le16, le32, le64
from ticker.feeds.market.market cimport ASK, BID, Market
from ticker.feeds.pillar.codes cimport cross_flags, flags_of, session_of
from ticker.feeds.pillar.mappings cimport IndexMappings, Listing
from ticker.feeds.protocol cimport Protocol
from ticker.feeds.market.trades cimport Trade
from ticker.shm.counters cimport (
    FEED_BREAKS_UNMATCHED,
    FEED_SHORT_MESSAGES,
    FEED_UNKNOWN_TYPES,
    count,
)
from ticker.shm.layout cimport (
    STATUS_HALTED,
    STATUS_PAUSED,
    STATUS_TRADING,
)

from ticker.errors import FeedError

cdef enum:
    TYPES = 256
    ENGINES = 256
    CHANNELS = 256

cdef enum:
    SEQUENCE_RESET = 1
    SOURCE_TIME_REFERENCE = 2
    SYMBOL_INDEX_MAPPING = 3
    SYMBOL_CLEAR = 32
    SECURITY_STATUS = 34
    REFRESH_HEADER = 35
    ADD_ORDER = 100
    MODIFY_ORDER = 101
    DELETE_ORDER = 102
    ORDER_EXECUTION = 103
    REPLACE_ORDER = 104
    IMBALANCE = 105
    ADD_ORDER_REFRESH = 106
    NON_DISPLAYED_TRADE = 110
    CROSS_TRADE = 111
    TRADE_CANCEL = 112
    CROSS_CORRECTION = 113
    RETAIL_PRICE_IMPROVEMENT = 114
    STOCK_SUMMARY = 223

cdef int64_t SECOND = 1000000000
# Cross ids and trade ids are numbered apart.
cdef uint64_t CROSS_ID = <uint64_t>1 << 32

# Length of each type in bytes, its shortest acceptable one; 0: no such type.
cdef uint8_t[TYPES] LENGTHS
memset(LENGTHS, 0, sizeof(LENGTHS))
LENGTHS[SEQUENCE_RESET] = 14
LENGTHS[SOURCE_TIME_REFERENCE] = 16
LENGTHS[SYMBOL_INDEX_MAPPING] = 44
LENGTHS[SYMBOL_CLEAR] = 20
LENGTHS[SECURITY_STATUS] = 46
LENGTHS[REFRESH_HEADER] = 8              # 16 in the first packet of a refresh
LENGTHS[ADD_ORDER] = 39
LENGTHS[MODIFY_ORDER] = 35
LENGTHS[DELETE_ORDER] = 25
LENGTHS[ORDER_EXECUTION] = 42
LENGTHS[REPLACE_ORDER] = 42
LENGTHS[IMBALANCE] = 67                  # 73 from Pillar 2.2 on
LENGTHS[ADD_ORDER_REFRESH] = 43
LENGTHS[NON_DISPLAYED_TRADE] = 32        # 33 with its fourth condition
LENGTHS[CROSS_TRADE] = 29
LENGTHS[TRADE_CANCEL] = 20
LENGTHS[CROSS_CORRECTION] = 24
LENGTHS[RETAIL_PRICE_IMPROVEMENT] = 17
LENGTHS[STOCK_SUMMARY] = 36

MESSAGE_LENGTHS = {kind: LENGTHS[kind] for kind in range(TYPES) if LENGTHS[kind]}


@cython.final
cdef class Pillar(Protocol):
    """Decodes the Integrated feed for a market; `unit` is the channel of the next message."""

    session = "xdp"
    marks_trades = False
    has_images = True

    cdef uint64_t[TYPES] seen
    cdef int64_t[ENGINES] engine_seconds     # ns since the epoch of the last reference, 0: none
    cdef int64_t[CHANNELS] channel_seconds
    cdef IndexMappings mappings

    def __init__(self, Market market not None, *, midnight_ns: int = 0) -> None:
        super().__init__(market, midnight_ns=midnight_ns)
        self.mappings = IndexMappings(market)

    def image_state(self) -> bytes | None:
        """The seconds of engines and channels, the counts of messages, and the listings of the
        instruments that there are."""
        cdef uint32_t rows = min(self.market.publisher.table.used, self.mappings.rows)
        return (
            (<char*>self.engine_seconds)[:sizeof(self.engine_seconds)]
            + (<char*>self.channel_seconds)[:sizeof(self.channel_seconds)]
            + (<char*>self.seen)[:sizeof(self.seen)]
            + (<char*>self.mappings.listings)[:rows * sizeof(Listing)]
        )

    def restore_image(self, state: bytes) -> None:
        cdef const char* at = state
        cdef size_t fixed = (
            sizeof(self.engine_seconds) + sizeof(self.channel_seconds) + sizeof(self.seen)
        )
        cdef size_t length = <size_t>len(state)
        if not fixed <= length <= fixed + self.mappings.rows * sizeof(Listing):
            raise FeedError("an image's Pillar states have another length")
        memcpy(self.engine_seconds, at, sizeof(self.engine_seconds))
        at += sizeof(self.engine_seconds)
        memcpy(self.channel_seconds, at, sizeof(self.channel_seconds))
        at += sizeof(self.channel_seconds)
        memcpy(self.seen, at, sizeof(self.seen))
        memcpy(self.mappings.listings, at + sizeof(self.seen), length - fixed)

    @property
    def message_counts(self) -> dict[int, int]:
        """Messages decoded, by type."""
        return {kind: self.seen[kind] for kind in range(TYPES) if self.seen[kind]}

    cdef void message(self, const uint8_t* data, size_t length, int64_t receive_time) noexcept nogil:
        cdef uint16_t kind = le16(data + 2) if length >= 4 else 0
        cdef int32_t row
        if length < 4 or (kind < TYPES and length < LENGTHS[kind]):
            count(self.market.counters, FEED_SHORT_MESSAGES, 1)
            return
        if kind >= TYPES or not LENGTHS[kind]:
            count(self.market.counters, FEED_UNKNOWN_TYPES, 1)
            return
        # From here on every field of the type is inside the message.
        self.seen[kind] += 1
        self.market.rows.received = receive_time
        if kind == ADD_ORDER:
            row = self.mappings.find(le32(data + 8))
            if row >= 0:
                self.market.add_order(
                    row, le64(data + 16), ASK if data[32] == c"S" else BID, le32(data + 28),
                    self._price(row, data + 24), self._time(row, data, receive_time),
                )
        elif kind == DELETE_ORDER:
            row = self.mappings.find(le32(data + 8))
            if row >= 0:
                self.market.delete_order(le64(data + 16), self._time(row, data, receive_time))
        elif kind == MODIFY_ORDER:
            row = self.mappings.find(le32(data + 8))
            if row >= 0:
                self.market.modify_order(
                    le64(data + 16), le32(data + 28), self._price(row, data + 24),
                    self._time(row, data, receive_time),
                )
        elif kind == ORDER_EXECUTION:
            self._executed(data, receive_time)
        elif kind == REPLACE_ORDER:
            row = self.mappings.find(le32(data + 8))
            if row >= 0:
                self.market.replace_order(
                    le64(data + 16), le64(data + 24), le32(data + 36),
                    self._price(row, data + 32), self._time(row, data, receive_time),
                )
        elif kind == SOURCE_TIME_REFERENCE:
            self._reference(data)
        else:
            self._rare(kind, data, length, receive_time)

    cdef void _rare(
        self, uint16_t kind, const uint8_t* data, size_t length, int64_t receive_time
    ) noexcept nogil:
        if kind == NON_DISPLAYED_TRADE:
            self._trade(
                data, le32(data + 16), data + 20, le32(data + 24),
                flags_of(data[28], data + 29, 4 if length >= 33 else 3), receive_time,
            )
        elif kind == CROSS_TRADE:
            if le32(data + 24):              # no shares: there was nothing to cross
                self._trade(
                    data, CROSS_ID | le32(data + 16), data + 20, le32(data + 24),
                    cross_flags(data[28]), receive_time,
                )
        elif kind == TRADE_CANCEL or kind == CROSS_CORRECTION:
            self._correction(kind, data, receive_time)
        elif kind == SECURITY_STATUS:
            self._security_status(data)
        elif kind == SYMBOL_INDEX_MAPPING:
            self.mappings.define(data, self.unit & (CHANNELS - 1))
        elif kind == SYMBOL_CLEAR:
            self._symbol_clear(data)
        elif kind == SEQUENCE_RESET:
            self._channel_clear(data)

    cdef void restart(self) noexcept nogil:
        memset(self.engine_seconds, 0, sizeof(self.engine_seconds))
        memset(self.channel_seconds, 0, sizeof(self.channel_seconds))
        self.mappings.forget_states()
        self.market.start_session(self.midnight_ns)

    # Times and prices

    cdef void _reference(self, const uint8_t* data) noexcept nogil:
        cdef uint32_t engine = le32(data + 4)
        cdef int64_t second = le32(data + 12) * SECOND
        if engine < ENGINES:
            self.engine_seconds[engine] = second
        self.channel_seconds[self.unit & (CHANNELS - 1)] = second

    cdef int64_t _time(self, int32_t row, const uint8_t* data, int64_t receive_time) noexcept nogil:
        """When a message was made that only says ns. Before its engine's first reference the
        second is the channel's, and before that the one in which it was received."""
        cdef int64_t offset = le32(data + 4)
        cdef int64_t second = 0
        if row >= 0:
            second = self.engine_seconds[self.mappings.listings[row].engine]
        if not second:
            second = self.channel_seconds[self.unit & (CHANNELS - 1)]
        if not second:
            second = max(receive_time - offset, 0)
            second -= second % SECOND
        return second + offset

    cdef int64_t _price(self, int32_t row, const uint8_t* at) noexcept nogil:
        return le32(at) * self.mappings.listings[row].unit

    # Books

    cdef void _symbol_clear(self, const uint8_t* data) noexcept nogil:
        cdef int32_t row = self.mappings.find(le32(data + 12))
        if row >= 0:
            self.market.clear_instrument(row, time_at(data + 4))

    cdef void _channel_clear(self, const uint8_t* data) noexcept nogil:
        """The channel counts from 1 again: its orders are sent anew, if they still are there."""
        cdef uint32_t row
        self.channel_seconds[self.unit & (CHANNELS - 1)] = 0
        for row in range(self.market.publisher.table.used):
            if (row < self.mappings.rows and self.mappings.listings[row].unit
                    and self.mappings.listings[row].channel == (self.unit & (CHANNELS - 1))):
                self.market.clear_instrument(<int32_t>row, time_at(data + 4))

    # Trades

    cdef void _executed(self, const uint8_t* data, int64_t receive_time) noexcept nogil:
        cdef int32_t row = self.mappings.find(le32(data + 8))
        cdef uint64_t reference = le64(data + 16)
        cdef uint32_t flags
        cdef int64_t time, price
        flags = flags_of(data[36], data + 38, 4)
        if row < 0:
            self._refuse(data, le32(data + 24), le32(data + 32), flags, receive_time)
            return
        time = self._time(row, data, receive_time)
        price = self._price(row, data + 28)
        if self.market.book.find(reference) == NULL:
            # Joined late, or its order was lost: the sale itself says all about it.
            self.market.sales.trade(
                row, price, le32(data + 32), le32(data + 24), flags, time, receive_time
            )
        self.market.execute_order_at(
            reference, le32(data + 32), price, le32(data + 24), flags, time, receive_time
        )

    cdef void _trade(
        self, const uint8_t* data, uint64_t match, const uint8_t* price, uint32_t size,
        uint32_t flags, int64_t receive_time,
    ) noexcept nogil:
        cdef int32_t row = self.mappings.find(le32(data + 8))
        if row >= 0:
            self.market.sales.trade(
                row, self._price(row, price), size, match, flags,
                self._time(row, data, receive_time), receive_time,
            )
        else:
            self._refuse(data, match, size, flags, receive_time)

    cdef void _refuse(
        self, const uint8_t* data, uint64_t match, uint32_t size, uint32_t flags,
        int64_t receive_time,
    ) noexcept nogil:
        """A sale of an index that no mapping has named: neither its symbol nor its price, which
        needs the mapping's scale, can be told; the index stands for the symbol."""
        cdef char[16] name
        cdef int length = snprintf(name, sizeof(name), "#%u", <unsigned>le32(data + 8))
        if flags:
            self.market.sales.refuse_unknown(
                name, <size_t>length, 0, size, match, self._time(-1, data, receive_time),
                receive_time,
            )

    cdef void _correction(
        self, uint16_t kind, const uint8_t* data, int64_t receive_time
    ) noexcept nogil:
        """A trade is taken back, or a cross had another volume, of 0 maybe."""
        cdef int32_t row = self.mappings.find(le32(data + 8))
        cdef uint64_t match = le32(data + 16)
        cdef int64_t time
        cdef Trade* cross
        if row < 0:
            return
        time = self._time(row, data, receive_time)
        if kind == TRADE_CANCEL:
            self.market.sales.break_trade(row, match, time)
        elif not le32(data + 20):
            self.market.sales.break_trade(row, match | CROSS_ID, time)
        else:
            cross = self.market.sales.trades.find(row, match | CROSS_ID)
            if cross != NULL:
                self.market.sales.correct_trade(
                    row, match | CROSS_ID, cross.price, le32(data + 20), time
                )
            elif not self.market.sales.raw:
                count(self.market.counters, FEED_BREAKS_UNMATCHED, 1)

    # States

    cdef void _security_status(self, const uint8_t* data) noexcept nogil:
        """Halts outlast changes of the market's session; short sale restrictions and price
        indications change neither."""
        cdef int32_t row = self.mappings.find(le32(data + 12))
        cdef uint8_t status = data[20]
        cdef Listing* listing
        if row < 0:
            return
        listing = &self.mappings.listings[row]
        if status == c"3" or status == c"4" or status == c"6":
            # opening delay, halt, suspended: LULD pauses have a condition of their own
            listing.halt = STATUS_PAUSED if data[21] == c"M" else STATUS_HALTED
        elif status == c"5":
            listing.halt = 0
            listing.session = session_of(data[44], STATUS_TRADING)
        else:
            listing.session = session_of(status, session_of(data[44], listing.session))
        if listing.halt or listing.session:
            self.market.rows.set_status(
                row, listing.halt if listing.halt else listing.session, time_at(data + 4)
            )

    cdef void announce(self, const uint8_t* data, size_t length) noexcept nogil:
        cdef uint16_t kind
        if length < 25:
            return
        kind = le16(data + 2)
        if ADD_ORDER <= kind <= REPLACE_ORDER:
            self.market.prefetch_order(le64(data + 16))
            self.market.prefetch_instrument(le32(data + 8))
            if kind == REPLACE_ORDER and length >= 32:
                self.market.prefetch_order(le64(data + 24))


cdef inline int64_t time_at(const uint8_t* at) noexcept nogil:
    """Seconds and nanoseconds, in ns since the epoch."""
    return le32(at) * SECOND + le32(at + 4)

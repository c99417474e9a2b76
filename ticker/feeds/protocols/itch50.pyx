"""Nasdaq TotalView-ITCH 5.0: every message type of the specification of 2024.

Integers are big-endian, prices u32 in 1e-4 (Price(8) is in no message that is read here), times
u48 ns elapsed since midnight US/Eastern of the session date.

    all messages:   type 1 | stock locate 2 | tracking number 2 | time 6 | ...      = 11 bytes

Unknown types are counted and skipped; a message longer than its type is accepted, its tail
ignored; a shorter one is counted and skipped. Types that say nothing about price, book or
status (Y L K J I N O) are checked for length and counted by type.
"""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from ticker.endian cimport be16, be32, be48, be64
from ticker.feeds.market.market cimport (
    ASK,
    BID,
    TRADE_CROSS,
    TRADE_OFFICIAL_CLOSE,
    TRADE_OFFICIAL_OPEN,
    TRADE_REGULAR,
    Market,
)
from ticker.feeds.protocol cimport Protocol, time_of_day
from ticker.feeds.market.symbols cimport listing_venue, symbol_length
from ticker.shm.counters cimport (
    FEED_SHORT_MESSAGES,
    FEED_UNKNOWN_SYMBOLS,
    FEED_UNKNOWN_TYPES,
    count,
)
from ticker.shm.layout cimport (
    PHASE_CLOSED,
    PHASE_OPEN,
    PHASE_POST,
    PHASE_PRE,
    STATUS_CLOSED,
    STATUS_HALTED,
    STATUS_PAUSED,
    STATUS_QUOTE_ONLY,
    STATUS_TRADING,
    STATUS_UNKNOWN,
)

from ticker.errors import FeedError

cdef enum:
    PRICE_UNITS = 100000         # 1e-9 units in one of Price(4)
    LOCATES = 65536
    OPERATIONAL_HALT = 0x80      # beside the TradingStatus in `states`

cdef enum:
    SYSTEM_EVENT = 0x53                # S
    STOCK_DIRECTORY = 0x52             # R
    TRADING_ACTION = 0x48              # H
    SHORT_SALE_RESTRICTION = 0x59      # Y
    PARTICIPANT_POSITION = 0x4C        # L
    MWCB_DECLINE_LEVEL = 0x56          # V
    MWCB_STATUS = 0x57                 # W
    IPO_QUOTING_PERIOD = 0x4B          # K
    LULD_AUCTION_COLLAR = 0x4A         # J
    OPERATIONAL_HALT_ACTION = 0x68     # h
    ADD_ORDER = 0x41                   # A
    ADD_ORDER_MPID = 0x46              # F
    ORDER_EXECUTED = 0x45              # E
    ORDER_EXECUTED_AT = 0x43           # C
    ORDER_CANCEL = 0x58                # X
    ORDER_DELETE = 0x44                # D
    ORDER_REPLACE = 0x55               # U
    TRADE = 0x50                       # P
    CROSS_TRADE = 0x51                 # Q
    BROKEN_TRADE = 0x42                # B
    IMBALANCE = 0x49                   # I
    RETAIL_INTEREST = 0x4E             # N
    DIRECT_LISTING = 0x4F              # O

# Length of each type in bytes, its shortest acceptable one; 0: no such type.
cdef uint8_t[256] LENGTHS
memset(LENGTHS, 0, sizeof(LENGTHS))
LENGTHS[SYSTEM_EVENT] = 12
LENGTHS[STOCK_DIRECTORY] = 39
LENGTHS[TRADING_ACTION] = 25
LENGTHS[SHORT_SALE_RESTRICTION] = 20
LENGTHS[PARTICIPANT_POSITION] = 26
LENGTHS[MWCB_DECLINE_LEVEL] = 35
LENGTHS[MWCB_STATUS] = 12
LENGTHS[IPO_QUOTING_PERIOD] = 28
LENGTHS[LULD_AUCTION_COLLAR] = 35
LENGTHS[OPERATIONAL_HALT_ACTION] = 21
LENGTHS[ADD_ORDER] = 36
LENGTHS[ADD_ORDER_MPID] = 40
LENGTHS[ORDER_EXECUTED] = 31
LENGTHS[ORDER_EXECUTED_AT] = 36
LENGTHS[ORDER_CANCEL] = 23
LENGTHS[ORDER_DELETE] = 19
LENGTHS[ORDER_REPLACE] = 35
LENGTHS[TRADE] = 44
LENGTHS[CROSS_TRADE] = 40
LENGTHS[BROKEN_TRADE] = 19
LENGTHS[IMBALANCE] = 50
LENGTHS[RETAIL_INTEREST] = 20
LENGTHS[DIRECT_LISTING] = 48

# Market codes of `h` by venue: Nasdaq, BX, PSX.
cdef dict HALT_CODES = {b"XNAS": c"Q", b"XBOS": c"B", b"XPHL": c"X", b"XPSX": c"X"}

MESSAGE_LENGTHS = {chr(kind): LENGTHS[kind] for kind in range(256) if LENGTHS[kind]}


cdef inline int64_t price_at(const uint8_t* at) noexcept nogil:
    """Price(4) in 1e-9 units."""
    return <int64_t>be32(at) * PRICE_UNITS


cdef inline const char* market_venue(uint8_t category) noexcept nogil:
    """The MIC that a Market Category of the Stock Directory means: Nasdaq has three."""
    return listing_venue(c"Q" if category == c"G" or category == c"S" else category)


cdef inline uint32_t cross_flags(uint8_t kind) noexcept nogil:
    """By the Cross Type: opening, closing, or one after a halt or for an IPO. That of the extended
    trading close is none of regular hours."""
    if kind == c"O":
        return TRADE_REGULAR | TRADE_CROSS | TRADE_OFFICIAL_OPEN
    if kind == c"C":
        return TRADE_REGULAR | TRADE_CROSS | TRADE_OFFICIAL_CLOSE
    return TRADE_REGULAR if kind == c"A" else TRADE_REGULAR | TRADE_CROSS


@cython.final
cdef class Itch50(Protocol):
    """Decodes ITCH 5.0 for a market. The market's venue says which operational halts concern it;
    an unnamed venue is taken for Nasdaq."""

    session = "moldudp64"
    times_of_day = True
    marks_trades = False
    has_images = True
    # Prices of four bytes end here: more is no price (ITCH 5.0, "Data Types").
    max_price = 200_000 * 1_000_000_000

    cdef uint64_t[256] seen
    cdef uint8_t[LOCATES] states # TradingStatus of the last H, and OPERATIONAL_HALT
    cdef uint8_t halt_code

    def __init__(self, Market market not None, *, midnight_ns: int = 0) -> None:
        super().__init__(market, midnight_ns=midnight_ns)
        self.halt_code = HALT_CODES.get(market.rows.venue_text, c"Q")

    def image_state(self) -> bytes | None:
        """The states of all locates and the counts of messages."""
        return (<char*>self.states)[:sizeof(self.states)] + (<char*>self.seen)[:sizeof(self.seen)]

    def restore_image(self, state: bytes) -> None:
        cdef const char* bytes_ = state
        if len(state) != sizeof(self.states) + sizeof(self.seen):
            raise FeedError("an image's ITCH states have another length")
        memcpy(self.states, bytes_, sizeof(self.states))
        memcpy(self.seen, bytes_ + sizeof(self.states), sizeof(self.seen))

    @property
    def message_counts(self) -> dict[str, int]:
        """Messages decoded, by type."""
        return {chr(kind): self.seen[kind] for kind in range(256) if self.seen[kind]}

    cdef void message(self, const uint8_t* data, size_t length, int64_t receive_time) noexcept nogil:
        cdef uint8_t kind = data[0] if length else 0
        cdef int64_t time
        if length < LENGTHS[kind] or not length:
            count(self.market.counters, FEED_SHORT_MESSAGES, 1)
            return
        if not LENGTHS[kind]:
            count(self.market.counters, FEED_UNKNOWN_TYPES, 1)
            return
        # From here on every field of the type is inside the message.
        self.seen[kind] += 1
        self.market.rows.received = receive_time
        time = time_of_day(self, <int64_t>be48(data + 5), receive_time)
        if kind == ADD_ORDER or kind == ADD_ORDER_MPID:
            self._add(data, time)
        elif kind == ORDER_DELETE:
            self.market.delete_order(be64(data + 11), time)
        elif kind == ORDER_EXECUTED:
            self.market.execute_order(
                be64(data + 11), be32(data + 19), be64(data + 23), time, receive_time
            )
        elif kind == ORDER_EXECUTED_AT:
            self.market.execute_order_at(
                be64(data + 11), be32(data + 19), price_at(data + 32), be64(data + 23),
                TRADE_REGULAR if data[31] == c"Y" else 0, time, receive_time,
            )
        elif kind == ORDER_CANCEL:
            self.market.reduce_order(be64(data + 11), be32(data + 19), time)
        elif kind == ORDER_REPLACE:
            self.market.replace_order(
                be64(data + 11), be64(data + 19), be32(data + 27), price_at(data + 31), time
            )
        elif kind == TRADE:
            self._trade(
                data, data + 24, price_at(data + 32), be32(data + 20), be64(data + 36),
                TRADE_REGULAR, time, receive_time,
            )
        elif kind == CROSS_TRADE:
            # No shares: there was nothing to cross (section 1.5.2).
            if be64(data + 11):
                self._trade(
                    data, data + 19, price_at(data + 27), be64(data + 11), be64(data + 31),
                    cross_flags(data[39]), time, receive_time,
                )
        else:
            self._rare(kind, data, time)

    cdef void restart(self) noexcept nogil:
        memset(self.states, 0, sizeof(self.states))
        self.market.start_session(self.midnight_ns)

    cdef void _rare(self, uint8_t kind, const uint8_t* data, int64_t time) noexcept nogil:
        cdef int32_t instrument
        if kind == SYSTEM_EVENT:
            self._system_event(data[11], time)
        elif kind == STOCK_DIRECTORY:
            instrument = self._define(data, data + 11)
            if instrument >= 0:
                self.market.rows.set_test(instrument, data[29] == c"T")
                self.market.rows.set_listing(instrument, market_venue(data[19]))
                self.market.sales.set_round_lot(instrument, be32(data + 21))
        elif kind == TRADING_ACTION:
            self._trading_action(data, time)
        elif kind == OPERATIONAL_HALT_ACTION:
            self._operational_halt(data, time)
        elif kind == BROKEN_TRADE:
            instrument = self.market.rows.find(be16(data + 1))
            self.market.sales.break_trade(
                instrument if instrument >= 0 else -1, be64(data + 11), time
            )
        elif kind == MWCB_STATUS:
            self._breaker(data[11], time)
        elif kind == MWCB_DECLINE_LEVEL:
            # Price(8)
            self.market.rows.venue.set_decline_levels(
                <int64_t>(be64(data + 11) * 10), <int64_t>(be64(data + 19) * 10),
                <int64_t>(be64(data + 27) * 10),
            )

    cdef void _breaker(self, uint8_t level, int64_t time) noexcept nogil:
        if c"1" <= level <= c"3":
            self.market.rows.venue.set_breaker(level - c"0", time)

    cdef void _add(self, const uint8_t* data, int64_t time) noexcept nogil:
        cdef int32_t instrument = self._instrument(data, data + 24)
        if instrument >= 0:
            self.market.add_order(
                instrument, be64(data + 11), ASK if data[19] == c"S" else BID, be32(data + 20),
                price_at(data + 32), time,
            )

    cdef void _trade(
        self, const uint8_t* data, const uint8_t* symbol, int64_t price, uint64_t size,
        uint64_t match, uint32_t flags, int64_t time, int64_t receive_time,
    ) noexcept nogil:
        cdef int32_t instrument = self._instrument(data, symbol)
        if instrument >= 0:
            self.market.sales.trade(instrument, price, size, match, flags, time, receive_time)
        else:
            self.market.sales.refuse_unknown(
                <const char*>symbol, 8, price, size, match, time, receive_time
            )

    cdef int32_t _instrument(self, const uint8_t* data, const uint8_t* symbol) noexcept nogil:
        """The message's instrument. Its directory message may have been lost, or sent before
        this feed was joined: then this message's own symbol defines it."""
        cdef int32_t instrument = self.market.rows.find(be16(data + 1))
        if instrument >= 0:
            return instrument
        return self._define(data, symbol) if instrument == -1 else self._unknown()

    cdef int32_t _define(self, const uint8_t* data, const uint8_t* symbol) noexcept nogil:
        """The stock locate means this symbol from now on (8 bytes, padded with spaces)."""
        cdef size_t length = symbol_length(symbol, 8, False)
        cdef int32_t instrument
        if not length:
            return self._unknown()
        instrument = self.market.rows.define(be16(data + 1), <const char*>symbol, length)
        return instrument if instrument >= 0 else self._unknown()

    cdef int32_t _unknown(self) noexcept nogil:
        count(self.market.counters, FEED_UNKNOWN_SYMBOLS, 1)
        return -1

    cdef void _system_event(self, uint8_t event, int64_t time) noexcept nogil:
        if event == c"O":
            # Start of messages: locates, order references and match numbers are the day's own.
            self.begin()
        elif event == c"S":
            self.market.rows.venue.set_phase(PHASE_PRE, time)
        elif event == c"Q":
            self.market.rows.venue.set_phase(PHASE_OPEN, time)
        elif event == c"M":
            self.market.rows.venue.set_phase(PHASE_POST, time)
        elif event == c"E" or event == c"C":
            self.market.rows.venue.set_phase(PHASE_CLOSED, time)
            self.market.rows.set_status_all(STATUS_CLOSED, time)

    cdef void _trading_action(self, const uint8_t* data, int64_t time) noexcept nogil:
        cdef uint8_t state = data[19]
        cdef uint8_t status = STATUS_UNKNOWN
        if state == c"T":
            status = STATUS_TRADING
        elif state == c"H":
            status = STATUS_HALTED
            if data[21] == c"M" and data[22] == c"W" and data[23] == c"C":
                # The W before it may have been lost. MWC0 is one of the day before (1.2.2).
                self._breaker(data[24], time)
        elif state == c"P":
            status = STATUS_PAUSED
        elif state == c"Q":
            status = STATUS_QUOTE_ONLY
        self._set_state(data, (self.states[be16(data + 1)] & OPERATIONAL_HALT) | status, time)

    cdef void _operational_halt(self, const uint8_t* data, int64_t time) noexcept nogil:
        """A halt on one market only; a regulatory state of `H` outlasts its end."""
        cdef uint8_t status = self.states[be16(data + 1)] & ~OPERATIONAL_HALT
        if data[19] != self.halt_code:
            return
        if data[20] == c"H":
            status |= OPERATIONAL_HALT
        elif status == STATUS_UNKNOWN:
            status = STATUS_TRADING
        self._set_state(data, status, time)

    cdef void _set_state(self, const uint8_t* data, uint8_t state, int64_t time) noexcept nogil:
        cdef int32_t instrument = self._instrument(data, data + 11)
        self.states[be16(data + 1)] = state
        if instrument >= 0:
            self.market.rows.set_status(
                instrument, STATUS_HALTED if state & OPERATIONAL_HALT else state, time
            )

    cdef void announce(self, const uint8_t* data, size_t length) noexcept nogil:
        cdef uint8_t kind
        if length < 19:
            return
        kind = data[0]
        if (kind == ADD_ORDER or kind == ORDER_DELETE or kind == ORDER_EXECUTED
                or kind == ADD_ORDER_MPID or kind == ORDER_CANCEL or kind == ORDER_EXECUTED_AT
                or kind == ORDER_REPLACE):
            self.market.prefetch_order(be64(data + 11))
            if kind == ORDER_EXECUTED or kind == ORDER_EXECUTED_AT:
                self.market.prefetch_trade(be16(data + 1))
            else:
                self.market.prefetch_instrument(be16(data + 1))
            if kind == ORDER_REPLACE and length >= 27:
                self.market.prefetch_order(be64(data + 19))

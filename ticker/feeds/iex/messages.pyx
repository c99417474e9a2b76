"""The messages that IEX sends alike in TOPS 1.6 and DEEP 1.0.

Integers are little-endian, prices i64 in 1e-4, times i64 ns since the epoch, symbols 8 bytes
padded with spaces; a symbol's own bytes are the feed's number of its instrument.

    all messages:   type 1 | flags or status 1 | time 8 | symbol 8 (not in S) | ...

Unknown types are counted and skipped; a message longer than its type is accepted, its tail
ignored; a shorter one is counted and skipped. Types that say nothing about price, book or
status (P I A E) are checked for length and counted by type. X, an official opening or closing
price, is no trade, and as on the consolidated tape (conditions Q and M) it updates neither last
nor range nor volume.

Which trades count: extended hours (form T, flag 0x40) and odd lots (0x20) count for volume
only; intermarket sweeps, trade-through exempt trades and single-price crosses are regular.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from ticker.checks cimport check
from ticker.feeds.market.conditions cimport flags_without, taken_by_iex
from ticker.feeds.market.directory cimport prefetch_key
from ticker.endian cimport le32, le64
from ticker.feeds.market.market cimport TRADE_OFFICIAL_CLOSE, TRADE_OFFICIAL_OPEN, Market
from ticker.feeds.protocol cimport Protocol
from ticker.feeds.market.symbols cimport symbol_length
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

cdef enum:
    SYMBOL = 10                        # where it is in every message that has one
    SYMBOL_LENGTH = 8
    OPERATIONAL_HALT = 0x80            # beside the TradingStatus in `states`
    TEST_SECURITY = 0x80

cdef enum:
    SYSTEM_EVENT = 0x53                # S
    SECURITY_DIRECTORY = 0x44          # D
    TRADING_STATUS = 0x48              # H
    RETAIL_LIQUIDITY = 0x49            # I
    OPERATIONAL_HALT_STATUS = 0x4F     # O
    SHORT_SALE_TEST = 0x50             # P
    OFFICIAL_PRICE = 0x58              # X
    TRADE_BREAK = 0x42                 # B
    AUCTION_INFORMATION = 0x41         # A


cdef class IexProtocol(Protocol):
    """Decodes for a market all but the book; a subclass adds the lengths of its own types and
    overrides `update`."""

    session = "iextp"
    message_protocol = 0               # of the segments that carry it (iextp.pyx)

    def __init__(self, Market market not None, *, midnight_ns: int = 0) -> None:
        super().__init__(market, midnight_ns=midnight_ns)
        memset(self.lengths, 0, sizeof(self.lengths))
        self.lengths[<int>SYSTEM_EVENT] = 10
        self.lengths[<int>SECURITY_DIRECTORY] = 31
        self.lengths[<int>TRADING_STATUS] = 22
        self.lengths[<int>RETAIL_LIQUIDITY] = 18
        self.lengths[<int>OPERATIONAL_HALT_STATUS] = 18
        self.lengths[<int>SHORT_SALE_TEST] = 19
        self.lengths[<int>TRADE_REPORT] = 38
        self.lengths[<int>OFFICIAL_PRICE] = 26
        self.lengths[<int>TRADE_BREAK] = 38
        self.lengths[<int>AUCTION_INFORMATION] = 80
        free(self.states)
        self.rows = market.rows.mapping.row_capacity
        self.states = <uint8_t*>calloc(self.rows, 1)
        if self.states == NULL:
            raise MemoryError("no memory for the trading states")

    def __dealloc__(self) -> None:
        free(self.states)

    @property
    def message_counts(self) -> dict[str, int]:
        """Messages decoded, by type."""
        return {chr(kind): self.seen[kind] for kind in range(256) if self.seen[kind]}

    @property
    def message_lengths(self) -> dict[str, int]:
        """Bytes of each type, at least."""
        return {chr(kind): self.lengths[kind] for kind in range(256) if self.lengths[kind]}

    cdef void message(self, const uint8_t* data, size_t length, int64_t receive_time) noexcept nogil:
        cdef uint8_t kind = data[0] if length else 0
        cdef uint8_t least = self.lengths[kind]
        cdef int64_t time
        if length < least or not length:
            count(self.market.counters, FEED_SHORT_MESSAGES, 1)
            return
        if not least:
            count(self.market.counters, FEED_UNKNOWN_TYPES, 1)
            return
        # From here on every field of the type is inside the message.
        self.seen[kind] += 1
        self.market.rows.received = receive_time
        time = <int64_t>le64(data + 2)
        if kind == SYSTEM_EVENT:
            self._system_event(data[1], time)
            return
        self.fresh = False
        if kind == QUOTE_UPDATE or kind == LEVEL_BUY or kind == LEVEL_SELL:
            self.update(kind, data, time, receive_time)
        elif kind == TRADE_REPORT:
            self._trade(data, time, receive_time)
        else:
            self._rare(kind, data, time)

    cdef void update(
        self, uint8_t kind, const uint8_t* data, int64_t time, int64_t receive_time
    ) noexcept nogil:
        pass

    cdef void announce(self, const uint8_t* data, size_t length) noexcept nogil:
        """Its symbol is looked up when COMING more were announced: by then the place is near."""
        cdef Coming* place = &self.coming[self.announced % COMING]
        if length < SYMBOL + SYMBOL_LENGTH or data[0] == SYSTEM_EVENT:
            return
        if place.kind == TRADE_REPORT:
            self.market.prefetch_trade(place.key)
        else:
            self.market.prefetch_instrument(place.key)
        place.key = le64(data + SYMBOL)
        place.kind = data[0]
        prefetch_key(self.market.rows.directory, place.key)
        self.announced += 1

    cdef void restart(self) noexcept nogil:
        self.fresh = True
        memset(self.states, 0, self.rows)
        self.market.start_session(self.midnight_ns)

    # Instruments

    cdef int32_t instrument(self, const uint8_t* symbol) noexcept nogil:
        """The instrument of a message's symbol, defined by its first message; -1: none."""
        cdef int32_t instrument = self.market.rows.find(le64(symbol))
        if instrument >= 0:
            return instrument
        if instrument == -1:
            instrument = self._define(symbol)
        if instrument < 0:
            count(self.market.counters, FEED_UNKNOWN_SYMBOLS, 1)
        return instrument

    cdef int32_t _define(self, const uint8_t* symbol) noexcept nogil:
        cdef size_t length = symbol_length(symbol, SYMBOL_LENGTH, False)
        return self.market.rows.define(le64(symbol), <const char*>symbol, length) if length else -1

    # Messages

    cdef void _trade(self, const uint8_t* data, int64_t time, int64_t receive_time) noexcept nogil:
        cdef int32_t instrument = self.instrument(data + SYMBOL)
        if instrument >= 0:
            self.market.sales.trade(
                instrument, price_at(data + 22), le32(data + 18), le64(data + 30),
                flags_without(taken_by_iex(data[1])), time, receive_time,
            )
        else:
            self.market.sales.refuse_unknown(
                <const char*>data + SYMBOL, SYMBOL_LENGTH, price_at(data + 22), le32(data + 18),
                le64(data + 30), time, receive_time,
            )

    cdef void _rare(self, uint8_t kind, const uint8_t* data, int64_t time) noexcept nogil:
        cdef int32_t instrument
        if (kind != SECURITY_DIRECTORY and kind != TRADING_STATUS
                and kind != OPERATIONAL_HALT_STATUS and kind != TRADE_BREAK
                and kind != OFFICIAL_PRICE):
            return
        instrument = self.instrument(data + SYMBOL)
        if instrument < 0:
            return
        if kind == SECURITY_DIRECTORY:
            self._security(instrument, data)
        elif kind == TRADING_STATUS:
            self._trading_status(instrument, data[1], time)
            if (data[1] == c"H" and data[18] == c"M" and data[19] == c"C" and data[20] == c"B"
                    and c"1" <= data[21] <= c"3"):
                # Reason MCB1 to MCB3: not this security alone (TOPS 1.6, trading status).
                self.market.rows.venue.set_breaker(data[21] - c"0", time)
        elif kind == OFFICIAL_PRICE:
            self._official_price(instrument, data, time)
        elif kind == OPERATIONAL_HALT_STATUS:
            self._operational_halt(instrument, data[1], time)
        else:
            self.market.sales.break_trade(instrument, le64(data + 30), time)

    cdef void _official_price(
        self, int32_t instrument, const uint8_t* data, int64_t time
    ) noexcept nogil:
        if price_at(data + 18) > 0 and (data[1] == c"Q" or data[1] == c"M"):
            self.market.sales.official(
                instrument, price_at(data + 18),
                TRADE_OFFICIAL_OPEN if data[1] == c"Q" else TRADE_OFFICIAL_CLOSE, time,
                self.market.rows.received,
            )

    cdef void _system_event(self, uint8_t event, int64_t time) noexcept nogil:
        if event == c"O" and not self.fresh:
            # Start of messages: trade ids are the day's own.
            self.restart()
        elif event == c"S":
            self.market.rows.venue.set_phase(PHASE_PRE, time)
        elif event == c"R":
            self.market.rows.venue.set_phase(PHASE_OPEN, time)
        elif event == c"M":
            self.market.rows.venue.set_phase(PHASE_POST, time)
        elif event == c"E" or event == c"C":
            self.market.rows.venue.set_phase(PHASE_CLOSED, time)
            self.market.rows.set_status_all(STATUS_CLOSED, time)

    cdef void _security(self, int32_t instrument, const uint8_t* data) noexcept nogil:
        cdef int64_t close = price_at(data + 22)   # adjusted for corporate actions
        self.market.rows.set_test(instrument, data[1] & TEST_SECURITY != 0)
        if close:
            self.market.rows.set_previous_close(instrument, close)

    cdef void _trading_status(
        self, int32_t instrument, uint8_t status, int64_t time
    ) noexcept nogil:
        cdef uint8_t state = STATUS_UNKNOWN
        if status == c"T":
            state = STATUS_TRADING
        elif status == c"H":
            state = STATUS_HALTED
        elif status == c"P":
            state = STATUS_PAUSED
        elif status == c"O":
            # Orders are taken for the auction that ends the halt; nothing trades yet.
            state = STATUS_QUOTE_ONLY
        self._set_state(instrument, (self.states[instrument] & OPERATIONAL_HALT) | state, time)

    cdef void _operational_halt(
        self, int32_t instrument, uint8_t status, int64_t time
    ) noexcept nogil:
        """A halt on IEX only; the state of `H` outlasts its end."""
        cdef uint8_t state = self.states[instrument] & ~OPERATIONAL_HALT
        if status == c"O":
            state |= OPERATIONAL_HALT
        elif state == STATUS_UNKNOWN:
            # No H yet. Every symbol is said not to be halted when the day begins, which is no
            # news; the end of a halt that a predecessor saw is.
            if self.market.publisher.entries[instrument].values.status != STATUS_HALTED:
                return
            state = STATUS_TRADING
        self._set_state(instrument, state, time)

    cdef void _set_state(self, int32_t instrument, uint8_t state, int64_t time) noexcept nogil:
        check(0 <= instrument and <uint32_t>instrument < self.rows)
        self.states[instrument] = state
        self.market.rows.set_status(
            instrument, STATUS_HALTED if state & OPERATIONAL_HALT else state, time
        )

"""The last sale of each symbol over its venues, from ring records and the tables behind them.

In: records of all feeds (intake.pyx). Out: new versions of topics, and what their frames tell.

Law: the ring record has the price already; the table is read for quotes, new rows, laps and
corrections only. A row's seq says what was applied, so nothing is applied twice, and no time goes
back: a price that is restored because a trade was taken back is told with that trade's time, and
that none is left with the time of the taking back.
"""

from cpython.mem cimport PyMem_RawCalloc, PyMem_RawFree
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from ticker.gateway.hub.fields cimport (
    CHANNEL_PRICE,
    CHANNEL_QUOTE,
    CHANNEL_TRADES,
    MESSAGE_CANCEL,
    MESSAGE_CORRECTION,
    MESSAGE_UPDATE,
    VENUE_ROOM,
    Fields,
)
from ticker.gateway.hub.topics cimport Topics, regrown, topic_of
from ticker.gateway.hub.trade_log cimport Trade, TradeLog
from ticker.gateway.prices.board cimport Board, RowRef
from ticker.gateway.prices.consolidate cimport NO_ROW, Consolidated
from ticker.shm.figures cimport corrected_time, has_traded, told_time
from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport (
    RECORD_CORRECTED,
    RECORD_TRADE,
    ROW_HAS,
    ROW_HAS_LAST,
    ROW_SHARED_MICROSECOND,
    SYMBOL_BYTES,
    TRADE_LAST_IF_ONLY,
    TRADE_SETS_LAST,
    Record,
    Row,
    Values,
)
from ticker.shm.trade_ids cimport own_number


cdef enum:
    TURNS = 3    # at a symbol's rows, while trades come


cdef class Sales:
    """`feeds`: the mappings that `board` has."""

    def __cinit__(
        self, Board board not None, Topics topics not None, TradeLog log not None,
        feeds: list[Mapping],
    ) -> None:
        self.board = board
        self.topics = topics
        self.log = log
        for mapping in feeds:
            self.add_feed(mapping)

    def add_feed(self, Mapping mapping not None) -> None:
        """The feed that the board was given last."""
        cdef uint32_t feed = self.feed_count
        self.states = <RowState**>regrown(self.states, feed, feed + 1, sizeof(RowState*))
        self.rows = <Row**>regrown(self.rows, feed, feed + 1, sizeof(Row*))
        self.states[feed] = <RowState*>PyMem_RawCalloc(
            mapping.header.row_capacity, sizeof(RowState)
        )
        if self.states[feed] == NULL:
            raise MemoryError
        self.rows[feed] = self.board.table(feed).rows
        self.feed_count += 1
        if self.feed_count == self.board.feed_count:
            self.grow()

    def renew(self, symbols: list[int]) -> None:
        """Take these symbols anew from the rows that are left to them. One that has none keeps
        its last price, which is stale."""
        cdef uint32_t symbol
        self.grow()
        for symbol in symbols:
            if self.board.rows[symbol].count:
                self.reload(symbol, False)
                self.quote(symbol)

    def __dealloc__(self) -> None:
        cdef uint32_t i
        for i in range(self.feed_count):
            PyMem_RawFree(self.states[i])
        PyMem_RawFree(self.states)
        PyMem_RawFree(self.rows)
        PyMem_RawFree(self.sales)
        PyMem_RawFree(self.quotes)

    cdef int grow(self) except -1:
        """Topics for every symbol that the board has, with the price that its rows have."""
        cdef Topics topics = self.topics
        self.reserve(self.board.count)
        while topics.symbol_count < self.board.count:
            topics.symbol_count += 1
            self._name(topics.symbol_count - 1)
            self.reload(topics.symbol_count - 1, False)
        return 0

    cdef int reserve(self, uint32_t count) except -1:
        """Room for the topics of so many symbols, or views."""
        cdef uint32_t before = self.topics.symbol_capacity
        cdef uint32_t capacity = max(count, 2 * before)
        if count <= before:
            return 0
        self.sales = <Sale*>regrown(self.sales, before, capacity, sizeof(Sale))
        self.quotes = <Fields*>regrown(self.quotes, before, capacity, sizeof(Fields))
        self.log.grow(capacity)
        return self.topics.grow(capacity)

    cdef int _name(self, uint32_t symbol) except -1:
        cdef bytes name = self.board.name(symbol).encode("latin-1")
        assert len(name) < SYMBOL_BYTES
        memcpy(self.sales[symbol].name, <const char*>name, len(name))
        self.sales[symbol].name_length = <uint8_t>len(name)
        return 0

    def set_tape(self, symbol: int, tape: int) -> None:
        """The tape that a symbol is on: 1, 2, 3 for A, B, C; 0: not known."""
        cdef uint32_t number = symbol
        if number >= self.topics.symbol_count or not 0 <= tape <= 3:
            raise ValueError(f"symbol {symbol}, tape {tape}")
        self.sales[number].tape = tape

    # -- the table ------------------------------------------------------------------------

    cdef int reload(self, uint32_t symbol, bint lapped) except -1:
        """Take a symbol's price from the table. What the rings still hold of it is skipped:
        the rows' seq says what they have counted already. `lapped`: records were lost."""
        cdef Consolidated found
        cdef int turn
        # the seq first: a trade that comes between the two is applied twice, not never
        for turn in range(TURNS):
            self._reload_rows(symbol, lapped)
            if not self.board.read_all(symbol, &found):
                return 0
            if found.values.seq <= self.sales[symbol].seq:
                break  # else a trade came between, and its price has not this seq
        if not has_traded(&found.values):
            return 0
        self.topics.touch(topic_of(symbol, CHANNEL_QUOTE), 1)
        if not found.values.flags & ROW_HAS_LAST and not corrected_time(&found.values):
            return 0  # outside of regular hours only, which `price` and `trades` don't tell
        self._take_last(symbol, &found)
        if not self.topics.versions[topic_of(symbol, CHANNEL_TRADES)]:
            self.topics.touch(topic_of(symbol, CHANNEL_TRADES), 1)
        return 0

    cdef int _reload_rows(self, uint32_t symbol, bint lapped) except -1:
        """Each row's seq, and what `trades` has lost by a lap."""
        cdef Values values
        cdef RowRef* ref
        cdef RowState* state
        cdef uint64_t lost
        cdef uint32_t i
        for i in range(self.board.rows[symbol].count):
            ref = self.board.rows[symbol].rows + i
            if not ref.part or self.board.table(ref.feed).read(ref.row, &values) < 0:
                continue
            state = self.states[ref.feed] + ref.row
            if lapped:
                lost = values.seq - min(state.told, values.seq)
                lost += values.corrections - min(state.corrections, values.corrections)
                if lost:
                    self.topics.touch(topic_of(symbol, CHANNEL_TRADES), <uint32_t>lost)
            if lapped or not state.told:
                state.told = max(state.told, values.seq)
                state.corrections = max(state.corrections, values.corrections)
            if values.seq > state.seq:
                self.sales[symbol].seq += values.seq - state.seq
                state.seq = values.seq
        return 0

    cdef void _take_last(self, uint32_t symbol, const Consolidated* found) noexcept nogil:
        """The last sale as the rows have it, if it is another one than the one that was told."""
        cdef Sale* sale = self.sales + symbol
        cdef const Values* values = &found.values
        cdef bint there = values.flags & ROW_HAS_LAST != 0
        cdef int64_t time = max(sale.time, told_time(values))
        cdef RowRef* last
        if (sale.there == there and sale.price == values.price and sale.time == time
                and sale.exchange_time == values.exchange_time):
            return
        sale.ambiguous = (
            self.board.rows[symbol].count > 1 or values.flags & ROW_SHARED_MICROSECOND != 0
            or (sale.time != 0 and time - sale.time < 1000)
        )
        if there:
            last = self.board.rows[symbol].rows + found.last
            sale.feed = last.feed
            sale.row = last.row
        if sale.exchange_time != values.exchange_time:
            sale.trade_id = 0
        sale.there = there
        sale.price = values.price
        sale.size = values.size
        sale.size_exponent = found.size_exponent
        sale.publish_time = values.publish_time
        sale.exchange_time = values.exchange_time
        sale.time = time
        self.topics.touch(topic_of(symbol, CHANNEL_PRICE), 1)

    # -- records --------------------------------------------------------------------------

    cdef bint trade(self, uint32_t feed, uint32_t symbol, const Record* record) noexcept nogil:
        """Take the price from a record. True: only the rows can tell whether it is the last
        sale, because of its time, or because a trade that was newer has been taken back."""
        assert symbol < self.topics.symbol_count
        cdef Sale* sale = self.sales + symbol
        cdef RowState* state = self.states[feed] + record.row
        if record.seq > state.told:
            self._log_trade(feed, symbol, record, state)
        if record.seq <= state.seq:
            return False  # the table told us already
        sale.seq += record.seq - state.seq
        state.seq = record.seq
        if record.kind != RECORD_TRADE and not self.topics.versions[topic_of(symbol, CHANNEL_QUOTE)]:
            return True  # it may be the first of extended hours
        if record.kind == RECORD_TRADE:
            if record.exchange_time <= sale.time:
                if sale.exchange_time < sale.time:  # a trade was taken back
                    return True
                if record.exchange_time == sale.time and self.board.rows[symbol].count > 1:
                    return True
            if record.exchange_time >= sale.time:  # else another venue has sold later
                self._set_sale(feed, symbol, record)
        self.quote(symbol)
        return False

    cdef void skip(self, uint32_t feed, uint32_t symbol, const Record* record) noexcept nogil:
        """The row's trades up to this seq that `trades` was not told of are not going to come."""
        cdef RowState* state = self.states[feed] + record.row
        if record.seq > state.told:
            if state.told:
                self.topics.touch(
                    topic_of(symbol, CHANNEL_TRADES), <uint32_t>(record.seq - state.told)
                )
            state.told = record.seq

    cdef void identify(self, uint32_t symbol, const Record* record) noexcept nogil:
        """The record of the last sale as the table has it, if it is that."""
        cdef Sale* sale = self.sales + symbol
        if record.price == sale.price and record.exchange_time == sale.exchange_time:
            sale.trade_id = record.match

    cdef void _set_sale(
        self, uint32_t feed, uint32_t symbol, const Record* record
    ) noexcept nogil:
        cdef Sale* sale = self.sales + symbol
        sale.ambiguous = (
            not sale.there or record.price != sale.price
        ) and record.exchange_time - sale.time < 1000
        sale.there = 1
        sale.price = record.price
        sale.exchange_time = sale.time = record.exchange_time
        sale.publish_time = record.publish_time
        sale.size = record.size
        sale.size_exponent = self.rows[feed][record.row].size_exponent
        sale.trade_id = record.match
        sale.feed = feed
        sale.row = record.row
        self.topics.touch(topic_of(symbol, CHANNEL_PRICE), 1)

    cdef void quote(self, uint32_t symbol) noexcept nogil:
        """Something of what `quote` tells has changed; before the first trade it tells nothing."""
        if self.sales[symbol].there or self.topics.versions[topic_of(symbol, CHANNEL_QUOTE)]:
            self.topics.touch(topic_of(symbol, CHANNEL_QUOTE), 1)

    cdef void _log_trade(
        self, uint32_t feed, uint32_t symbol, const Record* record, RowState* state
    ) noexcept nogil:
        """For `trades`: an entry, if somebody watches; the version also counts what was lost."""
        cdef uint32_t topic = topic_of(symbol, CHANNEL_TRADES)
        cdef Trade* trade
        cdef uint32_t steps = <uint32_t>(record.seq - state.told)
        state.told = record.seq
        if record.kind != RECORD_TRADE:
            steps -= 1
            if steps:
                self.topics.touch(topic, steps)
            return
        self.topics.touch(topic, steps)
        if not self.topics.topics[topic].subscriber_count:
            return
        trade = self.log.append(symbol, feed, record)
        trade.message = MESSAGE_UPDATE
        trade.seq = self.sales[symbol].seq + record.seq - self.states[feed][record.row].seq
        trade.version = self.topics.versions[topic]

    cdef void correction(
        self, uint32_t feed, uint32_t symbol, const Record* record
    ) noexcept nogil:
        """For `trades`: that a print never was, or what it became. A cancel of one that never set
        the last price is not told, as the print was not."""
        cdef uint32_t topic = topic_of(symbol, CHANNEL_TRADES)
        cdef bint eligible = record.conditions & (TRADE_SETS_LAST | TRADE_LAST_IF_ONLY) != 0
        cdef Trade* trade
        self.states[feed][record.row].corrections += 1
        if record.kind != RECORD_CORRECTED and not eligible:
            return
        self.topics.touch(topic, 1)
        if not self.topics.topics[topic].subscriber_count:
            return
        trade = self.log.append(symbol, feed, record)
        trade.seq = self.sales[symbol].seq
        trade.version = self.topics.versions[topic]
        if record.kind == RECORD_CORRECTED:
            trade.message = MESSAGE_CORRECTION
            trade.new_trade_id = record.seq if record.seq != record.match else 0
            trade.ineligible = not eligible
        else:
            trade.message = MESSAGE_CANCEL

    # -- what frames tell -----------------------------------------------------------------

    cdef void sale_fields(self, uint32_t symbol, Fields* fields) noexcept nogil:
        """The last sale, as `price` and the snapshot of `trades` tell it."""
        cdef Sale* sale = self.sales + symbol
        fields.has = ROW_HAS_LAST if sale.there else 0
        fields.price = sale.price
        fields.time = sale.time
        fields.seq = sale.seq
        fields.size = sale.size
        fields.size_exponent = sale.size_exponent
        fields.trade_id = own_number(sale.trade_id)
        fields.new_trade_id = fields.ineligible = 0
        fields.tape = sale.tape
        fields.conditions = 0
        memcpy(fields.venue, self.rows[sale.feed][sale.row].venue, VENUE_ROOM)

    cdef int read_quote(self, uint32_t symbol) except -1:
        """Take what `quote` tells from the table; time and seq are never older than those of
        `price`."""
        cdef Fields* quote = self.quotes + symbol
        cdef Sale* sale = self.sales + symbol
        cdef Consolidated found
        cdef Values* values = &found.values
        cdef RowRef* row
        cdef bint there
        if not self.board.read_all(symbol, &found) or not has_traded(values):
            return 0
        there = values.flags & ROW_HAS_LAST != 0
        row = self.board.rows[symbol].rows + (found.last if there else found.first)
        memcpy(quote.venue, self.rows[row.feed][row.row].venue, VENUE_ROOM)
        quote.has = values.flags & ROW_HAS
        quote.price = values.price
        quote.time = max(quote.time, sale.time, told_time(values))
        quote.seq = max(values.seq, sale.seq)
        quote.size = values.size
        quote.size_exponent = found.size_exponent
        quote.volume = values.volume
        quote.volume_high = values.volume_high
        quote.trades = values.trades
        quote.bid = values.bid
        quote.bid_size = values.bid_size
        quote.ask = values.ask
        quote.ask_size = values.ask_size
        quote.open = values.open
        quote.high = values.high
        quote.low = values.low
        quote.previous_close = values.previous_close
        quote.official_close = values.official_close
        quote.extended_price = values.extended_price
        quote.extended_time = values.extended_time
        quote.quote_time = values.quote_time
        quote.quotes = values.quotes
        quote.tape = sale.tape
        self._read_venues(symbol, &found)
        return 0

    cdef void _read_venues(self, uint32_t symbol, const Consolidated* found) noexcept nogil:
        """The venues of the best bid and ask."""
        cdef Fields* quote = self.quotes + symbol
        cdef RowRef* rows = self.board.rows[symbol].rows
        if found.bid != NO_ROW:
            memcpy(
                quote.bid_venue, self.rows[rows[found.bid].feed][rows[found.bid].row].venue,
                VENUE_ROOM,
            )
        if found.ask != NO_ROW:
            memcpy(
                quote.ask_venue, self.rows[rows[found.ask].feed][rows[found.ask].row].venue,
                VENUE_ROOM,
            )

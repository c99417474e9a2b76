"""Topics: what ring records and tables say of each symbol, as versions that subscribers compare.

In: ring records of all feeds, and the price tables behind them. Out: a list of the topics that
changed, and for each channel what its frames tell. Owned by one hub.

Law: the ring record has the price already; the table is read for quotes, new rows, laps and
corrections only. A row's seq says what was applied, so nothing is applied twice and no price
goes back.
"""

from cpython.mem cimport PyMem_RawCalloc, PyMem_RawFree, PyMem_RawRealloc
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

cdef extern from *:
    void prefetch "__builtin_prefetch"(const void* address) nogil

from ticker.gateway.prices.board cimport NO_PART, NO_SYMBOL, Board, RowRef
from ticker.gateway.prices.consolidate cimport Consolidated
from ticker.gateway.hub.fields cimport CHANNEL_PRICE, CHANNEL_QUOTE, CHANNEL_TRADES, VENUE_ROOM, Fields
from ticker.gateway.hub.trade_log cimport Trade, TradeLog
from ticker.shm.counters cimport (
    GATEWAY_LAPS,
    GATEWAY_RECORDS_READ,
    GATEWAY_RECORDS_SKIPPED,
    count,
)
from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport (
    RECORD_CORRECTION,
    RECORD_PRINT,
    RECORD_QUOTE,
    RECORD_TRADE,
    ROW_SHARED_MICROSECOND,
    SYMBOL_BYTES,
    Record,
    Row,
    Values,
)
from ticker.shm.ring cimport RingReader

cdef enum:
    AHEAD = 24


cdef void* regrown(void* array, uint32_t before, uint32_t capacity, size_t size) except NULL:
    """The array with room for `capacity` items, the new ones zero."""
    cdef char* grown = <char*>PyMem_RawRealloc(array, capacity * size)
    if grown == NULL:
        raise MemoryError
    memset(grown + before * size, 0, (capacity - before) * size)
    return grown


cdef class Topics:
    """`segment`: the gateway's own, for its counters. `feeds`: the mappings that `board` has."""

    def __cinit__(
        self, Board board not None, Mapping segment not None, feeds: list[Mapping],
        TradeLog log not None,
    ) -> None:
        self.board = board
        self.log = log
        self.counters = segment.counters
        self.states = <RowState**>PyMem_RawCalloc(len(feeds) + 1, sizeof(RowState*))
        self.rows = <Row**>PyMem_RawCalloc(len(feeds) + 1, sizeof(Row*))
        if self.states == NULL or self.rows == NULL:
            raise MemoryError
        self.readers = []
        self._read_feeds(feeds)
        self._grow()

    def _read_feeds(self, feeds: list[Mapping]) -> None:
        cdef Mapping mapping
        cdef uint32_t number
        for feed, mapping in enumerate(feeds):
            number = feed
            self.rows[number] = self.board.table(number).rows
            self.states[number] = <RowState*>PyMem_RawCalloc(
                mapping.header.row_capacity, sizeof(RowState)
            )
            if self.states[number] == NULL:
                raise MemoryError
            for ring in range(mapping.ring_count):
                self.readers.append((feed, RingReader(mapping, ring)))

    def __dealloc__(self) -> None:
        cdef uint32_t i
        if self.states != NULL:
            for i in range(self.board.feed_count):
                PyMem_RawFree(self.states[i])
        for i in range(self.symbol_count << CHANNEL_BITS):
            PyMem_RawFree(self.topics[i].subscribers)
        PyMem_RawFree(self.states)
        PyMem_RawFree(self.rows)
        PyMem_RawFree(self.sales)
        PyMem_RawFree(self.quotes)
        PyMem_RawFree(self.topics)
        PyMem_RawFree(self.versions)
        PyMem_RawFree(self.changed)

    cdef int _grow(self) except -1:
        """Topics for every symbol that the board has, with the price that its rows have."""
        cdef uint32_t wanted = self.board.count
        if wanted > self.symbol_capacity:
            self._grow_arrays(max(wanted, 2 * self.symbol_capacity))
        while self.symbol_count < wanted:
            self.symbol_count += 1
            self._name(self.symbol_count - 1)
            self._reload(self.symbol_count - 1, False)
        return 0

    cdef int _grow_arrays(self, uint32_t capacity) except -1:
        cdef uint32_t before = self.symbol_capacity
        cdef uint32_t topics_before = before << CHANNEL_BITS
        cdef uint32_t topics = capacity << CHANNEL_BITS
        self.sales = <Sale*>regrown(self.sales, before, capacity, sizeof(Sale))
        self.quotes = <Fields*>regrown(self.quotes, before, capacity, sizeof(Fields))
        self.topics = <Topic*>regrown(self.topics, topics_before, topics, sizeof(Topic))
        self.versions = <uint32_t*>regrown(
            self.versions, topics_before, topics, sizeof(uint32_t)
        )
        self.changed = <uint32_t*>regrown(self.changed, topics_before, topics, sizeof(uint32_t))
        self.log.grow(capacity)
        self.symbol_capacity = capacity
        return 0

    cdef int _name(self, uint32_t symbol) except -1:
        cdef bytes name = self.board.name(symbol).encode("latin-1")
        assert len(name) < SYMBOL_BYTES
        memcpy(self.sales[symbol].name, <const char*>name, len(name))
        self.sales[symbol].name_length = <uint8_t>len(name)
        return 0

    cdef int _learn(self, uint32_t feed, uint32_t row) except -1:
        """A record named a row that is new to us."""
        cdef uint32_t known = self.symbol_count
        cdef uint32_t symbol
        self.board.learn(feed, row)
        self._grow()
        symbol = self.board.symbol_of(feed, row)
        if symbol != NO_PART and symbol < known:
            self._reload(symbol, False)  # a further venue of a symbol
        return 0

    cdef int _reload(self, uint32_t symbol, bint lapped) except -1:
        """Take a symbol's price from the table. What the rings still hold of it is skipped:
        the rows' seq says what they have counted already. `lapped`: trades were lost."""
        cdef Sale* sale = self.sales + symbol
        cdef Consolidated found
        # the seq first: a trade that comes between the two is applied twice, not never
        self._reload_rows(symbol, lapped)
        if not self.board.read_all(symbol, &found) or not found.values.price:
            return 0
        sale.taken_back = found.values.exchange_time < sale.time
        if found.values.price != sale.price or found.values.exchange_time != sale.time:
            self._take_sale(symbol, &found)
        self._touch(topic_of(symbol, CHANNEL_QUOTE), 1)
        if not self.versions[topic_of(symbol, CHANNEL_TRADES)]:
            self._touch(topic_of(symbol, CHANNEL_TRADES), 1)
        return 0

    cdef int _take_sale(self, uint32_t symbol, const Consolidated* found) except -1:
        cdef Sale* sale = self.sales + symbol
        cdef RowRef* last = self.board.rows[symbol].rows + found.last
        sale.price = found.values.price
        sale.size = found.values.size
        sale.size_exponent = found.size_exponent
        sale.feed = last.feed
        sale.row = last.row
        sale.ambiguous = (
            sale.time != 0 or self.board.rows[symbol].count > 1
            or found.values.flags & ROW_SHARED_MICROSECOND != 0
        )
        sale.publish_time = found.values.publish_time
        if found.values.exchange_time > sale.time:
            sale.time = found.values.exchange_time  # a taken-back trade never takes time back
        self._touch(topic_of(symbol, CHANNEL_PRICE), 1)
        return 0

    cdef int _reload_rows(self, uint32_t symbol, bint lapped) except -1:
        """Each row's seq, and what `trades` has lost by a lap."""
        cdef Values values
        cdef RowRef* ref
        cdef RowState* state
        cdef uint32_t i
        for i in range(self.board.rows[symbol].count):
            ref = self.board.rows[symbol].rows + i
            if not ref.part or self.board.table(ref.feed).read(ref.row, &values) < 0:
                continue
            state = self.states[ref.feed] + ref.row
            if lapped and values.seq > state.told:
                self._touch(
                    topic_of(symbol, CHANNEL_TRADES), <uint32_t>(values.seq - state.told)
                )
            if lapped or not state.told:
                state.told = max(state.told, values.seq)
            if values.seq > state.seq:
                self.sales[symbol].seq += values.seq - state.seq
                state.seq = values.seq
        return 0

    cdef int _resync(self, uint32_t feed) except -1:
        """A ring lapped us: look at every symbol of the feed again."""
        cdef uint32_t row
        self.board.refresh()
        self._grow()
        for row in range(self.board.rows_known[feed]):
            if self.board.symbol_of(feed, row) != NO_PART:
                self._reload(self.board.symbol_of(feed, row), True)
        return 0

    cdef void _touch(self, uint32_t number, uint32_t by) noexcept nogil:
        """The topic has something new: a new version, and a place in `changed`."""
        cdef Topic* topic = self.topics + number
        self.versions[number] += by
        if not self.versions[number]:
            self.versions[number] = 1
        if topic.subscriber_count and not topic.touched:
            topic.touched = 1
            self.changed[self.changed_count] = number
            self.changed_count += 1
            self.changed_subscribers += topic.subscriber_count

    cdef int drain(self) except -1:
        """Take all records that the rings hold, then read the quotes that somebody watches."""
        cdef uint32_t i
        if self.board.count > self.symbol_count:
            self._grow()  # the board was refreshed by somebody else
        for feed, reader in self.readers:
            if (<RingReader>reader).pending():
                self._drain_ring(feed, <RingReader>reader)
        for i in range(self.changed_count):
            if self.changed[i] & CHANNEL_MASK == CHANNEL_QUOTE:
                self.read_quote(self.changed[i] >> CHANNEL_BITS)
        return 0

    cdef int _drain_ring(self, uint32_t feed, RingReader reader) except -1:
        cdef Record record
        cdef uint64_t skipped = reader.skipped
        cdef uint64_t first = reader.position
        cdef int got
        while True:
            # records lie in the writer's cache: fetch some ahead
            prefetch(reader.ring.records + ((reader.position + AHEAD) & reader.ring.mask))
            got = reader.read(&record)
            if got == 0:
                break
            if got < 0:
                count(self.counters, GATEWAY_LAPS, 1)
                self._resync(feed)
            else:
                self._take_record(feed, &record)
        skipped = reader.skipped - skipped
        count(self.counters, GATEWAY_RECORDS_SKIPPED, skipped)
        count(self.counters, GATEWAY_RECORDS_READ, reader.position - first - skipped)
        return 0

    cdef int _take_record(self, uint32_t feed, const Record* record) except -1:
        cdef uint32_t symbol = self.board.symbol_of(feed, record.row)
        if symbol == NO_PART:
            return 0
        if symbol == NO_SYMBOL:
            self._learn(feed, record.row)
        elif record.kind == RECORD_TRADE or record.kind == RECORD_PRINT:
            if self._trade(feed, symbol, record):
                self._reload(symbol, False)
        elif record.kind == RECORD_QUOTE:
            if self.sales[symbol].price:
                self._touch(topic_of(symbol, CHANNEL_QUOTE), 1)
        elif record.kind == RECORD_CORRECTION:
            self._reload(symbol, False)
        return 0

    cdef bint _trade(self, uint32_t feed, uint32_t symbol, const Record* record) noexcept nogil:
        """Take the price from a record. True: only the rows can tell whether it is the last
        sale, because of its time, or because a trade that was newer has been taken back."""
        assert symbol < self.symbol_count
        cdef Sale* sale = self.sales + symbol
        cdef RowState* state = self.states[feed] + record.row
        if record.seq > state.told:
            self._log_trade(feed, symbol, record, state)
        if record.seq <= state.seq:
            return False  # the table told us already
        sale.seq += record.seq - state.seq
        state.seq = record.seq
        if record.kind == RECORD_TRADE:
            if record.exchange_time <= sale.time:
                if sale.taken_back:
                    return True
                if record.exchange_time == sale.time and self.board.rows[symbol].count > 1:
                    return True
            if record.exchange_time >= sale.time:  # else another venue has sold later
                self._set_sale(feed, symbol, record)
        if sale.price:
            self._touch(topic_of(symbol, CHANNEL_QUOTE), 1)
        return False

    cdef void _set_sale(
        self, uint32_t feed, uint32_t symbol, const Record* record
    ) noexcept nogil:
        cdef Sale* sale = self.sales + symbol
        sale.ambiguous = record.price != sale.price and record.exchange_time - sale.time < 1000
        sale.price = record.price
        sale.time = record.exchange_time
        sale.publish_time = record.publish_time
        sale.size = record.size
        sale.size_exponent = self.rows[feed][record.row].size_exponent
        sale.feed = feed
        sale.row = record.row
        sale.taken_back = 0
        self._touch(topic_of(symbol, CHANNEL_PRICE), 1)

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
                self._touch(topic, steps)
            return
        self._touch(topic, steps)
        if not self.topics[topic].subscriber_count:
            return
        trade = self.log.append(symbol)
        trade.price = record.price
        trade.time = record.exchange_time
        trade.publish_time = record.publish_time
        trade.size = record.size
        trade.seq = self.sales[symbol].seq + record.seq - self.states[feed][record.row].seq
        trade.version = self.versions[topic]
        trade.feed = feed
        trade.row = record.row

    # -- what frames tell -----------------------------------------------------------------

    cdef void sale_fields(self, uint32_t symbol, Fields* fields) noexcept nogil:
        """The last sale, as `price` and the snapshot of `trades` tell it."""
        cdef Sale* sale = self.sales + symbol
        fields.price = sale.price
        fields.time = sale.time
        fields.seq = sale.seq
        fields.size = sale.size
        fields.size_exponent = sale.size_exponent
        memcpy(fields.venue, self.rows[sale.feed][sale.row].venue, VENUE_ROOM)

    cdef int read_quote(self, uint32_t symbol) except -1:
        """Take what `quote` tells from the table; time and seq are never older than those of
        `price`."""
        cdef Fields* quote = self.quotes + symbol
        cdef Sale* sale = self.sales + symbol
        cdef Consolidated found
        cdef Values* values = &found.values
        cdef RowRef* last
        if not self.board.read_all(symbol, &found) or not values.price:
            return 0
        last = self.board.rows[symbol].rows + found.last
        memcpy(quote.venue, self.rows[last.feed][last.row].venue, VENUE_ROOM)
        quote.price = values.price
        quote.time = max(values.exchange_time, sale.time)
        quote.seq = max(values.seq, sale.seq)
        quote.size = values.size
        quote.size_exponent = found.size_exponent
        quote.volume = values.volume
        quote.trades = values.trades
        quote.bid = values.bid
        quote.bid_size = values.bid_size
        quote.ask = values.ask
        quote.ask_size = values.ask_size
        quote.open = values.open
        quote.high = values.high
        quote.low = values.low
        quote.previous_close = values.previous_close
        return 0

    cdef bint records_wait(self) except -1:
        """Some ring holds what we have not read."""
        for _, reader in self.readers:
            if (<RingReader>reader).pending():
                return True
        return False

"""Every frame that several clients get, encoded once.

In: versions and values of topics. Out: frames. Law: a frame is encoded when a client needs it
and its topic's version has moved, once per encoding for all subscribers; a channel in an
encoding that no client uses costs nothing.
"""

from cpython.mem cimport PyMem_RawCalloc, PyMem_RawFree
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from ticker.gateway.bars.book cimport BarBook
from ticker.gateway.hub.encode cimport (
    PRICE_ROOM,
    QUOTE_ROOM,
    TRADE_ROOM,
    Frame,
    begin_frame,
    finish_frame,
)
from ticker.gateway.hub.fields cimport (
    CHANNEL_DEPTH,
    CHANNEL_MOVERS,
    CHANNEL_PRICE,
    CHANNEL_QUOTE,
    CHANNEL_TRADES,
    CHANNELS,
    FIRST_BARS,
    MESSAGE_CORRECTION,
    MESSAGE_SNAPSHOT,
    MESSAGE_UPDATE,
    VENUE_ROOM,
    Fields,
    Message,
)
from ticker.gateway.hub.sales cimport Sale, Sales
from ticker.gateway.hub.topics cimport CHANNEL_BITS, CHANNEL_MASK, Topics
from ticker.gateway.hub.trade_log cimport Trade
from ticker.gateway.movers.frames cimport MoverFrames
from ticker.gateway.sockets.connection cimport ALL_ENCODINGS, ENCODINGS
from ticker.shm.counters cimport (
    GATEWAY_ENCODED,
    GATEWAY_HISTOGRAM_EXCHANGE_TO_SEND,
    GATEWAY_HISTOGRAM_PUBLISH_TO_SEND,
    count,
    record_duration,
)
from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport CACHE_LINE, ROW_HAS_ASK, ROW_HAS_BID, ROW_HAS_LAST, Row
from ticker.shm.trade_ids cimport own_number

cdef size_t[CHANNELS] ROOMS
ROOMS[:] = [PRICE_ROOM, QUOTE_ROOM, TRADE_ROOM, 0, 0]


cdef class SharedFrames:
    """`segment`: the gateway's own, for its counters and histograms."""

    def __cinit__(
        self, Topics topics not None, Sales sales not None, BarBook bars not None,
        Mapping segment not None,
    ) -> None:
        self.topics = topics
        self.sales = sales
        self.bars = bars
        self.movers = MoverFrames()
        self.counters = segment.counters
        self.histograms = segment.histograms
        self.symbol_capacity = topics.symbol_capacity

    def __dealloc__(self) -> None:
        cdef uint32_t encoding, channel
        PyMem_RawFree(self.quoted)
        for encoding in range(ALL_ENCODINGS):
            PyMem_RawFree(self.trades[encoding])
            PyMem_RawFree(self.trades_shown[encoding])
            for channel in range(CHANNELS):
                self._close_page(&self.pages[0][encoding][channel])
                self._close_page(&self.pages[1][encoding][channel])

    cdef int open(self, uint32_t encoding, uint32_t channel) except -1:
        """A client subscribes to a channel in an encoding: make room for its frames. calloc: a
        frame costs memory once it is encoded."""
        cdef uint32_t capacity = self.sales.log.capacity
        cdef int kind
        if channel >= FIRST_BARS:
            return self.bars.open(encoding)
        assert encoding < ALL_ENCODINGS and channel < CHANNELS
        if channel == CHANNEL_DEPTH or channel == CHANNEL_MOVERS:
            return 0  # views and lists have their own
        if encoding >= ENCODINGS and channel == CHANNEL_QUOTE and self.quoted == NULL:
            self._open_quoted()
        for kind in range(2):
            if self.pages[kind][encoding][channel].frames == NULL:
                self._open_page(&self.pages[kind][encoding][channel], ROOMS[channel])
        if channel == CHANNEL_TRADES and self.trades_shown[encoding] == NULL:
            self.trades[encoding] = <uint8_t*>PyMem_RawCalloc(capacity, TRADE_ROOM)
            self.trades_shown[encoding] = <uint64_t*>PyMem_RawCalloc(capacity, sizeof(uint64_t))
            if self.trades[encoding] == NULL or self.trades_shown[encoding] == NULL:
                raise MemoryError
        return 0

    cdef int grow(self) except -1:
        """The topics have room for more symbols: begin all frames anew."""
        cdef int kind
        cdef uint32_t encoding, channel
        cdef Page* page
        self.symbol_capacity = self.topics.symbol_capacity
        if self.quoted != NULL:
            self._open_quoted()
        for kind in range(2):
            for encoding in range(ALL_ENCODINGS):
                for channel in range(CHANNELS):
                    page = &self.pages[kind][encoding][channel]
                    if page.frames != NULL:
                        self._close_page(page)
                        self._open_page(page, ROOMS[channel])
        return 0

    cdef int _open_quoted(self) except -1:
        """Begin anew: after this, the next quote of a symbol is another one."""
        PyMem_RawFree(self.quoted)
        self.quoted = <QuoteMemory*>PyMem_RawCalloc(self.symbol_capacity, sizeof(QuoteMemory))
        if self.quoted == NULL:
            raise MemoryError
        return 0

    cdef bint quote_news(self, uint32_t symbol, uint32_t seen) noexcept nogil:
        """Whether the quote is another one than at version `seen`, as far as it was looked at."""
        cdef QuoteMemory* quoted = self.quoted + symbol
        cdef const Fields* now = self.sales.quotes + symbol
        cdef uint64_t has = now.has & (ROW_HAS_BID | ROW_HAS_ASK)
        if (quoted.has != has or quoted.bid != now.bid or quoted.bid_size != now.bid_size
                or quoted.ask != now.ask or quoted.ask_size != now.ask_size):
            quoted.has = has
            quoted.bid = now.bid
            quoted.bid_size = now.bid_size
            quoted.ask = now.ask
            quoted.ask_size = now.ask_size
            quoted.changed = self.topics.versions[symbol << CHANNEL_BITS | CHANNEL_QUOTE]
        return <int32_t>(quoted.changed - seen) > 0

    cdef int _open_page(self, Page* page, size_t room) except -1:
        page.memory = PyMem_RawCalloc(self.symbol_capacity * room + CACHE_LINE, 1)
        page.shown = <uint32_t*>PyMem_RawCalloc(self.symbol_capacity, sizeof(uint32_t))
        if page.memory == NULL or page.shown == NULL:
            raise MemoryError
        page.frames = <uint8_t*>(
            (<size_t>page.memory + CACHE_LINE - 1) & ~<size_t>(CACHE_LINE - 1)
        )
        page.room = room
        return 0

    cdef void _close_page(self, Page* page) noexcept:
        PyMem_RawFree(page.memory)
        PyMem_RawFree(page.shown)
        memset(page, 0, sizeof(Page))

    cdef const Frame* update(self, uint32_t topic, uint32_t encoding, int64_t now) noexcept nogil:
        """The topic's `update`, of its version of now."""
        cdef uint32_t symbol = topic >> CHANNEL_BITS
        cdef Page* page = &self.pages[0][encoding][topic & CHANNEL_MASK]
        if page.shown[symbol] != self.topics.versions[topic]:
            self._encode(page, topic, encoding, False)
            if topic & CHANNEL_MASK == CHANNEL_PRICE:
                record_duration(
                    self.histograms, GATEWAY_HISTOGRAM_PUBLISH_TO_SEND,
                    now - self.sales.sales[symbol].publish_time,
                )
                record_duration(
                    self.histograms, GATEWAY_HISTOGRAM_EXCHANGE_TO_SEND,
                    now - self.sales.sales[symbol].time,
                )
        return <const Frame*>(page.frames + symbol * page.room)

    cdef const Frame* snapshot(self, uint32_t topic, uint32_t encoding) noexcept nogil:
        """The topic's `snapshot`, of its version of now."""
        cdef uint32_t symbol = topic >> CHANNEL_BITS
        cdef Page* page = &self.pages[1][encoding][topic & CHANNEL_MASK]
        if page.shown[symbol] != self.topics.versions[topic]:
            self._encode(page, topic, encoding, True)
        return <const Frame*>(page.frames + symbol * page.room)

    cdef void _encode(
        self, Page* page, uint32_t topic, uint32_t encoding, bint snapshot
    ) noexcept nogil:
        cdef uint32_t symbol = topic >> CHANNEL_BITS
        cdef uint32_t channel = topic & CHANNEL_MASK
        cdef Sale* sale = self.sales.sales + symbol
        cdef Frame* frame = <Frame*>(page.frames + symbol * page.room)
        cdef Fields fields
        if not frame.prefix:
            begin_frame(
                frame, encoding, channel, MESSAGE_SNAPSHOT if snapshot else MESSAGE_UPDATE,
                sale.name, sale.name_length,
            )
        if channel == CHANNEL_QUOTE:
            finish_frame(frame, encoding, channel, self.sales.quotes + symbol)
        elif channel == CHANNEL_PRICE:
            fields.has = ROW_HAS_LAST if sale.there else 0
            fields.price = sale.price
            fields.time = sale.time
            fields.seq = sale.seq
            finish_frame(frame, encoding, channel, &fields)
        else:
            self.sales.sale_fields(symbol, &fields)
            finish_frame(frame, encoding, channel, &fields)
        assert <size_t>frame.start + frame.length + 8 <= page.room
        page.shown[symbol] = self.topics.versions[topic]
        count(self.counters, GATEWAY_ENCODED, 1)

    cdef const Frame* trade(
        self, const Trade* trade, uint32_t encoding, int64_t now
    ) noexcept nogil:
        """One entry of the log: a trade as `update`, a correction or a cancel."""
        cdef uint32_t place = <uint32_t>(trade.number % self.sales.log.capacity)
        cdef Frame* frame = <Frame*>(self.trades[encoding] + place * <size_t>TRADE_ROOM)
        if self.trades_shown[encoding][place] != trade.number:
            self.trade_frame(frame, trade, encoding, <Message>trade.message)
            self.trades_shown[encoding][place] = trade.number
            record_duration(
                self.histograms, GATEWAY_HISTOGRAM_PUBLISH_TO_SEND, now - trade.publish_time
            )
        return frame

    cdef void _old_print(self, const Trade* trade, Fields* fields) noexcept nogil:
        """What the corrected print was, if the log still has it."""
        cdef const Trade* before = self.sales.log.before(trade)
        if before != NULL:
            fields.old_price = before.price
            fields.old_size = before.size
            fields.old_conditions = before.conditions

    cdef void trade_frame(
        self, Frame* frame, const Trade* trade, uint32_t encoding, Message message
    ) noexcept nogil:
        """Encode one entry of the log into a place of the caller's."""
        cdef Sale* sale = self.sales.sales + trade.symbol
        cdef Row* row = self.sales.rows[trade.feed] + trade.row
        cdef Fields fields
        memset(&fields, 0, sizeof(fields))
        fields.has = ROW_HAS_LAST
        fields.price = trade.price
        fields.time = trade.time
        fields.seq = trade.seq
        fields.size = trade.size
        fields.size_exponent = row.size_exponent
        fields.trade_id = own_number(trade.trade_id)
        fields.new_trade_id = own_number(trade.new_trade_id)
        fields.ineligible = trade.ineligible
        fields.tape = sale.tape
        fields.conditions = trade.conditions
        if message == MESSAGE_CORRECTION and encoding >= ENCODINGS:
            self._old_print(trade, &fields)
        memcpy(fields.venue, row.venue, VENUE_ROOM)
        begin_frame(frame, encoding, CHANNEL_TRADES, message, sale.name, sale.name_length)
        finish_frame(frame, encoding, CHANNEL_TRADES, &fields)
        assert <size_t>frame.start + frame.length + 8 <= TRADE_ROOM
        count(self.counters, GATEWAY_ENCODED, 1)

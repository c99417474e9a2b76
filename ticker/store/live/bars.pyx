"""Bars in motion, of all feeds together: made from the trades of the rings, published as they change.

In: the records of the rings of all feeds, read as a gateway reads them. Out: each changed bar, into
the segment of bars. Owned by the store worker.

A bar has the trades of its time over all venues, by the rules of store/bars.pyx, so it equals the
merged bar that REST reads from the disk. It is forming until its time is over by its feed's clock,
which is the newest trade's time and goes on with the steady clock; then it is final, and each later
change makes it an updated one. What is missed of a ring makes the bars of that time incomplete.

The bar of a day has the trades of its feed's day, from midnight to midnight by the feed's time zone,
as its rows tell it; where they tell none, of the day by UTC.

Law: no I/O and no clock: times are passed in. Memory is bounded by the number of trades that are
kept, and by the symbols.
"""

from cpython.mem cimport PyMem_Calloc, PyMem_Free, PyMem_Malloc
from libc.stdint cimport int64_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from ticker.shm.bars.published cimport BarRecord, BarsWriter
from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport (
    RECORD_CANCELLED,
    RECORD_CORRECTED,
    RECORD_PRINT,
    RECORD_TRADE,
    Record,
    Row,
)
from ticker.shm.ring cimport RingReader
from ticker.shm.table cimport PriceTable
from ticker.store.live.bar cimport (
    LIVE_CLOSED,
    LIVE_DIRTY,
    LIVE_INCOMPLETE,
    LIVE_INEXACT,
    LIVE_TOLD,
    LIVE_USED,
    LiveBar,
    LiveTrade,
    fill,
    letters,
)
from ticker.store.live.clocks cimport Clock, look_for_day, now_of, start_of
from ticker.store.live.figures cimport Sale, clear_figures, count_in, count_out, int128
from ticker.store.live.spans cimport SpanBars
from ticker.store.live.symbols cimport Symbol, Symbols

from ticker.shm.bars.published import SPAN_SECONDS

cdef enum:
    MOST_FEEDS = 256
    MOST_EXPONENT = 19

GRACE_NS = 250_000_000
"""How long a bar waits for late trades after its time is over."""
cdef int64_t GRACE = GRACE_NS
cdef int64_t SECOND = 1_000_000_000
cdef uint64_t[MOST_EXPONENT + 1] POWERS
for _power in range(MOST_EXPONENT + 1):
    POWERS[_power] = 10**_power


cdef class LiveBars:
    """Bars of the feeds in `feeds`, (name, mapping) each, published by `writer`. `kept` trades, a
    power of two, can be taken back.

    Raises:
        MemoryError: no memory for them.
    """

    cdef BarsWriter writer
    cdef Symbols symbols
    cdef list readers            # (feed, RingReader)
    cdef list tables             # PriceTable of each feed
    cdef uint32_t feed_count
    cdef Clock* clocks
    cdef LiveTrade* trades
    cdef uint64_t trade_mask
    cdef uint64_t trades_seen
    cdef list spans
    cdef int64_t steady
    cdef readonly uint64_t records
    cdef readonly uint64_t unmatched     # cancels and corrections of trades that are not kept

    def __cinit__(
        self, feeds: list[tuple[str, Mapping]], BarsWriter writer not None, uint32_t kept = 1 << 20
    ) -> None:
        if not kept or kept & (kept - 1):
            raise ValueError(f"kept: {kept} is no power of two")
        if len(feeds) > MOST_FEEDS:
            raise ValueError(f"{len(feeds)} feeds: at most {MOST_FEEDS}")
        self.writer = writer
        self.symbols = Symbols([mapping for _, mapping in feeds], writer)
        self.tables = [PriceTable(mapping) for _, mapping in feeds]
        self.feed_count = len(feeds)
        self.trade_mask = kept - 1
        self.trades = <LiveTrade*>PyMem_Calloc(kept, sizeof(LiveTrade))
        self.clocks = <Clock*>PyMem_Calloc(self.feed_count + 1, sizeof(Clock))
        if not (self.trades and self.clocks):
            raise MemoryError("no memory for the bars in motion")
        self.spans = [SpanBars(each * SECOND, writer.shared.capacity, kept) for each in SPAN_SECONDS]
        self.readers = []
        for feed, (_, mapping) in enumerate(feeds):
            for ring in range(mapping.ring_count):
                reader = RingReader(mapping, ring)
                if go_back(reader):
                    self.clocks[<uint32_t>feed].missed = 1
                self.readers.append((feed, reader))

    def __dealloc__(self) -> None:
        PyMem_Free(self.clocks)
        PyMem_Free(self.trades)

    @property
    def without_room(self) -> int:
        """Rows whose symbol the segment has no room for."""
        return self.symbols.without_room

    @property
    def held(self) -> int:
        """Bars in memory."""
        return sum((<SpanBars>each).room - (<SpanBars>each).vacant_count for each in self.spans)

    # -- in -------------------------------------------------------------------------------

    def read(self, steady_ns: int, limit: int = 1 << 62) -> int:
        """Take in what the rings have, up to about `limit` records of each; how many there were."""
        cdef Record record
        cdef uint64_t before = self.records
        cdef uint64_t most = limit
        cdef uint64_t left
        cdef uint32_t feed
        cdef RingReader reader
        cdef int found
        self.steady = steady_ns
        for number, each in self.readers:
            feed = number
            reader = <RingReader>each
            left = most
            while left:
                found = reader.read(&record)
                if found == 0:
                    break
                left -= 1
                if found < 0:
                    self.miss(feed)
                    continue
                self.records += 1
                if record.kind == RECORD_TRADE or record.kind == RECORD_PRINT:
                    self._add(feed, &record)
                elif record.kind == RECORD_CANCELLED or record.kind == RECORD_CORRECTED:
                    self._change(feed, &record)
        return self.records - before

    def miss(self, feed: int) -> None:
        """Trades of a feed were missed, up to the next one: what forms now is incomplete."""
        cdef uint32_t wanted = feed
        cdef uint32_t i
        cdef SpanBars span
        cdef LiveBar* bar
        if wanted >= self.feed_count:
            raise IndexError(f"feed {feed}: there are {self.feed_count}")
        self.clocks[wanted].missed = 1
        for span in self.spans:
            for i in range(span.forming_count):
                bar = span.bars + span.forming[i]
                if self.symbols.all[bar.symbol].feed == wanted:
                    bar.flags |= LIVE_INCOMPLETE

    cdef int _rescale(self, uint32_t symbol, uint64_t exponent) except -1:
        """A venue has finer sizes than the others: all bars of the symbol get its unit."""
        cdef uint32_t i
        cdef SpanBars span
        cdef LiveBar* bar
        cdef int128 factor
        if exponent > MOST_EXPONENT:
            raise ValueError(f"size exponent {exponent}: at most {MOST_EXPONENT}")
        factor = POWERS[exponent - self.symbols.all[symbol].exponent]
        for span in self.spans:
            for i in range(span.room):
                bar = span.bars + i
                if bar.flags & LIVE_USED and bar.symbol == symbol:
                    bar.figures.volume *= factor
                    bar.figures.notional *= factor
        self.symbols.all[symbol].exponent = <uint32_t>exponent
        return 0

    cdef int _add(self, uint32_t feed, const Record* record) except -1:
        cdef int64_t number = self.symbols.of_row(feed, record.row)
        cdef Clock* clock = self.clocks + feed
        cdef Symbol* symbol
        cdef Row* row
        cdef LiveTrade* trade
        cdef LiveBar* bar
        cdef SpanBars span
        cdef Sale sale
        if number < 0 or record.exchange_time <= 0:
            return 0
        if clock.missed:
            clock.missed = 0
            clock.whole_from = max(clock.whole_from, record.exchange_time)
        look_for_day(clock, <PriceTable>self.tables[feed], record.row, record.exchange_time)
        if record.exchange_time > clock.newest:
            clock.newest = record.exchange_time
            clock.steady = self.steady
        symbol = self.symbols.all + number
        row = self.symbols.rows[feed] + record.row
        if row.size_exponent > symbol.exponent:
            self._rescale(<uint32_t>number, row.size_exponent)
        trade = self.trades + (self.trades_seen & self.trade_mask)
        self.trades_seen += 1
        trade.price = record.price
        trade.size = record.size
        trade.time = record.exchange_time
        trade.match = record.match
        trade.venue = letters(row.venue)
        trade.earlier = symbol.newest
        trade.symbol = <uint32_t>number
        trade.row = record.row
        trade.feed = <uint16_t>feed
        trade.flags = record.conditions
        trade.exponent = <uint16_t>row.size_exponent
        symbol.newest = self.trades_seen
        symbol.feed = feed
        sale = self._sale(trade)
        for each in self.spans:
            span = <SpanBars>each
            bar = span.find(trade.symbol, self._start(span, trade))
            if bar == NULL:
                bar = self._begin_bar(span, trade)
            bar.last_number = self.trades_seen
            count_in(&bar.figures, &sale)
            span.mark(bar)
        return 0

    cdef int64_t _start(self, SpanBars span, const LiveTrade* trade) noexcept nogil:
        return start_of(self.clocks + trade.feed, span.length, trade.time)

    cdef LiveBar* _begin_bar(self, SpanBars span, const LiveTrade* trade) except NULL:
        cdef Clock* clock = self.clocks + trade.feed
        cdef LiveBar* bar = span.begin(trade.symbol, self._start(span, trade), self.trades_seen)
        if bar.start < clock.whole_from:
            bar.flags |= LIVE_INCOMPLETE
        if self._is_over(span, bar, clock):
            bar.flags |= LIVE_CLOSED | LIVE_TOLD  # late: it comes as an update
        else:
            span.form(bar)
        return bar

    cdef int _change(self, uint32_t feed, const Record* record) except -1:
        """A trade is taken back or corrected, in the bars of every span."""
        cdef int64_t symbol = self.symbols.of_row(feed, record.row)
        cdef LiveTrade* trade = NULL
        cdef Sale before, after
        cdef LiveBar* bar
        cdef SpanBars span
        if symbol >= 0:
            trade = self._find(<uint32_t>symbol, feed, record)
        if trade == NULL:
            self.unmatched += symbol >= 0
            return 0
        before = self._sale(trade)
        if record.kind == RECORD_CANCELLED:
            trade.flags = 0
            trade.match = 0
        else:  # the print stays at its time, with other figures, and maybe another number
            trade.price = record.price
            trade.size = record.size
            trade.flags = record.conditions
            if record.seq:
                trade.match = record.seq
        after = self._sale(trade)
        for each in self.spans:
            span = <SpanBars>each
            bar = span.find(trade.symbol, self._start(span, trade))
            if bar == NULL:
                continue
            if self.trades_seen - bar.first_number <= self.trade_mask:
                self._make_again(span, bar)
            else:
                if count_out(&bar.figures, &before):
                    bar.flags |= LIVE_INEXACT
                count_in(&bar.figures, &after)
            span.mark(bar)
        return 0

    cdef LiveTrade* _find(
        self, uint32_t symbol, uint32_t feed, const Record* record
    ) noexcept:
        """A kept trade by its number: the symbol's are looked through, for this is rare."""
        cdef uint64_t number = self.symbols.all[symbol].newest
        cdef LiveTrade* trade
        while record.match and number and self.trades_seen - number <= self.trade_mask:
            trade = self.trades + ((number - 1) & self.trade_mask)
            if trade.match == record.match and trade.row == record.row and trade.feed == feed:
                return trade
            number = trade.earlier
        return NULL

    cdef Sale _sale(self, const LiveTrade* trade) noexcept nogil:
        """With its size in the unit of its symbol."""
        cdef Sale sale
        sale.price = trade.price
        sale.size = <int128>trade.size * POWERS[
            self.symbols.all[trade.symbol].exponent - trade.exponent
        ]
        sale.time = trade.time
        sale.venue = trade.venue
        sale.flags = trade.flags
        return sale

    cdef int _make_again(self, SpanBars span, LiveBar* bar) except -1:
        """All its trades are kept: from the oldest to the newest, as they came."""
        cdef uint64_t number = self.symbols.all[bar.symbol].newest
        cdef uint64_t count = 0
        cdef LiveTrade* trade
        cdef Sale sale
        cdef uint64_t* order = <uint64_t*>PyMem_Malloc(
            (bar.last_number - bar.first_number + 2) * sizeof(uint64_t)
        )
        if order == NULL:
            raise MemoryError("no memory for the bars in motion")
        while number >= bar.first_number:
            trade = self.trades + ((number - 1) & self.trade_mask)
            if self._start(span, trade) == bar.start:
                order[count] = number
                count += 1
            number = trade.earlier
        clear_figures(&bar.figures)
        while count:
            count -= 1
            sale = self._sale(self.trades + ((order[count] - 1) & self.trade_mask))
            count_in(&bar.figures, &sale)
        PyMem_Free(order)
        return 0

    cdef bint _is_over(self, SpanBars span, const LiveBar* bar, const Clock* clock) noexcept:
        return bar.start + span.length + GRACE <= now_of(clock, self.steady)

    # -- out ------------------------------------------------------------------------------

    def close(self, steady_ns: int) -> None:
        """End the bars whose time is over by now."""
        cdef uint32_t i, left
        cdef SpanBars span
        cdef LiveBar* bar
        self.steady = steady_ns
        for span in self.spans:
            left = 0
            for i in range(span.forming_count):
                bar = span.bars + span.forming[i]
                if self._is_over(span, bar, self.clocks + self.symbols.all[bar.symbol].feed):
                    bar.flags |= LIVE_CLOSED
                    span.mark(bar)
                else:
                    span.forming[left] = span.forming[i]
                    left += 1
            span.forming_count = left

    def publish(self, now_ns: int, *, only_forming: bool = False) -> int:
        """Publish what has changed; how many bars. `only_forming`: those whose time is over are
        known already, to those who were there."""
        cdef BarRecord record
        cdef uint32_t i
        cdef SpanBars span
        cdef LiveBar* bar
        cdef int published = 0
        memset(&record, 0, sizeof(record))
        record.publish_time = now_ns
        for index, span in enumerate(self.spans):
            record.span = index
            for i in range(span.dirty_count):
                bar = span.bars + span.dirty[i]
                bar.flags &= ~<uint32_t>LIVE_DIRTY
                if only_forming and bar.flags & LIVE_CLOSED:
                    bar.flags |= LIVE_TOLD
                    continue
                fill(&record, bar, self.symbols.all[bar.symbol].exponent)
                self.writer.publish(&record)
                published += 1
            span.dirty_count = 0
        return published


cdef bint go_back(RingReader reader) noexcept:
    """Begin with the oldest record that is sure to stay until it is read; True: not with the first
    that there was."""
    cdef uint64_t head = reader.position
    cdef uint64_t room = reader.ring.mask + 1
    reader.position = head - min(head, room - room // 4)
    return reader.position != 0

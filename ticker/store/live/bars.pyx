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
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memset

from ticker.pages cimport prefetch
from ticker.shm.bars.published cimport SPANS, BarRecord, BarsWriter
from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport (
    RECORD_CANCELLED,
    RECORD_CORRECTED,
    RECORD_PRINT,
    RECORD_TRADE,
    Record,
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
)
from ticker.store.live.clocks cimport Clock, look_for_day, now_of, start_of
from ticker.store.live.figures cimport Sale, clear_figures, count_in, count_out, int128
from ticker.store.live.spans cimport SpanBars, fetch_bar
from ticker.store.live.symbols cimport Part, Symbol, Symbols
from ticker.store.live.trades cimport Trades, power_of_ten, sale_of

from ticker.shm.bars.published import SPAN_SECONDS

cdef enum:
    MOST_FEEDS = 256
    BATCH = 64                   # records that are taken in together
    AHEAD = 8                    # bars that are fetched before their turn

GRACE_NS = 250_000_000
"""How long a bar waits for late trades after its time is over."""
cdef int64_t GRACE = GRACE_NS
cdef int64_t SECOND = 1_000_000_000


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
    cdef Trades trades
    cdef list spans
    cdef void* every[SPANS]      # the same
    cdef uint32_t* current       # of each symbol its newest bar in each span, place + 1
    cdef int64_t* ended          # by feed: bars that end until then are over
    cdef int64_t steady
    cdef readonly uint64_t records
    cdef readonly uint64_t unmatched     # cancels and corrections of trades that are not kept

    def __cinit__(
        self, feeds: list[tuple[str, Mapping]], BarsWriter writer not None, uint32_t kept = 1 << 20
    ) -> None:
        cdef SpanBars span
        if len(feeds) > MOST_FEEDS:
            raise ValueError(f"{len(feeds)} feeds: at most {MOST_FEEDS}")
        self.writer = writer
        self.symbols = Symbols([mapping for _, mapping in feeds], writer)
        self.tables = [PriceTable(mapping) for _, mapping in feeds]
        self.feed_count = len(feeds)
        self.trades = Trades(kept)
        self.clocks = <Clock*>PyMem_Calloc(self.feed_count + 1, sizeof(Clock))
        self.ended = <int64_t*>PyMem_Calloc(self.feed_count + 1, sizeof(int64_t))
        self.current = <uint32_t*>PyMem_Calloc(
            (<size_t>writer.shared.capacity + 1) * SPANS, sizeof(uint32_t)
        )
        if not (self.clocks and self.ended and self.current):
            raise MemoryError("no memory for the bars in motion")
        self.spans = [SpanBars(each * SECOND, self.feed_count, kept) for each in SPAN_SECONDS]
        for number, each in enumerate(self.spans):
            span = <SpanBars>each
            self.every[<int>number] = <void*>span
            span.current = self.current + <int>number  # side by side, for they are used together
            span.stride = SPANS
        self.readers = []
        for feed, (_, mapping) in enumerate(feeds):
            for ring in range(mapping.ring_count):
                reader = RingReader(mapping, ring)
                if go_back(reader):
                    self.clocks[<uint32_t>feed].missed = 1
                self.readers.append((feed, reader))

    def __dealloc__(self) -> None:
        PyMem_Free(self.clocks)
        PyMem_Free(self.current)
        PyMem_Free(self.ended)

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
        cdef Record[BATCH] records
        cdef uint64_t before = self.records
        cdef uint64_t most = limit
        cdef uint64_t left
        cdef uint32_t feed, count
        cdef RingReader reader
        cdef int found = 1
        self.steady = steady_ns
        for number, each in self.readers:
            feed = number
            reader = <RingReader>each
            left = most
            found = 1
            while left and found:
                count = 0
                while left and count < BATCH:
                    found = reader.read(&records[count])
                    if found <= 0:
                        break
                    left -= 1
                    self.records += 1
                    count += is_of_trade(&records[count])
                self._take_in(feed, records, count)
                if found < 0:
                    left -= 1
                    self.miss(feed)
        return self.records - before

    cdef int _take_in(self, uint32_t feed, const Record* records, uint32_t count) except -1:
        """Records of trades. What they touch is all over the memory, so it is fetched before."""
        cdef SpanBars shortest = <SpanBars>self.every[0]
        cdef uint32_t i
        cdef int64_t start
        cdef int span
        cdef const Part* part
        for i in range(count):
            self.symbols.fetch(feed, records[i].row)
        for i in range(count):
            part = self.symbols.of_row(feed, records[i].row)
            if part.symbol >= 0:
                prefetch(self.symbols.all + part.symbol)
                prefetch(self.current + <size_t>part.symbol * SPANS)
        for i in range(count):
            part = self.symbols.of_row(feed, records[i].row)
            for span in range(<int>SPANS if part.symbol >= 0 else 0):
                fetch_bar((<SpanBars>self.every[span]).newest_of(<uint32_t>part.symbol))
        for i in range(count):
            part = self.symbols.of_row(feed, records[i].row)
            if part.symbol >= 0:  # the shortest bars are new most of the time
                start = start_of(self.clocks + feed, shortest.length, records[i].exchange_time)
                shortest.fetch(<uint32_t>part.symbol, start, i)
        for i in range(count):
            if records[i].kind == RECORD_TRADE or records[i].kind == RECORD_PRINT:
                self._add(feed, &records[i])
            else:
                self._change(feed, &records[i])
        return 0

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
        power_of_ten(exponent)  # it is not too great
        factor = power_of_ten(exponent - self.symbols.all[symbol].exponent)
        for span in self.spans:
            for i in range(span.room):
                bar = span.bars + i
                if bar.flags & LIVE_USED and bar.symbol == symbol:
                    bar.figures.volume *= factor
                    bar.figures.notional *= factor
        self.symbols.all[symbol].exponent = <uint32_t>exponent
        return 0

    cdef int _add(self, uint32_t feed, const Record* record) except -1:
        cdef const Part* part = self.symbols.of_row(feed, record.row)
        cdef Clock* clock = self.clocks + feed
        cdef Symbol* symbol
        cdef LiveTrade* trade
        cdef LiveBar* bar
        cdef SpanBars span
        cdef Sale sale
        cdef int i
        if part.symbol < 0 or record.exchange_time <= 0:
            return 0
        if clock.missed:
            clock.missed = 0
            clock.whole_from = max(clock.whole_from, record.exchange_time)
        look_for_day(clock, <PriceTable>self.tables[feed], record.row, record.exchange_time)
        if record.exchange_time > clock.newest:
            clock.newest = record.exchange_time
            clock.steady = self.steady
        symbol = self.symbols.all + part.symbol
        if part.exponent > symbol.exponent:
            self._rescale(<uint32_t>part.symbol, part.exponent)
        trade = self.trades.add(feed, part, symbol, record)
        if symbol.feed != feed:
            symbol.feed = feed
            for i in range(<int>SPANS):  # bars of the symbol end by this feed's clock now
                (<SpanBars>self.every[i]).soonest[feed] = 0
        sale = sale_of(trade, symbol)
        for i in range(<int>SPANS):
            span = <SpanBars>self.every[i]
            bar = span.find(trade.symbol, self._start(span, trade))
            if bar == NULL:
                bar = self._begin_bar(span, trade)
            bar.last_number = self.trades.seen
            count_in(&bar.figures, &sale)
            span.mark(bar)
        return 0

    cdef int64_t _start(self, SpanBars span, const LiveTrade* trade) noexcept nogil:
        return start_of(self.clocks + trade.feed, span.length, trade.time)

    cdef LiveBar* _begin_bar(self, SpanBars span, const LiveTrade* trade) except NULL:
        cdef Clock* clock = self.clocks + trade.feed
        cdef LiveBar* bar = span.begin(trade.symbol, self._start(span, trade), self.trades.seen)
        if bar.start < clock.whole_from:
            bar.flags |= LIVE_INCOMPLETE
        if bar.start + span.length <= self._ended(clock):
            bar.flags |= LIVE_CLOSED | LIVE_TOLD  # late: it comes as an update
        else:
            span.form(bar, trade.feed)
        return bar

    cdef int _change(self, uint32_t feed, const Record* record) except -1:
        """A trade is taken back or corrected, in the bars of every span."""
        cdef const Part* part = self.symbols.of_row(feed, record.row)
        cdef Symbol* symbol = self.symbols.all + max(part.symbol, 0)
        cdef LiveTrade* trade = NULL
        cdef Sale before, after
        cdef LiveBar* bar
        cdef SpanBars span
        if part.symbol >= 0:
            trade = self.trades.find(symbol, feed, record)
        if trade == NULL:
            self.unmatched += part.symbol >= 0
            return 0
        before = sale_of(trade, symbol)
        if record.kind == RECORD_CANCELLED:
            trade.flags = 0
            trade.match = 0
        else:  # the print stays at its time, with other figures, and maybe another number
            trade.price = record.price
            trade.size = record.size
            trade.flags = record.conditions
            if record.seq:
                trade.match = record.seq
        after = sale_of(trade, symbol)
        for each in self.spans:
            span = <SpanBars>each
            bar = span.find(trade.symbol, self._start(span, trade))
            if bar == NULL:
                continue
            if self.trades.has_all_since(bar.first_number):
                self._make_again(span, bar)
            else:
                if count_out(&bar.figures, &before):
                    bar.flags |= LIVE_INEXACT
                count_in(&bar.figures, &after)
            span.mark(bar)
        return 0

    cdef int _make_again(self, SpanBars span, LiveBar* bar) except -1:
        """All its trades are kept: from the oldest to the newest, as they came."""
        cdef Symbol* symbol = self.symbols.all + bar.symbol
        cdef uint64_t number = symbol.newest
        cdef uint64_t count = 0
        cdef LiveTrade* trade
        cdef Sale sale
        cdef uint64_t* order = <uint64_t*>PyMem_Malloc(
            (bar.last_number - bar.first_number + 2) * sizeof(uint64_t)
        )
        if order == NULL:
            raise MemoryError("no memory for the bars in motion")
        while number >= bar.first_number:
            trade = self.trades.at(number)
            if self._start(span, trade) == bar.start:
                order[count] = number
                count += 1
            number = trade.earlier
        clear_figures(&bar.figures)
        while count:
            count -= 1
            sale = sale_of(self.trades.at(order[count]), symbol)
            count_in(&bar.figures, &sale)
        PyMem_Free(order)
        return 0

    cdef int64_t _ended(self, const Clock* clock) noexcept:
        """Bars that end until then are over."""
        return now_of(clock, self.steady) - GRACE

    # -- out ------------------------------------------------------------------------------

    def close(self, steady_ns: int) -> None:
        """End the bars whose time is over by now."""
        cdef uint32_t feed
        self.steady = steady_ns
        for feed in range(self.feed_count):
            self.ended[feed] = self._ended(self.clocks + feed)
        for each in self.spans:
            (<SpanBars>each).close(self.ended, self.symbols.all)

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
                if i + AHEAD < span.dirty_count:
                    prefetch(span.bars + span.dirty[i + AHEAD])
                    self.writer.fetch(span.bars[span.dirty[i + AHEAD // 2]].symbol, index)
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


cdef inline bint is_of_trade(const Record* record) noexcept:
    return (
        record.kind == RECORD_TRADE or record.kind == RECORD_PRINT
        or record.kind == RECORD_CANCELLED or record.kind == RECORD_CORRECTED
    )


cdef bint go_back(RingReader reader) noexcept:
    """Begin with the oldest record that is sure to stay until it is read; True: not with the first
    that there was."""
    cdef uint64_t head = reader.position
    cdef uint64_t room = reader.ring.mask + 1
    reader.position = head - min(head, room - room // 4)
    return reader.position != 0

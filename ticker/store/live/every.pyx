"""The bars of all spans together.

In: trades that are kept (trades.pyx), by the clocks of their feeds. Out: each changed bar, into the
segment of bars. Owned by LiveBars (bars.pyx), which says what a bar has.

Law: no I/O and no clock: times are passed in.
"""

from cpython.mem cimport PyMem_Calloc, PyMem_Free, PyMem_Malloc
from libc.stdint cimport int64_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from ticker.pages cimport prefetch
from ticker.shm.bars.published cimport SPANS, BarRecord, BarsWriter
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
from ticker.store.live.clocks cimport Clock, end_of, now_of, start_of
from ticker.store.live.figures cimport Sale, clear_figures, count_in, count_out, int128
from ticker.store.live.spans cimport SpanBars, fetch_bar
from ticker.store.live.symbols cimport Symbol, Symbols
from ticker.store.live.trades cimport Trades, power_of_ten, sale_of

from ticker.shm.bars.published import SPAN_SECONDS

cdef enum:
    AHEAD = 8                    # bars that are fetched before their turn

cdef int64_t GRACE = 250_000_000
cdef int64_t SECOND = 1_000_000_000
GRACE_NS = GRACE
"""How long a bar waits for late trades after its time is over."""


cdef class EverySpan:
    """Of the symbols of so many feeds, published by `writer`; `kept` trades can be taken back.

    Raises:
        MemoryError: no memory for them.
    """

    def __cinit__(
        self, Symbols symbols not None, Trades trades not None, BarsWriter writer not None,
        uint32_t feeds, uint32_t kept,
    ) -> None:
        cdef SpanBars span
        self.symbols = symbols
        self.trades = trades
        self.writer = writer
        self.feed_count = feeds
        self.clocks = <Clock*>PyMem_Calloc(feeds + 1, sizeof(Clock))
        self.ended = <int64_t*>PyMem_Calloc(feeds + 1, sizeof(int64_t))
        self.current = <uint32_t*>PyMem_Calloc(
            (<size_t>writer.shared.capacity + 1) * SPANS, sizeof(uint32_t)
        )
        if not (self.clocks and self.ended and self.current):
            raise MemoryError("no memory for the bars in motion")
        self.spans = [SpanBars(each * SECOND, feeds, kept) for each in SPAN_SECONDS]
        for number, each in enumerate(self.spans):
            span = <SpanBars>each
            self.every[<int>number] = <void*>span
            span.current = self.current + <int>number  # side by side, for they are used together
            span.stride = SPANS

    def __dealloc__(self) -> None:
        PyMem_Free(self.clocks)
        PyMem_Free(self.current)
        PyMem_Free(self.ended)

    cdef void fetch(self, uint32_t symbol) noexcept nogil:
        """The newest bars of a symbol, into the cache."""
        cdef int span
        for span in range(<int>SPANS):
            fetch_bar((<SpanBars>self.every[span]).newest_of(symbol))

    cdef void fetch_new(self, uint32_t symbol, uint32_t before) noexcept nogil:
        """What a new one of the shortest bars touches, into the cache; `before` others begin."""
        cdef LiveTrade* trade = self.trades.at(self.symbols.all[symbol].newest)
        (<SpanBars>self.every[0]).fetch(symbol, self.start(0, trade), before)

    cdef int64_t start(self, int span, const LiveTrade* trade) noexcept nogil:
        """Of the bar that the trade is in."""
        return start_of(self.clocks + trade.feed, (<SpanBars>self.every[span]).length, trade.time)

    cdef int64_t ended_of(self, uint32_t feed) noexcept nogil:
        """Bars of a feed that end until then are over."""
        return now_of(self.clocks + feed, self.steady) - GRACE

    cdef int count(
        self, uint64_t number, Symbol* symbol, int64_t newest, bint late
    ) except -1:
        """The trade of this number, into its bars; into a shortest one that begins before `newest`
        only if there is that bar. `late`: it came after the time of a bar that it is in."""
        cdef LiveTrade* trade = self.trades.at(number)
        cdef Sale sale = sale_of(trade, symbol)
        cdef LiveBar* bar
        cdef int64_t start
        cdef int span
        for span in range(<int>SPANS):
            start = self.start(span, trade)
            bar = (<SpanBars>self.every[span]).find(trade.symbol, start)
            if bar == NULL:
                if span == 0 and start < newest:
                    symbol.thin_until = max(symbol.thin_until, start)
                    continue
                bar = self._begin(span, trade, number, late)
            bar.last_number = number
            count_in(&bar.figures, &sale)
            (<SpanBars>self.every[span]).mark(bar)
        return 0

    cdef LiveBar* _begin(
        self, int span, const LiveTrade* trade, uint64_t number, bint late
    ) except NULL:
        cdef SpanBars bars = <SpanBars>self.every[span]
        cdef LiveBar* bar = bars.begin(
            trade.symbol, self.start(span, trade), number, self.trades.seen
        )
        if bar.start < self.clocks[trade.feed].whole_from or (
            span == 0 and bar.start <= self.symbols.all[trade.symbol].thin_until
        ):
            bar.flags |= LIVE_INCOMPLETE
        if end_of(self.clocks + trade.feed, bars.length, bar.start) > self.ended_of(trade.feed):
            bars.form(bar, trade.feed)
        else:
            bar.flags |= LIVE_CLOSED
            if late:
                bar.flags |= LIVE_TOLD  # it comes as an update
        return bar

    cdef int change(self, const LiveTrade* trade, const Sale* before, const Sale* after) except -1:
        """A trade that was counted is another one now, in the bars of every span."""
        cdef LiveBar* bar
        cdef int span
        for span in range(<int>SPANS):
            bar = (<SpanBars>self.every[span]).find(trade.symbol, self.start(span, trade))
            if bar == NULL:
                continue
            if self.trades.has_all_since(bar.first_number):
                self._make_again(span, bar)
            else:
                if count_out(&bar.figures, before):
                    bar.flags |= LIVE_INEXACT
                count_in(&bar.figures, after)
            (<SpanBars>self.every[span]).mark(bar)
        return 0

    cdef int rescale(self, uint32_t symbol, uint64_t exponent) except -1:
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
        self.symbols.all[symbol].exponent = <uint16_t>exponent
        return 0

    cdef void of_feed(self, uint32_t feed) noexcept nogil:
        """Bars of a symbol end by this feed's clock from now on."""
        cdef int span
        for span in range(<int>SPANS):
            (<SpanBars>self.every[span]).soonest[feed] = 0

    cdef void lacks(self, uint32_t feed) noexcept nogil:
        """Trades of a feed were missed: what forms now is incomplete."""
        cdef uint32_t i
        cdef int span
        cdef LiveBar* bar
        for span in range(<int>SPANS):
            for i in range((<SpanBars>self.every[span]).forming_count):
                bar = (<SpanBars>self.every[span]).bars + (<SpanBars>self.every[span]).forming[i]
                if self.symbols.all[bar.symbol].feed == feed:
                    bar.flags |= LIVE_INCOMPLETE

    cdef void close(self, int64_t steady_ns) noexcept nogil:
        """End the bars whose time is over by now."""
        cdef uint32_t feed
        cdef int span
        self.steady = steady_ns
        for feed in range(self.feed_count):
            self.ended[feed] = self.ended_of(feed)
        for span in range(<int>SPANS):
            (<SpanBars>self.every[span]).close(self.ended, self.clocks, self.symbols.all)

    cdef int publish(self, int64_t now_ns, bint only_forming, bint quiet) except -1:
        """Publish what has changed; how many bars. `only_forming`: those whose time is over are
        known already, to those who were there. `quiet`: nobody is there, so that only the newest
        bars are written, and not the ring."""
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
                if not quiet:
                    self.writer.publish(&record)
                elif span.newest_of(bar.symbol) == bar:
                    self.writer.place(&record)
                published += 1
            span.dirty_count = 0
        return published

    cdef int _make_again(self, int span, LiveBar* bar) except -1:
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
            if self.start(span, trade) == bar.start:
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

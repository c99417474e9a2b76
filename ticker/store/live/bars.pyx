"""Bars in motion, of all feeds together: made from the trades of the rings, published as they change.

In: the records of the rings of all feeds, read as a gateway reads them. Out: each changed bar, into
the segment of bars. Owned by the store worker.

A bar has the trades of its time over all venues, by the rules of store/bars.pyx, so it equals the
merged bar that REST reads from the disk. It is forming until its time is over by its feed's clock,
which is the newest trade's time and goes on with the steady clock; then it is final, and each later
change makes it an updated one. What is missed of a ring makes the bars of that time incomplete.

A trade is first kept, and later counted into its bars, all that came of a symbol one after another:
soon where clients watch bars, else after some seconds, and then without the shortest bars that were over
before the newest of a symbol began. Else the bars are the same. A late trade is counted at once.

The bar of a day has the trades of its feed's day, from midnight to midnight by the feed's time zone,
as its rows tell it; where they tell none, of the day by UTC.

Law: no I/O and no clock: times are passed in. Memory is bounded by the number of trades that are
kept, and by the symbols.
"""

from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.stdint cimport int64_t, uint32_t, uint64_t

from ticker.pages cimport give_pages, prefetch, take_pages
from ticker.shm.bars.published cimport SPANS, BarsWriter
from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport (
    RECORD_CANCELLED,
    RECORD_CORRECTED,
    RECORD_PRINT,
    RECORD_TRADE,
    Record,
)
from ticker.store.live.passing cimport of_trades, oldest_sure, read_some
from ticker.shm.ring cimport RingReader
from ticker.shm.table cimport PriceTable
from ticker.store.live.bar cimport LiveTrade
from ticker.store.live.clocks cimport DAY, Clock, look_for_day
from ticker.store.live.every cimport EverySpan
from ticker.store.live.figures cimport Sale
from ticker.store.live.spans cimport SpanBars
from ticker.store.live.symbols cimport Part, Symbol, Symbols
from ticker.store.live.trades cimport Trades, sale_of

from collections.abc import Callable, Sequence

from ticker.store.live.every import GRACE_NS

__all__ = ["GRACE_NS", "LiveBars"]

cdef enum:
    MOST_FEEDS = 256
    BATCH = 64                   # records that are taken in together
    FAR = 24                     # symbols that are fetched before their turn,
    AHEAD = 8                    # their bars,
    NEAR = 4                     # and the places of new bars
    TOGETHER = 8                 # symbols whose trades are fetched side by side


cdef class LiveBars:
    """Bars of the feeds in `feeds`, (name, mapping) each, published by `writer`. `kept` trades, a
    power of two, can be taken back. `day_ends`: of each feed, when the day ends that begins at a
    midnight, ns since the epoch; without it days have 24 hours.

    Raises:
        MemoryError: no memory for them.
    """

    cdef Symbols symbols
    cdef Trades trades
    cdef EverySpan bars
    cdef list readers            # (feed, RingReader)
    cdef list tables             # PriceTable of each feed
    cdef list day_ends           # of each feed
    cdef uint64_t kept
    cdef uint64_t counted        # trades up to this number are in their bars
    cdef uint32_t* waiting       # numbers of the symbols that have later ones
    cdef uint32_t waiting_count
    cdef uint64_t* order         # of a symbol's trades that are counted, newest first
    cdef bint sparse
    cdef bint quiet              # the newest count was sparse
    cdef readonly uint64_t records
    cdef readonly uint64_t unmatched     # cancels and corrections of trades that are not kept

    def __cinit__(
        self, feeds: list[tuple[str, Mapping]], BarsWriter writer not None, uint32_t kept = 1 << 20,
        day_ends: Sequence[Callable[[int], int]] = (),
    ) -> None:
        if len(feeds) > MOST_FEEDS:
            raise ValueError(f"{len(feeds)} feeds: at most {MOST_FEEDS}")
        self.symbols = Symbols([mapping for _, mapping in feeds], writer)
        self.tables = [PriceTable(mapping) for _, mapping in feeds]
        self.day_ends = list(day_ends) or [day_later] * len(feeds)
        self.trades = Trades(kept)
        self.bars = EverySpan(self.symbols, self.trades, writer, len(feeds), kept)
        self.kept = kept
        self.order = <uint64_t*>take_pages(kept * sizeof(uint64_t))
        self.waiting = <uint32_t*>PyMem_Calloc(
            <size_t>writer.shared.capacity + 1, sizeof(uint32_t)
        )
        if not (self.order and self.waiting):
            raise MemoryError("no memory for the bars in motion")
        self.readers = []
        for feed, (_, mapping) in enumerate(feeds):
            for ring in range(mapping.ring_count):
                reader = RingReader(mapping, ring)
                if go_back(reader):
                    self.bars.clocks[<uint32_t>feed].missed = 1
                self.readers.append((feed, reader))

    def __dealloc__(self) -> None:
        PyMem_Free(self.waiting)
        give_pages(self.order, self.kept * sizeof(uint64_t))

    @property
    def without_room(self) -> int:
        """Rows whose symbol the segment has no room for."""
        return self.symbols.without_room

    @property
    def uncounted(self) -> float:
        """The share of the trades that are kept which are in no bar yet. From a half on `take_in`
        counts them itself, all in one go."""
        return (self.trades.seen - self.counted) / <double>self.kept

    @property
    def held(self) -> int:
        """Bars in memory."""
        return sum((<SpanBars>each).room - (<SpanBars>each).vacant_count for each in self.bars.spans)

    # -- in -------------------------------------------------------------------------------

    def read(self, steady_ns: int, limit: int = 1 << 62) -> int:
        """`take_in`, then `count`."""
        found = self.take_in(steady_ns, limit)
        self.count()
        return found

    def take_in(self, steady_ns: int, limit: int = 1 << 62) -> int:
        """Keep what the rings have, up to about `limit` records of each; how many there were."""
        cdef Record[BATCH] records
        cdef uint64_t before = self.records
        cdef uint64_t most = limit
        cdef uint64_t left
        cdef uint32_t feed, count
        cdef RingReader reader
        cdef int found = 1
        self.bars.steady = steady_ns
        for number, each in self.readers:
            feed = number
            reader = <RingReader>each
            left = most
            found = 1
            while left and found:
                count = read_some(
                    reader, of_trades(), records, BATCH, &left, &self.records, &found
                )
                self._take_in(feed, records, count)
                if found < 0:
                    self.miss(feed)
        return self.records - before

    cdef int _take_in(self, uint32_t feed, const Record* records, uint32_t count) except -1:
        """Records of trades. What they touch is all over the memory, so it is fetched before."""
        cdef uint32_t i
        cdef const Part* part
        for i in range(count):
            self.symbols.fetch(feed, records[i].row)
        for i in range(count):
            part = self.symbols.of_row(feed, records[i].row)
            if part.symbol >= 0:
                prefetch(self.symbols.all + part.symbol)
        for i in range(count):
            if records[i].kind == RECORD_TRADE or records[i].kind == RECORD_PRINT:
                self._add(feed, &records[i])
            else:
                self._change(feed, &records[i])
        return 0

    def miss(self, feed: int) -> None:
        """Trades of a feed were missed, up to the next one: what forms now is incomplete."""
        cdef uint32_t wanted = feed
        if wanted >= self.bars.feed_count:
            raise IndexError(f"feed {feed}: there are {self.bars.feed_count}")
        self.count()
        self.bars.clocks[wanted].missed = 1
        self.bars.lacks(wanted)

    cdef int _add(self, uint32_t feed, const Record* record) except -1:
        cdef const Part* part = self.symbols.of_row(feed, record.row)
        cdef Clock* clock = self.bars.clocks + feed
        cdef Symbol* symbol
        if part.symbol < 0 or record.exchange_time <= 0:
            return 0
        if self.trades.seen - self.counted >= self.kept >> 1:
            self.count(sparse=self.quiet)  # before the log comes round
        if clock.missed:
            clock.missed = 0
            clock.whole_from = max(clock.whole_from, record.exchange_time)
        look_for_day(
            clock, <PriceTable>self.tables[feed], record.row, record.exchange_time,
            self.day_ends[feed],
        )
        if record.exchange_time > clock.newest:
            clock.newest = record.exchange_time
            clock.steady = self.bars.steady
        symbol = self.symbols.all + part.symbol
        if part.exponent > symbol.exponent:
            self.bars.rescale(<uint32_t>part.symbol, part.exponent)
        self.trades.add(feed, part, symbol, record)
        if symbol.feed != feed:
            symbol.feed = feed
            self.bars.of_feed(feed)
        if not symbol.waits:
            symbol.waits = 1
            self.waiting[self.waiting_count] = <uint32_t>part.symbol
            self.waiting_count += 1
        if record.exchange_time < self.bars.ended_of(feed):
            self._count(<uint32_t>part.symbol, True)
        return 0

    def count(self, *, sparse: bool = False, symbols: int = 1 << 31) -> bool:
        """Count the trades of up to so many symbols that were taken in into their bars; whether
        there are none left. `sparse`: nobody watches, so of each symbol only the newest of the
        shortest bars is made."""
        cdef uint32_t i, number
        cdef uint32_t most = symbols
        cdef uint32_t left = self.waiting_count - min(most, self.waiting_count)
        self.sparse = self.quiet = sparse
        while self.waiting_count > left:
            if self.waiting_count % TOGETHER == 0:
                self._fetch_trades(left)
            self.waiting_count -= 1
            i = self.waiting_count
            if i >= left + FAR:
                number = self.waiting[i - FAR]
                prefetch(self.symbols.all + number)
                prefetch(self.bars.current + <size_t>number * SPANS)
            if i >= left + AHEAD:
                number = self.waiting[i - AHEAD]
                self.bars.fetch(number)
            if i >= left + NEAR:  # the shortest bars are new most of the time
                self.bars.fetch_new(self.waiting[i - NEAR], NEAR)
            self._count(self.waiting[i], False)
            self.symbols.all[self.waiting[i]].waits = 0
        self.sparse = False
        if not left:
            self.counted = self.trades.seen
        return not left

    cdef void _fetch_trades(self, uint32_t left) noexcept nogil:
        """Into the cache, the trades of the next symbols: each is found by the one behind it, so the
        symbols go back side by side."""
        cdef uint64_t[TOGETHER] at
        cdef uint32_t count = min(self.waiting_count - left, <uint32_t>TOGETHER)
        cdef uint32_t i, found
        cdef const Symbol* symbol
        for i in range(count):
            at[i] = self.symbols.all[self.waiting[self.waiting_count - 1 - i]].newest
            prefetch(self.trades.at(at[i]))
        found = count
        while found:
            found = 0
            for i in range(count):
                symbol = self.symbols.all + self.waiting[self.waiting_count - 1 - i]
                if at[i] > symbol.counted:
                    at[i] = self.trades.at(at[i]).earlier
                    prefetch(self.trades.at(at[i]))
                    found += 1

    cdef int _count(self, uint32_t number, bint late) except -1:
        """A symbol's trades that are in no bar yet, in their order. `late`: the newest of them came
        after the time of a bar that it is in."""
        cdef Symbol* symbol = self.symbols.all + number
        cdef uint64_t at = symbol.newest
        cdef uint64_t count = 0
        cdef int64_t newest = 0
        cdef LiveTrade* trade
        while at > symbol.counted:
            trade = self.trades.at(at)
            if self.sparse:
                newest = max(newest, self.bars.start(0, trade))
            self.order[count] = at
            count += 1
            at = trade.earlier
        symbol.counted = symbol.newest
        while count:
            count -= 1
            self.bars.count(self.order[count], symbol, newest, late and not count)
        return 0

    cdef int _change(self, uint32_t feed, const Record* record) except -1:
        """A trade is taken back or corrected, in the bars of every span."""
        cdef const Part* part = self.symbols.of_row(feed, record.row)
        cdef Symbol* symbol = self.symbols.all + max(part.symbol, 0)
        cdef LiveTrade* trade = NULL
        cdef Sale before, after
        if part.symbol >= 0:
            self._count(<uint32_t>part.symbol, False)
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
        return self.bars.change(trade, &before, &after)

    # -- out ------------------------------------------------------------------------------

    def close(self, steady_ns: int) -> None:
        """End the bars whose time is over by now."""
        self.bars.close(steady_ns)

    def publish(self, now_ns: int, *, only_forming: bool = False, quiet: bool = False) -> int:
        """Publish what has changed (EverySpan.publish); how many bars."""
        return self.bars.publish(now_ns, only_forming, quiet)

    def look_again(self) -> None:
        """Tell readers that bars were published quietly."""
        self.bars.writer.look_again()


def day_later(midnight: int) -> int:
    """24 hours after it."""
    return midnight + DAY


cdef bint go_back(RingReader reader) noexcept:
    """Begin with the oldest record that is sure to stay until it is read; True: not with the first
    that there was."""
    reader.position = oldest_sure(reader)
    return reader.position != 0

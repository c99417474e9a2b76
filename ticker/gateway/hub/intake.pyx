"""The rings of all feeds, and of bars in motion, read to their ends once a turn; and the books
that clients watch.

In: ring records. Out: calls on sales.pyx, by the symbol that a record is of. Owned by one hub.
Books have no records: a view looks whether its rows have moved.

Law: a lap costs nobody but intermediate ticks: all symbols of that feed are read from the table
again, and what was lost of `trades` is counted.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t

cdef extern from *:
    void prefetch "__builtin_prefetch"(const void* address) nogil

from ticker.gateway.bars.book cimport BarBook
from ticker.gateway.hub.fields cimport CHANNEL_DEPTH, CHANNEL_QUOTE, FIRST_BARS
from ticker.gateway.books.views cimport VIEW_MOVED, VIEW_SAME, Refreshed, Views
from ticker.gateway.hub.sales cimport Sales
from ticker.gateway.hub.topics cimport CHANNEL_BITS, CHANNEL_MASK, Topics, topic_of
from ticker.gateway.prices.board cimport NO_PART, NO_SYMBOL, Board
from ticker.shm.bars.published cimport SPANS, BarRecord
from ticker.shm.counters cimport (
    GATEWAY_LAPS,
    GATEWAY_RECORDS_READ,
    GATEWAY_RECORDS_SKIPPED,
    count,
)
from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport (
    CACHE_LINE,
    RECORD_CANCELLED,
    RECORD_CORRECTED,
    RECORD_CORRECTION,
    RECORD_DAY,
    RECORD_PRINT,
    RECORD_QUOTE,
    RECORD_TRADE,
    Record,
)
from ticker.shm.ring cimport RingReader
from ticker.shm.shards.watchers cimport SKIPS_TRADES

cdef enum:
    AHEAD = 24
    SOME = 16                    # records that are read before the first of them is taken


cdef class Intake:
    """`feeds`: the mappings that `board` has; `segment`: the gateway's own, for its counters."""

    def __cinit__(
        self, Board board not None, Topics topics not None, Sales sales not None,
        BarBook bars not None, feeds: list[Mapping], Mapping segment not None,
    ) -> None:
        self.board = board
        self.topics = topics
        self.sales = sales
        self.bars = bars
        self.views = Views(board, segment)
        self.counters = segment.counters
        self.readers = []
        for feed, mapping in enumerate(feeds):
            self.add_feed(feed, mapping)

    def add_feed(self, feed: int, Mapping mapping not None) -> None:
        """Read the rings and the books of a feed, by the board's number of it, from now on."""
        self.views.levels.add_feed(mapping)
        self.readers += [(feed, RingReader(mapping, ring)) for ring in range(mapping.ring_count)]

    def remove_feed(self, feed: int) -> None:
        """Read them no more. Call it before the board's."""
        self.views.levels.remove_feed(feed)
        self.readers = [each for each in self.readers if each[0] != feed]

    def open_view(self, symbol: int, venue: str, levels: int) -> int:
        """The view of a symbol's book (Views.open), with room for its topic."""
        number = self.views.open(symbol, venue, levels)
        self.sales.reserve(self.views.count)
        return number

    cdef int drain(self) except -1:
        """Take all records that the rings hold, then read the quotes and the books that somebody
        watches."""
        cdef uint32_t i
        if self.board.count > self.topics.symbol_count:
            self.sales.grow()  # the board was refreshed by somebody else
        for feed, reader in self.readers:
            if (<RingReader>reader).pending():
                self._drain_ring(feed, <RingReader>reader)
        if self.bars.reader is not None:
            self.bars.grow(self.topics.symbol_capacity)
            if self.bars.reader.pending():
                self._drain_bars()
        for i in range(self.topics.changed_count):
            if self.topics.changed[i] & CHANNEL_MASK == CHANNEL_QUOTE:
                self.sales.read_quote(self.topics.changed[i] >> CHANNEL_BITS)
        if self.views.open_count:
            self._refresh_views()
        return 0

    cdef int _refresh_views(self) except -1:
        cdef uint32_t view
        cdef Refreshed found
        for view in range(self.views.count):
            found = self.views.refresh(view)
            if found != VIEW_SAME:
                self.topics.touch(topic_of(view, CHANNEL_DEPTH), found == VIEW_MOVED)
                assert self.topics.versions[topic_of(view, CHANNEL_DEPTH)] == (
                    self.views.views[view].version
                )
        return 0

    cdef bint records_wait(self) except -1:
        """Some ring holds what we have not read, or a book has changed."""
        for _, reader in self.readers:
            if (<RingReader>reader).pending():
                return True
        if self.bars.reader is not None and self.bars.reader.pending():
            return True
        return self.views.open_count > 0 and self.views.pending()

    cdef int watch_bars(self, uint32_t symbol, uint32_t span) except -1:
        """Somebody begins to watch bars of a symbol: its newest one, if there is one."""
        cdef BarRecord newest
        if self.bars.begin(symbol, span, &newest):
            self._put_bar(symbol, &newest)
        return 0

    cdef int _drain_bars(self) except -1:
        """Take the changes of bars that somebody watches."""
        cdef BarRecord record
        cdef int64_t symbol
        cdef int got
        while True:
            got = self.bars.reader.read(&record)
            if got == 0:
                break
            if got < 0:
                count(self.counters, GATEWAY_LAPS, 1)
                self._resync_bars(True)
                continue
            if record.span >= SPANS:
                self._resync_bars(False)  # they were not told while nobody watched
                continue
            symbol = self.bars.symbol_of(record.symbol)
            if symbol >= 0 and self._watches(<uint32_t>symbol, record.span):
                self._put_bar(<uint32_t>symbol, &record)
        return 0

    cdef bint _watches(self, uint32_t symbol, uint32_t span) noexcept nogil:
        return self.topics.topics[topic_of(symbol, FIRST_BARS + span)].subscriber_count != 0

    cdef void _put_bar(self, uint32_t symbol, const BarRecord* record) noexcept nogil:
        cdef uint32_t topic = topic_of(symbol, FIRST_BARS + record.span)
        self.topics.touch(topic, 1)
        self.bars.put(symbol, record.span, record, self.topics.versions[topic])

    cdef int _resync_bars(self, bint lost) except -1:
        """Of what somebody watches, the newest bars; a word to them, if changes were `lost`."""
        cdef BarRecord newest
        cdef uint32_t symbol, span, topic
        for symbol in range(self.topics.symbol_count):
            for span in range(<uint32_t>SPANS):
                if self._watches(symbol, span):
                    if lost:
                        topic = topic_of(symbol, FIRST_BARS + span)
                        self.topics.touch(topic, 1)
                        self.bars.lose(symbol, span, self.topics.versions[topic])
                    if self.bars.newest(symbol, span, &newest):
                        self._put_bar(symbol, &newest)
        return 0

    cdef int _drain_ring(self, uint32_t feed, RingReader reader) except -1:
        cdef Record[SOME] records
        cdef uint64_t skipped = reader.skipped
        cdef uint64_t first = reader.position
        cdef int got = 1
        cdef int count_of, i
        while got:
            count_of = 0
            while count_of < SOME:
                # records lie in the writer's cache: fetch some ahead
                prefetch(reader.ring.records + ((reader.position + AHEAD) & reader.ring.mask))
                got = reader.read(records + count_of)
                if got <= 0:
                    break
                self._look_ahead(feed, records[count_of].row)
                count_of += 1
            for i in range(count_of):
                self._take_record(feed, records + i)
            if got < 0:
                count(self.counters, GATEWAY_LAPS, 1)
                self._resync(feed)
        skipped = reader.skipped - skipped
        count(self.counters, GATEWAY_RECORDS_SKIPPED, skipped)
        count(self.counters, GATEWAY_RECORDS_READ, reader.position - first - skipped)
        return 0

    cdef void _look_ahead(self, uint32_t feed, uint32_t row) noexcept nogil:
        """Fetch what a record of this row will touch."""
        cdef uint32_t symbol = self.board.symbol_of(feed, row)
        if symbol < self.topics.symbol_count:
            prefetch(self.sales.sales + symbol)
            prefetch(<const char*>(self.sales.sales + symbol) + CACHE_LINE)
            prefetch(self.sales.states[feed] + row)
            prefetch(&self.sales.rows[feed][row].size_exponent)
            prefetch(self.topics.versions + topic_of(symbol, 0))
            prefetch(self.topics.topics + topic_of(symbol, 0))

    cdef int _take_record(self, uint32_t feed, const Record* record) except -1:
        cdef uint32_t symbol = self.board.symbol_of(feed, record.row)
        if symbol == NO_PART:
            return 0
        if symbol == NO_SYMBOL:
            self._learn(feed, record.row)
        elif record.kind == RECORD_TRADE or record.kind == RECORD_PRINT:
            if self.sales.trade(feed, symbol, record):
                self.sales.reload(symbol, False)
                self.sales.identify(symbol, record)
        elif record.kind == RECORD_QUOTE:
            self.sales.quote(symbol)
        elif record.kind == RECORD_CORRECTION or record.kind == RECORD_DAY:
            if record.kind == RECORD_CORRECTION and record.conditions & SKIPS_TRADES:
                self.sales.skip(feed, symbol, record)
            self.sales.reload(symbol, False)
        elif record.kind == RECORD_CANCELLED or record.kind == RECORD_CORRECTED:
            self.sales.correction(feed, symbol, record)
        return 0

    cdef int _learn(self, uint32_t feed, uint32_t row) except -1:
        """A record named a row that is new to us."""
        cdef uint32_t known = self.topics.symbol_count
        cdef uint32_t symbol
        self.board.learn(feed, row)
        self.sales.grow()
        symbol = self.board.symbol_of(feed, row)
        if symbol != NO_PART and symbol < known:
            self.sales.reload(symbol, False)  # a further venue of a symbol
        return 0

    cdef int _resync(self, uint32_t feed) except -1:
        """A ring lapped us: look at every symbol of the feed again."""
        cdef uint32_t row
        self.board.refresh()
        self.sales.grow()
        for row in range(self.board.rows_known[feed]):
            if self.board.symbol_of(feed, row) != NO_PART:
                self.sales.reload(self.board.symbol_of(feed, row), True)
        return 0

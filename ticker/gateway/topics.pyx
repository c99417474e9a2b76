"""Topics: the latest price of every symbol, its version, and its frames.

In: ring records of all feeds, and the price tables behind them. Out: a list of the topics that
changed, and frames, each encoded once per version for all subscribers. Owned by one hub.

Law: the ring record has the price already; the table is read for new rows, laps and corrections
only. A row's seq says what was applied, so nothing is applied twice and no price goes back.
"""

from cpython.mem cimport PyMem_RawCalloc, PyMem_RawFree, PyMem_RawMalloc, PyMem_RawRealloc
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

cdef extern from *:
    void prefetch "__builtin_prefetch"(const void* address) nogil

from ticker.gateway.board cimport NO_PART, NO_SYMBOL, Board, RowRef
from ticker.gateway.encode cimport FRAME_ROOM, PriceFrame, begin_frame, write_price_frame
from ticker.shm.counters cimport (
    GATEWAY_ENCODED,
    GATEWAY_HISTOGRAM_EXCHANGE_TO_SEND,
    GATEWAY_HISTOGRAM_PUBLISH_TO_SEND,
    GATEWAY_LAPS,
    GATEWAY_RECORDS_READ,
    GATEWAY_RECORDS_SKIPPED,
    count,
    record_duration,
)
from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport (
    CACHE_LINE,
    RECORD_CORRECTION,
    RECORD_TRADE,
    ROW_SHARED_MICROSECOND,
    Record,
    Values,
)
from ticker.shm.ring cimport RingReader


cdef enum:
    AHEAD = 24


cdef uint32_t* regrown(uint32_t* array, uint32_t capacity) except NULL:
    cdef uint32_t* grown = <uint32_t*>PyMem_RawRealloc(array, capacity * sizeof(uint32_t))
    if grown == NULL:
        raise MemoryError
    return grown


cdef class Topics:
    """`segment`: the gateway's own, for its counters. `feeds`: the mappings that `board` has."""

    def __cinit__(
        self, Board board not None, Mapping segment not None, feeds: list[Mapping]
    ) -> None:
        self.board = board
        self.counters = segment.counters
        self.histograms = segment.histograms
        self.row_seq = <uint64_t**>PyMem_RawCalloc(len(feeds) + 1, sizeof(uint64_t*))
        if self.row_seq == NULL:
            raise MemoryError
        self.readers = []
        self._read_feeds(feeds)
        self._grow()

    def _read_feeds(self, feeds: list[Mapping]) -> None:
        cdef Mapping mapping
        for feed, mapping in enumerate(feeds):
            self.row_seq[<uint32_t>feed] = <uint64_t*>PyMem_RawCalloc(
                mapping.header.row_capacity, sizeof(uint64_t)
            )
            if self.row_seq[<uint32_t>feed] == NULL:
                raise MemoryError
            for ring in range(mapping.ring_count):
                self.readers.append((feed, RingReader(mapping, ring)))

    def __dealloc__(self) -> None:
        cdef uint32_t i
        if self.row_seq != NULL:
            for i in range(self.board.feed_count):
                PyMem_RawFree(self.row_seq[i])
        for i in range(self.topic_count):
            PyMem_RawFree(self.topics[i].subscribers)
            PyMem_RawFree(self.topics[i].snapshot)
        PyMem_RawFree(self.row_seq)
        PyMem_RawFree(self.topics)
        PyMem_RawFree(self.versions)
        PyMem_RawFree(self.shown)
        PyMem_RawFree(self.changed)
        PyMem_RawFree(self.updates_memory)

    cdef int _grow(self) except -1:
        """A topic for every symbol that the board has, with the price that its rows have."""
        cdef uint32_t wanted = self.board.count
        if wanted > self.topic_capacity:
            self._grow_arrays(max(wanted, 2 * self.topic_capacity))
        while self.topic_count < wanted:
            memset(self.topics + self.topic_count, 0, sizeof(Topic))
            self.versions[self.topic_count] = 0
            self.shown[self.topic_count] = 0
            self.topic_count += 1
            self._reload(self.topic_count - 1)
        return 0

    cdef int _grow_arrays(self, uint32_t capacity) except -1:
        cdef void* memory
        cdef PriceFrame* updates
        cdef Topic* topics = <Topic*>PyMem_RawRealloc(self.topics, capacity * sizeof(Topic))
        if topics == NULL:
            raise MemoryError
        self.topics = topics
        self.versions = regrown(self.versions, capacity)
        self.shown = regrown(self.shown, capacity)
        self.changed = regrown(self.changed, capacity)
        # calloc: a frame costs memory once somebody has subscribed
        memory = PyMem_RawCalloc(capacity + 1, sizeof(PriceFrame))
        if memory == NULL:
            raise MemoryError
        updates = <PriceFrame*>((<size_t>memory + CACHE_LINE - 1) & ~<size_t>(CACHE_LINE - 1))
        if self.topic_count:
            memcpy(updates, self.updates, self.topic_count * sizeof(PriceFrame))
        PyMem_RawFree(self.updates_memory)
        self.updates_memory = memory
        self.updates = updates
        self.topic_capacity = capacity
        return 0

    cdef int _learn(self, uint32_t feed, uint32_t row) except -1:
        """A record named a row that is new to us."""
        cdef uint32_t known = self.topic_count
        cdef uint32_t symbol
        self.board.learn(feed, row)
        self._grow()
        symbol = self.board.symbol_of(feed, row)
        if symbol != NO_PART and symbol < known:
            self._reload(symbol)  # a further venue of a symbol
        return 0

    cdef int _reload(self, uint32_t symbol) except -1:
        """Take a topic's price from the table. What the rings still hold of it is skipped:
        row_seq says what the rows have counted already."""
        cdef Topic* topic = self.topics + symbol
        cdef Values values
        cdef RowRef* ref
        cdef uint32_t i
        for i in range(self.board.rows[symbol].count):
            ref = self.board.rows[symbol].rows + i
            # the seq first: a trade that comes between the two reads is applied twice, not never
            if self.board.table(ref.feed).read(ref.row, &values) >= 0:
                self.row_seq[ref.feed][ref.row] = values.seq
        if not self.board.read(symbol, &values) or not values.price:
            return 0
        topic.taken_back = values.exchange_time < topic.time
        if values.price == topic.price and values.exchange_time == topic.time:
            return 0
        topic.price = values.price
        topic.ambiguous = (
            topic.time != 0 or self.board.rows[symbol].count > 1
            or values.flags & ROW_SHARED_MICROSECOND != 0
        )
        topic.publish_time = values.publish_time
        if values.exchange_time > topic.time:
            topic.time = values.exchange_time  # a taken-back trade never takes time back
        self._touch(symbol)
        return 0

    cdef int _resync(self, uint32_t feed) except -1:
        """A ring lapped us: look at every symbol of the feed again."""
        cdef uint32_t row
        self.board.refresh()
        self._grow()
        for row in range(self.board.rows_known[feed]):
            if self.board.symbol_of(feed, row) != NO_PART:
                self._reload(self.board.symbol_of(feed, row))
        return 0

    cdef void _touch(self, uint32_t symbol) noexcept nogil:
        """The topic has a new price: a new version, and a place in `changed`."""
        cdef Topic* topic = self.topics + symbol
        self.versions[symbol] += 1
        if not self.versions[symbol]:
            self.versions[symbol] = 1
        if not topic.touched:
            topic.touched = 1
            self.changed[self.changed_count] = symbol
            self.changed_count += 1
            self.changed_subscribers += topic.subscriber_count

    cdef int drain(self) except -1:
        if self.board.count > self.topic_count:
            self._grow()  # the board was refreshed by somebody else
        for feed, reader in self.readers:
            if (<RingReader>reader).pending():
                self._drain_ring(feed, <RingReader>reader)
        return 0

    cdef int _drain_ring(self, uint32_t feed, RingReader reader) except -1:
        cdef Record record
        cdef uint32_t symbol
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
                continue
            if record.kind != RECORD_TRADE and record.kind < RECORD_CORRECTION:
                continue
            symbol = self.board.symbol_of(feed, record.row)
            if symbol == NO_PART:
                continue
            if symbol == NO_SYMBOL:
                self._learn(feed, record.row)
            elif record.kind == RECORD_CORRECTION:
                self._reload(symbol)
            elif self._trade(feed, symbol, &record):
                self._reload(symbol)
        skipped = reader.skipped - skipped
        count(self.counters, GATEWAY_RECORDS_SKIPPED, skipped)
        count(self.counters, GATEWAY_RECORDS_READ, reader.position - first - skipped)
        return 0

    cdef bint _trade(self, uint32_t feed, uint32_t symbol, const Record* record) noexcept nogil:
        """Take the price from a record. True: only the rows can tell whether it is the last
        sale, because of its time, or because a trade that was newer has been taken back."""
        assert symbol < self.topic_count
        cdef Topic* topic = self.topics + symbol
        cdef uint64_t* seq = self.row_seq[feed] + record.row
        if record.seq <= seq[0]:
            return False  # the table told us already
        seq[0] = record.seq
        if record.exchange_time <= topic.time:
            if topic.taken_back:
                return True
            if record.exchange_time < topic.time:
                return False  # another venue has sold later
            if self.board.rows[symbol].count > 1:
                return True
        topic.ambiguous = record.price != topic.price and record.exchange_time - topic.time < 1000
        topic.price = record.price
        topic.time = record.exchange_time
        topic.publish_time = record.publish_time
        topic.taken_back = 0
        self._touch(symbol)
        return False

    # -- frames ---------------------------------------------------------------------------

    cdef int begin_frames(self, uint32_t symbol) except -1:
        """Begin a topic's frames when its first subscriber comes."""
        cdef Topic* topic = self.topics + symbol
        cdef bytes name
        if topic.snapshot != NULL:
            return 0
        name = self.board.name(symbol).encode("latin-1")
        topic.snapshot = <PriceFrame*>PyMem_RawMalloc(sizeof(PriceFrame))
        if topic.snapshot == NULL:
            raise MemoryError
        begin_frame(self.updates + symbol, b"update", name, len(name))
        begin_frame(topic.snapshot, b"snapshot", name, len(name))
        return 0

    cdef size_t put_update(self, uint32_t symbol, uint8_t* to, int64_t now) noexcept nogil:
        """Write a topic's update, encoded anew if its version moved; its length, at most
        FRAME_ROOM."""
        cdef PriceFrame* frame = self.updates + symbol
        cdef Topic* topic
        if self.shown[symbol] != self.versions[symbol]:
            topic = self.topics + symbol
            write_price_frame(frame, topic.price, topic.time)
            self.shown[symbol] = self.versions[symbol]
            count(self.counters, GATEWAY_ENCODED, 1)
            record_duration(
                self.histograms, GATEWAY_HISTOGRAM_PUBLISH_TO_SEND, now - topic.publish_time
            )
            record_duration(
                self.histograms, GATEWAY_HISTOGRAM_EXCHANGE_TO_SEND, now - topic.time
            )
        assert frame.length <= FRAME_ROOM
        memcpy(to, frame.bytes + frame.start, frame.length)
        return frame.length

    cdef size_t put_snapshot(self, uint32_t symbol, uint8_t* to) noexcept nogil:
        """Write a topic's snapshot; its length, at most FRAME_ROOM."""
        cdef Topic* topic = self.topics + symbol
        cdef PriceFrame* frame = topic.snapshot
        if topic.snapshot_version != self.versions[symbol]:
            write_price_frame(frame, topic.price, topic.time)
            topic.snapshot_version = self.versions[symbol]
            count(self.counters, GATEWAY_ENCODED, 1)
        assert frame.length <= FRAME_ROOM
        memcpy(to, frame.bytes + frame.start, frame.length)
        return frame.length

    cdef bint records_wait(self) except -1:
        """Some ring holds what we have not read."""
        for _, reader in self.readers:
            if (<RingReader>reader).pending():
                return True
        return False

"""Recorded events into a feed's segment: the rows and rings that the feed's own worker made.

In: events in the order of the recording (Events), and which of them to play. Out: rows, then
records, then doorbells, all events of one publish time together, as publisher.pyx does it. Owned by
the worker of the feed that is played.

Law: no I/O and no clock. Whatever the numbers of a file are, nothing is written but rows and rings.
"""

from cpython.mem cimport PyMem_Calloc, PyMem_Free, PyMem_Realloc
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from ticker.record.events cimport Events, Image
from ticker.record.states cimport EVENT_ROW, State, adopt, apply
from ticker.shm.counters cimport FEED_MESSAGES, FEED_QUOTES, FEED_TRADES, count
from ticker.shm.doorbell cimport DoorbellRinger
from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport (
    RECORD_PRINT,
    RECORD_QUOTE,
    RECORD_TRADE,
    ROW_STALE,
    TRADE_COUNTS_VOLUME,
    Record,
    Values,
)
from ticker.shm.ring cimport RingWriter
from ticker.shm.table cimport TableWriter
from ticker.shm.values cimport add_volume, set_prices

from ticker.errors import StoreError

cdef enum:
    FIRST_ROOM = 1024
    MOST_ROWS = 1 << 24


cdef class Player:
    """Plays into the writable segment `mapping`.

    Args:
        ringer: rings the gateways after each flush.
        shift: ns that all times are moved by.
        faulty: events may be missing, come twice or in another order than they were published in.

    Raises:
        MemoryError: no memory for the rows.
    """

    def __cinit__(
        self, Mapping mapping not None, DoorbellRinger ringer = None, *, shift: int = 0,
        faulty: bool = False,
    ) -> None:
        cdef uint32_t index
        self.mapping = mapping
        self.table = TableWriter(mapping)
        self.ringer = ringer
        self.shift = shift
        self.faulty = faulty
        self.ring_count = mapping.ring_count
        self.writers = [RingWriter(mapping, index) for index in range(self.ring_count)]
        self.rings = <void**>PyMem_Calloc(self.ring_count, sizeof(void*))
        self.states = <State*>PyMem_Calloc(self.table.capacity, sizeof(State))
        self.dirty = <uint32_t*>PyMem_Calloc(self.table.capacity, sizeof(uint32_t))
        if not (self.rings and self.states and self.dirty):
            raise MemoryError("no memory for the rows of a player")
        for index, writer in enumerate(self.writers):
            self.rings[index] = <void*>writer
        # A predecessor's rows are gone over: their images come again.
        self.known = {
            (self.table.symbol(index), self.table.venue(index)): index
            for index in range(len(self.table))
        }

    def __dealloc__(self) -> None:
        PyMem_Free(self.rings)
        PyMem_Free(self.states)
        PyMem_Free(self.rows)
        PyMem_Free(self.dirty)
        PyMem_Free(self.pending)
        PyMem_Free(self.shards)

    @property
    def written(self) -> int:
        """Records that the fullest ring ever had."""
        return max([writer.cursor for writer in self.writers])

    def play(self, Events events not None, start: int, stop: int, order=None) -> None:
        """Events start <= i < stop; or, of these, the ones of `order`, an array of uint32. The
        last flush is kept open, for more of it may follow: `flush`.

        Raises:
            StoreError: an event names a row that no event before it described.
        """
        cdef const uint32_t[::1] places
        cdef uint32_t at
        cdef int i
        if not 0 <= start <= stop <= events.count:
            raise IndexError(f"events {start} to {stop}: there are {events.count}")
        if order is None:
            for i in range(<int>start, <int>stop):
                self._play_one(events, <uint32_t>i)
            return
        places = order
        for i in range(<int>len(places)):
            at = places[i]
            if not start <= at < stop:
                raise IndexError(f"event {at}: not one of {start} to {stop}")
            self._play_one(events, at)

    def flush(self) -> None:
        """Publish what was played."""
        self._flush()

    def speak(self) -> None:
        """Show the rows, and from now on all that is played."""
        self.silent = False
        self.pending_count = 0
        self._flush()

    cdef int _play_one(self, Events events, uint32_t at) except -1:
        cdef Record record
        cdef int64_t published = events.publish_time[at]
        cdef int64_t received = events.receive_time[at]
        if events.kind[at] <= 0 or events.kind[at] > EVENT_ROW:
            return 0  # of the feed: the recorder's own story
        published += self.shift
        if self.faulty and published < self.now:
            published = self.now  # late, but not shown before it came
        if published != self.now:
            self._flush()
        self.now = published
        self.events += 1
        if events.kind[at] == EVENT_ROW:
            return self._adopt(events.row[at], events.images.get(at))
        memset(&record, 0, sizeof(Record))
        record.kind = <uint8_t>events.kind[at]
        record.row = events.row[at]
        record.conditions = events.conditions[at]
        record.price = events.price[at]
        record.size = events.size[at]
        record.match = events.trade_id[at]
        record.seq = events.other[at]
        record.exchange_time = events.exchange_time[at]
        record.exchange_time += self.shift if record.exchange_time else 0
        record.publish_time = self.now
        return self._stage(&record, received + self.shift if received else self.now, events.ring[at])

    cdef int _adopt(self, uint32_t row, Image image) except -1:
        """A row is what its image says; a new one is made."""
        cdef Values values
        cdef int32_t mine
        if image is None:
            raise StoreError("a recording has an image of a row without its words")
        self._map(row)
        if self.rows[row] < 0:
            self.rows[row] = self._append(image)
        mine = self.rows[row]
        if mine < 0:
            self.no_room += 1
            return 0
        image.fill(&values, self.shift)
        if self.faulty and values.seq < self.states[mine].values.seq:
            values.seq = self.states[mine].values.seq
        adopt(&self.states[mine], &values)
        self._mark(<uint32_t>mine)
        return 0

    cdef int64_t _append(self, Image image) except -2:
        """The row of the table that has this name, or a new one; -1: the table is full."""
        name = (image.symbol, image.venue)
        if name in self.known:
            return self.known[name]
        cdef bytes symbol = image.symbol.encode("ascii")
        cdef bytes venue = image.venue.encode("ascii")
        cdef bytes currency = image.currency.encode("ascii")
        cdef int64_t row = self.table.append(
            symbol, len(symbol), venue, currency, image.size_exponent, 0
        )
        if row >= 0:
            self.known[name] = row
        return row

    cdef int _map(self, uint32_t row) except -1:
        """Room for a row of the recording."""
        cdef uint32_t room = self.row_room if self.row_room else FIRST_ROOM
        cdef uint32_t i
        cdef int32_t* grown
        if row >= MOST_ROWS:
            raise StoreError(f"a recording has row {row}: more than {MOST_ROWS}")
        if row < self.row_room:
            return 0
        while room <= row:
            room *= 2
        grown = <int32_t*>PyMem_Realloc(self.rows, room * sizeof(int32_t))
        if grown == NULL:
            raise MemoryError("no memory for the rows of a player")
        self.rows = grown
        for i in range(self.row_room, room):
            grown[i] = -1
        self.row_room = room
        return 0

    cdef int _stage(self, Record* record, int64_t received, uint16_t shard) except -1:
        cdef int32_t mine = self.rows[record.row] if record.row < self.row_room else -1
        if mine < 0:
            if self.no_room or self.faulty:
                return 0
            raise StoreError(f"a recording has an event of row {record.row} before its image")
        record.row = <uint32_t>mine
        if self.faulty:
            self._as_it_comes(&self.states[mine], record, received)
        else:
            apply(&self.states[mine], record, received)
        self._mark(<uint32_t>mine)
        return self._pend(record, shard)

    cdef void _as_it_comes(self, State* state, Record* record, int64_t received) noexcept:
        """As a feed's own worker would, to which the events come like this: trades are numbered as
        they are taken, and an older one does not become the last sale."""
        cdef Values* values = &state.values
        cdef bint last
        if record.kind != RECORD_TRADE and record.kind != RECORD_PRINT:
            if record.kind != RECORD_QUOTE or record.exchange_time >= values.quote_time:
                apply(state, record, received)
            return
        last = False
        if record.seq > state.covered:
            values.flags &= ~<uint64_t>ROW_STALE
            last = set_prices(values, record.price, record.size, record.conditions,
                              record.exchange_time, received, True)
            if record.conditions & TRADE_COUNTS_VOLUME:
                add_volume(values, record.size)
                values.trades += 1
            values.seq += 1
            values.publish_time = max(values.publish_time, record.publish_time)
        record.seq = values.seq
        record.kind = RECORD_TRADE if last else RECORD_PRINT

    cdef void _mark(self, uint32_t row) noexcept:
        if not self.states[row].touched:
            self.states[row].touched = True
            self.dirty[self.dirty_count] = row
            self.dirty_count += 1

    cdef int _pend(self, const Record* record, uint16_t shard) except -1:
        cdef uint32_t room
        cdef Record* records
        cdef uint16_t* shards
        if self.pending_count == self.pending_room:
            room = 2 * self.pending_room if self.pending_room else FIRST_ROOM
            records = <Record*>PyMem_Realloc(self.pending, room * sizeof(Record))
            if records == NULL:
                raise MemoryError("no memory for a flush")
            self.pending = records
            shards = <uint16_t*>PyMem_Realloc(self.shards, room * sizeof(uint16_t))
            if shards == NULL:
                raise MemoryError("no memory for a flush")
            self.shards = shards
            self.pending_room = room
        self.pending[self.pending_count] = record[0]
        self.shards[self.pending_count] = shard
        self.pending_count += 1
        return 0

    cdef void _flush(self) noexcept:
        """Rows, rings, doorbells."""
        cdef uint32_t i
        cdef uint64_t trades = 0
        cdef uint64_t quotes = 0
        cdef Record* record
        if not self.dirty_count:
            return
        if self.silent:
            self.pending_count = 0
            return  # the rows stay marked, for `speak`
        for i in range(self.dirty_count):
            self.states[self.dirty[i]].touched = False
            self.table.publish(self.dirty[i], &self.states[self.dirty[i]].values)
        for i in range(self.pending_count):
            record = self.pending + i
            trades += record.kind == RECORD_TRADE or record.kind == RECORD_PRINT
            quotes += record.kind == RECORD_QUOTE
            (<RingWriter>self.rings[self.shards[i] % self.ring_count]).write(record)
        count(self.mapping.counters, FEED_MESSAGES, self.pending_count)
        count(self.mapping.counters, FEED_TRADES, trades)
        count(self.mapping.counters, FEED_QUOTES, quotes)
        self.dirty_count = self.pending_count = 0
        if self.ringer is not None:
            self.ringer.ring()

"""The publisher: makes visible what changed since the last flush.

Law: rows first, then rings, then doorbells. Who is woken finds the record; who reads a record
finds a row that is at least as new. A row is published once per flush, however often it
changed; every trade has its own record.

Of a row's words the first COMMON_WORDS are written at each publication, the others only until
both copies of the row have them (`changed_beside`): they change a few times in a day.

Bound: PENDING_TRADES trades between two flushes; at the bound the market flushes early.
"""

from cpython.ref cimport PyObject
from libc.stdint cimport int64_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memset

from ticker.checks cimport check
from ticker.pages cimport give_pages, prefetch_to_write, take_pages
from ticker.shm.counters cimport (
    FEED_DOORBELLS,
    FEED_HISTOGRAM_EXCHANGE_TO_RECEIVE,
    FEED_HISTOGRAM_RECEIVE_TO_PUBLISH,
    FEED_QUOTES,
    FEED_ROWS_REPAIRED,
    count,
    record_duration,
)
from ticker.shm.doorbell cimport DoorbellRinger
from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport (
    RECORD_CANCELLED,
    RECORD_CORRECTED,
    RECORD_CORRECTION,
    RECORD_DAY,
    RECORD_STATUS,
    ROW_HAS,
    ROW_HELD,
    ROW_STALE,
    ROW_TEST,
    SYMBOL_BYTES,
    Record,
    RecordKind,
    Values,
)
from ticker.shm.ring cimport Ring, RingWriter, shard_of
from ticker.shm.table cimport TableWriter, publish_common
from ticker.shm.values cimport write_quote

cdef enum:
    RECORDS_AHEAD = 4            # ring slots fetched before they are written

cdef extern from "<string.h>" nogil:
    size_t strnlen(const char* text, size_t most)


cdef class Publisher:
    """The one writer of a feed's rows and rings.

    Making one takes the segment over and repairs what its predecessor left half-written.
    Rows of that predecessor have zeroed entries: see Market.adopt_rows.
    """

    def __cinit__(self, Mapping mapping not None, DoorbellRinger ringer = None) -> None:
        cdef uint32_t i
        self.table = TableWriter(mapping)
        self.ringer = ringer
        self.counters = mapping.counters
        self.histograms = mapping.histograms
        self.ring_count = mapping.ring_count
        self.ring_writers = [RingWriter(mapping, index) for index in range(self.ring_count)]
        self.rings = <void**>calloc(self.ring_count, sizeof(void*))
        self.entries_bytes = self.table.capacity * sizeof(Entry)
        self.entries = <Entry*>take_pages(self.entries_bytes)
        self.dirty_rows = <uint32_t*>calloc(self.table.capacity, sizeof(uint32_t))
        self.pending = <Pending*>malloc(PENDING_TRADES * sizeof(Pending))
        if not (self.rings and self.entries and self.dirty_rows and self.pending):
            raise MemoryError("no memory for the publisher")
        for i in range(self.ring_count):
            self.rings[i] = <PyObject*>self.ring_writers[i]
        self.publishing = True
        count(self.counters, FEED_ROWS_REPAIRED, self.table.repaired)

    def __dealloc__(self) -> None:
        free(self.rings)
        give_pages(self.entries, self.entries_bytes)
        free(self.dirty_rows)
        free(self.pending)

    cdef int64_t append(
        self, const char* symbol, size_t length, const char* venue, const char* currency,
        uint64_t size_exponent, uint64_t key,
    ) noexcept nogil:
        """A new row with a zeroed entry, or -1 (TableWriter.append)."""
        cdef int64_t row = self.table.append(symbol, length, venue, currency, size_exponent, key)
        if row >= 0:
            self.entries[row].shard = shard_of(symbol, length, self.ring_count)
        return row

    cdef void adopt(self, uint32_t row) noexcept nogil:
        """Take over a row that was there before; its entry's values are the caller's to fill."""
        cdef char* symbol = self.table.rows[row].symbol
        self.entries[row].shard = shard_of(
            symbol, strnlen(symbol, SYMBOL_BYTES), self.ring_count
        )
        self.entries[row].publications = self.table.rows[row].generation >> 1
        changed_beside(self, row)

    cdef void trade(
        self, uint32_t row, RecordKind kind, int64_t price, uint64_t size, uint64_t match,
        uint32_t flags, int64_t exchange_time, int64_t receive_time,
    ) noexcept nogil:
        """Keep a trade for the next flush; its seq is the row's of now. The caller flushes at
        PENDING_TRADES."""
        cdef Pending* pending = &self.pending[self.pending_count]
        cdef Record* record = &pending.record
        check(self.pending_count < PENDING_TRADES)
        self.pending_count += 1
        pending.receive_time = receive_time
        record.row = row
        record.kind = kind
        record.reserved = 0
        record.conditions = <uint16_t>flags
        record.price = price
        record.size = size
        record.exchange_time = exchange_time
        record.match = match
        record.seq = self.entries[row].values.seq

    cdef void took_back(
        self, uint32_t row, int64_t price, uint64_t size, uint64_t match, uint32_t flags,
        int64_t exchange_time,
    ) noexcept nogil:
        """Keep for the next flush that a trade never was; see `trade`."""
        self.trade(row, RECORD_CANCELLED, price, size, match, flags, exchange_time, 0)

    cdef void corrected(
        self, uint32_t row, int64_t price, uint64_t size, uint64_t match, uint64_t new_match,
        uint32_t flags, int64_t exchange_time,
    ) noexcept nogil:
        """Keep for the next flush what the trade `match` became; see `trade`."""
        self.trade(row, RECORD_CORRECTED, price, size, match, flags, exchange_time, 0)
        self.pending[self.pending_count - 1].record.seq = new_match

    cdef void flush(self, int64_t publish_time) noexcept nogil:
        """Publish. Publish times never go back, even if the clock does."""
        if not self.dirty_count:
            return
        if publish_time < self.last_publish_time:
            publish_time = self.last_publish_time
        self.last_publish_time = publish_time
        self._write_rows(publish_time)
        self._write_pending(publish_time)
        self._write_changes(publish_time)
        self.dirty_count = 0
        if self.ringer is not None:
            count(self.counters, FEED_DOORBELLS, <uint64_t>self.ringer.ring())

    cdef void _compare(self, uint32_t row) noexcept nogil:
        """Note all in which the row, as readers see it, differs from its entry."""
        cdef Values* new = &self.entries[row].values
        cdef uint32_t bits = DIRTY_ROW
        cdef Values old
        if self.table.read(row, &old) < 0:
            memset(&old, 0, sizeof(Values))
        if (old.seq != new.seq or old.price != new.price or old.volume != new.volume
                or old.volume_high != new.volume_high or old.exchange_time != new.exchange_time
                or (old.flags ^ new.flags) & ROW_HAS):
            bits |= DIRTY_CORRECTION
        if (old.official_open != new.official_open or old.official_close != new.official_close
                or old.previous_close != new.previous_close
                or old.extended_time != new.extended_time):
            bits |= DIRTY_DAY
        if old.status != new.status or (old.flags ^ new.flags) & (ROW_STALE | ROW_TEST | ROW_HELD):
            bits |= DIRTY_STATUS
        if (old.bid != new.bid or old.bid_size != new.bid_size
                or old.ask != new.ask or old.ask_size != new.ask_size):
            bits |= DIRTY_QUOTE
        self.entries[row].dirty |= bits

    cdef void _write_rows(self, int64_t publish_time) noexcept nogil:
        cdef uint32_t i, row
        cdef Entry* entry
        for i in range(self.dirty_count):
            row = self.dirty_rows[i]
            entry = &self.entries[row]
            if entry.dirty & DIRTY_COMPARE:
                self._compare(row)
            if entry.dirty & ~<uint32_t>DIRTY_BOOK:
                entry.values.publish_time = publish_time
                if entry.whole:
                    entry.whole -= 1
                    self.table.publish(row, &entry.values)
                else:
                    publish_common(self.table, row, &entry.values)
                entry.publications += 1

    cdef void _write_pending(self, int64_t publish_time) noexcept nogil:
        cdef uint32_t i
        cdef Pending* pending
        for i in range(self.pending_count):
            pending = &self.pending[i]
            pending.record.publish_time = publish_time
            if pending.receive_time:
                record_duration(
                    self.histograms, FEED_HISTOGRAM_EXCHANGE_TO_RECEIVE,
                    pending.receive_time - pending.record.exchange_time,
                )
                record_duration(
                    self.histograms, FEED_HISTOGRAM_RECEIVE_TO_PUBLISH,
                    publish_time - pending.receive_time,
                )
            self._write(&pending.record)
        self.pending_count = 0

    cdef void _write_changes(self, int64_t publish_time) noexcept nogil:
        """What changed in a row other than by a trade: one record of each kind."""
        cdef uint32_t i
        cdef Entry* entry
        cdef Record record
        cdef uint64_t quotes = 0
        memset(&record, 0, sizeof(Record))
        record.publish_time = publish_time
        for i in range(self.dirty_count):
            entry = &self.entries[self.dirty_rows[i]]
            if entry.dirty & (DIRTY_QUOTE | DIRTY_STATUS | DIRTY_CORRECTION | DIRTY_DAY):
                record.row = self.dirty_rows[i]
                record.price = 0
                record.size = record.match = 0
                record.conditions = 0
                record.exchange_time = entry.change_time
                record.seq = entry.values.seq
                if entry.change_received:
                    record_duration(
                        self.histograms, FEED_HISTOGRAM_RECEIVE_TO_PUBLISH,
                        publish_time - entry.change_received,
                    )
                entry.change_received = 0
                quotes += self._write_kinds(entry.dirty, &record)
            entry.dirty = 0
        count(self.counters, FEED_QUOTES, quotes)

    cdef uint64_t _write_kinds(self, uint32_t dirty, Record* record) noexcept nogil:
        """One record per kind of change; how many were quotes."""
        if dirty & DIRTY_CORRECTION:
            record.kind = RECORD_CORRECTION
            self._write(record)
        if dirty & DIRTY_DAY:
            record.kind = RECORD_DAY
            self._write(record)
        if dirty & DIRTY_STATUS:
            record.kind = RECORD_STATUS
            self._write(record)
        if dirty & DIRTY_QUOTE:
            write_quote(record, &self.entries[record.row].values)
            self._write(record)
            return 1
        return 0

    cdef void _write(self, Record* record) noexcept nogil:
        cdef uint32_t shard = self.entries[record.row].shard
        cdef Ring* ring
        cdef uint64_t cursor
        check(shard < self.ring_count)
        (<RingWriter>self.rings[shard]).write(record)
        ring = &(<RingWriter>self.rings[shard]).ring
        cursor = (<RingWriter>self.rings[shard]).cursor
        prefetch_to_write(&ring.records[(cursor + RECORDS_AHEAD) & ring.mask], 1, 2)
